#include "harness/model/graph.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/text/csv.h"
#include "harness/text/units.h"

enum { NAME_BYTES = 128, MAX_ROWS = 100000, MAX_IDS = 1 << 24 /* exact as a float */ };

/* Inputs, layers and weights share one space of names. */
struct named {
    const char *name; /* borrowed from the model */
    enum source_kind kind;
    int index, row;
};

struct builder {
    const struct csv *csv;
    struct model *m;
    struct err *err;
    int row;       /* being read */
    void *names;   /* tsearch() tree of struct named */
    int weights_allocated;
    bool *read;    /* [n_rows] is the input or layer of this row read by somebody? */
};

#define FAIL(b, ...) csv_error((b)->csv, (b)->row, (b)->err, __VA_ARGS__)

/* ---- names ---- */

static int compare_named(const void *a, const void *b)
{
    return strcmp(((const struct named *)a)->name, ((const struct named *)b)->name);
}

static const struct named *find_name(struct builder *b, const char *name)
{
    struct named key = {.name = name};
    void *node = tfind(&key, &b->names, compare_named);

    return node ? *(struct named **)node : NULL;
}

static const char *kind_name(enum source_kind kind)
{
    static const char *const names[] = {"input", "layer", "weight"};

    return names[kind];
}

/* `name` becomes the model's own string. */
static int add_name(struct builder *b, const char *name, enum source_kind kind, int index)
{
    const struct named *was = find_name(b, name);
    struct named *n;

    if (was)
        return FAIL(b, "name '%s' is taken by the %s in line %d", name, kind_name(was->kind),
                    b->csv->row[was->row].line);
    n = malloc(sizeof(*n));
    if (!n)
        return err_set(b->err, -ENOMEM, "out of memory");
    *n = (struct named){name, kind, index, b->row};
    if (!tsearch(n, &b->names, compare_named)) {
        free(n);
        return err_set(b->err, -ENOMEM, "out of memory");
    }
    return 0;
}

/* Names go into weights files, plans and command lines: no blanks, quotes or control characters. */
static int check_name(struct builder *b, const char *what, const char *name)
{
    size_t n = strlen(name);

    if (n == 0)
        return FAIL(b, "the %s has no name", what);
    if (n >= NAME_BYTES)
        return FAIL(b, "%s name of %zu characters, want at most %d", what, n, NAME_BYTES - 1);
    for (const char *p = name; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("._:/-", *p))
            return FAIL(b, "%s name '%s': want letters, digits and . _ : / - only", what, name);
    if (strncmp(name, "__", 2) == 0)
        return FAIL(b, "%s name '%s': names that begin with __ are ours", what, name);
    return 0;
}

static char *copy(struct builder *b, const char *text)
{
    char *s = strdup(text);

    if (!s)
        err_set(b->err, -ENOMEM, "out of memory");
    return s;
}

/* Next word of blank-separated text: 1, 0 at the end; too long a word is cut, and then refused as a
 * name of too many characters. */
static int next_word(const char **text, char word[NAME_BYTES + 1])
{
    size_t n;

    *text += strspn(*text, " \t");
    n = strcspn(*text, " \t");
    if (n == 0)
        return 0;
    snprintf(word, NAME_BYTES + 1, "%.*s", n > NAME_BYTES ? NAME_BYTES : (int)n, *text);
    *text += n;
    return 1;
}

static int count_words(const char *text)
{
    char word[NAME_BYTES + 1];
    int n = 0;

    while (next_word(&text, word))
        n++;
    return n;
}

/* Above 2^36 texels, 1 TiB of floats: far beyond any memory, far below overflow. */
static bool too_large(const struct tensor_desc *d)
{
    return d->rows > (INT64_C(1) << 36) / tensor_texel_cols(d);
}

/* ---- model and input rows ---- */

static int empty_but(struct builder *b, const char *kind, const char *const *used)
{
    static const char *const all[] = {"op", "params", "inputs", "weights", "init", NULL};

    for (int i = 0; all[i]; i++) {
        bool is_used = false;

        for (const char *const *u = used; *u; u++)
            is_used = is_used || strcmp(*u, all[i]) == 0;
        if (!is_used && csv_get(b->csv, b->row, all[i])[0])
            return FAIL(b, "%s: want nothing in the row of the %s, got '%s'", all[i], kind,
                        csv_get(b->csv, b->row, all[i]));
    }
    return 0;
}

