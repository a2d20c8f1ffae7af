/* request.c - type cpp.request: one HTTP exchange from first byte to result.
 *
 * A call is a C function whose stack (enum slot) lives until it returns, over
 * every yield of a token, wait or trace function. The request userdata is a
 * to-be-closed value of that stack: a return, an error and coroutine.close all
 * end in request_close, which takes the exchange down.
 *
 *   begin -> go -> ask_token -> launch -> await -> finish -> deliver
 */
#include "cpp.h"

#include <math.h>
#include <string.h>

/* Bytes of a request's URL and headers: libcurl takes no more. */
enum { MAX_HEAD = 1000000 };

#define TYPE "cpp.call"

/* What stands for a call where others see it: only the call itself can end its
 * request, and so none ends while its answer is read. */
#define SHOWN "cpp.request"

/* User values of the userdata. */
enum { CLIENT = 1, SETTINGS, STAND_IN };

/* The request of the call whose stack this is. */
struct request *request_of(lua_State *L) {
  return lua_touserdata(L, SLOT_REQUEST);
}

/* Idempotent, never raises. */
static void take_down(struct request *r) {
  struct client *c = r->client;
  if (c && !engine_is_foreign(c))
    engine_leave(c, r);
  r->client = NULL;
}

/* __gc: the coroutine of the call is garbage. */
static int request_collect(lua_State *L) {
  take_down(luaL_checkudata(L, 1, TYPE));
  return 0;
}

/* __close: the same, on the coroutine of the call. It needs no finalizer after
 * it, nor anything else of its type. */
static int request_close(lua_State *L) {
  struct request *r = luaL_checkudata(L, 1, TYPE);
  take_down(r);
  if (r->asking) { /* its token function raised, or was closed */
    lua_getiuservalue(L, 1, CLIENT);
    client_set_asking(L, lua_gettop(L), r->asked);
    r->asking = false;
  }
  lua_pushnil(L);
  lua_setmetatable(L, 1);
  return 0;
}

/* Pushes the request userdata of a call. Its user values keep alive, until it
 * has been finalized, the client and the settings, whose strings libcurl reads.
 */
struct request *request_push(lua_State *L, enum purpose purpose) {
  struct request *r = lua_newuserdatauv(L, sizeof *r, STAND_IN);
  memset(r, 0, sizeof *r);
  r->purpose = purpose;
  luaL_setmetatable(L, TYPE);
  lua_pushvalue(L, SLOT_CLIENT);
  lua_setiuservalue(L, -2, CLIENT);
  lua_pushvalue(L, SLOT_SETTINGS);
  lua_setiuservalue(L, -2, SETTINGS);
  engine_enter(lua_touserdata(L, SLOT_CLIENT), r);
  lua_toclose(L, -1);
  return r;
}

/* False for an empty table too, which is what a workflow without options has.
 */
static bool has_options(lua_State *L, int options) {
  if (!lua_istable(L, options))
    return !lua_isnoneornil(L, options);
  lua_pushnil(L);
  if (!lua_next(L, options))
    return false;
  lua_pop(L, 2);
  return true;
}

static void push_settings(lua_State *L, int options, enum purpose purpose) {
  enum scope scope = purpose == TO_LIST ? SCOPE_LIST : SCOPE_CALL;
  client_push_settings(L, SLOT_CLIENT);
  if (!has_options(L, options))
    return;
  settings_derive(L, lua_gettop(L), options, scope);
  lua_remove(L, -2);
}

/* Lays out the rest of the stack of a call, whose settings are at
 * SLOT_SETTINGS. The table that will tell the answer is made here, before
 * anything is sent. */
struct request *request_open(lua_State *L, enum purpose purpose) {
  struct request *r = request_push(L, purpose);
  r->post = purpose == TO_CANCEL || purpose == TO_TOKEN;
  r->settings = exchange_settings(L);
  r->timeout = client_time(L, SLOT_CLIENT, r->settings->timeout);
  r->deadline = process_clock() + r->timeout;
  lua_createtable(L, 0, 16);
  return r;
}

/* The same where options, or nil, are at SLOT_SETTINGS: settings take their
 * place. */
struct request *request_begin(lua_State *L, enum purpose purpose) {
  push_settings(L, SLOT_SETTINGS, purpose);
  lua_replace(L, SLOT_SETTINGS);
  return request_open(L, purpose);
}

/* ---- the end of a call ---- */

static int deliver(lua_State *L) {
  if (request_of(L)->failed) {
    lua_pushnil(L);
    lua_pushvalue(L, SLOT_TABLE);
    return 2;
  }
  lua_pushvalue(L, SLOT_TABLE);
  return 1;
}

/* Ends a call that never came to an exchange; the table holds the error. */
int request_refuse(lua_State *L) {
  request_of(L)->failed = true;
  secret_redact(L, request_of(L), SLOT_TABLE);
  return deliver(L);
}

