/* "session:3,5,form:copy": which recordings are one side of a comparison. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/compare/internal.h"

#define WANT "want device:NAME, session:ID[,ID...] or run:ID[,ID...], as 'flashmem compare --list' shows them"

unsigned side_drops(const struct side_spec *s)
{
    return (s->path ? DROP_PATH : 0) | (s->kernel ? DROP_KERNEL : 0) | (s->form ? DROP_FORM : 0);
}

/* ---- rows that are named ---- */

static int one_id(struct store_query *q, int64_t *ret_id, struct err *err)
{
    int rc = store_step(q, err);

    *ret_id = rc == 1 ? store_int(q, 0) : 0;
    store_query_done(q);
    return rc < 0 ? rc : 0;
}

/* By number, or by the beginning of its UUID, which merging keeps. */
static int find_session(struct store *st, const char *value, int64_t *ret_id, struct err *err)
{
    struct store_query *q = NULL;
    char *end;
    int64_t id = strtoll(value, &end, 10);
    int rc;

    if (*end == '\0' && end != value)
        rc = store_query(st, &q, err, "SELECT id FROM session WHERE id = ?", "i", id);
    else
        rc = store_query(st, &q, err,
                         "SELECT min(id) FROM session WHERE substr(uuid, 1, length(?)) = ?"
                         " HAVING count(*) = 1",
                         "ss", value, value);
    if (rc == 0)
        rc = one_id(q, &id, err);
    if (rc == 0 && id == 0)
        rc = err_set(err, -ENOENT, "no session '%s' in '%s': 'flashmem compare --list' shows them",
                     value, store_path(st));
    if (rc == 0)
        *ret_id = id;
    return rc;
}

static int find_run(struct store *st, const char *value, int64_t *ret_id, struct err *err)
{
    struct store_query *q = NULL;
    char *end;
    int64_t id = strtoll(value, &end, 10);
    int rc;

    if (*end || end == value)
        return err_set(err, -EINVAL, "run: want a number, as 'flashmem compare --list' shows them, got '%s'",
                       value);
    rc = store_query(st, &q, err, "SELECT id FROM run WHERE id = ?", "i", id);
    if (rc == 0)
        rc = one_id(q, &id, err);
    if (rc == 0 && id == 0)
        rc = err_set(err, -ENOENT, "no run '%s' in '%s': 'flashmem compare --list' shows them",
                     value, store_path(st));
    if (rc == 0)
        *ret_id = id;
    return rc;
}

/* The row's number, or a part of platform, name and driver that only one device has. */
static int find_device(struct store *st, const char *value, int64_t *ret_id, struct err *err)
{
    struct store_query *q = NULL;
    char names[600] = "", *end;
    int64_t number = strtoll(value, &end, 10), id = 0;
    bool by_number = *value && !*end;
    int matches = 0, rc;
    size_t n = 0;

    rc = store_query(st, &q, err,
                     "SELECT id, platform || ' ' || name || ' (' || driver || ', ' || compute_units"
                     " || ' units)' FROM device"
                     " ORDER BY id",
                     "");
    while (rc >= 0 && (rc = store_step(q, err)) == 1) {
        bool is = by_number ? store_int(q, 0) == number : !!strcasestr(store_text(q, 1), value);

        if (is) {
            id = store_int(q, 0);
            matches++;
        }
        if (n < sizeof(names))
            n += (size_t)snprintf(names + n, sizeof(names) - n, "%s%" PRId64 ": '%s'",
                                  n ? ", " : "", store_int(q, 0), store_text(q, 1));
    }
    store_query_done(q);
    if (rc < 0)
        return rc;
    if (!n)
        return err_set(err, -ENOENT, "no device in '%s': run 'flashmem sweep SPEC'",
                       store_path(st));
    if (matches != 1 && !*value)
        return err_set(err, -ENOENT,
                       "'%s' has several devices: add device:NAME to both sides, the "
                       "number or a part of one of %s",
                       store_path(st), names);
    if (matches != 1)
        return err_set(err, -ENOENT,
                       "device:%s means %s device of '%s', want the number or a part "
                       "of one of %s",
                       value, matches ? "more than one" : "no", store_path(st), names);
    *ret_id = id;
    return 0;
}

/* ---- words ---- */

static int add_id(int64_t *list, int *n, int64_t id, const char *value, struct err *err)
{
    for (int i = 0; i < *n; i++)
        if (list[i] == id)
            return err_set(err, -EINVAL, "'%s' is given twice", value);
    if (*n == SIDE_IDS)
        return err_set(err, -EINVAL, "more than %d on one side", SIDE_IDS);
    list[(*n)++] = id;
    return 0;
}

static int set_text(const char **field, const char *name, const char *value, struct err *err)
{
    if (*field)
        return err_set(err, -EINVAL, "%s: is given twice", name);
    *field = value;
    return 0;
}

static int take(struct store *st, struct side_spec *s, const char *field, const char *value,
                struct err *err)
{
    int64_t id = 0;
    int rc;