static int model_row(struct builder *b, const char *name)
{
    static const char *const used[] = {NULL};

    if (b->m->name)
        return FAIL(b, "a second model row; the model is '%s'", b->m->name);
    if (b->m->n_inputs || b->m->n_layers)
        return FAIL(b, "the model row comes before inputs and layers");
    if (check_name(b, "model", name) < 0 || empty_but(b, "model", used) < 0)
        return -EINVAL;
    if (!isalnum((unsigned char)name[0]) || strchr(name, '/'))
        return FAIL(b, "model name '%s' becomes a file name: begin with a letter or digit, no /",
                    name);
    b->m->name = copy(b, name);
    return b->m->name ? 0 : -ENOMEM;
}

/* "rows=50176 cols=3" into the values of the wanted names, all of which must be there. */
static int input_params(struct builder *b, const char *const want[2], int64_t max, int64_t v[2])
{
    const char *text = csv_get(b->csv, b->row, "params");
    char word[NAME_BYTES + 1], blanks[256];
    struct err why = {0};

    if (strlen(text) >= sizeof(blanks))
        return FAIL(b, "params: %zu characters, want fewer than %zu", strlen(text), sizeof(blanks));
    strcpy(blanks, text);
    for (char *p = blanks; *p; p++)
        if (*p == ',')
            *p = ' ';
    v[0] = v[1] = 0;
    for (text = blanks; next_word(&text, word);) {
        char *value = strchr(word, '=');
        int i;

        if (!value)
            return FAIL(b, "params: want name=value, got '%s'", word);
        *value++ = '\0';
        for (i = 0; i < 2 && want[i] && strcmp(want[i], word) != 0; i++)
            ;
        if (i == 2 || !want[i])
            return FAIL(b, "params: want %s%s%s, got '%s'", want[0], want[1] ? " and " : "",
                        want[1] ? want[1] : "", word);
        if (parse_int(value, 1, max, &v[i], &why) < 0)
            return FAIL(b, "params: %s: %s", word, why.text);
    }
    for (int i = 0; i < 2 && want[i]; i++)
        if (v[i] == 0)
            return FAIL(b, "params: %s is missing", want[i]);
    return 0;
}

static int input_row(struct builder *b, const char *name)
{
    static const char *const used[] = {"op", "params", NULL};
    static const char *const shape[] = {"rows", "cols"}, *const ids[] = {"n", "vocab"};
    static const char *const iota[] = {"n", NULL};
    const char *what = csv_get(b->csv, b->row, "op");
    struct model_input in = {.desc = {.rows = 1, .dtype = DTYPE_I32}};
    int64_t v[2];
    int rc;

    if (check_name(b, "input", name) < 0 || empty_but(b, "input", used) < 0)
        return -EINVAL;
    if (strcmp(what, "values") == 0) {
        rc = input_params(b, shape, INT64_C(1) << 31, v);
        in.desc = (struct tensor_desc){.rows = v[0], .cols = v[1], .dtype = b->m->dtype};
        if (rc == 0 && too_large(&in.desc))
            return FAIL(b, "params: [%" PRId64 ", %" PRId64 "] is too large", v[0], v[1]);
    } else if (strcmp(what, "ids") == 0) {
        rc = input_params(b, ids, MAX_IDS, v);
        in.desc.cols = v[0];
        in.max_id = v[1] - 1;
    } else if (strcmp(what, "iota") == 0) {
        rc = input_params(b, iota, MAX_IDS, v);
        in.desc.cols = v[0];
        in.max_id = v[0] - 1;
        in.iota = true;
    } else {
        return FAIL(b, "op of an input: want values, ids or iota, got '%s'", what);
    }
    if (rc < 0)
        return rc;
    in.name = copy(b, name);
    if (!in.name)
        return -ENOMEM;
    b->m->input[b->m->n_inputs++] = in; /* now the model's to free */
    return add_name(b, in.name, SOURCE_INPUT, b->m->n_inputs - 1);
}

/* ---- layers: inputs ---- */

/* Groups that are whole texels leave no gaps: such a tensor lies as if it had one group. */
static int64_t layout_inner(const struct tensor_desc *d)
{
    return d->inner == 0 || d->inner % 4 == 0 ? d->cols : d->inner;
}

static bool same_layout(const struct tensor_desc *a, const struct tensor_desc *b)
{
    return a->rows == b->rows && a->cols == b->cols && layout_inner(a) == layout_inner(b) &&
           a->dtype == b->dtype;
}

