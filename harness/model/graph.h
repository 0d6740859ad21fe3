/* harness/model/graph.h - graph CSV to model; private to harness/model. */
#ifndef FLASHMEM_HARNESS_MODEL_GRAPH_H
#define FLASHMEM_HARNESS_MODEL_GRAPH_H

#include "harness/model/model.h"

/* -ENOENT, -EINVAL (err: FILE:LINE: what). ret_m: model_free(); its hash is not set. */
int graph_read(const char *path, enum dtype dtype, struct model **ret_m, struct err *err);

#endif
