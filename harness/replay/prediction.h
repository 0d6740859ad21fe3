/* harness/replay/prediction.h - what a run should take, said before it is taken: its time by playing
 * its schedule with the planner's layers, its memory by playing its ledger. */
#ifndef FLASHMEM_HARNESS_REPLAY_PREDICTION_H
#define FLASHMEM_HARNESS_REPLAY_PREDICTION_H

#include "harness/replay/executor.h"
#include "harness/replay/recorded.h"

/* Bytes that layer l's own kernel carries. */
uint64_t prediction_load_bytes(const struct executor *ex, const struct schedule *s, int l);
/* How fast the machine is now, as the controls say. */
struct prediction_speed {
    double disk_bytes_per_s;
    double move_ns_per_byte; /* of what is moved in front of layers; 0: nothing, beside reading it */
    double carry_ns_per_byte; /* where a layer carries and nothing else is known; 0: it hides */
    double kernel;           /* layers take so many times what the problem says */
};
/* By the controls of a run that reads so many bytes; natural: its weights are transformed. */
struct prediction_speed prediction_speed_now(const struct recorded_speed *then, double bytes,
                                             double disk_ns, double kernel_ns, bool natural);
/* Layer l with what it carries; NaN: nobody knows. */
double prediction_layer_ns(const struct executor *ex, const struct schedule *s,
                           const struct model_problem *mp, const struct prediction_speed *speed,
                           int l);
/* NaN: a layer's time is not known. */
double prediction_run_ns(const struct executor *ex, const struct schedule *s,
                         const struct model_problem *mp, const struct prediction_speed *speed);
/* The most that the ledger of a run can hold: less where launches are done while the disk is waited
 * for. 0: not known of schedules that rearrange weights; UINT64_MAX: out of memory. */
uint64_t prediction_peak_bytes(const struct executor *ex, const struct schedule *s);

#endif
