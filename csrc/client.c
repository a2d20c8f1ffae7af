/* client.c - type cpp.client: settings, connections, the event loop.
 *
 * A client drives one libcurl multi handle with curl_multi_socket_action over
 * one poller. Requests are in one of two lists: in flight, or ended and not
 * yet collected by the call that waits for them. libcurl's callbacks here note
 * sockets and a time; nothing of Lua runs inside them.
 */
#include "cpp.h"

#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h> /* getentropy, where sys/random.h has it not */

#define TYPE "cpp.client"

/* User values of the userdata. */
enum user_value {
  SETTINGS = 1,
  WAIT,
  HANDED,
  REJECTED,
  USER_VALUES = REJECTED
};

/* Longest time in epoll_wait without a look at Lua's hooks: a signal that
 * arrives just before the wait does not interrupt it. */
#define SLICE 1.0

/* Transfers that are kept, warm at about 12 kB each, where they were in use at
 * one time. */
#define LEAST_POOL 64

/* Memory that a pooled transfer keeps for its next answer. */
#define KEPT_BODY ((size_t)64 * 1024)
#define KEPT_HEAD ((size_t)4 * 1024)

struct list {
  struct request *first, *last;
};

struct client {
  CURLM *multi; /* NULL: to be made by the next launch */
  struct poller poller;
  pid_t owner;
  bool closed;
  bool exposed;            /* somebody outside may sleep on the descriptor */
  int calls;               /* calls and sleeps that have not returned */
  double hooked;           /* when Lua's hooks last had their chance */
  double curl_deadline;    /* when libcurl wants to be called */
  double request_deadline; /* no request in flight ends before */
  struct list flying, ended;
  struct transfer *pool;
  long pooled, max_pooled;
  const struct settings *settings;
  unsigned char entropy[256];
  size_t entropy_used;
};

/* Monotonic seconds. */
double client_clock(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
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

/* ---- transfers ---- */

static curl_socket_t open_socket(void *unused, curlsocktype purpose,
                                 struct curl_sockaddr *address) {
  curl_socket_t fd;
  (void)unused, (void)purpose;
#ifdef SOCK_CLOEXEC
  fd = socket(address->family, address->socktype | SOCK_CLOEXEC,
              address->protocol);
#else
  fd = socket(address->family, address->socktype, address->protocol);
  if (fd >= 0)
    fcntl(fd, F_SETFD, FD_CLOEXEC);
#endif
#ifdef SO_NOSIGPIPE
  if (fd >= 0)
    setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &(int){1}, sizeof(int));
#endif
  return fd;
}

