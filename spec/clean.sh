#!/bin/sh
# clean.sh COMMAND…: becomes that command, in an environment where nothing of the
# machine's or of its user's is: no login, no token, no proxy, another HOME, and an
# `az` that fails. What the suite itself reads stays. Started where spec/ lies.
KEPT="TMPDIR LOCPATH CC LUAROCKS_CONFIG LUA_PATH LUA_CPATH LUA_PATH_5_4 LUA_CPATH_5_4
CPP_TREE CPP_TEST_GC CPP_TEST_LOCALE CPP_SOAK_SEED CPP_FLEET_OFFERS
CPP_FLEET_SEED ASAN_OPTIONS LSAN_OPTIONS TSAN_OPTIONS UBSAN_OPTIONS"

for name in $KEPT; do
  eval "value=\${$name-} given=\${$name+yes}"
  # shellcheck disable=SC2154
  test -z "$given" || set -- "$name=$value" "$@"
done
home=$PWD/build/home
mkdir -p "$home" || exit
# A shell has what it starts in the background ignore Ctrl-C, and nohup SIGHUP.
exec env -i --default-signal=HUP,INT,QUIT PATH="$PWD/spec/support/bin:$PATH" HOME="$home" CPP_TEST_CLEAN=yes "$@"
