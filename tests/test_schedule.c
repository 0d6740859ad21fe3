/* Schedules of made-up plans: every byte once, in order, nothing wraps. No device. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "harness/schedule/parts.h"
#include "harness/schedule/placement.h"
#include "harness/schedule/schedule.h"
#include "profiler/rng.h"
#include "tests/suite.h"

#define CHUNK UINT64_C(65536)
#define MAX_WEIGHTS 8
#define LAYERS 12

/* A model of matrices alone: what schedule_make() looks at. */
struct fixture {
    struct model m;
    struct weight weight[MAX_WEIGHTS];
    struct layer layer[LAYERS];
    struct plan_weight pw[MAX_WEIGHTS];
    struct plan_layer pl[LAYERS];
    int index[MAX_WEIGHTS];
    uint64_t offset[MAX_WEIGHTS];
    struct weights_file file;
    struct model_problem mp;
    bool preload[MAX_WEIGHTS];
    int load_layer[MAX_WEIGHTS];
    struct plan_move move[MAX_WEIGHTS * LAYERS];
    struct plan plan;
};

/* Random sizes, random spread of chunks over the layers before each consumer. */
static void fill(struct fixture *f, uint64_t seed)
{
    uint64_t at = 4096;

    memset(f, 0, sizeof(*f));
    for (int w = 0; w < MAX_WEIGHTS; w++) {
        int64_t rows = 1 + (int64_t)rng_below(&seed, 700);

        f->weight[w].name = "w";
        f->weight[w].desc = (struct tensor_desc){.rows = rows, .cols = 301, .dtype = DTYPE_F32};
        f->pw[w] = (struct plan_weight){.name = "w", .consumer = 2 + (int)rng_below(&seed, LAYERS - 1),
                                        .bytes = tensor_bytes(&f->weight[w].desc)};
        f->pw[w].chunks = (int)((f->pw[w].bytes + CHUNK - 1) / CHUNK);
        f->index[w] = w;
        f->offset[w] = at;
        at += (f->pw[w].bytes + 4095) / 4096 * 4096;
        f->preload[w] = rng_below(&seed, 4) == 0;
    }
    for (int l = 1; l <= LAYERS; l++)
        for (int w = 0; w < MAX_WEIGHTS; w++) {
            int left = f->pw[w].chunks, n;

            for (int i = 0; i < f->plan.n_moves; i++)
                left -= f->move[i].weight == w ? f->move[i].chunks : 0;
            if (f->preload[w] || l >= f->pw[w].consumer || left == 0)
                continue;
            n = l == f->pw[w].consumer - 1 ? left : (int)rng_below(&seed, (uint64_t)left + 1);
            if (n == 0)
                continue;
            if (!f->load_layer[w])
                f->load_layer[w] = l;
            f->move[f->plan.n_moves++] = (struct plan_move){w, l, n};
        }
    f->m = (struct model){.n_layers = LAYERS, .n_weights = MAX_WEIGHTS, .layer = f->layer,
                          .weight = f->weight, .dtype = DTYPE_F32};
    f->file = (struct weights_file){.offset_bytes = f->offset};
    f->mp = (struct model_problem){
        .problem = {.n_layers = LAYERS, .n_weights = MAX_WEIGHTS, .layer = f->pl, .weight = f->pw,
                    .chunk_bytes = CHUNK},
        .weight = f->pw,
        .weight_index = f->index,
    };
    f->plan.preload = f->preload;
    f->plan.load_layer = f->load_layer;
    f->plan.move = f->move;
}

