#include "harness/sweep/wire.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "profiler/clock.h"

#define LINE_BYTES_MAX (64u << 20)
#define LOOK_MS        500 /* a signal between the check and poll() is seen this much later */
#define LOOK_NS        (LOOK_MS * UINT64_C(1000000))
#define STOPPED_NS     UINT64_C(1000000000) /* no scheduler is so late */

void work_result_init(struct work_result *r, enum sample_status status)
{
    *r = (struct work_result){.status = status,
                              .slowdown = NAN,
                              .slowdown_low = NAN,
                              .slowdown_high = NAN,
                              .worst_error = NAN,
                              .build_ns = NAN,
                              .verify_ns = NAN,
                              .warmup_ns = NAN,
                              .flush_ns = NAN,
                              .pace_ns = NAN,
                              .measure_ns = NAN};
    for (int i = 0; i < 2; i++)
        r->side[i] = (struct work_side){NULL, NULL, NAN, NAN, NAN, NAN};
}

void work_result_done(struct work_result *r)
{
    for (int i = 0; i < 2; i++) {
        free(r->side[i].time_ns);
        free(r->side[i].cores);
    }
    free(r->aside);
    work_result_init(r, SAMPLE_CRASHED);
}

/* ---- one table of plain fields for both directions ---- */

enum field_type { FIELD_REAL, FIELD_INT, FIELD_U64, FIELD_TEXT, FIELD_BOOL };
struct field {
    const char *name;
    enum field_type type;
    size_t offset, size;
};
#define FIELD(s, f, t)                                                                             \
    {                                                                                              \
#f, t, offsetof(struct s, f), sizeof(((struct s *)0)->f)                                   \
    }

static const struct field order_fields[] = {
    FIELD(work_order, key, FIELD_TEXT),
    FIELD(work_order, c, FIELD_TEXT),
    FIELD(work_order, v, FIELD_TEXT),
    FIELD(work_order, load_bytes, FIELD_U64),
    FIELD(work_order, room_bytes, FIELD_U64),
    FIELD(work_order, seed, FIELD_U64),
    FIELD(work_order, pace_ns, FIELD_U64),
    FIELD(work_order, measure.target, FIELD_REAL),
    FIELD(work_order, measure.min_repeats, FIELD_INT),
    FIELD(work_order, measure.max_repeats, FIELD_INT),
    FIELD(work_order, measure.max_time_ns, FIELD_U64),
    FIELD(work_order, measure.hot, FIELD_BOOL),
    FIELD(work_order, measure.seed, FIELD_U64),
    {0},
};

static const struct field result_fields[] = {
    FIELD(work_result, error, FIELD_TEXT),
    FIELD(work_result, build_hash, FIELD_TEXT),
    FIELD(work_result, timer, FIELD_TEXT),
    FIELD(work_result, batch, FIELD_INT),
    FIELD(work_result, n, FIELD_INT),
    FIELD(work_result, sides, FIELD_INT),
    FIELD(work_result, slowdown, FIELD_REAL),
    FIELD(work_result, slowdown_low, FIELD_REAL),
    FIELD(work_result, slowdown_high, FIELD_REAL),
    FIELD(work_result, worst_error, FIELD_REAL),
    FIELD(work_result, build_ns, FIELD_REAL),
    FIELD(work_result, verify_ns, FIELD_REAL),
    FIELD(work_result, warmup_ns, FIELD_REAL),
    FIELD(work_result, flush_ns, FIELD_REAL),
    FIELD(work_result, pace_ns, FIELD_REAL),
    FIELD(work_result, measure_ns, FIELD_REAL),
    {0},
};

static const struct field side_fields[] = {
    FIELD(work_side, median_ns, FIELD_REAL),
    FIELD(work_side, low_ns, FIELD_REAL),
    FIELD(work_side, high_ns, FIELD_REAL),
    FIELD(work_side, mad_ns, FIELD_REAL),
    {0},
};

/* JSON has no NaN and no infinity: such numbers are left out, and read back as NaN. u64 travels as
 * the int64 of the same bits. Text may hold what a compiler said: bytes that are not UTF-8 become
 * '?'. */
static json_t *put_text(const char *s)
{
    json_t *j = json_string(s);
    char clean[SWEEP_KEY_MAX + ERR_TEXT_MAX];

    if (j)
        return j;
    snprintf(clean, sizeof(clean), "%s", s);
    for (char *p = clean; *p; p++)
        if ((unsigned char)*p >= 0x80)
            *p = '?';
    return json_string(clean);
}

