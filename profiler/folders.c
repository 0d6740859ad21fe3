#include "profiler/folders.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* After a failed mkdir(). An existing folder may say EROFS instead of EEXIST, and what says EEXIST
 * may be no folder. */
static int must_be_folder(const char *path, int code, struct err *err)
{
    struct stat s;

    if (stat(path, &s) == 0 && S_ISDIR(s.st_mode))
        return 0;
    code = code == EEXIST ? ENOTDIR : code;
    return err_set(err, -code, "cannot make the folder '%s': %s", path, strerror(code));
}

int folders_above(const char *path, struct err *err)
{
    char *folder = strdup(path);
    int rc = 0;

    if (!folder)
        return err_set(err, -ENOMEM, "out of memory");
    for (char *p = folder; *p && rc == 0; p++) {
        if (*p != '/' || p == folder)
            continue;
        *p = '\0';
        if (mkdir(folder, 0777) != 0)
            rc = must_be_folder(folder, errno, err);
        *p = '/';
    }
    free(folder);
    return rc;
}
