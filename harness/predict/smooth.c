/* harness/predict/smooth.c - see smooth.h. */
#include "harness/predict/smooth.h"

#include <math.h>
#include <string.h>

#include "harness/predict/feature.h"

/* Sizes that no other name here implies, and choices. What is fixed by a kernel's kind, or follows
 * from the rest in a straight line, would only be one more length to learn. */
static const char *const size_names[] = {
    "log2_groups_per_unit", "log2_waves", "log2_group_items", "log2_flop_per_group",
    "log2_moved_per_group",
    "log2_flop_per_item", "log2_moved_bytes", "log2_flop", "log2_depth", "log2_fill",
    "log2_passes", "log2_local_bytes", "log2_align_x", "log2_align_y", "log2_align_cols",
    "log2_staged_bytes",
    "log2_weight_bytes", "log2_output_bytes", "log2_input_bytes", "y_rows", "y_cols", "rows", "cols",
    "h", "tile_m", "tile_n", "tile_k", "tile_rows", "vector", "micro", "stages", "split", "batch",
    "taps", "cin", "channel_groups",
    "log2_latency_ns", "log2_extra_ratio", "log2_load_bytes", "log2_load_per_latency"};
static const char *const choice_names[] = {"inputs", "stride", "ta", "tb", "causal", "res",
                                           "act", "kind", "axis", "whole", "order", "odd_passes"};

static void add(struct smooth *s, const char *name, int cols, bool as_is)
{
    const char *const *names = feature_names();

    for (int i = 0; i < cols; i++)
        if (strcmp(names[i], name) == 0) {
            s->column[s->n] = i;
            s->as_is[s->n++] = as_is || strncmp(name, "log2_", 5) == 0;
        }
}

struct smooth smooth_columns(int cols)
{
    struct smooth s = {0};

    for (size_t i = 0; i < sizeof(size_names) / sizeof(*size_names); i++)
        add(&s, size_names[i], cols, false);
    for (size_t i = 0; i < sizeof(choice_names) / sizeof(*choice_names); i++)
        add(&s, choice_names[i], cols, true);
    return s;
}

void smooth_row(const struct smooth *s, const float *x, float *ret_s)
{
    for (int i = 0; i < s->n; i++) {
        float v = x[s->column[i]];

        ret_s[i] = isnan(v) ? 0 : s->as_is[i] ? v : log2f(fmaxf(1, v));
    }
}

int smooth_kind(const struct op_case *c, const struct op_variant *v)
{
    int op = 0;

    while (op_table[op] && op_table[op] != c->op)
        op++;
    return (op * OP_MAX_KERNELS + v->kernel) * OP_FORMS + (int)v->form;
}
