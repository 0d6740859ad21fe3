/* flashmem compare A B: what got slower. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "harness/cli/cli.h"
#include "harness/compare/compare.h"

struct compare_opts {
    bool best, list;
    double detect, least;
    struct opt_list fail_on;
};

#define FIELD(f) offsetof(struct compare_opts, f)
static const struct opt opts[] = {
    {.name = "--best", .type = OPT_FLAG, .offset = FIELD(best),
     .help = "each side's fastest variant of every case; default: the configurations of both"},
    {.name = "--fail-on", .type = OPT_LIST, .offset = FIELD(fail_on), .arg = "VERDICT",
     .help = "exit status 3 if any item (of runs: integrated latency) is slower, faster or "
             "ambiguous; may be repeated"},
    {.name = "--detect", .type = OPT_REAL, .offset = FIELD(detect), .def = "0.05", .min = 0.001,
     .max = 10, .arg = "X",
     .help = "'same' means that a change of this size would have been seen four times in five"},
    {.name = "--least", .type = OPT_REAL, .offset = FIELD(least), .def = "0.01", .min = 0, .max = 10,
     .arg = "X", .help = "changes below this are 'same' however certain they are"},
    {.name = "--list", .type = OPT_FLAG, .offset = FIELD(list),
     .help = "the sessions and runs there are to compare; takes no A B"},
    {0},
};

/* ---- what there is ---- */

static const char select_list[] =
    "SELECT 'session', e.id, substr(e.uuid, 1, 8), d.name, e.started_utc, e.host, e.program,"
    " (SELECT count(*) FROM sample s WHERE s.session_id = e.id AND s.status IN ('ok', 'noisy')),"
    " e.command FROM session e JOIN device d ON d.id = e.device_id"
    " WHERE EXISTS (SELECT 1 FROM sample s WHERE s.session_id = e.id)"
    " UNION ALL SELECT 'run', r.id, NULL, d.name, r.taken_utc, e.host, e.program, r.repeats,"
    " r.model || ' ' || r.policy || ' ' || r.dtype || ' ' || r.path || ' ' || r.kernel"
    " FROM run r JOIN session e ON e.id = r.session_id JOIN device d ON d.id = e.device_id"
    " ORDER BY 1 DESC, 2";

static int list(struct store *st, struct table *t, struct err *err)
{
    struct store_query *q = NULL;
    int rc = store_query(st, &q, err, select_list, "");

    while (rc >= 0 && (rc = store_step(q, err)) == 1) {
        for (int i = 0; i < 9; i++) {
            if (i == 1 || i == 7)
                table_int(t, store_int(q, i));
            else
                table_text(t, store_text(q, i));
        }
    }
    store_query_done(q);
    return rc;
}

/* ---- what is shown ---- */

static void show(const struct compare_items *c, struct table *t)
{
    for (int i = 0; i < c->n; i++) {
        const struct compare_item *it = &c->item[i];

        table_text(t, it->name);
        table_real(t, it->time_ns[0] / 1000, 4);
        table_real(t, it->time_ns[1] / 1000, 4);
        table_real(t, it->ratio.mid, 4);
        table_real(t, it->ratio.low, 4);
        table_real(t, it->ratio.high, 4);
        table_text(t, compare_verdict_names[it->verdict]);
        table_text(t, *it->reason ? it->reason : NULL);
    }
}

static void summarize(const struct cli *cli, const struct compare_items *c, const int by_verdict[4])
{
    double sum = 0;

    if (c->item[0].apart) { /* runs: what there is to say is in the rows */
        if (c->item[0].paired)
            cli_note(cli, "runs of one command took turns: repeat is compared with repeat");
        return;
    }
    for (int i = 0; i < c->n; i++)
        sum += log(c->item[i].ratio.mid);
    cli_note(cli, "%d items in both, %d only in A, %d only in B; B / A is %.3g on the whole; %d "
             "slower, %d faster, %d same, %d ambiguous",
             c->n, c->only[0], c->only[1], exp(sum / c->n), by_verdict[COMPARE_SLOWER],
             by_verdict[COMPARE_FASTER], by_verdict[COMPARE_SAME], by_verdict[COMPARE_AMBIGUOUS]);
    if (c->outdated)
        cli_note(cli, "%d samples left out: their kernels have changed since", c->outdated);
    if (!isnan(c->machine))
        cli_note(cli, "recordings differ by %.2g %% (standard deviation) though nothing changed; "
                 "the machine itself was %.2g %% %s in B", 100 * c->noise,
                 100 * fabs(expm1(c->machine)), c->machine > 0 ? "slower" : "faster");
    else
        cli_note(cli, "recordings differ by %.2g %% (standard deviation) though nothing changed",
                 100 * c->noise);
}

