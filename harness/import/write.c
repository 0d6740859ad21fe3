#include "harness/import/write.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/model/weights.h"
#include "harness/text/csv.h"
#include "operators/op.h"

/* ---- comments: how ONNX axes lie ---- */

static int by_stride(const void *a_, const void *b_)
{
    const int64_t *a = a_, *b = b_;

    return (b[0] > a[0]) - (b[0] < a[0]);
}

/* "# input image: [1,3,224,224] lies as axes 2,3|1": rows|columns, axes of one element left out. */
static void put_layout(FILE *f, const struct low *l, const char *what, const char *name,
                       const struct view *v, int64_t cols)
{
    struct shape s = view_shape(v);
    int64_t axis[IR_MAX_RANK][2];
    int n = 0;
    bool in_cols = false;

    for (int i = 0; i < v->rank; i++)
        if (v->dim[i] > 1) {
            axis[n][0] = v->stride[i];
            axis[n++][1] = i;
        }
    qsort(axis, (size_t)n, sizeof(axis[0]), by_stride);
    fprintf(f, "# %s %s: %s lies as axes ", what, name, shape_text(l->a, &s));
    for (int i = 0; i < n; i++) {
        bool col = axis[i][0] < cols;

        fprintf(f, "%s%" PRId64, col && !in_cols ? "|" : i ? "," : "", axis[i][1]);
        in_cols = col;
    }
    fprintf(f, "%s\n", in_cols ? "" : "|");
}

/* ---- rows ---- */

static char *params_text(const struct low *l, const struct low_node *n, const char *between)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    char *copy;

    if (!f)
        arena_fail(l->a, -ENOMEM, "out of memory");
    for (int i = 0; i < n->n_params; i++) {
        const struct low_param *p = &n->param[i];

        fprintf(f, "%s%s=", i ? between : "", p->key);
        if (p->text)
            fputs(p->text, f);
        else
            fprintf(f, "%" PRId64, p->value);
    }
    fclose(f);
    copy = arena_text(l->a, text, size);
    free(text);
    return copy;
}

/* Operators and their ranges are the table's to judge. */
static void check_case(const struct low *l, const struct low_node *n)
{
    struct op_case c;
    struct err why = {0};

    if (op_find(n->op) && op_case_make(n->op, DTYPE_F32, params_text(l, n, ","), &c, &why) < 0)
        arena_fail(l->a, -ENOTSUP, "layer '%s': %s", n->name, why.text);
}

/* "normal:STD:MEAN" like the values, so that random ones of the same graph behave alike. */
static void put_init(FILE *f, const struct low *l, int weight)
{
    enum { MAX_ROWS = 64, MOST = 1 << 18 };
    const struct low_weight *w = &l->weight[weight];
    int64_t rows = w->rows < MAX_ROWS ? w->rows : MAX_ROWS, n;
    double sum = 0, squares = 0, mean, std;
    bool same = true;
    float *v;

    while (rows > 1 && rows * w->cols > MOST)
        rows /= 2;
    n = rows * w->cols;
    v = malloc((size_t)n * sizeof(*v));
    if (!v)
        arena_fail(l->a, -ENOMEM, "out of memory");
    low_weight_values(l, weight, 0, rows, v);
    for (int64_t i = 0; i < n; i++) {
        sum += (double)v[i];
        same = same && v[i] == v[0];
    }
    mean = sum / (double)n;
    for (int64_t i = 0; i < n; i++)
        squares += ((double)v[i] - mean) * ((double)v[i] - mean);
    std = fmin(sqrt(squares / (double)n), 1e4);
    if (same)
        fprintf(f, "const:%.6g", fmax(fmin((double)v[0], 1e4), -1e4));
    else if (fabs(mean) > 0.05 * std)
        fprintf(f, "normal:%.4g:%.4g", std, fmax(fmin(mean, 1e4), -1e4));
    else
        fprintf(f, "normal:%.4g", std);
    free(v);
}

static const char *ref_name(const struct low *l, struct ref r)
{
    return r.kind == REF_INPUT  ? l->g->tensor[l->input[r.index].tensor].name
           : r.kind == REF_NODE ? l->node[r.index].name
                                : l->weight[r.index].name;
}

static void put_refs(FILE *f, const struct low *l, const struct low_node *n, bool weights)
{
    const char *blank = "";

    for (int j = 0; j < n->n_in; j++)
        if ((n->in[j].kind == REF_WEIGHT) == weights) {
            fprintf(f, "%s%s", blank, ref_name(l, n->in[j]));
            blank = " ";
        }
    fputc(',', f);
}

static void put_node(FILE *f, const struct low *l, const struct low_node *n)
{
    const char *blank = "";

    check_case(l, n);
    fprintf(f, "layer,%s,%s,%s,", n->name, n->op, params_text(l, n, " "));
    put_refs(f, l, n, false);
    put_refs(f, l, n, true);
    for (int j = 0; j < n->n_in; j++)
        if (n->in[j].kind == REF_WEIGHT) {
            fputs(blank, f);
            put_init(f, l, n->in[j].index);
            blank = " ";
        }
    fputc('\n', f);
}

