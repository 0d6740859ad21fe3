/* A folder of its own for the files that a suite or a test writes, as a fixture of Check: removed
 * with all that is in it, whether or not the tests passed. */
#ifndef FLASHMEM_TESTS_FOLDER_H
#define FLASHMEM_TESTS_FOLDER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>

static char folder[32];

static inline bool folder_make_below(const char *where)
{
    snprintf(folder, sizeof(folder), "%s/flashmem-test-XXXXXX", where); /* as mkdtemp() wants it */
    return mkdtemp(folder) != NULL;
}

static inline void folder_make(void)
{
    if (!folder_make_below("/tmp")) {
        perror(folder);
        exit(EXIT_FAILURE);
    }
}

/* Several suites at a time may each have a database of 70 MB and its log there. */
#define FOLDER_IN_MEMORY_FREE (UINT64_C(512) << 20)

/* The same for databases, which wait for a disk at each commit: in memory, where that can be written
 * to and has room (containers are often given 64 MiB). */
static inline void folder_make_in_memory(void)
{
    struct statvfs s;

    if (statvfs("/dev/shm", &s) != 0 ||
        (uint64_t)s.f_bavail * s.f_frsize < FOLDER_IN_MEMORY_FREE || !folder_make_below("/dev/shm"))
        folder_make();
}

static inline void folder_remove(void)
{
    char command[64];

    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    if (system(command) != 0)
        exit(EXIT_FAILURE);
}

/* The path of a file in it; four of them are kept. */
static inline const char *in_folder(const char *name)
{
    static char path[4][256];
    static int turn;

    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof(path[turn]), "%s/%s", folder, name);
    return path[turn];
}

#endif
