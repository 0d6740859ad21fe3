/* Alternatives timed in turns; see bench.h. */
#include "tests/bench/bench.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "profiler/clock.h"

enum { BATCH_CPU_NS = 30000000, BATCH_GPU_NS = 5000000, TIMES_MAX = 2000 };

static void die(const char *what, const char *why)
{
    fprintf(stderr, "bench: %s: %s\n", what, why);
    exit(1);
}

void bench_open(struct bench *b, int argc, char **argv)
{
    struct err err = {0};

    *b = (struct bench){.rounds = 15};
    for (int i = 1; i + 1 < argc; i++) {
        if (strcmp(argv[i], "--rounds") == 0)
            b->rounds = atoi(argv[i + 1]) < 1 ? 1 : atoi(argv[i + 1]);
        if (strcmp(argv[i], "--clock") == 0)
            b->cpu_time = strcmp(argv[i + 1], "cpu") == 0;
    }
    if (device_open(getenv("FLASHMEM_DEVICE"), &b->dev, &err) < 0) {
        fprintf(stderr, "bench: %s\n", err.text);
        exit(77);
    }
    if (device_queue(b->dev, false, &b->queue, &err) < 0)
        die("queue", err.text);
}

void bench_close(struct bench *b)
{
    clReleaseCommandQueue(b->queue);
    device_close(b->dev);
}

/* ---- an operator as an alternative ---- */

struct op_side {
    struct bench *b;
    struct trial *trial;
    struct op_program *program;
    struct op_args args;
};

static void run_op(void *ctx, int times)
{
    struct op_side *s = ctx;
    struct err err = {0};

    for (int i = 0; i < times; i++)
        if (op_program_enqueue(s->program, s->b->queue, &s->args, NULL, &err) < 0)
            die("launch", err.text);
    clFinish(s->b->queue);
}

struct bench_side bench_op(struct bench *b, const char *name, const char *op_case,
                           const char *variant, bool verify)
{
    return bench_op_loaded(b, name, op_case, variant, 0, verify);
}

struct bench_side bench_op_loaded(struct bench *b, const char *name, const char *op_case,
                                  const char *variant, uint64_t load_bytes, bool verify)
{
    struct op_side *s = calloc(1, sizeof *s);
    struct trial_verdict verdict = {.ok = true};
    struct op_variant v = {0};
    struct op_case c = {0};
    struct err err = {0};

    if (!s)
        die(op_case, "out of memory");
    s->b = b;
    if (op_case_parse(op_case, &c, &err) < 0 ||
        op_variant_parse(&c, &b->dev->info, variant, &v, &err) < 0 ||
        trial_new(b->dev, b->queue, &c, v.path, load_bytes, 1, &s->trial, &err) < 0 ||
        op_program_new(b->dev, &c, &v, &s->program, &err) < 0 ||
        trial_bind(s->trial, s->program, load_bytes, &s->args, &err) < 0 ||
        (verify && trial_verify(s->trial, s->program, &s->args, &verdict, &err) < 0))
        die(op_case, err.text);
    if (!verdict.ok)
        die(op_case, verdict.text);
    return (struct bench_side){.name = name, .run = run_op, .ctx = s};
}

void bench_op_done(struct bench_side *side)
{
    struct op_side *s = side->ctx;

    op_program_free(s->program);
    trial_free(s->trial);
    free(s);
    side->ctx = NULL;
}

/* ---- turns ---- */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static uint64_t now_ns(const struct bench *b)
{
    struct timespec t;

    if (!b->cpu_time)
        return clock_ns();
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static double run_once(const struct bench *b, const struct bench_side *s, int times)
{
    uint64_t start = now_ns(b);

    s->run(s->ctx, times);
    return (double)(now_ns(b) - start) / times;
}

void bench_time(struct bench *b, struct bench_side *sides, int n)
{
    double batch_ns = b->dev->info.type == DEVICE_CPU ? BATCH_CPU_NS : BATCH_GPU_NS;
    double *ns = malloc((size_t)(n * b->rounds) * sizeof *ns);
    double *ratio = malloc((size_t)(n * b->rounds) * sizeof *ratio);
    int times[BENCH_SIDES];

    if (!ns || !ratio || n > BENCH_SIDES)
        die("bench_time", "out of memory");
    for (int i = 0; i < n; i++) {
        double once;

        sides[i].run(sides[i].ctx, 1); /* compiles, wakes threads */
        once = run_once(b, &sides[i], 2);
        times[i] = (int)fmin(TIMES_MAX, ceil(batch_ns / fmax(once, 1)));
    }
    for (int r = 0; r < b->rounds; r++)
        for (int j = 0; j < n; j++) {
            int i = r % 2 ? n - 1 - j : j;

            ns[i * b->rounds + r] = run_once(b, &sides[i], times[i]);
        }
    for (int r = 0; r < b->rounds; r++)
        for (int i = 0; i < n; i++)
            ratio[i * b->rounds + r] = ns[i * b->rounds + r] / ns[r];
    for (int i = 0; i < n; i++) {
        double *of = ns + i * b->rounds;

        qsort(of, (size_t)b->rounds, sizeof *of, compare);
        sides[i].median_ns = of[b->rounds / 2];
        sides[i].low_ns = of[b->rounds / 4];
        sides[i].high_ns = of[b->rounds * 3 / 4];
        of = ratio + i * b->rounds;
        qsort(of, (size_t)b->rounds, sizeof *of, compare);
        sides[i].ratio = of[b->rounds / 2];
    }
    free(ns);
    free(ratio);
}

void bench_head(const struct bench *b, const char *what)
{
    printf("# %s on %s (%s), medians of %d turns%s\n", what, b->dev->info.name,
           b->dev->info.platform, b->rounds, b->cpu_time ? " of CPU time" : "");
}

void bench_goal(const char *name, double value, double goal, const char *fmt, ...)
{
    char text[256];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (isnan(goal))
        printf("%-44s %7.2f                %s\n", name, value, text);
    else
        printf("%-44s %7.2f  goal %5.2f %s  %s\n", name, value, goal,
               value >= goal ? "    " : "MISS", text);
    fflush(stdout);
}
