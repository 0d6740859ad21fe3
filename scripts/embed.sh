#!/bin/sh
# scripts/embed.sh OUT.c ARRAY FILE... - files as `const struct embedded_file ARRAY[]`; see
# profiler/embed.h.
set -eu
out=$1
array=$2
shift 2
{
    echo '#include "profiler/embed.h"'
    i=0
    for f in "$@"; do
        echo "static const unsigned char text_$i[] = {"
        od -An -v -tu1 "$f" | sed 's/  */,/g; s/^,//; s/$/,/'
        echo '0};'
        i=$((i + 1))
    done
    # Declared first: its own header, if it has one, is the room's and not known here.
    echo "extern const struct embedded_file $array[];"
    echo "const struct embedded_file $array[] = {"
    i=0
    for f in "$@"; do
        echo "    {\"${f##*/}\", (const char *)text_$i, sizeof(text_$i) - 1},"
        i=$((i + 1))
    done
    echo '    {0, 0, 0}};'
} >"$out"
