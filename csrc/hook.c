/* hook.c - Lua's hooks: when they have their chance, and when they have none.
 *
 * lua.c turns Ctrl-C into a hook of the main thread, set by the signal's
 * handler in the middle of whatever runs, which raises and removes itself. To
 * set a hook also sets its count back: hooks of the running thread are left as
 * they are. A thread of the module's own, without any, runs what has to.
 */
#include "cpp.h"

/* Registry key of that thread. */
static char thread_key;

static lua_State *own_thread(lua_State *L) {
  lua_State *own;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &thread_key);
  own = lua_tothread(L, -1);
  lua_pop(L, 1);
  return own;
}

/* Makes the thread. */
void hook_register(lua_State *L) {
  lua_sethook(lua_newthread(L), NULL, 0, 0);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &thread_key);
}

/* Calls the function below its one argument as lua_pcall does, for one result.
 * No hook has its turn meanwhile: what is raised is the function's own. A
 * finalizer that runs meanwhile is on that thread itself. */
int hook_call_without(lua_State *L) {
  lua_State *own = own_thread(L);
  int status;
  if (own != L && !lua_checkstack(own, 2))
    luaL_error(L, "stack overflow");
  lua_xmove(L, own, 2);
  status = lua_pcall(own, 1, 1, 0);
  lua_xmove(own, L, 1);
  return status;
}

/* A call of it is for the sake of the call hook. */
static int nothing(lua_State *L) {
  (void)L;
  return 0;
}

/* The main thread's hook does not run while a coroutine blocks: it is run here.
 * Where that removes it, as lua.c's does, it has had its turn there too. */
static void run_main_hook(lua_State *L, lua_State *main) {
  lua_State *own = own_thread(L);
  lua_Hook hook = lua_gethook(main);
  int status;
  if (!hook || !(lua_gethookmask(main) & LUA_MASKCALL) || own == L)
    return;
  lua_sethook(own, hook, LUA_MASKCALL, 0);
  lua_pushcfunction(own, nothing);
  status = lua_pcall(own, 0, 0, 0);
  if (!lua_gethook(own) && lua_gethook(main) == hook)
    lua_sethook(main, NULL, 0, 0);
  lua_sethook(own, NULL, 0, 0);
  if (status != LUA_OK) {
    lua_xmove(own, L, 1);
    lua_error(L);
  }
}

/* Gives Lua's hooks, the main thread's too, the chance that they do not have
 * while C blocks. May raise what a hook raises. */
void hook_run(lua_State *L) {
  lua_State *main;
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  main = lua_tothread(L, -1);
  lua_pop(L, 1);
  if (main != L)
    run_main_hook(L, main);
  lua_pushcfunction(L, nothing);
  lua_call(L, 0, 0);
}