#define SET(option, value)                                                     \
  (curl_easy_setopt(t->easy, CURLOPT_##option, value) == CURLE_OK)

/* Whether the library, which may be older than its headers, is so new. */
static bool knows(unsigned version) {
  return curl_version_info(CURLVERSION_NOW)->version_num >= version;
}

/* The URL has been checked; this is the second lock. */
static bool set_protocols(struct transfer *t) {
#if LIBCURL_VERSION_NUM >= 0x075500
  return !knows(0x075500) || SET(PROTOCOLS_STR, "http,https");
#else
  return SET(PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

/* libcurl guards its writes against SIGPIPE by their flags, but before 7.87 not
 * those of TLS: there its own guard is needed, which this option switches off.
 */
static bool set_no_signal(struct transfer *t) {
  return SET(NOSIGNAL, knows(0x075700) ? 1L : 0L);
}

/* A silent DNS server must not hold up the end of a request. */
static bool set_quick_exit(struct transfer *t) {
#if LIBCURL_VERSION_NUM >= 0x075700
  return !knows(0x075700) || SET(QUICK_EXIT, 1L);
#else
  return t != NULL;
#endif
}

/* What every exchange of a transfer has in common. */
static bool set_constants(struct transfer *t) {
  return set_protocols(t) && set_quick_exit(t) && set_no_signal(t) &&
         SET(PRIVATE, t) && SET(CURLU, t->url) && SET(ERRORBUFFER, t->error) &&
         SET(PATH_AS_IS, 1L) && SET(ACCEPT_ENCODING, "gzip") &&
         SET(SUPPRESS_CONNECT_HEADERS, 1L) && SET(TCP_KEEPALIVE, 1L) &&
         SET(SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) &&
         SET(OPENSOCKETFUNCTION, open_socket) &&
         SET(HEADERFUNCTION, answer_on_header) && SET(HEADERDATA, &t->answer) &&
         SET(WRITEFUNCTION, answer_on_body) && SET(WRITEDATA, &t->answer) &&
         SET(PREREQFUNCTION, answer_on_start) && SET(PREREQDATA, &t->answer);
}

/* Plain http reaches loopback only, where no proxy has a place. */
static bool set_proxy(struct transfer *t, const struct settings *s,
                      bool plain) {
  if (plain)
    return SET(PROXY, "");
  return !s->proxy || (SET(PROXY, s->proxy) && SET(NOPROXY, ""));
}

static bool set_http_version(struct transfer *t, const struct settings *s,
                             bool plain) {
  if (s->http_version == HTTP_1_1)
    return SET(HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
  if (plain)
    return s->http_version == HTTP_ANY ||
           SET(HTTP_VERSION, (long)CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE);
  return SET(HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS) && SET(PIPEWAIT, 1L);
}

/* What is given stands in for the system's store as a whole, both file and
 * path, for an https proxy too. */
static bool set_ca(struct transfer *t, const struct settings *s) {
  if (!s->ca_file && !s->ca_path)
    return true;
  return SET(CAINFO, s->ca_file) && SET(CAPATH, s->ca_path) &&
         SET(PROXY_CAINFO, s->ca_file) && SET(PROXY_CAPATH, s->ca_path);
}

static bool set_transport(struct transfer *t, const struct settings *s,
                          bool plain) {
  long connect_ms = (long)ceil(s->connect_timeout * 1000);
  return SET(CONNECTTIMEOUT_MS, connect_ms) && set_proxy(t, s, plain) &&
         set_http_version(t, s, plain) && set_ca(t, s);
}

/* A fresh easy handle: an option once set cannot always be unset, and
 * curl_easy_reset does not tell when it runs out of memory half-way. */
static bool renew(struct transfer *t) {
  CURL *easy = curl_easy_init();
  if (!easy)
    return false;
  curl_easy_cleanup(t->easy);
  t->easy = easy;
  t->post = false;
  return true;
}

/* Applies the connection's options where they are not those of the exchange
 * before. False: out of memory; the handle is then made anew. */
bool client_configure(struct transfer *t, const struct settings *s,
                      bool plain) {
  if (t->profile == s->profile && t->plain == plain)
    return true;
  if (!t->fresh && !renew(t))
    return false;
  t->fresh = false;
  t->profile = 0;
  if (!set_constants(t) || !set_transport(t, s, plain))
    return false;
  t->profile = s->profile;
  t->plain = plain;
  return true;
}

static void transfer_free(struct transfer *t) {
  curl_easy_cleanup(t->easy);
  curl_url_cleanup(t->url);
  buffer_free(&t->key);
  buffer_free(&t->text);
  buffer_free(&t->lines);
  buffer_free(&t->nodes);
  buffer_free(&t->body);
  answer_free(&t->answer);
  free(t);
}

static struct transfer *transfer_new(void) {
  struct transfer *t = CPP_REALLOC(NULL, sizeof *t);
  if (!t)
    return NULL;
  memset(t, 0, sizeof *t);
  t->easy = curl_easy_init();
  t->url = curl_url();
  t->fresh = true;
  if (t->easy && t->url)
    return t;
  transfer_free(t);
  return NULL;
}

/* The list of request headers. */
struct curl_slist *transfer_headers(const struct transfer *t) {
  return (struct curl_slist *)(void *)t->nodes.data;
}

/* Lends a transfer to a request. NULL: out of memory. */
struct transfer *client_borrow(struct client *c, struct request *r) {
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

/* Takes the transfer of a request back. */
void client_return(struct client *c, struct request *r) {
  struct transfer *t = r->transfer;
  if (!t)
    return;
  r->transfer = NULL;
  t->request = NULL;
  if (c->closed || r->cause == CAUSE_OUT_OF_MEMORY ||
      c->pooled >= c->max_pooled) {
    transfer_free(t);
    return;
  }
  buffer_trim(&t->answer.body, KEPT_BODY);
  buffer_trim(&t->answer.head, KEPT_HEAD);
  buffer_trim(&t->body, KEPT_HEAD);
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
  return poller_watch(&c->poller, fd, events) ? 0 : -1;
}

/* CURLMOPT_TIMERFUNCTION. */
static int on_timer(CURLM *multi, long milliseconds, void *client) {
  struct client *c = client;
  (void)multi;
  c->curl_deadline = milliseconds < 0
                         ? HUGE_VAL
                         : client_clock() + (double)milliseconds / 1000;
  return 0;
}

#define SET_MULTI(option, value)                                               \
  (curl_multi_setopt(c->multi, CURLMOPT_##option, value) == CURLM_OK)

/* Makes what is missing; descriptors may be. */
static bool engine_open(struct client *c) {
  if (!c->poller.open && !poller_open(&c->poller))
    return false;
  if (c->multi)
    return true;
  c->curl_deadline = HUGE_VAL;
  c->multi = curl_multi_init();
  if (!c->multi)
    return false;
  if (SET_MULTI(SOCKETFUNCTION, on_socket) && SET_MULTI(SOCKETDATA, c) &&
      SET_MULTI(TIMERFUNCTION, on_timer) && SET_MULTI(TIMERDATA, c) &&
      SET_MULTI(MAX_HOST_CONNECTIONS, c->settings->max_connections) &&
      SET_MULTI(MAXCONNECTS, c->settings->max_connections))
    return true;
  curl_multi_cleanup(c->multi);
  c->multi = NULL;
  return false;
}

/* Moves a request from the flight to the ended ones. */
static void land(struct client *c, struct request *r) {
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
    curl_multi_remove_handle(c->multi, r->transfer->easy);
    r->cause = CAUSE_OUT_OF_MEMORY;
    land(c, r);
  }
  curl_multi_cleanup(c->multi);
  c->multi = NULL;
  c->curl_deadline = HUGE_VAL;
}

static void check(struct client *c, CURLMcode code) {
  if (code != CURLM_OK && c->multi)
    poison(c);
}

/* Takes a request out of the air for `cause`, or because libcurl has ended it
 * (CAUSE_NONE). */
static void end(struct client *c, struct request *r, enum cause cause) {
  r->cause = cause;
  land(c, r);
  check(c, curl_multi_remove_handle(c->multi, r->transfer->easy));
}

/* Puts a prepared request into the air. It may end here: then its cause says
 * why. */
void client_launch(struct client *c, struct request *r) {
  r->progress = FLYING;
  list_add(&c->flying, r);
  if (c->closed || client_clock() >= r->deadline) {
    r->cause = c->closed ? CAUSE_CLOSED : CAUSE_TIMEOUT;
    land(c, r);
    return;
  }
  if (!engine_open(c)) {
    r->cause = CAUSE_OUT_OF_MEMORY;
    land(c, r);
    return;
  }
  r->launched = true;
  if (r->deadline < c->request_deadline)
    c->request_deadline = r->deadline;
  check(c, curl_multi_add_handle(c->multi, r->transfer->easy));
}

/* Ends what has run out of time and finds when the next one will. The bound is
 * raised only here and when the last one lands, so this scan is rare. */
static void expire(struct client *c, double now) {
  struct request *r, *next;
  double deadline = HUGE_VAL;
  if (now < c->request_deadline)
    return;
  for (r = c->flying.first; r; r = next) {
    next = r->next;
    if (r->deadline > now) {
      deadline = fmin(deadline, r->deadline);
      continue;
    }
    end(c, r, CAUSE_TIMEOUT);
    if (!c->multi)
      next = NULL;
  }
  c->request_deadline = deadline;
}

/* Ends what libcurl has done with. */
static void reap(struct client *c) {
  CURLMsg *message;
  int left;
  while (c->multi && (message = curl_multi_info_read(c->multi, &left))) {
    struct transfer *t = NULL;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&t);
    t->request->code = message->data.result;
    end(c, t->request, CAUSE_NONE);
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
  double now = client_clock();
  if (now >= c->curl_deadline) {
    c->curl_deadline = HUGE_VAL;
    act(c, CURL_SOCKET_TIMEOUT, 0);
  }
  reap(c);
  expire(c, now);
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
  left = fmin(c->curl_deadline, c->request_deadline) - client_clock();
  left = fmin(left, seconds);
  count = poller_wait(&c->poller, ready, 64, milliseconds(left));
  for (int i = 0; i < count; i++)
    act(c, ready[i].fd, ready[i].events);
  return fire(c) || count > 0 || (count == 0 && left < seconds);
}

/* Makes the descriptor readable exactly while there is something that a
 * sleeper on it must be woken for. */
static void sync_wake(struct client *c) {
  if (c->exposed)
    poller_wake(&c->poller, c->ended.first || c->closed);
}

/* Closes the descriptor of a closed client that no call is under way on. One
 * that an event loop has seen stays until the client is collected: cqueues
 * forgets a descriptor only after the coroutine that waited on it has gone on,
 * and a number that is closed by then breaks its loop. */
static void release(struct client *c) {
  if (c->closed && c->calls == 0 && !c->exposed)
    poller_close(&c->poller);
  else
    sync_wake(c);
}

static int nothing(lua_State *L) {
  (void)L;
  return 0;
}

/* Calls a function that does nothing, for the sake of the call hook. */
static void trigger_hook(lua_State *L) {
  lua_pushcfunction(L, nothing);
  lua_call(L, 0, 0);
}

/* lua.c turns Ctrl-C into a hook of the main thread, which does not run while
 * a coroutine blocks: the coroutine borrows it. */
static void run_main_hook(lua_State *L) {
  lua_Hook own = lua_gethook(L), borrowed;
  int mask = lua_gethookmask(L), count = lua_gethookcount(L);
  lua_State *main;
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  main = lua_tothread(L, -1);
  lua_pop(L, 1);
  borrowed = lua_gethook(main);
  if (main == L || !borrowed || !(lua_gethookmask(main) & LUA_MASKCALL))
    return;
  lua_sethook(L, borrowed, LUA_MASKCALL, 0);
  trigger_hook(L);
  if (lua_gethook(L) == borrowed)
    lua_sethook(L, own, mask, count);
}

/* Does what is ready, or waits for it, for one slice of at most `seconds`.
 * Lua's hooks get their chance after a signal and at the end of a slice. May
 * raise what a hook raises. */
void client_step(lua_State *L, struct client *c, double seconds) {
  bool busy;
  poller_wake(&c->poller, false);
  busy = run(c, fmin(seconds, SLICE));
  sync_wake(c);
  if (seconds <= 0 || (busy && client_clock() < c->hooked + SLICE))
    return;
  c->hooked = client_clock();
  run_main_hook(L);
  trigger_hook(L);
}

/* ---- calls under way ---- */

bool client_closed(const struct client *c) { return c->closed; }

/* Counts a call in; its request leaves through client_leave. */
void client_enter(struct client *c, struct request *r) {
  r->client = c;
  c->calls++;
}

/* Takes a request out of the list of ended ones. */
void client_collect(struct client *c, struct request *r) {
  if (r->progress == ENDED)
    list_remove(&c->ended, r);
  r->progress = COLLECTED;
}

/* Ends a call's stay, whatever it was doing: the transfer goes back. */
void client_leave(struct client *c, struct request *r) {
  if (r->progress == FLYING)
    end(c, r, CAUSE_CLOSED);
  client_collect(c, r);
  client_return(c, r);
  r->client = NULL;
  c->calls--;
  release(c);
}

/* A forked child shares the parent's sockets and its epoll set: there, nothing
 * here may touch them. */
bool client_is_foreign(const struct client *c) { return c->owner != getpid(); }

static void shut(struct client *c) {
  if (c->closed || client_is_foreign(c))
    return;
  c->closed = true;
  while (c->flying.first)
    end(c, c->flying.first, CAUSE_CLOSED);
  free_pool(c);
  curl_multi_cleanup(c->multi);
  c->multi = NULL;
  release(c);
}

/* Writes a fresh random (version 4) UUID. */
void client_uuid(struct client *c, char text[37]) {
  static const char hex[] = "0123456789abcdef";
  unsigned char *bytes;
  char *out = text;
  if (c->entropy_used + 16 > sizeof c->entropy) {
    /* An id that is not random is of less use, and no reason to fail. */
    if (getentropy(c->entropy, sizeof c->entropy) != 0)
      memset(c->entropy, 0, sizeof c->entropy);
    c->entropy_used = 0;
  }
  bytes = c->entropy + c->entropy_used;
  c->entropy_used += 16;
  bytes[6] = (unsigned char)((bytes[6] & 0x0f) | 0x40);
  bytes[8] = (unsigned char)((bytes[8] & 0x3f) | 0x80);
  for (int i = 0; i < 16; i++) {
    if (i == 4 || i == 6 || i == 8 || i == 10)
      *out++ = '-';
    *out++ = hex[bytes[i] >> 4];
    *out++ = hex[bytes[i] & 15];
  }
  *out = '\0';
}

/* ---- Lua ---- */

/* The client at a stack index, in whatever state. */
struct client *client_check(lua_State *L, int index) {
  return luaL_checkudata(L, index, TYPE);
}

/* The client at a stack index, fit for a new call. */
struct client *client_usable(lua_State *L, int index) {
  struct client *c = client_check(L, index);
  if (client_is_foreign(c))
    luaL_error(L,
               "this client belongs to process %d: after a fork, the child "
               "makes its own with cpp.client()",
               (int)c->owner);
  if (c->closed)
    luaL_error(L, "this client is closed");
  return c;
}

/* Pushes the client's wait function and the client; false, and nothing, where
 * the client blocks in C. A request that a wait function is shown is one that
 * client:finished can tell. */
bool client_push_wait(lua_State *L, int index, struct request *r, int request) {
  if (lua_getiuservalue(L, index, WAIT) == LUA_TNIL) {
    lua_pop(L, 1);
    return false;
  }
  if (r->progress == FLYING && !r->handed) {
    lua_getiuservalue(L, index, HANDED);
    lua_pushvalue(L, request);
    lua_rawsetp(L, -2, r);
    lua_pop(L, 1);
    r->handed = true;
  }
  lua_pushvalue(L, index);
  return true;
}

/* Pushes the token that last got a 401 on this client, or nil. */
void client_push_rejected(lua_State *L, int index) {
  lua_getiuservalue(L, index, REJECTED);
}

void client_set_rejected(lua_State *L, int index, const char *token) {
  lua_pushstring(L, token);
  lua_setiuservalue(L, index, REJECTED);
}

/* Pushes the settings of the client at a stack index. */
void client_push_settings(lua_State *L, int index) {
  lua_getiuservalue(L, index, SETTINGS);
}

static void new_handed(lua_State *L) {
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "v");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
}

/* cpp.client([options]) */
int client_new(lua_State *L) {
  int given = lua_isnoneornil(L, 1) ? 0 : 1;
  struct client *c = lua_newuserdatauv(L, sizeof *c, USER_VALUES);
  int client = lua_gettop(L);
  memset(c, 0, sizeof *c);
  c->owner = getpid();
  c->closed = true;
  c->entropy_used = sizeof c->entropy;
  c->curl_deadline = c->request_deadline = HUGE_VAL;
  luaL_setmetatable(L, TYPE);
  c->settings = settings_default(L, given);
  settings_push(L, lua_gettop(L), "wait");
  lua_setiuservalue(L, client, WAIT);
  lua_setiuservalue(L, client, SETTINGS);
  new_handed(L);
  lua_setiuservalue(L, client, HANDED);
  c->max_pooled = c->settings->max_connections;
  if (c->max_pooled < LEAST_POOL)
    c->max_pooled = LEAST_POOL;
  c->closed = false;
  return 1;
}

/* client:close() and __close: idempotent, never raises. */
static int close_client(lua_State *L) {
  shut(client_check(L, 1));
  return 0;
}

/* __gc: nobody can watch the descriptor any more. */
static int collect_client(lua_State *L) {
  struct client *c = client_check(L, 1);
  c->exposed = false;
  shut(c);
  if (!client_is_foreign(c))
    release(c);
  return 0;
}

/* The client at index 1, closed or not, in the process that it belongs to. */
static struct client *client_own(lua_State *L) {
  struct client *c = client_check(L, 1);
  return client_is_foreign(c) ? client_usable(L, 1) : c;
}

/* client:now() --> monotonic seconds */
static int now(lua_State *L) {
  lua_pushnumber(L, client_clock());
  return 1;
}

/* client:pollfd() --> descriptor to watch for reading; nil without epoll */
static int pollfd(lua_State *L) {
  struct client *c = client_own(L);
  int fd;
  if (!c->closed)
    engine_open(c);
  fd = poller_fd(&c->poller);
  if (fd < 0 || (c->closed && c->calls == 0)) {
    lua_pushnil(L);
    return 1;
  }
  c->exposed = true;
  sync_wake(c);
  lua_pushinteger(L, fd);
  return 1;
}

/* client:events() --> "r" */
static int events(lua_State *L) {
  client_check(L, 1);
  lua_pushliteral(L, "r");
  return 1;
}

/* client:timeout() --> seconds until the client wants a step; nil: never */
static int timeout(lua_State *L) {
  struct client *c = client_own(L);
  double next = fmin(c->curl_deadline, c->request_deadline);
  if (c->ended.first || (c->closed && c->calls > 0))
    lua_pushnumber(L, 0);
  else if (c->closed || (isinf(next) && next > 0))
    lua_pushnil(L);
  else
    lua_pushnumber(L, fmax(0, next - client_clock()));
  return 1;
}

/* client:step([seconds = 0]) */
static int step(lua_State *L) {
  struct client *c = client_own(L);
  double seconds =
      lua_isnoneornil(L, 2) ? 0 : settings_seconds(L, 2, "seconds");
  if (c->closed)
    return 0;
  client_step(L, c, c->ended.first ? 0 : seconds);
  return 0;
}

/* client:finished() --> request | nil */
static int finished(lua_State *L) {
  struct client *c = client_own(L);
  struct request *r;
  lua_settop(L, 1);
  lua_getiuservalue(L, 1, HANDED);
  for (r = c->ended.first; r; r = r->next) {
    lua_settop(L, 2);
    /* One that is about to be finalized has left the weak table. */
    if (!r->handed || lua_rawgetp(L, 2, r) == LUA_TNIL)
      continue;
    client_collect(c, r);
    sync_wake(c);
    return 1;
  }
  return 0;
}

/* client:wait([function | nil]) --> the wait function until now; without an
 * argument nothing changes */
static int swap_wait(lua_State *L) {
  bool given = !lua_isnone(L, 2);
  client_check(L, 1);
  lua_settop(L, 2);
  lua_getiuservalue(L, 1, WAIT);
  if (!given)
    return 1;
  if (!lua_isnil(L, 2) && !lua_isfunction(L, 2) &&
      luaL_getmetafield(L, 2, "__call") == LUA_TNIL)
    return luaL_error(L, "wait: function expected, got %s",
                      luaL_typename(L, 2));
  lua_settop(L, 3);
  lua_pushvalue(L, 2);
  lua_setiuservalue(L, 1, WAIT);
  return 1;
}

static int to_string(lua_State *L) {
  struct client *c = client_check(L, 1);
  lua_pushfstring(L, "cpp.client (%s%s)", c->settings->endpoint,
                  c->closed ? ", closed" : "");
  return 1;
}

/* Makes the type. */
void client_register(lua_State *L) {
  static const luaL_Reg meta[] = {{"__gc", collect_client},
                                  {"__close", close_client},
                                  {"__tostring", to_string},
                                  {NULL, NULL}};
  static const luaL_Reg methods[] = {{"cancel", request_cancel},
                                     {"poll", request_poll},
                                     {"operations", request_operations},
                                     {"status", request_status},
                                     {"fetch_token", request_fetch_token},
                                     {"sleep", request_sleep},
                                     {"now", now},
                                     {"pollfd", pollfd},
                                     {"events", events},
                                     {"timeout", timeout},
                                     {"step", step},
                                     {"finished", finished},
                                     {"wait", swap_wait},
                                     {"close", close_client},
                                     {NULL, NULL}};
  luaL_newmetatable(L, TYPE);
  luaL_setfuncs(L, meta, 0);
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}