static json_t *put(const struct field *f, const void *s)
{
    json_t *j = json_object();

    for (; j && f->name; f++) {
        const char *p = (const char *)s + f->offset;
        json_t *v = NULL;
        double d;
        uint64_t u;
        int i;

        switch (f->type) {
        case FIELD_REAL:
            memcpy(&d, p, sizeof(d));
            if (!isfinite(d))
                continue;
            v = json_real(d);
            break;
        case FIELD_INT:
            memcpy(&i, p, sizeof(i));
            v = json_integer(i);
            break;
        case FIELD_U64:
            memcpy(&u, p, sizeof(u));
            v = json_integer((json_int_t)u);
            break;
        case FIELD_BOOL:
            v = json_boolean(*(const bool *)(const void *)p);
            break;
        case FIELD_TEXT:
            v = put_text(p);
            break;
        }
        if (json_object_set_new(j, f->name, v) < 0) {
            json_decref(j);
            return NULL;
        }
    }
    return j;
}

static int get(const json_t *j, const struct field *f, void *s, struct err *err)
{
    for (; f->name; f++) {
        const json_t *v = json_object_get(j, f->name);
        char *p = (char *)s + f->offset;
        double d;
        uint64_t u;
        int i;
        bool ok = false;

        switch (f->type) {
        case FIELD_REAL:
            d = v ? json_number_value(v) : NAN;
            memcpy(p, &d, sizeof(d));
            ok = !v || json_is_number(v);
            break;
        case FIELD_INT:
            i = (int)json_integer_value(v);
            memcpy(p, &i, sizeof(i));
            ok = json_is_integer(v);
            break;
        case FIELD_U64:
            u = (uint64_t)json_integer_value(v);
            memcpy(p, &u, sizeof(u));
            ok = json_is_integer(v);
            break;
        case FIELD_BOOL:
            *(bool *)(void *)p = json_is_true(v);
            ok = json_is_boolean(v);
            break;
        case FIELD_TEXT:
            ok = json_is_string(v) && json_string_length(v) < f->size;
            if (ok)
                strcpy(p, json_string_value(v));
            break;
        }
        if (!ok)
            return err_set(err, -EPROTO, "worker protocol: bad or missing '%s'", f->name);
    }
    return 0;
}

json_t *wire_order(const struct work_order *o)
{
    return put(order_fields, o);
}

int wire_read_order(const json_t *j, struct work_order *ret_o, struct err *err)
{
    struct work_order o = {0};
    int rc = get(j, order_fields, &o, err);

    if (rc == 0)
        *ret_o = o;
    return rc;
}

json_t *wire_result(const struct work_result *r)
{
    json_t *j = put(result_fields, r), *sides = json_array(), *aside = json_array();

    for (int k = 0; k < r->n; k++)
        json_array_append_new(aside, json_boolean(r->aside[k]));

    for (int i = 0; i < r->sides && j && sides; i++) {
        json_t *side = put(side_fields, &r->side[i]), *times = json_array();
        json_t *cores = r->side[i].cores ? json_array() : NULL;

        for (int k = 0; k < r->n; k++) {
            json_array_append_new(times, json_integer((json_int_t)r->side[i].time_ns[k]));
            json_array_append_new(cores, cores ? json_real(r->side[i].cores[k]) : NULL);
        }
        json_object_set_new(side, "time_ns", times);
        if (cores)
            json_object_set_new(side, "cores", cores);
        json_array_append_new(sides, side);
    }
    if (json_object_set_new(j, "status", json_string(sample_status_name(r->status))) < 0 ||
        json_object_set_new(j, "aside", aside) < 0 || json_object_set_new(j, "side", sides) < 0) {
        json_decref(j);
        return NULL;
    }
    return j;
}

static int read_side(const json_t *j, int n, struct work_side *s, struct err *err)
{
    const json_t *times = json_object_get(j, "time_ns"), *cores = json_object_get(j, "cores");
    int rc = get(j, side_fields, s, err);

    if (rc < 0)
        return rc;
    if (!json_is_array(times) || json_array_size(times) != (size_t)n ||
        (cores && json_array_size(cores) != (size_t)n))
        return err_set(err, -EPROTO, "worker protocol: want %d times", n);
    s->time_ns = calloc((size_t)n + 1, sizeof(*s->time_ns));
    if (cores)
        s->cores = calloc((size_t)n + 1, sizeof(*s->cores));
    if (!s->time_ns || (cores && !s->cores))
        return err_set(err, -ENOMEM, "out of memory");
    for (int i = 0; i < n; i++) {
        s->time_ns[i] = (uint64_t)json_integer_value(json_array_get(times, (size_t)i));
        if (cores)
            s->cores[i] = json_number_value(json_array_get(cores, (size_t)i));
    }
    return 0;
}

static int read_aside(const json_t *j, int n, bool **ret_aside, struct err *err)
{
    if (!json_is_array(j) || json_array_size(j) != (size_t)n)
        return err_set(err, -EPROTO, "worker protocol: bad 'aside'");
    *ret_aside = calloc((size_t)n + 1, sizeof(**ret_aside));
    if (!*ret_aside)
        return err_set(err, -ENOMEM, "out of memory");
    for (int i = 0; i < n; i++)
        (*ret_aside)[i] = json_is_true(json_array_get(j, (size_t)i));
    return 0;
}

