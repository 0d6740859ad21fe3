/* Both sides of a comparison out of the database. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/compare/internal.h"
#include "operators/op.h"
#include "profiler/pairs.h"

/* One sample. Names decide what is compared with what. */
struct row {
    char *name, *full,
        *what; /* full: the whole configuration; name: without what sides differ in */
    char build[24];
    int64_t id, session_id;
    int side; /* of its repeats: 1 for a kernel with extra load */
    double median_ns, anchor_ns;
    bool in_twos; /* two repeats are one observation: on all but CPUs */
};

struct rows {
    int n, room;
    struct row *row;
    int outdated;
};

static void rows_done(struct rows *r)
{
    for (int i = 0; i < r->n; i++) {
        free(r->row[i].name);
        free(r->row[i].full);
        free(r->row[i].what);
    }
    free(r->row);
}

void item_done(struct compare_item *it)
{
    for (int s = 0; s < 2; s++) {
        for (int k = 0; k < it->side[s].n; k++)
            free(it->side[s].rec[k].time_ns);
        free(it->side[s].rec);
        free(it->side[s].what);
    }
    free(it->name);
}

void compare_done(struct compare_items *c)
{
    for (int i = 0; i < c->n; i++)
        item_done(&c->item[i]);
    free(c->item);
    free(c->again);
    *c = (struct compare_items){0};
}

/* ---- names ---- */

/* A variant is "PATH,KERNEL,FORM,the rest": without the words that are in `drop`. */
static void variant_without(const char *variant, unsigned drop, char text[OP_TEXT_MAX])
{
    size_t n = 0;

    text[0] = '\0';
    for (int word = 0; *variant; word++) {
        size_t len = word < 3 ? strcspn(variant, ",") : strlen(variant);
        bool out = (word == 0 && drop & DROP_PATH) || (word == 1 && drop & DROP_KERNEL) ||
                   (word == 2 && drop & DROP_FORM);

        if (!out && n < OP_TEXT_MAX)
            n += (size_t)snprintf(text + n, OP_TEXT_MAX - n, "%s%.*s", n ? "," : "", (int)len,
                                  variant);
        variant += len;
        variant += *variant == ',';
    }
}

enum {
    R_SAMPLE,
    R_SESSION,
    R_OP,
    R_SHAPE,
    R_DTYPE,
    R_PATH,
    R_VARIANT,
    R_LOAD,
    R_CACHE,
    R_BUILD,
    R_MEDIAN,
    R_ANCHOR,
    R_LOADED,
    R_DEVICE
};

static int row_of(struct store_query *q, unsigned drop, bool best, struct row *ret, struct err *err)
{
    const char *shape = store_text(q, R_SHAPE), *variant = store_text(q, R_VARIANT);
    const char *build = store_text(q, R_BUILD);
    char kept[OP_TEXT_MAX];
    struct row r = {.id = store_int(q, R_SAMPLE),
                    .session_id = store_int(q, R_SESSION),
                    .side = (int)store_int(q, R_LOADED),
                    .median_ns = store_real(q, R_MEDIAN),
                    .anchor_ns = store_real(q, R_ANCHOR),
                    .in_twos = strcmp(store_text(q, R_DEVICE), "cpu") != 0};
    int ok;

    variant_without(variant, drop, kept);
    ok = asprintf(&r.name, "%s:%s%s%s|%s|load=%" PRId64 "|cache=%s", store_text(q, R_OP),
                  store_text(q, R_DTYPE), *shape ? ":" : "", shape,
                  !best              ? kept
                  : drop & DROP_PATH ? "best"
                                     : store_text(q, R_PATH),
                  store_int(q, R_LOAD), store_text(q, R_CACHE));
    if (ok < 0)
        return err_set(err, -ENOMEM, "out of memory");
    ok = asprintf(&r.full, "%s|%s", r.name, variant);
    r.what = strdup(variant);
    if (ok < 0 || !r.what) {
        free(r.name);
        return err_set(err, -ENOMEM, "out of memory");
    }
    snprintf(r.build, sizeof(r.build), "%s", build ? build : "");
    *ret = r;
    return 0;
}

