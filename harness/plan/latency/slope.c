/* The slope trick: V_{l-1}(S) = min over x of f_l(x) + V_l(S + x) is an infimal convolution of two
 * convex functions, that is a merge of their segments by slope. */
#include "harness/plan/latency/slope.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct pieces {
    int n, room;
    struct slope_piece *piece;
};

static int add_piece(struct pieces *to, double slope, int length)
{
    struct slope_piece *last = to->n > 0 ? &to->piece[to->n - 1] : NULL;

    if (length <= 0)
        return 0;
    if (last && fabs(last->slope - slope) <= 1e-12 * fabs(slope)) {
        last->length += length;
        return 0;
    }
    if (to->n == to->room) {
        int room = 2 * to->room + 64;
        struct slope_piece *more = realloc(to->piece, (size_t)room * sizeof(*more));

        if (!more)
            return -ENOMEM;
        to->piece = more;
        to->room = room;
    }
    to->piece[to->n++] = (struct slope_piece){.slope = slope, .length = length};
    return 0;
}

/* What each further unit costs `share` of layer l, for up to `most` units: whole units inside a
 * segment of the curve cost the same. */
static int layer_pieces(const struct stream *s, int l, int most, double share, struct pieces *to)
{
    const struct plan_layer *layer = &s->p->layer[l - 1];
    const struct plan_curve *c = layer->curve;
    double unit = s->unit_bytes;
    int k = 1, x = 0;

    to->n = 0;
    while (x < most) {
        int end;
        double each;

        while (k < c->n - 1 && c->bytes[k] <= x * unit * (1 + 1e-12))
            k++;
        end = k < c->n - 1 ? (int)fmin(most, floor(c->bytes[k] / unit + 1e-9)) : most;
        end = end > x ? end : x + 1; /* a unit across a knot */
        each = (plan_layer_ns(layer, end * unit) - plan_layer_ns(layer, x * unit)) / (end - x);
        if (add_piece(to, share * each, end - x) < 0)
            return -ENOMEM;
        x = end;
    }
    return 0;
}

void slopes_done(struct slopes *v)
{
    free(v->left);
    free(v->right);
    free(v->end);
    free(v->least);
    free(v->share);
    free(v->first);
    free(v->n);
    free(v->piece);
    *v = (struct slopes){0};
}

/* Both from the left: V's slopes rise from below; f's, mirrored, from its dearest unit. */
static int merge(const struct slope_piece *a, int n, const struct pieces *f, struct pieces *to)
{
    int i = 0, k = f->n - 1, rc = 0;

    to->n = 0;
    while ((i < n || k >= 0) && rc == 0) {
        if (k < 0 || (i < n && a[i].slope <= -f->piece[k].slope)) {
            rc = add_piece(to, a[i].slope, a[i].length);
            i++;
        } else {
            rc = add_piece(to, -f->piece[k].slope, f->piece[k].length);
            k--;
        }
    }
    return rc;
}

/* Keep what lies in [low, high]; false: nothing does. */
static bool crop(struct pieces *m, int low, int high, int *left, int *right, double *end)
{
    int skip = 0;

    while (*right > high && m->n > 0) {
        struct slope_piece *last = &m->piece[m->n - 1];
        int off = *right - high < last->length ? *right - high : last->length;

        *end -= last->slope * off;
        *right -= off;
        last->length -= off;
        m->n -= last->length == 0;
    }
    while (*left < low && skip < m->n) {
        struct slope_piece *first = &m->piece[skip];
        int off = low - *left < first->length ? low - *left : first->length;

        *left += off;
        first->length -= off;
        skip += first->length == 0;
    }
    memmove(m->piece, m->piece + skip, (size_t)(m->n - skip) * sizeof(*m->piece));
    m->n -= skip;
    return *left >= low && *right <= high && *left <= *right;
}

static int keep(struct slopes *v, int l, const struct pieces *m, int *used, int *room)
{
    if (*used + m->n > *room) {
        int more = 2 * (*used + m->n) + 1024;
        struct slope_piece *piece = realloc(v->piece, (size_t)more * sizeof(*piece));

        if (!piece)
            return -ENOMEM;
        v->piece = piece;
        *room = more;
    }
    if (m->n > 0)
        memcpy(v->piece + *used, m->piece, (size_t)m->n * sizeof(*m->piece));
    v->first[l] = *used;
    v->n[l] = m->n;
    *used += m->n;
    return 0;
}

/* Units that can have been read when layer l starts without a stall, however the layers before
 * went: from the end of any layer k on, none of those in between moves anything, so their time is
 * known. INFINITY where the disk has room, or where how much depends on S itself. */
