/* The programs of an executor: what each layer runs as, with and without load, and the movers. */
#include "harness/replay/run.h"
#include "profiler/clock.h"

static struct op_variant layer_variant(const struct executor *ex, int l, int n_loads)
{
    struct op_variant v;

    if (ex->opt.best)
        v = ex->opt.best[l].v;
    else
        op_variant_default(&ex->c[l], &ex->dev->info, ex->opt.path, &v);
    v.form = n_loads ? ex->opt.form : FORM_NAIVE;
    v.n_loads = n_loads;
    return v;
}

struct op_variant executor_variant(const struct executor *ex, const struct schedule *s, int l)
{
    return layer_variant(ex, l, executor_carried(ex, s, l));
}

static bool can_carry(const struct executor *ex, int l)
{
    struct op_variant v = layer_variant(ex, l, 0);

    return op_has_form(&ex->c[l].op->kernels[v.kernel], ex->opt.form) &&
           ex->opt.form != FORM_NAIVE;
}

int executor_carried(const struct executor *ex, const struct schedule *s, int l)
{
    int n = s->first_of_layer[l + 2] - s->first_of_layer[l + 1];

    if (!can_carry(ex, l))
        return 0;
    return n < OP_MAX_LOADS ? n : OP_MAX_LOADS;
}

static int layer_program(struct executor *ex, int l, int n_loads, uint64_t *build_ns,
                         struct err *err)
{
    struct op_program **p = &ex->program[l * (OP_MAX_LOADS + 1) + n_loads];
    struct op_variant v = layer_variant(ex, l, n_loads);
    int rc;

    if (*p)
        return 0;
    rc = op_program_new(ex->dev, &ex->c[l], &v, p, err);
    if (rc < 0)
        return err_prefix(err, "layer '%s'", ex->m->layer[l].name), rc;
    *build_ns += op_program_build_ns(*p);
    return 0;
}

static int mover_program(struct executor *ex, enum mem_path path, int n_loads, uint64_t *build_ns,
                         struct err *err)
{
    struct op_program **p = &ex->mover[path][n_loads];
    struct op_variant v;
    struct op_case c;
    int rc;

    if (*p)
        return 0;
    rc = op_case_make("null", ex->m->dtype, "", &c, err);
    if (rc < 0)
        return rc;
    op_variant_default(&c, &ex->dev->info, path, &v);
    v.form = ex->opt.form == FORM_COPY ? FORM_COPY : FORM_PIPELINED;
    v.n_loads = n_loads;
    rc = op_program_new(ex->dev, &c, &v, p, err);
    if (rc == 0)
        *build_ns += op_program_build_ns(*p);
    return rc;
}

int executor_prepare(struct executor *ex, const struct schedule *s, uint64_t *ret_build_ns,
                     struct err *err)
{
    bool held = ex->held && ex->held->s == s;
    uint64_t build_ns = 0, began;
    struct run_result discard;
    int rc = 0;

    for (int n = 1; n <= OP_MAX_LOADS && rc == 0 && !s->direct; n++)
        rc = mover_program(ex, ex->opt.path, n, &build_ns, err);
    for (int n = 1; n <= (s->natural ? OP_MAX_LOADS : 1) && rc == 0 && !s->direct; n++)
        rc = mover_program(ex, PATH_BUFFER, n, &build_ns, err);
    if (rc == 0 && s->natural)
        build_ns += rearrange_build_ns(ex->rearrange);
    for (int l = 0; l < ex->m->n_layers && rc == 0; l++) {
        if (s->direct && ex->layout.in_place[l])
            continue;
        rc = layer_program(ex, l, 0, &build_ns, err);
        if (rc == 0)
            rc = layer_program(ex, l, executor_carried(ex, s, l), &build_ns, err);
        if (rc == 0 && held && !s->direct)
            rc = layer_program(ex, l, executor_carried(ex, &ex->held->warm, l), &build_ns, err);
    }
    if (rc < 0)
        return rc;
    /* Some platforms compile once more at the first launch of each local size: run it once. */
    began = clock_ns();
    for (int i = 0; i < (held ? 2 : 1) && rc == 0; i++)
        rc = executor_run(ex, s, NULL, &discard, err);
    if (rc < 0)
        return rc;
    *ret_build_ns = build_ns + (clock_ns() - began);
    return 0;
}
