/* Operators that move elements beside a copy of as many bytes on the same memory path. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/bench/bench.h"

static const char copy[] = "slice:f32:rows=4096,cols=4096,rn=4096,cn=4096";
/* A gather's rows come in any order, which no cache of a part of them helps: twice as large. */
static const char large_copy[] = "slice:f32:rows=8192,cols=4096,rn=8192,cn=4096";

/* Each reads and writes as much as the copy. The goal is for those that move whole texels.
 *
 * Heads on a CPU stay behind, at 0.4 to 0.7: runs of 256 bytes that lie 6 KiB apart. So does
 * whatever jumps from page to page there: affine, by groups of 2 KiB times 8 rows instead of
 * whole rows, falls from 1.0 of its copy to 0.3. */
static const struct {
    const char *name, *op_case;
    bool whole, large; /* large: beside the large copy */
} moves[] = {
    {"slice of columns", "slice:f32:rows=4096,cols=8192,rn=4096,c0=4096,cn=4096", true, false},
    {"slice, 1 column off", "slice:f32:rows=4096,cols=4100,rn=4096,c0=1,cn=4096", false, false},
    {"concat of columns", "concat:f32:n=2,axis=cols,size0=2048,size1=2048,other=4096", true, false},
    {"concat, 1 column off", "concat:f32:n=2,axis=cols,size0=2047,size1=2049,other=4096", false,
     false},
    {"concat of rows", "concat:f32:n=3,axis=rows,size0=1000,size1=2000,size2=1096,other=4096",
     true, false},
    {"pad", "pad:f32:h=62,w=62,c=4096,top=1,bottom=1,left=1,right=1", true, false},
    {"windows", "window:f32:h=64,w=64,c=4096,wh=16,ww=16", true, false},
    {"windows, back", "window:f32:h=64,w=64,c=4096,wh=16,ww=16,kind=merge", true, false},
    {"heads apart", "transpose:f32:d0=10922,d1=24,d2=64,perm=102,xc=2", true, false},
    {"heads together", "transpose:f32:d0=24,d1=10922,d2=64,perm=102,yc=2", true, false},
    {"rows to columns", "transpose:f32:d0=4000,d1=4192,perm=10", false, false},
    {"rows to columns, odd", "transpose:f32:d0=4001,d1=4191,perm=10", false, false},
    {"gather", "gather:f32:t=4096,vocab=4096,cols=4096", true, false},
    {"gather, large", "gather:f32:t=8192,vocab=8192,cols=4096", true, true},
};

static void move(struct bench *b, int i, const char *path)
{
    const char *same = moves[i].large ? large_copy : copy;
    struct bench_side sides[2] = {bench_op(b, "copy", same, path, false),
                                  bench_op(b, moves[i].name, moves[i].op_case, path, false)};
    char name[64];

    bench_time(b, sides, 2);
    snprintf(name, sizeof name, "%s, %s", moves[i].name, path);
    bench_goal(name, 1 / sides[1].ratio, moves[i].whole ? 0.8 : NAN, "%.0f us, copy %.0f",
               sides[1].median_ns / 1e3, sides[0].median_ns / 1e3);
    bench_op_done(&sides[0]);
    bench_op_done(&sides[1]);
}

/* `--only NAME`: those whose names begin so. */
int main(int argc, char **argv)
{
    const char *only = "";
    struct bench b;

    bench_open(&b, argc, argv);
    bench_head(&b, "time of a copy / time of the operator");
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], "--only") == 0)
            only = argv[i + 1];
    for (size_t i = 0; i < sizeof moves / sizeof *moves; i++) {
        if (strncmp(moves[i].name, only, strlen(only)) != 0)
            continue;
        move(&b, (int)i, "buffer");
        if (b.dev->info.images)
            move(&b, (int)i, "image");
    }
    bench_close(&b);
    return 0;
}