static int rows_add(struct rows *rows, const struct row *r, struct err *err)
{
    if (rows->n == rows->room) {
        int room = rows->room ? 2 * rows->room : 256;
        struct row *more = realloc(rows->row, (size_t)room * sizeof(*more));

        if (!more)
            return err_set(err, -ENOMEM, "out of memory");
        rows->row = more;
        rows->room = room;
    }
    rows->row[rows->n++] = *r;
    return 0;
}

/* flush_ns is of all repeats of all sides. */
static const char select_samples[] =
    "SELECT s.id, e.id, c.op, c.shape, c.dtype, c.path, c.variant, c.load_bytes, c.cache,"
    " s.build_hash, s.median_ns, s.flush_ns * 1.0 / nullif(s.repeats * (1 + (s.slowdown IS NOT"
    " NULL)), 0), s.slowdown IS NOT NULL, d.type"
    " FROM sample s JOIN config c ON c.id = s.config_id JOIN session e ON e.id = s.session_id"
    " JOIN device d ON d.id = e.device_id"
    " WHERE s.status IN ('ok', 'noisy') AND s.median_ns > 0 AND e.device_id = ?"
    " AND e.id = coalesce(nullif(?, 0), e.id) AND c.op = coalesce(?, c.op)"
    " AND c.form = coalesce(?, c.form) AND c.path = coalesce(?, c.path)"
    " AND c.kernel = coalesce(?, c.kernel)";

static int read_session(struct store *st, const struct side_spec *s, int64_t session, unsigned drop,
                        bool best, struct rows *rows, struct err *err)
{
    struct store_query *q = NULL;
    int rc = store_query(st, &q, err, select_samples, "iissss", s->device_id, session, s->op,
                         s->form, s->path, s->kernel);

    while (rc >= 0 && (rc = store_step(q, err)) == 1) {
        struct row r;

        rc = row_of(q, drop, best, &r, err);
        if (rc == 0)
            rc = rows_add(rows, &r, err);
    }
    store_query_done(q);
    return rc;
}

/* By name, then configuration, then session. */
static int by_name(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    int d = strcmp(x->name, y->name);

    if (d == 0)
        d = strcmp(x->full, y->full);
    return d ? d : (x->session_id > y->session_id) - (x->session_id < y->session_id);
}

static int group_end(const struct rows *rows, int i, bool whole)
{
    int end = i + 1;

    while (end < rows->n && strcmp(rows->row[i].name, rows->row[end].name) == 0 &&
           (!whole || strcmp(rows->row[i].full, rows->row[end].full) == 0))
        end++;
    return end;
}

static void take_out(struct rows *rows, bool *keep)
{
    int n = 0;

    for (int i = 0; i < rows->n; i++) {
        if (keep[i]) {
            rows->row[n++] = rows->row[i];
            continue;
        }
        free(rows->row[i].name);
        free(rows->row[i].full);
        free(rows->row[i].what);
    }
    rows->n = n;
}

/* A side whose source changed between its sessions is what its latest session says. */
static void mark_latest(struct rows *rows, bool *keep)
{
    for (int i = 0, end; i < rows->n; i = end) {
        end = group_end(rows, i, true);
        for (int k = i; k < end; k++) {
            keep[k] = strcmp(rows->row[k].build, rows->row[end - 1].build) == 0;
            rows->outdated += !keep[k];
        }
    }
}

static int mark_best(const struct rows *rows, bool *keep, struct err *err)
{
    double *x = malloc(((size_t)rows->n + 1) * sizeof(*x));

    if (!x)
        return err_set(err, -ENOMEM, "out of memory");
    for (int i = 0, end; i < rows->n; i = end) {
        double least = INFINITY;
        int from = i, to = i;

        end = group_end(rows, i, false);
        for (int k = i, stop; k < end; k = stop) {
            double m;

            stop = group_end(rows, k, true);
            for (int j = k; j < stop; j++)
                x[j - k] = rows->row[j].median_ns;
            m = stats_median(x, stop - k);
            if (m < least) {
                least = m;
                from = k;
                to = stop;
            }
        }
        for (int k = i; k < end; k++)
            keep[k] = k >= from && k < to;
    }
    free(x);
    return 0;
}

