#include "harness/cli/opt.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "harness/text/units.h"

#define DEFAULT_DB "results/flashmem.db"

static const char *const formats[] = {
    [FORMAT_TABLE] = "table",
    [FORMAT_CSV] = "csv",
    [FORMAT_JSON] = "json",
    [FORMAT_MARKDOWN] = "markdown",
    NULL,
};

struct globals {
    struct cli cli;
    bool help, version;
};

static const struct opt global_opts[] = {
    {.name = "--db",
     .type = OPT_TEXT,
     .offset = offsetof(struct globals, cli.db_path),
     .arg = "FILE",
     .help = "results database; $FLASHMEM_DB, else " DEFAULT_DB},
    {.name = "--device",
     .type = OPT_TEXT,
     .offset = offsetof(struct globals, cli.device),
     .arg = "SEL",
     .help = "index or part of a name; $FLASHMEM_DEVICE, else the first GPU"},
    {.name = "--format",
     .type = OPT_CHOICE,
     .offset = offsetof(struct globals, cli.format),
     .def = "table",
     .choices = formats,
     .help = "how results are printed"},
    {.name = "--quiet",
     .type = OPT_FLAG,
     .offset = offsetof(struct globals, cli.quiet),
     .help = "no progress, no notes"},
    {.name = "--verbose",
     .type = OPT_FLAG,
     .offset = offsetof(struct globals, cli.verbose),
     .help = "more notes: each round of a replay"},
    {.name = "--seed",
     .type = OPT_INT,
     .offset = offsetof(struct globals, cli.seed),
     .def = "1",
     .max = 0x1p63,
     .arg = "N",
     .help = "of everything random"},
    {.name = "--help",
     .type = OPT_FLAG,
     .offset = offsetof(struct globals, help),
     .help = "this text; after a command, the command's"},
    {.name = "--version",
     .type = OPT_FLAG,
     .offset = offsetof(struct globals, version),
     .help = "program version and revision"},
    {0},
};

/* ---- names, and what was likely meant ---- */

static const struct opt *find_opt(const struct opt *opts, const char *name, size_t n)
{
    for (; opts && opts->name; opts++)
        if (strlen(opts->name) == n && memcmp(opts->name, name, n) == 0)
            return opts;
    return NULL;
}

static const struct command *find_command(const struct command *const *table, const char *name)
{
    for (; *table; table++)
        if (strcmp((*table)->name, name) == 0)
            return *table;
    return NULL;
}

#define NAME_MAX_LEN 63 /* longer words are not misspelt names */

/* Levenshtein's distance, one row at a time. */
static int distance(const char *a, size_t n, const char *b)
{
    size_t m = strlen(b);
    int row[NAME_MAX_LEN + 1];

    assert(n <= NAME_MAX_LEN && m <= NAME_MAX_LEN);
    for (size_t k = 0; k <= m; k++)
        row[k] = (int)k;
    for (size_t i = 0; i < n; i++) {
        int corner = row[0];

        row[0] = (int)i + 1;
        for (size_t k = 0; k < m; k++) {
            int best = corner + (a[i] != b[k]);

            corner = row[k + 1];
            if (row[k] + 1 < best)
                best = row[k] + 1;
            if (corner + 1 < best)
                best = corner + 1;
            row[k + 1] = best;
        }
    }
    return row[m];
}

struct nearest {
    const char *word;
    size_t n;
    const char *name;
    int distance;
};

static struct nearest nearest_start(const char *word, size_t n)
{
    /* A third of the word may be wrong, or its beginning alone was typed. */
    return (struct nearest){.word = word, .n = n, .distance = 1 + (n < 60 ? (int)n / 3 : 20)};
}

static void nearest_try(struct nearest *near, const char *name)
{
    int d;

    if (near->n > NAME_MAX_LEN || strlen(name) > NAME_MAX_LEN)
        return;
    d = near->n > 3 && strncmp(name, near->word, near->n) == 0
            ? 0
            : distance(near->word, near->n, name);
    if (d < near->distance) {
        near->distance = d;
        near->name = name;
    }
}

static void nearest_opts(struct nearest *near, const struct opt *opts)
{
    for (; opts && opts->name; opts++)
        nearest_try(near, opts->name);
}

static int unknown_option(const struct command *command, const char *word, size_t n,
                          struct err *err)
{
    struct nearest near = nearest_start(word, n);

