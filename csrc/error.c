/* error.c - type cpp.error: kind, code and message, and what a person reads. */
#include "cpp.h"

#include <stdarg.h>

#define TYPE "cpp.error"

static void set_type(lua_State *L, int table) {
  lua_pushvalue(L, table);
  luaL_setmetatable(L, TYPE);
  lua_pop(L, 1);
}

/* Makes the table at `table` an error. The format is lua_pushvfstring's. */
void error_set(lua_State *L, int table, const char *kind, const char *code,
               const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  lua_pushvfstring(L, format, arguments);
  va_end(arguments);
  lua_setfield(L, table, "message");
  table_set_string(L, table, "kind", kind);
  table_set_string(L, table, "code", code);
  table_set_boolean(L, table, "retryable", false);
  set_type(L, table);
}

/* Memory may be there again: like every trouble that may pass, this one is
 * retryable. */
void error_set_memory(lua_State *L, int table) {
  error_set(L, table, "transport", "out_of_memory", "out of memory");
  table_set_boolean(L, table, "retryable", true);
}

/* ---- as text ---- */

/* "message [kind/code, HTTP 404, request 7f3a…]" */
static int to_string(lua_State *L) {
  const char *message, *kind, *code, *status, *id;
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  message = table_text(L, 1, "message");
  kind = table_text(L, 1, "kind");
  code = table_text(L, 1, "code");
  status = table_text(L, 1, "status");
  id = table_text(L, 1, "request_id");
  lua_pushfstring(L, "%s [%s/%s%s%s%s%s]", message ? message : "error",
                  kind ? kind : "?", code ? code : "?", status ? ", HTTP " : "",
                  status ? status : "", id ? ", request " : "", id ? id : "");
  text_push_clean(L, lua_tostring(L, -1));
  return 1;
}

/* cpp.error{ kind =, code =, message = [, …] } --> err: a new error with these
 * fields, for policy written in Lua. */
int error_new(lua_State *L) {
  static const char *const kinds[] = {"transport", "http",   "protocol",
                                      "origin",    "closed", "credential",
                                      "workflow",  NULL};
  static const char *const needed[] = {"kind", "code", "message"};
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
    if (table_get(L, 1, needed[i]) != LUA_TSTRING)
      luaL_error(L, "cpp.error: '%s': string expected, got %s", needed[i],
                 luaL_typename(L, -1));
  luaL_checkoption(L, 2, NULL, kinds);
  lua_newtable(L);
  for (lua_pushnil(L); lua_next(L, 1);) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, -4);
  }
  luaL_setmetatable(L, TYPE);
  return 1;
}

/* Makes the type. */
void error_register(lua_State *L) {
  static const luaL_Reg meta[] = {{"__tostring", to_string}, {NULL, NULL}};
  luaL_newmetatable(L, TYPE);
  luaL_setfuncs(L, meta, 0);
  lua_pop(L, 1);
}
