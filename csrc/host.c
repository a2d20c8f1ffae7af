/* host.c - which requests to an origin libcurl has, and which wait their turn.
 *
 * libcurl scans what waits for a connection again and again: it is given what
 * it can begin. An origin of HTTP/1.x gets max_connections requests; of any
 * other, a connection may take more than one, and how many more, its server
 * says: there it gets the next as soon as few are left that have not begun.
 */
#include "cpp.h"

#include <string.h>

/* Requests that have not begun to leave, where nobody knows how many can. */
#define LEAST_UNSTARTED 16

/* Hosts that are remembered while nothing is under way to them. */
#define MOST_IDLE 32

static void free_host(struct client *c, struct host *h) {
  free(h->origin);
  free(h);
  c->hosted--;
}

void hosts_free(struct client *c) {
  while (c->hosts) {
    struct host *h = c->hosts;
    c->hosts = h->next;
    free_host(c, h);
  }
}

static void free_idle(struct client *c) {
  struct host **at = &c->hosts;
  while (*at) {
    struct host *h = *at;
    if (h->flying || h->first) {
      at = &h->next;
      continue;
    }
    *at = h->next;
    free_host(c, h);
  }
}

static struct host *new_host(struct client *c, const char *origin) {
  size_t size = strlen(origin) + 1;
  struct host *h = CPP_REALLOC(NULL, sizeof *h);
  if (!h)
    return NULL;
  memset(h, 0, sizeof *h);
  h->origin = CPP_REALLOC(NULL, size);
  if (!h->origin) {
    free(h);
    return NULL;
  }
  memcpy(h->origin, origin, size);
  c->hosted++;
  return h;
}

/* Takes the host of an origin out of the list. */
static struct host *take(struct client *c, const char *origin) {
  struct host *h;
  for (struct host **at = &c->hosts; (h = *at) != NULL; at = &h->next)
    if (strcmp(h->origin, origin) == 0) {
      *at = h->next;
      return h;
    }
  return NULL;
}

/* The host of an origin, which stays while a request is under way to it, and
 * longer where there is room; NULL: out of memory. The newest is the first. */
struct host *host_of(struct client *c, const char *origin) {
  struct host *h = take(c, origin);
  if (!h) {
    if (c->hosted >= MOST_IDLE)
      free_idle(c);
    h = new_host(c, origin);
  }
  if (!h)
    return NULL;
  h->next = c->hosts;
  c->hosts = h;
  return h;
}

/* Whether libcurl is to be given another request. */
bool host_has_room(const struct host *h, long max_connections) {
  if (h->spoken == '1')
    return h->flying < max_connections;
  return h->unstarted < max_connections || h->unstarted < LEAST_UNSTARTED;
}

/* ---- a request's way ---- */

void host_enqueue(struct request *r) {
  struct host *h = r->host;
  r->place = QUEUED;
  r->before = h->last;
  r->behind = NULL;
  if (h->last)
    h->last->behind = r;
  else
    h->first = r;
  h->last = r;
}

static void leave_queue(struct request *r) {
  struct host *h = r->host;
  if (r->before)
    r->before->behind = r->behind;
  else
    h->first = r->behind;
  if (r->behind)
    r->behind->before = r->before;
  else
    h->last = r->before;
  r->before = r->behind = NULL;
}

/* There may be room for who waits behind this request. */
static void call_next(const struct request *r) {
  if (r->host->first)
    r->client->vacancy = true;
}

/* The first in the queue is given to libcurl. */
void host_add(struct request *r) {
  leave_queue(r);
  r->place = ADDED;
  r->host->flying++;
  r->host->unstarted++;
}

/* A request begins to leave, on a connection that speaks a version of HTTP. */
void host_start(struct request *r, char spoken) {
  if (spoken)
    r->host->spoken = spoken;
  if (r->place == ADDED)
    r->host->unstarted--;
  r->place = STARTED;
  call_next(r);
}

/* A request's place is free again. */
void host_depart(struct request *r) {
  struct host *h = r->host;
  if (r->place == NOWHERE)
    return;
  if (r->place == QUEUED)
    leave_queue(r);
  else
    h->flying--;
  if (r->place == ADDED)
    h->unstarted--;
  call_next(r);
  r->place = NOWHERE;
  r->host = NULL;
}
