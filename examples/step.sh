#!/bin/sh
# A step of a CI job: runs `cloudpartner`, says what came of it, and ends with its exit
# status, or with 0 when nothing was left to cancel.
#   sh step.sh cancel PUBLISHER OFFER...
#   sh step.sh wait --for canceled PUBLISHER/OFFER/ID...
set -u

say() {
  echo "$*" >&2
}

folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
mkfifo "$folder/pipe"
# To read, 4, and to write, 3. Opened both ways first, for one end alone would wait.
exec 3<>"$folder/pipe" 4<"$folder/pipe"
exec 3>"$folder/pipe"

# Each result as it comes, without what a log would obey: control characters, and Azure's
# ##. A signal to the whole job leaves it to print what was there before.
(
  trap '' INT TERM PIPE
  tee "$folder/results" <&4 |
    jq --unbuffered -r 'select(.event == "result")
      | (if .offer then "\(.publisher)/\(.offer)" else .location end)
        + ": \(.outcome // .error.message // .state)"
      | gsub("[[:cntrl:]#]"; " ")'
) 3>&- &
printer=$!
cloudpartner "$@" --json >&3 3>&- 4<&- &
command=$!
exec 3>&- 4<&-

# Stopped from outside, by the CI system or Ctrl-C. The service goes on.
stop() {
  kill "$command" 2>/dev/null
  wait "$command" "$printer"
  say "stopped; to go on with an accepted cancel, use the line that was printed for it"
  exit "$1"
}
trap 'stop 130' INT
trap 'stop 143' TERM
wait "$command"
status=$?
wait "$printer"

case $status in
0 | 3) exit 0 ;;
4) say "too late: it had completed" ;;
5) say "it has failed" ;;
6) say "it has not ended by the deadline; a cancel is out, or may be" ;;
7) say "it waits for a person's review" ;;
8) say "it has ended, but another one runs, or nobody could tell" ;;
2) say "wrong usage" ;;
129 | 130 | 143) say "interrupted" ;;
*) say "it could not be done, or not be made sure of" ;;
esac
exit "$status"
