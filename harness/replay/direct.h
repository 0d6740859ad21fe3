/* harness/replay/direct.h - the direct form: where host and device share memory, the disk reads
 * straight into the images and buffers that kernels read, and nothing is moved. Private.
 *
 * A run has one piece of memory on huge pages, all of it there before the run: places for weights,
 * as its schedule says, and for activations. When the last layer that reads a weight has run, the
 * driver's callback gives the reader what comes to that place next: nobody waits for it. */
#ifndef FLASHMEM_HARNESS_REPLAY_DIRECT_H
#define FLASHMEM_HARNESS_REPLAY_DIRECT_H

#include "harness/schedule/parts.h"
#include "harness/replay/run.h"

/* Memory goes back in huge pages. */
#define DIRECT_BLOCK (UINT64_C(2) << 20)

struct direct {
    struct executor *ex;
    const struct schedule *s; /* borrowed */
    unsigned char *host;
    uint64_t bytes;
    struct tensor *weight; /* [n_weights + 1] over their places; the last is the bundle */
    bool *mapped;          /* [n_items]: the host may write */
    struct read_part *part; /* item i's: first_part[i] .. first_part[i + 1] - 1, in order */
    int *first_part;       /* [n_items + 1] */
    int *block_last; /* [bytes / DIRECT_BLOCK] the layer after which nobody needs a block of
                        weights; INT_MAX: it has been given back, or holds activations */
    uint64_t given_bytes;  /* so much of it */
    bool inputs_mapped;
    struct activations acts;
};

/* Memory and objects for runs of a schedule; all weights are mapped. */
int direct_open(struct executor *ex, const struct schedule *s, struct direct *ret_d,
                struct err *err);
void direct_close(struct direct *d); /* safe on a zeroed one */

/* An item's weight, all of them, or the inputs: for the host to write, or (map false) the device's
 * again; nothing where they are that already. */
int direct_map_weight(struct direct *d, int item, bool map, cl_command_queue queue,
                      struct err *err);
int direct_map_all(struct direct *d, bool map, struct err *err); /* and waits */
int direct_map_inputs(struct direct *d, bool map, cl_command_queue queue, struct err *err);

struct direct_run {
    struct direct *d;
    cl_command_queue queue;
    bool resident;         /* the weights are there: nothing is read */
    bool kept;             /* those that stay are: they are not read */
    bool gives_back;       /* it is the last: once all is read, what no layer needs any more goes
                              back to the system, and from the ledger */
    cl_event *layer_event; /* [n_layers] when profiled; NULL for layers with nothing to run */
    uint64_t began_ns, init_ns, ran_ns; /* when it began; what preloading, and all of it, took */
};
/* From the first byte asked for to the last output. When it returns, with an error as well, nothing
 * is being read or run. */
int direct_run(struct direct_run *r, struct err *err);
/* All reads of the schedule, and nothing else; for a schedule with a place of its own for each. */
int direct_read(struct direct *d, uint64_t *ret_ns, struct err *err);

#endif
