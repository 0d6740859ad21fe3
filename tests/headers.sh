#!/bin/sh
# tests/headers.sh SOURCE_DIR CC FLAG... - each header compiles alone.
set -u
cd "$1" || exit 1
shift
bad=0
for h in $(find profiler operators harness -name '*.h' | sort); do
    printf '#include "%s"\n#include "%s"\n' "$h" "$h" |
        "$@" -I. -Wall -Wextra -Wpedantic -Werror -fsyntax-only -x c - || { echo "$h does not compile alone"; bad=1; }
done
exit $bad
