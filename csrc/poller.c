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

/* Of a kept socket: what the set reports of it in the low bits, what is wanted
 * above them. libcurl loses interest in a connection at the end of an exchange
 * and gains it again with the next: to leave the socket in the set meanwhile
 * costs nothing, to take it out and put it back 2 µs. */
enum { WANTED = 2, KEPT = 16, INTEREST = POLLER_IN | POLLER_OUT };

/* A zeroed poller becomes an empty set. False: no descriptor or no memory. */
bool poller_open(struct poller *p) {
  struct epoll_event event = {.events = EPOLLIN};
  p->set = epoll_create1(EPOLL_CLOEXEC);
  p->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  p->open = true;
  event.data.fd = p->wake;
  if (p->set >= 0 && p->wake >= 0 &&
      epoll_ctl(p->set, EPOLL_CTL_ADD, p->wake, &event) == 0)
    return true;
  poller_close(p);
  return false;
}

void poller_close(struct poller *p) {
  if (!p->open)
    return;
  if (p->set >= 0)
    close(p->set);
  if (p->wake >= 0)
    close(p->wake);
  free(p->kept);
  p->kept = NULL;
  p->capacity = 0;
  p->open = false;
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

/* What is known of a kept socket; NULL: it is not one. */
static unsigned char *kept(const struct poller *p, int fd) {
  if ((size_t)fd >= p->capacity || !(p->kept[fd] & KEPT))
    return NULL;
  return &p->kept[fd];
}

/* Says that a new socket is never closed without poller_forget: interest in it
 * may outlast what was asked for. Without memory it just does not. */
void poller_keep(struct poller *p, int fd) {
  size_t capacity = p->capacity ? p->capacity : 64;
  unsigned char *known = p->kept;
  if (fd < 0)
    return;
  while (capacity <= (size_t)fd)
    capacity *= 2;
  if (capacity > p->capacity) {
    known = CPP_REALLOC(known, capacity);
    if (!known)
      return;
    memset(known + p->capacity, 0, capacity - p->capacity);
    p->kept = known;
    p->capacity = capacity;
  }
  known[fd] = KEPT;
}

/* To be called before a kept socket is closed: a copy of it, in a forked child
 * perhaps, would stay in the set. */
void poller_forget(struct poller *p, int fd) {
  unsigned char *known = kept(p, fd);
  if (!known)
    return;
  if (*known & INTEREST)
    control(p, EPOLL_CTL_DEL, fd, 0);
  *known = 0;
}

static bool watch_kept(struct poller *p, int fd, int events,
                       unsigned char *known) {
  int reported = *known & INTEREST;
  *known = (unsigned char)(KEPT | events << WANTED | reported);
  /* A socket is writable most of the time: that must not be left. */
  if (reported == events || (!events && reported == POLLER_IN))
    return true;
  if (!control(p,
               !reported ? EPOLL_CTL_ADD
               : events  ? EPOLL_CTL_MOD
                         : EPOLL_CTL_DEL,
               fd, events))
    return false;
  *known = (unsigned char)(KEPT | events << WANTED | events);
  return true;
}

/* Sets the interest in a socket; 0 forgets it. False: out of resources. */
bool poller_watch(struct poller *p, int fd, int events) {
  unsigned char *known = kept(p, fd);
  if (known)
    return watch_kept(p, fd, events, known);
  if (!events) {
    /* A socket that is closed already has left the set by itself. */
    control(p, EPOLL_CTL_DEL, fd, 0);
    return true;
  }
  return control(p, EPOLL_CTL_ADD, fd, events) ||
         (errno == EEXIST && control(p, EPOLL_CTL_MOD, fd, events));
}

/* Whether what the set reports of a socket is wanted. A kept one of which it is
 * not leaves the set. */
static bool is_wanted(struct poller *p, int fd) {
  unsigned char *known = kept(p, fd);
  if (!known || *known >> WANTED & INTEREST)
    return true;
  control(p, EPOLL_CTL_DEL, fd, 0);
  *known = KEPT;
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
  memset(p, 0, sizeof *p);
}

int poller_fd(const struct poller *p) {
  (void)p;
  return -1;
}

void poller_keep(struct poller *p, int fd) { (void)p, (void)fd; }

void poller_forget(struct poller *p, int fd) { (void)p, (void)fd; }

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
