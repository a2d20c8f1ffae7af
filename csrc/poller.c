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
  p->open = false;
}

/* The descriptor of the set; -1: this poller has none. */
int poller_fd(const struct poller *p) { return p->open ? p->set : -1; }

/* Sets the interest in a socket; 0 forgets it. False: out of resources. */
bool poller_watch(struct poller *p, int fd, int events) {
  struct epoll_event event = {0};
  event.data.fd = fd;
  event.events = (events & POLLER_IN ? EPOLLIN : 0u) |
                 (events & POLLER_OUT ? EPOLLOUT : 0u);
  if (!events) {
    /* A socket that is closed already has left the set by itself. */
    epoll_ctl(p->set, EPOLL_CTL_DEL, fd, &event);
    return true;
  }
  /* libcurl forgets the socket of a kept connection between two exchanges. */
  return epoll_ctl(p->set, EPOLL_CTL_ADD, fd, &event) == 0 ||
         (errno == EEXIST && epoll_ctl(p->set, EPOLL_CTL_MOD, fd, &event) == 0);
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
    if (events[i].data.fd != p->wake) {
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
