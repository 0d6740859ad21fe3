/* harness/replay/recorded.h - what recorded runs tell the next: what layers took, in place of what
 * the regressor says (profile-guided correction), and which kernel form was fastest. */
#ifndef FLASHMEM_HARNESS_REPLAY_RECORDED_H
#define FLASHMEM_HARNESS_REPLAY_RECORDED_H

#include "harness/plan/problem.h"
#include "harness/store/store.h"

/* Where kernels share the host's cores, whatever else the machine does slows a run as a whole, and its
 * kernel control with it: there times count as if the control had taken what the model's newest did.
 *
 * For each layer of the problem whose case this device ran in the variant of best[l] (NULL: the
 * default), in profiled runs of the newest build that ran it: its time alone becomes the median of
 * the newest runs' medians without load, and its curve rises as much more or less steeply as the
 * newest with load say; capacities follow, in the problem too. The rest stays predicted.
 * ret_layers: how many were corrected. */
int recorded_correct(struct store *st, int64_t device_id, const struct model *m,
                     const struct device_info *dev, const struct best *best, enum mem_path path,
                     struct model_problem *mp, int *ret_layers, struct err *err);

/* Preloading as recorded: its time by that of reading alone, and for each byte. 0: there was none. */
struct recorded_moving {
    double by_disk, ns_per_byte;
};
/* What moving a byte takes where the disk takes so long for it. Where recorded preloads took clearly
 * longer than the disk, kernels were the limit, and how fast the disk is now does not matter to them;
 * else the disk was, and it is. */
double recorded_move_ns_per_byte(const struct recorded_moving *y, double disk_ns_per_byte);

/* What runs before say of runs of a model, beside its layers. */
struct recorded_speed {
    struct recorded_moving preload; /* medians of the newest build's newest runs, of this model if there
                                       are any */
    struct recorded_moving natural; /* the same of preloading with transformation */
    double kernel_ns; /* the kernel control that the times of recorded_correct() are of; 0: any */
};
int recorded_speed(struct store *st, int64_t device_id, const struct model *m,
                   const struct device_info *dev, enum mem_path path, const char *kernel,
                   struct recorded_speed *ret_speed, struct err *err);

/* Of the forms that were compared on this device and path, the one that was fastest most often: one
 * vote for each model and dtype, and `model` has the last word. "": none were compared. */
int recorded_kernel(struct store *st, int64_t device_id, const char *model, enum mem_path path,
                    char *ret_name, size_t size, struct err *err);

#endif