    nearest_opts(&near, command ? command->opts : NULL);
    nearest_opts(&near, global_opts);
    if (near.name)
        return err_set(err, -EINVAL, "unknown option '%.*s', did you mean '%s'?", (int)n, word,
                       near.name);
    return err_set(err, -EINVAL, "unknown option '%.*s': try 'flashmem %s%s--help'", (int)n, word,
                   command ? command->name : "", command ? " " : "");
}

static int unknown_command(const struct command *const *table, const char *word, struct err *err)
{
    struct nearest near = nearest_start(word, strlen(word));

    for (; *table; table++)
        if (!(*table)->hidden)
            nearest_try(&near, (*table)->name);
    if (near.name)
        return err_set(err, -EINVAL, "unknown command '%s', did you mean '%s'?", word, near.name);
    return err_set(err, -EINVAL, "unknown command '%s': 'flashmem --help' lists them", word);
}

/* ---- values ---- */

/* The table holds ranges as doubles, which cannot say 2^63 - 1. Both 0: no range. */
static int64_t int_bound(const struct opt *o, double bound, int64_t if_none)
{
    if (o->min == 0 && o->max == 0)
        return if_none;
    if (bound >= 0x1p63)
        return INT64_MAX;
    return bound <= -0x1p63 ? INT64_MIN : (int64_t)bound;
}

static int set_choice(const struct opt *o, const char *text, int *ret, struct err *err)
{
    struct nearest near = nearest_start(text, strlen(text));
    char all[256] = "";
    size_t n = 0;

    for (int i = 0; o->choices[i]; i++) {
        if (strcmp(o->choices[i], text) == 0) {
            *ret = i;
            return 0;
        }
        nearest_try(&near, o->choices[i]);
        if (n < sizeof(all))
            n += (size_t)snprintf(all + n, sizeof(all) - n, "%s%s", i ? ", " : "", o->choices[i]);
    }
    return err_set(err, -EINVAL, "want one of %s, got '%s'%s%s%s", all, text,
                   near.name ? ": did you mean '" : "", near.name ? near.name : "",
                   near.name ? "'?" : "");
}

static int append(struct opt_list *list, const char *text, struct err *err)
{
    const char **more = realloc(list->item, ((size_t)list->n + 1) * sizeof(*more));

    if (!more)
        return err_set(err, -ENOMEM, "out of memory");
    list->item = more;
    list->item[list->n++] = text;
    return 0;
}

/* `to`: the struct that o->offset counts in. */
static int set_value(const struct opt *o, void *to, const char *text, struct err *err)
{
    void *field = (char *)to + o->offset;
    int rc = 0;

    switch (o->type) {
    case OPT_TEXT:
        *(const char **)field = text;
        return 0;
    case OPT_FLAG:
        *(bool *)field = true;
        return 0;
    case OPT_LIST:
        return append(field, text, err);
    case OPT_INT:
        rc = parse_int(text, int_bound(o, o->min, INT64_MIN), int_bound(o, o->max, INT64_MAX),
                       field, err);
        break;
    case OPT_REAL:
        rc = o->min == 0 && o->max == 0 ? parse_real(text, -1e308, 1e308, field, err)
                                        : parse_real(text, o->min, o->max, field, err);
        break;
    case OPT_BYTES:
        rc = parse_bytes(text, field, err);
        break;
    case OPT_TIME:
        rc = parse_time_ns(text, field, err);
        break;
    case OPT_CHOICE:
        rc = set_choice(o, text, field, err);
        break;
    }
    if (rc < 0)
        err_prefix(err, "%s", o->name);
    return rc;
}

static void set_defaults(const struct opt *opts, void *to)
{
    struct err err;

    for (; opts && opts->name; opts++)
        if (opts->def) {
            int rc = set_value(opts, to, opts->def, &err);

            assert(rc == 0); /* the table's own default is out of its range */
            (void)rc;
        }
}

static void free_lists(const struct opt *opts, void *to)
{
    for (; opts && opts->name; opts++)
        if (opts->type == OPT_LIST)
            free(((struct opt_list *)(void *)((char *)to + opts->offset))->item);
}

/* ---- values as words again ---- */

static bool changed(const struct opt *o, const void *values)
{
    const void *field = (const char *)values + o->offset;
    union {
        int64_t i;
        double d;
        uint64_t u;
        int choice;
    } def = {0};
    struct opt at_zero = *o;
    struct err err;

    at_zero.offset = 0;
    switch (o->type) {
    case OPT_LIST:
        return ((const struct opt_list *)field)->n > 0;
    case OPT_FLAG:
        return *(const bool *)field;
    case OPT_TEXT: {
        const char *text = *(const char *const *)field;

        return text && (!o->def || strcmp(text, o->def) != 0);
    }
    default:
        if (o->def)
            set_value(&at_zero, &def, o->def, &err);
        return memcmp(field, &def, o->type == OPT_CHOICE ? sizeof(int) : sizeof(int64_t)) != 0;
    }
}

