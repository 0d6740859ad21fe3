/* Whole runs of a model: their repeats, and the controls that were measured beside them. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/compare/internal.h"

static const struct {
    const char *name, *sql;
    bool control;
} parts[] = {
    {"integrated", "SELECT integrated_ns FROM run_repeat WHERE run_id = ? ORDER BY seq", false},
    {"init", "SELECT init_ns FROM run_repeat WHERE run_id = ? AND init_ns > 0 ORDER BY seq", false},
    {"exec",
     "SELECT integrated_ns - init_ns FROM run_repeat WHERE run_id = ? AND integrated_ns > init_ns"
     " ORDER BY seq",
     false},
    {"disk alone", "SELECT disk_ns FROM run_repeat WHERE run_id = ? AND disk_ns > 0 ORDER BY seq",
     true},
    {"kernels alone",
     "SELECT kernel_ns FROM run_repeat WHERE run_id = ? AND kernel_ns > 0 ORDER BY seq", true},
};
enum { PARTS = sizeof(parts) / sizeof(parts[0]) };

struct run_row {
    char what[200];   /* what runs of one side must share */
    char shared[100]; /* what both sides must share */
    int64_t session_id;
};

static int read_run(struct store *st, int64_t id, struct run_row *ret_r, struct err *err)
{
    struct store_query *q = NULL;
    int rc;

    rc = store_query(
        st, &q, err,
        "SELECT model || ' ' || dtype || ' ' || cache || ' ' || source, policy || ' ' ||"
        " path || ' ' || kernel || ' ' || reader, session_id FROM run WHERE id = ?",
        "i", id);
    if (rc < 0)
        return rc;
    rc = store_step(q, err);
    if (rc == 1) {
        snprintf(ret_r->shared, sizeof(ret_r->shared), "%s", store_text(q, 0));
        snprintf(ret_r->what, sizeof(ret_r->what), "%s", store_text(q, 1));
        ret_r->session_id = store_int(q, 2);
    }
    store_query_done(q);
    return rc == 0 ? err_set(err, -ENOENT, "run %" PRId64 " vanished", id) : rc < 0 ? rc : 0;
}

static int read_part(struct store *st, int64_t run, int part, struct recording *rec,
                     struct err *err)
{
    struct store_query *q = NULL;
    int rc = store_query(st, &q, err, parts[part].sql, "i", run);

    while (rc >= 0 && (rc = store_step(q, err)) == 1) {
        double *more = realloc(rec->time_ns, ((size_t)rec->n + 1) * sizeof(*more));

        if (!more) {
            rc = err_set(err, -ENOMEM, "out of memory");
            break;
        }
        rec->time_ns = more;
        rec->time_ns[rec->n++] = store_real(q, 0);
    }
    store_query_done(q);
    return rc;
}

/* Both controls' medians, as one number: the machine at that time. */
static void set_anchors(struct compare_items *c)
{
    for (int s = 0; s < 2; s++)
        for (int k = 0; k < c->item[0].side[s].n; k++) {
            double sum = 0;

            for (int p = 0; p < PARTS; p++)
                if (parts[p].control)
                    sum += log(stats_median(c->item[p].side[s].rec[k].time_ns,
                                            c->item[p].side[s].rec[k].n)) /
                           2;
            for (int p = 0; p < PARTS; p++)
                c->item[p].side[s].rec[k].anchor_ns = parts[p].control ? NAN : exp(sum);
        }
}

/* Out with what some run does not tell, and with controls that both sides share. */
static void drop_parts(struct compare_items *c)
{
    int n = 0;

    for (int i = 0; i < c->n; i++) {
        struct compare_item *it = &c->item[i];
        bool keep =
            !(parts[i].control && it->side[0].rec[0].session_id == it->side[1].rec[0].session_id);

        for (int s = 0; s < 2; s++)
            for (int k = 0; k < it->side[s].n; k++)
                keep = keep && it->side[s].rec[k].n > 0;
        if (keep)
            c->item[n++] = *it;
        else
            item_done(it);
    }
    c->n = n;
}

/* The k-th run of a side: all its parts. */
static int add_run(struct store *st, struct compare_items *c, int s, int k, int64_t run,
                   const struct run_row *r, struct err *err)
{
    int rc = 0;

    for (int p = 0; p < PARTS && rc == 0; p++) {
        struct recording *rec = &c->item[p].side[s].rec[k];

        rec->session_id = r->session_id;
        c->item[p].side[s].n = k + 1;
        rc = read_part(st, run, p, rec, err);
    }
    return rc;
}

static int add_side(struct store *st, const struct side_spec *side, struct compare_items *c, int s,
                    struct run_row *first, struct err *err)
{
    struct run_row r;
    int rc = 0;

    for (int k = 0; k < side->n_runs && rc == 0; k++) {
        rc = read_run(st, side->run[k], &r, err);
        if (rc < 0)
            return rc;
        if (k == 0)
            *first = r;
        if (strcmp(r.what, first->what) != 0 || strcmp(r.shared, first->shared) != 0)
            return err_set(err, -EINVAL, "'%s': '%s %s' and '%s %s' are no repeats of one thing",
                           side->text, first->shared, first->what, r.shared, r.what);
        rc = add_run(st, c, s, k, side->run[k], &r, err);
    }
    return rc;
}

static int make_parts(const struct side_spec side[2], struct compare_items *c, struct err *err)
{
    c->item = calloc(PARTS, sizeof(*c->item));
    if (!c->item)
        return err_set(err, -ENOMEM, "out of memory");
    for (c->n = 0; c->n < PARTS; c->n++) {
        struct compare_item *it = &c->item[c->n];

        it->apart = true;
        it->part = c->n > 0; /* streaming moves time from init to exec: the sum is what counts */
        it->name = strdup(parts[c->n].name);
        for (int s = 0; s < 2; s++)
            it->side[s].rec = calloc((size_t)side[s].n_runs, sizeof(struct recording));
        if (!it->name || !it->side[0].rec || !it->side[1].rec) {
            item_done(it);
            return err_set(err, -ENOMEM, "out of memory");
        }
    }
    return 0;
}

int load_runs(struct store *st, const struct side_spec side[2], struct compare_items *c,
              struct err *err)
{
    struct run_row first[2];
    int rc = make_parts(side, c, err);

    for (int s = 0; s < 2 && rc == 0; s++)
        rc = add_side(st, &side[s], c, s, &first[s], err);
    if (rc == 0 && strcmp(first[0].shared, first[1].shared) != 0)
        rc = err_set(err, -EINVAL, "'%s' is of '%s', '%s' is of '%s'", side[0].text,
                     first[0].shared, side[1].text, first[1].shared);
    if (rc < 0)
        return rc;
    set_anchors(c);
    for (int p = 0; p < PARTS; p++) {
        const struct recording *a = c->item[p].side[0].rec, *b = c->item[p].side[1].rec;

        /* Policies of one command take turns, round by round. */
        c->item[p].paired = side[0].n_runs == 1 && side[1].n_runs == 1 &&
                            a->session_id == b->session_id && a->n == b->n && !parts[p].control;
    }
    drop_parts(c);
    return c->n ? 0 : err_set(err, -EUCLEAN, "'%s': these runs have no repeats", side[0].text);
}
