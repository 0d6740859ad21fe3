/* profiler/folders.h - the folders that a file is to lie in. */
#ifndef FLASHMEM_PROFILER_FOLDERS_H
#define FLASHMEM_PROFILER_FOLDERS_H

#include "profiler/err.h"

/* Makes what is missing of the folders above the last '/' of `path`. 0: all are there; -ENOTDIR:
 * something else is; another -errno of mkdir() (err names the folder); -ENOMEM. */
int folders_above(const char *path, struct err *err);

#endif
