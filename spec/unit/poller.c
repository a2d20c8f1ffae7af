/* poller.c - unit program of csrc/poller.c as it is built here: on Linux, with
 * a descriptor of its own. */
#define CPP_WITHOUT_LUA
#include "poller_cases.h"

#include <netinet/in.h>

#if CPP_EPOLL

static bool readable(int fd) {
  struct pollfd look_at = {fd, POLLIN, 0};
  return poll(&look_at, 1, 0) == 1;
}

static void test_descriptor(void) {
  struct poller p = {0};
  int ends[2], fd;
  join(ends);
  poller_open(&p);
  fd = poller_fd(&p);
  CHECK(fd >= 0 && !readable(fd));
  poller_watch(&p, ends[0], POLLER_OUT);
  CHECK(readable(fd));
  poller_watch(&p, ends[0], 0);
  CHECK(!readable(fd));
  poller_wake(&p, true);
  CHECK(readable(fd));
  poller_wake(&p, false);
  CHECK(!readable(fd) && poller_fd(&p) == fd);
  CHECK(fcntl(p.set, F_GETFD) == FD_CLOEXEC);
  CHECK(fcntl(p.wake, F_GETFD) == FD_CLOEXEC);
  poller_close(&p);
  CHECK(fcntl(fd, F_GETFD) == -1 && fcntl(p.wake, F_GETFD) == -1);
  part(ends);
}

/* A socket has been made, and a request has gone out on it. */
static void open_kept(struct poller *p, int fd) {
  struct sockaddr_in remote = {.sin_family = AF_INET};
  CHECK(poller_opened(p, fd, (void *)&remote));
  seat_of(&p->seats, fd)->kept = true;
}

/* The interest in a kept socket may outlast what is asked for, unseen. */
static void test_kept(void) {
  struct poller p = {0};
  int ends[2], fd;
  join(ends);
  poller_open(&p);
  fd = poller_fd(&p);
  open_kept(&p, ends[0]);
  CHECK(poller_watch(&p, ends[0], POLLER_IN) && look(&p, ends[0]) == 0);
  CHECK(poller_watch(&p, ends[0], 0));
  CHECK(write(ends[1], "x", 1) == 1);
  CHECK(look(&p, ends[0]) == 0 && !readable(fd));
  CHECK(poller_watch(&p, ends[0], POLLER_IN));
  CHECK(look(&p, ends[0]) == POLLER_IN);
  CHECK(poller_watch(&p, ends[0], 0) && poller_watch(&p, ends[0], POLLER_IN));
  CHECK(look(&p, ends[0]) == POLLER_IN);
  CHECK(poller_watch(&p, ends[0], POLLER_IN | POLLER_OUT));
  CHECK(look(&p, ends[0]) == (POLLER_IN | POLLER_OUT));
  CHECK(poller_watch(&p, ends[0], POLLER_OUT));
  CHECK(look(&p, ends[0]) == POLLER_OUT);
  CHECK(poller_watch(&p, ends[0], 0) && !readable(fd));
  CHECK(poller_watch(&p, ends[0], POLLER_IN));
  CHECK(look(&p, ends[0]) == POLLER_IN);
  poller_close(&p);
  part(ends);
}

/* Closed, its number is another's, though a copy of it lives on. */
static void test_kept_end(void) {
  struct poller p = {0};
  int first[2], second[2], copy;
  join(first);
  poller_open(&p);
  open_kept(&p, first[0]);
  poller_watch(&p, first[0], POLLER_IN);
  poller_watch(&p, first[0], 0);
  copy = dup(first[0]);
  poller_closing(&p, first[0]);
  part(first);
  CHECK(!readable(poller_fd(&p)));
  join(second);
  CHECK(second[0] == first[0]);
  open_kept(&p, second[0]);
  CHECK(poller_watch(&p, second[0], POLLER_IN) && look(&p, second[0]) == 0);
  CHECK(write(second[1], "x", 1) == 1);
  CHECK(look(&p, second[0]) == POLLER_IN);
  poller_closing(&p, second[0]);
  poller_closing(&p, 999999);
  open_kept(&p, 3000);
  poller_clear(&p);
  CHECK(!readable(poller_fd(&p)));
  poller_close(&p);
  part(second);
  close(copy);
}

static void test_no_resources(void) {
  struct poller p = {0};
  struct rlimit limit, none;
  int next = dup(0);
  close(next);
  getrlimit(RLIMIT_NOFILE, &limit);
  for (rlim_t left = 0; left < 2; left++) {
    none = limit;
    none.rlim_cur = (rlim_t)next + left;
    setrlimit(RLIMIT_NOFILE, &none);
    CHECK(!poller_open(&p) && !p.open);
    setrlimit(RLIMIT_NOFILE, &limit);
    CHECK(fcntl(next, F_GETFD) == -1);
  }
}

/* libcurl before 8.2 closes a socket that still connects without a word, and
 * takes its interest in the number for told when it comes again. */
static void test_closed_unheard(void) {
  struct poller p = {0};
  struct sockaddr_in remote = {.sin_family = AF_INET};
  int first[2], second[2];
  join(first);
  poller_open(&p);
  CHECK(poller_opened(&p, first[0], (void *)&remote));
  CHECK(poller_watch(&p, first[0], POLLER_OUT));
  part(first);
  join(second);
  CHECK(second[0] == first[0]);
  CHECK(poller_opened(&p, second[0], (void *)&remote));
  CHECK(look(&p, second[0]) == POLLER_OUT);
  part(second);
  CHECK(poller_watch(&p, second[0], 0));
  join(second); /* a resolver's, which nobody announces */
  CHECK(poller_watch(&p, second[0], POLLER_OUT));
  CHECK(look(&p, second[0]) == POLLER_OUT);
  part(second);
  join(second);
  CHECK(poller_watch(&p, second[0], POLLER_IN | POLLER_OUT));
  CHECK(look(&p, second[0]) == POLLER_OUT);
  poller_clear(&p);
  CHECK(!readable(poller_fd(&p)) && look(&p, second[0]) == 0);
  poller_close(&p);
  part(second);
}

#else

static void test_descriptor(void) {}
static void test_kept(void) {}
static void test_kept_end(void) {}
static void test_no_resources(void) {}
static void test_closed_unheard(void) {}

#endif

int main(void) {
  test_all();
  test_descriptor();
  test_kept();
  test_kept_end();
  test_no_resources();
  test_closed_unheard();
  return report();
}