int request_refuse_memory(lua_State *L) {
  error_set_memory(L, SLOT_TABLE);
  failure_exchange(L, request_of(L));
  return request_refuse(L);
}

/* The result stands, whatever the trace function did. */
static int traced(lua_State *L, int status, lua_KContext context) {
  (void)context;
  if (status != LUA_OK && status != LUA_YIELD) {
    const char *message = lua_tostring(L, -1);
    lua_warning(L, "cpp: error in trace function: ", 1);
    lua_warning(L, message ? message : luaL_typename(L, -1), 0);
  }
  lua_settop(L, SLOT_TOP);
  return deliver(L);
}

static int finish(lua_State *L) {
  struct request *r = request_of(L);
  client_check_owner(L, r->client); /* a wait function may have forked */
  engine_collect(r->client, r);
  lua_settop(L, SLOT_TOP);
  r->failed = !response_build(L, r);
  if (!r->settings->trace || !r->launched)
    return deliver(L);
  settings_push(L, SLOT_SETTINGS, "trace");
  trace_push_event(L, r);
  engine_return(r->client, r);
  return traced(L, lua_pcallk(L, 1, 0, 0, 0, traced), 0);
}

/* ---- the exchange ---- */

/* Steps the client for a call that goes on; a fork may have copied the call. */
void request_step(lua_State *L, struct request *r, double seconds) {
  client_check_owner(L, r->client);
  engine_step(L, r->client, seconds);
}

/* Pushes what a wait function is shown of the call, and client:finished tells.
 */
static void push_stand_in(lua_State *L, struct request *r) {
  if (lua_getiuservalue(L, SLOT_REQUEST, STAND_IN) != LUA_TNIL)
    return;
  lua_pop(L, 1);
  lua_newuserdatauv(L, 0, 0);
  luaL_setmetatable(L, SHOWN);
  lua_pushvalue(L, -1);
  lua_setiuservalue(L, SLOT_REQUEST, STAND_IN);
  client_hand(L, SLOT_CLIENT, r);
}

/* Waits until the request has ended, blocking in C or through the client's
 * wait function, which may yield: this is its own continuation. */
static int await(lua_State *L, int status, lua_KContext context) {
  struct request *r = request_of(L);
  (void)context;
  lua_settop(L, SLOT_TOP);
  if (status == LUA_YIELD && r->progress == FLYING)
    request_step(L, r, 0);
  while (r->progress == FLYING || engine_launch_again(L, r)) {
    if (r->progress != FLYING)
      continue;
    if (!client_push_wait(L, SLOT_CLIENT)) {
      engine_step(L, r->client, HUGE_VAL);
      continue;
    }
    lua_pushnil(L);
    push_stand_in(L, r);
    lua_callk(L, 3, 0, 0, await);
    if (r->progress == FLYING)
      request_step(L, r, 0);
  }
  return finish(L);
}

static int refuse_size(lua_State *L) {
  error_set(L, SLOT_TABLE, "protocol", "request_too_large",
            "URL, token and headers of the request are larger than %d kB",
            MAX_HEAD / 1000);
  failure_exchange(L, request_of(L));
  return request_refuse(L);
}

/* Sends the prepared request with a token (NULL: without). */
static int launch(lua_State *L, const char *token) {
  struct request *r = request_of(L);
  if (!transfer_compose(r, r->settings, token))
    return request_refuse_memory(L);
  if (r->transfer->head_size > MAX_HEAD)
    return refuse_size(L);
  engine_launch(L, r);
  return await(L, LUA_OK, 0);
}

/* ---- the token ---- */

static int refuse_token(lua_State *L, const char *code, const char *message) {
  error_set(L, SLOT_TABLE, "credential", code, "%s", message);
  failure_exchange(L, request_of(L));
  return request_refuse(L);
}

/* What `name` holds is no token. */
static int refuse_text(lua_State *L, const char *name, const char *fault) {
  lua_pushfstring(L, "%s %s", name, fault);
  return refuse_token(L, "invalid_token", lua_tostring(L, -1));
}

/* Takes over the error of the exchange that failed to fetch a token. */
static void copy_reason(lua_State *L, int reason) {
  static const char *const kept[] = {"code",      "message",     "status",
                                     "retryable", "retry_after", "request_id"};
  for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
    table_copy(L, reason, SLOT_TABLE, kept[i]);
  if (table_get(L, reason, "kind") == LUA_TSTRING &&
      strcmp(lua_tostring(L, -1), "closed") == 0)
    table_set_string(L, SLOT_TABLE, "kind", "closed");
  lua_pop(L, 1);
}

/* A token function answered nil and a reason: a text or an error. */
static int refuse_reason(lua_State *L, int reason) {
  error_set(L, SLOT_TABLE, "credential", "no_token", "%s",
            lua_type(L, reason) == LUA_TSTRING
                ? lua_tostring(L, reason)
                : "the token function returned no token");
  failure_exchange(L, request_of(L));
  if (lua_istable(L, reason))
    copy_reason(L, reason);
  return request_refuse(L);
}

