/* profiler/pinned.h - host memory that disks read into and devices copy from at full speed. */
#ifndef FLASHMEM_PROFILER_PINNED_H
#define FLASHMEM_PROFILER_PINNED_H

#include "profiler/device.h"

/* `bytes` of zeros on huge pages, and a read-only buffer over them. While a range is mapped, the
 * device copies from it without a copy in between (55 GB/s against 10 on an H100); huge pages
 * double the rate of O_DIRECT. OpenCL's own host memory is not page-aligned on PoCL, so the memory is ours
 * and the device is told to use it. -ENOMEM. */
int pinned_new(struct device *dev, uint64_t bytes, void **ret_host, cl_mem *ret_mem,
               struct err *err);
void pinned_free(void *host, cl_mem mem); /* NULL is fine */

/* The memory alone, every page of it there: nothing faults later. -ENOMEM. */
int pinned_pages(uint64_t bytes, void **ret_host, struct err *err); /* pinned_free(host, NULL) */

/* Do kernels use host memory in place, as images and as buffers: what the host has written is what
 * they read and the other way round, with no command in between? Tried, not believed: a kernel
 * reads and writes memory that the host changes under it, an image with a pitch of its own among
 * it. 0; -ENOTSUP: no, and err says what was seen; -EIO and the like: OpenCL failed. */
int pinned_shared(struct device *dev, struct err *err);

#endif