static void check_item(const struct fixture *f, const struct schedule *s, int i, uint64_t *seen)
{
    const struct item *it = &s->item[i];
    uint64_t at = it->ring_pos % s->ring_bytes;

    ck_assert_uint_eq(it->weight_byte, seen[it->weight]); /* in order, no gap */
    ck_assert_uint_eq(it->file_byte, f->offset[it->weight] + it->weight_byte);
    ck_assert_uint_eq(it->file_byte % READ_ALIGN, 0);
    ck_assert_uint_eq(it->read_bytes % READ_ALIGN, 0);
    ck_assert_uint_ge(it->read_bytes, it->bytes);
    ck_assert_uint_lt(it->read_bytes - it->bytes, READ_ALIGN);
    ck_assert_uint_le(at + it->read_bytes, s->ring_bytes); /* does not wrap */
    ck_assert_uint_le(it->read_bytes, s->ring_bytes / 32); /* a small ring */
    if (i > 0)
        ck_assert_uint_ge(it->ring_pos, s->item[i - 1].ring_pos + s->item[i - 1].read_bytes);
    seen[it->weight] += it->bytes;
}

START_TEST(every_byte_once)
{
    static struct fixture f;
    struct schedule s = {0};
    uint64_t seen[MAX_WEIGHTS] = {0};
    struct err err = {0};

    fill(&f, (uint64_t)_i);
    ck_assert_msg(schedule_make(&f.m, &f.mp, &f.plan, &f.file, 4 * CHUNK + 4096 * (uint64_t)(_i % 5),
                                &s, &err) == 0,
                  "%s", err.text);
    for (int i = 0; i < s.n_items; i++)
        check_item(&f, &s, i, seen);
    for (int w = 0; w < MAX_WEIGHTS; w++)
        ck_assert_uint_eq(seen[w], f.pw[w].bytes);
    /* Layers own their items, and moved what the plan says, to the rounding of the last chunk. */
    for (int l = 1; l <= LAYERS; l++) {
        uint64_t planned = 0, moved = 0;

        for (int i = s.first_of_layer[l]; i < s.first_of_layer[l + 1]; i++) {
            ck_assert_int_eq(s.item[i].layer, l);
            moved += s.item[i].bytes;
        }
        for (int k = 0; k < f.plan.n_moves; k++)
            planned += f.move[k].layer == l ? (uint64_t)f.move[k].chunks * CHUNK : 0;
        ck_assert_uint_le(moved, planned);
        ck_assert_uint_gt(moved + MAX_WEIGHTS * CHUNK, planned);
    }
    schedule_done(&s);
}
END_TEST

START_TEST(ring_too_small)
{
    static struct fixture f;
    struct schedule s = {0};
    struct err err = {0};

    fill(&f, 1);
    ck_assert_int_eq(schedule_make(&f.m, &f.mp, &f.plan, &f.file, CHUNK, &s, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "262144"));
    ck_assert_ptr_null(s.item);
}
END_TEST

/* ---- the direct form ---- */

enum { MANY = 60 };

/* Weights in order of need, some of them needed again much later. */
static int random_arrivals(uint64_t *seed, struct arrival *a)
{
    int n = 1 + (int)rng_below(seed, MANY), need = 1;

    for (int i = 0; i < n; i++) {
        need += (int)rng_below(seed, 3);
        a[i] = (struct arrival){1 + rng_below(seed, 40 * PLACE_ALIGN), need, need};
        if (rng_below(seed, 10) == 0)
            a[i].last += (int)rng_below(seed, 20);
    }
    return n;
}

static bool overlap(uint64_t a, uint64_t a_bytes, uint64_t b, uint64_t b_bytes)
{
    return a < b + b_bytes && b < a + a_bytes;
}

enum { BEHIND = 5 };

/* Of some seeds, stretches behind the space that others leave one by one. */
static uint64_t random_spare(uint64_t *seed, struct spare *spare)
{
    uint64_t at = 0;

    for (spare->n = 0; spare->n < BEHIND && *seed % 2; spare->n++) {
        spare->s[spare->n].from = at;
        at += (1 + rng_below(seed, 20)) * PLACE_ALIGN;
        spare->s[spare->n].to = at;
        spare->s[spare->n].free_after = (int)rng_below(seed, 30);
    }
    return at;
}

