/* profiler/energy.h - joules that a device takes, where the machine tells: NVML on NVIDIA, RAPL
 * through powercap where the processor computes, a battery's current and voltage where the battery
 * feeds all. Elsewhere there is a reason, never an estimate. */
#ifndef FLASHMEM_PROFILER_ENERGY_H
#define FLASHMEM_PROFILER_ENERGY_H

#include <stdint.h>

#include "profiler/device.h"

struct energy;

struct energy_options { /* for tests; NULL or zeros: this machine's */
    const char *sys;    /* in place of /sys */
    const char *nvml;   /* in place of libnvidia-ml.so.1 */
    uint64_t period_ns; /* between samples of a battery; 0: 100 ms */
};

/* Looks for a source of the device's energy; finding none is no failure. -ENOMEM. */
int energy_open(const struct device *dev, const struct energy_options *opt,
                struct energy **ret_energy, struct err *err);
void energy_close(struct energy *e); /* NULL is fine */

const char *energy_source(const struct energy *e); /* "nvml", "rapl", "battery"; NULL: none */
const char *energy_reason(const struct energy *e); /* why there is none; "" if there is */

/* Shorter than this, a measurement is not resolved: twenty steps of the source, so that the ends,
 * each off by a step at most, are off by less than a tenth of it. Repeat what is measured. */
uint64_t energy_least_ns(const struct energy *e);

/* What is taken from begin() to end(), everything that the source feeds included: idle power too,
 * and of a battery the screen. -EAGAIN: shorter than energy_least_ns(), or the counter did not move;
 * -ENODEV: no source; -EIO: it failed in between. ret_j is untouched on failure. */
int energy_begin(struct energy *e, struct err *err);
int energy_end(struct energy *e, double *ret_j, struct err *err);

#endif