static int read_rows(struct store *st, const struct side_spec *s, unsigned drop, bool best,
                     struct rows *rows, struct err *err)
{
    bool *keep;
    int rc = 0;

    for (int i = 0; (i < s->n_sessions || i == 0) && rc == 0; i++)
        rc = read_session(st, s, s->n_sessions ? s->session[i] : 0, drop, best, rows, err);
    if (rc < 0)
        return rc;
    if (rows->n == 0)
        return err_set(err, -ENOENT, "'%s': no samples with a time in '%s'", s->text,
                       store_path(st));
    keep = malloc((size_t)rows->n * sizeof(*keep));
    if (!keep)
        return err_set(err, -ENOMEM, "out of memory");
    qsort(rows->row, (size_t)rows->n, sizeof(*rows->row), by_name);
    mark_latest(rows, keep);
    take_out(rows, keep);
    if (best) {
        rc = mark_best(rows, keep, err);
        if (rc == 0)
            take_out(rows, keep);
    }
    free(keep);
    return rc;
}

/* ---- items ---- */

static int read_times(struct store *st, const struct row *r, struct recording *rec, struct err *err)
{
    struct store_query *q = NULL;
    int room = 0, rc;

    rc = store_query(st, &q, err,
                     "SELECT time_ns FROM repeat WHERE sample_id = ? AND side = ? AND NOT aside"
                     " ORDER BY seq",
                     "ii", r->id, (int64_t)r->side);
    while (rc >= 0 && (rc = store_step(q, err)) == 1) {
        if (rec->n == room) {
            double *more = realloc(rec->time_ns, (size_t)(room = room ? 2 * room : 64) * 8);

            if (!more) {
                rc = err_set(err, -ENOMEM, "out of memory");
                break;
            }
            rec->time_ns = more;
        }
        rec->time_ns[rec->n++] = (double)store_int(q, 0);
    }
    store_query_done(q);
    if (rc == 0 && rec->n == 0)
        rc = err_set(err, -EUCLEAN, "'%s': sample %" PRId64 " has no repeats", store_path(st),
                     r->id);
    if (rc == 0 && r->in_twos)
        rec->n = pairs_in_twos(rec->time_ns, rec->n);
    return rc;
}

static int fill_side(struct store *st, const struct rows *rows, int from, int to, bool best,
                     struct compare_side *side, struct err *err)
{
    int rc = 0;

    side->rec = calloc((size_t)(to - from), sizeof(*side->rec));
    if (!side->rec)
        return err_set(err, -ENOMEM, "out of memory");
    snprintf(side->build, sizeof(side->build), "%s", rows->row[to - 1].build);
    if (best && !(side->what = strdup(rows->row[to - 1].what)))
        return err_set(err, -ENOMEM, "out of memory");
    for (int i = from; i < to && rc == 0; i++) {
        struct recording *rec = &side->rec[side->n++];

        rec->session_id = rows->row[i].session_id;
        rec->anchor_ns = rows->row[i].anchor_ns;
        rc = read_times(st, &rows->row[i], rec, err);
    }
    return rc;
}

static int join(struct store *st, const struct rows *a, const struct rows *b, bool best,
                struct compare_items *c, struct err *err)
{
    int i = 0, j = 0, rc = 0;

    c->item = calloc((size_t)(a->n < b->n ? a->n : b->n) + 1, sizeof(*c->item));
    if (!c->item)
        return err_set(err, -ENOMEM, "out of memory");
    while ((i < a->n || j < b->n) && rc == 0) {
        int d = i == a->n ? 1 : j == b->n ? -1 : strcmp(a->row[i].name, b->row[j].name);
        int i_end = d <= 0 ? group_end(a, i, false) : i;
        int j_end = d >= 0 ? group_end(b, j, false) : j;

        if (d == 0) {
            struct compare_item *it = &c->item[c->n++];

            it->name = strdup(a->row[i].name);
            rc = it->name ? fill_side(st, a, i, i_end, best, &it->side[0], err)
                          : err_set(err, -ENOMEM, "out of memory");
            if (rc == 0)
                rc = fill_side(st, b, j, j_end, best, &it->side[1], err);
        } else {
            c->only[d > 0]++;
        }
        i = i_end;
        j = j_end;
    }
    return rc;
}

