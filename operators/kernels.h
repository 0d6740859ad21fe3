/* operators/kernels.h - the OpenCL sources of operators/kernels/, inside the program. */
#ifndef FLASHMEM_OPERATORS_KERNELS_H
#define FLASHMEM_OPERATORS_KERNELS_H

#include "profiler/embed.h"

extern const struct embedded_file kernel_files[];

#endif
