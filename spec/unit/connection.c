/* connection.c - unit program of csrc/connection.c: the sockets that libcurl is
 * given, and which of them a request may leave on. */
#include "cpp.h"
#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* A call that has been given to libcurl. */
struct world {
  int far; /* the server's end of its connection */
  struct client client;
  struct settings settings;
  struct request request;
  struct transfer transfer;
};

static int listener = -1;
static struct curl_sockaddr server = {
    AF_INET, SOCK_STREAM, 0, sizeof(struct sockaddr_in), {0}};

static void start_listening(void) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  socklen_t size = sizeof address;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  listener = socket(AF_INET, SOCK_STREAM, 0);
  CHECK(bind(listener, (void *)&address, sizeof address) == 0);
  CHECK(listen(listener, 8) == 0);
  CHECK(getsockname(listener, (void *)&address, &size) == 0);
  memcpy(&server.addr, &address, sizeof address);
}

static void set_up(struct world *w) {
  memset(w, 0, sizeof *w);
  w->far = -1;
  w->settings.start_by = HUGE_VAL;
  w->request.client = &w->client;
  w->request.settings = &w->settings;
  w->request.transfer = &w->transfer;
  w->transfer.request = &w->request;
  CHECK(poller_open(&w->client.poller));
  w->request.host = host_of(&w->client, "http://127.0.0.1");
  host_enqueue(&w->request);
  host_add(&w->request);
}

static void tear_down(struct world *w) {
  close(w->far);
  connection_leave(&w->transfer);
  host_depart(&w->request);
  hosts_free(&w->client);
  poller_close(&w->client.poller);
}

static int connect_socket(struct world *w) {
  int fd = connection_open(&w->transfer, CURLSOCKTYPE_IPCXN, &server);
  CHECK(fd >= 0 && connect(fd, &server.addr, server.addrlen) == 0);
  w->far = accept(listener, NULL, NULL);
  CHECK(w->far >= 0);
  return fd;
}

static int begin(struct world *w, int fd) {
  char host[] = "127.0.0.1";
  struct sockaddr_in local, remote;
  socklen_t size = sizeof local;
  getsockname(fd, (void *)&local, &size);
  memcpy(&remote, &server.addr, sizeof remote);
  return connection_on_start(&w->transfer, host, host, ntohs(remote.sin_port),
                             ntohs(local.sin_port));
}

static unsigned user_timeout(int fd) {
  unsigned milliseconds = 0;
#ifdef TCP_USER_TIMEOUT
  socklen_t size = sizeof milliseconds;
  getsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &milliseconds, &size);
#endif
  return milliseconds;
}

/* The kernel's time limit for what was sent would end connecting, too. */
static void test_time_limit(void) {
  struct world w;
  int fd;
  set_up(&w);
  fd = connect_socket(&w);
  CHECK(user_timeout(fd) == 0);
  CHECK(begin(&w, fd) == CURL_PREREQFUNC_OK && w.request.place == STARTED);
  CHECK(user_timeout(fd) == 20000);
  CHECK(w.transfer.seat == seat_of(&w.client.poller.seats, fd));
  CHECK(w.transfer.seat->busy == 1 && w.transfer.answer.starts == 1);
  connection_leave(&w.transfer);
  CHECK(!w.transfer.seat && seat_of(&w.client.poller.seats, fd)->busy == 0);
  CHECK(connection_close(&w.client, fd) == 0);
  tear_down(&w);
}

static enum stopped stopped_at(struct world *w, int fd) {
  w->transfer.answer.stopped = STOPPED_NOT;
  w->transfer.answer.starts = 0;
  CHECK((begin(w, fd) == CURL_PREREQFUNC_OK) ==
        (w->transfer.answer.stopped == STOPPED_NOT));
  return w->transfer.answer.stopped;
}

