#include "harness/cli/setup/model_problem.h"

#include <errno.h>
#include <string.h>

#include "harness/replay/executor.h"
#include "harness/replay/recorded.h"
#include "harness/schedule/layout.h"
#include "harness/text/units.h"

uint64_t model_slice_bytes(const char *slice, const struct model *m, const struct plan_options *o,
                           bool direct)
{
    struct model_cost cost;
    uint64_t bytes = 0, reserve;

    if (slice && strcmp(slice, "none") == 0)
        return 0;
    if (slice)
        return parse_bytes(slice, &bytes, NULL) < 0 ? 0 : bytes;
    if (!direct && !o->memory)
        return 0;
    model_cost(m, &cost);
    reserve = executor_reserve_bytes(m, (enum mem_path)o->path, direct, 0);
    bytes = direct ? cost.weight_bytes / 32 : cost.weight_bytes;
    if (o->memory > reserve && (o->memory - reserve) / 8 < bytes)
        bytes = (o->memory - reserve) / 8;
    return bytes;
}

static int other_capacities(const struct model_setting *x, const struct problem_options *po,
                            struct model_problem *mp, struct err *err)
{
    enum capacities how = (enum capacities)x->o->capacities;
    uint64_t seed = (uint64_t)x->cli->seed;
    struct capacities_setting y = {
        .st = x->st,
        .device_id = x->device_id,
        .m = x->m,
        .dev = x->dev,
        .best = x->best,
        .path = (enum mem_path)x->o->path,
        .thresholds = po->thresholds,
        .seed = seed,
    };
    char text[96];

    capacities_print(how, seed, &po->thresholds, text, sizeof(text));
    mp->problem.capacities = mp->capacities = strdup(text);
    if (!mp->capacities)
        return err_set(err, -ENOMEM, "no memory");
    return how == CAPACITIES_REGRESSOR ? 0 : capacities_replace(&y, how, mp, err);
}

/* Both kinds: what the planner is told in place of recorded capacities, and these, by which the run of
 * its plan is predicted: what layers take does not depend on what the plan was made with. */
static int keep_recorded(const struct model_setting *x, enum mem_path path,
                         const struct problem_options *po, struct model_problem *mp, int *corrected,
                         struct err *err)
{
    size_t bytes = (size_t)x->m->n_layers * sizeof(*mp->capacity);
    struct capacity *planned = malloc(bytes + 1);
    int rc;

    if (!planned)
        return err_set(err, -ENOMEM, "out of memory for %d layers", x->m->n_layers);
    memcpy(planned, mp->capacity, bytes);
    rc = recorded_correct(x->st, x->device_id, x->m, x->dev, x->best, path, mp, corrected, err);
    mp->recorded = mp->capacity;
    mp->capacity = planned;
    problem_refresh(mp);
    return rc < 0 ? rc : other_capacities(x, po, mp, err);
}

/* Where activations are used no more, weights come. */
static int add_spare(const struct model_setting *x, enum mem_path path, struct model_problem *mp,
                     struct err *err)
{
    struct layout y;
    int rc = layout_make(x->m, path, &y, err);

    if (rc < 0)
        return rc;
    mp->spare = calloc((size_t)x->m->n_layers + 1, sizeof(*mp->spare));
    for (int i = 0; i < y.spare.n && mp->spare; i++) {
        const struct stretch *s = &y.spare.s[i];

        if (s->free_after < x->m->n_layers)
            mp->spare[s->free_after] += (double)(s->to - s->from);
    }
    mp->problem.spare = mp->spare;
    layout_done(&y);
    return mp->spare ? 0 : err_set(err, -ENOMEM, "out of memory for %d layers", x->m->n_layers);
}

int model_problem_make(const struct model_setting *x, struct predictor **predictor,
                       struct model_problem *ret_mp, struct err *err)
{
    enum mem_path path = (enum mem_path)x->o->path;
    struct problem_options po = plan_options_problem(x->o, x->m, x->best, x->direct);
    struct model_problem mp = {0};
    struct err why = {0};
    int corrected = 0, rc = 0;

    if (x->dev && !*predictor)
        rc = predictor_load(x->st, x->device_id, x->m->dtype, path, predictor, &why);
    if ((rc == -ENOENT || !x->dev) && x->o->capacities != CAPACITIES_RECORDED)
        return err_set(err, -ENOENT, "--capacities: %s",
                       rc < 0 ? why.text : "want a device: layers' times are the regressor's");
    if (rc == -ENOENT) { /* enough for policies that use no capacities */
        cli_note(x->cli, "%s; all capacities are zero", why.text);
        rc = 0;
    }
    if (rc < 0)
        return err_set(err, rc, "%s", why.text);
    po.splits = x->splits;
    rc = plan_options_disk_rate(x->st, x->device_id, x->disk_rate, &po.disk_bytes_per_s, err);
    if (rc == 0)
        rc = problem_for_model(x->m, x->dev, *predictor, path, &po, &mp, err);
    if (rc < 0)
        return rc;
    if (x->direct)
        rc = add_spare(x, path, &mp, err);
    if (rc < 0) {
        problem_done(&mp);
        return rc;
    }
    if (x->o->capacities != CAPACITIES_RECORDED)
        rc = keep_recorded(x, path, &po, &mp, &corrected, err);
    else if (x->dev)
        rc = recorded_correct(x->st, x->device_id, x->m, x->dev, x->best, path, &mp, &corrected,
                              err);
    if (rc < 0) {
        problem_done(&mp);
        return rc;
    }
    if (x->cli->verbose)
        cli_note(x->cli, "%d of %d layers: times from recorded runs", corrected, x->m->n_layers);
    *ret_mp = mp;
    return 0;
}
