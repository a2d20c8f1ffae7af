/* engine.c - connections and the event loop of a client.
 *
 * One libcurl multi handle is driven with curl_multi_socket_action over one
 * poller. Requests are in one of two lists: in flight, or ended and not yet
 * collected by the call that waits for them. libcurl's callbacks note sockets
 * and a time; nothing of Lua runs inside them.
 */
#include "cpp.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <sys/socket.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

/* Longest time in epoll_wait without a look at Lua's hooks: a signal that
 * arrives just before the wait does not interrupt it. */
#define SLICE 1.0

/* Transfers that are kept, warm at about 12 kB each, where they were in use at
 * one time. */
#define LEAST_POOL 64

/* Steps and seconds after which a full collection looks for ended requests that
 * nobody can collect. */
#define PATIENCE 1000
#define PATIENT 0.05

/* Calls at a time whose memory is worth the search for what can be given back.
 */
#define MANY_CALLS 1000

/* Seconds between two scans for what has run out of time. */
#define LEAST_SCAN 0.005

/* How many streams a connection of HTTP/2 has, its server says. */
#define MOST_STREAMS 100000L

/* Memory that a pooled transfer keeps for its next answer. */
#define KEPT_BODY ((size_t)64 * 1024)
#define KEPT_HEAD ((size_t)4 * 1024)

/* A forked child shares the parent's sockets and its epoll set: there, nothing
 * here may touch them. */
bool engine_is_foreign(const struct client *c) {
  return c->owner != process_id();
}

/* ---- lists of requests ---- */

static void list_add(struct list *list, struct request *r) {
  r->previous = list->last;
  r->next = NULL;
  if (list->last)
    list->last->next = r;
  else
    list->first = r;
  list->last = r;
}

static void list_remove(struct list *list, struct request *r) {
  if (r->previous)
    r->previous->next = r->next;
  else
    list->first = r->next;
  if (r->next)
    r->next->previous = r->previous;
  else
    list->last = r->previous;
  r->previous = r->next = NULL;
}

/* ---- the pool ---- */

/* Lends a transfer to a request. NULL: out of memory. */
struct transfer *engine_borrow(struct client *c, struct request *r) {
  struct transfer *t = c->pool;
  if (t) {
    c->pool = t->next;
    c->pooled--;
  } else {
    t = transfer_new();
  }
  if (t) {
    t->next = NULL;
    t->request = r;
    t->token = t->id = 0;
    answer_reset(&t->answer, false, 0);
  }
  r->transfer = t;
  return t;
}

static bool is_pool_full(const struct client *c) {
  return c->pooled >= LEAST_POOL && c->pooled >= c->settings->max_connections;
}

/* Takes the transfer of a request back. */
void engine_return(struct client *c, struct request *r) {
  struct transfer *t = r->transfer;
  if (!t)
    return;
  r->transfer = NULL;
  t->request = NULL;
  if (c->closed || r->cause == CAUSE_OUT_OF_MEMORY || is_pool_full(c)) {
    transfer_free(t);
    return;
  }
  buffer_trim(&t->answer.body, KEPT_BODY);
  buffer_trim(&t->answer.head, KEPT_HEAD);
  buffer_trim(&t->text, KEPT_HEAD);
  buffer_trim(&t->body, KEPT_HEAD);
  buffer_trim(&t->nodes, KEPT_HEAD);
  buffer_trim(&t->location, KEPT_HEAD);
  buffer_trim(&t->lines, KEPT_HEAD);
  if (t->target.capacity > KEPT_HEAD)
    buffer_free(&t->target);
  t->next = c->pool;
  c->pool = t;
  c->pooled++;
}

static void free_pool(struct client *c) {
  while (c->pool) {
    struct transfer *t = c->pool;
    c->pool = t->next;
    transfer_free(t);
  }
  c->pooled = 0;
}

/* ---- the engine ---- */