/* Played by layers: nothing lies on what is still needed, nothing is late, nothing sticks out. */
START_TEST(arrivals_have_room)
{
    static struct arrival a[MANY];
    struct stretch stretch[BEHIND];
    struct spare spare = {stretch, 0};
    uint64_t seed = (uint64_t)_i, at[MANY], least, all = 0, space, behind;
    int n, after[MANY], stuck = -1;

    behind = random_spare(&seed, &spare);
    n = random_arrivals(&seed, a);
    least = place_least(a, n, &spare);
    for (int i = 0; i < n; i++)
        all += (a[i].bytes + PLACE_ALIGN - 1) / PLACE_ALIGN * PLACE_ALIGN;
    ck_assert_uint_le(least, all);
    space = least + rng_below(&seed, all - least + 1) / PLACE_ALIGN * PLACE_ALIGN;
    if (place_arrivals(a, n, space, &spare, at, after, &stuck) == -ENOSPC) {
        ck_assert(stuck >= 0 && stuck < n); /* more room may be less: then the least still works */
        space = least;
    }
    ck_assert_int_eq(place_arrivals(a, n, space, &spare, at, after, &stuck), 0);
    for (int i = 0; i < n; i++) {
        ck_assert_uint_le(at[i] + a[i].bytes, space + behind);
        ck_assert_uint_eq(at[i] % PLACE_ALIGN, 0);
        ck_assert_int_lt(after[i], a[i].need);
        ck_assert_int_ge(after[i], i ? after[i - 1] : 0);
        for (int k = 0; k < i; k++)
            ck_assert(!overlap(at[i], a[i].bytes, at[k], a[k].bytes) || after[i] >= a[k].last);
        for (int k = 0; k < spare.n; k++)
            ck_assert(!overlap(at[i], a[i].bytes, space + stretch[k].from,
                               stretch[k].to - stretch[k].from) ||
                      after[i] >= stretch[k].free_after);
    }
    /* What a layer needs at once has no place in less. */
    for (int l = 1; l <= a[n - 1].need; l++) {
        uint64_t sum = 0;

        for (int i = 0; i < n; i++)
            sum += a[i].need <= l && a[i].last >= l ? a[i].bytes : 0;
        ck_assert_uint_ge(least + behind, sum);
        if (sum > PLACE_ALIGN + behind)
            ck_assert_int_eq(place_arrivals(a, n, sum - PLACE_ALIGN - behind, &spare, at, after,
                                            &stuck),
                             -ENOSPC);
    }
}
END_TEST

START_TEST(stays_do_not_meet)
{
    uint64_t seed = (uint64_t)_i + 1000, at[MANY], space, most = 0, all = 0;
    struct stay s[MANY];
    struct spare last;
    int n = 1 + (int)rng_below(&seed, MANY);

    for (int i = 0; i < n; i++) {
        s[i] = (struct stay){rng_below(&seed, 30 * PLACE_ALIGN), (int)rng_below(&seed, 40), 0};
        s[i].to = s[i].from + (int)rng_below(&seed, 8);
        all += s[i].bytes + PLACE_ALIGN;
    }
    space = place_stays(s, n, at);
    for (int i = 0; i < n; i++) {
        ck_assert_uint_le(at[i] + s[i].bytes, space);
        for (int k = 0; k < i; k++)
            ck_assert(s[i].from > s[k].to || s[k].from > s[i].to ||
                      !overlap(at[i], s[i].bytes, at[k], s[k].bytes));
    }
    for (int l = 0; l < 48; l++) {
        uint64_t sum = 0;

        for (int i = 0; i < n; i++)
            sum += s[i].from <= l && l <= s[i].to ? s[i].bytes : 0;
        most = sum > most ? sum : most;
    }
    ck_assert_uint_ge(space, most);
    ck_assert_uint_le(space, all);
    /* page by page: who lies there last */
    ck_assert_int_eq(place_last_stays(s, n, at, space, &last), 0);
    for (uint64_t page = 0; page < space; page += PLACE_ALIGN) {
        int to = 0, found = -1;

        for (int i = 0; i < n; i++)
            if (overlap(at[i], s[i].bytes, page, PLACE_ALIGN) && s[i].to > to)
                to = s[i].to;
        for (int k = 0; k < last.n; k++)
            if (last.s[k].from <= page && page < last.s[k].to) {
                ck_assert_int_eq(found, -1);
                found = last.s[k].free_after;
            }
        ck_assert_int_eq(found, to);
    }
    ck_assert(last.n == 0 || last.s[last.n - 1].to == space);
    free(last.s);
}
END_TEST

