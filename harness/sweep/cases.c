#include "harness/sweep/cases.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/model/model.h"
#include "harness/text/csv.h"

struct wanted {
    const struct axis *ops;
    double max_macs;
    enum dtype dtype;
};

static bool is_class(const char *name)
{
    for (int c = OP_ELEMENTAL; c <= OP_HIERARCHICAL; c++)
        if (strcmp(name, op_class_name((enum op_class)c)) == 0)
            return true;
    return false;
}

static int check_ops(const struct axis *ops, struct err *err)
{
    for (int i = 0; i < ops->n; i++) {
        const char *name = ops->value[i];

        if (*name && strcmp(name, "*") != 0 && !op_find(name) && !is_class(name)) {
            op_unknown(name, err);
            return err_prefix(err, "op: no class elemental, reusable or hierarchical");
        }
    }
    return 0;
}

static bool is_wanted(const struct op_case *c, const struct wanted *w)
{
    double macs = 0, ops = 0;
    bool listed = w->ops->n == 0;

    for (int i = 0; i < w->ops->n && !listed; i++) {
        const char *name = w->ops->value[i];

        listed = !*name || strcmp(name, "*") == 0 || strcmp(name, c->op->name) == 0 ||
                 strcmp(name, op_class_name(c->op->class)) == 0;
    }
    c->op->cost(c, &macs, &ops);
    return listed && (w->max_macs <= 0 || macs <= w->max_macs);
}

static int add_case(struct cases *cases, const struct op_case *c, struct err *err)
{
    for (int i = 0; i < cases->n; i++)
        if (cases->c[i].op == c->op && memcmp(cases->c[i].p, c->p, sizeof(c->p)) == 0)
            return 0;
    if (cases->n == cases->room) {
        int room = cases->room ? 2 * cases->room : 64;
        struct op_case *more = realloc(cases->c, (size_t)room * sizeof(*more));

        if (!more)
            return err_set(err, -ENOMEM, "out of memory");
        cases->c = more;
        cases->room = room;
    }
    cases->c[cases->n++] = *c;
    return 0;
}

static int add_model(struct cases *cases, const char *name, const struct wanted *w,
                     struct err *err)
{
    struct model *m;
    int rc = model_read(name, w->dtype, &m, err);

    if (rc < 0)
        return err_prefix(err, "model");
    for (int i = 0; i < m->n_layers && rc == 0; i++)
        if (is_wanted(&m->layer[i].c, w))
            rc = add_case(cases, &m->layer[i].c, err);
    model_free(m);
    return rc;
}

static int add_paper(struct cases *cases, const struct wanted *w, struct err *err)
{
    char path[PATH_MAX];
    struct csv csv;
    int rc;

    snprintf(path, sizeof(path), "%s/paper/table6_models.csv", model_datasets_dir());
    rc = csv_read(path, NULL, 0, NULL, NULL, &csv, err);
    if (rc < 0)
        return rc;
    for (int i = 0; i < csv.n_rows && rc == 0; i++)
        rc = add_model(cases, csv_get(&csv, i, "abbr"), w, err);
    csv_done(&csv);
    return rc;
}

int cases_of_models(const struct axis *models, const struct axis *ops, double max_macs,
                    enum dtype dtype, struct cases *ret_cases, struct err *err)
{
    const struct wanted w = {ops, max_macs, dtype};
    struct cases cases = {0};
    int rc = check_ops(ops, err);

    for (int i = 0; i < models->n && rc == 0; i++)
        rc = strcmp(models->value[i], "*") == 0 ? add_paper(&cases, &w, err)
                                                : add_model(&cases, models->value[i], &w, err);
    if (rc == 0 && cases.n == 0)
        rc = err_set(err, -ENODATA, "model: no layer is of these operators and within max_macs");
    if (rc < 0) {
        cases_done(&cases);
        return rc;
    }
    *ret_cases = cases;
    return 0;
}

void cases_done(struct cases *cases)
{
    free(cases->c);
    *cases = (struct cases){0};
}