/* CURLMOPT_SOCKETFUNCTION; CURL_POLL_REMOVE is no interest. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *client,
                     void *unused) {
  struct client *c = client;
  int events = what == CURL_POLL_REMOVE ? 0 : what;
  (void)easy, (void)unused;
  if (poller_watch(&c->poller, fd, events))
    return 0;
  c->error = errno;
  return -1;
}

/* CURLMOPT_TIMERFUNCTION. */
static int on_timer(CURLM *multi, long milliseconds, void *client) {
  struct client *c = client;
  (void)multi;
  c->curl_deadline = milliseconds < 0
                         ? HUGE_VAL
                         : process_clock() + (double)milliseconds / 1000;
  return 0;
}

#define SET_MULTI(option, value)                                               \
  (curl_multi_setopt(c->multi, CURLMOPT_##option, value) == CURLM_OK)

static bool open_multi(struct client *c) {
  c->curl_deadline = HUGE_VAL;
  c->multi = curl_multi_init();
  if (!c->multi)
    return false;
  if (SET_MULTI(SOCKETFUNCTION, on_socket) && SET_MULTI(SOCKETDATA, c) &&
      SET_MULTI(TIMERFUNCTION, on_timer) && SET_MULTI(TIMERDATA, c) &&
      SET_MULTI(MAX_HOST_CONNECTIONS, c->settings->max_connections) &&
      SET_MULTI(MAXCONNECTS, c->settings->max_connections) &&
      SET_MULTI(MAX_CONCURRENT_STREAMS, MOST_STREAMS))
    return true;
  curl_multi_cleanup(c->multi);
  c->multi = NULL;
  return false;
}

static bool is_short_of_descriptors(int error) {
  return error == EMFILE || error == ENFILE;
}

static bool open_all(struct client *c) {
  bool open;
  errno = 0;
  open = (c->poller.open || poller_open(&c->poller)) &&
         (c->multi || open_multi(c));
  c->error = errno;
  return open;
}

/* Makes what is missing. Descriptors may be held by garbage, closed clients for
 * one: then a full collection comes before a second try. False, with the errno
 * in the client: out of descriptors or memory. */
bool engine_open(lua_State *L, struct client *c) {
  if (open_all(c))
    return true;
  if (!is_short_of_descriptors(c->error))
    return false;
  lua_gc(L, LUA_GCCOLLECT);
  return !c->closed && open_all(c);
}

/* ---- requests in flight ---- */

/* When a request is to end: one that has not begun to leave, at the latest when
 * its moment has passed. */
static double limit_of(const struct request *r) {
  return r->transfer->answer.starts > 0
             ? r->deadline
             : fmin(r->deadline, r->settings->start_by);
}

/* Moves a request from the flight to the ended ones. */
static void land(struct client *c, struct request *r, enum cause cause) {
  r->cause = cause;
  connection_leave(r->transfer);
  host_depart(r);
  list_remove(&c->flying, r);
  list_add(&c->ended, r);
  r->progress = ENDED;
  if (!c->flying.first)
    c->request_deadline = HUGE_VAL;
}

/* A multi handle whose call failed cannot be trusted with another (libcurl
 * 7.88 divides by zero): all that is in flight ends, and the next launch makes
 * a new one. */
static void poison(struct client *c) {
  struct request *r;
  while ((r = c->flying.first) != NULL) {
    if (r->place != QUEUED)
      curl_multi_remove_handle(c->multi, r->transfer->easy);
    r->error = c->error;
    land(c, r, CAUSE_OUT_OF_MEMORY);
  }
  curl_multi_cleanup(c->multi);
  c->multi = NULL;
  c->curl_deadline = HUGE_VAL;
  poller_clear(&c->poller);
}

static void check(struct client *c, CURLMcode code) {
  if (code != CURLM_OK && c->multi)
    poison(c);
}

/* Takes a request out of the air for `cause`, or because libcurl has ended it
 * (CAUSE_NONE). */
static void end(struct client *c, struct request *r, enum cause cause) {
  bool added = r->place != QUEUED;
  land(c, r, cause);
  if (added)
    check(c, curl_multi_remove_handle(c->multi, r->transfer->easy));
}

/* Lends the easy handle of a pooled transfer to one that has none. */
static void lend_handle(struct client *c, struct transfer *t) {
  struct transfer *donor = c->pool;
  if (t->easy || !donor)
    return;
  c->pool = donor->next;
  c->pooled--;
  transfer_adopt(t, donor);
  transfer_free(donor);
}

/* Gives libcurl a request whose turn has come. */
static void add(struct client *c, struct request *r) {
  lend_handle(c, r->transfer);
  host_add(r);
  if (!transfer_prepare(r->transfer, r->settings)) {
    land(c, r, CAUSE_OUT_OF_MEMORY);
    return;
  }
  r->launched = true;
  check(c, curl_multi_add_handle(c->multi, r->transfer->easy));
}

/* Gives libcurl those whose turn has come; false: there are none. */
static bool fill(struct client *c) {
  bool any = false;
  if (!c->vacancy || c->closed)
    return false;
  c->vacancy = false;
  for (struct host *h = c->hosts; h; h = h->next)
    while (c->multi && h->first &&
           host_has_room(h, c->settings->max_connections)) {
      add(c, h->first);
      any = true;
    }
  return any;
}

/* Why a request cannot be put into the air. */
static enum cause hindrance(lua_State *L, struct request *r) {
  struct client *c = r->client;
  bool open = c->closed || engine_open(L, c);
  double now = process_clock();
  if (c->closed)
    return CAUSE_CLOSED;
  if (now >= r->deadline)
    return CAUSE_TIMEOUT;
  if (now > r->settings->start_by)
    return CAUSE_NOT_STARTED;
  r->host = open ? host_of(c, r->transfer->origin.data) : NULL;
  if (r->host)
    return CAUSE_NONE;
  r->error = open ? 0 : c->error;
  return is_short_of_descriptors(r->error) ? CAUSE_NO_DESCRIPTORS
                                           : CAUSE_OUT_OF_MEMORY;
}

/* Whether a request can speak nothing but HTTP/1.1. */
static bool is_bound(const struct request *r) {
  if (origin_is_plain(r->transfer->text.data))
    return r->settings->http_version != HTTP_2;
  return r->settings->http_version == HTTP_1_1;
}

/* Puts a composed request into the air. It may end here: then its cause says
 * why. */
void engine_launch(lua_State *L, struct request *r) {
  struct client *c = r->client;
  enum cause cause;
  r->error = 0;
  cause = hindrance(L, r);
  r->progress = FLYING;
  list_add(&c->flying, r);
  if (cause != CAUSE_NONE) {
    land(c, r, cause);
    return;
  }
  c->request_deadline = fmin(c->request_deadline, limit_of(r));
  if (is_bound(r))
    r->host->spoken = '1';
  host_enqueue(r);
  c->vacancy = true;
  fill(c);
}

/* Launches an ended request that never left once more where descriptors were
 * missing and a collection may have freed some. */
bool engine_launch_again(lua_State *L, struct request *r) {
  struct client *c = r->client;
  if (r->cause != CAUSE_NO_DESCRIPTORS || r->collected || c->closed ||
      r->transfer->answer.starts > 0)
    return false;
  r->collected = true;
  engine_collect(c, r);
  lua_gc(L, LUA_GCCOLLECT);
  answer_reset(&r->transfer->answer, r->transfer->answer.post,
               r->settings->max_body);
  engine_launch(L, r);
  return true;
}

/* Ends what has run out of time and finds when the next one will. The bound is
 * raised only here and when the last one lands, so this scan, which is rare
 * already, is put off where many end one after the other. */
static void expire(struct client *c, double now) {
  struct request *r, *next;
  double deadline = HUGE_VAL;
  if (now < c->request_deadline)
    return;
  for (r = c->flying.first; r && c->multi; r = next) {
    next = r->next;
    if (limit_of(r) > now)
      deadline = fmin(deadline, fmax(limit_of(r), now + LEAST_SCAN));
    else
      end(c, r, now < r->deadline ? CAUSE_NOT_STARTED : CAUSE_TIMEOUT);
  }
  c->request_deadline = deadline;
}

/* Ends the use of a connection that could not be written to, be it for want of
 * memory: libcurl 7.88 keeps one of HTTP/2, out of step, for the next exchange.
 */
static void retire_connection(CURL *easy, CURLcode code) {
  curl_socket_t fd = CURL_SOCKET_BAD;
  if (code != CURLE_SEND_ERROR && code != CURLE_OUT_OF_MEMORY)
    return;
  curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &fd);
  if (fd != CURL_SOCKET_BAD)
    shutdown(fd, SHUT_RDWR);
}

/* Begins an exchange once more, on a new connection: nothing of it was sent on
 * the one that was not fit. */
static void begin_again(struct client *c, struct transfer *t) {
  t->answer.stopped = STOPPED_NOT;
  check(c, curl_multi_remove_handle(c->multi, t->easy));
  if (!c->multi)
    return;
  if (transfer_set_apart(t, true))
    check(c, curl_multi_add_handle(c->multi, t->easy));
  else
    end(c, t->request, CAUSE_OUT_OF_MEMORY);
}

/* What libcurl's code does not tell of an end. */
static enum cause cause_of(const struct request *r) {
  if (r->transfer->answer.stopped == STOPPED_LATE)
    return CAUSE_NOT_STARTED;
  if (r->code != CURLE_COULDNT_CONNECT || !r->error)
    return CAUSE_NONE;
  if (is_short_of_descriptors(r->error))
    return CAUSE_NO_DESCRIPTORS;
  return r->error == ENOMEM || r->error == ENOBUFS ? CAUSE_OUT_OF_MEMORY
                                                   : CAUSE_NONE;
}

/* Ends what libcurl has done with. */
static void reap(struct client *c) {
  CURLMsg *message;
  int left;
  while (c->multi && (message = curl_multi_info_read(c->multi, &left))) {
    struct transfer *t = NULL;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&t);
    if (t->answer.stopped == STOPPED_UNFIT) {
      begin_again(c, t);
      continue;
    }
    t->request->code = message->data.result;
    retire_connection(t->easy, message->data.result);
    end(c, t->request, cause_of(t->request));
  }
}

