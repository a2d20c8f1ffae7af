/* table.c - fields of Lua tables, by their names.
 *
 * Reads are raw: a table of the user's making runs no metamethod here. What is
 * written to is a table that the module has made.
 */
#include "cpp.h"

#include <string.h>

/* Pushes the raw field of a table and returns its type. */
int table_get(lua_State *L, int table, const char *name) {
  table = lua_absindex(L, table);
  lua_pushstring(L, name);
  return lua_rawget(L, table);
}

/* Pushes a raw field; its text, or NULL where it is no string or number. */
const char *table_text(lua_State *L, int table, const char *name) {
  int type = table_get(L, table, name);
  return type == LUA_TSTRING || type == LUA_TNUMBER ? lua_tostring(L, -1)
                                                    : NULL;
}

/* A text of ever other bytes, as an id is, must not take the place of a name in
 * Lua's cache of C strings: lua_pushstring would have it do so. */
void table_set_string(lua_State *L, int table, const char *name,
                      const char *text) {
  lua_pushlstring(L, text, strlen(text));
  lua_setfield(L, table, name);
}

void table_set_integer(lua_State *L, int table, const char *name,
                       lua_Integer value) {
  lua_pushinteger(L, value);
  lua_setfield(L, table, name);
}

void table_set_boolean(lua_State *L, int table, const char *name, bool value) {
  lua_pushboolean(L, value);
  lua_setfield(L, table, name);
}

/* Copies a raw field; false, and nothing is done, where it is absent. */
bool table_copy(lua_State *L, int from, int to, const char *name) {
  from = lua_absindex(L, from);
  lua_pushstring(L, name);
  lua_pushvalue(L, -1);
  if (lua_rawget(L, from) == LUA_TNIL) {
    lua_pop(L, 2);
    return false;
  }
  lua_rawset(L, to);
  return true;
}
