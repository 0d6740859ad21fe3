/* harness/sweep/own.h - a researcher's own kernel in a sweep: the file is read once, so that
 * editing it does not change a sweep under way, and handed to the workers as it was. */
#ifndef FLASHMEM_HARNESS_SWEEP_OWN_H
#define FLASHMEM_HARNESS_SWEEP_OWN_H

#include "harness/sweep/spec.h"
#include "operators/custom/custom.h"

/* The file's kernel stands for its operator from now on, here and in workers. -ENOENT, -EINVAL
 * (err: FILE:LINE: what). */
int own_open(const char *path, struct custom **ret_c, struct err *err);
/* The configurations that its head asks for: errors name its lines. */
int own_spec(const struct custom *c, const char *path, const struct device_info *dev,
             struct spec *ret_spec, struct err *err);
/* In a worker: what own_open() handed over, if anything. */
int own_inherit(struct custom **ret_c, struct err *err);
void own_close(struct custom *c); /* NULL is fine */

#endif
