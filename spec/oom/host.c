/* host.c - a program that runs a Lua script and lets allocations of Lua, of
 * libcurl or of the module fail: host SCRIPT ARGUMENT. The script is called
 * with the table of functions below and the argument.
 *
 * The module is linked in, built with -DCPP_REALLOC=oom_realloc, so that it is
 * the one that the module's own hook names.
 */
#include <curl/curl.h>
#include <dlfcn.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <sanitizer/lsan_interface.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int luaopen_cpp(lua_State *L);
void *oom_realloc(void *block, size_t size);

/* lua-cjson's decoder holds a buffer of malloc's while it makes tables and
 * strings; a memory error of Lua's jumps over its release. */
const char *__lsan_default_suppressions(void) { return "leak:cjson.so\n"; }

/* ---- the allocators ---- */

enum allocator { OF_LUA, OF_CURL, OF_MODULE };

/* Lua collects garbage and tries again when an allocation fails: it raises
 * only after the second. */
enum way { ONCE, TWICE, ONWARD };

static const char *const allocators[] = {"lua", "libcurl", "module", NULL};
static const char *const ways[] = {"once", "twice", "onward", NULL};

static struct {
  bool armed;
  enum allocator allocator;
  enum way way;
  lua_Integer at;   /* the first allocation that fails */
  lua_Integer seen; /* allocations since it was armed */
} trap;

/* Counts an allocation; true: it is to fail. */
static bool fails(enum allocator allocator) {
  if (!trap.armed || trap.allocator != allocator)
    return false;
  trap.seen++;
  return trap.way == ONWARD
             ? trap.seen >= trap.at
             : trap.seen == trap.at ||
                   (trap.way == TWICE && trap.seen - 1 == trap.at);
}

static void *lua_allocate(void *unused, void *block, size_t old, size_t size) {
  (void)unused;
  if (size == 0) {
    free(block);
    return NULL;
  }
  if ((!block || size > old) && fails(OF_LUA))
    return NULL;
  return realloc(block, size);
}

void *oom_realloc(void *block, size_t size) {
  return fails(OF_MODULE) ? NULL : realloc(block, size);
}

static void *curl_malloc(size_t size) {
  return fails(OF_CURL) ? NULL : malloc(size);
}

static void *curl_realloc(void *block, size_t size) {
  return fails(OF_CURL) ? NULL : realloc(block, size);
}

static void *curl_calloc(size_t count, size_t size) {
  return fails(OF_CURL) ? NULL : calloc(count, size);
}

static char *curl_copy(const char *text) {
  size_t size = strlen(text) + 1;
  char *copy = fails(OF_CURL) ? NULL : malloc(size);
  return copy ? memcpy(copy, text, size) : NULL;
}

/* ---- what the script has ---- */

/* host.attempt(allocator, way, n, f, ...) --> allocations seen, pcall(f, ...)
 *
 * Calls f while the n-th allocation of that allocator fails (once; it and the
 * next one; it and all after it). */
static int attempt(lua_State *L) {
  int status;
  trap.allocator = (enum allocator)luaL_checkoption(L, 1, NULL, allocators);
  trap.way = (enum way)luaL_checkoption(L, 2, NULL, ways);
  trap.at = luaL_checkinteger(L, 3);
  trap.seen = 0;
  trap.armed = true;
  status = lua_pcall(L, lua_gettop(L) - 4, LUA_MULTRET, 0);
  trap.armed = false;
  lua_pushinteger(L, trap.seen);
  lua_replace(L, 2);
  lua_pushboolean(L, status == LUA_OK);
  lua_replace(L, 3);
  return lua_gettop(L) - 1;
}

static int open_module(lua_State *L) {
  luaL_openlibs(L);
  luaL_requiref(L, "cpp", luaopen_cpp, 0);
  return 1;
}

/* host.load() --> true: loads the module into a state of its own and closes
 * it. */
static int load(lua_State *L) {
  lua_State *other = lua_newstate(lua_allocate, NULL);
  char message[200] = "not enough memory";
  bool good = false;
  if (other) {
    lua_pushcfunction(other, open_module);
    good = lua_pcall(other, 0, 0, 0) == LUA_OK;
    if (!good)
      snprintf(message, sizeof message, "%s", lua_tostring(other, -1));
    lua_close(other);
  }
  if (!good)
    return luaL_error(L, "%s", message);
  lua_pushboolean(L, true);
  return 1;
}

/* host.leaks() --> whether there is a leak now, which is then printed */
static int leaks(lua_State *L) {
  lua_pushboolean(L, __lsan_do_recoverable_leak_check());
  return 1;
}

/* host.keep(path): keeps a library loaded to the end; the names in a report of
 * leaks are those of loaded libraries. */
static int keep(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  if (!dlopen(path, RTLD_NOW | RTLD_NODELETE))
    return luaL_error(L, "%s", dlerror());
  return 0;
}

/* ---- the program ---- */

/* An error in a finalizer shows nowhere else. What cpp.task warns of shows as
 * an error too. */
static void on_warning(void *unused, const char *text, int more) {
  static bool muted, goes_on;
  (void)unused;
  if (!goes_on)
    muted = strncmp(text, "cpp.", 4) == 0;
  goes_on = more != 0;
  if (!muted)
    printf(more ? "%s" : "%s\n", text);
}

static int run(lua_State *L) {
  static const luaL_Reg functions[] = {{"attempt", attempt},
                                       {"load", load},
                                       {"leaks", leaks},
                                       {"keep", keep},
                                       {NULL, NULL}};
  const char *script = luaL_checkstring(L, 1);
  lua_settop(L, 2);
  open_module(L);
  if (luaL_loadfile(L, script) != LUA_OK)
    return lua_error(L);
  luaL_newlib(L, functions);
  lua_pushvalue(L, 2);
  lua_call(L, 2, 1);
  return 1;
}

static int traceback(lua_State *L) {
  luaL_traceback(L, L, luaL_tolstring(L, 1, NULL), 1);
  return 1;
}

int main(int count, char **arguments) {
  lua_State *L;
  bool good;
  if (curl_global_init_mem(CURL_GLOBAL_DEFAULT, curl_malloc, free, curl_realloc,
                           curl_copy, curl_calloc) != CURLE_OK)
    return EXIT_FAILURE;
  L = lua_newstate(lua_allocate, NULL);
  if (!L)
    return EXIT_FAILURE;
  lua_setwarnf(L, on_warning, NULL);
  lua_pushcfunction(L, traceback);
  lua_pushcfunction(L, run);
  for (int i = 1; i < count; i++)
    lua_pushstring(L, arguments[i]);
  good = lua_pcall(L, count - 1, 1, 1) == LUA_OK;
  if (!good)
    fprintf(stderr, "%s\n", lua_tostring(L, -1));
  good = good && lua_toboolean(L, -1);
  lua_close(L);
  return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
