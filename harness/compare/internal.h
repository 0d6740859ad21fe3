/* harness/compare/internal.h - what the files of this room share. */
#ifndef FLASHMEM_HARNESS_COMPARE_INTERNAL_H
#define FLASHMEM_HARNESS_COMPARE_INTERNAL_H

#include "harness/compare/compare.h"

enum { SIDE_IDS = 64, SIDE_TEXT = 256 };

/* One side, as typed. */
struct side_spec {
    char text[SIDE_TEXT];
    int64_t device_id;
    int64_t session[SIDE_IDS], run[SIDE_IDS];
    int n_sessions, n_runs;
    const char *device, *op, *form, *path, *kernel; /* NULL: any; into words */
    char words[SIDE_TEXT];
};

/* What both sides name, and may therefore differ in: no part of an item's name. */
enum { DROP_PATH = 1, DROP_KERNEL = 2, DROP_FORM = 4 };
unsigned side_drops(const struct side_spec *s);

int side_parse(struct store *st, const char *text, struct side_spec *ret_s, struct err *err);
/* Both are samples or both runs; they differ; both name a form, or neither does. */
int side_check(struct store *st, const struct side_spec side[2], bool *ret_same_device,
               struct err *err);

void item_done(struct compare_item *it);
int load_runs(struct store *st, const struct side_spec side[2], struct compare_items *c,
              struct err *err);

#endif