static const char *shape_text(const struct tensor_desc *d, char text[64])
{
    int n = snprintf(text, 64, "[%" PRId64 ", %" PRId64 "]", d->rows, d->cols);

    if (layout_inner(d) != d->cols)
        n += snprintf(text + n, 64 - (size_t)n, " in groups of %" PRId64, d->inner);
    if (d->dtype == DTYPE_I32)
        snprintf(text + n, 64 - (size_t)n, " of ids");
    return text;
}

static const struct tensor_desc *layer_output(const struct layer *l)
{
    return &l->io.slot[l->io.n - 1].desc;
}

/* Ids must be rows of the table that this layer looks them up in. */
static int check_ids(struct builder *b, const struct layer *l, const struct model_input *in)
{
    for (int i = 0; i < l->io.n; i++) {
        const struct op_slot *s = &l->io.slot[i];

        if (s->role == ROLE_WEIGHT && in->max_id >= s->desc.rows)
            return FAIL(b, "inputs: ids of '%s' go to %" PRId64 ", the table has %" PRId64 " rows",
                        in->name, in->max_id, s->desc.rows);
    }
    return 0;
}

static int bind_input(struct builder *b, struct layer *l, int slot, const char *name)
{
    const struct op_slot *s = &l->io.slot[slot];
    const struct named *n = find_name(b, name);
    const struct tensor_desc *have;
    char got[64], want[64];

    if (!n)
        return FAIL(b, "inputs: no input or earlier layer is called '%s'", name);
    if (n->kind == SOURCE_WEIGHT)
        return FAIL(b, "inputs: '%s' is a weight", name);
    have = n->kind == SOURCE_INPUT ? &b->m->input[n->index].desc
                                   : layer_output(&b->m->layer[n->index]);
    if (!same_layout(have, &s->desc))
        return FAIL(b, "inputs: '%s' is %s, but %s takes %s as its '%s'", name,
                    shape_text(have, got), l->c.op->name, shape_text(&s->desc, want), s->name);
    if (s->role == ROLE_IDS && check_ids(b, l, &b->m->input[n->index]) < 0)
        return -EINVAL;
    if (n->kind == SOURCE_LAYER)
        b->m->layer[n->index].last_use = b->m->n_layers;
    b->read[n->row] = true;
    l->source[slot] = (struct source){n->kind, n->index};
    return 0;
}

/* ---- layers: weights ---- */

/* "normal:STD", "normal:STD:MEAN", "const:VALUE" */
static int parse_init(struct builder *b, const char *weight, char *text, struct weight *w)
{
    char *value = strchr(text, ':'), *mean;
    struct err why = {0};

    if (value)
        *value++ = '\0';
    if (!value || (strcmp(text, "normal") != 0 && strcmp(text, "const") != 0))
        return FAIL(b, "init of '%s': want normal:STD, normal:STD:MEAN or const:VALUE, got '%s'",
                    weight, text);
    w->init = text[0] == 'n' ? INIT_NORMAL : INIT_CONST;
    mean = w->init == INIT_NORMAL ? strchr(value, ':') : NULL;
    if (mean)
        *mean++ = '\0';
    if (parse_real(value, w->init == INIT_NORMAL ? 0 : -1e4, 1e4, &w->init_value, &why) < 0 ||
        (mean && parse_real(mean, -1e4, 1e4, &w->init_mean, &why) < 0))
        return FAIL(b, "init of '%s': %s", weight, why.text);
    return 0;
}

static int shared_weight(struct builder *b, const struct named *n, const struct weight *want)
{
    struct weight *w = &b->m->weight[n->index];
    char got[64], here[64];
    int line = b->csv->row[n->row].line;

    if (!same_layout(&w->desc, &want->desc) || w->vector != want->vector)
        return FAIL(b, "weights: '%s' is %s%s here and %s%s in line %d", n->name,
                    want->vector ? "a vector " : "", shape_text(&want->desc, here),
                    w->vector ? "a vector " : "", shape_text(&w->desc, got), line);
    if (w->init != want->init || w->init_value != want->init_value ||
        w->init_mean != want->init_mean)
        return FAIL(b, "init of '%s' is not what line %d says", n->name, line);
    w->last = want->last;
    return n->index;
}

