/* tests/planned.h - launches that take planned times, on a clock of their own that they move: every
 * duration is exact on a busy machine too. To that end planned.c compiles launch.c, measure.c and
 * pairs.c into itself. */
#ifndef FLASHMEM_TESTS_PLANNED_H
#define FLASHMEM_TESTS_PLANNED_H

#include "profiler/measure.h"

#define MS        1000000u
#define CALLS_MAX 65536

/* What the events of planned launches say. */
enum stamps { NONE, GOOD, REVERSED, HALF, DOUBLE, COARSE, REVERSED_LATER };

/* Launches that take planned times. */
struct planned {
    uint64_t base_ns[2];
    double drift; /* each call takes this much longer than the one before, as a fraction of base */
    bool coin;    /* each launch takes either base or three times as long */
    int fail_at;  /* call that fails; -1: none */
    enum stamps stamps;
    uint64_t overhead_ns; /* of each wait, seen by the host alone */
    int robbed_every;     /* of so many launches the last has one core, and takes longer; 0: none */
    bool narrow;          /* no launch uses more than one core */
    double others;        /* share of the machine that other processes take */
    int slow_from, slow_to; /* after so many calls the machine is slow, and again fast */
    uint64_t slow_ns;       /* at most so long */
    int calls;
    signed char side[CALLS_MAX];
};

/* Checked fixture: a device, and a measurer that runs on the real clock but in plan_measure(). */
extern struct device *dev;
extern struct measurer *m;
void setup(void);
void teardown(void);

/* measure() of what is planned, and where that must work. */
int plan_measure(struct planned *p, int sides, const struct measure_options *opt,
                 struct measure_result *ret_r, struct err *err);
struct measure_result planned_result(struct planned *p, int sides,
                                     const struct measure_options *opt);
extern uint64_t plan_slept_ns; /* in the last of them */
int plan_in_vain(void);        /* samples in a row that waited for a fast machine in vain */

/* Hot, and content with anything: exactly `repeats`. */
struct measure_options exactly(int repeats);

#endif
