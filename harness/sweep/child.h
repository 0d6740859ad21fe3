/* harness/sweep/child.h - a sweep's hold on its worker process: start it, give it an order, wait no
 * longer than allowed, notice its death. A crash or a hang is a result like any other. */
#ifndef FLASHMEM_HARNESS_SWEEP_CHILD_H
#define FLASHMEM_HARNESS_SWEEP_CHILD_H

#include "harness/sweep/wire.h"

struct child_options {
    const char *program;            /* NULL: this very program; run as PROGRAM --device N worker */
    const struct device_info *info; /* the device that the worker must find at this index */
    uint64_t timeout_ns;            /* of one order */
    const volatile sig_atomic_t *interrupted; /* may be NULL */
};

struct child;

/* Nothing is started before the first order. */
int child_new(const struct child_options *opt, struct child **ret_c, struct err *err);
void child_free(struct child *c); /* kills the worker if there is one; NULL is fine */

/* Carry out one order, in a new worker if there is none. Always a result with a status, save for
 * -EINTR (*interrupted was set; the worker is killed) and what makes all further orders pointless:
 * the worker does not start, or finds another device. */
int child_ask(struct child *c, const struct work_order *order, struct work_result *ret_r,
              struct err *err);
int child_starts(const struct child *c); /* workers started so far */

#endif
