# A line that begins with ## is `make help`'s.

LUA = lua5.4
CLEAN = spec/clean.sh
LUAROCKS = luarocks --lua-version 5.4
LUA_INCDIR = $(shell $(LUAROCKS) config variables.LUA_INCDIR)
LUA_LIB = lua5.4
ROCKSPEC = cloud-partner-portal-dev-1.rockspec
export LUAROCKS_CONFIG ?= $(CURDIR)/.ci/luarocks.lua

# Folders too: their times change when a file comes or goes.
SOURCES := $(ROCKSPEC) Makefile $(shell find csrc lua ! -name '*.o')
SANITIZE = -O1 -g -fPIC -fno-omit-frame-pointer \
	-fsanitize=address,undefined -fno-sanitize-recover=undefined

# Packages come before what needs them.
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory
.PHONY: all demo test check lint unit gc locale asan poll valgrind oom tsan bench clean
.PHONY: fuzz soak monkey model network offline release gnutls matrix hosts help fleet picture
.PHONY: packages-demo packages-test packages-check packages-bench packages-picture

## all        builds into lua_modules/; what make alone does
all: lua_modules/.built

# One tree for each way to build. nodelete: a library that is unloaded before
# the leak check leaves frames without a name.
build/asan/.built: FLAGS = CFLAGS="$(SANITIZE)" \
	LIBFLAG="-shared -Wl,-z,nodelete -fsanitize=address,undefined"
build/poll/.built: FLAGS = CFLAGS="-O2 -fPIC -DCPP_NO_EPOLL"
build/valgrind/.built: FLAGS = CFLAGS="-O1 -g -fPIC" \
	LIBFLAG="-shared -Wl,-z,nodelete"

# Linked to libcurl's other flavour, by name: its development package conflicts
# with the one that is needed here.
build/gnutls/.built: ROCKSPEC := build/gnutls/$(ROCKSPEC)
build/gnutls/.built: build/gnutls/$(ROCKSPEC)
build/gnutls/$(ROCKSPEC): $(ROCKSPEC)
	@mkdir -p $(@D)
	sed 's/"curl", "m"/":libcurl-gnutls.so.4", "m"/' $< >$@

# LuaRocks leaves its objects beside the sources: each tree has a copy of these,
# so that two may be built at a time, and neither makes another look old.
lua_modules/.built build/asan/.built build/poll/.built build/valgrind/.built \
		build/gnutls/.built: COPY = build/source/$(notdir $(@D))
lua_modules/.built build/asan/.built build/poll/.built build/valgrind/.built \
		build/gnutls/.built: $(SOURCES)
	@rm -rf $(COPY) && mkdir -p $(COPY)
	@cp -R csrc lua types $(ROCKSPEC) $(COPY)
	cd $(COPY) && $(LUAROCKS) make --tree "$(CURDIR)/$(@D)" \
		$(notdir $(ROCKSPEC)) $(FLAGS)
	@touch $@

## demo       cancels a publish on the emulator
demo: packages-demo lua_modules/.built
	$(LUA) spec/demo.lua

## test       runs the suite; SPECS="spec/x_spec.lua …": only these files
test: packages-test lua_modules/.built
	$(CLEAN) $(LUA) spec/run.lua $(SPECS)

## check      all that CI does: most of what follows
# Most of their time is waiting, so two go side by side, the longest first; what
# several of them use is built before.
STAGES = matrix-13 matrix-i386 test asan gc poll gnutls offline locale valgrind \
	monkey oom fuzz model soak lint $(if $(UNITS),unit) tsan fleet network
check: packages-check lua_modules/.built build/asan/.built
	@LANES=2 .ci/tally $(STAGES:%="$(MAKE) %")

## lint       linters, formatters and compilers' warnings
lint: packages-check
	@.ci/lint "$(LUA_INCDIR)"

# The suite in unusual circumstances. packaging_spec and release_spec are about
# the rock that users build. gtest names a case before it runs: a sanitizer's report has none.
SUITE = spec/run.lua --exclude-pattern=packaging_spec \
	--exclude-pattern=release_spec -o gtest

## gc         the suite with the garbage collector always at work
gc: packages-test lua_modules/.built
	CPP_TEST_GC=1 $(CLEAN) $(LUA) $(SUITE)

## asan       the suite with the address and undefined behaviour sanitizers
asan: packages-test build/asan/.built build/asan/forget_preload.so
	PATH="$(CURDIR)/.ci/asan:$$PATH" CPP_TREE=build/asan \
	ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1 \
	$(CLEAN) lua5.4 $(SUITE)

# Virtual time: a run takes a third of a millisecond.
RUNS = 200000