    if (!*value)
        return err_set(err, -EINVAL, "'%s': %s: is empty", s->text, field);
    if (strcmp(field, "session") == 0) {
        rc = find_session(st, value, &id, err);
        return rc < 0 ? rc : add_id(s->session, &s->n_sessions, id, value, err);
    }
    if (strcmp(field, "run") == 0) {
        rc = find_run(st, value, &id, err);
        return rc < 0 ? rc : add_id(s->run, &s->n_runs, id, value, err);
    }
    if (strcmp(field, "device") == 0)
        return set_text(&s->device, field, value, err);
    if (strcmp(field, "op") == 0)
        return set_text(&s->op, field, value, err);
    if (strcmp(field, "form") == 0)
        return set_text(&s->form, field, value, err);
    if (strcmp(field, "path") == 0)
        return set_text(&s->path, field, value, err);
    if (strcmp(field, "kernel") == 0)
        return set_text(&s->kernel, field, value, err);
    return err_set(err, -EINVAL,
                   "'%s': no field '%s': " WANT ", with form:, path:, kernel: or op:", s->text,
                   field);
}

/* The one device that all of its sessions and runs are of. */
static int device_of(struct store *st, struct side_spec *s, struct err *err)
{
    struct store_query *q = NULL;
    int rc = 0, n = s->n_runs ? s->n_runs : s->n_sessions;

    if (s->device)
        rc = find_device(st, s->device, &s->device_id, err);
    for (int i = 0; i < n && rc == 0; i++) {
        int64_t id = 0;

        rc = s->n_runs ? store_query(st, &q, err,
                                     "SELECT e.device_id FROM run r JOIN session e ON"
                                     " e.id = r.session_id WHERE r.id = ?",
                                     "i", s->run[i])
                       : store_query(st, &q, err, "SELECT device_id FROM session WHERE id = ?", "i",
                                     s->session[i]);
        if (rc == 0)
            rc = one_id(q, &id, err);
        if (rc == 0 && s->device_id && s->device_id != id)
            rc = err_set(err, -EINVAL, "'%s': these are of more than one device: 'flashmem compare --list' says "
                         "of which, give one side to each", s->text);
        s->device_id = id;
    }
    if (rc == 0 && !s->device_id) /* form: alone: of the only device there is */
        rc = find_device(st, "", &s->device_id, err);
    return rc;
}

int side_parse(struct store *st, const char *text, struct side_spec *ret_s, struct err *err)
{
    struct side_spec *s = ret_s;
    char *field = NULL, *next, *word;
    int rc = 0;

    *s = (struct side_spec){0};
    if (strlen(text) >= SIDE_TEXT)
        return err_set(err, -EINVAL, "'%.40s...': a side of more than %d bytes", text,
                       SIDE_TEXT - 1);
    strcpy(s->text, text);
    strcpy(s->words, text);
    for (word = s->words; word && rc == 0; word = next) {
        char *value = word, *colon;

        next = strchr(word, ',');
        if (next)
            *next++ = '\0';
        colon = strchr(word, ':');
        if (colon) {
            *colon = '\0';
            field = word;
            value = colon + 1;
        } else if (!field || (strcmp(field, "session") != 0 && strcmp(field, "run") != 0)) {
            return err_set(err, -EINVAL, "'%s': " WANT ", got '%s'", text, word);
        }
        rc = take(st, s, field, value, err);
    }
    if (rc < 0)
        return rc;
    if (s->n_runs && (s->n_sessions || s->device || s->op || side_drops(s)))
        return err_set(err, -EINVAL, "'%s': run: stands alone, without device:, session:, op:, path:, "
                       "kernel: and form:", text);
    return device_of(st, s, err);
}

static bool shares_recordings(const struct side_spec side[2])
{
    if (side[0].n_sessions == 0 || side[1].n_sessions == 0)
        return side[0].device_id == side[1].device_id;
    for (int i = 0; i < side[0].n_sessions; i++)
        for (int k = 0; k < side[1].n_sessions; k++)
            if (side[0].session[i] == side[1].session[k])
                return true;
    return false;
}

static bool differs(const char *a, const char *b)
{
    return a && b && strcmp(a, b) != 0;
}

int side_check(struct store *st, const struct side_spec side[2], bool *ret_same_device,
               struct err *err)
{
    const struct side_spec *a = &side[0], *b = &side[1];
    struct store_query *q = NULL;
    int64_t same = 0;
    int rc;

    if (!a->n_runs != !b->n_runs)
        return err_set(err, -EINVAL, "'%s' and '%s': runs are compared with runs", a->text,
                       b->text);
    for (int i = 0; i < a->n_runs; i++)
        for (int k = 0; k < b->n_runs; k++)
            if (a->run[i] == b->run[k])
                return err_set(err, -EINVAL, "run %" PRId64 " is on both sides", a->run[i]);
    if (side_drops(a) != side_drops(b))
        return err_set(err, -EINVAL,
                       "'%s' and '%s': both name a form, path or kernel, or neither "
                       "does",
                       a->text, b->text);
    if (!a->n_runs && shares_recordings(side) && !differs(a->form, b->form) &&
        !differs(a->path, b->path) && !differs(a->kernel, b->kernel))
        return err_set(err, -EINVAL, "'%s' and '%s' have recordings in common", a->text, b->text);
    /* A new driver on the same machine leaves the machine the same. */
    rc = store_query(st, &q, err,
                     "SELECT count(*) FROM device a JOIN device b ON a.name = b.name"
                     " AND a.platform = b.platform AND a.compute_units = b.compute_units"
                     " WHERE a.id = ? AND b.id = ?",
                     "ii", a->device_id, b->device_id);
    if (rc == 0)
        rc = one_id(q, &same, err);
    *ret_same_device = same > 0;
    return rc;
}
