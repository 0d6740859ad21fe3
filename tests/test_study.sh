#!/usr/bin/env bash
# test_study.sh STUDY: what scripts/study asks of a program that only writes down what it is asked.
set -euo pipefail
study=$1
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
cat >"$t/flashmem" <<'END'
#!/bin/sh
case "$*" in
--version) echo "flashmem ${BUILD:-1}" ;;
*devices*) printf 'index,platform,name,driver,type,unified\n0,P,Host,1,cpu,yes\n1,Q,Card,1,gpu,no\n' ;;
*--pareto*) printf 'model,policy,price,limit,memory_limit\nM,latency,b,s,81000000\nM,latency,b,s,99000000\n' ;;
*) echo "$*" >>"$ASKED"; case "$*" in *same-op-type*) exit ${FAIL:-0} ;; esac ;;
esac
END
chmod +x "$t/flashmem"
export FLASHMEM=$t/flashmem FLASHMEM_DB=$t/x.db FLASHMEM_WEIGHTS=$t ASKED=$t/asked
touch "$t/A.f32.safetensors" "$t/A.f16.safetensors" "$ASKED"

# asked WANT WHAT: so many commands so far.
asked() {
    local n
    n=$(wc -l <"$ASKED")
    [ "$n" -eq "$1" ] || { echo "$2: asked for $n commands, want $1:" >&2; cat "$ASKED" >&2; exit 1; }
}
has() { grep -q -- "$1" "$ASKED" || { echo "nobody asked for '$1'" >&2; cat "$ASKED" >&2; exit 1; }; }

"$study" --models A --minutes 0 policies >"$t/out"
asked 0 "no time"
grep -q 'left for another time' "$t/out"
"$study" --models A --list policies >/dev/null
asked 0 "list"
FAIL=1 "$study" --models A policies >/dev/null 2>&1 && { echo "a failure passed" >&2; exit 1; }
asked 4 "two readers, two variants, all failing"
"$study" --models A policies >/dev/null
asked 8 "what failed, again"
"$study" --models A policies >/dev/null
asked 8 "what was done, never again"
has 'replay A --no-energy --dtype f32 --runs 15 .*--reader at-plan --respect-capacity'
"$study" --models A --runs 2 policies >/dev/null
asked 8 "nor with fewer runs"
cp "$t/x.db.study" "$t/y.db.study"
( # the same under another build
    export BUILD=2 ASKED=$t/again FLASHMEM_DB=$t/y.db
    touch "$ASKED"
    "$study" --any-build --models A policies >/dev/null
    asked 0 "it is said to be no matter"
    "$study" --models A --list policies >"$t/out"
    grep -q guess "$t/out" || { echo "not again by another build" >&2; exit 1; }
    "$study" --models A policies >/dev/null
    "$study" --models A policies >/dev/null
    asked 4 "by another build all again, once"
)
FLASHMEM_DEVICE=Host "$study" --models A --runs 2 breakdown >/dev/null
asked 14 "six configurations"
has '--runs 2 .*--kernel naive --policy preload --policy lc-opg'
"$study" --models A breakdown >/dev/null
asked 19 "one of them was done on the default device"
FLASHMEM_DEVICE=Host "$study" --models A tables >/dev/null
asked 21 "two in place where memory is shared"
"$study" --models A tables >/dev/null
asked 21 "none where it is not: the first GPU is the default"
"$study" --models A:f16 tradeoff >/dev/null
asked 31 "two limits, three lambda, three M_peak, two mu"
has '--dtype f16 .*--policy latency --memory 85MB'
has '--memory 100MB'
"$study" --models A predictor >/dev/null
asked 40 "five means, two of them at two more thresholds"
"$study" --models A regime >/dev/null
asked 55 "three emulated disks, twelve planned"
has '--runs 3 .*--source ram --disk-rate 4GB'
"$study" --iterations 2 queue >/dev/null
asked 62 "five weights files, two workloads"
has 'paper.csv .*--iterations 2'
touch "$t/SD-UNet.f16.safetensors"
FLASHMEM_DEVICE=Host "$study" --models SD-UNet:f16 --minutes 1 tables >/dev/null
asked 62 "a guess of ninety seconds is too long"
printf 1234 >"$t/A.f32.safetensors"
n=$(wc -l <"$ASKED")
"$study" --models A keep >/dev/null
asked $((n + 3)) "nothing, half, all kept; read in place only where memory is shared"
has '--kernel pipelined --policy preload --policy latency --keep all'
n=$(wc -l <"$ASKED")
"$study" --runs 2 zoo >/dev/null
asked $((n + 17)) "the weights of six more, and eleven models"
has 'replay GPTN-2.7B --no-energy --dtype f16 --runs 2 --kernel pipelined --policy preload --policy latency'
"$study" nonsense 2>/dev/null && { echo "a wrong stage passed" >&2; exit 1; }
echo ok