static void test_fitness(void) {
  struct world w;
  int fd;
  set_up(&w);
  fd = connect_socket(&w);
  CHECK(stopped_at(&w, listener) == STOPPED_UNFIT); /* not known */
  CHECK(stopped_at(&w, fd) == STOPPED_NOT);
  *w.transfer.answer.spoken = '1';
  CHECK(stopped_at(&w, fd) == STOPPED_NOT);
  w.transfer.answer.post = true;
  CHECK(stopped_at(&w, fd) == STOPPED_UNFIT);
  w.transfer.apart = true;
  CHECK(stopped_at(&w, fd) == STOPPED_NOT && w.request.host->spoken == '1');
  w.transfer.apart = w.transfer.answer.post = false;
  CHECK(write(w.far, "x", 1) == 1 && stopped_at(&w, fd) == STOPPED_UNFIT);
  CHECK(stopped_at(&w, fd) == STOPPED_UNFIT); /* it has ended */
  CHECK(w.request.place == STARTED && w.request.host->flying == 1);
  connection_close(&w.client, fd);
  tear_down(&w);
}

static void test_start(void) {
  struct world w;
  int fd;
  set_up(&w);
  fd = connect_socket(&w);
  w.settings.start_by = process_clock() - 1;
  CHECK(stopped_at(&w, fd) == STOPPED_LATE && !w.transfer.seat);
  CHECK(w.request.place == ADDED && w.request.host->unstarted == 1);
  w.settings.start_by = process_clock() + 100;
  w.transfer.answer.post = true;
  CHECK(stopped_at(&w, fd) == STOPPED_NOT);
  w.settings.start_by = 0; /* it has left in time */
  CHECK(begin(&w, fd) == CURL_PREREQFUNC_ABORT);
  CHECK(w.transfer.answer.stopped == STOPPED_SECOND_POST);
  connection_close(&w.client, fd);
  tear_down(&w);
}

/* Two at once on a connection that has not answered: that is HTTP/2. */
static void test_shared(void) {
  static struct world w, other;
  int fd;
  set_up(&w);
  other = w;
  other.request.client = &w.client;
  other.request.transfer = &other.transfer;
  other.transfer.request = &other.request;
  other.request.settings = &other.settings;
  other.request.place = NOWHERE;
  host_enqueue(&other.request);
  host_add(&other.request);
  fd = connect_socket(&w);
  CHECK(begin(&w, fd) == CURL_PREREQFUNC_OK && !w.request.host->spoken);
  CHECK(begin(&other, fd) == CURL_PREREQFUNC_OK);
  CHECK(w.request.host->spoken == '2' && w.transfer.seat->busy == 2);
  connection_leave(&other.transfer);
  host_depart(&other.request);
  connection_close(&w.client, fd);
  tear_down(&w);
}

/* What came for an exchange before it on the same connection does not count. */
static void test_received(void) {
  struct world w;
  char bytes[9];
  int fd;
  set_up(&w);
  fd = connect_socket(&w);
  CHECK(begin(&w, fd) == CURL_PREREQFUNC_OK && write(w.far, "earlier", 7) == 7);
  *w.transfer.answer.spoken = '1';
  CHECK(recv(fd, bytes, sizeof bytes, 0) == 7);
  connection_leave(&w.transfer);
  CHECK(begin(&w, fd) == CURL_PREREQFUNC_OK && write(w.far, "its", 3) == 3);
  CHECK(recv(fd, bytes, sizeof bytes, 0) == 3);
  connection_close(&w.client, fd);
#ifdef __linux__
  CHECK(w.transfer.received == 3);
#endif
  tear_down(&w);
}

static void test_no_descriptors(void) {
  struct world w;
  struct rlimit limit, none;
  int fd;
  set_up(&w);
  getrlimit(RLIMIT_NOFILE, &limit);
  none = limit;
  none.rlim_cur = 3;
  setrlimit(RLIMIT_NOFILE, &none);
  CHECK(connection_open(&w.transfer, CURLSOCKTYPE_IPCXN, &server) < 0);
  setrlimit(RLIMIT_NOFILE, &limit);
  CHECK(w.request.error == EMFILE);
  fd = connect_socket(&w); /* another address has one */
  CHECK(begin(&w, fd) == CURL_PREREQFUNC_OK && w.request.error == 0);
  connection_close(&w.client, fd);
  tear_down(&w);
}

int main(void) {
  start_listening();
  test_time_limit();
  test_fitness();
  test_start();
  test_shared();
  test_received();
  test_no_descriptors();
  close(listener);
  return report();
}
