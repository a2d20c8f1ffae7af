/* check.c - what an argument, an option's value or its name may be.
 *
 * Wrong use raises, and the message names what was wrong. The check of an
 * option is given the option's name for its message, the value on top of the
 * stack, and the place in the struct; it leaves one value: what is to be kept.
 */
#include "cpp.h"

#include <limits.h>
#include <math.h>
#include <string.h>

/* Longest wait that is still told apart from for ever: 23 days, so that its
 * milliseconds fit into 32 bits. */
#define MAX_SECONDS 2e6

/* More is no id; it also keeps libcurl's int lengths whole. */
#define MAX_ID 1024

static int type_error(lua_State *L, const char *name, const char *expected) {
  return luaL_error(L, "option '%s': %s expected, got %s", name, expected,
                    luaL_typename(L, -1));
}

static const char *check_text(lua_State *L, const char *name) {
  size_t size;
  const char *text;
  if (lua_type(L, -1) != LUA_TSTRING)
    type_error(L, name, "string");
  text = lua_tolstring(L, -1, &size);
  if (strlen(text) != size || strpbrk(text, "\r\n"))
    luaL_error(L, "option '%s' holds a CR, LF or NUL", name);
  return text;
}

void check_string(lua_State *L, const char *name, void *field) {
  const char *text = check_text(L, name);
  if (!*text)
    luaL_error(L, "option '%s' is empty", name);
  *(const char **)field = text;
}

/* "" is a value of its own: no proxy at all. The URL may hold a password, and
 * is not part of a message. */
void check_proxy(lua_State *L, const char *name, void *field) {
  const char *text = check_text(L, name);
  enum verdict verdict = *text ? proxy_check(text) : VERDICT_OK;
  if (verdict == VERDICT_NO_MEMORY)
    luaL_error(L, "option '%s': out of memory", name);
  if (verdict != VERDICT_OK)
    luaL_error(
        L,
        "option '%s': not the URL of a proxy, [scheme://][user:password@]"
        "host[:port] with http, https, socks4, socks4a, socks5 or "
        "socks5h; what a password holds of : / @ ? # %% is to be "
        "percent-encoded",
        name);
  *(const char **)field = text;
}

/* True for bytes that a header value may hold: no control characters. */
bool check_is_header_text(const char *text, size_t size) {
  for (size_t i = 0; i < size; i++)
    if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
      return false;
  return true;
}

/* libcurl leaves a header out whose value is blank: a cancel would go without
 * its If-Match. */
void check_header_value(lua_State *L, const char *name, void *field) {
  const char *text;
  check_string(L, name, field);
  text = lua_tostring(L, -1);
  if (text[strspn(text, " ")] == '\0')
    luaL_error(L, "option '%s' is blank", name);
  if (!check_is_header_text(text, lua_rawlen(L, -1)))
    luaL_error(L, "option '%s' holds a control character", name);
}

bool check_is_callable(lua_State *L, int index) {
  if (lua_isfunction(L, index))
    return true;
  if (luaL_getmetafield(L, index, "__call") == LUA_TNIL)
    return false;
  lua_pop(L, 1);
  return true;
}

/* A token is never part of a message. */
void check_token(lua_State *L, const char *name, void *field) {
  struct settings *s = field;
  s->token = s->token_fault = NULL;
  s->token_function = check_is_callable(L, -1);
  if (s->token_function)
    return;
  if (lua_type(L, -1) != LUA_TSTRING)
    type_error(L, name, "string or function");
  s->token_fault = bearer_trim(L);
  if (s->token_fault)
    luaL_error(L, "option '%s' %s", name, s->token_fault);
  s->token = lua_tostring(L, -1);
}

/* The same of CPP_TOKEN, which is nobody's wrong use: the calls that need it
 * fail, and nothing raises. */
void check_token_variable(lua_State *L, const char *name, void *field) {
  struct settings *s = field;
  (void)name;
  s->token_fault = bearer_trim(L);
  s->token = s->token_fault ? NULL : lua_tostring(L, -1);
}

static double check_number(lua_State *L, const char *what, int index) {
  double value = lua_tonumber(L, index);
  if (isnan(value))
    luaL_error(L, "%s is NaN", what);
  if (value < 0)
    luaL_error(L, "%s is negative", what);
  return value;
}

