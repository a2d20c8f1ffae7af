/* client.c - type cpp.client: the settings and the engine as Lua sees them. */
#include "cpp.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#define TYPE "cpp.client"

/* User values of the userdata. */
enum user_value {
  SETTINGS = 1,
  WAIT,
  HANDED,
  REJECTED,
  ASKING,
  USER_VALUES = ASKING
};

/* The client at a stack index, in whatever state. */
struct client *client_check(lua_State *L, int index) {
  return luaL_checkudata(L, index, TYPE);
}

/* Raises in a child of the process that made the client. */
void client_check_owner(lua_State *L, const struct client *c) {
  if (engine_is_foreign(c))
    luaL_error(L,
               "this client belongs to process %d: after a fork, the child "
               "makes its own with cpp.client()",
               (int)c->owner);
}

/* The client at a stack index, fit for a new call. */
struct client *client_usable(lua_State *L, int index) {
  struct client *c = client_check(L, index);
  client_check_owner(L, c);
  if (c->closed)
    luaL_error(L, "this client is closed");
  return c;
}

/* Whether a wait function has a choice. Inside a C function that no coroutine
 * yields across (gsub, sort, require, a finalizer) it has none, and the call
 * blocks as it would outside; on the main thread it never yields. */
static bool may_wait(lua_State *L) {
  bool main = lua_pushthread(L);
  lua_pop(L, 1);
  return main || lua_isyieldable(L);
}

/* Pushes the client's wait function and the client; false, and nothing, where
 * the client blocks in C. */
bool client_push_wait(lua_State *L, int index) {
  if (lua_getiuservalue(L, index, WAIT) == LUA_TNIL || !may_wait(L)) {
    lua_pop(L, 1);
    return false;
  }
  lua_pushvalue(L, index);
  return true;
}

/* From now on client:finished tells a request by the value on top. */
void client_hand(lua_State *L, int index, struct request *r) {
  lua_getiuservalue(L, index, HANDED);
  lua_pushvalue(L, -2);
  lua_rawsetp(L, -2, r);
  lua_pop(L, 1);
  r->handed = true;
}

/* Pushes the token that last got a 401 on this client, or nil. */
void client_push_rejected(lua_State *L, int index) {
  lua_getiuservalue(L, index, REJECTED);
}

void client_set_rejected(lua_State *L, int index, const char *token) {
  lua_pushstring(L, token);
  lua_setiuservalue(L, index, REJECTED);
}

/* The call of this coroutine whose token function runs is to end by then, and
 * so is what that function asks for; 0: none does. Returns what was so before.
 */
double client_set_asking(lua_State *L, int index, double deadline) {
  struct client *c = lua_touserdata(L, index);
  double before;
  c->asks = true;
  lua_getiuservalue(L, index, ASKING);
  lua_pushthread(L);
  lua_rawget(L, -2);
  before = lua_tonumber(L, -1);
  lua_pop(L, 1);
  lua_pushthread(L);
  if (deadline > 0)
    lua_pushnumber(L, deadline);
  else
    lua_pushnil(L);
  lua_rawset(L, -3);
  lua_pop(L, 1);
  return before;
}

/* Seconds for what is asked on this coroutine, of `timeout`: no more than is
 * left of the call whose token function asks. In whole milliseconds. */
double client_time(lua_State *L, int index, double timeout) {
  const struct client *c = lua_touserdata(L, index);
  double left = HUGE_VAL;
  if (!c->asks)
    return timeout;
  lua_getiuservalue(L, index, ASKING);
  lua_pushthread(L);
  if (lua_rawget(L, -2) == LUA_TNUMBER)
    left = fmax(0, lua_tonumber(L, -1) - process_clock());
  lua_pop(L, 2);
  return left < timeout ? ceil(left * 1000) / 1000 : timeout;
}

/* Pushes the settings of the client at a stack index. */
void client_push_settings(lua_State *L, int index) {
  lua_getiuservalue(L, index, SETTINGS);
}

static void push_weak(lua_State *L, const char *mode) {
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushstring(L, mode);
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
}

/* cpp.client([options]) */
int client_new(lua_State *L) {
  int given = lua_isnoneornil(L, 1) ? 0 : 1;
  struct client *c = lua_newuserdatauv(L, sizeof *c, USER_VALUES);
  int client = lua_gettop(L);
  memset(c, 0, sizeof *c);
  c->owner = getpid();
  c->closed = true;
  c->entropy_used = sizeof c->entropy;
  c->curl_deadline = c->request_deadline = HUGE_VAL;
  luaL_setmetatable(L, TYPE);
  c->settings = settings_default(L, given);
  settings_push(L, lua_gettop(L), "wait");
  lua_setiuservalue(L, client, WAIT);
  lua_setiuservalue(L, client, SETTINGS);
  push_weak(L, "v");
  lua_setiuservalue(L, client, HANDED);
  push_weak(L, "k");
  lua_setiuservalue(L, client, ASKING);
  c->closed = false;
  return 1;
}

/* client:close() and __close: idempotent, never raises. */
static int close_client(lua_State *L) {
  engine_close(client_check(L, 1));
  return 0;
}

/* __gc: nobody can watch the descriptor any more. */
static int collect_client(lua_State *L) {
  struct client *c = client_check(L, 1);
  c->exposed = false;
  engine_close(c);
  if (!engine_is_foreign(c))
    engine_release(c);
  return 0;
}

