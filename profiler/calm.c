#include "profiler/calm.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "profiler/clock.h"
#include "profiler/stats.h"

#define UNDISTURBED 0.9 /* quantile */
#define SHARE_NS    100000000

double calm_cores(const double *cores, int n)
{
    return stats_quantile(cores, n, UNDISTURBED);
}

int calm_pairs(double *const cores[2], int sides, int n, bool *ret_aside)
{
    int calm = 0;

    memset(ret_aside, 0, (size_t)n * sizeof(*ret_aside));
    for (int s = 0; s < sides && cores[s]; s++) {
        double least = CALM_SHARE * calm_cores(cores[s], n);

        for (int i = 0; i < n; i++)
            ret_aside[i] = ret_aside[i] || cores[s][i] < least;
    }
    for (int i = 0; i < n; i++)
        calm += !ret_aside[i];
    return calm;
}

/* The first line of /proc/stat: "cpu" and ticks of user, nice, system, idle, iowait, ... */
static uint64_t idle_ns(void)
{
    unsigned long long idle, wait;
    FILE *f = fopen("/proc/stat", "re");
    int n = f ? fscanf(f, "cpu %*u %*u %*u %llu %llu", &idle, &wait) : 0;

    if (f)
        fclose(f);
    return n == 2 ? (idle + wait) * (1000000000u / (uint64_t)sysconf(_SC_CLK_TCK)) : UINT64_MAX;
}

struct crowd crowd_begin(void)
{
    return (struct crowd){clock_ns(), cpu_ns(), idle_ns(), (int)sysconf(_SC_NPROCESSORS_ONLN)};
}

double crowd_share(const struct crowd *since)
{
    struct crowd now = crowd_begin();
    double all = (double)(now.wall_ns - since->wall_ns) * now.cpus, others;

    if (since->idle_ns == UINT64_MAX || now.idle_ns == UINT64_MAX ||
        now.wall_ns - since->wall_ns < SHARE_NS)
        return NAN;
    others = all - (double)(now.cpu_ns - since->cpu_ns) - (double)(now.idle_ns - since->idle_ns);
    return fmin(fmax(others / all, 0), 1);
}