/* Seconds at a stack index, for arguments that are no option. */
double check_duration(lua_State *L, int index, const char *what) {
  if (lua_type(L, index) != LUA_TNUMBER)
    luaL_error(L, "%s: number expected, got %s", what, luaL_typename(L, index));
  return check_number(L, what, index);
}

void check_seconds(lua_State *L, const char *name, void *field) {
  const char *what = lua_pushfstring(L, "option '%s'", name);
  double value;
  lua_insert(L, -2);
  if (lua_type(L, -1) != LUA_TNUMBER)
    type_error(L, name, "number of seconds");
  value = check_number(L, what, -1);
  if (value == 0 || isinf(value))
    luaL_error(L, "%s must be a finite number of seconds above 0", what);
  lua_remove(L, -2);
  *(double *)field = value < MAX_SECONDS ? value : MAX_SECONDS;
}

/* A time of client:now(). */
void check_time(lua_State *L, const char *name, void *field) {
  if (lua_type(L, -1) != LUA_TNUMBER)
    type_error(L, name, "number (a time of client:now())");
  if (isnan(lua_tonumber(L, -1)))
    luaL_error(L, "option '%s' is NaN", name);
  *(double *)field = lua_tonumber(L, -1);
}

static lua_Integer check_integer(lua_State *L, const char *name,
                                 lua_Integer max) {
  int whole;
  lua_Integer value = lua_tointegerx(L, -1, &whole);
  if (lua_type(L, -1) != LUA_TNUMBER || !whole)
    type_error(L, name, "whole number");
  if (value < 1 || value > max)
    luaL_error(L, "option '%s' must be from 1 to %I", name, max);
  return value;
}

void check_size(lua_State *L, const char *name, void *field) {
  *(size_t *)field = (size_t)check_integer(L, name, INT_MAX);
}

void check_count(lua_State *L, const char *name, void *field) {
  *(long *)field = (long)check_integer(L, name, 100000);
}

void check_boolean(lua_State *L, const char *name, void *field) {
  if (!lua_isboolean(L, -1))
    type_error(L, name, "boolean");
  *(bool *)field = lua_toboolean(L, -1);
}

void check_callable(lua_State *L, const char *name, void *field) {
  if (!check_is_callable(L, -1))
    type_error(L, name, "function");
  *(bool *)field = true;
}

void check_http_version(lua_State *L, const char *name, void *field) {
  const char *text = check_text(L, name);
  if (strcmp(text, "1.1") != 0 && strcmp(text, "2") != 0)
    luaL_error(L, "option '%s' must be \"1.1\" or \"2\", not \"%s\"", name,
               text);
  if (*text == '2' && !transfer_has_http2())
    luaL_error(L, "option '%s': this libcurl has no HTTP/2", name);
  *(enum http_version *)field = *text == '1' ? HTTP_1_1 : HTTP_2;
}

/* Replaces the text on top of the stack by its origin in the form that origins
 * are compared in; raises, naming `name`, where it is none. */
void check_origin(lua_State *L, const char *name) {
  static const char *const why[] = {
      [VERDICT_FOREIGN] = "not an http(s) URL", /* of no scheme we know */
      [VERDICT_INSECURE] = "plain http is for loopback only",
      [VERDICT_LINK_LOCAL] = "a link-local address is never talked to",
      [VERDICT_USER_INFO] = "user info is refused",
      [VERDICT_INVALID] = "not an http(s) URL",
      [VERDICT_NOT_ORIGIN] =
          "a scheme, host and port only; no path, query or fragment",
      [VERDICT_NO_MEMORY] = "out of memory"};
  struct buffer origin = {0};
  char text[300]; /* no host is longer, and nothing is left to free */
  enum verdict verdict = origin_parse(lua_tostring(L, -1), &origin);
  if (verdict == VERDICT_OK && origin.length >= sizeof text)
    verdict = VERDICT_INVALID;
  if (verdict == VERDICT_OK)
    memcpy(text, origin.data, origin.length + 1);
  buffer_free(&origin);
  if (verdict != VERDICT_OK)
    luaL_error(L, "option '%s': %s", name, why[verdict]);
  lua_pop(L, 1);
  lua_pushstring(L, text);
}

void check_endpoint(lua_State *L, const char *name, void *field) {
  check_string(L, name, field);
  check_origin(L, name);
  *(const char **)field = lua_tostring(L, -1);
}

