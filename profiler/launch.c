#include "profiler/launch.h"

void launch_forget(struct launch *l)
{
    for (int i = 0; i < MEASURE_EVENTS; i++)
        if (l->event[i])
            clReleaseEvent(l->event[i]);
    *l = (struct launch){0};
}

static int wait_for(const struct launch *l, struct err *err)
{
    cl_event event[MEASURE_EVENTS];
    cl_uint n = 0;
    cl_int code;

    for (int i = 0; i < MEASURE_EVENTS; i++)
        if (l->event[i])
            event[n++] = l->event[i];
    code = clWaitForEvents(n, event);
    return code == CL_SUCCESS ? 0 : cl_err(err, code, "kernel run");
}

/* Queues are in order, so that the last launch's events are the last. */
int launch_run(const struct measure_subject *subject, cl_command_queue queue, int side, int count,
               struct launch *ret_l, struct err *err)
{
    struct launch l = {0};
    int rc = 0;

    for (int i = 0; i < count && rc == 0; i++) {
        launch_forget(&l);
        rc = subject->enqueue(subject->ctx, queue, side, l.event, err);
    }
    if (rc == 0)
        rc = wait_for(&l, err);
    if (rc < 0) {
        clFinish(queue); /* nothing of it stays in flight */
        launch_forget(&l);
    } else {
        *ret_l = l;
    }
    return rc;
}

bool launch_event_span(cl_event event, uint64_t *ret_start, uint64_t *ret_end)
{
    cl_ulong start = 0, end = 0;

    if (clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_START, sizeof(start), &start, NULL) !=
            CL_SUCCESS ||
        clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_END, sizeof(end), &end, NULL) !=
            CL_SUCCESS ||
        end < start)
        return false;
    *ret_start = start;
    *ret_end = end;
    return true;
}

bool launch_span(const struct launch *l, uint64_t *ret_start, uint64_t *ret_end)
{
    uint64_t first = UINT64_MAX, last = 0, start, end;

    for (int i = 0; i < MEASURE_EVENTS; i++) {
        if (!l->event[i])
            continue;
        if (!launch_event_span(l->event[i], &start, &end))
            return false;
        first = start < first ? start : first;
        last = end > last ? end : last;
    }
    *ret_start = first;
    *ret_end = last;
    return true;
}
