#!/bin/sh
# test_cli.sh FLASHMEM FIXTURE TABLE.txt - the command line from a table; see tests/cli.txt.
set -u
here() { echo "$(cd "$(dirname "$1")" && pwd)/${1##*/}"; } # the table runs in a folder of its own
exe=$(here "$1") fixture=$(here "$2") table=$(here "$3")
T=$(mktemp -d) || exit 1
clean() {
    umount "$T/full" 2>/dev/null
    umount "$T/readonly" 2>/dev/null
    rm -rf "$T"
}
trap clean EXIT
trap 'exit 1' INT TERM
unset FLASHMEM_DB FLASHMEM_DEVICE
INSTANCES=${table%/*}/../datasets/instances

flashmem() { "$exe" "$@"; }

# set_be32 FILE OFFSET OCTAL...: four bytes into SQLite's header.
set_be32() {
    printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}

"$fixture" "$T/good.db" || exit 1
cp "$T/good.db" "$T/newer.db" && set_be32 "$T/newer.db" 60 '\000\000\000\143' || exit 1
cp "$T/good.db" "$T/older.db" && set_be32 "$T/older.db" 60 '\000\000\000\001' || exit 1
cp "$T/good.db" "$T/theirs.db" && set_be32 "$T/theirs.db" 68 '\000\000\000\000' || exit 1
cp "$T/good.db" "$T/damaged.db" && set_be32 "$T/damaged.db" 100 '\377\377\377\377' || exit 1
echo 'no database, but text that is longer than nothing' >"$T/text.db"
: >"$T/empty.db"
mkdir "$T/folder" "$T/cwd"
cd "$T/cwd" || exit 1

# Real file systems, full and read-only, where we may mount.
mount=no
mkdir "$T/full" "$T/readonly"
if mount -t tmpfs -o size=32k tmpfs "$T/full" 2>/dev/null &&
    mount -t tmpfs tmpfs "$T/readonly" 2>/dev/null; then
    : >"$T/full/x.db"
    "$fixture" "$T/readonly/x.db" || exit 1
    mount -o remount,ro "$T/readonly" && mount=yes
fi

device=yes
flashmem devices >/dev/null 2>&1 || device=no

lines=0 bad=0 skipped=0
while IFS= read -r line; do
    lines=$((lines + 1))
    case $line in '' | '#'*) continue ;; esac
    command=${line%% | *}
    rest=${line#* | }
    want=${rest%% | *}
    pattern=${rest#* | }
    case $device$mount$want in
    no*d | *no*m)
        skipped=$((skipped + 1))
        continue
        ;;
    esac
    # LeakSanitizer stops threads to look; some of OpenCL's platforms' it cannot look at, and fails.
    leaks=1
    case $want in *d) leaks=0 ;; esac
    want=${want%[dm]}
    (export ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=$leaks" && eval "$command") >"$T/out" 2>"$T/err" </dev/null
    got=$?
    stream=${pattern%%:*}
    regex=${pattern#*: }
    ok=yes
    [ "$got" = "$want" ] || ok=no
    case $stream in
    out | err) grep -qE -e "$regex" "$T/$stream" || ok=no ;;
    none) [ ! -s "$T/out" ] && [ ! -s "$T/err" ] || ok=no ;;
    *) ok=no ;;
    esac
    # Whatever fails says so once, in one line, and a signal is never the reason.
    if [ "$got" = 1 ] || [ "$got" = 2 ]; then
        [ "$(grep -c '^flashmem: error: ' "$T/err")" = 1 ] || ok=no
    fi
    if [ $ok = no ]; then
        bad=$((bad + 1))
        echo "$table:$lines: $command"
        echo "  want exit $want and $pattern"
        echo "  got exit $got"
        sed 's/^/  out: /' "$T/out" | head -n 5
        sed 's/^/  err: /' "$T/err" | tail -n 5
    fi
done <"$table"
echo "$bad wrong, $skipped skipped: device $device, mount $mount"
[ $bad = 0 ] || exit 1
