/* operators/trial/trial.h - one case on one device, filled and ready: verify it, then time it.
 *
 * A trial owns inputs (seeded, the same for every variant), the reference output (computed once),
 * a poisoned output with guard texels behind it, and the source and destination of extra load. */
#ifndef FLASHMEM_OPERATORS_TRIAL_TRIAL_H
#define FLASHMEM_OPERATORS_TRIAL_TRIAL_H

#include "operators/op.h"

/* Commands of one launch whose events tell its time: the kernel; of FORM_COPY, also the first and
 * the last copy. */
enum { TRIAL_EVENTS = 3 };

struct trial;

/* max_load_bytes: the most extra load that trial_bind() will ask for. */
int trial_new(struct device *dev, cl_command_queue queue, const struct op_case *c,
              enum mem_path path, uint64_t max_load_bytes, uint64_t seed, struct trial **ret_t,
              struct err *err);
void trial_free(struct trial *t);

/* The reference of a trial may outlive it: taken from one (NULL: none was made yet), it serves the
 * next trial of the same case and seed, whatever its path and load. */
struct trial_reference;
struct trial_reference *trial_take_reference(struct trial *t);
void trial_give_reference(struct trial *t, struct trial_reference *r); /* t owns r */
void trial_reference_free(struct trial_reference *r);                  /* NULL is fine */

/* Arguments for one program: its tensors and `load_bytes` of extra load (whole texels, spread over
 * the variant's n_loads destinations). */
int trial_bind(struct trial *t, const struct op_program *p, uint64_t load_bytes,
               struct op_args *ret_args, struct err *err);

/* Enqueue one launch: the kernel, and with FORM_COPY its copies in a second queue, which begin as
 * the kernel may: when all that was in `queue` before is done. ret_event[TRIAL_EVENTS] (NULL where
 * there is none) is owned by the caller; nothing is in it after a failure. */
int trial_enqueue(struct trial *t, struct op_program *p, cl_command_queue queue,
                  const struct op_args *args, cl_event *ret_event, struct err *err);

struct trial_verdict {
    bool ok;
    double worst;   /* greatest relative error, see op.h tol_*; NaN counts as infinite */
    char text[160]; /* why not: first wrong element with both values, or the guard, or the load */
};

/* Poison output and load destination, launch once, compare output, padding, guard and every
 * streamed texel. Large products are made of rows and columns that repeat (thin.h). -errno only if
 * the launch fails. */
int trial_verify(struct trial *t, struct op_program *p, const struct op_args *args,
                 struct trial_verdict *ret_v, struct err *err);
/* The comparison alone, of what the last launch left. */
int trial_check(struct trial *t, const struct op_args *args, struct trial_verdict *ret_v,
                struct err *err);

/* The output of the last launch, row-major elements; ret_y holds rows*cols of the output slot. */
int trial_output(struct trial *t, float *ret_y, struct err *err);

#endif
