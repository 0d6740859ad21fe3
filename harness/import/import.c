#include "harness/import/import.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "harness/import/lower/fuse.h"
#include "harness/import/lower/lower.h"
#include "harness/import/passes/pass.h"
#include "harness/import/shapes/infer.h"
#include "harness/import/write.h"
#include "harness/onnx/onnx_read.h"

/* Our own tables, folded constants and what protobuf-c unpacks besides; weights stay in their file.
 */
#define ARENA_BYTES (UINT64_C(4) << 30)

enum {
    PASS_LAYERNORM,
    PASS_GROUPNORM,
    PASS_ACTIVATION,
    PASS_ATTENTION,
    PASS_VIEWS,
    PASS_BIAS,
    PASS_SPLIT,
    PASS_RESIDUAL,
    PASS_FUSE
};

const char *const import_passes[] = {"layernorm", "groupnorm", "activation", "attention", "views",
                                     "bias",      "split",     "residual",   "fuse",      NULL};

struct import {
    const char *path;
    const struct import_options *opt;
    struct arena arena;
    struct ir g;
    struct low low;
    struct onnx *file;
    struct import_result result;
};

/* ---- what is told ---- */

/* Views that no runtime launches anything for. */
static bool is_free(const struct ir_node *n)
{
    static const char *const free_ones[] = {"Reshape",  "Squeeze", "Unsqueeze", "Flatten",
                                            "Identity", "Dropout", "Constant",  NULL};

    for (int i = 0; free_ones[i]; i++)
        if (ir_is(n, free_ones[i]))
            return true;
    return false;
}

static int kernels(const struct ir *g)
{
    int n = 0;

    for (int i = 0; i < g->n_nodes; i++)
        n += !g->node[i].dead && !is_free(&g->node[i]);
    return n;
}

static void tell(struct import *m, const char *pass, int before, int after)
{
    if (m->opt->pass)
        m->opt->pass(m->opt->ctx, pass, before, after);
}

static void note(struct import *m, const char *line)
{
    if (m->opt->note)
        m->opt->note(m->opt->ctx, line);
}

static bool wanted(const struct import *m, int pass)
{
    return !(m->opt->without & 1u << pass);
}

/* ---- stages ---- */

/* Only what the chosen output needs. */
static void choose_output(struct import *m)
{
    struct ir *g = &m->g;
    int chosen = g->output[0];

    if (m->opt->output) {
        for (chosen = 0; chosen < g->n_tensors; chosen++)
            if (g->tensor[chosen].producer >= 0 &&
                strcmp(g->tensor[chosen].name, m->opt->output) == 0)
                break;
        if (chosen == g->n_tensors)
            arena_fail(&m->arena, -EINVAL, "no node makes a tensor '%.200s'", m->opt->output);
    }
    for (int i = 0; i < g->n_outputs; i++)
        if (g->output[i] != chosen && !m->opt->output)
            note(m, arena_printf(&m->arena, "output '%s' is left out: --output chooses one",
                                 g->tensor[g->output[i]].name));
    g->output[0] = chosen;
    g->n_outputs = 1;
    ir_dead_code(g);
    ir_sort(g);
}

/* Canonical spellings bring new nodes, and constants among them. */
static void simplify(struct import *m)
{
    infer_graph(&m->g);
    ir_dead_code(&m->g);
    m->result.kernels_before = kernels(&m->g);
    tell(m, "fold", m->result.nodes, m->result.kernels_before);
    for (int i = 0; i < 2; i++) {
        pass_canonical(&m->g);
        infer_graph(&m->g);
        ir_dead_code(&m->g);
        ir_sort(&m->g);
    }
    tell(m, "canonical", m->result.kernels_before, kernels(&m->g));
}

static void patterns(struct import *m)
{
    static void (*const run[])(struct ir * g) = {pass_layernorm, pass_groupnorm, pass_activation,
                                                 pass_attention};

    for (int i = 0; i <= PASS_ATTENTION; i++) {
        int before = kernels(&m->g);

        if (!wanted(m, i))
            continue;
        run[i](&m->g);
        ir_dead_code(&m->g);
        ir_sort(&m->g);
        tell(m, import_passes[i], before, kernels(&m->g));
    }
}

