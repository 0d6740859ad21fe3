/* profiler/clones.h - CLONES before a function with plain loops: compiled once for each generation of
 * vector units too, chosen when the program starts. Same results: ISO C forbids to contract or
 * reorder floating-point operations, and so does -std=c11. */
#ifndef FLASHMEM_PROFILER_CLONES_H
#define FLASHMEM_PROFILER_CLONES_H

_Static_assert(sizeof(float) == 4 && sizeof(double) == 8, "the widths that the loops count on");

#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__OPTIMIZE__) && \
    defined(__GNUC__) && __GNUC__ >= 12 && !defined(__clang__)
#define CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define CLONES
#endif

#endif
