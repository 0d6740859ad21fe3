/* harness/onnx/onnx_read.h - an ONNX file to a graph; nothing in it is believed. */
#ifndef FLASHMEM_HARNESS_ONNX_ONNX_READ_H
#define FLASHMEM_HARNESS_ONNX_ONNX_READ_H

#include "harness/onnx/ir.h"

struct onnx; /* the open file and what it maps; constants of the graph point into it */

/* Reads `path` into g (whose arena is set; jumps on errors). *ret_file is set as soon as there is
 * something to close, so that whoever lands can close it. */
void onnx_read(const char *path, struct ir *g, struct onnx **ret_file);
void onnx_close(struct onnx *o); /* NULL is fine */

#endif
