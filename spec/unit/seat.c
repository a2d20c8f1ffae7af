/* seat.c - unit program of csrc/seat.c: what is known of sockets. */
#define CPP_WITHOUT_LUA
#include "cpp.h"
#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

enum { MANY = 200 };

/* A loopback connection: the client's end and the server's. */
struct pair {
  int near, far;
  struct sockaddr_in local, remote;
};

static int listener = -1;
static struct sockaddr_in address;

static void start_listening(void) {
  socklen_t size = sizeof address;
  listener = socket(AF_INET, SOCK_STREAM, 0);
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  CHECK(bind(listener, (void *)&address, sizeof address) == 0);
  CHECK(listen(listener, MANY) == 0);
  CHECK(getsockname(listener, (void *)&address, &size) == 0);
}

static struct pair start_connecting(struct seats *s) {
  struct pair pair = {.remote = address};
  pair.near = socket(AF_INET, SOCK_STREAM, 0);
  seat_take(s, seat_make(s, pair.near), (void *)&pair.remote);
  return pair;
}

static void connect_pair(struct pair *pair) {
  socklen_t size = sizeof pair->local;
  if (connect(pair->near, (void *)&pair->remote, sizeof pair->remote) != 0)
    CHECK(!"a connection");
  getsockname(pair->near, (void *)&pair->local, &size);
  pair->far = accept(listener, NULL, NULL);
}

static void part(struct pair *pair) {
  close(pair->near);
  close(pair->far);
}

static struct seat *find(struct seats *s, const struct pair *pair) {
  return seat_find(s, "127.0.0.1", ntohs(pair->local.sin_port), "127.0.0.1",
                   ntohs(pair->remote.sin_port));
}

static void test_finding(void) {
  static struct pair pairs[MANY];
  struct seats s = {0};
  bool found = true;
  CHECK(!seat_of(&s, 0) && !seat_of(&s, -1) && !seat_make(&s, -1));
  CHECK(!seat_find(&s, "127.0.0.1", 1, "127.0.0.1", 1));
  for (int i = 0; i < MANY; i++)
    pairs[i] = start_connecting(&s);
  for (int i = 0; i < MANY; i += 2)
    connect_pair(&pairs[i]);
  for (int i = 0; i < MANY; i += 2)
    found = found && find(&s, &pairs[i]) == seat_of(&s, pairs[i].near);
  for (int i = 1; i < MANY; i += 2)
    connect_pair(&pairs[i]);
  for (int i = 0; i < MANY; i++)
    found = found && find(&s, &pairs[i]) == seat_of(&s, pairs[i].near);
  CHECK(found && !s.newcomers && s.capacity >= MANY);
  CHECK(!seat_find(&s, "127.0.0.2", ntohs(pairs[0].local.sin_port), "127.0.0.1",
                   ntohs(pairs[0].remote.sin_port)));
  seat_leave(seat_of(&s, pairs[0].near));
  CHECK(!find(&s, &pairs[0]) && find(&s, &pairs[1]));
  for (int i = 0; i < MANY; i++)
    part(&pairs[i]);
  seats_free(&s);
}

static void test_six(void) {
  struct seats s = {0};
  struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(443)};
  six.sin6_addr = in6addr_loopback;
  seat_take(&s, seat_make(&s, 70), (void *)&six);
  CHECK(strcmp(seat_of(&s, 70)->remote, "::1") == 0);
  CHECK(seat_of(&s, 70)->remote_port == 443 && seat_of(&s, 70)->serial == 1);
  seats_free(&s);
}

/* One that was closed without a word may lie between the same addresses, or
 * its number may be no socket any more. */
static void test_closed_unheard(void) {
  struct seats s = {0};
  struct pair first = start_connecting(&s), second = start_connecting(&s);
  struct seat *older = seat_of(&s, first.near);
  connect_pair(&first);
  connect_pair(&second);
  CHECK(find(&s, &first) == older && find(&s, &second));
  seat_of(&s, second.near)->local_port = older->local_port;
  CHECK(find(&s, &first) == older);
  part(&first);
  part(&second);
  first = start_connecting(&s);
  CHECK(first.near == older->fd && older->serial == 3 && !older->local_port);
  close(first.near);
  CHECK(!seat_find(&s, "127.0.0.1", 1, "127.0.0.1", 1) && !s.newcomers);
  seats_free(&s);
}

static void test_quiet(void) {
  struct seats s = {0};
  struct pair pair = start_connecting(&s);
  struct seat *seat = seat_of(&s, pair.near);
  char byte;
  connect_pair(&pair);
  CHECK(write(pair.far, "x", 1) == 1 && seat_is_quiet(seat));
  seat->spoken = '1';
  seat->busy = 1;
  CHECK(!seat_is_shared(seat) && !seat_is_quiet(seat));
  CHECK(read(pair.near, &byte, 1) == 1 && seat_is_quiet(seat));
  seat->spoken = '2';
  CHECK(write(pair.far, "x", 1) == 1);
  CHECK(seat_is_shared(seat) && seat_is_quiet(seat));
  seat->busy = 0;
  CHECK(!seat_is_quiet(seat));
  seat_ruin(seat);
  CHECK(recv(pair.near, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0);
  CHECK(!seat_is_quiet(seat));
  part(&pair);
  seats_free(&s);
}

int main(void) {
  start_listening();
  test_finding();
  test_six();
  test_closed_unheard();
  test_quiet();
  close(listener);
  return report();
}