static void act(struct client *c, curl_socket_t fd, int events) {
  int running;
  if (c->multi)
    check(c, curl_multi_socket_action(c->multi, fd, events, &running));
}

/* Does what is due by the clock, and ends what has ended. True: something has.
 */
static bool fire(struct client *c) {
  const struct request *last = c->ended.last;
  double now = process_clock();
  if (now >= c->curl_deadline) {
    c->curl_deadline = HUGE_VAL;
    act(c, CURL_SOCKET_TIMEOUT, 0);
  }
  reap(c);
  expire(c, now);
  fill(c);
  return c->ended.last != last;
}

static int milliseconds(double seconds) {
  double ms = ceil(seconds * 1000);
  return ms <= 0 ? 0 : ms < INT_MAX ? (int)ms : INT_MAX;
}

/* Waits until a socket is ready, a time has come, or `seconds` have passed,
 * and does what is then to be done. False: a signal came, or nothing did. */
static bool run(struct client *c, double seconds) {
  struct ready ready[64];
  double left;
  int count;
  if (fire(c))
    return true;
  left = fmin(c->curl_deadline, c->request_deadline) - process_clock();
  left = fmin(left, seconds);
  count = poller_wait(&c->poller, ready, 64, milliseconds(left));
  if (count < 0 && errno != EINTR && c->multi) {
    c->error = errno; /* somebody has closed the descriptor */
    poison(c);
  }
  for (int i = 0; i < count; i++)
    act(c, ready[i].fd, ready[i].events);
  return fire(c) || count > 0 || (count == 0 && left < seconds);
}

