/* tests/replay_case.h - a small model with its weights, a device and its problem, and runs of it.
 */
#ifndef FLASHMEM_TESTS_REPLAY_CASE_H
#define FLASHMEM_TESTS_REPLAY_CASE_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/model/reference.h"
#include "harness/replay/sequence.h"
#include "tests/folder.h"
#include "tests/need_device.h"

#define MIB   (UINT64_C(1) << 20)
#define CHUNK UINT64_C(65536)
#define SEED  7

static const char graph[] =
    "flashmem-graph,1\n"
    "kind,name,op,params,inputs,weights,init\n"
    "model,tiny,,,,,\n"
    "input,tokens,ids,n=24 vocab=3001,,,\n"
    "layer,emb,gather,t=24 vocab=3001 cols=200,tokens,emb.w,normal:1\n"
    "layer,ln,layernorm,rows=24 cols=200,emb,ln.g ln.b,const:1 normal:0.1\n"
    "layer,fc1,matmul,m=24 n=513 k=200 bias=1,ln,fc1.w fc1.b,normal:0.07 normal:0.1\n"
    "layer,act,gelu,rows=24 cols=513,fc1,,\n"
    "layer,fc2,matmul,m=24 n=200 k=513 bias=1,act,fc2.w fc2.b,normal:0.04 normal:0.1\n"
    "layer,res,add,rows=24 cols=200 brows=24 bcols=200,emb fc2,,\n"
    "layer,fc3,matmul,m=24 n=513 k=200 bias=1,res,fc3.w fc3.b,normal:0.07 normal:0.1\n"
    "layer,act3,relu,rows=24 cols=513,fc3,,\n"
    "layer,fc4,matmul,m=24 n=3001 k=513,act3,fc4.w,normal:0.04\n"
    "layer,prob,softmax,rows=24 cols=3001,fc4,,\n";

struct fixture {
    struct model *m;
    struct device *dev;
    struct weights_file file;
    struct model_problem mp;
    float *input, *reference;
    char graph_path[64], weights_path[64];
};

static inline size_t output_values(const struct model *m)
{
    const struct layer *last = &m->layer[m->n_layers - 1];
    const struct tensor_desc *d = &last->io.slot[last->io.n - 1].desc;

    return (size_t)(d->rows * d->cols);
}

static inline void open_graph(struct fixture *f, const char *text, enum dtype dtype,
                              enum mem_path path)
{
    struct problem_options po = problem_defaults();
    struct err err = {0};
    FILE *g;

    memset(f, 0, sizeof(*f));
    snprintf(f->graph_path, sizeof(f->graph_path), "%s", in_folder("m.csv"));
    snprintf(f->weights_path, sizeof(f->weights_path), "%s", in_folder("m.safetensors"));
    g = fopen(f->graph_path, "w");
    ck_assert_ptr_nonnull(g);
    fputs(text, g);
    ck_assert_int_eq(fclose(g), 0);
    ck_assert_msg(model_read(f->graph_path, dtype, &f->m, &err) == 0, "%s", err.text);
    ck_assert_msg(weights_write(f->m, SEED, f->weights_path, NULL, NULL, &err) == 0, "%s",
                  err.text);
    ck_assert_msg(weights_open(f->m, f->weights_path, &f->file, &err) == 0, "%s", err.text);
    ck_assert_msg(device_open(NULL, &f->dev, &err) == 0, "%s", err.text);
    f->input =
        malloc((size_t)(f->m->input[0].desc.rows * f->m->input[0].desc.cols) * sizeof(float));
    model_fill_input(f->m, 0, 3, f->input);
    f->reference = malloc(output_values(f->m) * sizeof(float));
    ck_assert_msg(
        model_reference(f->m, SEED, (const float *const[]){f->input}, f->reference, &err) == 0,
        "%s", err.text);
    po.chunk_bytes = CHUNK;
    ck_assert_msg(problem_for_model(f->m, &f->dev->info, NULL, path, &po, &f->mp, &err) == 0, "%s",
                  err.text);
}

static inline void open_fixture(struct fixture *f, enum dtype dtype, enum mem_path path)
{
    open_graph(f, graph, dtype, path);
}

static inline void close_fixture(struct fixture *f)
{
    problem_done(&f->mp);
    weights_done(&f->file);
    device_close(f->dev);
    model_free(f->m);
    unlink(f->graph_path);
    unlink(f->weights_path);
    free(f->input);
    free(f->reference);
}

/* Without a regressor capacities are zero; these let every kernel that can carry load carry it. */
static inline void give_capacity(struct fixture *f, int chunks)
{
    for (int l = 0; l < f->m->n_layers; l++) {
        enum op_class class = f->m->layer[l].c.op->class;

        f->mp.layer[l].capacity = class == OP_HIERARCHICAL ? 0 : chunks;
    }
}

static inline struct executor *open_executor(struct fixture *f, const struct executor_options *opt)
{
    struct executor *ex = NULL;
    struct err err = {0};

    ck_assert_msg(
        executor_new(f->dev, f->m, &f->file, (const float *const[]){f->input}, opt, &ex, &err) == 0,
        "%s", err.text);
    return ex;
}

#endif
