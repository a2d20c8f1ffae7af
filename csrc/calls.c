/* calls.c - the calls of a client: what each asks, and of whom. */
#include "cpp.h"

#include <string.h>

/* Sends the call to "/api/publishers/{publisher}/offers/{offer}" + tail. */
static int go_offer(lua_State *L, const char *tail, const char *filter) {
  struct transfer *t = request_of(L)->transfer;
  const struct settings *s = exchange_settings(L);
  struct buffer *path = &t->nodes; /* not in use yet */
  buffer_clear(path);
  if (!buffer_add(path, "/api/publishers") ||
      !exchange_add_segment(L, path, SLOT_FIRST) ||
      !buffer_add(path, "/offers") ||
      !exchange_add_segment(L, path, SLOT_SECOND) || !buffer_add(path, tail))
    return request_refuse_memory(L);
  if (filter && (!buffer_add(path, "?status=") ||
                 !location_add_escaped(path, filter, strlen(filter))))
    return request_refuse_memory(L);
  return request_go(L, s->endpoint, s->api_version, path->data);
}

/* ---- the calls ---- */

static struct request *begin_offer(lua_State *L, enum purpose purpose) {
  client_usable(L, SLOT_CLIENT);
  check_id(L, SLOT_FIRST, "publisher");
  check_id(L, SLOT_SECOND, "offer");
  lua_settop(L, SLOT_SETTINGS);
  return request_begin(L, purpose);
}

/* {"metadata":{"notification-emails":"a@x.com,b@y.com"}}, as documented;
 * without e-mails the string is empty. */
static bool write_cancel_body(lua_State *L, struct buffer *body) {
  const char *emails = exchange_settings(L)->notification_emails;
  bool ok;
  buffer_clear(body);
  lua_pushstring(L, emails ? emails : "");
  json_encode(L, lua_gettop(L));
  ok = buffer_add(body, "{\"metadata\":{\"notification-emails\":") &&
       buffer_add(body, lua_tostring(L, -1)) && buffer_add(body, "}}");
  lua_settop(L, SLOT_TOP);
  return ok;
}

/* client:cancel(publisher, offer [, options]) --> operation | nil, err */
int calls_cancel(lua_State *L) {
  struct request *r = begin_offer(L, TO_CANCEL);
  if (!engine_borrow(r->client, r) || !write_cancel_body(L, &r->transfer->body))
    return request_refuse_memory(L);
  return go_offer(L, "/cancel", NULL);
}

/* client:operations(publisher, offer [, options]) --> array | nil, err */
static int operations(lua_State *L) {
  struct request *r = begin_offer(L, TO_LIST);
  if (!engine_borrow(r->client, r))
    return request_refuse_memory(L);
  return go_offer(L, "/submissions/", exchange_settings(L)->status);
}

/* client:status(publisher, offer [, options]) --> operation | nil, err */
static int status(lua_State *L) {
  struct request *r = begin_offer(L, TO_STATUS);
  if (!engine_borrow(r->client, r))
    return request_refuse_memory(L);
  return go_offer(L, "/status", NULL);
}

/* Makes [target, options] into [operation | nil, location | nil, options]. */
static void split_target(lua_State *L) {
  lua_settop(L, SLOT_SECOND);
  if (lua_istable(L, SLOT_FIRST)) {
    lua_getfield(L, SLOT_FIRST, "location");
    lua_insert(L, SLOT_SECOND);
    return;
  }
  if (lua_type(L, SLOT_FIRST) != LUA_TSTRING)
    luaL_error(L, "location: string or operation expected, got %s",
               luaL_typename(L, SLOT_FIRST));
  if (lua_rawlen(L, SLOT_FIRST) == 0)
    luaL_error(L, "location is empty");
  lua_pushnil(L);
  lua_insert(L, SLOT_FIRST);
}

/* client:poll(location | operation [, options]) --> operation | nil, err */
int calls_poll(lua_State *L) {
  struct request *r;
  const char *location;
  client_usable(L, SLOT_CLIENT);
  split_target(L);
  r = request_begin(L, TO_POLL);
  if (lua_type(L, SLOT_SECOND) != LUA_TSTRING) {
    error_set(L, SLOT_TABLE, "protocol", "no_location",
              "the operation has no location to poll");
    failure_exchange(L, r);
    return request_refuse(L);
  }
  location = lua_tostring(L, SLOT_SECOND);
  if (strlen(location) != lua_rawlen(L, SLOT_SECOND))
    return request_refuse_location(L, VERDICT_INVALID);
  if (!engine_borrow(r->client, r))
    return request_refuse_memory(L);
  return request_go(L, exchange_settings(L)->endpoint,
                    exchange_settings(L)->api_version, location);
}

/* The string field `name` of the parameters at SLOT_FIRST, or `otherwise`;
 * raises where there is neither. The table keeps it alive. */