/* Makes the descriptor readable exactly while there is something that a
 * sleeper on it must be woken for. */
void engine_wake(struct client *c) {
  if (c->exposed)
    poller_wake(&c->poller, c->ended.first || c->closed || c->kicked);
}

/* What thousands of calls at a time have freed lies in pieces that glibc keeps.
 */
static void give_back(const struct client *c) {
#ifdef __GLIBC__
  if (c->most_calls > MANY_CALLS)
    malloc_trim(0);
#else
  (void)c;
#endif
}

/* Closes the descriptor of a closed client that no call is under way on. One
 * that an event loop has seen stays until the client is collected: cqueues
 * forgets a descriptor only after the coroutine that waited on it has gone on,
 * and a number that is closed by then breaks its loop. */
void engine_release(struct client *c) {
  if (c->closed && c->calls == 0)
    give_back(c);
  if (c->closed && c->calls == 0 && !c->exposed)
    poller_close(&c->poller);
  else
    engine_wake(c);
}

/* An ended request keeps the descriptor readable until it is collected, which
 * nobody can do any more once its coroutine is garbage; and a loop that spins
 * on the descriptor makes no garbage that would have Lua find that out. */
static void search_garbage(lua_State *L, struct client *c) {
  if (!c->ended.first)
    return;
  if (c->idle_turns++ == 0)
    c->idle_since = process_clock();
  if (c->searched || c->idle_turns % PATIENCE != 0 ||
      process_clock() < c->idle_since + PATIENT)
    return;
  c->searched = true;
  lua_gc(L, LUA_GCCOLLECT);
}

