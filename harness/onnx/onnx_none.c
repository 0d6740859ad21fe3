/* harness/onnx/onnx_none.c - in place of onnx_read.c where protobuf-c or onnx.proto is missing.
 */
#include <errno.h>

#include "harness/onnx/onnx_read.h"

void onnx_read(const char *path, struct ir *g, struct onnx **ret_file)
{
    (void)ret_file;
    arena_fail(g->a, -ENOTSUP,
               "cannot read '%s': this flashmem was built without ONNX; install libonnx-dev, "
               "libprotobuf-c-dev and protobuf-c-compiler, then meson setup -Donnx=enabled",
               path);
}

void onnx_close(struct onnx *o)
{
    (void)o;
}