static int check_fail_on(const struct compare_opts *o, struct err *err)
{
    for (int i = 0; i < o->fail_on.n; i++) {
        const char *want = o->fail_on.item[i];

        if (strcmp(want, "slower") != 0 && strcmp(want, "faster") != 0 &&
            strcmp(want, "ambiguous") != 0)
            return err_set(err, -EINVAL, "--fail-on: want slower, faster or ambiguous, got '%s'",
                           want);
    }
    return 0;
}

static bool fails(const struct compare_opts *o, const int by_verdict[4])
{
    for (int i = 0; i < o->fail_on.n; i++)
        for (int v = 0; compare_verdict_names[v]; v++)
            if (strcmp(o->fail_on.item[i], compare_verdict_names[v]) == 0 && by_verdict[v] > 0)
                return true;
    return false;
}

static int compare(const struct cli *cli, const struct compare_opts *o, char **args,
                   struct table *t, int by_verdict[4], struct err *err)
{
    struct compare_options opt = compare_defaults();
    struct compare_items c = {0};
    struct store *st = NULL;
    int rc = store_open(cli->db_path, STORE_READ, &st, err);

    opt.detect = o->detect;
    opt.least = o->least;
    opt.seed = (uint64_t)cli->seed;
    if (rc == 0 && o->list)
        rc = list(st, t, err);
    else if (rc == 0)
        rc = compare_load(st, args[0], args[1], o->best, &c, err);
    store_close(st);
    if (rc < 0 || o->list)
        return rc;
    rc = compare_judge(&c, &opt, err);
    for (int i = 0; i < c.n && rc == 0; i++)
        by_verdict[c.item[i].verdict] += !c.item[i].part;
    if (rc == 0) {
        show(&c, t);
        summarize(cli, &c, by_verdict);
    }
    compare_done(&c);
    return rc;
}

static int run(const struct cli *cli, const void *options, int n_args, char **args,
               struct err *err)
{
    const struct compare_opts *o = options;
    int by_verdict[4] = {0}, rc;
    struct table *t;

    if (check_fail_on(o, err) < 0)
        return EXIT_USAGE;
    if (n_args != (o->list ? 0 : 2)) {
        err_set(err, -EINVAL, o->list ? "--list takes no A B"
                                      : "compare wants A B, each device:NAME, session:ID or run:ID: "
                                        "'flashmem compare --list' shows them");
        return EXIT_USAGE;
    }
    t = table_new(o->list ? "kind,id,uuid,device,utc,host,program,count,what"
                          : "item,a_us,b_us,ratio,low,high,verdict,reason");
    rc = t ? compare(cli, o, args, t, by_verdict, err) : err_set(err, -ENOMEM, "out of memory");
    if (rc == -EINVAL) { /* A or B as typed */
        table_free(t);
        return EXIT_USAGE;
    }
    rc = cli_finish(cli, t, rc, err);
    return rc == EXIT_DONE && fails(o, by_verdict) ? EXIT_PARTLY : rc;
}

const struct command command_compare = {
    .name = "compare",
    .args = "[A B]",
    .summary = "two devices, sessions, runs or kernel forms: ratios, intervals, verdicts",
    .example = "flashmem compare session:3,5,7 session:4,6,8 --fail-on slower",
    .opts = opts,
    .opts_size = sizeof(struct compare_opts),
    .min_args = 0,
    .max_args = 2,
    .run = run,
};
