#include "profiler/folders.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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
        if (mkdir(folder, 0777) != 0 && errno != EEXIST) {
            /* An existing folder of a read-only file system says EROFS, not EEXIST. */
            int code = errno;
            struct stat s;

            if (stat(folder, &s) != 0 || !S_ISDIR(s.st_mode))
                rc = err_set(err, -code, "cannot make the folder '%s': %s", folder, strerror(code));
        }
        *p = '/';
    }
    free(folder);
    return rc;
}
