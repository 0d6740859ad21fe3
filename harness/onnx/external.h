/* harness/onnx/external.h - mapped files: the model, and its external data, which must lie in the
 * model's own folder, within its files, and not on top of each other. */
#ifndef FLASHMEM_HARNESS_ONNX_EXTERNAL_H
#define FLASHMEM_HARNESS_ONNX_EXTERNAL_H

#include "harness/onnx/arena.h"

struct mapped {
    char *path; /* as opened; NULL: nothing is mapped */
    const uint8_t *data;
    size_t size;
};
void mapped_open(struct arena *a, const char *path, struct mapped *ret_m);
void mapped_close(struct mapped *m); /* safe on a zeroed one */

struct external;

struct external *external_new(struct arena *a, const char *model_path);
void external_free(struct external *e); /* NULL is fine */

/* The bytes of one tensor; the texts are as in the file, offset and length may be NULL. Jumps. */
const void *external_map(struct external *e, const char *tensor, const char *location,
                         const char *offset, const char *length, uint64_t bytes);
/* Do any two tensors mapped so far overlap? Jumps. */
void external_check(struct external *e);

#endif
