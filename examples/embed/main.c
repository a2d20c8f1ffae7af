/* main.c - a host with an event loop of its own, here poll(2) and a 10 ms
 * timer, lets a sandboxed Lua script cancel what runs on many offers at once.
 *
 * cc -I/usr/include/lua5.4 -o embed main.c -llua5.4
 * CPP_TOKEN=... ./embed script.lua PUBLISHER OFFER...
 */
#define _POSIX_C_SOURCE 200809L
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#define TICK 0.01
#define FOREVER 1e9

enum { CLIENT = 2, THREADS }; /* where they are on the host's stack */

struct job {
  lua_State *thread; /* NULL: it has ended */
  double due;
};

struct ticker {
  int ticks;
  double last, next, longest;
};

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double least(double a, double b) { return a < b ? a : b; }

/* ---- the sandbox ---- */

static int canceled(lua_State *L, int status, lua_KContext context) {
  (void)L, (void)status, (void)context;
  return 2;
}

/* cpp.cancel(publisher, offer) --> result | nil, err
 *
 * It takes no options: one of them says where the token goes. */
static int cancel(lua_State *L) {
  luaL_checkstring(L, 1);
  luaL_checkstring(L, 2);
  lua_settop(L, 2);
  lua_pushvalue(L, lua_upvalueindex(1)); /* workflow.cancel */
  lua_pushvalue(L, lua_upvalueindex(2)); /* the client */
  lua_rotate(L, 1, 2);
  lua_callk(L, 3, 2, 0, canceled);
  return canceled(L, LUA_OK, 0);
}

static void push_module(lua_State *L, const char *name) {
  lua_getglobal(L, "require");
  lua_pushstring(L, name);
  lua_call(L, 1, 1);
}

static void push_cpp(lua_State *L) {
  lua_newtable(L);
  push_module(L, "cpp.workflow");
  lua_getfield(L, -1, "cancel");
  lua_pushvalue(L, CLIENT);
  lua_pushcclosure(L, cancel, 2);
  lua_setfield(L, -3, "cancel");
  lua_pop(L, 1);
}

/* Replaces the table on top by a copy: what a script does to a library must
 * not reach the host. */
static void copy_library(lua_State *L) {
  lua_newtable(L);
  for (lua_pushnil(L); lua_next(L, -3);) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_settable(L, -4);
  }
  lua_remove(L, -2);
}

/* It bounds neither time nor memory: lua_sethook and lua_newstate can. */
static void push_environment(lua_State *L) {
  static const char *const safe[] = {
      "assert", "error",  "ipairs", "math",  "next",     "pairs",    "pcall",
      "print",  "select", "string", "table", "tonumber", "tostring", "type"};
  lua_newtable(L);
  for (size_t i = 0; i < sizeof safe / sizeof *safe; i++) {
    if (lua_getglobal(L, safe[i]) == LUA_TTABLE)
      copy_library(L);
    lua_setfield(L, -2, safe[i]);
  }
  push_cpp(L);
  lua_setfield(L, -2, "cpp");
}

/* Text only: bytecode can break out. */
static void push_script(lua_State *L, const char *name) {
  if (luaL_loadfilex(L, name, "t") != LUA_OK)
    lua_error(L);
  push_environment(L);
  lua_setupvalue(L, -2, 1); /* _ENV */
}

/* ---- the loop ---- */

/* The client's wait function, called as wait(client, seconds or nil). */
static int yield_to_host(lua_State *L) {
  lua_settop(L, 2);
  return lua_yield(L, 1);
}

static void push_client(lua_State *L) {
  push_module(L, "cpp");
  lua_getfield(L, -1, "client");
  lua_remove(L, -2);
  lua_newtable(L);
  lua_pushcfunction(L, yield_to_host);
  lua_setfield(L, -2, "wait");
  lua_call(L, 1, 1);
}

static double ask_client(lua_State *L, const char *method, double otherwise) {
  double answer;
  lua_getfield(L, CLIENT, method);
  lua_pushvalue(L, CLIENT);
  lua_call(L, 1, 1);
  answer = lua_isnil(L, -1) ? otherwise : lua_tonumber(L, -1);
  lua_pop(L, 1);
  return answer;
}