static void put_input(FILE *f, const struct low *l, const struct low_input *in)
{
    const char *name = l->g->tensor[in->tensor].name;

    if (in->ids)
        fprintf(f, "input,%s,ids,n=%" PRId64 " vocab=%" PRId64 ",,,\n", name, in->cols, in->vocab);
    else
        fprintf(f, "input,%s,values,rows=%" PRId64 " cols=%" PRId64 ",,,\n", name, in->rows,
                in->cols);
}

static void put_graph(FILE *f, const struct low *l, const char *name, const char *source)
{
    const char *base = strrchr(source, '/');

    fputs("flashmem-graph,1\nkind,name,op,params,inputs,weights,init\n", f);
    fprintf(f, "# imported from %s\n", base ? base + 1 : source);
    for (int i = 0; i < l->n_inputs; i++)
        put_layout(f, l, "input", l->g->tensor[l->input[i].tensor].name, &l->input[i].v,
                   l->input[i].cols);
    put_layout(f, l, "output", l->node[l->output.index].name, &l->output_view,
               l->node[l->output.index].cols);
    fprintf(f, "model,%s,,,,,\n", name);
    for (int i = 0; i < l->n_inputs; i++)
        put_input(f, l, &l->input[i]);
    for (int i = 0; i < l->n_nodes; i++)
        put_node(f, l, &l->node[i]);
}

void write_graph(const struct low *l, const char *name, const char *source, const char *path)
{
    char *text = NULL, *tmp = arena_printf(l->a, "%s.tmp", path);
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    jmp_buf here, *before = l->a->land;
    bool bad;

    if (!f)
        arena_fail(l->a, -ENOMEM, "out of memory");
    l->a->land = &here;
    if (setjmp(here)) { /* the text is not the arena's */
        l->a->land = before;
        fclose(f);
        free(text);
        longjmp(*before, 1);
    }
    put_graph(f, l, name, source);
    l->a->land = before;
    fclose(f);
    f = fopen(tmp, "w");
    bad = !f || fwrite(text, 1, size, f) != size;
    if (f && fclose(f) != 0)
        bad = true;
    free(text);
    if (bad || rename(tmp, path) < 0) {
        int code = -errno;

        unlink(tmp);
        arena_fail(l->a, code, "cannot write '%s': %s", path, strerror(-code));
    }
}

/* ---- weights ---- */

struct origin {
    const struct low *l;
    const int *weight; /* of the lowered graph, by the model's order */
};

static int give_rows(void *ctx, int weight, int64_t row, int64_t rows, float *ret_values)
{
    const struct origin *s = ctx;

    low_weight_values(s->l, s->weight[weight], row, rows, ret_values);
    return 0;
}

/* What the weights file needs to know of the model: its weights in order of first need. Whole
 * models are read from the graph; this one also serves a graph whose operators this program lacks.
 */
static void weights_of(const struct low *l, struct model *m, int *order)
{
    bool *seen = NEWS(l->a, l->n_weights + 1, bool);

    m->weight = NEWS(l->a, l->n_weights + 1, struct weight);
    for (int i = 0; i < l->n_nodes; i++)
        for (int j = 0; j < l->node[i].n_in; j++) {
            struct ref r = l->node[i].in[j];
            const struct low_weight *w = &l->weight[r.kind == REF_WEIGHT ? r.index : 0];
            struct weight *to;

            if (r.kind != REF_WEIGHT || seen[r.index])
                continue;
            seen[r.index] = true;
            order[m->n_weights] = r.index;
            to = &m->weight[m->n_weights++];
            to->name = arena_text(l->a, w->name, strlen(w->name));
            to->desc = (struct tensor_desc){w->rows, w->cols, w->inner, m->dtype};
            to->vector = w->vector;
            if (w->vector) {
                to->vector_texel = (int64_t)(m->bundle_bytes / (4 * dtype_bytes(m->dtype)));
                m->bundle_bytes += tensor_bytes(&to->desc);
            }
        }
}

void write_weights(const struct low *l, const char *name, const char *graph_path,
                   const struct import_options *opt, struct import_result *ret)
{
    struct model m = {.name = arena_text(l->a, name, strlen(name)), .dtype = opt->dtype};
    int *order = NEWS(l->a, l->n_weights + 1, int);
    struct origin origin = {l, order};
    struct weights_source from = {.rows = give_rows, .ctx = &origin};
    struct err why = {0};
    int rc;

    weights_of(l, &m, order);
    ret->weights = m.n_weights;
    ret->weight_bytes = m.bundle_bytes;
    for (int i = 0; i < m.n_weights; i++)
        ret->weight_bytes += m.weight[i].vector ? 0 : tensor_bytes(&m.weight[i].desc);
    if (!opt->weights)
        return;
    rc = model_hash(graph_path, &m.hash, &why);
    if (rc == 0)
        rc = weights_write_from(&m, &from, opt->weights, opt->progress, opt->ctx, &why);
    if (rc < 0)
        arena_fail(l->a, rc, "%s", why.text);
}
