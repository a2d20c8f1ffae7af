#!/bin/sh
# run.sh TARGET…: runs each fuzz target for FUZZ_SECONDS, FUZZ_JOBS of them at a
# time, on the inputs in corpus/TARGET and what earlier runs found in
# build/fuzz/corpus/; FUZZ_SEED decides what is tried in what order. A target
# that breaks leaves its input in build/fuzz/ and counts as failed.
set -u
here=$(dirname "$0")
work=build/fuzz
seconds=${FUZZ_SECONDS:-60}

# run TARGET OPTION…
run() {
  target=$1
  shift
  "$work/$target" -seed="${FUZZ_SEED:-1}" -max_len=4096 -timeout=10 \
    -artifact_prefix="$work/$target-" "$@" \
    "$work/corpus/$target" "$here/corpus/$target"
}

# libFuzzer looks for leaks after a run that allocated more than it freed. A
# Lua state always does, which would leave hardly any time for the rest: those
# targets are looked at in a second pass, over all that was found.
fuzz() {
  case $1 in
  state | error | operation | secret)
    run "$1" -max_total_time="$seconds" -print_final_stats=1 \
      -dict="$here/json.dict" -detect_leaks=0 && run "$1" -runs=0
    ;;
  endpoint) run "$@" -max_total_time="$seconds" -print_final_stats=1 \
    -dict="$here/location.dict" ;;
  *) run "$@" -max_total_time="$seconds" -print_final_stats=1 \
    -dict="$here/$1.dict" ;;
  esac
}

# The script again, for one target.
if [ "$1" = --one ]; then
  mkdir -p "$work/corpus/$2"
  fuzz "$2" >"$work/$2.log" 2>&1
  echo $? >"$work/$2.status"
  exit
fi

report() {
  log=$work/$1.log
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | head -n 1)
  edges=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
  echo "$1: ${runs:-?} executions in $seconds s, ${edges:-?} edges"
  if [ "$(cat "$work/$1.status")" -eq 0 ]; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    grep -aE -A 25 'broken:|ERROR:|runtime error|raised:' "$log" | head -n 60
    ls "$work/$1"-* 2>/dev/null
  fi
}

printf '%s\n' "$@" | xargs -n 1 -P "${FUZZ_JOBS:-2}" "$0" --one

passed=0 failed=0
for name; do report "$name"; done
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
