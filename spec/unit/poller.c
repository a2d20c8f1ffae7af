/* poller.c - unit program of csrc/poller.c as it is built here: on Linux, with
 * a descriptor of its own. */
#define CPP_WITHOUT_LUA
#include "poller_cases.h"

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
  CHECK(poller_open(&p) && !poller_watch(&p, 999999, POLLER_IN));
  poller_close(&p);
}

#else

static void test_descriptor(void) {}
static void test_no_resources(void) {}

#endif

int main(void) {
  test_all();
  test_descriptor();
  test_no_resources();
  return report();
}
