/* table.c - unit program of csrc/table.c: fields of Lua tables. */
#include "cpp.h"
#include "unit.h"

#include <string.h>

static void test_text(lua_State *L) {
  const char *text;
  lua_newtable(L);
  table_set_string(L, 1, "word", "running");
  table_set_integer(L, 1, "number", 41);
  table_set_boolean(L, 1, "flag", true);
  text = table_text(L, 1, "word");
  CHECK(text && strcmp(text, "running") == 0);
  text = table_text(L, 1, "number");
  CHECK(text && strcmp(text, "41") == 0);
  CHECK(!table_text(L, 1, "flag"));
  CHECK(!table_text(L, 1, "absent"));
  lua_settop(L, 0);
}

static int refuse(lua_State *L) { return luaL_error(L, "a metamethod ran"); }

/* What a user hands over may have a metatable. */
static void test_raw(lua_State *L) {
  lua_newtable(L);
  lua_newtable(L);
  lua_pushcfunction(L, refuse);
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, 1);
  CHECK(table_get(L, 1, "absent") == LUA_TNIL);
  CHECK(table_get(L, -2, "absent") == LUA_TNIL);
  lua_settop(L, 0);
}

static void test_copy(lua_State *L) {
  lua_newtable(L);
  lua_newtable(L);
  table_set_string(L, 1, "id", "7");
  CHECK(table_copy(L, 1, 2, "id"));
  CHECK(!table_copy(L, 1, 2, "offer"));
  CHECK(lua_gettop(L) == 2);
  CHECK(table_get(L, 2, "id") == LUA_TSTRING);
  CHECK(table_get(L, 2, "offer") == LUA_TNIL);
  lua_settop(L, 0);
}

int main(void) {
  lua_State *L = luaL_newstate();
  if (!L)
    return 1;
  test_text(L);
  test_raw(L);
  test_copy(L);
  lua_close(L);
  return report();
}