/* The client at index 1, closed or not, in the process that it belongs to. */
static struct client *client_own(lua_State *L) {
  struct client *c = client_check(L, 1);
  client_check_owner(L, c);
  return c;
}

/* client:closed() --> boolean; policy asks before a call that would raise */
static int closed(lua_State *L) {
  lua_pushboolean(L, client_check(L, 1)->closed);
  return 1;
}

/* client:now() --> monotonic seconds */
static int now(lua_State *L) {
  lua_pushnumber(L, process_clock());
  return 1;
}

/* client:pollfd() --> descriptor to watch for reading; nil without epoll */
static int pollfd(lua_State *L) {
  struct client *c = client_own(L);
  int fd;
  if (!c->closed)
    engine_open(L, c);
  fd = poller_fd(&c->poller);
  if (fd < 0 || (c->closed && c->calls == 0)) {
    lua_pushnil(L);
    return 1;
  }
  c->exposed = true;
  engine_wake(c);
  lua_pushinteger(L, fd);
  return 1;
}

/* client:events() --> "r" */
static int events(lua_State *L) {
  client_check(L, 1);
  lua_pushliteral(L, "r");
  return 1;
}

/* client:timeout() --> seconds until the client wants a step; nil: never */
static int timeout(lua_State *L) {
  struct client *c = client_own(L);
  double next = fmin(c->curl_deadline, c->request_deadline);
  if (c->ended.first || c->kicked || (c->closed && c->calls > 0))
    lua_pushnumber(L, 0);
  else if (c->closed || (isinf(next) && next > 0))
    lua_pushnil(L);
  else
    lua_pushnumber(L, fmax(0, next - process_clock()));
  return 1;
}

/* client:step([seconds = 0]) */
static int step(lua_State *L) {
  struct client *c = client_own(L);
  double seconds = lua_isnoneornil(L, 2) ? 0 : check_duration(L, 2, "seconds");
  if (c->closed)
    return 0;
  engine_step(L, c, c->ended.first || c->kicked ? 0 : seconds);
  return 0;
}

/* client:wake(): whoever sleeps on the descriptor goes on, and so does the next
 * step that would wait; for policy that has made something ready itself */
static int wake(lua_State *L) {
  struct client *c = client_own(L);
  c->kicked = true;
  engine_wake(c);
  return 0;
}

/* client:finished() --> request | nil */
static int finished(lua_State *L) {
  struct client *c = client_own(L);
  struct request *r;
  lua_settop(L, 1);
  lua_getiuservalue(L, 1, HANDED);
  for (r = c->ended.first; r; r = r->next) {
    lua_settop(L, 2);
    /* What stands for one that is about to be finalized has left the table. */
    if (!r->handed || lua_rawgetp(L, 2, r) == LUA_TNIL)
      continue;
    engine_collect(c, r);
    return 1;
  }
  return 0;
}

/* client:wait([function | nil]) --> the wait function until now; without an
 * argument nothing changes */
static int swap_wait(lua_State *L) {
  bool given = !lua_isnone(L, 2);
  client_check(L, 1);
  lua_settop(L, 2);
  lua_getiuservalue(L, 1, WAIT);
  if (!given)
    return 1;
  if (!lua_isnil(L, 2) && !check_is_callable(L, 2))
    return luaL_error(L, "wait: function expected, got %s",
                      luaL_typename(L, 2));
  lua_settop(L, 3);
  lua_pushvalue(L, 2);
  lua_setiuservalue(L, 1, WAIT);
  return 1;
}

/* client:option("timeout" | "trace") --> seconds | function or nil; what policy
 * must know to keep to a client's options while it sets some for a call, and,
 * in a token function, to the time of the call that asks */
static int option(lua_State *L) {
  static const char *const names[] = {"timeout", "trace", NULL};
  const struct client *c = client_check(L, 1);
  if (luaL_checkoption(L, 2, NULL, names) == 0) {
    lua_pushnumber(L, client_time(L, 1, c->settings->timeout));
    return 1;
  }
  client_push_settings(L, 1);
  settings_push(L, lua_gettop(L), "trace");
  return 1;
}

static int to_string(lua_State *L) {
  struct client *c = client_check(L, 1);
  lua_pushfstring(L, "cpp.client (%s%s)", c->settings->endpoint,
                  c->closed ? ", closed" : "");
  return 1;
}

/* Makes the type. */
void client_register(lua_State *L) {
  static const luaL_Reg meta[] = {{"__gc", collect_client},
                                  {"__close", close_client},
                                  {"__tostring", to_string},
                                  {NULL, NULL}};
  static const luaL_Reg methods[] = {
      {"now", now},       {"pollfd", pollfd},
      {"events", events}, {"timeout", timeout},
      {"step", step},     {"finished", finished},
      {"wake", wake},     {"wait", swap_wait},
      {"option", option}, {"close", close_client},
      {"closed", closed}, {NULL, NULL}};
  luaL_newmetatable(L, TYPE);
  luaL_setfuncs(L, meta, 0);
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}

/* Adds methods, ended by NULL, to the type. */
void client_add_methods(lua_State *L, const luaL_Reg *methods) {
  luaL_getmetatable(L, TYPE);
  lua_getfield(L, -1, "__index");
  luaL_setfuncs(L, methods, 0);
  lua_pop(L, 2);
}