## model      the workflow against a model of the service, RUNS=200000 times, from
##            the seed SEED or a printed one; MUTATIONS=1: whether each of
##            spec/model/mutations.lua is found within 100,000 runs
model: packages-test lua_modules/.built
	$(LUA) spec/model/$(if $(MUTATIONS),mutate.lua,run.lua $(RUNS) $(SEED))

## monkey     GAMES=500 games at random with sanitizers, each from a seed that it
##            prints; see spec/hostile/monkey/run.lua
GAMES = 500

monkey: packages-test build/asan/.built build/asan/forget_preload.so
	@PATH="$(CURDIR)/.ci/asan:$$PATH" CPP_TREE=build/asan \
	ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1 \
	$(CLEAN) spec/hostile/monkey/run.sh $(GAMES)

build/asan/forget_preload.so: .ci/asan/forget_preload.c
	@mkdir -p $(@D)
	$(CC) -shared -fPIC -o $@ $<

## locale     the suite in Turkish: a decimal comma, and an i without a dot
# LOCPATH: nothing of the system's changes.
locale: packages-check lua_modules/.built build/locale/tr_TR.UTF-8
	LOCPATH="$(CURDIR)/build/locale" CPP_TEST_LOCALE=tr_TR.UTF-8 $(CLEAN) $(LUA) $(SUITE)

build/locale/tr_TR.UTF-8:
	@mkdir -p $(@D)
	localedef -i tr_TR -f UTF-8 $@

## poll       the suite with poll(2) in place of epoll
poll: packages-test build/poll/.built
	CPP_TREE=build/poll $(CLEAN) $(LUA) $(SUITE)

## gnutls     the suite over libcurl's GnuTLS flavour
gnutls: packages-check build/gnutls/.built
	CPP_TREE=build/gnutls $(CLEAN) $(LUA) $(SUITE)

# The specs that are named after a file in csrc/, and the client's folder.
VALGRIND = valgrind --quiet --error-exitcode=99 --leak-check=full \
	--errors-for-leak-kinds=definite --child-silent-after-fork=yes
