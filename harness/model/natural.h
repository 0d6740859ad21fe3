/* harness/model/natural.h - a weights file's twin in which matrices lie as model files have them
 * (operators/rearrange.h), each where its twin lies; header, vectors and tables of gathers are the
 * same. Only a run that rearranges weights itself reads it. */
#ifndef FLASHMEM_HARNESS_MODEL_NATURAL_H
#define FLASHMEM_HARNESS_MODEL_NATURAL_H

#include "harness/model/weights.h"
#include "operators/rearrange.h"

/* How weight w of the model is rearranged. False: it is not (a vector, or the table of a gather). */
bool natural_layout(const struct model *m, int w, struct natural *ret_n);

/* PATH.safetensors has PATH.natural.safetensors. -ENAMETOOLONG. */
int natural_path(const struct weights_file *f, char *ret_path, size_t size, struct err *err);

/* Write it, unless a good one, not older than its twin, is there. ret_written may be NULL. By way of
 * PATH.tmp. -ENOSPC and the like; -EINTR: stop() said so (NULL: never asked). */
int natural_write(const struct model *m, const struct weights_file *f, const char *path,
                  bool (*stop)(void), bool *ret_written, struct err *err);

#endif