/* Index of the new weight. */
static int new_weight(struct builder *b, const char *name, struct weight w)
{
    struct model *m = b->m;
    uint64_t texels = (uint64_t)tensor_texels(&w.desc);
    int rc;

    if (m->n_weights == b->weights_allocated) {
        int want = b->weights_allocated ? 2 * b->weights_allocated : 64;
        struct weight *more = realloc(m->weight, (size_t)want * sizeof(*more));

        if (!more)
            return err_set(b->err, -ENOMEM, "out of memory");
        m->weight = more;
        b->weights_allocated = want;
    }
    if (w.vector) {
        w.vector_texel = (int64_t)(m->bundle_bytes / (4 * dtype_bytes(m->dtype)));
        m->bundle_bytes += texels * 4 * dtype_bytes(m->dtype);
    }
    w.name = copy(b, name);
    if (!w.name)
        return -ENOMEM;
    m->weight[m->n_weights++] = w;
    rc = add_name(b, w.name, SOURCE_WEIGHT, m->n_weights - 1);
    return rc < 0 ? rc : m->n_weights - 1;
}

static int bind_weight(struct builder *b, struct layer *l, int slot, const char *name, char *init)
{
    const struct op_slot *s = &l->io.slot[slot];
    const struct named *n;
    struct weight w = {.desc = s->desc,
                       .vector = s->role == ROLE_VECTOR,
                       .first = b->m->n_layers,
                       .last = b->m->n_layers};
    int index;

    if (check_name(b, "weight", name) < 0 || parse_init(b, name, init, &w) < 0)
        return -EINVAL;
    n = find_name(b, name);
    if (n && n->kind != SOURCE_WEIGHT)
        return FAIL(b, "weights: '%s' is the %s in line %d", name, kind_name(n->kind),
                    b->csv->row[n->row].line);
    index = n ? shared_weight(b, n, &w) : new_weight(b, name, w);
    if (index < 0)
        return index;
    l->source[slot] = (struct source){SOURCE_WEIGHT, index};
    return 0;
}

/* ---- layers ---- */

static bool is_weight(const struct op_slot *s)
{
    return s->role == ROLE_WEIGHT || s->role == ROLE_VECTOR;
}

static int check_count(struct builder *b, const struct layer *l, const char *column, int got)
{
    bool weights = strcmp(column, "inputs") != 0;
    char names[256] = "";
    int want = 0;

    for (int i = 0; i + 1 < l->io.n; i++) {
        size_t n = strlen(names);

        if (is_weight(&l->io.slot[i]) != weights)
            continue;
        snprintf(names + n, sizeof(names) - n, " %s", l->io.slot[i].name);
        want++;
    }
    if (got == want)
        return 0;
    return FAIL(b, "%s: %s takes %d%s%s%s here, got %d", column, l->c.op->name, want,
                want ? " (" : "", want ? names + 1 : "", want ? ")" : "", got);
}

static int bind_slots(struct builder *b, struct layer *l)
{
    const char *inputs = csv_get(b->csv, b->row, "inputs");
    const char *weights = csv_get(b->csv, b->row, "weights");
    const char *inits = csv_get(b->csv, b->row, "init");
    char word[NAME_BYTES + 1], init[NAME_BYTES + 1];
    int rc = 0;

    if (check_count(b, l, "inputs", count_words(inputs)) < 0 ||
        check_count(b, l, "weights", count_words(weights)) < 0 ||
        check_count(b, l, "init", count_words(inits)) < 0)
        return -EINVAL;
    for (int i = 0; i + 1 < l->io.n && rc == 0; i++) {
        if (is_weight(&l->io.slot[i])) {
            next_word(&weights, word);
            next_word(&inits, init);
            rc = bind_weight(b, l, i, word, init);
        } else {
            next_word(&inputs, word);
            rc = bind_input(b, l, i, word);
        }
    }
    return rc;
}

