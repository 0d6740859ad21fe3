/* operators/reference.c - see reference.h. */
#include "operators/trial/reference.h"

#include <pthread.h>
#include <unistd.h>

enum { THREADS_MAX = 64 };
/* Less than this is done before a thread is started. */
static const double macs_worth_a_thread = 4e6;

struct share {
    const struct op_case *c;
    const double *const *in;
    double *out;
    int64_t from, to;
    reference_rows body;
};

static void *run_share(void *ctx)
{
    const struct share *s = ctx;

    s->body(s->c, s->in, s->out, s->from, s->to);
    return NULL;
}

static int thread_count(const struct op_case *c, int64_t rows)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    double macs = 0, ops = 0;

    c->op->cost(c, &macs, &ops);
    if (n > THREADS_MAX)
        n = THREADS_MAX;
    if ((double)n > macs / macs_worth_a_thread)
        n = (long)(macs / macs_worth_a_thread);
    if (n > rows)
        n = (long)rows;
    return n < 1 ? 1 : (int)n;
}

void reference_run(const struct op_case *c, const double *const *in, double *out, int64_t rows,
                   reference_rows body)
{
    struct share share[THREADS_MAX];
    pthread_t thread[THREADS_MAX];
    bool started[THREADS_MAX] = {false};
    int n = thread_count(c, rows);

    for (int i = 0; i < n; i++)
        share[i] = (struct share){c, in, out, rows * i / n, rows * (i + 1) / n, body};
    for (int i = 1; i < n; i++)
        started[i] = pthread_create(&thread[i], NULL, run_share, &share[i]) == 0;
    for (int i = 0; i < n; i++)
        if (!started[i])
            run_share(&share[i]); /* the first is this thread's, and what could not be started */
    for (int i = 1; i < n; i++)
        if (started[i])
            pthread_join(thread[i], NULL);
}