static double read_by(const struct stream *s, int l)
{
    const struct plan_problem *p = s->p;
    double least = INFINITY, between = 0;
    bool known = p->ring == 0 && (p->m_total > 0 || (p->m_peak >= 0 && p->limit == LIMIT_RESIDENT));

    for (int k = l - 1; k >= 1 && known && !isinf(s->per_ns); k--) {
        least = fmin(least, stream_pause_at(s, k - 1, 0, 0) + between * s->per_ns);
        if (s->most[k] > 0)
            break;
        between += plan_layer_ns(&p->layer[k - 1], 0);
    }
    return s->n_units > 0 ? least / s->unit_bytes : INFINITY;
}

struct flow {                   /* of paths through layer l */
    double kernels, wait, full; /* e_{l-1} -> e_l, i_{l-1} -> e_l, e_l -> i_l */
    double all;                 /* that come to e_l */
};

/* g = V_l, and what paths add to it by S_l: those from kernels the stall before layer l, where
 * beyond `read` units, rounded up, each costs what the disk takes; those that wait for the disk,
 * all that it reads; those behind which it stood still, less by what it had read. */
static int add_paths(const struct slopes *v, int l, struct flow by, struct pieces *g, double *end)
{
    const struct stream *s = v->s;
    struct critical_pause pause = critical_pause(s, l);
    double unit_ns = s->unit_bytes / s->per_ns, read = read_by(s, l), each = 0;
    int at = v->left[l], whole = (int)ceil(fmax(0, fmin(read, s->n_units)));

    if (by.wait > 0 || by.full > 0) {
        each = by.wait * unit_ns;
        *end += (by.wait * s->fixed_bytes - by.full * (s->fixed_bytes + pause.at)) / s->per_ns +
                v->right[l] * each;
    }
    if (whole < v->right[l])
        *end += by.kernels * (v->right[l] - whole) * unit_ns;
    g->n = 0;
    for (int i = 0; i < v->n[l]; i++) {
        const struct slope_piece *p = &v->piece[v->first[l] + i];
        double slope = p->slope + each;
        int before = whole - at, length = p->length;

        before = before < 0 ? 0 : before > length ? length : before;
        if (add_piece(g, slope, before) < 0 ||
            add_piece(g, slope + (before < length ? by.kernels * unit_ns : 0), length - before) < 0)
            return -ENOMEM;
        at += length;
    }
    return 0;
}

/* And by S_{l-1}, to m, up to `right`. */
static void add_before(const struct stream *s, int l, double full, int right, struct pieces *m,
                       double *end)
{
    double each = full > 0 ? -full * critical_pause(s, l).before / s->per_ns : 0;

    *end += right * each;
    for (int i = 0; i < m->n; i++)
        m->piece[i].slope += each;
}

static double least_of(double end, const struct pieces *m)
{
    for (int i = m->n - 1; i >= 0 && m->piece[i].slope > 0; i--)
        end -= m->piece[i].slope * m->piece[i].length;
    return end;
}

/* Once share[l] is known. */
static struct flow flow_of(const struct slopes *v, int l, const struct critical *c)
{
    struct flow by = {.full = c && c->full ? fmax(0, fmin(c->full[l], 1 - v->share[l])) : 0};

    by.all = v->share[l] + by.full;
    by.wait = c && c->wait ? fmax(0, fmin(c->wait[l], by.all)) : 0;
    by.kernels = by.all - by.wait;
    return by;
}

/* V_{l-1} from V_l, not cropped yet. */
static int through(struct slopes *v, int l, const struct critical *c, struct pieces *f,
                   struct pieces *g, struct pieces *m, double *end)
{
    const struct stream *s = v->s;
    int most = v->right[l] - s->low[l - 1];
    struct flow by = flow_of(v, l, c);

    v->share[l - 1] = by.kernels;
    most = s->most[l] < most ? s->most[l] : most;
    most = most > 0 ? most : 0;
    if (layer_pieces(s, l, most, by.all, f) < 0 || add_paths(v, l, by, g, end) < 0 ||
        merge(g->piece, g->n, f, m) < 0)
        return -ENOMEM;
    *end += by.all * plan_layer_ns(&s->p->layer[l - 1], 0);
    add_before(s, l, by.full, v->right[l], m, end);
    return most;
}

static void add_tilt(double tilt, int right, struct pieces *m, double *end)
{
    *end += tilt * right;
    for (int i = 0; i < m->n; i++)
        m->piece[i].slope += tilt;
}

static int fill(struct slopes *v, const struct critical *c, struct pieces *f, struct pieces *g,
                struct pieces *m, int *ret_layer)
{
    const struct stream *s = v->s;
    int used = 0, room = 0, n_layers = s->p->n_layers;
    int left = s->n_units, right = s->n_units;
    double end = 0;