int wire_read_result(const json_t *j, struct work_result *ret_r, struct err *err)
{
    const char *status = json_string_value(json_object_get(j, "status"));
    const json_t *sides = json_object_get(j, "side");
    struct work_result r;
    int rc;

    work_result_init(&r, SAMPLE_CRASHED);
    rc = status ? sample_status_parse(status) : -EPROTO;
    if (rc < 0)
        return err_set(err, -EPROTO, "worker protocol: bad or missing 'status'");
    r.status = (enum sample_status)rc;
    rc = get(j, result_fields, &r, err);
    if (rc == 0 &&
        (r.n < 0 || r.sides < 0 || r.sides > 2 || json_array_size(sides) != (size_t)r.sides))
        rc = err_set(err, -EPROTO, "worker protocol: bad 'side'");
    for (int i = 0; i < r.sides && rc == 0; i++)
        rc = read_side(json_array_get(sides, (size_t)i), r.n, &r.side[i], err);
    if (rc == 0)
        rc = read_aside(json_object_get(j, "aside"), r.n, &r.aside, err);
    if (rc < 0) {
        work_result_done(&r);
        return rc;
    }
    *ret_r = r;
    return 0;
}

/* ---- lines over a socket ---- */

int wire_send(int fd, const char *name, json_t *value, struct err *err)
{
    json_t *j = json_object();
    char *text = NULL, *line = NULL;
    int len, rc = 0;

    if (!j || !value || json_object_set_new(j, name, value) < 0 ||
        !(text = json_dumps(j, JSON_COMPACT)) || (len = asprintf(&line, "%s\n", text)) < 0) {
        rc = err_set(err, -ENOMEM, "out of memory");
        goto out;
    }
    for (ssize_t at = 0, n; at < len; at += n) {
        n = send(fd, line + at, (size_t)(len - at), MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            n = 0;
        if (n < 0) {
            rc = err_set(err, -EPIPE, "worker protocol: cannot send: %s", strerror(errno));
            goto out;
        }
    }
out:
    free(line);
    free(text);
    json_decref(j);
    return rc;
}

static int take_line(struct wire_reader *r, json_t **ret_j, struct err *err)
{
    char *end = r->n ? memchr(r->data, '\n', r->n) : NULL;
    json_error_t bad;
    size_t len;

    if (!end)
        return 0;
    len = (size_t)(end - r->data) + 1;
    *ret_j = json_loadb(r->data, len, 0, &bad);
    memmove(r->data, end + 1, r->n - len);
    r->n -= len;
    return *ret_j ? 1 : err_set(err, -EPROTO, "worker protocol: not JSON: %s", bad.text);
}

static int fill(struct wire_reader *r, struct err *err)
{
    ssize_t n;

    if (r->room - r->n < 4096) {
        size_t room = r->room ? 2 * r->room : 65536;
        char *more = room <= LINE_BYTES_MAX ? realloc(r->data, room) : NULL;

        if (!more)
            return err_set(err, -EPROTO, "worker protocol: a line of more than %zu bytes", r->room);
        r->data = more;
        r->room = room;
    }
    n = recv(r->fd, r->data + r->n, r->room - r->n, MSG_DONTWAIT);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return 0;
    if (n <= 0)
        return err_set(err, -EPIPE, "worker protocol: the other side is gone");
    r->n += (size_t)n;
    return 0;
}

struct wire_deadline wire_within(uint64_t ns)
{
    uint64_t now = clock_ns();

    return (struct wire_deadline){.at_ns = now + ns, .looked_ns = now};
}

int wire_receive(struct wire_reader *r, struct wire_deadline *deadline,
                 const volatile sig_atomic_t *interrupted, json_t **ret_j, struct err *err)
{
    for (;;) {
        struct pollfd p = {.fd = r->fd, .events = POLLIN};
        int wait_ms = LOOK_MS;
        int rc = take_line(r, ret_j, err);

        if (rc != 0)
            return rc < 0 ? rc : 0;
        if (interrupted && *interrupted)
            return err_set(err, -EINTR, "interrupted");
        if (deadline) {
            uint64_t now = clock_ns(), since = deadline->looked_ns;

            /* Stopped (Ctrl-Z, a suspended laptop), and the worker with us: that is nobody's time.
             */
            if (now - since > LOOK_NS + STOPPED_NS)
                deadline->at_ns += now - since - LOOK_NS;
            deadline->looked_ns = now;
            if (now >= deadline->at_ns)
                return err_set(err, -ETIMEDOUT, "no answer in time");
            if (deadline->at_ns - now < LOOK_NS)
                wait_ms = (int)((deadline->at_ns - now) / 1000000) + 1;
        }
        rc = poll(&p, 1, wait_ms);
        if (rc > 0) {
            rc = fill(r, err);
            if (rc < 0)
                return rc;
        }
    }
}

void wire_reader_done(struct wire_reader *r)
{
    free(r->data);
    *r = (struct wire_reader){.fd = -1};
}
