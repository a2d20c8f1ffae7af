/* poller_cases.h - what both builds of csrc/poller.c do, and what only one of
 * them can: the unit programs poller.c and poller_poll.c. */
#ifndef POLLER_CASES_H
#define POLLER_CASES_H

#include "cpp.h"
#include "unit.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { MANY = 150, FOREVER = 20000 }; /* milliseconds: bounded all the same */

/* Two ends of a connection. */
static void join(int ends[2]) {
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
    CHECK(!"a socket pair");
}

static void part(int ends[2]) {
  close(ends[0]);
  close(ends[1]);
}

/* The readiness of `fd` after a look; 0: it is not ready. */
static int look(struct poller *p, int fd) {
  struct ready ready[8];
  int count = poller_wait(p, ready, 8, 0);
  for (int i = 0; i < count; i++)
    if (ready[i].fd == fd)
      return ready[i].events;
  return 0;
}

static void test_readiness(void) {
  struct poller p = {0};
  struct ready ready[4];
  int ends[2];
  join(ends);
  CHECK(poller_open(&p) && p.open);
  CHECK(poller_wait(&p, ready, 4, 0) == 0);
  CHECK(poller_watch(&p, ends[0], POLLER_IN) && look(&p, ends[0]) == 0);
  CHECK(write(ends[1], "x", 1) == 1 && look(&p, ends[0]) == POLLER_IN);
  CHECK(look(&p, ends[0]) == POLLER_IN);
  CHECK(poller_wait(&p, ready, 4, FOREVER) == 1 && ready[0].fd == ends[0]);
  CHECK(poller_watch(&p, ends[0], POLLER_OUT));
  CHECK(look(&p, ends[0]) == POLLER_OUT);
  CHECK(poller_watch(&p, ends[0], POLLER_IN | POLLER_OUT));
  CHECK(look(&p, ends[0]) == (POLLER_IN | POLLER_OUT));
  CHECK(poller_watch(&p, ends[0], 0) && look(&p, ends[0]) == 0);
  CHECK(poller_watch(&p, ends[0], POLLER_IN) && look(&p, ends[0]) == POLLER_IN);
  poller_close(&p);
  part(ends);
}

static void test_hangup(void) {
  struct poller p = {0};
  int ends[2];
  join(ends);
  poller_open(&p);
  poller_watch(&p, ends[0], POLLER_IN);
  close(ends[1]);
  CHECK(look(&p, ends[0]) == (POLLER_IN | POLLER_ERROR));
  poller_close(&p);
  close(ends[0]);
}

/* libcurl may forget a socket that it has closed, or never told of. */
static void test_forgetting(void) {
  struct poller p = {0};
  int first[2], second[2];
  join(first);
  poller_open(&p);
  CHECK(poller_watch(&p, first[0], 0));
  poller_watch(&p, first[0], POLLER_OUT);
  part(first);
  CHECK(poller_watch(&p, first[0], 0));
  join(second);
  CHECK(second[0] == first[0] && poller_watch(&p, second[0], POLLER_OUT));
  CHECK(look(&p, second[0]) == POLLER_OUT);
  poller_close(&p);
  part(second);
}

static int set_up_many(struct poller *p, int ends[MANY][2]) {
  int watched = 0;
  poller_open(p);
  for (int i = 0; i < MANY; i++) {
    join(ends[i]);
    watched += poller_watch(p, ends[i][0], POLLER_IN);
  }
  return watched;
}

static void test_many(void) {
  static int ends[MANY][2];
  struct poller p = {0};
  struct ready ready[64];
  int seen = 0, count;
  CHECK(set_up_many(&p, ends) == MANY);
  for (int i = 0; i < MANY; i++)
    seen += write(ends[i][1], "x", 1) == 1;
  CHECK(seen == MANY && poller_wait(&p, ready, 1, 0) == 1);
  /* Each is told until it is not watched any more. */
  for (seen = 0; (count = poller_wait(&p, ready, 64, 0)) > 0; seen += count)
    for (int i = 0; i < count; i++)
      poller_watch(&p, ready[i].fd, 0);
  CHECK(seen == MANY && count == 0);
  poller_close(&p);
  for (int i = 0; i < MANY; i++)
    part(ends[i]);
}

static void test_wake(void) {
  struct poller p = {0};
  struct ready ready[4];
  int ends[2];
  join(ends);
  poller_wake(&p, true); /* not open yet: nothing to wake */
  poller_open(&p);
  poller_wake(&p, true);
  poller_wake(&p, true);
  CHECK(poller_wait(&p, ready, 4, FOREVER) == 0);
  poller_watch(&p, ends[0], POLLER_OUT);
  CHECK(look(&p, ends[0]) == POLLER_OUT);
  poller_wake(&p, false);
  poller_wake(&p, false);
  poller_watch(&p, ends[0], 0);
  CHECK(poller_wait(&p, ready, 4, 1) == 0 && !p.awake);
  poller_wake(&p, true);
  CHECK(poller_wait(&p, ready, 4, FOREVER) == 0);
  poller_close(&p);
  part(ends);
}

static void on_alarm(int number) { (void)number; }

/* The timer repeats: a signal just before the wait does not interrupt it. */
static void test_signal(void) {
  struct poller p = {0};
  struct ready ready[4];
  struct sigaction action;
  struct itimerval timer = {{0, 20000}, {0, 20000}}, off = {{0, 0}, {0, 0}};
  memset(&action, 0, sizeof action);
  action.sa_handler = on_alarm;
  sigaction(SIGALRM, &action, NULL);
  poller_open(&p);
  setitimer(ITIMER_REAL, &timer, NULL);
  CHECK(poller_wait(&p, ready, 4, FOREVER) == -1);
  setitimer(ITIMER_REAL, &off, NULL);
  poller_close(&p);
}

static void test_close(void) {
  struct poller p = {0};
  struct ready ready[4];
  poller_close(&p);
  poller_open(&p);
  poller_close(&p);
  CHECK(!p.open && poller_fd(&p) == -1);
  poller_close(&p);
  CHECK(poller_wait(&p, ready, 4, 1) == 0);
  CHECK(poller_open(&p) && p.open);
  poller_close(&p);
}

static void test_all(void) {
  test_readiness();
  test_hangup();
  test_forgetting();
  test_many();
  test_wake();
  test_signal();
  test_close();
}

#endif
