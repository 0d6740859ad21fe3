#!/bin/sh
# embed.sh OUT.c FILE.cl... - kernel sources as byte arrays; see operators/kernels.h.
set -eu
out=$1
shift
{
    echo '#include "operators/kernels.h"'
    i=0
    for f in "$@"; do
        echo "static const unsigned char text_$i[] = {"
        od -An -v -tu1 "$f" | sed 's/  */,/g; s/^,//; s/$/,/'
        echo '};'
        i=$((i + 1))
    done
    echo 'const struct kernel_file kernel_files[] = {'
    i=0
    for f in "$@"; do
        echo "    {\"$(basename "$f")\", text_$i, sizeof(text_$i)},"
        i=$((i + 1))
    done
    echo '    {0, 0, 0}};'
} >"$out"
