/* multi.c - what a bare curl_multi program makes of many operations: it polls
 * BENCH_OPERATIONS of them one after the other, BENCH_ROUNDS times after a
 * first one that is not counted, BENCH_FLIGHT at a time, with
 * curl_multi_socket_action over epoll. It keeps the number in flight itself and
 * sets libcurl no limit of connections.
 */
#include "program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

enum { BATCH = 64 };

struct engine {
  CURLM *multi;
  int set;      /* the epoll descriptor */
  long timeout; /* milliseconds, as libcurl wants it; -1: none */
  char **urls;  /* of all operations */
  long operations, next, total;
  int running;
};

/* CURLMOPT_SOCKETFUNCTION. `known` is not NULL once the socket is in the set.
 */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *user,
                     void *known) {
  struct engine *e = user;
  struct epoll_event event = {0};
  (void)easy;
  event.data.fd = fd;
  event.events = (what & CURL_POLL_IN ? EPOLLIN : 0u) |
                 (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
  if (what == CURL_POLL_REMOVE) {
    epoll_ctl(e->set, EPOLL_CTL_DEL, fd, &event);
    return 0;
  }
  epoll_ctl(e->set, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
  if (!known)
    curl_multi_assign(e->multi, fd, e);
  return 0;
}

/* CURLMOPT_TIMERFUNCTION. */
static int on_timer(CURLM *multi, long milliseconds, void *user) {
  struct engine *e = user;
  (void)multi;
  e->timeout = milliseconds;
  return 0;
}

/* Sends a handle to the next operation. The first round warms up. */
static void launch(struct engine *e, struct exchange *x) {
  if (e->next == e->operations)
    start_clock();
  exchange_prepare(x, e->urls[e->next++ % e->operations]);
  curl_multi_add_handle(e->multi, x->easy);
}

/* Takes what has ended and sends its handle to the next operation. */
static void reap(struct engine *e) {
  CURLMsg *message;
  int left;
  while ((message = curl_multi_info_read(e->multi, &left)) != NULL) {
    struct exchange *x;
    CURLcode code = message->data.result;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&x);
    curl_multi_remove_handle(e->multi, x->easy);
    exchange_check(x, code);
    if (e->next < e->total)
      launch(e, x);
    else
      e->running--;
  }
}

static int action_of(unsigned events) {
  return (events & EPOLLIN ? CURL_CSELECT_IN : 0) |
         (events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
         (events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
}

static void turn(struct engine *e) {
  struct epoll_event events[BATCH];
  int running, count = epoll_wait(e->set, events, BATCH, (int)e->timeout);
  if (count == 0 || e->timeout == 0)
    curl_multi_socket_action(e->multi, CURL_SOCKET_TIMEOUT, 0, &running);
  for (int i = 0; i < count; i++)
    curl_multi_socket_action(e->multi, events[i].data.fd,
                             action_of(events[i].events), &running);
  reap(e);
}

static void poll_all(struct engine *e, struct exchange *exchanges, int flight) {
  while (e->running < flight && e->next < e->total)
    launch(e, &exchanges[e->running++]);
  while (e->running > 0)
    turn(e);
}

/* The operation's number stands in its URL in place of twelve zeros. */
static char **make_urls(const char *url, long count) {
  char **urls = calloc((size_t)count, sizeof *urls);
  const char *place = strstr(url, "000000000000");
  for (long i = 0; urls && place && i < count; i++) {
    char digits[13];
    urls[i] = strdup(url);
    if (!urls[i])
      fail("no memory");
    snprintf(digits, sizeof digits, "%012ld", i % 1000000000);
    memcpy(urls[i] + (place - url), digits, 12);
  }
  if (!urls || !place)
    fail("BENCH_URL has no place for a number");
  return urls;
}

static void open_engine(struct engine *e) {
  e->set = epoll_create1(EPOLL_CLOEXEC);
  e->multi = curl_multi_init();
  if (e->set < 0 || !e->multi)
    fail("no engine");
  e->timeout = -1;
  curl_multi_setopt(e->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
  curl_multi_setopt(e->multi, CURLMOPT_SOCKETDATA, e);
  curl_multi_setopt(e->multi, CURLMOPT_TIMERFUNCTION, on_timer);
  curl_multi_setopt(e->multi, CURLMOPT_TIMERDATA, e);
}

int main(void) {
  long rounds = number_setting("BENCH_ROUNDS", 1);
  int flight = (int)number_setting("BENCH_FLIGHT", 64);
  struct engine e = {0};
  struct exchange *exchanges = calloc((size_t)flight, sizeof *exchanges);
  e.operations = number_setting("BENCH_OPERATIONS", 1000);
  e.total = (1 + rounds) * e.operations;
  e.urls = make_urls(text_setting("BENCH_URL", ""), e.operations);
  curl_global_init(CURL_GLOBAL_DEFAULT);
  open_engine(&e);
  for (int i = 0; exchanges && i < flight; i++)
    exchange_open(&exchanges[i]);
  poll_all(&e, exchanges, flight);
  report(rounds * e.operations);
  for (int i = 0; i < flight; i++)
    exchange_close(&exchanges[i]);
  curl_multi_cleanup(e.multi);
  for (long i = 0; i < e.operations; i++)
    free(e.urls[i]);
  free(e.urls);
  free(exchanges);
  return 0;
}