static void list_unsupported(struct import *m, const struct unsupported *list, int n)
{
    for (int i = 0; i < n; i++) {
        const struct ir_node *node = &m->g.node[list[i].node];

        note(m, arena_printf(&m->arena, "node '%s': operator %s of %s, opset %d: %s", node->name,
                             node->op, node->domain[0] ? node->domain : "ai.onnx", node->opset,
                             list[i].why));
    }
    arena_fail(
        &m->arena, -ENOTSUP,
        "%d node%s cannot be imported; the first is '%.100s': operator %.60s of %.60s, opset "
        "%d: %.200s",
        n, n > 1 ? "s" : "", m->g.node[list[0].node].name, m->g.node[list[0].node].op,
        m->g.node[list[0].node].domain[0] ? m->g.node[list[0].node].domain : "ai.onnx",
        m->g.node[list[0].node].opset, list[0].why);
}

static void lower_all(struct import *m)
{
    struct unsupported *list;
    int before = kernels(&m->g), n;

    m->low = (struct low){.a = &m->arena, .g = &m->g};
    n = lower(&m->g, wanted(m, PASS_VIEWS), &m->low, &list);
    if (n > 0)
        list_unsupported(m, list, n);
    low_finish(&m->low);
    if (wanted(m, PASS_VIEWS))
        tell(m, import_passes[PASS_VIEWS], before, low_live(&m->low));
}

static void fuse(struct import *m)
{
    static void (*const run[])(struct low * l) = {fuse_bias, fuse_split, fuse_residual,
                                                  fuse_activation};

    for (int i = PASS_BIAS; i <= PASS_FUSE; i++) {
        int before = low_live(&m->low);

        if (!wanted(m, i))
            continue;
        run[i - PASS_BIAS](&m->low);
        if (i == PASS_SPLIT && wanted(m, PASS_BIAS)) /* parts of a product may be scaled apart */
            fuse_bias(&m->low);
        tell(m, import_passes[i], before, low_live(&m->low));
    }
    low_finish(&m->low);
}

/* The file's name without folder and ending, as models may be called. */
static const char *model_name(struct import *m)
{
    const char *base = strrchr(m->path, '/');
    char *name, *dot;

    if (m->opt->name)
        return m->opt->name;
    base = base ? base + 1 : m->path;
    name = arena_text(&m->arena, base, strlen(base));
    dot = strrchr(name, '.');
    if (dot && dot != name)
        *dot = '\0';
    for (char *p = name; *p; p++)
        if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-", *p))
            *p = '_';
    return name;
}

static void run(struct import *m)
{
    const char *name;

    m->g.a = &m->arena;
    onnx_read(m->path, &m->g, &m->file);
    m->result.nodes = m->g.n_nodes;
    choose_output(m);
    simplify(m);
    patterns(m);
    lower_all(m);
    fuse(m);
    m->result.kernels = m->low.n_nodes;
    name = model_name(m);
    write_graph(&m->low, name, m->path, m->opt->graph);
    write_weights(&m->low, name, m->opt->graph, m->opt, &m->result);
}

/* Errors of all stages land here. */
static int run_guarded(struct import *m)
{
    jmp_buf here;

    m->arena.land = &here;
    if (setjmp(here))
        return m->arena.err->code;
    run(m);
    return 0;
}

int import_onnx(const char *path, const struct import_options *opt, struct import_result *ret,
                struct err *err)
{
    struct err why = {0}; /* also where the caller wants to know nothing */
    struct import m = {
        .path = path, .opt = opt, .arena = {.limit_bytes = ARENA_BYTES, .err = &why}};
    int rc = run_guarded(&m);

    if (rc < 0)
        err_set(err, rc, "%s", why.text);
    else
        *ret = m.result;
    onnx_close(m.file);
    arena_done(&m.arena);
    return rc;
}