/* Each part of item i that lies in a stretch behind the space waits for that to be left. */
static void check_parts(const struct schedule *s, int i, const struct stretch *t)
{
    struct read_part part[64];
    int n = parts_cut(s, i, NULL);

    ck_assert_int_le(n, 64);
    parts_cut(s, i, part);
    for (int k = 0; k < n; k++)
        if (overlap(s->item[i].place + part[k].byte, part[k].bytes, s->place_bytes + t->from,
                    t->to - t->from))
            ck_assert_int_ge(part[k].after, t->free_after);
    ck_assert_int_ge(s->item[i].after, t->free_after);
}

/* Random plans under random limits: within the limit, or refused with a limit that works. */
START_TEST(direct_within_limit)
{
    static struct fixture f;
    const uint64_t reserve = 123456;
    struct schedule s = {0};
    struct err err = {0};
    uint64_t all = 0, limit, seed = (uint64_t)_i, read = 0, behind;
    struct stretch stretch[BEHIND];
    struct spare spare = {stretch, 0};
    int rc;

    fill(&f, (uint64_t)_i);
    for (int w = 0; w < MAX_WEIGHTS; w++) {
        f.pw[w].last_use = f.pw[w].consumer;
        all += f.pw[w].bytes;
    }
    behind = random_spare(&seed, &spare);
    limit = reserve + rng_below(&seed, all + all / 4);
    rc = schedule_direct(&f.m, &f.mp, &f.plan, &f.file, PATH_BUFFER, limit, reserve, &spare,
                         &s, &err);
    if (rc == -ENOSPC) {
        const char *least = strstr(err.text, "works is ");

        ck_assert_msg(least != NULL, "%s", err.text);
        ck_assert_uint_gt(strtoull(least + 9, NULL, 10), limit);
        limit = strtoull(least + 9, NULL, 10);
        rc = schedule_direct(&f.m, &f.mp, &f.plan, &f.file, PATH_BUFFER, limit, reserve, &spare,
                         &s, &err);
    }
    ck_assert_msg(rc == 0, "%s", err.text);
    ck_assert_uint_le(s.place_bytes + reserve, limit);
    ck_assert_int_eq(s.n_items, MAX_WEIGHTS);
    for (int i = 0; i < s.n_items; i++) {
        const struct item *it = &s.item[i];

        ck_assert_uint_le(it->place + it->read_bytes, s.place_bytes + behind);
        for (int k = 0; k < spare.n; k++)
            if (overlap(it->place, it->read_bytes, s.place_bytes + stretch[k].from,
                        stretch[k].to - stretch[k].from))
                check_parts(&s, i, &stretch[k]);
        ck_assert_int_lt(it->after, f.pw[it->weight].consumer);
        ck_assert_int_eq(it->layer, f.preload[it->weight] ? 0 : f.pw[it->weight].consumer);
        ck_assert(i < s.first_of_layer[1] ? f.preload[it->weight] : !f.preload[it->weight]);
        read += it->bytes;
    }
    ck_assert_uint_eq(read, all);
    schedule_done(&s);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("schedule");
    TCase *t = tcase_create("all");

    tcase_add_loop_test(t, every_byte_once, 0, 40);
    tcase_add_test(t, ring_too_small);
    tcase_add_loop_test(t, arrivals_have_room, 0, 200);
    tcase_add_loop_test(t, stays_do_not_meet, 0, 100);
    tcase_add_loop_test(t, direct_within_limit, 0, 100);
    suite_add_tcase(s, t);
    return suite_run(s);
}
