#!/bin/sh
# test_faults.sh FLASHMEM - replays that are killed, interrupted, or find the disk full: what was
# recorded before stays, the database is whole, and the next replay runs.
set -u
exe=$(cd "$(dirname "$1")" && pwd)/${1##*/}
T=$(mktemp -d) || exit 1
trap 'umount "$T/full" 2>/dev/null; rm -rf "$T"' EXIT
trap 'exit 1' INT TERM
cd "$T" || exit 1
export FLASHMEM_DB="$T/f.db" FLASHMEM_WEIGHTS="$T"
command -v sqlite3 >/dev/null || { echo "skipped: no sqlite3"; exit 77; }

fail() {
    echo "FAILED: $*" >&2
    cat err.txt >&2
    exit 1
}
runs() { sqlite3 "$FLASHMEM_DB" 'SELECT count(*) FROM run'; }
whole() {
    [ "$(sqlite3 "$FLASHMEM_DB" 'PRAGMA integrity_check')" = ok ] || fail "$1: the database is damaged"
    [ "$(runs)" = "$2" ] || fail "$1: $(runs) runs in the database, want $2"
    # A run without its repeats, or the other way round, would be half of one.
    [ "$(sqlite3 "$FLASHMEM_DB" 'SELECT count(*) FROM run WHERE repeats <>
        (SELECT count(*) FROM run_repeat WHERE run_id = run.id)')" = 0 ] || fail "$1: half a run"
}
replay() { "$exe" replay m.csv --policy preload "$@" >out.txt 2>err.txt; }

cat >m.csv <<'M'
flashmem-graph,1
kind,name,op,params,inputs,weights,init
model,tiny,,,,,
input,tokens,ids,n=8 vocab=300,,,
layer,emb,gather,t=8 vocab=300 cols=96,tokens,emb.w,normal:1
layer,fc1,matmul,m=8 n=512 k=96,emb,fc1.w,normal:0.07
layer,prob,softmax,rows=8 cols=512,fc1,,
M
"$exe" devices >out.txt 2>err.txt || { grep -q "no OpenCL device" err.txt && exit 77; }
"$exe" weights m.csv >out.txt 2>err.txt || fail "weights"
replay --runs 3 || fail "first replay"
grep -q "what the disk gives: measured, [0-9]* MB/s" err.txt || fail "first replay: the disk's rate"
whole "at first" 1

# In the middle of rounds: they are announced one by one, and take a while on so slow a disk.
begin() {
    : >err.txt
    "$exe" replay m.csv --policy preload --runs 1000 --target 0 --source ram --disk-rate 2MB \
        --verbose >out.txt 2>err.txt &
    pid=$!
    for _ in $(seq 300); do
        grep -q "round 3:" err.txt && return
        sleep 0.1
    done
    fail "$1: no third round in 30 s"
}
begin "kill"
kill -9 $pid
wait $pid 2>/dev/null
whole "kill -9" 1
replay --runs 2 --no-energy || fail "after kill -9"
grep -q "what the disk gives" err.txt && fail "a recorded rate was not used"
[ "$(sqlite3 "$FLASHMEM_DB" 'SELECT count(*) FROM plan WHERE coalesce(disk_bytes_per_s, 0) < 1e5')" = 0 ] ||
    fail "plans without the disk's rate"
whole "after kill -9" 2
# How to go about it is no setting of its own: the newer run takes the older one's place in tables.
[ "$(sqlite3 "$FLASHMEM_DB" "SELECT count(*) FROM run WHERE coalesce(options, '') = ''")" = 2 ] ||
    fail "--no-energy is kept as an option of the run"

begin "interrupt"
kill -TERM $pid # a shell's background jobs ignore SIGINT; both are taken alike
wait $pid
[ $? -eq 1 ] || fail "interrupted: exit status"
grep -q "interrupted after .* rounds, which are kept" err.txt || fail "interrupted: no message"
whole "interrupted" 3

# No more room, where we may mount a small file system: everything else may still write.
mkdir full
if mount -t tmpfs -o size=4m tmpfs full 2>/dev/null; then
    cp f.db full/f.db
    FLASHMEM_DB="$T/full/f.db"
    dd if=/dev/zero of=full/rest bs=4096 2>/dev/null
    replay --runs 2
    [ $? -eq 1 ] || fail "disk full: exit status"
    grep -q "flashmem: error:.*full" err.txt || fail "disk full: no message"
    rm full/rest # nothing can be opened without room for an index of the log
    whole "disk full" 3
    replay --runs 2 || fail "after the disk was full"
    whole "at last" 4
else
    echo "not tried: a full disk (no right to mount one)" >&2
fi
