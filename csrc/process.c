/* process.c - the clock and the id of this process. */
#define CPP_WITHOUT_LUA
#include "cpp.h"

#include <pthread.h>
#include <time.h>
#include <unistd.h>

/* Monotonic seconds. */
double process_clock(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The id of this process, which costs a system call at each look where it
 * cannot be kept up to date. */
static pid_t self;
static bool self_is_kept;

static void note_self(void) { self = getpid(); }

/* To be called once, before anything asks for the id. */
void process_init(void) {
  note_self();
  self_is_kept = pthread_atfork(NULL, NULL, note_self) == 0;
}

/* After a fork, that of the child. */
pid_t process_id(void) { return self_is_kept ? self : getpid(); }
