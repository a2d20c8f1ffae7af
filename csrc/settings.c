/* settings.c - options tables to checked C settings.
 *
 * One table of options says for each its name, its check and who accepts it.
 * Settings are a userdata: its first user value is a table of the option
 * values, which keeps the strings that the struct points to alive; its second
 * is the settings that it was derived from.
 */
#include "cpp.h"

#include <limits.h>
#include <math.h>
#include <string.h>

enum user_value { VALUES = 1, PARENT = 2 };

/* Longest wait that is still told apart from for ever: 23 days, so that its
 * milliseconds fit into 32 bits. */
#define MAX_SECONDS 2e6

/* More is no id; it also keeps libcurl's int lengths whole. */
#define MAX_ID 1024

/* What a check is given: the option's name for its message, the value on top
 * of the stack, and the place in the struct. It leaves one value: what is to
 * be kept. */
struct option {
  const char *name;
  void (*check)(lua_State *L, const char *name, void *field);
  size_t offset;
  int scope;
  bool transport; /* applied to the connection, not to the request */
};

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

static void check_string(lua_State *L, const char *name, void *field) {
  const char *text = check_text(L, name);
  if (!*text)
    luaL_error(L, "option '%s' is empty", name);
  *(const char **)field = text;
}

/* "" is a value of its own: no proxy at all. */
static void check_proxy(lua_State *L, const char *name, void *field) {
  *(const char **)field = check_text(L, name);
}

/* True for bytes that a header value may hold: no control characters. */
bool settings_is_header_text(const char *text, size_t size) {
  for (size_t i = 0; i < size; i++)
    if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
      return false;
  return true;
}

static void check_header_value(lua_State *L, const char *name, void *field) {
  check_string(L, name, field);
  if (!settings_is_header_text(lua_tostring(L, -1), lua_rawlen(L, -1)))
    luaL_error(L, "option '%s' holds a control character", name);
}

bool settings_is_callable(lua_State *L, int index) {
  if (lua_isfunction(L, index))
    return true;
  if (luaL_getmetafield(L, index, "__call") == LUA_TNIL)
    return false;
  lua_pop(L, 1);
  return true;
}

