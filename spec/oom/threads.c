/* threads.c - a program that runs a Lua script in two states on two threads at
 * once: threads SCRIPT ARGUMENT. The script is called with the argument and
 * returns how many checks passed and how many failed. Built with
 * ThreadSanitizer, which ends a program with races with a status of its own.
 */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREADS = 2 };

int luaopen_cpp(lua_State *L);

struct job {
  char *script, *argument;
  lua_Integer passed, failed;
};

static int run_script(lua_State *L) {
  struct job *job = lua_touserdata(L, 1);
  luaL_openlibs(L);
  luaL_requiref(L, "cpp", luaopen_cpp, 0);
  if (luaL_loadfile(L, job->script) != LUA_OK)
    return lua_error(L);
  lua_pushstring(L, job->argument);
  lua_call(L, 1, 2);
  job->passed = luaL_checkinteger(L, -2);
  job->failed = luaL_checkinteger(L, -1);
  return 0;
}

static void *run(void *argument) {
  struct job *job = argument;
  lua_State *L = luaL_newstate();
  job->failed = 1;
  if (!L)
    return NULL;
  lua_pushcfunction(L, run_script);
  lua_pushlightuserdata(L, job);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK)
    printf("%s\n", lua_tostring(L, -1));
  lua_close(L);
  return NULL;
}

int main(int count, char **arguments) {
  pthread_t threads[THREADS];
  struct job jobs[THREADS] = {{0}};
  lua_Integer passed = 0, failed = 0;
  if (count != 3)
    return EXIT_FAILURE;
  for (int i = 0; i < THREADS; i++) {
    jobs[i].script = arguments[1];
    jobs[i].argument = arguments[2];
    if (pthread_create(&threads[i], NULL, run, &jobs[i]) != 0)
      return EXIT_FAILURE;
  }
  for (int i = 0; i < THREADS; i++) {
    pthread_join(threads[i], NULL);
    passed += jobs[i].passed;
    failed += jobs[i].failed;
  }
  printf("%d passed, %d failed\n", (int)passed, (int)failed);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
