/* system.c - require "cpp.system": signals and the terminal, for the command.
 *
 * A library of its own, without libcurl, so that the command has it before
 * anything else of ours: cpp.so leaves its host's signals as they are. What is
 * caught is caught for the process, whatever Lua state asked for it.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* poll, sigaction, the terminal's size with -std=c99 */
#endif

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <lua.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

/* Milliseconds from which on poll may as well wait for ever. */
#define FOREVER 1e9

static volatile sig_atomic_t caught; /* the first signal; 0: none */
static struct timespec caught_at;    /* only the handler's */
static int wake[2] = {-1, -1};       /* readable from the first signal on */

/* Whether a second has passed between two times, or more. */
static bool is_later(const struct timespec *from, const struct timespec *to) {
  time_t borrowed = to->tv_nsec < from->tv_nsec;
  return to->tv_sec - from->tv_sec - borrowed >= 1;
}

/* The first signal is left to the program, which ends what is under way. One
 * that comes a second later or more finds it stuck. */
static void on_signal(int signal) {
  int kept = errno;
  struct timespec now = {0, 0};
  clock_gettime(CLOCK_MONOTONIC, &now);
  if (!caught) {
    caught = signal;
    caught_at = now;
    (void)!write(wake[1], "", 1);
  } else if (is_later(&caught_at, &now)) {
    _exit(128 + signal);
  }
  errno = kept;
}

/* The handler stays when the Lua state has gone, and so must the library. */
static void stay_loaded(void) {
#ifdef RTLD_NODELETE
  Dl_info self;
  if (dladdr(&caught_at, &self) && self.dli_fname)
    dlopen(self.dli_fname, RTLD_NOW | RTLD_NODELETE);
#endif
}

/* A standard descriptor that is closed would become the first thing that is
 * opened, and get the program's output. Reading from it ends at once, writing
 * fails. */
static void occupy_standard(void) {
  int fd;
  do
    fd = open("/dev/null", O_RDONLY);
  while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd >= 0)
    close(fd);
}

static bool open_wake(void) {
  if (wake[0] >= 0)
    return true;
  stay_loaded();
  occupy_standard();
  if (pipe(wake) != 0)
    return false;
  for (int i = 0; i < 2; i++)
    (void)fcntl(wake[i], F_SETFD, FD_CLOEXEC);
  return true;
}

/* Whether a signal was ignored when the program began. For SIGINT lua.c has set
 * an action of its own by now; a shell that starts a command in the background
 * has SIGQUIT ignored with it. */
static bool is_ignored(int signal) {
  struct sigaction action;
  return sigaction(signal == SIGINT ? SIGQUIT : signal, NULL, &action) == 0 &&
         action.sa_handler == SIG_IGN;
}

/* What is ignored stays so: a child of nohup is not to end. The calls that a
 * signal interrupts go on, but poll. */
static bool catch_one(int signal) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = is_ignored(signal) ? SIG_IGN : on_signal;
  action.sa_flags = SA_RESTART;
  sigfillset(&action.sa_mask);
  return sigaction(signal, &action, NULL) == 0;
}

/* catch() --> true | nil, message, errno
 *
 * From now on SIGINT, SIGTERM and SIGHUP are only noted; and nothing that is
 * opened is taken for standard input, output or errors. */
static int catch (lua_State *L) {
  bool good = open_wake() && catch_one(SIGINT) && catch_one(SIGTERM) &&
              catch_one(SIGHUP);
  return luaL_fileresult(L, good, NULL);
}

/* caught() --> the number of the first signal | nil */
static int get_caught(lua_State *L) {
  if (caught)
    lua_pushinteger(L, caught);
  else
    lua_pushnil(L);
  return 1;
}

/* wait(fd [, seconds])
 *
 * Returns when the descriptor can be read, when `seconds` have passed, or with
 * a signal, also one that came before. Early is harmless. */
static int wait_for(lua_State *L) {
  lua_Number seconds = luaL_optnumber(L, 2, FOREVER);
  double milliseconds = seconds > 0 ? seconds * 1000 + 1 : 0;
  struct pollfd watched[2] = {{(int)luaL_checkinteger(L, 1), POLLIN, 0},
                              {wake[0], POLLIN, 0}};
  (void)poll(watched, 2, milliseconds < FOREVER ? (int)milliseconds : -1);
  return 0;
}

/* size(fd) --> columns, rows | nil
 *
 * Of the terminal that a descriptor is; 0 where it does not know. */
static int size(lua_State *L) {
  int fd = (int)luaL_checkinteger(L, 1);
  struct winsize window = {0, 0, 0, 0};
  if (!isatty(fd))
    return 0;
  (void)ioctl(fd, TIOCGWINSZ, &window);
  lua_pushinteger(L, window.ws_col);
  lua_pushinteger(L, window.ws_row);
  return 2;
}

/* ignore_sigpipe() --> whether it is
 *
 * A write to a pipe that nobody reads any more fails from now on, where it
 * would have ended the process, whatever that had still to do. */
static int ignore_sigpipe(lua_State *L) {
  lua_pushboolean(L, signal(SIGPIPE, SIG_IGN) != SIG_ERR);
  return 1;
}

LUAMOD_API int luaopen_cpp_system(lua_State *L);

LUAMOD_API int luaopen_cpp_system(lua_State *L) {
  static const luaL_Reg functions[] = {{"catch", catch},
                                       {"caught", get_caught},
                                       {"wait", wait_for},
                                       {"size", size},
                                       {"ignore_sigpipe", ignore_sigpipe},
                                       {NULL, NULL}};
  luaL_newlib(L, functions);
  return 1;
}
