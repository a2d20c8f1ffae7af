/* cpp.c - luaopen_cpp: the module table and the default client. */
#include "cpp.h"

#include <dlfcn.h>
#include <pthread.h>

/* Registry key of the default client. */
static char default_key;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static CURLcode global_init = CURLE_FAILED_INIT;

int luaopen_cpp(lua_State *L);

/* libcurl is set up once a process and never torn down: another user of it in
 * the host may live longer than we do. The library stays loaded, since a
 * resolver thread of libcurl may outlive the Lua state. */
static void init_process(void) {
  Dl_info self;
  global_init = curl_global_init(CURL_GLOBAL_DEFAULT);
  process_init();
#ifdef RTLD_NODELETE
  if (dladdr(&default_key, &self) && self.dli_fname)
    dlopen(self.dli_fname, RTLD_NOW | RTLD_NODELETE);
#endif
}

static void check_libcurl(lua_State *L) {
  const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
  if (global_init != CURLE_OK)
    luaL_error(L, "cpp: libcurl cannot be set up: %s",
               curl_easy_strerror(global_init));
  if (info->version_num < 0x075100)
    luaL_error(L, "cpp: libcurl 7.81 or newer is needed, this is %s",
               info->version);
  if (!(info->features & CURL_VERSION_SSL))
    luaL_error(L, "cpp: this libcurl has no TLS: install libcurl4 (Debian) or "
                  "another build with TLS");
}

/* To be called before anything that an older Lua lacks. */
static void check_lua(lua_State *L) {
#ifdef __ELF__
  if (lua_toclose == NULL)
    luaL_error(L, "cpp: Lua 5.4 is needed, and this is an older one: install "
                  "lua5.4 (Debian, Ubuntu, Alpine) or lua (Fedora)");
#endif
  luaL_checkversion(L);
}

static bool is_fit(lua_State *L) {
  return !lua_isnil(L, -1) && !engine_is_foreign(client_check(L, -1)) &&
         !client_check(L, -1)->closed;
}

/* Whether a finalizer runs, in which Lua refuses all that lua_gc can do; before
 * 5.4.4 it looks like a collector that somebody has stopped. */
static bool is_finalizing(lua_State *L) {
  int running = lua_gc(L, LUA_GCISRUNNING);
  return running < 0 || (LUA_VERSION_RELEASE_NUM < 50404 && running == 0);
}

/* Puts the default client below the arguments; made at first use, again by the
 * child of a fork, and where a token function has closed it. One that is made
 * in a finalizer lasts as long as the call: at the end of the Lua state nothing
 * that is new is finalized any more. */
static void insert_default(lua_State *L) {
  bool fit;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &default_key);
  fit = is_fit(L);
  if (!fit) {
    lua_pop(L, 1);
    lua_pushcfunction(L, client_new);
    lua_call(L, 0, 1);
  }
  lua_insert(L, 1);
  if (!fit && is_finalizing(L)) {
    lua_toclose(L, 1);
  } else if (!fit) {
    lua_pushvalue(L, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &default_key);
  }
}

/* cpp.cancel(publisher, offer [, options]) --> operation | nil, err */
static int cancel(lua_State *L) {
  insert_default(L);
  return calls_cancel(L);
}

/* cpp.poll(location | operation [, options]) --> operation | nil, err */
static int poll(lua_State *L) {
  insert_default(L);
  return calls_poll(L);
}

static int open_function(lua_State *L) {
  lua_pushvalue(L, lua_upvalueindex(1));
  return 1;
}

/* require "cpp.state", "cpp.bearer", "cpp.file" --> function; apart from the
 * module, for our policy: the service's words, and what a token is, are known
 * in one place, and Lua opens a file only so that it may wait. */
static void offer_functions(lua_State *L) {
  static const luaL_Reg ours[] = {{"cpp.state", operation_fold_word},
                                  {"cpp.bearer", bearer_check},
                                  {"cpp.file", file_read}};
  if (lua_getfield(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE) == LUA_TTABLE)
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
      lua_pushcfunction(L, ours[i].func);
      lua_pushcclosure(L, open_function, 1);
      lua_setfield(L, -2, ours[i].name);
    }
  lua_pop(L, 1);
}

/* The module table. */
LUAMOD_API int luaopen_cpp(lua_State *L) {
  static const luaL_Reg functions[] = {{"cancel", cancel},
                                       {"poll", poll},
                                       {"client", client_new},
                                       {"error", error_new},
                                       {NULL, NULL}};
  check_lua(L);
  pthread_once(&once, init_process);
  check_libcurl(L);
  hook_register(L);
  json_register(L);
  error_register(L);
  operation_register(L);
  request_register(L);
  client_register(L);
  calls_register(L);
  fetch_register(L);
  offer_functions(L);
  luaL_newlib(L, functions);
  lua_pushlightuserdata(L, NULL); /* what lua-cjson calls cjson.null */
  lua_setfield(L, -2, "null");
  lua_pushliteral(L, CPP_VERSION);
  lua_setfield(L, -2, "_VERSION");
  return 1;
}
