/* profiler/launch.h - launches of what is measured, waited for, and what their events say. */
#ifndef FLASHMEM_PROFILER_LAUNCH_H
#define FLASHMEM_PROFILER_LAUNCH_H

#include "profiler/measure.h"

/* What the host knows of one launch: as measure_subject.enqueue leaves it. */
struct launch {
    cl_event event[MEASURE_EVENTS];
};

/* `count` launches of `side`, one behind the other, waited for. ret_l, the last one's, is for
 * launch_forget(); untouched on failure, when nothing of it stays in flight in `queue`. */
int launch_run(const struct measure_subject *subject, cl_command_queue queue, int side, int count,
               struct launch *ret_l, struct err *err);
void launch_forget(struct launch *l); /* empty is fine */

/* Device times: of a finished event, of a finished launch from the first start to the last end.
 * False, and nothing said, where they cannot be right. */
bool launch_event_span(cl_event event, uint64_t *ret_start, uint64_t *ret_end);
bool launch_span(const struct launch *l, uint64_t *ret_start, uint64_t *ret_end);

#endif
