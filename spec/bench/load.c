/* load.c - a Lua module that loads what cpp cannot do without and nothing else:
 * libcurl, set up, and lua-cjson.
 */
#include <curl/curl.h>
#include <lauxlib.h>
#include <lua.h>

int luaopen_load(lua_State *L);

LUAMOD_API int luaopen_load(lua_State *L) {
  curl_global_init(CURL_GLOBAL_DEFAULT);
  lua_getglobal(L, "require");
  lua_pushliteral(L, "cjson");
  lua_call(L, 1, 1);
  return 1;
}
