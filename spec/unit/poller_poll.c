/* poller_poll.c - unit program of csrc/poller.c as it is built where there is
 * no epoll: it waits with poll(2) and has no descriptor. */
#define CPP_NO_EPOLL
#include "../../csrc/poller.c"

#include "poller_cases.h"

static void test_no_descriptor(void) {
  struct poller p = {0};
  CHECK(poller_open(&p) && poller_fd(&p) == -1);
  poller_wake(&p, true);
  CHECK(p.awake && poller_fd(&p) == -1);
  poller_close(&p);
  CHECK(!p.sockets && !p.count && !p.capacity && !p.awake);
}

int main(void) {
  test_all();
  test_no_descriptor();
  return report();
}
