/* poller.c - one pollable descriptor over many sockets.
 *
 * On Linux the set is an epoll descriptor, which a host's event loop can watch
 * as one; an eventfd in it makes it readable at will. Elsewhere (and with
 * -DCPP_NO_EPOLL) the set is an array for poll(2) and has no descriptor.
 */
#define CPP_WITHOUT_LUA
#include "cpp.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#if CPP_EPOLL

#include <sys/epoll.h>
#include <sys/eventfd.h>

enum { BATCH = 64 };

/* A zeroed poller becomes an empty set. False: no descriptor or no memory, as
 * errno says. */
bool poller_open(struct poller *p) {
  struct epoll_event event = {.events = EPOLLIN};
  int why;
  p->set = epoll_create1(EPOLL_CLOEXEC);
  p->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  p->open = true;
  event.data.fd = p->wake;
  if (p->set >= 0 && p->wake >= 0 &&
      epoll_ctl(p->set, EPOLL_CTL_ADD, p->wake, &event) == 0)
    return true;
  why = errno;
  poller_close(p);
  errno = why;
  return false;
}

void poller_close(struct poller *p) {
  if (!p->open)
    return;
  if (p->set >= 0)
    close(p->set);
  if (p->wake >= 0)
    close(p->wake);
  seats_free(&p->seats);
  p->open = p->awake = false;
}

/* The descriptor of the set; -1: this poller has none. */
int poller_fd(const struct poller *p) { return p->open ? p->set : -1; }

static bool control(struct poller *p, int operation, int fd, int events) {
  struct epoll_event event = {0};
  event.data.fd = fd;
  event.events = (events & POLLER_IN ? EPOLLIN : 0u) |
                 (events & POLLER_OUT ? EPOLLOUT : 0u);
  return epoll_ctl(p->set, operation, fd, &event) == 0;
}

/* Out of memory or of watches: the failures that are to be told. A socket that
 * is closed already has left the set by itself. */
static bool is_scarcity(void) { return errno == ENOMEM || errno == ENOSPC; }

/* Has the set report a socket's events; none takes it out, which cannot fail.
 * libcurl before 8.2 closes a socket that still connects without a word, so
 * that what is known of a number may be wrong. */
static bool report(struct poller *p, int fd, int events, struct seat *seat) {
  bool known = seat && seat->reported;
  if (seat)
    seat->reported = (unsigned char)events;
  if (!events) {
    control(p, EPOLL_CTL_DEL, fd, 0);
    return true;
  }
  if (control(p, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, events))
    return true;
  if (errno == (known ? ENOENT : EEXIST) &&
      control(p, known ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, events))
    return true;
  if (seat)
    seat->reported = 0;
  return !is_scarcity();
}

/* A socket has been made. Where its number was that of one that was closed
 * without a word, libcurl takes its interest in that one for told. False: out
 * of memory, and then nothing is known of it. */
bool poller_opened(struct poller *p, int fd, const struct sockaddr *remote) {
  struct seat *seat = seat_make(&p->seats, fd);
  unsigned char wanted;
  if (!seat)
    return false;
  wanted = seat->wanted;
  seat_take(&p->seats, seat, remote);
  seat->wanted = wanted;
  return !wanted || report(p, fd, wanted, seat);
}

/* To be called before a socket is closed: a copy of it, in a forked child
 * perhaps, would stay in the set. */
void poller_closing(struct poller *p, int fd) {
  struct seat *seat = seat_of(&p->seats, fd);
  if (!seat)
    return;
  if (seat->reported)
    control(p, EPOLL_CTL_DEL, fd, 0);
  seat_leave(seat);
}

/* Forgets all sockets; to be called when all of them are closed. */
void poller_clear(struct poller *p) {
  for (size_t fd = 0; fd < p->seats.capacity; fd++)
    if (p->seats.by_fd[fd])
      poller_closing(p, (int)fd);
}

/* Sets the interest in a socket; 0 forgets it, which cannot fail. False: out of
 * memory or watches. libcurl loses interest in a connection at the end of an
 * exchange and gains it again with the next: to leave a socket whose close will
 * be told in the set meanwhile costs nothing, to take it out and put it back
 * 2 µs. One that is writable, as a socket is most of the time, is not left. */
bool poller_watch(struct poller *p, int fd, int events) {
  struct seat *seat =
      events ? seat_make(&p->seats, fd) : seat_of(&p->seats, fd);
  if (!seat)
    return !events;
  seat->wanted = (unsigned char)events;
  if (seat->kept &&
      (seat->reported == events || (!events && seat->reported == POLLER_IN)))
    return true;
  return report(p, fd, events, seat);
}

