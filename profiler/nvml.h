/* profiler/nvml.h - what NVIDIA's management library tells of a device: energy, memory in use. It
 * comes with the driver and is loaded at run time; nothing else is needed to build. */
#ifndef FLASHMEM_PROFILER_NVML_H
#define FLASHMEM_PROFILER_NVML_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/device.h"

struct nvml;

/* Is it of the kind that NVML knows? */
bool nvml_knows(const struct device *dev);

/* `library` NULL: libnvidia-ml.so.1. -ENOENT: no such library; -ENOSYS: it lacks a function;
 * -ENODEV: it does not know the device, or not which of several it is; -EIO; -ENOMEM. */
int nvml_open(const struct device *dev, const char *library, struct nvml **ret_nvml,
              struct err *err);
void nvml_close(struct nvml *nvml); /* NULL is fine */

/* mJ since the driver was loaded. It moves every 100 ms. -EIO. */
int nvml_energy_mj(const struct nvml *nvml, uint64_t *ret_mj, struct err *err);
/* Bytes of the device's memory in use by all processes, the driver's own included. -EIO. */
int nvml_used_bytes(const struct nvml *nvml, uint64_t *ret_bytes, struct err *err);

#endif