    v->share[n_layers] = 1;
    for (int l = n_layers; l >= 0; l--) {
        if (l < n_layers) {
            int most = through(v, l + 1, c, f, g, m, &end);

            if (most < 0)
                return most;
            left -= most;
        }
        if (c && c->tilt)
            add_tilt(c->tilt[l], right, m, &end);
        if (!crop(m, s->low[l], s->high[l], &left, &right, &end)) {
            if (ret_layer)
                *ret_layer = l;
            return -ENOSPC;
        }
        v->left[l] = left;
        v->right[l] = right;
        v->end[l] = end;
        v->least[l] = least_of(end, m);
        if (keep(v, l, m, &used, &room) < 0)
            return -ENOMEM;
    }
    return 0;
}

int slopes_make(const struct stream *s, const struct critical *c, struct slopes *ret_v,
                int *ret_layer)
{
    struct slopes v = {.s = s};
    struct pieces f = {0}, g = {0}, m = {0};
    size_t n = (size_t)s->p->n_layers + 1;
    int rc = -ENOMEM;

    v.left = calloc(n, sizeof(int));
    v.right = calloc(n, sizeof(int));
    v.end = calloc(n, sizeof(double));
    v.least = calloc(n, sizeof(double));
    v.share = calloc(n, sizeof(double));
    v.first = calloc(n, sizeof(int));
    v.n = calloc(n, sizeof(int));
    if (v.left && v.right && v.end && v.least && v.share && v.first && v.n &&
        add_piece(&m, 0, 1) == 0) {
        m.n = 0;
        rc = fill(&v, c, &f, &g, &m, ret_layer);
    }
    free(f.piece);
    free(g.piece);
    free(m.piece);
    if (rc < 0)
        slopes_done(&v);
    else
        *ret_v = v;
    return rc;
}

void slopes_fill(const struct slopes *v, int l, int from, int to, double *ret_value)
{
    const struct slope_piece *p = v->piece + v->first[l];
    int at = v->right[l], k = v->n[l] - 1, done = 0;
    double value = v->end[l];

    for (int u = to; u >= from; u--) {
        if (u > v->right[l] || u < v->left[l]) {
            ret_value[u - from] = INFINITY;
            continue;
        }
        while (at > u) {
            int off = p[k].length - done < at - u ? p[k].length - done : at - u;

            value -= p[k].slope * off;
            at -= off;
            done += off;
            if (done == p[k].length) {
                k--;
                done = 0;
            }
        }
        ret_value[u - from] = value;
    }
}

/* Where V_0 and the time of preloading come to the least. */
static double best_start(const struct slopes *v, int *ret_units)
{
    const struct stream *s = v->s;
    double each = v->share[0] * s->unit_bytes / s->per_ns, least = INFINITY, value = v->end[0];
    int units = v->right[0];

    for (int k = v->n[0]; k >= 0; k--) { /* at the ends of its pieces, from the right */
        if (value + each * units < least) {
            least = value + each * units;
            *ret_units = units;
        }
        if (k > 0) {
            const struct slope_piece *p = &v->piece[v->first[0] + k - 1];

            value -= p->slope * p->length;
            units -= p->length;
        }
    }
    return least + v->share[0] * s->fixed_bytes / s->per_ns;
}

double slopes_least(const struct slopes *v)
{
    int units;

    return best_start(v, &units);
}

int slopes_curve(const struct slopes *v, const struct critical *c, int *units)
{
    const struct stream *s = v->s;
    double *row = malloc(((size_t)s->n_units + 1) * sizeof(*row));

    if (!row)
        return -ENOMEM;
    best_start(v, &units[0]);
    for (int l = 1; l <= s->p->n_layers; l++) {
        int from = units[l - 1], to = from + s->most[l], left = v->left[l];
        double best = INFINITY, unit_ns = s->unit_bytes / s->per_ns;
        double whole = ceil(fmax(0, fmin(read_by(s, l), s->n_units)));
        struct flow by = flow_of(v, l, c);

        to = to < v->right[l] ? to : v->right[l];
        left = left > from ? left : from;
        slopes_fill(v, l, left, to, row);
        for (int u = left; u <= to; u++) {
            double ns = by.all * plan_layer_ns(&s->p->layer[l - 1], (u - from) * s->unit_bytes) +
                        row[u - left] + by.wait * u * unit_ns +
                        by.kernels * fmax(0, u - whole) * unit_ns;

            if (ns < best) {
                best = ns;
                units[l] = u;
            }
        }
    }
    free(row);
    return 0;
}
