#!/bin/bash
# The curl command, once a poll; nothing decodes the answer.
poll() {
  curl --silent --fail --output /dev/null --compressed ${BENCH_CA:+--cacert "$BENCH_CA"} \
    "--http${BENCH_HTTP:-1.1}" --header "Authorization: Bearer $BENCH_TOKEN" \
    --header "x-ms-client-request-id: 9781644a-4f8d-4000-8000-$(printf %012d "$1")" \
    --header "Accept: application/json" "$BENCH_URL" || exit
}

# bash counts the CPU time of its ended children, but not for a subshell.
children=$(mktemp) || exit
trap 'rm -f "$children"' EXIT
start=$EPOCHREALTIME
for ((i = 0; i < BENCH_POLLS; i++)); do
  poll "$i"
done
end=$EPOCHREALTIME
times >"$children"
awk -v polls="$BENCH_POLLS" -v start="$start" -v end="$end" '
  function seconds(t) { split(t, part, /[ms]/); return part[1] * 60 + part[2] }
  NR == 2 { printf "%d %.6f %.6f\n", polls, end - start, seconds($1) + seconds($2) }
' "$children"