/* Whether what the set reports of a socket is wanted. One of which it is not
 * leaves the set. */
static bool is_wanted(struct poller *p, int fd) {
  struct seat *seat = seat_of(&p->seats, fd);
  if (seat && seat->wanted)
    return true;
  report(p, fd, 0, seat);
  return false;
}

/* Makes the set readable whatever its sockets do, or no longer so. */
void poller_wake(struct poller *p, bool awake) {
  eventfd_t count;
  if (!p->open || p->awake == awake)
    return;
  if (awake)
    eventfd_write(p->wake, 1);
  else
    eventfd_read(p->wake, &count);
  p->awake = awake;
}

static int ready_events(uint32_t events) {
  return (events & EPOLLIN ? POLLER_IN : 0) |
         (events & EPOLLOUT ? POLLER_OUT : 0) |
         (events & (EPOLLERR | EPOLLHUP) ? POLLER_ERROR : 0);
}

/* Waits at most `timeout` milliseconds (-1: for ever) and writes the sockets
 * that are ready; a poller that is not open has none. Returns how many; -1: a
 * signal interrupted the wait. */
int poller_wait(struct poller *p, struct ready *ready, int max, int timeout) {
  struct epoll_event events[BATCH];
  int found = 0, count;
  if (!p->open)
    return poll(NULL, 0, timeout);
  count = epoll_wait(p->set, events, max < BATCH ? max : BATCH, timeout);
  for (int i = 0; i < count; i++)
    if (events[i].data.fd != p->wake && is_wanted(p, events[i].data.fd)) {
      ready[found].fd = events[i].data.fd;
      ready[found++].events = ready_events(events[i].events);
    }
  return count < 0 ? -1 : found;
}

#else

bool poller_open(struct poller *p) {
  p->open = true;
  return true;
}

void poller_close(struct poller *p) {
  free(p->sockets);
  seats_free(&p->seats);
  memset(p, 0, sizeof *p);
}

int poller_fd(const struct poller *p) {
  (void)p;
  return -1;
}

bool poller_opened(struct poller *p, int fd, const struct sockaddr *remote) {
  struct seat *seat = seat_make(&p->seats, fd);
  if (seat)
    seat_take(&p->seats, seat, remote);
  return seat != NULL;
}

void poller_closing(struct poller *p, int fd) {
  struct seat *seat = seat_of(&p->seats, fd);
  poller_watch(p, fd, 0);
  if (seat)
    seat_leave(seat);
}

void poller_clear(struct poller *p) {
  p->count = 0;
  for (size_t fd = 0; fd < p->seats.capacity; fd++)
    if (p->seats.by_fd[fd])
      seat_leave(p->seats.by_fd[fd]);
}

static struct pollfd *find(struct poller *p, int fd) {
  for (size_t i = 0; i < p->count; i++)
    if (p->sockets[i].fd == fd)
      return &p->sockets[i];
  return NULL;
}

static struct pollfd *add(struct poller *p, int fd) {
  if (p->count == p->capacity) {
    size_t capacity = p->capacity ? p->capacity * 2 : 8;
    void *sockets = CPP_REALLOC(p->sockets, capacity * sizeof *p->sockets);
    if (!sockets)
      return NULL;
    p->sockets = sockets;
    p->capacity = capacity;
  }
  p->sockets[p->count].fd = fd;
  return &p->sockets[p->count++];
}

bool poller_watch(struct poller *p, int fd, int events) {
  struct pollfd *socket = find(p, fd);
  if (!events) {
    if (socket)
      *socket = p->sockets[--p->count];
    return true;
  }
  if (!socket)
    socket = add(p, fd);
  if (!socket)
    return false;
  socket->events = (short)((events & POLLER_IN ? POLLIN : 0) |
                           (events & POLLER_OUT ? POLLOUT : 0));
  return true;
}

void poller_wake(struct poller *p, bool awake) { p->awake = awake; }

static int ready_events(short events) {
  return (events & POLLIN ? POLLER_IN : 0) |
         (events & POLLOUT ? POLLER_OUT : 0) |
         (events & (POLLERR | POLLHUP | POLLNVAL) ? POLLER_ERROR : 0);
}

int poller_wait(struct poller *p, struct ready *ready, int max, int timeout) {
  int found = 0;
  int count = poll(p->sockets, (nfds_t)p->count, p->awake ? 0 : timeout);
  for (size_t i = 0; count > 0 && found < max && i < p->count; i++)
    if (p->sockets[i].revents) {
      ready[found].fd = p->sockets[i].fd;
      ready[found++].events = ready_events(p->sockets[i].revents);
    }
  return count < 0 ? -1 : found;
}

#endif
