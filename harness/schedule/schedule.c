#include "harness/schedule/schedule.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/schedule/keep.h"

#define SMALL_RING (UINT64_C(8) << 20)

static uint64_t round_up(uint64_t v, uint64_t to)
{
    return (v + to - 1) / to * to;
}

struct builder {
    struct schedule *s;
    const struct model *m;
    const struct weights_file *file;
    int allocated;
    uint64_t pos;
};

static int add_item(struct builder *b, const struct item *it, struct err *err)
{
    struct schedule *s = b->s;
    uint64_t left;

    if (s->n_items == b->allocated) {
        int n = b->allocated ? 2 * b->allocated : 64;
        struct item *grown = realloc(s->item, (size_t)n * sizeof(*grown));

        if (!grown)
            return err_set(err, -ENOMEM, "out of memory for %d reads", n);
        s->item = grown;
        b->allocated = n;
    }
    left = s->ring_bytes - b->pos % s->ring_bytes;
    if (left < it->read_bytes) /* never wrap inside an item */
        b->pos += left;
    s->item[s->n_items] = *it;
    s->item[s->n_items++].ring_pos = b->pos;
    b->pos += it->read_bytes;
    s->read_bytes += it->read_bytes;
    return 0;
}

/* One launch waits for OP_MAX_LOADS items at once, and a wrap may waste one more. Half of a small
 * ring is read before a launch gives back the other half: there a launch takes an eighth. */
static uint64_t piece_bytes(uint64_t ring_bytes)
{
    uint64_t pieces = ring_bytes < SMALL_RING ? 8 * OP_MAX_LOADS : 2 * OP_MAX_LOADS;

    return ring_bytes / pieces / READ_ALIGN * READ_ALIGN;
}

/* `bytes` of a weight from weight_byte on, moved by `layer`; cut to what the ring can hold. */
static int add_run(struct builder *b, int weight, bool rows, int layer, int load_layer,
                   uint64_t weight_byte, uint64_t bytes, struct err *err)
{
    uint64_t most = piece_bytes(b->s->ring_bytes);
    uint64_t base = weight < 0 ? b->file->bundle_offset : b->file->offset_bytes[weight];
    int rc = 0;

    if (rows && bytes > b->s->ring_bytes / 4)
        return err_set(
            err, -EINVAL,
            "the rows gathered from '%s' take %llu bytes, more than a quarter of the ring "
            "of %llu: give a larger --ring",
            b->m->weight[weight].name, (unsigned long long)bytes,
            (unsigned long long)b->s->ring_bytes);
    while (bytes > 0 && rc == 0) {
        uint64_t now = bytes > most && !rows ? most : bytes;
        struct item it = {
            .weight = weight,
            .layer = layer,
            .load_layer = load_layer,
            .weight_byte = weight_byte,
            .bytes = now,
            .file_byte = base + (rows ? 0 : weight_byte),
            .read_bytes = round_up(now, READ_ALIGN),
            .rows = rows,
            .need = layer,
            .last_use = weight < 0 ? b->m->n_layers : b->m->weight[weight].last + 1,
        };

        rc = add_item(b, &it, err);
        weight_byte += now;
        bytes -= now;
    }
    return rc;
}

static int add_layer(struct builder *b, const struct model_problem *mp, const struct plan *plan,
                     int layer, int *next_move, uint64_t *moved, struct err *err)
{
    int rc = 0;

    for (; *next_move < plan->n_moves && plan->move[*next_move].layer == layer && rc == 0;
         (*next_move)++) {
        const struct plan_move *mv = &plan->move[*next_move];
        uint64_t total = mp->weight[mv->weight].bytes, at = moved[mv->weight];
        uint64_t bytes = (uint64_t)mv->chunks * mp->problem.chunk_bytes;

        if (bytes > total - at)
            bytes = total - at;
        moved[mv->weight] += bytes;
        rc = add_run(b, mp->weight_index[mv->weight], false, layer, plan->load_layer[mv->weight],
                     at, bytes, err);
    }
    return rc;
}

int schedule_make(const struct model *m, const struct model_problem *mp, const struct plan *plan,
                  const struct weights_file *file, uint64_t ring_bytes, struct schedule *ret_s,
                  struct err *err)
{
    struct schedule s = {.n_layers = m->n_layers, .ring_bytes = ring_bytes};
    struct builder b = {.s = &s, .m = m, .file = file};
    uint64_t *moved = calloc((size_t)mp->problem.n_weights + 1, sizeof(*moved));
    int next_move = 0, rc = 0;

