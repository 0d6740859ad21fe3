/* harness/sweep/order.h - in which order configurations are measured, and on which machine.
 *
 * Blocks of one (case, path) share inputs and a reference, which can cost more than the samples.
 * Blocks are shuffled, and configurations inside each: a machine that slows down in the course of a
 * sweep then lines up neither with a shape nor with a tunable or a ratio, though neighbours in time
 * do share a case. */
#ifndef FLASHMEM_HARNESS_SWEEP_ORDER_H
#define FLASHMEM_HARNESS_SWEEP_ORDER_H

#include "harness/sweep/spec.h"

bool order_same_block(const struct sweep_config *a, const struct sweep_config *b);

/* Shuffle in place; the same for the same set of configurations and seed. -ENOMEM. */
int order_blocks(struct sweep_config *g, int n, uint64_t seed, struct err *err);

/* A uniform draw without replacement. `limit` > 0: the first `limit` are the draw, and come in
 * blocks; 0: all of them, in drawn order, so that stopping at any time leaves a uniform draw. */
int order_random(struct sweep_config *g, int n, int64_t limit, uint64_t seed, struct err *err);

/* 1..shards, from the FNV hash of the key without its load and form: all of a load curve is
 * measured on one machine. */
int order_shard(const struct sweep_config *g, int shards);

#endif