C_SPECS = $(wildcard $(patsubst csrc/%.c,spec/%_spec.lua,$(wildcard csrc/*.c)) \
	spec/client/*_spec.lua)

## valgrind   the specs of the C files under valgrind; how work grows, by its count
valgrind: packages-check build/valgrind/.built
	@CPP_TREE=build/valgrind .ci/tally \
		"$(CLEAN) $(VALGRIND) $(LUA) $(SUITE) $(C_SPECS)" \
		"$(CLEAN) $(LUA) $(SUITE) spec/workflow/growth.lua"

# C programs that end with the line `N passed, N failed`. From an archive the
# linker takes the files that a program needs.
UNITS = $(patsubst spec/unit/%.c,build/unit/%,$(wildcard spec/unit/*.c))

## unit       the C files that need no Lua, by C programs
unit: packages-test $(UNITS)
	@.ci/tally $(UNITS)

build/unit/csrc.a: $(SOURCES)
	@mkdir -p $(@D)
	@rm -f $@ $(@D)/*.o
	cd $(@D) && $(CC) $(SANITIZE) -DCPP_REALLOC=unit_realloc -I$(LUA_INCDIR) \
		-c ../../csrc/*.c
	ar rc $@ $(@D)/*.o

build/unit/%: spec/unit/%.c build/unit/csrc.a
	$(CC) $(SANITIZE) -Icsrc -I$(LUA_INCDIR) -o $@ $^ -l$(LUA_LIB) -lcurl

## oom        every allocation fails in turn; over TLS each sweep is bounded to
##            MOST=20 points, with MOST=0 to none
MOST = 20

oom: packages-test build/oom/host
	$(LUA) spec/oom/run.lua build/oom/host spec/oom/host.lua $(MOST)

build/oom/host: spec/oom/host.c $(SOURCES)
	@mkdir -p $(@D)
	$(CC) $(SANITIZE) -DCPP_REALLOC=oom_realloc -I$(LUA_INCDIR) -o $@ \
		$< csrc/*.c -l$(LUA_LIB) -lcurl -lm

## tsan       two Lua states on two threads, with the thread sanitizer
tsan: packages-test build/tsan/threads
	$(LUA) spec/oom/run.lua build/tsan/threads spec/oom/threads.lua

build/tsan/threads: spec/oom/threads.c $(SOURCES)
	@mkdir -p $(@D)
	$(CC) -O1 -g -fno-omit-frame-pointer -fsanitize=thread -I$(LUA_INCDIR) \
		-o $@ $< csrc/*.c -l$(LUA_LIB) -lcurl -lm

## fuzz       libFuzzer targets, FUZZ_JOBS=2 at a time, each for FUZZ_SECONDS=60
# One seed for every run of the gate; another one (0: drawn) searches elsewhere.
FUZZ_SEED = 1
FUZZ_SECONDS = 60
FUZZ_JOBS = 2
FUZZERS = $(patsubst spec/fuzz/%.c,%,$(wildcard spec/fuzz/*.c))
FUZZ_FLAGS = -O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=undefined \
	-I$(LUA_INCDIR) -Icsrc -fsanitize=address,undefined

fuzz: packages-check $(FUZZERS:%=build/fuzz/%)
	@FUZZ_SECONDS=$(FUZZ_SECONDS) FUZZ_JOBS=$(FUZZ_JOBS) \
		FUZZ_SEED=$(FUZZ_SEED) spec/fuzz/run.sh $(FUZZERS)

build/fuzz/csrc.a: $(SOURCES)
	@mkdir -p $(@D)/csrc
	@rm -f $@ $(@D)/csrc/*.o
	for source in csrc/*.c; do \
		clang $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link -c "$$source" \
			-o "$(@D)/$${source%.c}.o" || exit; \
	done
	ar rc $@ $(@D)/csrc/*.o

build/fuzz/%: spec/fuzz/%.c build/fuzz/csrc.a $(wildcard spec/fuzz/*.h)
	clang $(FUZZ_FLAGS) -fsanitize=fuzzer -o $@ $< $(@D)/csrc.a \
		-l$(LUA_LIB) -lcurl

## soak       2,000 cancels over a wire that breaks, and 200,000 polls
# Each in a process of its own, for what the first frees would hide a leak of
# the second.
soak: packages-check lua_modules/.built
	@.ci/tally "$(CLEAN) $(LUA) $(SUITE) spec/soak/cancels.lua" \
		"$(CLEAN) $(LUA) $(SUITE) spec/soak/polls.lua"

## fleet      OFFERS=40 offers, stopped by workers that share a PostgreSQL and are
##            killed at random; SEED=1 chooses when
OFFERS = 40
SEED = 1
fleet: packages-check lua_modules/.built
	CPP_FLEET_OFFERS=$(OFFERS) CPP_FLEET_SEED=$(SEED) \
		$(CLEAN) $(LUA) $(SUITE) spec/fleet/fleet.lua

## network    links that go down and stores that change, in namespaces, as root
network: packages-check lua_modules/.built
	$(CLEAN) $(LUA) $(SUITE) $(wildcard spec/network/*.lua)

## matrix     the README's commands in fresh roots of Debian 12, 13, sid and on 32
##            bits, as root; ARM=1: of arm64 too, where binfmt_misc has it
# sid moves daily: it is told, and fails nothing. See .ci/matrix.
ROOTS = 12 13 i386 release-12 release-13 sid $(if $(ARM),arm64)
matrix: packages-check
	@LIMIT=$(if $(ARM),90m,20m) .ci/tally $(ROOTS:%="$(MAKE) matrix-%") \
		"$(MAKE) hosts"

## hosts      inside dnsmasq, lighttpd, neomutt, HAProxy, nmap, prosody, Apache and
##            pandoc, in roots of Debian 12 and 13, as root
hosts: packages-check
	@.ci/tally "$(MAKE) matrix-hosts-12" "$(MAKE) matrix-hosts-13"

matrix-%: packages-check
	@.ci/matrix $*

## offline    the suite where there is no network but loopback
offline: packages-check lua_modules/.built
	@spec/offline.sh $(CLEAN) $(LUA) $(SUITE)

packages-demo packages-test packages-check packages-bench packages-picture: packages-%:
	@.ci/packages $*

## bench      how this compares with bare C and with other clients; QUICK=1: in
##            three minutes instead of nine
bench: packages-bench lua_modules/.built
	$(LUA) spec/bench/run.lua $(if $(QUICK),quick)

## picture    records docs/cancel.svg, the README's picture of the command at work
picture: packages-picture lua_modules/.built
	$(CLEAN) .ci/picture docs/cancel.svg

## release    VERSION=1.2.3: checks that CHANGELOG.md, tag and rockspec agree on it,
##            and leaves its source rock in dist/; publishes nothing
release:
	@$(LUA) .ci/release.lua $(ROCKSPEC) "$(VERSION)"

## clean      removes all that make has made
# Nothing behind a mount goes: rm sees those of other file systems alone.
clean:
	@! sed 's/\\040/ /g' /proc/self/mounts 2>/dev/null | \
		grep -F " $(CURDIR)/build/" >&2 || \
		{ echo "this is mounted in build/, so that nothing is removed" >&2; exit 1; }
	rm -rf --one-file-system lua_modules build dist cpp.so cpp csrc/*.o

## help       these lines
help:
	@sed -n 's/^## //p' Makefile
