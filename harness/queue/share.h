/* harness/queue/share.h - one memory limit for several models: who may book when.
 *
 * An account is what one model's ledger answers to (struct mem_above). Accounts that have been promised
 * bytes get them at once, up to that; those without a promise (a model that reads ahead of its
 * turn) wait until what they ask for leaves room for every promise. So whoever has the turn never
 * waits for who has not. The sum of the promises must be within the limit: the caller's to see to. */
#ifndef FLASHMEM_HARNESS_QUEUE_SHARE_H
#define FLASHMEM_HARNESS_QUEUE_SHARE_H

#include <stdbool.h>

#include "profiler/memory.h"

struct share;

/* `limit_bytes` 0: no limit. */
int share_new(uint64_t limit_bytes, struct share **ret_s, struct err *err);
void share_free(struct share *s); /* NULL is fine; its accounts are freed before */

struct share_account;
/* `urgent`: it may use what share_set_aside() keeps. */
int share_open(struct share *s, bool urgent, struct share_account **ret_a, struct err *err);
void share_close(struct share_account *a); /* NULL is fine */
const struct mem_above *share_above(const struct share_account *a);

/* What the account will have at most from here on; UINT64_MAX: whatever its own ledger allows,
 * without waiting; 0: nothing is promised, it waits for room. */
void share_promise(struct share_account *a, uint64_t bytes);
/* Kept for urgent accounts, together, whether or not one is under way. */
void share_set_aside(struct share *s, uint64_t bytes);
/* The most that the account has had since it was last asked; counts anew from what it has. */
uint64_t share_take_peak(struct share_account *a);

/* Everybody who waits, and who will, gets -EINTR, until it is called with false. */
void share_cancel(struct share *s, bool on);

/* The ledger over all accounts: its limit, its timeline. */
struct mem *share_ledger(struct share *s);

#endif