/* Runs a script until it waits or ends. False: it ended, and not well. */
static bool resume(lua_State *L, struct job *job, int arguments) {
  lua_State *thread = job->thread;
  int count, status = lua_resume(thread, L, arguments, &count);
  if (status == LUA_YIELD) {
    job->due =
        now() + (lua_isnil(thread, -1) ? FOREVER : lua_tonumber(thread, -1));
    lua_pop(thread, count);
    return true;
  }
  job->thread = NULL;
  if (status == LUA_OK)
    return lua_toboolean(thread, -1);
  fprintf(stderr, "%s\n", luaL_tolstring(thread, -1, NULL));
  lua_resetthread(thread); /* closes what was under way */
  return false;
}

/* Does the host's own work, then waits until there is work for somebody. True:
 * for the scripts. */
static bool turn(lua_State *L, struct ticker *ticker, double due) {
  struct pollfd watched = {0, POLLIN, 0};
  double wait;
  due = least(due, now() + ask_client(L, "timeout", FOREVER));
  wait = least(due, ticker->next) - now();
  watched.fd = (int)ask_client(L, "pollfd", -1);
  poll(&watched, 1, wait > 0 ? (int)(wait * 1000) + 1 : 0);
  if (now() >= ticker->next) {
    double gap = now() - ticker->last;
    ticker->ticks++;
    ticker->longest = gap > ticker->longest ? gap : ticker->longest;
    ticker->last += gap;
    ticker->next = ticker->last + TICK;
  }
  /* A client without epoll has no descriptor: it is looked after each time. */
  return watched.revents || watched.fd < 0 || now() >= due;
}

/* Resumes them all, since early is harmless, until each has ended. */
static bool run(lua_State *L, struct job *jobs, int count) {
  struct ticker ticker = {0, now(), now() + TICK, 0};
  bool well = true, ready = false;
  for (int left = count; left > 0;) {
    double due = FOREVER + now();
    left = 0;
    for (int i = 0; i < count; i++) {
      if (ready && jobs[i].thread)
        well &= resume(L, &jobs[i], 0);
      if (jobs[i].thread) {
        due = least(due, jobs[i].due);
        left++;
      }
    }
    ready = left > 0 && turn(L, &ticker, due);
  }
  printf("%d ticks, longest gap %.0f ms\n", ticker.ticks,
         ticker.longest * 1000);
  return well;
}

/* host(script, publisher, offer...) --> whether each script was content */
static int host(lua_State *L) {
  const char **words = lua_touserdata(L, 1);
  int count = 0;
  bool well = true;
  struct job *jobs;
  push_client(L);
  lua_newtable(L); /* keeps the coroutines */
  while (words[2 + count])
    count++;
  jobs = lua_newuserdatauv(L, (size_t)count * sizeof *jobs, 0);
  for (int i = 0; i < count; i++) {
    jobs[i].thread = lua_newthread(L);
    lua_rawseti(L, THREADS, i + 1);
    push_script(L, words[0]);
    lua_xmove(L, jobs[i].thread, 1);
    lua_pushstring(jobs[i].thread, words[1]);
    lua_pushstring(jobs[i].thread, words[2 + i]);
    well &= resume(L, &jobs[i], 2);
  }
  lua_pushboolean(L, run(L, jobs, count) && well);
  return 1;
}

int main(int argc, const char **argv) {
  lua_State *L;
  bool well;
  if (argc < 4) {
    fprintf(stderr, "usage: embed SCRIPT PUBLISHER OFFER...\n");
    return 2;
  }
  L = luaL_newstate();
  if (!L)
    return 1;
  luaL_openlibs(L);
  lua_pushcfunction(L, host);
  lua_pushlightuserdata(L, argv + 1);
  if (lua_pcall(L, 1, 1, 0) != LUA_OK)
    fprintf(stderr, "%s\n", luaL_tolstring(L, -1, NULL));
  well = lua_isboolean(L, -1) && lua_toboolean(L, -1);
  lua_close(L);
  return well ? 0 : 1;
}
