#!/bin/sh
# run.sh GAMES: that many games of the monkey in four processes; what each printed, and
# `N passed, N failed` at the end. A process that dies counts as one failed game.
cd "$(dirname "$0")/../../.." || exit
games=$(($1 / 4))
logs=$(mktemp -d) || exit
trap 'rm -rf "$logs"' EXIT

for i in 0 1 2 3; do
  {
    lua5.4 spec/hostile/monkey/run.lua $games $((i * games + 1)) || echo "0 passed, 1 failed"
  } >"$logs/$i" 2>&1 &
done
wait
.ci/tally "cat $logs/0" "cat $logs/1" "cat $logs/2" "cat $logs/3"
