/* operators/kernels.h - the OpenCL sources, embedded at build time by embed.sh. */
#ifndef FLASHMEM_OPERATORS_KERNELS_H
#define FLASHMEM_OPERATORS_KERNELS_H

#include <stddef.h>

struct kernel_file {
    const char *name;          /* "matmul_direct.cl" */
    const unsigned char *text; /* length bytes, not terminated */
    size_t length;
};
extern const struct kernel_file kernel_files[]; /* ended by a NULL name */

#endif
