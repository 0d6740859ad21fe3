/* A management library as test_energy.c needs it: so many devices as FAKE_NVML_COUNT says, the
 * first takes 50 W by a counter that moves every 100 ms. Device 1 is at 0000:0A:00.0. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

int nvmlInit_v2(void);
int nvmlShutdown(void);
int nvmlDeviceGetCount_v2(unsigned *n);
int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **device);
int nvmlDeviceGetHandleByPciBusId_v2(const char *pci, void **device);
int nvmlDeviceGetTotalEnergyConsumption(void *device, unsigned long long *mj);
int nvmlDeviceGetMemoryInfo(void *device, unsigned long long *memory);
const char *nvmlErrorString(int code);

static int device[2];

int nvmlInit_v2(void)
{
    return getenv("FAKE_NVML_BROKEN") ? 9 : 0;
}

int nvmlShutdown(void)
{
    return 0;
}

int nvmlDeviceGetCount_v2(unsigned *n)
{
    *n = (unsigned)atoi(getenv("FAKE_NVML_COUNT"));
    return 0;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **ret)
{
    *ret = &device[i];
    return i < 2 ? 0 : 2;
}

int nvmlDeviceGetHandleByPciBusId_v2(const char *pci, void **ret)
{
    *ret = &device[1];
    return strcmp(pci, "00000000:0a:00.0") == 0 ? 0 : 6;
}

int nvmlDeviceGetTotalEnergyConsumption(void *which, unsigned long long *mj)
{
    struct timespec t;
    unsigned long long ms;

    clock_gettime(CLOCK_MONOTONIC, &t);
    ms = (unsigned long long)t.tv_sec * 1000 + (unsigned long long)t.tv_nsec / 1000000;
    *mj = which == &device[0] ? 50 * (ms / 100 * 100) : 7;
    return 0;
}

int nvmlDeviceGetMemoryInfo(void *which, unsigned long long *memory)
{
    (void)which;
    memory[0] = 1000;
    memory[1] = 300;
    memory[2] = 700;
    return 0;
}

const char *nvmlErrorString(int code)
{
    return code == 9 ? "Driver Not Loaded" : "Not Found";
}