static void check_array(lua_State *L, const char *name, lua_Integer count) {
  int array = lua_gettop(L);
  for (lua_pushnil(L); lua_next(L, array); lua_pop(L, 1)) {
    lua_Integer key = lua_isinteger(L, -2) ? lua_tointeger(L, -2) : 0;
    if (key < 1 || key > count)
      luaL_error(L, "option '%s': the table is no array", name);
  }
}

/* Joins an array into "a@x.com,b@y.com". */
static void join_emails(lua_State *L, const char *name) {
  luaL_Buffer joined;
  lua_Integer count = (lua_Integer)lua_rawlen(L, -1);
  int array = lua_gettop(L);
  check_array(L, name, count);
  for (lua_Integer i = 1; i <= count; i++) {
    if (lua_rawgeti(L, array, i) != LUA_TSTRING)
      luaL_error(L, "option '%s': item %I: string expected, got %s", name, i,
                 luaL_typename(L, -1));
    check_text(L, name);
    lua_pop(L, 1);
  }
  luaL_buffinit(L, &joined);
  for (lua_Integer i = 1; i <= count; i++) {
    if (i > 1)
      luaL_addchar(&joined, ',');
    lua_rawgeti(L, array, i);
    luaL_addvalue(&joined);
  }
  luaL_pushresult(&joined);
  lua_remove(L, array);
}

void check_emails(lua_State *L, const char *name, void *field) {
  if (lua_istable(L, -1))
    join_emails(L, name);
  else if (lua_type(L, -1) != LUA_TSTRING)
    type_error(L, name, "string or array of strings");
  *(const char **)field = check_text(L, name);
}

static int least(int a, int b, int c) {
  int smaller = a < b ? a : b;
  return smaller < c ? smaller : c;
}

/* Levenshtein's distance; a name too long to be a slip is far away. */
static int distance(const char *a, const char *b) {
  int row[33];
  int width = (int)strlen(b);
  if (width > 32 || strlen(a) > 32)
    return INT_MAX;
  for (int j = 0; j <= width; j++)
    row[j] = j;
  for (int i = 1; a[i - 1]; i++) {
    int diagonal = row[0];
    row[0] = i;
    for (int j = 1; j <= width; j++) {
      int above = row[j];
      row[j] =
          least(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
      diagonal = above;
    }
  }
  return row[width];
}

/* Keeps the candidate that is nearer to `name`, if it is near at all. */
const char *check_nearer(const char *name, const char *best,
                         const char *candidate) {
  int limit = best ? distance(name, best) : 4;
  return distance(name, candidate) < limit ? candidate : best;
}

int check_unknown(lua_State *L, const char *name, const char *nearest) {
  if (nearest)
    luaL_error(L, "unknown option '%s' (did you mean '%s'?)", name, nearest);
  return luaL_error(L, "unknown option '%s'", name);
}

const char *check_key(lua_State *L) {
  if (lua_type(L, -2) != LUA_TSTRING)
    luaL_error(L, "options are named by strings, not by a %s",
               luaL_typename(L, -2));
  return lua_tostring(L, -2);
}

/* Raises unless every key of a table is one of `names` (ended by NULL). */
void check_fields(lua_State *L, int table, const char *const names[]) {
  table = lua_absindex(L, table);
  for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
    const char *name = check_key(L), *nearest = NULL;
    const char *const *known = names;
    while (*known && strcmp(*known, name) != 0)
      nearest = check_nearer(name, nearest, *known++);
    if (!*known)
      check_unknown(L, name, nearest);
  }
}

/* Why the value at a stack index cannot be one path segment; NULL: it can. */
const char *check_id_fault(lua_State *L, int index) {
  size_t size;
  const char *id;
  if (lua_type(L, index) != LUA_TSTRING)
    return "is no string";
  id = lua_tolstring(L, index, &size);
  if (!size)
    return "is empty";
  if (strlen(id) != size || strpbrk(id, "\r\n"))
    return "holds a CR, LF or NUL";
  if (strcmp(id, ".") == 0 || strcmp(id, "..") == 0)
    return "is '.' or '..', which no URL can hold as a path segment";
  return size > MAX_ID ? "is longer than 1024 bytes" : NULL;
}

/* Raises unless the value is a string that can be one path segment. */
void check_id(lua_State *L, int index, const char *what) {
  const char *fault = check_id_fault(L, index);
  if (lua_type(L, index) != LUA_TSTRING)
    luaL_error(L, "%s: string expected, got %s", what, luaL_typename(L, index));
  if (fault)
    luaL_error(L, "%s %s", what, fault);
}
