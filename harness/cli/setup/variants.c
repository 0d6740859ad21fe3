#include "harness/cli/setup/variants.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/text/units.h"

const char *const variants_names[] = {"best", "default", NULL};

int variants_of_case(const struct cli *cli, struct store *st, int64_t device_id,
                     const struct device_info *dev, const struct op_case *c, enum mem_path path,
                     enum op_form form, enum variants which, const char *what, struct best *ret_b,
                     struct err *err)
{
    struct best b = best_default(dev, c, path, form);
    char text[OP_TEXT_MAX], took[UNIT_TEXT];
    int rc = 0;

    if (which == VARIANTS_BEST)
        rc = best_variant(st, device_id, dev, c, path, form, &b, err);
    if (rc < 0)
        return err_prefix(err, "%s", what);
    op_variant_print(c, &b.v, text);
    if (cli->verbose && isnan(b.ns))
        cli_note(cli, "%s: %s (default)", what, text);
    else if (cli->verbose)
        cli_note(cli, "%s: %s (%s, the best of %d measured)", what, text, format_time(took, b.ns),
                 b.known);
    *ret_b = b;
    return 0;
}

static bool same_case(const struct op_case *a, const struct op_case *b)
{
    return a->op == b->op && a->dtype == b->dtype && memcmp(a->p, b->p, sizeof(a->p)) == 0;
}

int variants_of_model(const struct cli *cli, struct store *st, int64_t device_id,
                      const struct device_info *dev, const struct model *m, enum mem_path path,
                      enum op_form form, enum variants which, struct best **ret_best,
                      struct err *err)
{
    struct best *best = calloc((size_t)m->n_layers + 1, sizeof(*best));
    int rc = 0;

    if (!best)
        return err_set(err, -ENOMEM, "out of memory");
    for (int l = 0; l < m->n_layers && rc == 0; l++) {
        int same = 0;

        while (same < l && !same_case(&m->layer[same].c, &m->layer[l].c))
            same++;
        if (same < l)
            best[l] = best[same];
        else
            rc = variants_of_case(cli, st, device_id, dev, &m->layer[l].c, path, form, which,
                                  m->layer[l].name, &best[l], err);
    }
    if (rc < 0)
        free(best);
    else
        *ret_best = best;
    return rc;
}