    s.first_of_layer = calloc((size_t)m->n_layers + 2, sizeof(int));
    if (!moved || !s.first_of_layer) {
        rc = err_set(err, -ENOMEM, "out of memory for a schedule of %d layers", m->n_layers);
        goto out;
    }
    if (ring_bytes % READ_ALIGN || ring_bytes < SCHEDULE_MIN_RING) {
        rc = err_set(err, -EINVAL, "ring: want a multiple of %d, at least %llu bytes, got %llu",
                     READ_ALIGN, (unsigned long long)SCHEDULE_MIN_RING,
                     (unsigned long long)ring_bytes);
        goto out;
    }
    for (int w = 0; w < mp->problem.n_weights && rc == 0; w++)
        if (plan->preload[w]) {
            int i = mp->weight_index[w];
            bool rows = i >= 0 && mp->weight[w].bytes < tensor_bytes(&m->weight[i].desc);

            rc = add_run(&b, i, rows, 0, 0, 0, mp->weight[w].bytes, err);
        }
    for (int l = 1; l <= m->n_layers && rc == 0; l++) {
        s.first_of_layer[l] = s.n_items;
        rc = add_layer(&b, mp, plan, l, &next_move, moved, err);
    }
    s.first_of_layer[m->n_layers + 1] = s.n_items;
    if (rc == 0) {
        *ret_s = s;
        s = (struct schedule){0};
    }
out:
    schedule_done(&s);
    free(moved);
    return rc;
}

/* ---- direct ---- */

struct tensor_desc schedule_weight_desc(const struct model *m, int w, int n_rows)
{
    struct tensor_desc d;

    if (w == m->n_weights) /* the bundle: a plain buffer of texels */
        return (struct tensor_desc){
            .rows = 1,
            .cols = (int64_t)(m->bundle_bytes / dtype_bytes(m->dtype)),
            .dtype = m->dtype,
        };
    d = m->weight[w].desc;
    if (n_rows > 0)
        d.rows = n_rows;
    return d;
}

/* What an item's place must hold: what is read, and the whole rows of its image. */
static uint64_t place_bytes(const struct model *m, const struct item *it, enum mem_path path)
{
    int w = it->weight < 0 ? m->n_weights : it->weight;
    struct tensor_desc d = schedule_weight_desc(m, w, 0);
    uint64_t bytes;

    if (it->rows)
        d.rows = (int64_t)(it->bytes / (tensor_bytes(&d) / (uint64_t)d.rows));
    bytes = tensor_device_bytes(&d, it->weight < 0 ? PATH_BUFFER : path);
    return bytes > it->read_bytes ? bytes : it->read_bytes;
}

static struct item whole_weight(const struct builder *b, const struct model_problem *mp,
                                const struct plan *plan, int w)
{
    int i = mp->weight_index[w];
    uint64_t bytes = mp->weight[w].bytes;

    return (struct item){
        .weight = i,
        .layer = plan->preload[w] ? 0 : mp->weight[w].consumer,
        .load_layer = plan->load_layer[w],
        .bytes = bytes,
        .file_byte = i < 0 ? b->file->bundle_offset : b->file->offset_bytes[i],
        .read_bytes = round_up(bytes, READ_ALIGN),
        .rows = i >= 0 && bytes < tensor_bytes(&b->m->weight[i].desc),
    };
}

/* Bytes that the plan has there at its worst: whole weights from their first chunk (preloaded ones
 * from the beginning) through the layer that reads them last. */
static uint64_t most_resident(const struct schedule *s)
{
    uint64_t most = 0;

    for (int l = 0; l <= s->n_layers; l++) {
        uint64_t sum = 0;

        for (int i = 0; i < s->n_items; i++)
            if (!s->item[i].kept && s->item[i].load_layer <= l && l <= s->item[i].last_use)
                sum += round_up(s->item[i].stay_bytes, PLACE_ALIGN);
        most = sum > most ? sum : most;
    }
    return most;
}

/* Those that stay lie behind the places of all others, each for itself. */
static void place_kept(struct schedule *s)
{
    uint64_t at = s->place_bytes;

    for (int i = 0; i < s->n_items; i++) {
        if (!s->item[i].kept)
            continue;
        s->item[i].place = at;
        s->item[i].after = 0;
        at += round_up(s->item[i].stay_bytes, PLACE_ALIGN);
    }
    s->kept_bytes = at - s->place_bytes;
    s->place_bytes = at;
}

/* `n` items that go, into s->place_bytes: as many as suffice, at most `limit` less what stays. */
static int place_going(struct schedule *s, const struct arrival *a, int n, uint64_t limit,
                       uint64_t *at, int *after, uint64_t *ret_least)
{
    const struct spare none = {NULL, 0}, *spare = n == s->n_items ? &s->spare : &none;
    uint64_t most = most_resident(s);
    int stuck, rc;

    s->place_bytes = limit < most ? limit / PLACE_ALIGN * PLACE_ALIGN : most;
    rc = place_arrivals(a, n, s->place_bytes, spare, at, after, &stuck);
    if (rc != -ENOSPC)
        return rc;
    *ret_least = place_least(a, n, spare);
    return *ret_least > limit
               ? -ENOSPC
               : place_arrivals(a, n, s->place_bytes = *ret_least, spare, at, after, &stuck);
}

