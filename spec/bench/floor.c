/* floor.c - the floor: a bare libcurl program that polls one operation over one
 * reused easy handle and collects the answer's head and body. With
 * BENCH_DECODE=1 lua-cjson decodes each body, called from C.
 */
#include "program.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

/* Leaves cjson.decode on the stack. */
static lua_State *open_decoder(void) {
  lua_State *L = luaL_newstate();
  if (!L)
    fail("no Lua");
  luaL_openlibs(L);
  if (luaL_dostring(L, "return require 'cjson'.new().decode") != LUA_OK)
    fail(lua_tostring(L, -1));
  return L;
}

static void decode(lua_State *L, const struct bytes *body) {
  lua_pushvalue(L, -1);
  lua_pushlstring(L, body->data, body->length);
  lua_call(L, 1, 1);
  lua_pop(L, 1);
}

int main(void) {
  const char *url = text_setting("BENCH_URL", NULL);
  long polls = number_setting("BENCH_POLLS", 1), warm = 10;
  struct exchange x;
  lua_State *L = NULL;
  if (!url)
    fail("BENCH_URL is not set");
  curl_global_init(CURL_GLOBAL_DEFAULT);
  if (number_setting("BENCH_DECODE", 0))
    L = open_decoder();
  exchange_open(&x);
  for (long i = 0; i < warm + polls; i++) {
    if (i == warm)
      start_clock();
    exchange_prepare(&x, url);
    exchange_check(&x, curl_easy_perform(x.easy));
    if (L)
      decode(L, &x.body);
  }
  report(polls);
  exchange_close(&x);
  if (L)
    lua_close(L);
  return 0;
}
