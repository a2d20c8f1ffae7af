#!/bin/sh
# A step of a CI job: runs `cloudpartner`, says what came of it, and ends with its exit
# status, or with 0 when nothing was left to cancel.
#   sh step.sh cancel PUBLISHER OFFER...
#   sh step.sh wait --for canceled LOCATION...
set -u

say() {
  echo "$*" >&2
}

results=$(mktemp)
trap 'rm -f "$results"' EXIT
cloudpartner "$@" --json >"$results" &
command=$!

# Stopped from outside, by the CI system or Ctrl-C. The service goes on.
stop() {
  kill "$command" 2>/dev/null
  wait "$command"
  say "stopped; to go on with an accepted cancel, use the line that was printed for it"
  exit "$1"
}
trap 'stop 130' INT
trap 'stop 143' TERM
wait "$command"
status=$?

# Without what a log would obey: control characters, and Azure's ##.
jq -r 'select(.event == "result")
  | "\(.offer // .location): \(.outcome // .error.message // .state)"
  | gsub("[[:cntrl:]#]"; " ")' "$results"

case $status in
0 | 3)
  if jq -e 'select(.running)' "$results" >/dev/null; then
    say "it has ended, but somebody has started another one"
    exit 1
  fi
  exit 0
  ;;
4) say "too late: it had completed" ;;
5) say "it has failed" ;;
6) say "it has not ended by the deadline, and goes on" ;;
7) say "it waits for a person's review" ;;
2) say "wrong usage" ;;
130) say "interrupted" ;;
*) say "it could not be done, or not be made sure of" ;;
esac
exit "$status"
