/* profiler/flush.h - empty a device's caches between timed runs: a kernel that reads more than they
 * hold. Its smallest launch doubles as the probe of what launching costs. */
#ifndef FLASHMEM_PROFILER_FLUSH_H
#define FLASHMEM_PROFILER_FLUSH_H

#include "profiler/device.h"

struct flush;

/* `dev` is borrowed. The buffer that is read is made by the first flush_prepare(). */
int flush_new(struct device *dev, struct flush **ret_f, struct err *err);
void flush_free(struct flush *f); /* NULL is fine */

/* Allocate and write the buffer, once; waits for the queue. */
int flush_prepare(struct flush *f, cl_command_queue queue, struct err *err);

/* Enqueue one flush, after flush_prepare(): all of it, or its two parts, of which the second is
 * short: it wakes the device's workers for what follows. ret_event may be NULL. */
enum flush_part { FLUSH_ALL, FLUSH_HEAD, FLUSH_TAIL };
int flush_enqueue(struct flush *f, cl_command_queue queue, enum flush_part part,
                  cl_event *ret_event, struct err *err);

/* Enqueue the same kernel over one work group: all but empty. Needs no flush_prepare(). */
int flush_enqueue_least(struct flush *f, cl_command_queue queue, cl_event *ret_event,
                        struct err *err);

#endif