/* Where each item lies, and when it may come. */
static int place_items(struct schedule *s, uint64_t limit_bytes, uint64_t reserve, struct err *err)
{
    size_t n = (size_t)s->n_items + 1;
    struct arrival *a = calloc(n, sizeof(*a));
    uint64_t *at = calloc(n, sizeof(*at)), least = 0;
    int *after = calloc(n, sizeof(*after)), going = 0, rc = at && after && a ? 0 : -ENOMEM;

    for (int i = 0; i < s->n_items && rc == 0; i++) {
        const struct item *it = &s->item[i];

        if (it->kept)
            reserve += round_up(it->stay_bytes, PLACE_ALIGN);
        else
            a[going++] = (struct arrival){it->stay_bytes, it->need, it->last_use};
    }
    if (rc == 0)
        rc = place_going(s, a, going,
                         !limit_bytes            ? UINT64_MAX
                         : limit_bytes > reserve ? limit_bytes - reserve
                                                 : 0,
                         at, after, &least);
    if (rc == -ENOSPC)
        err_set(err, -ENOSPC,
                "memory: '%llu' bytes are too few for this plan: the least that works is %llu, "
                "%llu of them for weights",
                (unsigned long long)limit_bytes, (unsigned long long)(least + reserve),
                (unsigned long long)least);
    if (rc == -ENOMEM)
        err_set(err, -ENOMEM, "out of memory for %d reads", s->n_items);
    for (int i = 0, k = 0; i < s->n_items && rc == 0; i++) {
        if (s->item[i].kept)
            continue;
        s->item[i].place = at[k];
        s->item[i].after = after[k++];
    }
    if (rc == 0)
        place_kept(s);
    free(a);
    free(at);
    free(after);
    return rc;
}

/* By the problem's times; NaN: they are not known. */
static double run_ns(const struct schedule *s, const struct plan_problem *p)
{
    double *ns = calloc((size_t)s->n_layers + 1, sizeof(*ns)), sum = 0, y = NAN;
    struct keep_machine k = {.layer_ns = ns, .disk_bytes_per_s = p->disk_bytes_per_s};

    for (int l = 0; ns && l < s->n_layers; l++)
        sum += ns[l] = p->layer[l].time_us * 1e3;
    if (sum > 0 && p->disk_bytes_per_s > 0)
        y = keep_simulate_ns(s, &k, false, NULL);
    free(ns);
    return y;
}

#define GAIN 1e-3 /* less is none */

/* Room among the activations is more room, but in pieces, and what takes one soon may bar the way for
 * a large weight: it is used unless the run would be faster without. */
static int place_best(struct schedule *s, const struct plan_problem *p, uint64_t limit_bytes,
                      uint64_t reserve, struct err *err)
{
    struct schedule own;
    struct err unused;
    int rc = place_items(s, limit_bytes, reserve, err);

    if (rc < 0 || s->spare.n == 0)
        return rc;
    if (schedule_copy(s, &own, err) < 0)
        return -ENOMEM;
    own.spare.n = 0;
    if (place_items(&own, limit_bytes, reserve, &unused) == 0 &&
        run_ns(&own, p) < run_ns(s, p) * (1 - GAIN)) {
        struct schedule slower = *s;

        *s = own;
        own = slower;
    }
    schedule_done(&own);
    return 0;
}

static int add_whole(struct builder *b, const struct model_problem *mp, const struct plan *plan,
                     bool *added, int w, struct err *err)
{
    struct item it = whole_weight(b, mp, plan, w);

    added[w] = true;
    b->pos = 0; /* no ring */
    return add_item(b, &it, err);
}

static int copy_spare(const struct spare *from, struct spare *to)
{
    *to = (struct spare){NULL, 0};
    if (from->n == 0)
        return 0;
    to->s = malloc((size_t)from->n * sizeof(*to->s));
    if (!to->s)
        return -ENOMEM;
    memcpy(to->s, from->s, (size_t)from->n * sizeof(*to->s));
    to->n = from->n;
    return 0;
}

