/* tests/onnx_file.h - writes ONNX files byte by byte, so that they can be wrong in any way.
 * https://protobuf.dev/programming-guides/encoding/; field numbers: onnx.proto. */
#ifndef FLASHMEM_TESTS_ONNX_FILE_H
#define FLASHMEM_TESTS_ONNX_FILE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bytes {
    unsigned char *p;
    size_t n;
};

static inline void put(struct bytes *b, const void *data, size_t n)
{
    b->p = realloc(b->p, b->n + n + 1);
    if (n)
        memcpy(b->p + b->n, data, n);
    b->n += n;
}

static inline void put_varint(struct bytes *b, uint64_t v)
{
    do {
        unsigned char c = (unsigned char)((v & 0x7f) | (v > 0x7f ? 0x80 : 0));

        put(b, &c, 1);
        v >>= 7;
    } while (v);
}

static inline void put_int(struct bytes *b, int field, uint64_t v)
{
    put_varint(b, (uint64_t)field << 3);
    put_varint(b, v);
}

static inline void put_block(struct bytes *b, int field, const void *data, size_t n)
{
    put_varint(b, (uint64_t)field << 3 | 2);
    put_varint(b, n);
    put(b, data, n);
}

static inline void put_text(struct bytes *b, int field, const char *text)
{
    put_block(b, field, text, strlen(text));
}

/* Takes `part`. */
static inline void put_part(struct bytes *b, int field, struct bytes part)
{
    put_block(b, field, part.p, part.n);
    free(part.p);
}

/* ---- parts of a model ---- */

enum { FLOAT = 1, INT64 = 7 };

/* A float tensor [dim...] of a graph input. */
static inline struct bytes value_info(const char *name, int type, int rank, const int64_t *dim)
{
    struct bytes info = {0}, shape = {0}, tensor = {0}, kind = {0};

    for (int i = 0; i < rank; i++) {
        struct bytes d = {0};

        put_int(&d, 1, (uint64_t)dim[i]);
        put_part(&shape, 1, d);
    }
    put_int(&tensor, 1, (uint64_t)type);
    put_part(&tensor, 2, shape);
    put_part(&kind, 1, tensor);
    put_text(&info, 1, name);
    put_part(&info, 2, kind);
    return info;
}

static inline struct bytes tensor(const char *name, int type, int rank, const int64_t *dim,
                                  const void *raw, size_t n)
{
    struct bytes t = {0};

    for (int i = 0; i < rank; i++)
        put_int(&t, 1, (uint64_t)dim[i]);
    put_int(&t, 2, (uint64_t)type);
    put_text(&t, 8, name);
    if (raw)
        put_block(&t, 9, raw, n);
    return t;
}

static inline struct bytes external(const char *name, int rank, const int64_t *dim,
                                    const char *location, const char *offset, const char *length)
{
    const char *const pair[3][2] = {{"location", location}, {"offset", offset}, {"length", length}};
    struct bytes t = tensor(name, FLOAT, rank, dim, NULL, 0);

    for (int i = 0; i < 3; i++) {
        struct bytes entry = {0};

        if (!pair[i][1])
            continue;
        put_text(&entry, 1, pair[i][0]);
        put_text(&entry, 2, pair[i][1]);
        put_part(&t, 13, entry);
    }
    put_int(&t, 14, 1);
    return t;
}

/* Inputs and outputs are words, "" ends them. */
static inline struct bytes node(const char *op, const char *domain, const char *const *in,
                                const char *const *out)
{
    struct bytes n = {0};

    for (; **in; in++)
        put_text(&n, 1, *in);
    for (const char *const *o = out; **o; o++)
        put_text(&n, 2, *o);
    put_text(&n, 3, *out);
    put_text(&n, 4, op);
    if (*domain)
        put_text(&n, 7, domain);
    return n;
}

/* A node with a list as its attribute: floats or whole numbers. Takes `n`. */
static inline struct bytes with_list(struct bytes n, const char *name, int type, int count,
                                     const int64_t *v)
{
    struct bytes a = {0};

    put_text(&a, 1, name);
    put_int(&a, 20, type == FLOAT ? 6 : 7);
    for (int i = 0; i < count; i++) {
        float f = (float)v[i];

        if (type != FLOAT) {
            put_int(&a, 8, (uint64_t)v[i]);
            continue;
        }
        put_varint(&a, 7 << 3 | 5);
        put(&a, &f, sizeof(f));
    }
    put_part(&n, 5, a);
    return n;
}

#define NODE(op, in1, in2, out)                                                                    \
    node(op, "", (const char *const[]){in1, in2, ""}, (const char *const[]){out, ""})

/* Takes `graph`; opset 17. */
static inline struct bytes model(struct bytes graph)
{
    struct bytes m = {0}, opset = {0};

    put_int(&opset, 2, 17);
    put_int(&m, 1, 8);
    put_part(&m, 8, opset);
    put_part(&m, 7, graph);
    return m;
}

/* Takes `b`. */
static inline void write_bytes(const char *path, struct bytes b)
{
    FILE *f = fopen(path, "wb");

    if (f && b.n)
        fwrite(b.p, 1, b.n, f);
    if (f)
        fclose(f);
    free(b.p);
}

#endif
