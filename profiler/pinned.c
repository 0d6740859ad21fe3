#include "profiler/pinned.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE_PAGE (UINT64_C(2) << 20)

int pinned_new(struct device *dev, uint64_t bytes, void **ret_host, cl_mem *ret_mem,
               struct err *err)
{
    void *host;
    cl_mem mem;
    cl_int code;

    if (posix_memalign(&host, HUGE_PAGE, bytes) != 0)
        return err_set(err, -ENOMEM, "cannot allocate %" PRIu64 " bytes of host memory", bytes);
    madvise(host, bytes, MADV_HUGEPAGE);
    memset(host, 0, bytes);
    mem = clCreateBuffer(dev->context, CL_MEM_READ_ONLY | CL_MEM_USE_HOST_PTR, bytes, host, &code);
    if (!mem) {
        free(host);
        return cl_err(err, code, "buffer over %" PRIu64 " bytes of host memory", bytes);
    }
    *ret_host = host;
    *ret_mem = mem;
    return 0;
}

void pinned_free(void *host, cl_mem mem)
{
    if (mem)
        clReleaseMemObject(mem);
    free(host);
}