/* Naive forms without load: of ratio 0, and the first side of every pair. */
static const char select_again[] =
    "SELECT e.id || c.op || c.shape || ' ' || c.dtype || c.path || c.kernel || c.tile ||"
    " c.loop_order || c.lws, coalesce(s.base_median_ns, s.median_ns)"
    " FROM sample s JOIN config c ON c.id = s.config_id JOIN session e ON e.id = s.session_id"
    " WHERE s.status IN ('ok', 'noisy') AND s.median_ns > 0 AND e.device_id = ?"
    " AND e.id = coalesce(nullif(?, 0), e.id) AND c.op = coalesce(?, c.op) ORDER BY 1, s.id";

static int read_again(struct store *st, const struct side_spec *s, int64_t session,
                      struct compare_items *c, int *room, struct err *err)
{
    struct store_query *q = NULL;
    int rc = store_query(st, &q, err, select_again, "iis", s->device_id, session, s->op);
    char last[OP_TEXT_MAX * 3] = "";
    double before = 0;

    while (rc >= 0 && (rc = store_step(q, err)) == 1) {
        const char *name = store_text(q, 0);
        double now = log(store_real(q, 1));

        if (c->n_again == *room) {
            double *more = realloc(c->again, (size_t)(*room = *room ? 2 * *room : 64) * 8);

            if (!more) {
                rc = err_set(err, -ENOMEM, "out of memory");
                break;
            }
            c->again = more;
        }
        if (strcmp(name, last) == 0)
            c->again[c->n_again++] = now - before;
        snprintf(last, sizeof(last), "%s", name);
        before = now;
    }
    store_query_done(q);
    return rc;
}

static int read_all_again(struct store *st, const struct side_spec side[2], struct compare_items *c,
                          struct err *err)
{
    int room = 0, rc = 0;

    for (int s = 0; s < 2; s++)
        for (int i = 0; (i < side[s].n_sessions || i == 0) && rc == 0; i++)
            rc = read_again(st, &side[s], side[s].n_sessions ? side[s].session[i] : 0, c, &room,
                            err);
    return rc;
}

static int load_samples(struct store *st, const struct side_spec side[2], bool best,
                        struct compare_items *c, struct err *err)
{
    struct rows rows[2] = {{0}, {0}};
    unsigned drop = side_drops(&side[0]);
    int rc = 0;

    for (int s = 0; s < 2 && rc == 0; s++)
        rc = read_rows(st, &side[s], drop, best, &rows[s], err);
    if (rc == 0)
        rc = join(st, &rows[0], &rows[1], best, c, err);
    if (rc == 0)
        rc = read_all_again(st, side, c, err);
    c->alike = c->same_device && !drop && !best;
    c->outdated = rows[0].outdated + rows[1].outdated;
    if (rc == 0 && c->n == 0)
        rc = err_set(err, -ENOENT,
                     "'%s' and '%s' have no configuration in common (%d and %d of "
                     "their own): --best compares each side's fastest variants",
                     side[0].text, side[1].text, c->only[0], c->only[1]);
    rows_done(&rows[0]);
    rows_done(&rows[1]);
    return rc;
}

int compare_load(struct store *st, const char *a, const char *b, bool best,
                 struct compare_items *ret_c, struct err *err)
{
    struct compare_items c = {0};
    struct side_spec side[2];
    int rc = side_parse(st, a, &side[0], err);

    if (rc == 0)
        rc = side_parse(st, b, &side[1], err);
    if (rc == 0)
        rc = side_check(st, side, &c.same_device, err);
    if (rc == 0)
        rc = side[0].n_runs ? load_runs(st, side, &c, err) : load_samples(st, side, best, &c, err);
    if (rc < 0) {
        compare_done(&c);
        return rc;
    }
    *ret_c = c;
    return 0;
}