int schedule_direct(const struct model *m, const struct model_problem *mp, const struct plan *plan,
                    const struct weights_file *file, enum mem_path path, uint64_t limit_bytes,
                    uint64_t reserve_bytes, const struct spare *spare, struct schedule *ret_s,
                    struct err *err)
{
    struct schedule s = {.direct = true, .n_layers = m->n_layers, .ring_bytes = UINT64_MAX};
    struct builder b = {.s = &s, .m = m, .file = file};
    int n = mp->problem.n_weights, rc = 0;
    bool *added = calloc((size_t)n + 1, sizeof(*added));

    s.first_of_layer = calloc((size_t)m->n_layers + 2, sizeof(int));
    if (!added || !s.first_of_layer || (spare && copy_spare(spare, &s.spare) < 0))
        rc = err_set(err, -ENOMEM, "out of memory for a schedule of %d layers", m->n_layers);
    for (int w = 0; w < n && rc == 0; w++)
        if (plan->preload[w])
            rc = add_whole(&b, mp, plan, added, w, err);
    if (rc == 0)
        s.first_of_layer[1] = s.n_items;
    for (int i = 0; i < plan->n_moves && rc == 0; i++)
        if (!added[plan->move[i].weight])
            rc = add_whole(&b, mp, plan, added, plan->move[i].weight, err);
    for (int l = 2; l <= m->n_layers + 1 && rc == 0; l++)
        s.first_of_layer[l] = s.n_items;
    for (int i = 0, w = 0; i < s.n_items && rc == 0; i++, w = 0) {
        while (mp->weight_index[w] != s.item[i].weight)
            w++;
        s.item[i].stay_bytes = place_bytes(m, &s.item[i], path);
        s.item[i].need = plan->preload[w] ? 1 : mp->weight[w].consumer;
        s.item[i].last_use = mp->weight[w].last_use;
    }
    if (rc == 0)
        rc = place_best(&s, &mp->problem, limit_bytes, reserve_bytes, err);
    if (rc == 0) {
        *ret_s = s;
        s = (struct schedule){0};
    }
    schedule_done(&s);
    free(added);
    return rc;
}

/* ---- weights that stay ---- */

int schedule_keep(const struct schedule *s, const bool *keep, int n_weights, uint64_t limit_bytes,
                  uint64_t reserve_bytes, struct schedule *ret_s, struct err *err)
{
    struct schedule kept;
    int rc = schedule_copy(s, &kept, err);

    if (rc < 0)
        return rc;
    kept.kept_bytes = 0;
    for (int i = 0; i < kept.n_items; i++) {
        struct item *it = &kept.item[i];

        it->kept = keep[it->weight < 0 ? n_weights : it->weight] && !it->rows;
        if (it->kept && !kept.direct)
            kept.kept_bytes += it->bytes;
    }
    if (kept.direct)
        rc = place_items(&kept, limit_bytes, reserve_bytes, err);
    if (rc < 0)
        schedule_done(&kept);
    else
        *ret_s = kept;
    return rc;
}

int schedule_warm(const struct schedule *s, struct schedule *ret_s, struct err *err)
{
    struct schedule warm = {
        .n_layers = s->n_layers, .ring_bytes = s->ring_bytes, .natural = s->natural};
    struct builder b = {.s = &warm};
    int rc = 0;

    warm.first_of_layer = calloc((size_t)s->n_layers + 2, sizeof(int));
    if (!warm.first_of_layer)
        return err_set(err, -ENOMEM, "out of memory for a schedule of %d layers", s->n_layers);
    for (int l = 0; l <= s->n_layers && rc == 0; l++) {
        warm.first_of_layer[l] = warm.n_items;
        for (int i = s->first_of_layer[l]; i < s->first_of_layer[l + 1] && rc == 0; i++)
            if (!s->item[i].kept)
                rc = add_item(&b, &s->item[i], err);
    }
    warm.first_of_layer[s->n_layers + 1] = warm.n_items;
    if (rc < 0)
        schedule_done(&warm);
    else
        *ret_s = warm;
    return rc;
}

int schedule_copy(const struct schedule *s, struct schedule *ret_s, struct err *err)
{
    size_t items = (size_t)s->n_items * sizeof(*s->item);
    size_t layers = ((size_t)s->n_layers + 2) * sizeof(int);
    struct schedule to = *s;

    to.item = malloc(items + 1);
    to.first_of_layer = malloc(layers);
    if (copy_spare(&s->spare, &to.spare) < 0 || !to.item || !to.first_of_layer) {
        schedule_done(&to);
        return err_set(err, -ENOMEM, "out of memory for %d reads", s->n_items);
    }
    memcpy(to.item, s->item, items);
    memcpy(to.first_of_layer, s->first_of_layer, layers);
    *ret_s = to;
    return 0;
}

void schedule_done(struct schedule *s)
{
    free(s->item);
    free(s->first_of_layer);
    free(s->spare.s);
    *s = (struct schedule){0};
}
