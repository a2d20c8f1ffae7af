LUA = lua5.4
LUAROCKS = luarocks --lua-version 5.4
LUA_INCDIR = $(shell $(LUAROCKS) config variables.LUA_INCDIR)
LUA_LIB = lua5.4
ROCKSPEC = cloud-partner-portal-dev-1.rockspec
export LUAROCKS_CONFIG ?= $(CURDIR)/.ci/luarocks.lua

# Folders too: their times change when a file comes or goes.
SOURCES := $(ROCKSPEC) Makefile $(shell find csrc lua ! -name '*.o')
SANITIZE = -O1 -g -fPIC -fno-omit-frame-pointer \
	-fsanitize=address,undefined -fno-sanitize-recover=undefined

# LuaRocks builds one set of objects in csrc/.
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory
.PHONY: all demo test check lint unit gc asan poll valgrind clean
.PHONY: packages-demo packages-test packages-check

all: lua_modules/.built

# One tree for each way to build. nodelete: a library that is unloaded before
# the leak check leaves frames without a name.
build/asan/.built: FLAGS = CFLAGS="$(SANITIZE)" \
	LIBFLAG="-shared -Wl,-z,nodelete -fsanitize=address,undefined"
build/poll/.built: FLAGS = CFLAGS="-O2 -fPIC -DCPP_NO_EPOLL"
build/valgrind/.built: FLAGS = CFLAGS="-O1 -g -fPIC" \
	LIBFLAG="-shared -Wl,-z,nodelete"

lua_modules/.built build/asan/.built build/poll/.built build/valgrind/.built: \
		$(SOURCES)
	$(LUAROCKS) make --tree "$(CURDIR)/$(@D)" $(ROCKSPEC) $(FLAGS)
	@rm -f cpp.so csrc/*.o
	@touch $@

demo: packages-demo lua_modules/.built
	$(LUA) spec/demo.lua

test: packages-test lua_modules/.built
	$(LUA) spec/run.lua

# Everything that CI does.
STAGES = lint $(if $(UNITS),unit) test gc asan poll valgrind
check: packages-check
	@.ci/tally $(STAGES:%="$(MAKE) %")

lint: packages-check
	@.ci/lint "$(LUA_INCDIR)"

# The suite in unusual circumstances. packaging_spec is about the rock that
# users build. gtest names a case before it runs: a sanitizer's report has none.
SUITE = spec/run.lua --exclude-pattern=packaging_spec -o gtest

gc: packages-test lua_modules/.built
	CPP_TEST_GC=1 $(LUA) $(SUITE)

asan: packages-test build/asan/.built build/asan/forget_preload.so
	PATH="$(CURDIR)/.ci/asan:$$PATH" CPP_TREE=build/asan \
	ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1 \
	lua5.4 $(SUITE)

build/asan/forget_preload.so: .ci/asan/forget_preload.c
	@mkdir -p $(@D)
	$(CC) -shared -fPIC -o $@ $<

poll: packages-test build/poll/.built
	CPP_TREE=build/poll $(LUA) $(SUITE)

# The specs that are named after a file in csrc/.
VALGRIND = valgrind --quiet --error-exitcode=99 --leak-check=full \
	--errors-for-leak-kinds=definite --child-silent-after-fork=yes
C_SPECS = $(wildcard $(patsubst csrc/%.c,spec/%_spec.lua,$(wildcard csrc/*.c)))

valgrind: packages-check build/valgrind/.built
	CPP_TREE=build/valgrind $(VALGRIND) $(LUA) $(SUITE) $(C_SPECS)

# C programs that end with the line `N passed, N failed`. From an archive the
# linker takes the files that a program needs.
UNITS = $(patsubst spec/unit/%.c,build/unit/%,$(wildcard spec/unit/*.c))

unit: packages-test $(UNITS)
	@.ci/tally $(UNITS)

build/unit/csrc.a: $(SOURCES)
	@mkdir -p $(@D)
	@rm -f $@ $(@D)/*.o
	cd $(@D) && $(CC) $(SANITIZE) -I$(LUA_INCDIR) -c ../../csrc/*.c
	ar rc $@ $(@D)/*.o

build/unit/%: spec/unit/%.c build/unit/csrc.a
	$(CC) $(SANITIZE) -Icsrc -I$(LUA_INCDIR) -o $@ $^ -l$(LUA_LIB) -lcurl

packages-demo packages-test packages-check: packages-%:
	@.ci/packages $*

clean:
	rm -rf lua_modules build cpp.so csrc/*.o