/* Does what is ready, or waits for it, for one slice of at most `seconds`.
 * Lua's hooks get their chance after a signal and at the end of a slice. May
 * raise what a hook raises. */
void engine_step(lua_State *L, struct client *c, double seconds) {
  bool busy;
  poller_wake(&c->poller, false);
  busy = run(c, fmin(seconds, SLICE));
  c->kicked = false;
  engine_wake(c);
  search_garbage(L, c);
  if (seconds <= 0 || (busy && process_clock() < c->hooked + SLICE))
    return;
  c->hooked = process_clock();
  hook_run(L);
}

/* ---- calls under way ---- */

/* Counts a call in; its request leaves through engine_leave. */
void engine_enter(struct client *c, struct request *r) {
  r->client = c;
  c->calls++;
  if (c->calls > c->most_calls)
    c->most_calls = c->calls;
}

/* Takes a request out of the list of ended ones. */
void engine_collect(struct client *c, struct request *r) {
  if (r->progress == ENDED)
    list_remove(&c->ended, r);
  r->progress = COLLECTED;
  c->idle_turns = 0;
  c->searched = false;
  engine_wake(c);
}

/* Takes a request out of the air whose call has been given up. Another may have
 * its place, and who sleeps for that one on the descriptor knows nothing of it.
 */
static void give_up(struct client *c, struct request *r) {
  double due = c->curl_deadline;
  end(c, r, CAUSE_CLOSED);
  if (fill(c) || c->curl_deadline < due)
    c->kicked = true;
}

/* Ends a call's stay, whatever it was doing: the transfer goes back. */
void engine_leave(struct client *c, struct request *r) {
  if (r->progress == FLYING)
    give_up(c, r);
  engine_collect(c, r);
  engine_return(c, r);
  r->client = NULL;
  c->calls--;
  engine_release(c);
}

void engine_close(struct client *c) {
  if (c->closed || engine_is_foreign(c))
    return;
  c->closed = true;
  while (c->flying.first)
    end(c, c->flying.first, CAUSE_CLOSED);
  hosts_free(c);
  free_pool(c);
  curl_multi_cleanup(c->multi);
  c->multi = NULL;
  engine_release(c);
}