static const char *parameter(lua_State *L, const char *name,
                             const char *otherwise) {
  const char *text = otherwise;
  if (table_get(L, SLOT_FIRST, name) == LUA_TSTRING)
    text = lua_tostring(L, -1);
  else if (!lua_isnil(L, -1))
    luaL_error(L, "'%s': string expected, got %s", name, luaL_typename(L, -1));
  if (text && text != otherwise && strlen(text) != lua_rawlen(L, -1))
    luaL_error(L, "'%s' holds a NUL", name);
  if (!text || !*text)
    luaL_error(L, "'%s' is missing", name);
  lua_pop(L, 1);
  return text;
}

static bool add_parameter(lua_State *L, struct buffer *form, const char *name,
                          const char *otherwise) {
  const char *value = parameter(L, name, otherwise);
  return buffer_add(form, "&") && buffer_add(form, name) &&
         buffer_add(form, "=") &&
         location_add_escaped(form, value, strlen(value));
}

static bool write_token_form(lua_State *L, struct buffer *form) {
  buffer_clear(form);
  return buffer_add(form, "grant_type=client_credentials") &&
         add_parameter(L, form, "client_id", NULL) &&
         add_parameter(L, form, "client_secret", NULL) &&
         add_parameter(L, form, "resource", "https://cloudpartner.azure.com");
}

static void check_token_parameters(lua_State *L) {
  static const char *const names[] = {"tenant",    "client_id", "client_secret",
                                      "authority", "resource",  NULL};
  if (!lua_istable(L, SLOT_FIRST))
    luaL_error(L, "parameters: table expected, got %s",
               luaL_typename(L, SLOT_FIRST));
  check_fields(L, SLOT_FIRST, names);
  parameter(L, "client_id", NULL);
  parameter(L, "client_secret", NULL);
  parameter(L, "resource", "default");
  table_get(L, SLOT_FIRST, "tenant");
  check_id(L, -1, "'tenant'");
  lua_settop(L, SLOT_FIRST);
}

/* client:fetch_token{ tenant =, client_id =, client_secret = [, authority =]
 * [, resource =] } --> {access_token =, expires_in =} | nil, err
 *
 * The form that Microsoft documents for a service principal. */
static int fetch_token(lua_State *L) {
  struct request *r;
  struct buffer *path;
  client_usable(L, SLOT_CLIENT);
  check_token_parameters(L);
  lua_pushstring(
      L, parameter(L, "authority", "https://login.microsoftonline.com"));
  check_origin(L, "authority");
  lua_settop(L, SLOT_SETTINGS);
  r = request_begin(L, TO_TOKEN);
  if (!engine_borrow(r->client, r) || !write_token_form(L, &r->transfer->body))
    return request_refuse_memory(L);
  path = &r->transfer->nodes;
  buffer_clear(path);
  table_get(L, SLOT_FIRST, "tenant");
  if (!exchange_add_segment(L, path, -1) || !buffer_add(path, "/oauth2/token"))
    return request_refuse_memory(L);
  return request_go(L, lua_tostring(L, SLOT_SECOND), NULL, path->data);
}

/* ---- sleep ---- */

static int wake_closed(lua_State *L) {
  lua_pushnil(L);
  lua_newtable(L);
  error_set(L, lua_gettop(L), "closed", "closed", "the client was closed");
  return 2;
}

/* Sleeps until the request's deadline; its own continuation. A sleeper that a
 * wait function wakes early steps, since it may be the only one who does: else
 * what is due stays due, and the wait function never waits again. */
static int doze(lua_State *L, int status, lua_KContext context) {
  struct request *r = request_of(L);
  struct client *c = r->client;
  double left;
  (void)context;
  lua_settop(L, SLOT_REQUEST);
  if (status == LUA_YIELD)
    request_step(L, r, 0);
  while (!c->closed && (left = r->deadline - engine_clock()) > 0) {
    if (!client_push_wait(L, SLOT_CLIENT, r, SLOT_REQUEST)) {
      request_step(L, r, left);
      continue;
    }
    lua_pushnumber(L, left);
    lua_callk(L, 2, 0, 0, doze);
    request_step(L, r, 0);
  }
  if (c->closed)
    return wake_closed(L);
  lua_pushboolean(L, true);
  return 1;
}

/* client:sleep(seconds) --> true | nil, err */
static int sleep_for(lua_State *L) {
  double seconds;
  client_usable(L, SLOT_CLIENT);
  seconds = check_duration(L, 2, "seconds");
  lua_settop(L, SLOT_REQUEST - 1);
  request_push(L, TO_SLEEP)->deadline = engine_clock() + seconds;
  return doze(L, LUA_OK, 0);
}

/* Gives the type cpp.client its calls. */
void calls_register(lua_State *L) {
  static const luaL_Reg calls[] = {{"cancel", calls_cancel},
                                   {"poll", calls_poll},
                                   {"operations", operations},
                                   {"status", status},
                                   {"fetch_token", fetch_token},
                                   {"sleep", sleep_for},
                                   {NULL, NULL}};
  client_add_methods(L, calls);
}
