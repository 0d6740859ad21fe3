/* Rows of 004-runs.sql, and the columns of 006-run-variants.sql, 007-run-cases.sql,
 * 010-run-options.sql, 012-run-device-memory.sql and 015-run-memory.sql. */
#include <math.h>
#include <stdio.h>

#include "harness/replay/replay.h"

static int save_run(struct store *st, const struct replay_context *ctx,
                    const struct replay_policy *p, const struct replay_outcome *o, struct err *err)
{
    char hash[20], source[READER_SOURCE_MAX];

    reader_source(ctx->exec->disk, source);
    snprintf(hash, sizeof(hash), "%016llx", (unsigned long long)o->output_hash);
    return store_exec(
        st, err,
        "INSERT INTO run (session_id, plan_id, taken_utc, model, policy, dtype, path, kernel,"
        " reader, source, cache, memory_limit_bytes, repeats, setup_ns, build_ns, init_ns, exec_ns,"
        " integrated_ns, integrated_low_ns, integrated_high_ns, integrated_mean_ns, peak_bytes,"
        " avg_bytes, mem_byte_s, rss_peak_bytes, bytes_read, disk_ns, kernel_ns, bound_ns,"
        " predicted_ns, energy_j, verified, verify_error, output_hash, status, note, options,"
        " device_peak_bytes, predicted_peak_bytes, least_ns)"
        " VALUES (?, nullif(?, 0), " STORE_NOW_UTC ", ?, ?, ?, ?, ?, ?, ?, ?, nullif(?, 0), ?,"
        " ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, nullif(?, 0), nullif(?, 0), ?)",
        "iissssssssiiiiddddddiddiidddddsdssssiid", ctx->session_id, p->plan_id, ctx->m->name, p->name,
        dtype_name(ctx->m->dtype), mem_path_name(ctx->exec->path), executor_kernel_name(ctx->exec),
        executor_reader_names[ctx->exec->at_plan], source, o->cache,
        (int64_t)ctx->exec->memory_limit, (int64_t)o->runs,
        (int64_t)ctx->setup_ns + (int64_t)o->setup_ns,
        (int64_t)o->build_ns, o->init_ns, o->exec_ns, o->integrated_ns.mid, o->integrated_ns.low,
        o->integrated_ns.high, o->integrated_mean_ns, (int64_t)o->peak_bytes, o->avg_bytes,
        o->mem_byte_s, (int64_t)o->rss_peak_bytes, (int64_t)o->bytes_read, o->disk_ns, o->kernel_ns,
        o->bound_ns, o->predicted_ns, o->energy_j,
        isnan(o->verify_error) ? NULL : (o->verified ? "yes" : "no"),
        o->verify_error, hash, o->noisy ? "noisy" : "ok", o->note, ctx->options,
        (int64_t)o->device_peak_bytes, (int64_t)o->predicted_peak_bytes, o->least_ns);
}

static int save_repeats(struct store *st, int64_t run, const struct replay_outcome *o,
                        struct err *err)
{
    int rc = 0;

    for (int i = 0; i < o->runs && rc == 0; i++)
        rc = store_exec(st, err, "INSERT INTO run_repeat VALUES (?, ?, ?, ?, ?, ?, ?, ?, nullif(?, 0))",
                        "iiiiiiidi", run, (int64_t)i, (int64_t)o->integrated[i], (int64_t)o->init[i],
                        (int64_t)o->disk[i], (int64_t)o->kernel[i], (int64_t)o->peak[i], o->avg[i],
                        (int64_t)o->rss[i]);
    return rc;
}

static int save_memory(struct store *st, int64_t run, const struct replay_outcome *o,
                       struct err *err)
{
    int rc = 0;

    for (int i = 0; i < o->n_memory && rc == 0; i++) {
        const struct mem_point *p = &o->memory[i];

        rc = store_exec(st, err,
                        "INSERT INTO run_memory VALUES (?, ?, ?, ?, ?, ?, ?, ?, nullif(?, 0))",
                        "iiiiiiiii", run, (int64_t)i, (int64_t)p->t_ns,
                        (int64_t)p->live_bytes[MEM_STAGING], (int64_t)p->live_bytes[MEM_UM],
                        (int64_t)p->live_bytes[MEM_TEXTURE], (int64_t)p->live_bytes[MEM_ACTIVATION],
                        (int64_t)p->live_bytes[MEM_HOST], (int64_t)p->rss_bytes);
    }
    return rc;
}

static int save_layers(struct store *st, int64_t run, const struct replay_context *ctx,
                       const struct replay_outcome *o, struct err *err)
{
    int rc = 0;

    for (int l = 0; o->profiled && l < ctx->m->n_layers && rc == 0; l++) {
        char variant[OP_TEXT_MAX], op_case[OP_TEXT_MAX];

        op_variant_print(&ctx->m->layer[l].c, &o->variant[l], variant);
        op_case_print(&ctx->m->layer[l].c, op_case);
        rc = store_exec(st, err,
                        "INSERT INTO run_layer (run_id, layer, name, op, start_ns, end_ns,"
                        " load_bytes, predicted_ns, variant, op_case)"
                        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                        "iissiiidss", run, (int64_t)(l + 1), ctx->m->layer[l].name,
                        ctx->m->layer[l].c.op->name, (int64_t)o->layer[l].start_ns,
                        (int64_t)o->layer[l].end_ns, (int64_t)o->layer_load[l],
                        o->layer_predicted[l], variant, op_case);
    }
    return rc;
}

int replay_save(struct store *st, const struct replay_context *ctx,
                const struct replay_policy *policy, const struct replay_outcome *o,
                int64_t *ret_run_id, struct err *err)
{
    int64_t run = 0;
    int rc = store_begin(st, err), end;

    if (rc < 0)
        return rc;
    rc = save_run(st, ctx, policy, o, err);
    if (rc == 0) {
        run = store_last_id(st);
        rc = save_repeats(st, run, o, err);
    }
    if (rc == 0)
        rc = save_memory(st, run, o, err);
    if (rc == 0)
        rc = save_layers(st, run, ctx, o, err);
    end = store_end(st, rc == 0, rc == 0 ? err : NULL);
    if (rc == 0 && end == 0)
        *ret_run_id = run;
    return rc ? rc : end;
}