static void put_changed(FILE *f, const struct opt *o, const void *values)
{
    const void *field = (const char *)values + o->offset;

    fprintf(f, "%s%s", ftell(f) > 0 ? " " : "", o->name);
    switch (o->type) {
    case OPT_FLAG:
        break;
    case OPT_TEXT:
        fprintf(f, " %s", *(const char *const *)field);
        break;
    case OPT_INT:
        fprintf(f, " %" PRId64, *(const int64_t *)field);
        break;
    case OPT_REAL:
        fprintf(f, " %.10g", *(const double *)field);
        break;
    case OPT_BYTES:
        fprintf(f, " %" PRIu64, *(const uint64_t *)field);
        break;
    case OPT_TIME:
        fprintf(f, " %" PRIu64 "ns", *(const uint64_t *)field);
        break;
    case OPT_CHOICE:
        fprintf(f, " %s", o->choices[*(const int *)field]);
        break;
    case OPT_LIST: {
        const struct opt_list *list = field;

        for (int i = 0; i < list->n; i++)
            fprintf(f, "%s%s %s", i ? " " : "", i ? o->name : "", list->item[i]);
        break;
    }
    }
}

char *opt_changed(const struct opt *opts, const void *values, const char *const *but)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);

    if (!f)
        return NULL;
    for (; opts->name; opts++) {
        const char *const *name = but;

        while (*name && strcmp(*name, opts->name) != 0)
            name++;
        if (!*name && changed(opts, values))
            put_changed(f, opts, values);
    }
    if (fclose(f) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

/* ---- the words in order ---- */

/* One option at argv[*i], which begins with '-'; takes the next word where it needs a value. */
static int parse_option(struct invocation *inv, struct globals *globals, int argc, char **argv,
                        int *i, struct err *err)
{
    const char *word = strcmp(argv[*i], "-h") == 0 ? "--help" : argv[*i];
    size_t n = strcspn(word, "=");
    const char *value = word[n] ? word + n + 1 : NULL;
    const struct opt *o = inv->command ? find_opt(inv->command->opts, word, n) : NULL;
    void *to = inv->opts;

    if (!o) {
        o = find_opt(global_opts, word, n);
        to = globals;
    }
    if (!o)
        return unknown_option(inv->command, word, n, err);
    if (o->type == OPT_FLAG) {
        if (value)
            return err_set(err, -EINVAL, "%s takes no value, got '%s'", o->name, value);
        return set_value(o, to, NULL, err);
    }
    if (!value) {
        /* "--db --quiet" is a forgotten value; "--db=--quiet" says that it is meant. */
        if (*i + 1 >= argc || strncmp(argv[*i + 1], "--", 2) == 0)
            return err_set(err, -EINVAL, "%s wants a value: %s %s", o->name, o->name,
                           o->arg ? o->arg : "VALUE");
        value = argv[++*i];
    }
    return set_value(o, to, value, err);
}

static int set_command(const struct command *const *table, const char *word, struct invocation *inv,
                       struct err *err)
{
    inv->command = find_command(table, word);
    if (!inv->command)
        return unknown_command(table, word, err);
    if (inv->command->opts_size > 0) {
        inv->opts = calloc(1, inv->command->opts_size);
        if (!inv->opts)
            return err_set(err, -ENOMEM, "out of memory");
        set_defaults(inv->command->opts, inv->opts);
    }
    return 0;
}

static int check_args(const struct invocation *inv, struct err *err)
{
    const struct command *c = inv->command;

    if (!c)
        return 0;
    if (inv->n_args < c->min_args)
        return err_set(err, -EINVAL, "%s wants %s: try 'flashmem %s --help'", c->name, c->args,
                       c->name);
    if (c->max_args >= 0 && inv->n_args > c->max_args)
        return err_set(err, -EINVAL, "%s: one argument too many, '%s': try 'flashmem %s --help'",
                       c->name, inv->args[c->max_args], c->name);
    return 0;
}

int opt_parse(const struct command *const *table, int argc, char **argv, struct invocation *ret_inv,
              struct err *err)
{
    struct invocation inv = {0};
    struct globals globals = {0};
    bool only_args = false;
    const char *env;
    int rc = 0;

    set_defaults(global_opts, &globals);
    env = getenv("FLASHMEM_DB");
    globals.cli.db_path = env && *env ? env : DEFAULT_DB;
    env = getenv("FLASHMEM_DEVICE");
    globals.cli.device = env && *env ? env : NULL;
    inv.args = calloc((size_t)argc + 1, sizeof(*inv.args));
    if (!inv.args)
        return err_set(err, -ENOMEM, "out of memory");
    for (int i = 1; i < argc && rc == 0; i++) {
        if (!only_args && strcmp(argv[i], "--") == 0)
            only_args = true;
        else if (!only_args && argv[i][0] == '-' && argv[i][1])
            rc = parse_option(&inv, &globals, argc, argv, &i, err);
        else if (!inv.command && !globals.help && strcmp(argv[i], "help") == 0)
            globals.help = true; /* "flashmem help sweep" */
        else if (!inv.command)
            rc = set_command(table, argv[i], &inv, err);
        else
            inv.args[inv.n_args++] = argv[i];
    }
    inv.help = globals.help;
    inv.version = globals.version;
    inv.cli = globals.cli;
    inv.cli.argc = argc;
    inv.cli.argv = argv;
    if (rc == 0 && !inv.help && !inv.version)
        rc = check_args(&inv, err);
    if (rc < 0) {
        opt_done(&inv);
        return rc;
    }
    *ret_inv = inv;
    return 0;
}

void opt_done(struct invocation *inv)
{
    if (inv->command && inv->opts)
        free_lists(inv->command->opts, inv->opts);
    free(inv->opts);
    free(inv->args);
    *inv = (struct invocation){0};
}

/* ---- help ---- */

/* "(default 10; 1..100)": what the table knows beyond the sentence. */
static void help_range(const struct opt *o, FILE *f)
{
    bool ranged = (o->type == OPT_INT || o->type == OPT_REAL) && (o->min != 0 || o->max != 0);
    char lo[UNIT_TEXT], hi[UNIT_TEXT];

    format_real(lo, o->min);
    format_real(hi, o->max);
    if (o->type == OPT_INT && o->max >= 0x1p63)
        snprintf(hi, sizeof(hi), "2^63-1");
    if (o->def && ranged)
        fprintf(f, " (default %s; %s..%s)", o->def, lo, hi);
    else if (ranged)
        fprintf(f, " (%s..%s)", lo, hi);
    else if (o->def)
        fprintf(f, " (default %s)", o->def);
    if (o->type == OPT_LIST)
        fputs(" (may be repeated)", f);
}

static void help_opts(const struct opt *opts, FILE *f)
{
    for (; opts && opts->name; opts++) {
        int n = fprintf(f, "  %s", opts->name);

        if (opts->type == OPT_CHOICE)
            for (int i = 0; opts->choices[i]; i++)
                n += fprintf(f, "%s%s", i ? "|" : " ", opts->choices[i]);
        else if (opts->type != OPT_FLAG)
            n += fprintf(f, " %s", opts->arg ? opts->arg : "VALUE");
        if (n > 24)
            fprintf(f, "\n%26s", "");
        else
            fprintf(f, "%*s", 26 - n, "");
        fputs(opts->help, f);
        help_range(opts, f);
        fputc('\n', f);
    }
}

void opt_help(const struct command *const *table, const struct command *command, FILE *f)
{
    if (command) {
        fprintf(f, "usage: flashmem [global options] %s%s%s%s\n\n%s\n", command->name,
                command->opts ? " [options]" : "", command->args && *command->args ? " " : "",
                command->args ? command->args : "", command->summary);
        if (command->opts) {
            fputs("\noptions\n", f);
            help_opts(command->opts, f);
        }
        if (command->help)
            command->help(f);
    } else {
        fputs("usage: flashmem [global options] COMMAND [options] [arguments]\n\n"
              "Measures GPU kernels, learns what extra load they bear, plans when to stream which\n"
              "weights of a model from disk through them, replays the plan and reports.\n\n"
              "commands\n",
              f);
        for (; *table; table++)
            if (!(*table)->hidden) {
                int n = fprintf(f, "  %s %s", (*table)->name, (*table)->args);

                if (n > 24)
                    n = fprintf(f, "\n") - 1;
                fprintf(f, "%*s%s\n", 26 - n, "", (*table)->summary);
            }
    }
    fputs("\nglobal options\n", f);
    help_opts(global_opts, f);
    fprintf(f,
            "\nSizes: 4096, 500MiB, 1.5GB. Times: 150s, 20ms. Exit status: 0 done, 1 failed,\n"
            "2 wrong command line, 3 done but some configurations failed.\n\nexample\n  %s\n",
            command ? command->example : "flashmem devices");
}
