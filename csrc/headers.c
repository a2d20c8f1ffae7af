/* headers.c - what a caller's own headers may be. */
#include "cpp.h"

#include <string.h>

/* Headers that the module sets, and the option that changes each. */
static const char *const own_headers[][2] = {
    {"authorization", "token"},
    {"x-ms-client-request-id", "client_request_id"},
    {"user-agent", "user_agent"},
    {"if-match", "if_match"},
    {"proxy-authorization", "proxy"},
    {"host", "endpoint"},
    {"content-type", NULL},
    {"content-length", NULL},
    {"transfer-encoding", NULL},
    {"connection", NULL},
    {"expect", NULL},
    {"accept", NULL},
    {"accept-encoding", NULL}};

/* Of them, the first `spared` ones may be given all the same. */
static void refuse_own_header(lua_State *L, const char *header, size_t spared) {
  for (size_t i = spared; i < sizeof own_headers / sizeof *own_headers; i++) {
    const char *option = own_headers[i][1];
    if (!curl_strequal(header, own_headers[i][0]))
      continue;
    if (option)
      luaL_error(L, "option 'headers': '%s' is set by the option '%s'", header,
                 option);
    luaL_error(L, "option 'headers': '%s' is the module's own", header);
  }
}

/* RFC 9110, 5.6.2: a field name is a token. */
static bool is_header_name(const char *name, size_t size) {
  static const char token[] = "!#$%&'*+-.^_`|~0123456789"
                              "abcdefghijklmnopqrstuvwxyz"
                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  return size > 0 && strlen(name) == size && strspn(name, token) == size;
}

/* Checks the pair at the top of the stack: key below value. */
static void check_header(lua_State *L, const char *option, size_t spared) {
  size_t size;
  const char *text;
  if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING)
    luaL_error(L, "option '%s': a table of name = \"value\" expected", option);
  text = lua_tolstring(L, -2, &size);
  if (!is_header_name(text, size))
    luaL_error(L, "option '%s': '%s' is not a header name", option, text);
  refuse_own_header(L, text, spared);
  if (!check_is_header_text(lua_tostring(L, -1), lua_rawlen(L, -1)))
    luaL_error(L, "option '%s': the value of '%s' holds a control character",
               option, text);
}

/* Pushes the line for the pair at the top of the stack. libcurl sends a header
 * without a value, or with a blank one, where the line is "Name;". */
static void push_header_line(lua_State *L) {
  const char *value = lua_tostring(L, -1);
  if (value[strspn(value, " ")])
    lua_pushfstring(L, "%s: %s", lua_tostring(L, -2), value);
  else
    lua_pushfstring(L, "%s;", lua_tostring(L, -2));
}

/* Renders {Name = "value"} as lines, each ending in NUL. */
static void render_headers(lua_State *L, const char *name, const char **field,
                           size_t spared) {
  int table = lua_gettop(L), lines = table + 1;
  if (!lua_istable(L, table))
    luaL_error(L, "option '%s': table expected, got %s", name,
               luaL_typename(L, table));
  lua_pushliteral(L, "");
  for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
    check_header(L, name, spared);
    push_header_line(L);
    lua_pushvalue(L, lines);
    lua_insert(L, -2);
    lua_pushlstring(L, "", 1);
    lua_concat(L, 3);
    lua_replace(L, lines);
  }
  lua_replace(L, table);
  *field = lua_tostring(L, table);
}

void headers_check(lua_State *L, const char *name, void *field) {
  render_headers(L, name, field, 0);
}

/* Those of an exchange that carries no token of the client's: Authorization,
 * the first of the module's own, may be among them. */
void headers_check_all(lua_State *L, const char *name, void *field) {
  render_headers(L, name, field, 1);
}
