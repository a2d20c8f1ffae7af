/* calls.c - the calls of a client to the portal, and its sleep. */
#include "cpp.h"

#include <string.h>

/* Sends the call to its offer's URL + tail. */
static int go_offer(lua_State *L, const char *tail, const char *filter) {
  const char *endpoint = exchange_settings(L)->endpoint;
  if (!exchange_write_url(L, &request_of(L)->transfer->text, tail, 0, filter))
    return request_refuse_memory(L);
  return request_go(L, endpoint, strlen(endpoint));
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
  return go_offer(L, "/submissions/",
                  operation_filter_to_send(exchange_settings(L)->status));
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
  return request_follow(L, location);
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
  while (!c->closed && (left = r->deadline - process_clock()) > 0) {
    if (!client_push_wait(L, SLOT_CLIENT)) {
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
  request_push(L, TO_SLEEP)->deadline = process_clock() + seconds;
  return doze(L, LUA_OK, 0);
}

/* Gives the type cpp.client its calls. */
void calls_register(lua_State *L) {
  static const luaL_Reg calls[] = {
      {"cancel", calls_cancel},   {"poll", calls_poll},
      {"operations", operations}, {"status", status},
      {"sleep", sleep_for},       {NULL, NULL}};
  client_add_methods(L, calls);
}