static int layer_row(struct builder *b, const char *name)
{
    const char *op = csv_get(b->csv, b->row, "op");
    const char *params = csv_get(b->csv, b->row, "params");
    char spelled[512] = "";
    struct layer l = {.last_use = -1};
    struct err why = {0};
    size_t n = 0;
    int rc;

    if (check_name(b, "layer", name) < 0)
        return -EINVAL;
    if (!op_find(op)) {
        op_unknown(op, &why);
        return FAIL(b, "%s", why.text);
    }
    if (strlen(params) >= sizeof(spelled) - 1)
        return FAIL(b, "params: %zu characters are too many", strlen(params));
    for (const char *p = params; *p; p++) { /* blanks here are commas in the spelling of a case */
        bool gap = strchr(" \t,", *p) != NULL;

        if (!gap)
            spelled[n++] = *p;
        else if (n && spelled[n - 1] != ',')
            spelled[n++] = ',';
    }
    spelled[n && spelled[n - 1] == ',' ? n - 1 : n] = '\0';
    if (op_case_make(op, b->m->dtype, spelled, &l.c, &why) < 0)
        return FAIL(b, "params: %s", why.text);
    l.c.op->io(&l.c, &l.io);
    assert(l.io.n > 0 && l.io.slot[l.io.n - 1].role == ROLE_OUTPUT);
    for (int i = 0; i < l.io.n; i++)
        if (too_large(&l.io.slot[i].desc))
            return FAIL(b, "'%s' of [%" PRId64 ", %" PRId64 "] is too large", l.io.slot[i].name,
                        l.io.slot[i].desc.rows, l.io.slot[i].desc.cols);
    l.name = copy(b, name);
    if (!l.name)
        return -ENOMEM;
    rc = bind_slots(b, &l);
    b->m->layer[b->m->n_layers++] = l;
    return rc < 0 ? rc : add_name(b, l.name, SOURCE_LAYER, b->m->n_layers - 1);
}

/* ---- the file ---- */

static int read_row(struct builder *b)
{
    const char *kind = csv_get(b->csv, b->row, "kind");
    const char *name = csv_get(b->csv, b->row, "name");

    if (strcmp(kind, "model") == 0)
        return model_row(b, name);
    if (strcmp(kind, "input") != 0 && strcmp(kind, "layer") != 0)
        return FAIL(b, "kind: want model, input or layer, got '%s'", kind);
    if (!b->m->name)
        return FAIL(b, "the first row is 'model' with the model's name, got '%s'", kind);
    if (b->row >= MAX_ROWS)
        return FAIL(b, "more than %d rows", MAX_ROWS);
    return kind[0] == 'i' ? input_row(b, name) : layer_row(b, name);
}

static int finish(struct builder *b)
{
    struct model *m = b->m;

    if (m->n_layers == 0)
        return err_set(b->err, -EINVAL, "%s: no layers", b->csv->path);
    m->layer[m->n_layers - 1].last_use = m->n_layers; /* the model's output */
    for (b->row = 0; b->row < b->csv->n_rows; b->row++) {
        const char *name = csv_get(b->csv, b->row, "name");
        const struct named *n = find_name(b, name);

        if (!n || n->kind == SOURCE_WEIGHT || n->row != b->row || b->read[b->row] ||
            (n->kind == SOURCE_LAYER && n->index == m->n_layers - 1))
            continue;
        return FAIL(b, "nothing reads %s '%s'", kind_name(n->kind), name);
    }
    return 0;
}

static int build(struct builder *b)
{
    size_t n = (size_t)b->csv->n_rows;
    size_t rows = n && n < MAX_ROWS ? n : n ? MAX_ROWS : 1;
    int rc = 0;

    b->read = calloc(n ? n : 1, sizeof(*b->read));
    b->m->path = copy(b, b->csv->path);
    b->m->input = calloc(rows, sizeof(*b->m->input));
    b->m->layer = calloc(rows, sizeof(*b->m->layer));
    if (!b->read || !b->m->path || !b->m->input || !b->m->layer)
        return err_set(b->err, -ENOMEM, "out of memory");
    for (b->row = 0; b->row < b->csv->n_rows && rc == 0; b->row++)
        rc = read_row(b);
    return rc < 0 ? rc : finish(b);
}

int graph_read(const char *path, enum dtype dtype, struct model **ret_m, struct err *err)
{
    static const char *const columns[] = {"kind",   "name",    "op",   "params",
                                          "inputs", "weights", "init", NULL};
    struct builder b = {.err = err};
    struct csv csv = {0};
    int rc;

    b.m = calloc(1, sizeof(*b.m));
    if (!b.m)
        return err_set(err, -ENOMEM, "out of memory");
    b.m->dtype = dtype;
    rc = csv_read(path, "flashmem-graph", 1, columns, NULL, &csv, err);
    if (rc < 0)
        goto out;
    b.csv = &csv;
    rc = build(&b);
    if (rc < 0)
        goto out;
    *ret_m = b.m;
    b.m = NULL;
out:
    tdestroy(b.names, free);
    free(b.read);
    csv_done(&csv);
    model_free(b.m);
    return rc;
}
