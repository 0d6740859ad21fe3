#!/bin/sh
# embed_sql.sh OUT.c NNN-NAME.sql... - schema files as byte arrays; see harness/store/schema.h.
# Refuses a gap in the numbers: the number is the schema's version.
set -eu
out=$1
shift
{
    echo '#include "harness/store/schema.h"'
    i=0
    for f in "$@"; do
        i=$((i + 1))
        case ${f##*/} in
        "$(printf %03d "$i")"-*) ;;
        *)
            echo "embed_sql.sh: want $(printf %03d "$i")-*.sql, got ${f##*/}" >&2
            exit 1
            ;;
        esac
        echo "static const unsigned char text_$i[] = {"
        od -An -v -tu1 "$f" | sed 's/  */,/g; s/^,//; s/$/,/'
        echo '0};'
    done
    echo 'const struct schema_file schema_files[] = {'
    i=0
    for f in "$@"; do
        i=$((i + 1))
        echo "    {\"${f##*/}\", text_$i},"
    done
    echo '    {0, 0}};'
} >"$out"
