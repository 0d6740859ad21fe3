/* tests/predict_law.h - synthetic samples of a known law, written into a store as a sweep would.
 *
 * The law: a launch takes 20 us, plus its arithmetic at 12 Gflop/s, plus its bytes at 5 GB/s;
 * q = carried bytes / (4 GB/s * that time) is how much of the time the load alone would take; the
 * slowdown is 1 + 0.05 q + max(0, q - hidden), with all of a matmul's time able to hide load
 * (hidden = 1) and a tenth of an element-wise kernel's. Noise: 1 % of the time and of the slowdown
 * (a standard deviation). */
#ifndef FLASHMEM_TESTS_PREDICT_LAW_H
#define FLASHMEM_TESTS_PREDICT_LAW_H

#include "harness/predict/predict.h"

extern const struct device_info dev;

double law_ns(const struct op_case *c);
double law_slowdown(const struct op_case *c, double bytes);
/* Bytes at which the law reaches 1 + allowed (above the kink: 0.05 hidden < allowed). */
double law_capacity(const struct op_case *c, double allowed);

/* A store with a sweep in it. */
struct bench {
    char dir[32];
    struct store *st;
    int64_t device_id, session_id;
    uint64_t rng;
    double max_slowdown; /* the sweep of a shape stops after the first ratio above this */
    double noise;
};

void bench_open(struct bench *b);
void bench_close(struct bench *b);
void exec(struct bench *b, const char *sql);
double number(struct bench *b, const char *sql);

struct op_case parse(const char *text);
struct op_variant variant(const struct op_case *c, enum op_form form);
/* One sample: ns is the measured time of the loaded side (or of the only one). */
void put(struct bench *b, const struct op_case *c, enum op_form form, uint64_t load_bytes,
         const char *status, const char *cache, double ns, double base_ns, double slowdown);

/* log-uniform in [low, high] */
int draw(struct bench *b, double low, double high);
void draw_matmul(struct bench *b, char text[OP_TEXT_MAX]);
void draw_rows(struct bench *b, const char *op, char text[OP_TEXT_MAX]);
void sweep(struct bench *b, int matmuls, int relus, int softmaxes);

/* Training, of which `notes` has what was said; one thread, so that it can be repeated. */
enum { NOTES_BYTES = 4096 };
extern char notes[NOTES_BYTES];
struct predict_train_options options(void);
int train(struct bench *b);
struct predictor *load(struct bench *b);

#endif