/* A token is never part of a message. */
static void check_token(lua_State *L, const char *name, void *field) {
  struct settings *s = field;
  s->token = NULL;
  s->token_function = settings_is_callable(L, -1);
  if (s->token_function)
    return;
  if (lua_type(L, -1) != LUA_TSTRING)
    type_error(L, name, "string or function");
  check_header_value(L, name, &s->token);
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
double settings_seconds(lua_State *L, int index, const char *what) {
  if (lua_type(L, index) != LUA_TNUMBER)
    luaL_error(L, "%s: number expected, got %s", what, luaL_typename(L, index));
  return check_number(L, what, index);
}

static void check_seconds(lua_State *L, const char *name, void *field) {
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

static void check_size(lua_State *L, const char *name, void *field) {
  *(size_t *)field = (size_t)check_integer(L, name, INT_MAX);
}

static void check_count(lua_State *L, const char *name, void *field) {
  *(long *)field = (long)check_integer(L, name, 100000);
}

static void check_boolean(lua_State *L, const char *name, void *field) {
  if (!lua_isboolean(L, -1))
    type_error(L, name, "boolean");
  *(bool *)field = lua_toboolean(L, -1);
}

static void check_callable(lua_State *L, const char *name, void *field) {
  if (!settings_is_callable(L, -1))
    type_error(L, name, "function");
  *(bool *)field = true;
}

static void check_http_version(lua_State *L, const char *name, void *field) {
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
void settings_check_origin(lua_State *L, const char *name) {
  static const char *const why[] = {
      [VERDICT_FOREIGN] = "not an http(s) URL", /* of no scheme we know */
      [VERDICT_INSECURE] = "plain http is for loopback only",
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

static void check_endpoint(lua_State *L, const char *name, void *field) {
  check_string(L, name, field);
  settings_check_origin(L, name);
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

static void check_emails(lua_State *L, const char *name, void *field) {
  if (lua_istable(L, -1))
    join_emails(L, name);
  else if (lua_type(L, -1) != LUA_TSTRING)
    type_error(L, name, "string or array of strings");
  *(const char **)field = check_text(L, name);
}

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

static void refuse_own_header(lua_State *L, const char *header) {
  for (size_t i = 0; i < sizeof own_headers / sizeof *own_headers; i++) {
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
static void check_header(lua_State *L, const char *option) {
  size_t size;
  const char *text;
  if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING)
    luaL_error(L, "option '%s': a table of name = \"value\" expected", option);
  text = lua_tolstring(L, -2, &size);
  if (!is_header_name(text, size))
    luaL_error(L, "option '%s': '%s' is not a header name", option, text);
  refuse_own_header(L, text);
  if (!settings_is_header_text(lua_tostring(L, -1), lua_rawlen(L, -1)))
    luaL_error(L, "option '%s': the value of '%s' holds a control character",
               option, text);
}

/* Pushes the line for the pair at the top of the stack. libcurl sends an empty
 * header where the line is "Name;". */
static void push_header_line(lua_State *L) {
  const char *value = lua_tostring(L, -1);
  if (*value)
    lua_pushfstring(L, "%s: %s", lua_tostring(L, -2), value);
  else
    lua_pushfstring(L, "%s;", lua_tostring(L, -2));
}

/* Renders {Name = "value"} as lines, each ending in NUL. */
static void check_headers(lua_State *L, const char *name, void *field) {
  int table = lua_gettop(L), lines = table + 1;
  if (!lua_istable(L, table))
    type_error(L, name, "table");
  lua_pushliteral(L, "");
  for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
    check_header(L, name);
    push_header_line(L);
    lua_pushvalue(L, lines);
    lua_insert(L, -2);
    lua_pushlstring(L, "", 1);
    lua_concat(L, 3);
    lua_replace(L, lines);
  }
  lua_replace(L, table);
  *(const char **)field = lua_tostring(L, table);
}

#define FIELD(name) offsetof(struct settings, name)

enum { EVERYWHERE = SCOPE_CLIENT | SCOPE_CALL | SCOPE_LIST };
enum { ANY_CALL = SCOPE_CALL | SCOPE_LIST };

static const struct option options[] = {
    {"endpoint", check_endpoint, FIELD(endpoint), EVERYWHERE, false},
    {"token", check_token, 0, EVERYWHERE, false},
    {"api_version", check_string, FIELD(api_version), EVERYWHERE, false},
    {"notification_emails", check_emails, FIELD(notification_emails),
     EVERYWHERE, false},
    {"if_match", check_header_value, FIELD(if_match), EVERYWHERE, false},
    {"timeout", check_seconds, FIELD(timeout), EVERYWHERE, false},
    {"connect_timeout", check_seconds, FIELD(connect_timeout), EVERYWHERE,
     true},
    {"headers", check_headers, FIELD(headers), EVERYWHERE, false},
    {"user_agent", check_header_value, FIELD(user_agent), EVERYWHERE, false},
    {"client_request_id", check_header_value, FIELD(client_request_id),
     EVERYWHERE, false},
    {"ca_file", check_string, FIELD(ca_file), EVERYWHERE, true},
    {"ca_path", check_string, FIELD(ca_path), EVERYWHERE, true},
    {"proxy", check_proxy, FIELD(proxy), EVERYWHERE, true},
    {"http_version", check_http_version, FIELD(http_version), EVERYWHERE, true},
    {"max_body", check_size, FIELD(max_body), EVERYWHERE, false},
    {"trace", check_callable, FIELD(trace), EVERYWHERE, false},
    {"max_connections", check_count, FIELD(max_connections), SCOPE_CLIENT,
     false},
    {"wait", check_callable, FIELD(wait), SCOPE_CLIENT, false},
    {"dry_run", check_boolean, FIELD(dry_run), ANY_CALL, false},
    {"status", check_string, FIELD(status), SCOPE_LIST, false}};

enum { OPTION_COUNT = sizeof options / sizeof *options };

static const struct option *find_option(const char *name) {
  for (int i = 0; i < OPTION_COUNT; i++)
    if (strcmp(options[i].name, name) == 0)
      return &options[i];
  return NULL;
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
static const char *nearer(const char *name, const char *best,
                          const char *candidate) {
  int limit = best ? distance(name, best) : 4;
  return distance(name, candidate) < limit ? candidate : best;
}

static int unknown(lua_State *L, const char *name, const char *nearest) {
  if (nearest)
    luaL_error(L, "unknown option '%s' (did you mean '%s'?)", name, nearest);
  return luaL_error(L, "unknown option '%s'", name);
}

static const char *key_name(lua_State *L) {
  if (lua_type(L, -2) != LUA_TSTRING)
    luaL_error(L, "options are named by strings, not by a %s",
               luaL_typename(L, -2));
  return lua_tostring(L, -2);
}

static const struct option *known_option(lua_State *L, enum scope scope) {
  const char *name = key_name(L), *nearest = NULL;
  const struct option *option = find_option(name);
  if (!option) {
    for (int i = 0; i < OPTION_COUNT; i++)
      if (options[i].scope & (int)scope)
        nearest = nearer(name, nearest, options[i].name);
    unknown(L, name, nearest);
    return NULL;
  }
  if (!(option->scope & (int)scope))
    luaL_error(L, "option '%s' is for %s", name,
               option->scope & SCOPE_CLIENT ? "cpp.client, not for one call"
               : option->scope & SCOPE_CALL ? "a call, not for cpp.client"
                                            : "client:operations only");
  return option;
}

/* Raises unless every key of a table is one of `names` (ended by NULL). */
void settings_fields(lua_State *L, int table, const char *const names[]) {
  table = lua_absindex(L, table);
  for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
    const char *name = key_name(L), *nearest = NULL;
    const char *const *known = names;
    while (*known && strcmp(*known, name) != 0)
      nearest = nearer(name, nearest, *known++);
    if (!*known)
      unknown(L, name, nearest);
  }
}

/* Checks the value on top of the stack, pops it and keeps it among the values
 * at `values`. */
static void apply(lua_State *L, struct settings *s, const struct option *option,
                  const char *name, int values) {
  option->check(L, name, (char *)s + option->offset);
  lua_setfield(L, values, option->name);
}

static unsigned long next_profile(void) {
  static unsigned long last;
  return __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);
}

static void check_table(lua_State *L, int table) {
  if (!lua_istable(L, table))
    luaL_error(L, "options: table expected, got %s", luaL_typename(L, table));
}

static void apply_table(lua_State *L, struct settings *s, int table,
                        enum scope scope, int values) {
  bool transport = false;
  check_table(L, table);
  for (lua_pushnil(L); lua_next(L, table);) {
    const struct option *option = known_option(L, scope);
    apply(L, s, option, option->name, values);
    transport = transport || option->transport;
  }
  if (transport)
    s->profile = next_profile();
}

static struct settings *push_settings(lua_State *L) {
  struct settings *s = lua_newuserdatauv(L, sizeof *s, 2);
  memset(s, 0, sizeof *s);
  lua_newtable(L);
  lua_pushvalue(L, -1);
  lua_setiuservalue(L, -3, VALUES);
  return s;
}

/* Where the environment stands in for an option that is not given. */
static const char *const environment[][2] = {{"endpoint", "CPP_ENDPOINT"},
                                             {"token", "CPP_TOKEN"},
                                             {"ca_file", "SSL_CERT_FILE"},
                                             {"ca_path", "SSL_CERT_DIR"}};

/* Whether an option is given, or one that stands in for it: the one of the two
 * CA options that is given replaces the system's store as a whole. */
static bool is_given(lua_State *L, int given, const char *name) {
  int top = lua_gettop(L);
  bool found;
  if (!given)
    return false;
  found = table_get(L, given, name) != LUA_TNIL;
  if (strncmp(name, "ca_", 3) == 0)
    found = found || table_get(L, given, "ca_file") != LUA_TNIL ||
            table_get(L, given, "ca_path") != LUA_TNIL;
  lua_settop(L, top);
  return found;
}

static void apply_environment(lua_State *L, struct settings *s, int given,
                              int values) {
  for (size_t i = 0; i < sizeof environment / sizeof *environment; i++) {
    const char *text = getenv(environment[i][1]);
    const char *name = environment[i][0];
    if (!text || !*text || is_given(L, given, name))
      continue;
    lua_pushstring(L, text);
    apply(L, s, find_option(name), environment[i][1], values);
  }
}

/* Pushes the settings of a new client: the defaults, the environment, and the
 * options table at `given` (0: none). Raises where one of them is wrong. */
const struct settings *settings_default(lua_State *L, int given) {
  struct settings *s = push_settings(L);
  int values = lua_gettop(L);
  s->profile = next_profile();
  s->endpoint = "https://cloudpartner.azure.com";
  s->api_version = "2017-10-31";
  s->headers = "";
  s->user_agent = "cloud-partner-portal/" CPP_VERSION;
  s->timeout = 60;
  s->connect_timeout = 10;
  s->max_body = (size_t)16 << 20;
  s->max_connections = 16;
  if (given)
    check_table(L, given);
  apply_environment(L, s, given, values);
  if (given)
    apply_table(L, s, given, SCOPE_CLIENT, values);
  lua_settop(L, values - 1);
  return s;
}

/* Pushes what the settings at `base` become with the options at `given`, for
 * one call. Raises where an option is wrong. */
const struct settings *settings_derive(lua_State *L, int base, int given,
                                       enum scope scope) {
  struct settings *s = push_settings(L);
  int values = lua_gettop(L);
  memcpy(s, lua_touserdata(L, base), sizeof *s);
  lua_pushvalue(L, base);
  lua_setiuservalue(L, values - 1, PARENT);
  apply_table(L, s, given, scope, values);
  lua_settop(L, values - 1);
  return s;
}

/* Pushes an option's value as it was given, to these settings or to those that
 * they were derived from; nil where it was not. */
void settings_push(lua_State *L, int index, const char *option) {
  lua_pushvalue(L, index);
  while (lua_isuserdata(L, -1)) {
    lua_getiuservalue(L, -1, VALUES);
    if (lua_getfield(L, -1, option) != LUA_TNIL) {
      lua_replace(L, -3);
      lua_pop(L, 1);
      return;
    }
    lua_pop(L, 2);
    lua_getiuservalue(L, -1, PARENT);
    lua_remove(L, -2);
  }
}

/* Why the value at a stack index cannot be one path segment; NULL: it can. */
const char *settings_id_fault(lua_State *L, int index) {
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
void settings_check_id(lua_State *L, int index, const char *what) {
  const char *fault = settings_id_fault(L, index);
  if (lua_type(L, index) != LUA_TSTRING)
    luaL_error(L, "%s: string expected, got %s", what, luaL_typename(L, index));
  if (fault)
    luaL_error(L, "%s %s", what, fault);
}
