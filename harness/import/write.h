/* harness/import/write.h - the lowered graph as files that harness/model reads. */
#ifndef FLASHMEM_HARNESS_IMPORT_WRITE_H
#define FLASHMEM_HARNESS_IMPORT_WRITE_H

#include "harness/import/import.h"
#include "harness/import/lower/low.h"

/* The graph CSV (datasets/README.md); `source` is named in a comment. Written beside and renamed.
 * Refuses a layer that the operator table does not take. */
void write_graph(const struct low *l, const char *name, const char *source, const char *path);

/* The weights file of the graph just written to graph_path. */
void write_weights(const struct low *l, const char *name, const char *graph_path,
                   const struct import_options *opt, struct import_result *ret);

#endif
