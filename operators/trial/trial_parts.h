/* operators/trial/trial_parts.h - what a trial holds and what it is filled with, for trial.c, which makes
 * and launches it, and trial_verify.c, which knows what should come out. */
#ifndef FLASHMEM_OPERATORS_TRIAL_TRIAL_PARTS_H
#define FLASHMEM_OPERATORS_TRIAL_TRIAL_PARTS_H

#include "operators/trial/thin.h"
#include "operators/trial/trial.h"
#include "profiler/rng.h"

/* Number of the generator's stream for streamed texels; those before are of the inputs. */
enum { TRIAL_LOAD_STREAM = OP_MAX_TENSORS };

struct trial_reference {
    double *value; /* [rows, cols] of the thin output */
    double *scale; /* [rows] */
};

struct trial {
    struct device *dev;
    cl_command_queue queue;
    struct op_case c;
    enum mem_path path;
    struct op_io io;
    struct thin thin; /* what inputs are made of, and the case of the reference */
    uint64_t seed;
    struct tensor input[OP_MAX_TENSORS];
    cl_mem out;
    int64_t out_width, out_height; /* texels, guards included; a buffer is one row */
    struct trial_reference *ref;   /* made by the first verification */
    int64_t max_load_texels;
    cl_mem src;
    cl_command_queue second; /* of copies; made when first wanted, as is what they copy from: */
    void *host;
    cl_mem host_mem;
    struct tensor dst[OP_MAX_LOADS];
};

static inline uint64_t trial_stream_seed(const struct trial *t, int stream)
{
    return rng_at(t->seed, (uint64_t)stream);
}

static inline const struct op_slot *trial_output_slot(const struct trial *t)
{
    return &t->io.slot[t->io.n - 1];
}

/* NaNs with a mark: what was not written shows in every comparison. */
static inline uint32_t trial_poison(enum dtype dtype)
{
    return dtype == DTYPE_F16 ? 0x7ead : 0x7fc0dead;
}

void trial_fill_poison(enum dtype dtype, void *to, uint64_t bytes);

/* malloc() of at least a byte; says so in err. */
void *trial_alloc(uint64_t bytes, struct err *err);

/* Element i of a slot of the thin case, rounded to the storage type: uniform in [-2, 2). */
float trial_input_value(const struct trial *t, int slot, uint64_t seed, uint64_t i);

/* Streamed word i (an element): any finite f16, any normal f32 of moderate size. */
uint32_t trial_load_word(enum dtype dtype, uint64_t seed, uint64_t i);

#endif
