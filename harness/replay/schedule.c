#include "harness/replay/schedule.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

/* `bytes` of a weight from weight_byte on, moved by `layer`; cut to what the ring can hold. */
static int add_run(struct builder *b, int weight, bool rows, int layer, int load_layer,
                   uint64_t weight_byte, uint64_t bytes, struct err *err)
{
    /* One launch waits for OP_MAX_LOADS items at once, and a wrap may waste one more. */
    uint64_t most = b->s->ring_bytes / (2 * OP_MAX_LOADS) / READ_ALIGN * READ_ALIGN;
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
    struct schedule s = {.ring_bytes = ring_bytes};
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

void schedule_done(struct schedule *s)
{
    free(s->item);
    free(s->first_of_layer);
    *s = (struct schedule){0};
}
