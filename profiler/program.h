/* profiler/program.h - build OpenCL programs, with a cache of binaries on disk.
 *
 * The cache key is the text of: all sources, options, platform, device name, driver version. The
 * file name is its hash; the file holds the full key, which is compared on loading, so a collision
 * or a torn file is a miss. Folder: $FLASHMEM_CACHE, else $XDG_CACHE_HOME/flashmem, else
 * ~/.cache/flashmem; an unwritable one means building each time, never an error. On PoCL, which
 * has its own cache, only $FLASHMEM_CACHE is used (program.c says why). Thread-safe. */
#ifndef FLASHMEM_PROFILER_PROGRAM_H
#define FLASHMEM_PROFILER_PROGRAM_H

#include "profiler/device.h"

struct program_source {
    const char *name; /* for #line, so that build logs name our file */
    const char *text; /* length bytes, no terminator needed */
    size_t length;
};

struct program_stats {
    uint64_t build_ns;
    bool cached;
};

/* Build `n` sources as one program. ret_program is owned by the caller (clReleaseProgram).
 * `stats` may be NULL. -ENOEXEC: does not compile, err holds the first lines of the build log. */
int program_build(struct device *dev, const struct program_source *sources, int n,
                  const char *options, cl_program *ret_program, struct program_stats *stats,
                  struct err *err);

/* Release what program_build() keeps for this device: device_close() does. */
void program_forget(struct device *dev);

/* Hash of sources and options: the `build_hash` of samples. */
uint64_t program_hash(const struct program_source *sources, int n, const char *options);

#endif
