#include "profiler/nvml.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of nvml.h (NVML API reference, R535), which is not needed to build. */
typedef void *nvml_handle;
struct nvml_memory {
    unsigned long long total, free, used;
};

struct nvml {
    void *library;
    bool initialised;
    nvml_handle device;
    int (*init)(void);
    int (*shutdown)(void);
    int (*count)(unsigned *);
    int (*by_index)(unsigned, nvml_handle *);
    int (*by_pci)(const char *, nvml_handle *);
    int (*energy)(nvml_handle, unsigned long long *);
    int (*memory)(nvml_handle, struct nvml_memory *);
    const char *(*error)(int);
};

/* dlsym() gives an object pointer; POSIX promises that it can be turned into a function's. */
static int find(struct nvml *n, const char *name, void *ret_function, struct err *err)
{
    *(void **)ret_function = dlsym(n->library, name);
    return *(void **)ret_function
               ? 0
               : err_set(err, -ENOSYS, "NVML: no '%s': the driver is too old", name);
}

static int find_all(struct nvml *n, struct err *err)
{
    const struct {
        const char *name;
        void *to;
    } f[] = {
        {"nvmlInit_v2", &n->init},
        {"nvmlShutdown", &n->shutdown},
        {"nvmlDeviceGetCount_v2", &n->count},
        {"nvmlDeviceGetHandleByIndex_v2", &n->by_index},
        {"nvmlDeviceGetHandleByPciBusId_v2", &n->by_pci},
        {"nvmlDeviceGetTotalEnergyConsumption", &n->energy},
        {"nvmlDeviceGetMemoryInfo", &n->memory},
        {"nvmlErrorString", &n->error},
    };
    int rc = 0;

    for (size_t i = 0; i < sizeof(f) / sizeof(f[0]) && rc == 0; i++)
        rc = find(n, f[i].name, f[i].to, err);
    return rc;
}

static int nvml_err(const struct nvml *n, int rc, int code, const char *what, struct err *err)
{
    return err_set(err, code, "NVML: %s: %s", what, n->error(rc));
}

/* Only where there are several must it be known which one; their order differs from OpenCL's. */
static int find_device(struct nvml *n, const struct device *dev, struct err *err)
{
    enum { BUS = 0x4008, SLOT = 0x4009, DOMAIN = 0x400A }; /* CL_DEVICE_PCI_*_ID_NV */
    cl_uint bus, slot, domain = 0;
    unsigned count = 0;
    char pci[32];
    int rc = n->count(&count);

    if (rc != 0)
        return nvml_err(n, rc, -EIO, "counting devices", err);
    if (count == 1) {
        rc = n->by_index(0, &n->device);
        return rc ? nvml_err(n, rc, -ENODEV, "the device", err) : 0;
    }
    if (clGetDeviceInfo(dev->id, BUS, sizeof(bus), &bus, NULL) != CL_SUCCESS ||
        clGetDeviceInfo(dev->id, SLOT, sizeof(slot), &slot, NULL) != CL_SUCCESS)
        return err_set(err, -ENODEV, "NVML: which of %u devices '%s' is, its driver does not say",
                       count, dev->info.name);
    clGetDeviceInfo(dev->id, DOMAIN, sizeof(domain), &domain, NULL);
    snprintf(pci, sizeof(pci), "%08x:%02x:%02x.0", domain, bus, slot);
    rc = n->by_pci(pci, &n->device);
    return rc ? nvml_err(n, rc, -ENODEV, pci, err) : 0;
}

bool nvml_knows(const struct device *dev)
{
    return strcasestr(dev->info.platform, "nvidia") && dev->info.type == DEVICE_GPU;
}

int nvml_open(const struct device *dev, const char *library, struct nvml **ret_nvml,
              struct err *err)
{
    struct nvml *n = calloc(1, sizeof(*n));
    int rc;

    if (!n)
        return err_set(err, -ENOMEM, "out of memory for NVML");
    n->library = dlopen(library ? library : "libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
    rc = n->library ? find_all(n, err) : err_set(err, -ENOENT, "NVML: %s", dlerror());
    if (rc == 0) {
        int code = n->init();

        n->initialised = code == 0;
        rc = code ? nvml_err(n, code, -EIO, "initialising", err) : find_device(n, dev, err);
    }
    if (rc < 0)
        nvml_close(n);
    else
        *ret_nvml = n;
    return rc;
}

void nvml_close(struct nvml *n)
{
    if (!n)
        return;
    if (n->initialised)
        n->shutdown();
    if (n->library)
        dlclose(n->library);
    free(n);
}

int nvml_energy_mj(const struct nvml *n, uint64_t *ret_mj, struct err *err)
{
    unsigned long long mj = 0;
    int rc = n->energy(n->device, &mj);

    if (rc != 0)
        return nvml_err(n, rc, -EIO, "energy", err);
    *ret_mj = mj;
    return 0;
}

int nvml_used_bytes(const struct nvml *n, uint64_t *ret_bytes, struct err *err)
{
    struct nvml_memory m = {0};
    int rc = n->memory(n->device, &m);

    if (rc != 0)
        return nvml_err(n, rc, -EIO, "memory", err);
    *ret_bytes = m.used;
    return 0;
}
