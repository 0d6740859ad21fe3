/* harness/cli/setup/replay_session.h - what a replay needs, opened in one place: model, weights,
 * inputs, device, executor, plans. Printing and keeping are the command's. */
#ifndef FLASHMEM_HARNESS_CLI_SETUP_REPLAY_SESSION_H
#define FLASHMEM_HARNESS_CLI_SETUP_REPLAY_SESSION_H

#include <limits.h>

#include "harness/cli/cli.h"
#include "harness/cli/setup/plan_options.h"
#include "harness/replay/sequence.h"

struct replay_opts {
    struct plan_options planning; /* first: see PLAN_OPTION_ROWS */
    struct opt_list policies, inputs;
    const char *plan, *weights, *output;
    uint64_t time_limit;
    int64_t runs;
    double target, alpha, mu;
    int reader, kernel;
    bool verify, split;
    uint64_t disk_rate;
    int source;
    const char *slice, *keep;
    int64_t sequences;
    bool cold, warm, no_energy;
};

/* By enum op_form, and two more. */
extern const char *const replay_kernel_names[];
enum { KERNEL_DIRECT = OP_FORMS, KERNEL_AUTO };

struct replay_session {
    const struct cli *cli;
    const struct replay_opts *o;
    struct store *st;
    struct device *dev;
    struct model *m;
    struct weights_file file;
    char natural[PATH_MAX]; /* its twin for policies that rearrange; "": none asks for it */
    struct predictor *predictor;
    struct best *best;
    float **input;
    float *reference;
    struct executor *ex;
    struct reader_options disk;
    struct energy *energy;
    struct nvml *nvml; /* NULL: it does not know the device */
    struct model_problem mp;
    struct plan **plan;
    struct replay_policy *policy;
    struct replay_outcome *outcome;
    struct sequence_outcome *sequence; /* with --keep, instead */
    int n;
    struct executor_options exec;
    struct replay_context ctx;
    int64_t device_id;
    bool guest; /* st, dev, device_id and ctx.session_id were given: they stay */
    uint64_t rounds_began_ns;
};

/* An option of --kernel into s->exec; "auto" is decided when the session opens. */
void replay_set_kernel(struct replay_session *s, int kernel);
/* Everything up to the executor and a row of `session`; then the problem, then the plans, which are
 * stored. Zero the session but for cli, o, exec; close it also after a failure. -ENOSPC: a policy
 * has no plan, err says what would do. */
int replay_session_open(struct replay_session *s, const char *model, struct err *err);
int replay_session_problem(struct replay_session *s, struct err *err);
int replay_session_plans(struct replay_session *s, struct err *err);
void replay_session_close(struct replay_session *s);

/* Values of the model's output, and its shape. */
size_t replay_output_values(const struct model *m, struct tensor_desc *ret_d);

#endif
