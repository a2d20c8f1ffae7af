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

#define TYPE "cpp.request"

static struct request *request_of(lua_State *L) {
  return lua_touserdata(L, SLOT_REQUEST);
}

/* The settings of the call whose stack this is. */
const struct settings *request_settings(lua_State *L) {
  return lua_touserdata(L, SLOT_SETTINGS);
}

/* __close and __gc: idempotent, never raises. */
static int request_close(lua_State *L) {
  struct request *r = luaL_checkudata(L, 1, TYPE);
  struct client *c = r->client;
  if (c && !engine_is_foreign(c))
    engine_leave(c, r);
  r->client = NULL;
  return 0;
}

/* Pushes the request userdata of a call. Its user values keep alive, until it
 * has been finalized, the client and the settings, whose strings libcurl reads.
 */
static struct request *push_request(lua_State *L, enum purpose purpose) {
  struct request *r = lua_newuserdatauv(L, sizeof *r, 2);
  memset(r, 0, sizeof *r);
  r->purpose = purpose;
  luaL_setmetatable(L, TYPE);
  lua_pushvalue(L, SLOT_CLIENT);
  lua_setiuservalue(L, -2, 1);
  lua_pushvalue(L, SLOT_SETTINGS);
  lua_setiuservalue(L, -2, 2);
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

/* Lays out the stack of a call: options are at SLOT_SETTINGS, and settings take
 * their place. The table that will tell the answer is made here, before
 * anything is sent. */
static struct request *begin(lua_State *L, enum purpose purpose) {
  struct request *r;
  push_settings(L, SLOT_SETTINGS, purpose);
  lua_replace(L, SLOT_SETTINGS);
  r = push_request(L, purpose);
  r->deadline = engine_clock() + request_settings(L)->timeout;
  lua_createtable(L, 0, 16);
  return r;
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
static int refuse(lua_State *L) {
  request_of(L)->failed = true;
  error_redact(L, request_of(L));
  return deliver(L);
}

static int refuse_memory(lua_State *L) {
  error_set_memory(L, SLOT_TABLE);
  error_exchange(L, request_of(L));
  return refuse(L);
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
  if (!request_settings(L)->trace || !r->launched)
    return deliver(L);
  settings_push(L, SLOT_SETTINGS, "trace");
  trace_push_event(L, r);
  engine_return(r->client, r);
  return traced(L, lua_pcallk(L, 1, 0, 0, 0, traced), 0);
}

/* ---- the exchange ---- */

/* Steps the client for a call that goes on. A wait function is shown the
 * request and may have closed it; a fork may have copied the call. */
static void step_here(lua_State *L, struct request *r, double seconds) {
  if (!r->client)
    luaL_error(L, "the request was closed by the wait function");
  client_check_owner(L, r->client);
  engine_step(L, r->client, seconds);
}

/* Waits until the request has ended, blocking in C or through the client's
 * wait function, which may yield: this is its own continuation. */
static int await(lua_State *L, int status, lua_KContext context) {
  struct request *r = request_of(L);
  (void)context;
  lua_settop(L, SLOT_TOP);
  if (status == LUA_YIELD && (!r->client || r->progress == FLYING))
    step_here(L, r, 0);
  while (r->progress == FLYING) {
    if (!client_push_wait(L, SLOT_CLIENT, r, SLOT_REQUEST)) {
      engine_step(L, r->client, HUGE_VAL);
      continue;
    }
    lua_pushnil(L);
    lua_pushvalue(L, SLOT_REQUEST);
    lua_callk(L, 3, 0, 0, await);
    if (!r->client || r->progress == FLYING)
      step_here(L, r, 0);
  }
  return finish(L);
}

/* Sends the prepared request with a token (NULL: without). */
static int launch(lua_State *L, const char *token) {
  struct request *r = request_of(L);
  const struct settings *s = request_settings(L);
  if (!transfer_compose(r, s, token) || !transfer_prepare(r->transfer, s)) {
    r->transfer->profile = 0;
    return refuse_memory(L);
  }
  engine_launch(r->client, r);
  return await(L, LUA_OK, 0);
}

/* ---- the token ---- */

static int refuse_token(lua_State *L, const char *code, const char *message) {
  error_set(L, SLOT_TABLE, "credential", code, "%s", message);
  error_exchange(L, request_of(L));
  return refuse(L);
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
  error_exchange(L, request_of(L));
  if (lua_istable(L, reason))
    copy_reason(L, reason);
  return refuse(L);
}

/* Continuation of the token function: its two results are on top. */
static int token_given(lua_State *L, int status, lua_KContext context) {
  size_t size;
  const char *token;
  (void)status, (void)context;
  client_check_owner(L, request_of(L)->client);
  lua_settop(L, SLOT_TOP + 2);
  if (lua_isnil(L, SLOT_TOP + 1) || lua_isboolean(L, SLOT_TOP + 1))
    return refuse_reason(L, SLOT_TOP + 2);
  if (lua_type(L, SLOT_TOP + 1) != LUA_TSTRING)
    return refuse_token(L, "invalid_token",
                        "the token function returned no string");
  token = lua_tolstring(L, SLOT_TOP + 1, &size);
  if (!size || !settings_is_header_text(token, size))
    return refuse_token(L, "invalid_token",
                        "the token is empty or holds a control character");
  return launch(L, token);
}

static int ask_token(lua_State *L) {
  const struct settings *s = request_settings(L);
  if (s->token)
    return launch(L, s->token);
  if (!s->token_function)
    return refuse_token(L, "no_token",
                        "no token: set the option 'token' or CPP_TOKEN");
  settings_push(L, SLOT_SETTINGS, "token");
  lua_pushvalue(L, SLOT_CLIENT);
  client_push_rejected(L, SLOT_CLIENT);
  lua_callk(L, 2, 2, 0, token_given);
  return token_given(L, LUA_OK, 0);
}

/* ---- where it goes ---- */

/* Parses the origin, unless the transfer's last exchange went there too. */
static enum verdict point_to_origin(struct transfer *t, const char *origin) {
  size_t size = strlen(origin);
  enum verdict verdict;
  if (buffer_equals(&t->origin, origin, size))
    return VERDICT_OK;
  buffer_clear(&t->origin);
  verdict = origin_set(t->url, origin);
  if (verdict == VERDICT_OK && !buffer_set(&t->origin, origin, size))
    verdict = VERDICT_NO_MEMORY;
  return verdict;
}

/* Points the transfer at `text`, a location or a path, under the origin rule.
 */
static enum verdict point(struct transfer *t, const char *origin,
                          const char *api_version, const char *text) {
  enum verdict verdict = point_to_origin(t, origin);
  buffer_clear(&t->text);
  if (verdict == VERDICT_OK)
    verdict = location_aim(text, origin, origin, api_version, &t->text);
  if (verdict != VERDICT_OK)
    buffer_clear(&t->text);
  return verdict;
}

static int dry_run(lua_State *L) {
  struct request *r = request_of(L);
  if (!transfer_compose(r, request_settings(L), "***"))
    return refuse_memory(L);
  trace_fill_dry_run(L, r);
  return deliver(L);
}

static int refuse_location(lua_State *L, enum verdict verdict) {
  if (verdict == VERDICT_NO_MEMORY)
    return refuse_memory(L);
  error_from_verdict(L, SLOT_TABLE, verdict, request_settings(L)->endpoint);
  error_exchange(L, request_of(L));
  return refuse(L);
}

/* Sends the call on its way to `text`, which is relative to `origin` or
 * absolute. */
static int go(lua_State *L, const char *origin, const char *api_version,
              const char *text) {
  struct request *r = request_of(L);
  enum verdict verdict = point(r->transfer, origin, api_version, text);
  if (verdict != VERDICT_OK)
    return refuse_location(L, verdict);
  if (request_settings(L)->dry_run)
    return dry_run(L);
  return r->purpose == TO_TOKEN ? launch(L, NULL) : ask_token(L);
}

/* Appends "/" and the id at a stack index as one path segment. */
bool request_add_segment(lua_State *L, struct buffer *b, int index) {
  size_t size;
  const char *id = lua_tolstring(L, index, &size);
  return location_add_segment(b, id, size);
}

/* Sends the call to "/api/publishers/{publisher}/offers/{offer}" + tail. */
static int go_offer(lua_State *L, const char *tail, const char *filter) {
  struct transfer *t = request_of(L)->transfer;
  const struct settings *s = request_settings(L);
  struct buffer *path = &t->nodes; /* not in use yet */
  buffer_clear(path);
  if (!buffer_add(path, "/api/publishers") ||
      !request_add_segment(L, path, SLOT_FIRST) ||
      !buffer_add(path, "/offers") ||
      !request_add_segment(L, path, SLOT_SECOND) || !buffer_add(path, tail))
    return refuse_memory(L);
  if (filter && (!buffer_add(path, "?status=") ||
                 !location_add_escaped(path, filter, strlen(filter))))
    return refuse_memory(L);
  return go(L, s->endpoint, s->api_version, path->data);
}

/* ---- the calls ---- */

static struct request *begin_offer(lua_State *L, enum purpose purpose) {
  client_usable(L, SLOT_CLIENT);
  settings_check_id(L, SLOT_FIRST, "publisher");
  settings_check_id(L, SLOT_SECOND, "offer");
  lua_settop(L, SLOT_SETTINGS);
  return begin(L, purpose);
}

/* {"metadata":{"notification-emails":"a@x.com,b@y.com"}}, as documented;
 * without e-mails the string is empty. */
static bool write_cancel_body(lua_State *L, struct buffer *body) {
  const char *emails = request_settings(L)->notification_emails;
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
int request_cancel(lua_State *L) {
  struct request *r = begin_offer(L, TO_CANCEL);
  if (!engine_borrow(r->client, r) || !write_cancel_body(L, &r->transfer->body))
    return refuse_memory(L);
  return go_offer(L, "/cancel", NULL);
}

/* client:operations(publisher, offer [, options]) --> array | nil, err */
int request_operations(lua_State *L) {
  struct request *r = begin_offer(L, TO_LIST);
  if (!engine_borrow(r->client, r))
    return refuse_memory(L);
  return go_offer(L, "/submissions/", request_settings(L)->status);
}

/* client:status(publisher, offer [, options]) --> operation | nil, err */
int request_status(lua_State *L) {
  struct request *r = begin_offer(L, TO_STATUS);
  if (!engine_borrow(r->client, r))
    return refuse_memory(L);
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
int request_poll(lua_State *L) {
  struct request *r;
  const char *location;
  client_usable(L, SLOT_CLIENT);
  split_target(L);
  r = begin(L, TO_POLL);
  if (lua_type(L, SLOT_SECOND) != LUA_TSTRING) {
    error_set(L, SLOT_TABLE, "protocol", "no_location",
              "the operation has no location to poll");
    error_exchange(L, r);
    return refuse(L);
  }
  location = lua_tostring(L, SLOT_SECOND);
  if (strlen(location) != lua_rawlen(L, SLOT_SECOND))
    return refuse_location(L, VERDICT_INVALID);
  if (!engine_borrow(r->client, r))
    return refuse_memory(L);
  return go(L, request_settings(L)->endpoint, request_settings(L)->api_version,
            location);
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
  settings_fields(L, SLOT_FIRST, names);
  parameter(L, "client_id", NULL);
  parameter(L, "client_secret", NULL);
  parameter(L, "resource", "default");
  table_get(L, SLOT_FIRST, "tenant");
  settings_check_id(L, -1, "'tenant'");
  lua_settop(L, SLOT_FIRST);
}

/* client:fetch_token{ tenant =, client_id =, client_secret = [, authority =]
 * [, resource =] } --> {access_token =, expires_in =} | nil, err
 *
 * The form that Microsoft documents for a service principal. */
int request_fetch_token(lua_State *L) {
  struct request *r;
  struct buffer *path;
  client_usable(L, SLOT_CLIENT);
  check_token_parameters(L);
  lua_pushstring(
      L, parameter(L, "authority", "https://login.microsoftonline.com"));
  settings_check_origin(L, "authority");
  lua_settop(L, SLOT_SETTINGS);
  r = begin(L, TO_TOKEN);
  if (!engine_borrow(r->client, r) || !write_token_form(L, &r->transfer->body))
    return refuse_memory(L);
  path = &r->transfer->nodes;
  buffer_clear(path);
  table_get(L, SLOT_FIRST, "tenant");
  if (!request_add_segment(L, path, -1) || !buffer_add(path, "/oauth2/token"))
    return refuse_memory(L);
  return go(L, lua_tostring(L, SLOT_SECOND), NULL, path->data);
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
    step_here(L, r, 0);
  while (!c->closed && (left = r->deadline - engine_clock()) > 0) {
    if (!client_push_wait(L, SLOT_CLIENT, r, SLOT_REQUEST)) {
      step_here(L, r, left);
      continue;
    }
    lua_pushnumber(L, left);
    lua_callk(L, 2, 0, 0, doze);
    step_here(L, r, 0);
  }
  if (c->closed)
    return wake_closed(L);
  lua_pushboolean(L, true);
  return 1;
}

/* client:sleep(seconds) --> true | nil, err */
int request_sleep(lua_State *L) {
  double seconds;
  client_usable(L, SLOT_CLIENT);
  seconds = settings_seconds(L, 2, "seconds");
  lua_settop(L, SLOT_REQUEST - 1);
  push_request(L, TO_SLEEP)->deadline = engine_clock() + seconds;
  return doze(L, LUA_OK, 0);
}

/* Makes the type. Its index is empty: a wait function may ask a request for
 * pollfd, events and timeout, as cqueues.poll does, and finds nothing. */
void request_register(lua_State *L) {
  static const luaL_Reg meta[] = {
      {"__gc", request_close}, {"__close", request_close}, {NULL, NULL}};
  luaL_newmetatable(L, TYPE);
  luaL_setfuncs(L, meta, 0);
  lua_newtable(L);
  lua_setfield(L, -2, "__index");
  lua_pushboolean(L, false);
  lua_setfield(L, -2, "__metatable");
  lua_pop(L, 1);
}