/* The token function has closed its client, or waited while somebody did. */
static int refuse_closed(lua_State *L) {
  request_of(L)->cause = CAUSE_CLOSED;
  failure_from_transfer(L, request_of(L));
  return request_refuse(L);
}

/* Continuation of the token function: its two results are on top. */
static int token_given(lua_State *L, int status, lua_KContext context) {
  const char *fault;
  (void)status, (void)context;
  client_check_owner(L, request_of(L)->client);
  client_set_asking(L, SLOT_CLIENT, request_of(L)->asked);
  request_of(L)->asking = false;
  lua_settop(L, SLOT_TOP + 2);
  if (request_of(L)->client->closed)
    return refuse_closed(L);
  if (lua_isnil(L, SLOT_TOP + 1) || lua_isboolean(L, SLOT_TOP + 1))
    return refuse_reason(L, SLOT_TOP + 2);
  if (lua_type(L, SLOT_TOP + 1) != LUA_TSTRING)
    return refuse_token(L, "invalid_token",
                        "the token function returned no string");
  lua_settop(L, SLOT_TOP + 1);
  fault = bearer_trim(L);
  if (fault)
    return refuse_text(L, "the token function's token", fault);
  return launch(L, lua_tostring(L, -1));
}

static int ask_token(lua_State *L) {
  struct request *r = request_of(L);
  const struct settings *s = exchange_settings(L);
  if (s->token)
    return launch(L, s->token);
  if (s->token_fault)
    return refuse_text(L, "CPP_TOKEN", s->token_fault);
  if (!s->token_function)
    return refuse_token(L, "no_token",
                        "no token: set the option 'token' or CPP_TOKEN");
  settings_push(L, SLOT_SETTINGS, "token");
  lua_pushvalue(L, SLOT_CLIENT);
  client_push_rejected(L, SLOT_CLIENT);
  r->asked = client_set_asking(L, SLOT_CLIENT, r->deadline);
  r->asking = true;
  lua_callk(L, 2, 2, 0, token_given);
  return token_given(L, LUA_OK, 0);
}

/* ---- where it goes ---- */

/* Parses the origin, unless the transfer's last exchange went there too. */
static enum verdict point_to_origin(struct transfer *t, const char *origin,
                                    size_t size) {
  enum verdict verdict = VERDICT_NO_MEMORY;
  if (buffer_equals(&t->origin, origin, size))
    return VERDICT_OK;
  if (buffer_set(&t->origin, origin, size))
    verdict = origin_set(t->url, t->origin.data);
  if (verdict != VERDICT_OK)
    buffer_clear(&t->origin);
  return verdict;
}

static int dry_run(lua_State *L) {
  struct request *r = request_of(L);
  if (!transfer_compose(r, r->settings, "***"))
    return request_refuse_memory(L);
  trace_fill_dry_run(L, r);
  return deliver(L);
}

int request_refuse_location(lua_State *L, enum verdict verdict) {
  if (verdict == VERDICT_NO_MEMORY)
    return request_refuse_memory(L);
  failure_from_verdict(L, request_of(L), verdict);
  return request_refuse(L);
}

/* Sends the call on its way to the URL of its transfer, which is at `origin`,
 * of `size` bytes. */
int request_go(lua_State *L, const char *origin, size_t size) {
  struct request *r = request_of(L);
  enum verdict verdict = point_to_origin(r->transfer, origin, size);
  if (verdict != VERDICT_OK)
    return request_refuse_location(L, verdict);
  if (r->settings->dry_run)
    return dry_run(L);
  return exchange_brings_token(r) ? launch(L, NULL) : ask_token(L);
}

/* Sends the call to a location, absolute or relative to the endpoint, under the
 * origin rule. */
int request_follow(lua_State *L, const char *location) {
  const struct request *r = request_of(L);
  const struct settings *s = r->settings;
  struct buffer *url = &r->transfer->text;
  enum verdict verdict =
      location_aim(location, s->endpoint, s->endpoint, s->api_version, url);
  if (verdict == VERDICT_OK)
    return request_go(L, s->endpoint, strlen(s->endpoint));
  buffer_clear(url);
  return request_refuse_location(L, verdict);
}

/* Makes the two types. The index of what is shown is empty: a wait function may
 * ask it for pollfd, events and timeout, as cqueues.poll does, and finds
 * nothing. */
void request_register(lua_State *L) {
  static const luaL_Reg meta[] = {
      {"__gc", request_collect}, {"__close", request_close}, {NULL, NULL}};
  luaL_newmetatable(L, TYPE);
  luaL_setfuncs(L, meta, 0);
  luaL_newmetatable(L, SHOWN);
  lua_newtable(L);
  lua_setfield(L, -2, "__index");
  lua_pushboolean(L, false);
  lua_setfield(L, -2, "__metatable");
  lua_pop(L, 2);
}
