/* settings.c - options tables to checked C settings.
 *
 * One table of options says for each its name, its check and who accepts it.
 * Settings are a userdata: its first user value is a table of the option
 * values, which keeps the strings that the struct points to alive; its second
 * is the settings that it was derived from.
 */
#include "cpp.h"

#include <math.h>
#include <string.h>

enum user_value { VALUES = 1, PARENT = 2 };

struct option {
  const char *name;
  check_option *check;
  size_t offset;
  int scope;
  bool transport; /* applied to the connection, not to the request */
};

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
    {"headers", headers_check, FIELD(headers), EVERYWHERE, false},
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
    {"start_by", check_time, FIELD(start_by), ANY_CALL, false},
    {"dry_run", check_boolean, FIELD(dry_run), ANY_CALL, false},
    {"status", check_string, FIELD(status), SCOPE_LIST, false}};

enum { OPTION_COUNT = sizeof options / sizeof *options };

static const struct option *find_option(const char *name) {
  for (int i = 0; i < OPTION_COUNT; i++)
    if (strcmp(options[i].name, name) == 0)
      return &options[i];
  return NULL;
}

static const struct option *known_option(lua_State *L, enum scope scope) {
  const char *name = check_key(L), *nearest = NULL;
  const struct option *option = find_option(name);
  if (!option) {
    for (int i = 0; i < OPTION_COUNT; i++)
      if (options[i].scope & (int)scope)
        nearest = check_nearer(name, nearest, options[i].name);
    check_unknown(L, name, nearest);
    return NULL;
  }
  if (!(option->scope & (int)scope))
    luaL_error(L, "option '%s' is for %s", name,
               option->scope & SCOPE_CLIENT ? "cpp.client, not for one call"
               : option->scope & SCOPE_CALL ? "a call, not for cpp.client"
                                            : "client:operations only");
  return option;
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
static const struct {
  const char *name, *variable;
  check_option *check; /* NULL: the option's own */
} environment[] = {{"endpoint", "CPP_ENDPOINT", NULL},
                   {"token", "CPP_TOKEN", check_token_variable},
                   {"ca_file", "SSL_CERT_FILE", NULL},
                   {"ca_path", "SSL_CERT_DIR", NULL}};

static bool is_ca(const char *name) { return strncmp(name, "ca_", 3) == 0; }

static bool has_field(lua_State *L, int table, const char *name) {
  bool found = table_get(L, table, name) != LUA_TNIL;
  lua_pop(L, 1);
  return found;
}

static bool has_ca(lua_State *L, int given) {
  return has_field(L, given, "ca_file") || has_field(L, given, "ca_path");
}

/* Whether an option is given, or one that stands in for it: the one of the two
 * CA options that is given replaces the system's store as a whole. */
static bool is_given(lua_State *L, int given, const char *name) {
  return given && (is_ca(name) ? has_ca(L, given) : has_field(L, given, name));
}

static void apply_environment(lua_State *L, struct settings *s, int given,
                              int values) {
  for (size_t i = 0; i < sizeof environment / sizeof *environment; i++) {
    const char *text = getenv(environment[i].variable);
    struct option option;
    if (!text || !*text || is_given(L, given, environment[i].name))
      continue;
    option = *find_option(environment[i].name);
    if (environment[i].check)
      option.check = environment[i].check;
    lua_pushstring(L, text);
    apply(L, s, &option, environment[i].variable, values);
    s->ambient_ca = s->ambient_ca || is_ca(option.name);
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
  s->start_by = HUGE_VAL;
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

/* Pushes a copy of the settings at `base`, and the table of its values. */
static struct settings *push_derived(lua_State *L, int base) {
  struct settings *s = push_settings(L);
  memcpy(s, lua_touserdata(L, base), sizeof *s);
  lua_pushvalue(L, base);
  lua_setiuservalue(L, -3, PARENT);
  return s;
}

/* Pushes what the settings at `base` become for an exchange that has the
 * headers of the table on top of the stack and no token; they are popped. */
void settings_with_headers(lua_State *L, int base) {
  int headers = lua_gettop(L);
  struct settings *s = push_derived(L, base);
  lua_pushvalue(L, headers);
  headers_check_all(L, "headers", &s->headers);
  lua_setfield(L, -2, "headers");
  lua_pop(L, 1);
  lua_remove(L, headers);
}

/* Pushes what the settings at `base` become with the options at `given`, for
 * one call. Raises where an option is wrong. */
const struct settings *settings_derive(lua_State *L, int base, int given,
                                       enum scope scope) {
  struct settings *s = push_derived(L, base);
  int values = lua_gettop(L);
  check_table(L, given);
  if (s->ambient_ca && has_ca(L, given)) {
    s->ca_file = s->ca_path = NULL;
    s->ambient_ca = false;
  }
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
