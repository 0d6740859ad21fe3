/* cp-sat: the paper's own formulation under the paper's own solver, as the control. Google's CP-SAT
 * lives in OR-Tools, which is not linked: scripts/cpsat/solve.py, a child process, is given the
 * problem as text and answers with moves, which pass the checker like any other plan's. Costs
 * seconds to p->time_limit_s (the paper: 150 s).
 *
 * The interpreter is $FLASHMEM_PYTHON, else python3. */
#include <errno.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/model/model.h"
#include "harness/plan/plan_build.h"

#define EXIT_NO_ORTOOLS 3 /* of solve.py */

extern char **environ;

static int write_problem(const struct plan_problem *p, FILE *f)
{
    fprintf(f, "%d %d %s %s %" PRId64 " %" PRId64 " %d %.3f %d %d\n", p->a, p->b,
            plan_price_names[p->price], plan_limit_names[p->limit], p->m_peak, p->m_total,
            p->max_loads, p->time_limit_s, p->n_layers, p->n_weights);
    for (int l = 0; l < p->n_layers; l++)
        fprintf(f, "%d\n", p->layer[l].capacity);
    for (int w = 0; w < p->n_weights; w++)
        fprintf(f, "%d %d %d %d\n", p->weight[w].consumer, p->weight[w].last_use,
                p->weight[w].chunks, plan_must_preload(p, w));
    return fflush(f) != 0 || ferror(f) ? -EIO : 0;
}

/* Runs the script from the file to the file; its exit status, or a negative errno. */
static int run_script(const char *script, FILE *in, FILE *out)
{
    const char *python = getenv("FLASHMEM_PYTHON");
    char *argv[] = {(char *)(python && python[0] ? python : "python3"), (char *)script, NULL};
    posix_spawn_file_actions_t actions;
    int rc, status = 0;
    pid_t pid;

    rewind(in);
    rc = posix_spawn_file_actions_init(&actions);
    if (rc != 0)
        return -rc;
    rc = posix_spawn_file_actions_adddup2(&actions, fileno(in), STDIN_FILENO);
    if (rc == 0)
        rc = posix_spawn_file_actions_adddup2(&actions, fileno(out), STDOUT_FILENO);
    if (rc == 0)
        rc = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (rc != 0)
        return -rc;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return -errno;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -ECHILD;
}

/* Lines: "status NAME", "bound N", "note TEXT", "preload W", "move W LAYER CHUNKS". What they say
 * is not believed: the checker sees to it. */
static int read_answer(const struct plan_problem *p, FILE *f, struct plan *plan, struct err *err)
{
    bool answered = false;
    char line[256];

    rewind(f);
    while (fgets(line, sizeof(line), f)) {
        int w, layer, chunks;
        long long bound;
        char name[32];

        line[strcspn(line, "\n")] = '\0';
        if (sscanf(line, "status %31s", name) == 1) {
            answered = true;
            plan->status = !strcmp(name, "OPTIMAL")    ? PLAN_OPTIMAL
                           : !strcmp(name, "FEASIBLE") ? PLAN_FEASIBLE
                                                       : PLAN_INFEASIBLE;
        } else if (sscanf(line, "bound %lld", &bound) == 1) {
            plan->lower_bound = bound;
        } else if (!strncmp(line, "note ", 5)) {
            snprintf(plan->note, sizeof(plan->note), "%.*s", (int)sizeof(plan->note) - 1, line + 5);
        } else if (sscanf(line, "preload %d", &w) == 1 && w >= 0 && w < p->n_weights) {
            plan->preload[w] = true;
        } else if (sscanf(line, "move %d %d %d", &w, &layer, &chunks) == 3) {
            if (plan_add_move(plan, w, layer, chunks) < 0)
                return err_set(err, -ENOMEM, "no memory for the moves of a plan");
        } else {
            return err_set(err, -EPROTO, "cp-sat: the solver's answer has a line '%.60s'", line);
        }
    }
    return answered ? 0 : err_set(err, -EPROTO, "cp-sat: the solver gave no answer");
}

static int ask(const struct plan_problem *p, const char *script, FILE *in, FILE *out,
               struct plan *plan, struct err *err)
{
    int rc = write_problem(p, in);

    if (rc < 0)
        return err_set(err, rc, "cp-sat: cannot write the problem");
    rc = run_script(script, in, out);
    if (rc == EXIT_NO_ORTOOLS || rc == -ENOENT || rc == 127)
        return err_set(err, -ENOTSUP,
                       "cp-sat needs Python with OR-Tools: 'python3 -m venv VENV && "
                       "VENV/bin/pip install ortools', then set FLASHMEM_PYTHON=VENV/bin/python");
    if (rc != 0)
        return err_set(err, -EIO, "cp-sat: '%s' failed (%d)", script, rc);
    return read_answer(p, out, plan, err);
}

static int solve(const struct plan_problem *p, struct plan *plan, struct err *err)
{
    char script[4096];
    FILE *in = tmpfile(), *out = tmpfile();
    int rc;

    snprintf(script, sizeof(script), "%s/../scripts/cpsat/solve.py", model_datasets_dir());
    if (!in || !out)
        rc = err_set(err, -errno, "cp-sat: no temporary file: %s", strerror(errno));
    else
        rc = ask(p, script, in, out, plan, err);
    if (in)
        fclose(in);
    if (out)
        fclose(out);
    return rc;
}

const struct policy policy_cp_sat = {
    .name = "cp-sat",
    .summary = "the paper's formulation under OR-Tools CP-SAT, when that is installed",
    .outside = true,
    .solve = solve,
};
