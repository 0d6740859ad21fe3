/* Schedules of made-up plans: every byte once, in order, nothing wraps. No device. */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "harness/replay/schedule.h"
#include "profiler/rng.h"

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
    ck_assert_uint_le(it->read_bytes, s->ring_bytes / 8);
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

int main(void)
{
    Suite *s = suite_create("schedule");
    TCase *t = tcase_create("all");
    SRunner *sr;
    int failed;

    tcase_add_loop_test(t, every_byte_once, 0, 40);
    tcase_add_test(t, ring_too_small);
    suite_add_tcase(s, t);
    sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
