#include "harness/queue/share.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

struct share {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t limit_bytes, set_aside_bytes;
    struct mem *ledger;
    struct share_account *account; /* a list */
    bool cancelled;
};

struct share_account {
    struct share *s;
    struct share_account *next;
    struct mem_above above;
    uint64_t live_bytes, peak_bytes, promised_bytes;
    bool urgent;
};

/* Bytes that others have been promised and do not have yet. The lock is held. */
static uint64_t kept_from(const struct share_account *a)
{
    uint64_t kept = 0, urgent = 0;

    for (const struct share_account *b = a->s->account; b; b = b->next) {
        if (b->urgent)
            urgent += b->live_bytes;
        if (b != a && b->promised_bytes != UINT64_MAX && b->promised_bytes > b->live_bytes)
            kept += b->promised_bytes - b->live_bytes;
    }
    if (!a->urgent && a->s->set_aside_bytes > urgent)
        kept += a->s->set_aside_bytes - urgent;
    return kept;
}

static bool fits(const struct share_account *a, uint64_t bytes)
{
    uint64_t limit = a->s->limit_bytes, live = mem_live(a->s->ledger), kept = kept_from(a);

    return limit == 0 || (live <= limit && kept <= limit - live && bytes <= limit - live - kept);
}

static int charge(void *ctx, enum mem_kind kind, uint64_t bytes, const char *what, struct err *err)
{
    struct share_account *a = ctx;
    struct share *s = a->s;
    int rc;

    pthread_mutex_lock(&s->lock);
    while (a->promised_bytes == 0 && !s->cancelled && !fits(a, bytes))
        pthread_cond_wait(&s->changed, &s->lock);
    rc = s->cancelled ? err_set(err, -EINTR, "interrupted while '%s' waited for memory", what)
                      : mem_charge(s->ledger, kind, bytes, what, err);
    if (rc == 0) {
        a->live_bytes += bytes;
        if (a->live_bytes > a->peak_bytes)
            a->peak_bytes = a->live_bytes;
    }
    pthread_mutex_unlock(&s->lock);
    return rc;
}

static void release(void *ctx, enum mem_kind kind, uint64_t bytes)
{
    struct share_account *a = ctx;

    pthread_mutex_lock(&a->s->lock);
    mem_release(a->s->ledger, kind, bytes);
    a->live_bytes -= bytes;
    pthread_cond_broadcast(&a->s->changed);
    pthread_mutex_unlock(&a->s->lock);
}

int share_new(uint64_t limit_bytes, struct share **ret_s, struct err *err)
{
    struct share *s = calloc(1, sizeof(*s));
    int rc = s ? mem_new(limit_bytes, &s->ledger, err) : err_set(err, -ENOMEM, "out of memory");

    if (rc < 0) {
        free(s);
        return rc;
    }
    s->limit_bytes = limit_bytes;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    *ret_s = s;
    return 0;
}

void share_free(struct share *s)
{
    if (!s)
        return;
    mem_free(s->ledger);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

int share_open(struct share *s, bool urgent, struct share_account **ret_a, struct err *err)
{
    struct share_account *a = calloc(1, sizeof(*a));

    if (!a)
        return err_set(err, -ENOMEM, "out of memory");
    *a = (struct share_account){.s = s, .above = {charge, release, a}, .urgent = urgent};
    pthread_mutex_lock(&s->lock);
    a->next = s->account;
    s->account = a;
    pthread_mutex_unlock(&s->lock);
    *ret_a = a;
    return 0;
}

void share_close(struct share_account *a)
{
    struct share_account **at;

    if (!a)
        return;
    pthread_mutex_lock(&a->s->lock);
    for (at = &a->s->account; *at != a;)
        at = &(*at)->next;
    *at = a->next;
    pthread_mutex_unlock(&a->s->lock);
    free(a);
}

const struct mem_above *share_above(const struct share_account *a)
{
    return &a->above;
}

void share_promise(struct share_account *a, uint64_t bytes)
{
    pthread_mutex_lock(&a->s->lock);
    a->promised_bytes = bytes;
    pthread_cond_broadcast(&a->s->changed);
    pthread_mutex_unlock(&a->s->lock);
}

void share_set_aside(struct share *s, uint64_t bytes)
{
    pthread_mutex_lock(&s->lock);
    s->set_aside_bytes = bytes;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

uint64_t share_take_peak(struct share_account *a)
{
    uint64_t peak;

    pthread_mutex_lock(&a->s->lock);
    peak = a->peak_bytes;
    a->peak_bytes = a->live_bytes;
    pthread_mutex_unlock(&a->s->lock);
    return peak;
}

void share_cancel(struct share *s, bool on)
{
    pthread_mutex_lock(&s->lock);
    s->cancelled = on;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

struct mem *share_ledger(struct share *s)
{
    return s->ledger;
}
