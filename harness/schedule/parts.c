#include "harness/schedule/parts.h"

/* Small enough for a place to be taken again while its tenant's neighbours are still in use; what
 * stands side by side is read together all the same. */
#define PART_BYTES (UINT64_C(1) << 20)

int parts_free_after(const struct schedule *s, int i, uint64_t from, uint64_t bytes)
{
    int after = 0;

    for (int k = 0; k < i; k++) {
        const struct item *it = &s->item[k];

        if (it->place < from + bytes && from < it->place + it->stay_bytes && it->last_use > after)
            after = it->last_use;
    }
    for (int k = 0; k < s->spare.n; k++) {
        const struct stretch *t = &s->spare.s[k];

        if (s->place_bytes + t->from < from + bytes && from < s->place_bytes + t->to &&
            t->free_after > after)
            after = t->free_after;
    }
    return after;
}

int parts_cut(const struct schedule *s, int i, struct read_part *ret_part)
{
    const struct item *it = &s->item[i];
    int n = 0;

    for (uint64_t at = 0, len; at < it->bytes; at += len) {
        struct read_part p = {.byte = at};
        int k = n++;

        p.bytes = len = it->bytes - at > PART_BYTES && !it->rows ? PART_BYTES : it->bytes - at;
        if (!ret_part)
            continue;
        p.after = it->after == 0 ? 0 : parts_free_after(s, i, it->place + at, len);
        for (; k > 0 && ret_part[k - 1].after > p.after; k--)
            ret_part[k] = ret_part[k - 1];
        ret_part[k] = p;
    }
    return n;
}
