/* seat.c - what is known of each socket, by its descriptor and its addresses.
 *
 * A seat outlives its socket: the next of the same number takes it. To find one
 * costs the same however many there are.
 */
#define CPP_WITHOUT_LUA
#include "cpp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

/* The seat of a descriptor, whether a socket takes it or not; NULL: none. */
struct seat *seat_of(const struct seats *s, int fd) {
  return fd >= 0 && (size_t)fd < s->capacity ? s->by_fd[fd] : NULL;
}

/* ---- lists: of newcomers, and one for each remainder of a local port ---- */

static void unlink_seat(struct seat *seat) {
  if (!seat->link)
    return;
  *seat->link = seat->next;
  if (seat->next)
    seat->next->link = seat->link;
  seat->link = NULL;
  seat->next = NULL;
}

static void link_seat(struct seat **list, struct seat *seat) {
  seat->next = *list;
  seat->link = list;
  if (seat->next)
    seat->next->link = &seat->next;
  *list = seat;
}

static struct seat **list_of(const struct seats *s, int local_port) {
  return &s->by_port[(size_t)local_port & (s->capacity - 1)];
}

/* ---- room ---- */

static bool grow_array(struct seat ***array, size_t from, size_t to) {
  struct seat **grown = CPP_REALLOC(*array, to * sizeof(struct seat *));
  if (!grown)
    return false;
  memset(grown + from, 0, (to - from) * sizeof(struct seat *));
  *array = grown;
  return true;
}

/* The lists by port, of which there are more, are made anew. */
static void link_all(struct seats *s) {
  memset(s->by_port, 0, s->capacity * sizeof(struct seat *));
  for (size_t fd = 0; fd < s->capacity; fd++)
    if (s->by_fd[fd] && s->by_fd[fd]->local_port)
      link_seat(list_of(s, s->by_fd[fd]->local_port), s->by_fd[fd]);
}

static bool reserve(struct seats *s, size_t capacity) {
  size_t from = s->capacity;
  if (!grow_array(&s->by_fd, from, capacity) ||
      !grow_array(&s->by_port, from, capacity))
    return false;
  s->capacity = capacity;
  link_all(s);
  return true;
}

/* The seat of a descriptor, made where there is none; NULL: out of memory. */
struct seat *seat_make(struct seats *s, int fd) {
  size_t capacity = s->capacity ? s->capacity : 64;
  struct seat *seat;
  if (fd < 0)
    return NULL;
  while (capacity <= (size_t)fd)
    capacity *= 2;
  if (capacity > s->capacity && !reserve(s, capacity))
    return NULL;
  if (s->by_fd[fd])
    return s->by_fd[fd];
  seat = CPP_REALLOC(NULL, sizeof *seat);
  if (!seat)
    return NULL;
  memset(seat, 0, sizeof *seat);
  seat->fd = fd;
  s->by_fd[fd] = seat;
  return seat;
}

void seats_free(struct seats *s) {
  for (size_t fd = 0; fd < s->capacity; fd++)
    free(s->by_fd[fd]);
  free(s->by_fd);
  free(s->by_port);
  memset(s, 0, sizeof *s);
}

/* ---- sockets that come and go ---- */

/* Writes an address as libcurl does; returns its port. */
static int write_address(const struct sockaddr *from, char text[]) {
  const struct sockaddr_in6 *six = (const void *)from;
  const struct sockaddr_in *four = (const void *)from;
  bool is_six = from->sa_family == AF_INET6;
  const void *address =
      is_six ? (const void *)&six->sin6_addr : (const void *)&four->sin_addr;
  text[0] = '\0';
  inet_ntop(from->sa_family, address, text, SEAT_ADDRESS);
  return ntohs(is_six ? six->sin6_port : four->sin_port);
}

/* Forgets all of a seat but whose it is. */
void seat_leave(struct seat *seat) {
  int fd = seat->fd;
  unlink_seat(seat);
  memset(seat, 0, sizeof *seat);
  seat->fd = fd;
}

/* A socket that is to connect to `remote` takes its seat. */
void seat_take(struct seats *s, struct seat *seat,
               const struct sockaddr *remote) {
  seat_leave(seat);
  seat->serial = ++s->serial;
  seat->remote_port = write_address(remote, seat->remote);
  link_seat(&s->newcomers, seat);
}

static bool name_of(int fd, struct sockaddr_storage *address) {
  socklen_t size = sizeof *address;
  memset(address, 0, sizeof *address);
  return getsockname(fd, (void *)address, &size) == 0 &&
         (address->ss_family == AF_INET || address->ss_family == AF_INET6);
}

/* Puts a newcomer that has begun to connect, and so has a local port, into its
 * list. Where its number is no such socket any more it is in none. */
static void settle(struct seats *s, struct seat *seat) {
  struct sockaddr_storage address;
  bool known = name_of(seat->fd, &address);
  if (known) {
    seat->local_port = write_address((void *)&address, seat->local);
    if (!seat->local_port)
      return;
  }
  unlink_seat(seat);
  if (known)
    link_seat(list_of(s, seat->local_port), seat);
}

static bool is_between(const struct seat *seat, const char *local,
                       int local_port, const char *remote, int remote_port) {
  return seat->local_port == local_port && seat->remote_port == remote_port &&
         strcmp(seat->local, local) == 0 && strcmp(seat->remote, remote) == 0;
}

/* Of two the newer one: the other's socket was closed without a word. */
static struct seat *look_up(const struct seats *s, const char *local,
                            int local_port, const char *remote,
                            int remote_port) {
  struct seat *found = NULL;
  for (struct seat *seat = *list_of(s, local_port); seat; seat = seat->next)
    if (is_between(seat, local, local_port, remote, remote_port) &&
        (!found || seat->serial > found->serial))
      found = seat;
  return found;
}

/* The seat of the socket between two addresses; NULL: not known. */
struct seat *seat_find(struct seats *s, const char *local, int local_port,
                       const char *remote, int remote_port) {
  struct seat *seat, *next;
  if (!s->capacity || local_port <= 0)
    return NULL;
  seat = look_up(s, local, local_port, remote, remote_port);
  if (seat)
    return seat;
  for (seat = s->newcomers; seat; seat = next) {
    next = seat->next;
    settle(s, seat);
  }
  return look_up(s, local, local_port, remote, remote_port);
}

/* Whether nothing has come, and no end, where nothing was asked for. While
 * other streams of an HTTP/2 connection are under way, nobody can tell. */
bool seat_is_quiet(const struct seat *seat) {
  char byte;
  if (!seat->spoken || (seat_is_shared(seat) && seat->busy > 0))
    return true;
  return recv(seat->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
         (errno == EAGAIN || errno == EWOULDBLOCK);
}

/* Whether it speaks HTTP/2. */
bool seat_is_shared(const struct seat *seat) { return seat->spoken == '2'; }

/* Has libcurl find the connection dead: it may take one with unread bytes for
 * alive, whatever comes behind them. */
void seat_ruin(const struct seat *seat) {
  char bytes[4096];
  ssize_t count = 1;
  shutdown(seat->fd, SHUT_RDWR);
  for (int i = 0; count > 0 && i < 256; i++)
    count = recv(seat->fd, bytes, sizeof bytes, MSG_DONTWAIT);
}
