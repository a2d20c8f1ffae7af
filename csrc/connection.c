/* connection.c - which connection a request may leave on.
 *
 * An answer that was not made for a request must never be taken for its own.
 * Over HTTP/1.x nothing in the bytes tells them apart: a kept connection on
 * which anything happened is not used again, and a POST has a new one.
 */
#include "cpp.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <unistd.h>

/* The kernel's own header knows more of a connection than the C library's. */
#if defined(__linux__) && defined(__has_include)
#if __has_include(<linux/tcp.h>)
#include <linux/tcp.h>
#define KNOWS_BYTES 1
#endif
#endif
#ifndef KNOWS_BYTES
#include <netinet/tcp.h>
#endif

/* Milliseconds for which sent bytes may stay without acknowledgement. libcurl
 * keeps an HTTP/2 connection whose exchange timed out, and would send every
 * later one into it: where the network has changed, the kernel must end it. */
#define DEAD_AFTER 20000U

static int make_socket(const struct curl_sockaddr *address) {
#ifdef SOCK_CLOEXEC
  return socket(address->family, address->socktype | SOCK_CLOEXEC,
                address->protocol);
#else
  int fd = socket(address->family, address->socktype, address->protocol);
  if (fd >= 0)
    fcntl(fd, F_SETFD, FD_CLOEXEC);
  return fd;
#endif
}

/* CURLOPT_OPENSOCKETFUNCTION. What libcurl does not tell of a failure is noted
 * for the request. */
curl_socket_t connection_open(void *transfer, curlsocktype purpose,
                              struct curl_sockaddr *address) {
  struct transfer *t = transfer;
  struct request *r = t->request;
  int fd;
  (void)purpose;
  connection_leave(t);
  if (!answer_connect(&t->answer))
    return CURL_SOCKET_BAD;
  fd = make_socket(address);
  if (fd < 0) {
    r->error = errno;
    return CURL_SOCKET_BAD;
  }
#ifdef SO_NOSIGPIPE
  setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &(int){1}, sizeof(int));
#endif
  if (poller_opened(&r->client->poller, fd, &address->addr))
    return fd;
  poller_closing(&r->client->poller, fd);
  close(fd);
  r->error = ENOMEM;
  return CURL_SOCKET_BAD;
}

/* Bytes that have come on a connection; 0: not known. */
static size_t bytes_of(int fd) {
#ifdef KNOWS_BYTES
  struct tcp_info info = {0};
  socklen_t size = sizeof info;
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0)
    return (size_t)info.tcpi_bytes_received;
#endif
  (void)fd;
  return 0;
}

/* CURLOPT_CLOSESOCKETFUNCTION: a connection outlives the transfer that made it.
 */
int connection_close(void *client, curl_socket_t fd) {
  struct client *c = client;
  struct seat *seat = seat_of(&c->poller.seats, fd);
  if (seat && seat->received)
    *seat->received = bytes_of(fd) - seat->before;
  poller_closing(&c->poller, fd);
  return close(fd);
}

/* ---- the connection that a request is about to leave on ---- */

/* A connection that a request goes out on is published: it is closed through
 * our callback. The time limit for what was sent counts for connecting too, so
 * it is set here. */
static void keep(struct seat *seat) {
  if (seat->kept)
    return;
  seat->kept = true;
#ifdef TCP_USER_TIMEOUT
  setsockopt(seat->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &(unsigned){DEAD_AFTER},
             sizeof(unsigned));
#endif
}

/* Whether a request may leave on a connection. A late answer that crosses a
 * request on the wire cannot be told from its own, so over HTTP/1.x a POST has
 * a new connection; any other kept one must have been quiet. One that is not
 * known is no connection to trust. */
static bool is_fit(const struct transfer *t, const struct seat *seat) {
  if (t->apart)
    return true;
  if (!seat || (t->answer.post && seat->spoken && !seat_is_shared(seat)))
    return false;
  if (seat_is_quiet(seat))
    return true;
  seat_ruin(seat);
  return false;
}

static bool is_late(const struct transfer *t) {
  return t->answer.starts == 0 && isfinite(t->request->settings->start_by) &&
         process_clock() > t->request->settings->start_by;
}

/* The version of HTTP that a connection speaks; 0: not known. Where one that
 * has not answered serves more than one, it is HTTP/2. */
static char spoken_on(const struct seat *seat) {
  if (!seat)
    return '\0';
  if (!seat->spoken && seat->busy > 0)
    return '2';
  return seat->spoken;
}

static void sit(struct transfer *t, struct seat *seat) {
  keep(seat);
  seat->busy++;
  t->seat = seat;
  t->serial = seat->serial;
  t->answer.spoken = &seat->spoken;
  seat->received = &t->received;
  seat->before = seat->spoken ? bytes_of(seat->fd) : 0;
}

/* The exchange has ended, or turns to another connection. */
void connection_leave(struct transfer *t) {
  struct seat *seat = t->seat;
  t->seat = NULL;
  t->answer.spoken = NULL;
  if (!seat || seat->serial != t->serial)
    return;
  seat->busy--;
  if (seat->received == &t->received)
    seat->received = NULL;
  if (seat->spoken && t->request->host)
    t->request->host->spoken = seat->spoken;
}

/* CURLOPT_PREREQFUNCTION: the request is about to be sent. */
int connection_on_start(void *transfer, char *remote, char *local,
                        int remote_port, int local_port) {
  struct transfer *t = transfer;
  struct answer *a = &t->answer;
  struct seat *seat = seat_find(&t->request->client->poller.seats, local,
                                local_port, remote, remote_port);
  connection_leave(t);
  /* libcurl counts a handle's repeats over its whole life and gives up at the
   * sixth: one that has repeated serves no other exchange. */
  if (a->starts > 0)
    t->profile = 0;
  if (is_late(t))
    a->stopped = STOPPED_LATE;
  else if (!(a->post && a->starts > 0) && !is_fit(t, seat))
    a->stopped = STOPPED_UNFIT;
  if (a->stopped != STOPPED_NOT || !answer_start(a))
    return CURL_PREREQFUNC_ABORT;
  t->request->error = 0; /* what another address of the host lacked */
  host_start(t->request, spoken_on(seat));
  if (seat)
    sit(t, seat);
  return CURL_PREREQFUNC_OK;
}
