/* cuBLAS through dlopen(); see cublas.h. */
#include "tests/bench/cublas.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

typedef int (*one_fn)(void *, int, int, int, int, int, const float *, const float *, int,
                      const float *, int, const float *, float *, int);
typedef int (*batch_fn)(void *, int, int, int, int, int, const float *, const float *, int,
                        long long, const float *, int, long long, const float *, float *, int,
                        long long, int);

static struct {
    bool tried;
    void *handle;
    int (*malloc)(void **, size_t);
    int (*free)(void *);
    int (*copy)(void *, const void *, size_t, int);
    int (*sync)(void);
    one_fn one;
    batch_fn batch;
} cu;

/* POSIX has dlsym() return functions as objects. */
static void *find(void *lib, const char *name)
{
    void *f = dlsym(lib, name);

    if (!f)
        fprintf(stderr, "bench: no %s: cuBLAS is left out\n", name);
    return f;
}

static bool load(const char *number)
{
    int (*create)(void **);
    char name[32];
    void *rt, *blas;

    snprintf(name, sizeof name, "libcudart.so.%s", number);
    rt = dlopen(name, RTLD_NOW | RTLD_GLOBAL);
    snprintf(name, sizeof name, "libcublas.so.%s", number);
    blas = rt ? dlopen(name, RTLD_NOW) : NULL;
    if (!blas)
        return false;
    *(void **)&cu.malloc = find(rt, "cudaMalloc");
    *(void **)&cu.free = find(rt, "cudaFree");
    *(void **)&cu.copy = find(rt, "cudaMemcpy");
    *(void **)&cu.sync = find(rt, "cudaDeviceSynchronize");
    *(void **)&create = find(blas, "cublasCreate_v2");
    *(void **)&cu.one = find(blas, "cublasSgemm_v2");
    *(void **)&cu.batch = find(blas, "cublasSgemmStridedBatched");
    return cu.malloc && cu.free && cu.copy && cu.sync && create && cu.one && cu.batch &&
           create(&cu.handle) == 0;
}

/* A matrix of numbers that are not zero, which a GPU multiplies faster. */
static float *matrix(size_t n)
{
    float *host = malloc(n * sizeof *host), *x = NULL;

    for (size_t i = 0; host && i < n; i++)
        host[i] = (float)(i * 2654435761u % 1009) / 1009 - 0.5f;
    if (!host || cu.malloc((void **)&x, n * sizeof *x) || cu.copy(x, host, n * sizeof *x, 1))
        x = NULL;
    free(host);
    return x;
}

bool cublas_open(struct cublas_product *p)
{
    size_t m = (size_t)p->m, n = (size_t)p->n, k = (size_t)p->k, batch = (size_t)p->batch;

    if (!cu.tried && !load("13") && !load("12"))
        cu.handle = NULL;
    cu.tried = true;
    if (!cu.handle)
        return false;
    p->a = matrix(batch * m * k);
    p->b = matrix(batch * n * k);
    p->c = matrix(batch * m * n);
    if (p->a && p->b && p->c)
        return true;
    cublas_close(p);
    return false;
}

void cublas_close(struct cublas_product *p)
{
    float *of[] = {p->a, p->b, p->c};

    for (int i = 0; i < 3; i++)
        if (of[i])
            cu.free(of[i]);
    p->a = p->b = p->c = NULL;
}

/* Column-major: y^T = b a^T. */
void cublas_run(void *ctx, int times)
{
    const struct cublas_product *p = ctx;
    const float one = 1, zero = 0;
    int b_row = p->tb ? p->k : p->n, lda = p->aheads ? p->batch * p->k : p->k;
    int ldb = p->bheads ? p->batch * b_row : b_row, ldc = p->cheads ? p->batch * p->n : p->n;
    long long nk = (long long)p->n * p->k, mk = (long long)p->m * p->k, mn = (long long)p->m * p->n;
    int code = 0;

    for (int i = 0; i < times; i++)
        code |= p->batch == 1 ? cu.one(cu.handle, p->tb, 0, p->n, p->m, p->k, &one, p->b, ldb, p->a,
                                       lda, &zero, p->c, ldc)
                              : cu.batch(cu.handle, p->tb, 0, p->n, p->m, p->k, &one, p->b, ldb,
                                         p->bheads ? b_row : nk, p->a, lda, p->aheads ? p->k : mk,
                                         &zero, p->c, ldc, p->cheads ? p->n : mn, p->batch);
    if (code || cu.sync()) {
        fprintf(stderr, "bench: cublasSgemm failed\n");
        exit(1);
    }
}
