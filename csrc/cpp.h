/* cpp.h - the one private header of the module.
 *
 * The first half knows nothing of Lua: bytes, sockets, URLs and what libcurl's
 * callbacks may touch. A source file that must stay free of Lua defines
 * CPP_WITHOUT_LUA before it includes this header and sees only that half.
 *
 * Each section is named after the file that it declares. They stand in the
 * order of the house: no file calls one whose section comes after its own.
 */
#ifndef CPP_H
#define CPP_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* dladdr, getentropy, memmem, uselocale with -std=c99 */
#endif

#if defined(__has_include)
#if !__has_include(<curl/curl.h>)
#error "libcurl headers not found: install libcurl4-openssl-dev (Debian, \
Ubuntu), libcurl-devel (Fedora, openSUSE) or curl-dev (Alpine)"
#endif
#endif

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/types.h>

#if LIBCURL_VERSION_NUM < 0x075100
#error "libcurl 7.81 or newer is needed"
#endif

#ifndef CPP_WITHOUT_LUA
#include <lauxlib.h>
#include <lua.h>
#if LUA_VERSION_NUM != 504
#error "Lua 5.4 is needed: install liblua5.4-dev and build for Lua 5.4"
#endif
/* What older Luas lack. Weak, so that one of them can load the library, to be
 * told by luaopen_cpp what it needs in place of a linker's message. */
#ifdef __ELF__
#pragma weak luaL_checkversion_
#pragma weak luaL_prepbuffsize
#pragma weak luaL_setfuncs
#pragma weak luaL_setmetatable
#pragma weak lua_absindex
#pragma weak lua_callk
#pragma weak lua_copy
#pragma weak lua_getglobal
#pragma weak lua_getiuservalue
#pragma weak lua_isinteger
#pragma weak lua_isyieldable
#pragma weak lua_newuserdatauv
#pragma weak lua_pcallk
#pragma weak lua_rawgetp
#pragma weak lua_rawlen
#pragma weak lua_rawsetp
#pragma weak lua_rotate
#pragma weak lua_setiuservalue
#pragma weak lua_toclose
#pragma weak lua_tointegerx
#pragma weak lua_tonumberx
#pragma weak lua_warning
#endif
#endif

/* Only luaopen_cpp leaves the library. */
#if defined(__GNUC__)
#pragma GCC visibility push(hidden)
#endif

/* Every byte that the module itself allocates passes through this one name, so
 * that the allocation tests can make any of them fail. */
#ifndef CPP_REALLOC
#define CPP_REALLOC realloc
#else
void *CPP_REALLOC(void *block, size_t size);
#endif

#define CPP_VERSION "dev"

/* ---- process.c --------------------------------------------------------- */

void process_init(void);
double process_clock(void);
pid_t process_id(void);

/* ---- buffer.c ---------------------------------------------------------- */

/* Growable bytes. All zero is an empty buffer; `data` is NULL until the first
 * byte, and always ends in a NUL that `length` does not count. */
struct buffer {
  char *data;
  size_t length, capacity;
};

bool buffer_reserve(struct buffer *b, size_t size);
bool buffer_append(struct buffer *b, const void *bytes, size_t size);
bool buffer_add(struct buffer *b, const char *text);
bool buffer_set(struct buffer *b, const void *bytes, size_t size);
bool buffer_equals(const struct buffer *b, const char *bytes, size_t size);
void buffer_clear(struct buffer *b);
void buffer_trim(struct buffer *b, size_t capacity);
void buffer_free(struct buffer *b);

/* ---- answer.c ---------------------------------------------------------- */

/* The response headers that the module reads. */
enum header {
  HEADER_ASYNC_OPERATION,
  HEADER_OPERATION_LOCATION,
  HEADER_LOCATION,
  HEADER_RETRY_AFTER,
  HEADER_DATE,
  HEADER_REQUEST_ID,
  HEADER_CORRELATION_ID,
  HEADER_CONTENT_LENGTH,
  HEADER_CONTENT_ENCODING,
  HEADER_TRANSFER_ENCODING,
  HEADER_COUNT
};

/* Why a callback stopped a transfer. */
enum stopped {
  STOPPED_NOT,
  STOPPED_BODY_TOO_LARGE,
  STOPPED_HEAD_TOO_LARGE,
  STOPPED_OUT_OF_MEMORY,
  STOPPED_SECOND_POST,
  STOPPED_LATE, /* before it began: the moment for it had passed */
  STOPPED_UNFIT /* before it began: not on this connection, but on a new one */
};

/* What one exchange has received so far. libcurl's callbacks write it and
 * touch nothing else. */
struct answer {
  int status;                 /* of the newest header block; 0: none came */
  bool in_head;               /* a header block has begun and not ended */
  bool head_complete;         /* the final (not 1xx) header block has ended */
  size_t head_seen;           /* header bytes of all blocks, for the limit */
  char version;               /* of HTTP, there: '1' or '2' */
  bool bad_length;            /* no number, or two that differ */
  struct buffer head;         /* captured values, each ending in NUL */
  size_t value[HEADER_COUNT]; /* offset into head + 1; 0: absent */
  bool open;                  /* the last of them was the line before */
  struct buffer body;         /* decompressed */
  size_t max_body;            /* bytes */
  bool post;                  /* a second start of this request is refused */
  int starts;                 /* times the request was about to be sent */
  bool leaving;               /* it was, on the connection it has */
  char *spoken; /* where to note which HTTP is spoken; NULL: nowhere */
  enum stopped stopped;
};

void answer_reset(struct answer *a, bool post, size_t max_body);
bool answer_reserve(struct answer *a);
void answer_free(struct answer *a);
const char *answer_header(const struct answer *a, enum header name);
const char *answer_request_id(const struct answer *a);
long long answer_retry_after(const struct answer *a);
size_t answer_on_header(char *line, size_t size, size_t count, void *answer);
size_t answer_on_body(char *bytes, size_t size, size_t count, void *answer);
bool answer_connect(struct answer *a);
bool answer_start(struct answer *a);

/* ---- seat.c ------------------------------------------------------------ */

enum { SEAT_ADDRESS = 46 }; /* bytes of an address as text */

/* What is known of a socket that libcurl uses. */
struct seat {
  int fd;
  unsigned long serial;   /* tells it from others of the number; 0: not ours */
  unsigned char wanted;   /* libcurl's interest */
  unsigned char reported; /* what the set reports of it */
  bool kept;              /* a request went out on it: its close is told */
  char spoken;            /* version of HTTP, '1' or '2'; 0: no answer yet */
  int busy;               /* exchanges begun on it and not ended */
  size_t *received;       /* where the newest of them wants its bytes noted */
  size_t before;          /* bytes that came before that one began */
  int local_port, remote_port; /* local 0: it has not begun to connect */
  char local[SEAT_ADDRESS], remote[SEAT_ADDRESS];
  struct seat *next, **link; /* in one of the lists of `seats` */
};

struct seats {
  struct seat **by_fd;
  struct seat **by_port;  /* lists, by local port */
  size_t capacity;        /* of both; a power of two */
  struct seat *newcomers; /* whose local port is not known yet */
  unsigned long serial;   /* the last */
};

struct seat *seat_of(const struct seats *s, int fd);
struct seat *seat_make(struct seats *s, int fd);
void seat_take(struct seats *s, struct seat *seat,
               const struct sockaddr *remote);
void seat_leave(struct seat *seat);
struct seat *seat_find(struct seats *s, const char *local, int local_port,
                       const char *remote, int remote_port);
bool seat_is_shared(const struct seat *seat);
bool seat_is_quiet(const struct seat *seat);
void seat_ruin(const struct seat *seat);
void seats_free(struct seats *s);

/* ---- poller.c ---------------------------------------------------------- */

#if defined(__linux__) && !defined(CPP_NO_EPOLL)
#define CPP_EPOLL 1
#else
#define CPP_EPOLL 0
#endif

/* Bits of an interest and of a readiness; the values are libcurl's
 * CURL_POLL_* and CURL_CSELECT_*. */
enum { POLLER_IN = 1, POLLER_OUT = 2, POLLER_ERROR = 4 };

struct ready {
  int fd;
  int events;
};

struct poller {
  struct seats seats;
#if CPP_EPOLL
  int set;  /* the epoll descriptor */
  int wake; /* an eventfd in it */
#else
  struct pollfd *sockets;
  size_t count, capacity;
#endif
  bool open;
  bool awake;
};

bool poller_open(struct poller *p);
void poller_close(struct poller *p);
int poller_fd(const struct poller *p);
bool poller_opened(struct poller *p, int fd, const struct sockaddr *remote);
void poller_closing(struct poller *p, int fd);
void poller_clear(struct poller *p);
bool poller_watch(struct poller *p, int fd, int events);
void poller_wake(struct poller *p, bool awake);
int poller_wait(struct poller *p, struct ready *ready, int max, int timeout);

/* ---- store.c ----------------------------------------------------------- */

bool store_is_twice(const char *folder, const char *file);
bool store_any(const char *folder, struct buffer *file);
const char *store_folder(void);

/* ---- url.c --------------------------------------------------------------- */

enum verdict {
  VERDICT_OK,
  VERDICT_FOREIGN,    /* another origin than the endpoint's */
  VERDICT_INSECURE,   /* plain http to a host that is not loopback */
  VERDICT_LINK_LOCAL, /* nothing here talks to such an address */
  VERDICT_USER_INFO,  /* user:password@ in the URL */
  VERDICT_INVALID,    /* not a URL, or with bytes no URL has */
  VERDICT_NOT_ORIGIN, /* an endpoint with a path, query or fragment */
  VERDICT_NO_MEMORY
};

bool url_has_forbidden_byte(const char *text);
enum verdict url_verdict(CURLUcode code);
enum verdict url_parse(CURLU *url, const char *text);
enum verdict url_add_part(struct buffer *b, const char *before, CURLU *url,
                          CURLUPart part, unsigned flags, const char *after);
bool url_add_escaped(struct buffer *b, const char *text, size_t size);
bool url_add_segment(struct buffer *b, const char *id, size_t size);
char url_decode(const char *text, size_t size, size_t *taken);

/* ---- origin.c ------------------------------------------------------------ */

enum verdict origin_write(CURLU *url, struct buffer *b);
bool origin_is_plain(const char *origin);
enum verdict origin_check(const char *origin);
enum verdict origin_parse(const char *text, struct buffer *origin);
enum verdict origin_set(CURLU *url, const char *origin);

/* ---- proxy.c ------------------------------------------------------------- */

enum verdict proxy_check(const char *text);
const char *proxy_ambient(void);
bool proxy_set(CURL *easy, const char *text);

/* ---- location.c ---------------------------------------------------------- */

size_t location_base(const char *base, const char *text);
enum verdict location_parse(const char *text, struct buffer *url,
                            size_t *origin);
enum verdict location_aim(const char *text, const char *base,
                          const char *origin, const char *api_version,
                          struct buffer *found);
const char *location_segment_after(const char *location, const char *name,
                                   size_t *size);

/* ---- end of the half without Lua --------------------------------------- */

#ifndef CPP_WITHOUT_LUA

struct client;
struct request;
struct transfer;

/* ---- hook.c ------------------------------------------------------------ */

void hook_register(lua_State *L);
int hook_call_without(lua_State *L);
void hook_run(lua_State *L);

/* ---- host.c ------------------------------------------------------------ */

/* An origin that requests are under way to, or were. */
struct host {
  char *origin;
  char spoken;    /* version of HTTP, '1' or '2'; 0: no answer yet */
  long flying;    /* requests that libcurl has been given */
  long unstarted; /* of these, those that have not begun to leave */
  struct request *first, *last; /* that wait for their turn */
  struct host *next;
};

struct host *host_of(struct client *c, const char *origin);
bool host_has_room(const struct host *h, long max_connections);
void host_enqueue(struct request *r);
void host_add(struct request *r);
void host_start(struct request *r, char spoken);
void host_depart(struct request *r);
void hosts_free(struct client *c);

/* ---- connection.c ------------------------------------------------------ */

curl_socket_t connection_open(void *transfer, curlsocktype purpose,
                              struct curl_sockaddr *address);
int connection_close(void *client, curl_socket_t fd);
int connection_on_start(void *transfer, char *remote, char *local,
                        int remote_port, int local_port);
void connection_leave(struct transfer *t);

/* ---- transfer.c -------------------------------------------------------- */

enum http_version { HTTP_ANY, HTTP_1_1, HTTP_2 };

/* Checked options. The strings belong to Lua: the userdata that holds this
 * struct keeps them, and the settings that it was derived from, alive. */
struct settings {
  unsigned long profile;   /* equal profiles: equal transport options */
  const char *endpoint;    /* an origin: scheme://host[:port], no slash */
  const char *token;       /* NULL: none, or a function */
  const char *token_fault; /* what is wrong with CPP_TOKEN; NULL: nothing */
  const char *api_version;
  const char *notification_emails;
  const char *if_match;
  const char *headers; /* lines, each ending in NUL, then an empty one */
  const char *user_agent;
  const char *client_request_id;
  const char *ca_file, *ca_path;
  const char *proxy;
  const char *status;              /* filter of a list */
  double timeout, connect_timeout; /* seconds */
  double start_by;                 /* on process_clock; HUGE_VAL: whenever */
  size_t max_body;
  long max_connections;
  enum http_version http_version;
  bool token_function, trace, wait, dry_run;
  bool ambient_ca; /* ca_file or ca_path is the environment's */
};

/* A pooled easy handle with what belongs to it: its parsed origin, the text of
 * its request headers and what it receives. libcurl connects to the origin and
 * sends the rest of the URL as it stands in `text`. */
struct transfer {
  CURL *easy;           /* NULL: none while the request waits its turn */
  CURLU *url;           /* the origin */
  struct buffer origin; /* the same as text */
  struct buffer text;   /* the whole URL, api-version and all; empty: refused */
  struct buffer target; /* path and query now set on `easy`; empty: none */
  struct buffer lines;  /* request header lines, each ending in NUL */
  struct buffer nodes;  /* the curl_slist over them */
  struct buffer location; /* one that the answer names, in full */
  struct buffer body;     /* request body */
  size_t received;        /* bytes since it began, where its connection ended */
  size_t head_size;       /* bytes of URL and headers */
  size_t token;           /* offset of the token in `lines`; 0: none */
  size_t id;              /* offset of the client request id in `lines` */
  struct answer answer;
  char error[CURL_ERROR_SIZE];
  unsigned long profile; /* transport options now set on `easy` */
  bool plain;            /* and for which scheme they were set */
  bool post;             /* method now set on `easy` */
  bool fresh;            /* `easy` has no options yet */
  bool apart;            /* `easy` is to open a new connection */
  struct seat *seat;     /* of the connection that it began on; NULL: none */
  unsigned long serial;  /* of that seat then */
  struct request *request;
  struct transfer *next; /* in the pool */
};

bool transfer_has_http2(void);
struct transfer *transfer_new(void);
void transfer_free(struct transfer *t);
struct curl_slist *transfer_headers(const struct transfer *t);
bool transfer_compose(struct request *r, const struct settings *s,
                      const char *token);
bool transfer_prepare(struct transfer *t, const struct settings *s);
void transfer_adopt(struct transfer *t, struct transfer *from);
bool transfer_set_apart(struct transfer *t, bool apart);

/* ---- engine.c ---------------------------------------------------------- */

enum purpose {
  TO_CANCEL,
  TO_POLL,
  TO_LIST,
  TO_STATUS,
  TO_TOKEN,
  TO_JSON,
  TO_SLEEP
};

enum progress { PREPARED, FLYING, ENDED, COLLECTED };

/* Why a request ended without libcurl saying so. */
enum cause {
  CAUSE_NONE,
  CAUSE_TIMEOUT,
  CAUSE_CLOSED,
  CAUSE_OUT_OF_MEMORY,
  CAUSE_NO_DESCRIPTORS,
  CAUSE_NOT_STARTED /* by the time of the option start_by */
};

/* Where a request is on its way through libcurl. */
enum place { NOWHERE, QUEUED, ADDED, STARTED };

/* One call under way. Its userdata lives on the stack of the call. */
struct request {
  struct client *client;           /* NULL once the call has left the client */
  struct transfer *transfer;       /* borrowed from the client; NULL: none */
  struct request *previous, *next; /* in the client's list for `progress` */
  double deadline;                 /* on process_clock */
  double timeout;                  /* the seconds until then, at first */
  double asked; /* deadline of the call in whose token function its own runs */
  enum purpose purpose;
  enum progress progress;
  enum cause cause;
  CURLcode code;
  bool post;
  int error;      /* errno behind `cause`; 0: none */
  bool failed;    /* the table of the call holds an error */
  bool handed;    /* client:finished can tell it */
  bool asking;    /* its token function runs */
  bool launched;  /* libcurl has been asked to do it */
  bool collected; /* a collection was run to free descriptors for it */
  const struct settings *settings; /* of the call; NULL: a sleep has none */
  enum place place;
  struct host *host;               /* unless it is nowhere */
  struct request *before, *behind; /* in the host's queue */
};

struct list {
  struct request *first, *last;
};

/* The userdata of type cpp.client. */
struct client {
  CURLM *multi; /* NULL: to be made by the next launch */
  struct poller poller;
  pid_t owner;
  bool closed;
  bool exposed;            /* somebody outside may sleep on the descriptor */
  int calls;               /* calls and sleeps that have not returned */
  int most_calls;          /* as many of them as there ever were */
  bool asks;               /* a call has asked a token function */
  double hooked;           /* when Lua's hooks last had their chance */
  double curl_deadline;    /* when libcurl wants to be called */
  double request_deadline; /* no request in flight ends before */
  struct list flying, ended;
  struct host *hosts;
  long hosted;         /* how many */
  bool vacancy;        /* a request that waits its turn may have it */
  bool kicked;         /* a sleeper on the descriptor is to step at once */
  int error;           /* errno of the last callback that failed */
  unsigned idle_turns; /* steps with an ended request since one was collected */
  double idle_since;   /* the first of them */
  bool searched;       /* and a full collection was run */
  struct transfer *pool;
  long pooled;
  const struct settings *settings;
  unsigned char entropy[256];
  size_t entropy_used;
};

bool engine_is_foreign(const struct client *c);
bool engine_open(lua_State *L, struct client *c);
void engine_close(struct client *c);
void engine_release(struct client *c);
void engine_wake(struct client *c);
struct transfer *engine_borrow(struct client *c, struct request *r);
void engine_return(struct client *c, struct request *r);
void engine_enter(struct client *c, struct request *r);
void engine_leave(struct client *c, struct request *r);
void engine_launch(lua_State *L, struct request *r);
bool engine_launch_again(lua_State *L, struct request *r);
void engine_collect(struct client *c, struct request *r);
void engine_step(lua_State *L, struct client *c, double seconds);

/* ---- table.c ----------------------------------------------------------- */

int table_get(lua_State *L, int table, const char *name);
const char *table_text(lua_State *L, int table, const char *name);
void table_set_string(lua_State *L, int table, const char *name,
                      const char *text);
void table_set_integer(lua_State *L, int table, const char *name,
                       lua_Integer value);
void table_set_boolean(lua_State *L, int table, const char *name, bool value);
bool table_copy(lua_State *L, int from, int to, const char *name);

/* ---- json.c ------------------------------------------------------------ */

void json_register(lua_State *L);
const char *json_start(const char *text);
bool json_decode(lua_State *L, int text);
void json_encode(lua_State *L, int value);

/* ---- text.c ------------------------------------------------------------ */

void text_push_bytes(lua_State *L, const struct buffer *b);
void text_push_clean(lua_State *L, const char *text);
const char *text_push_masked(lua_State *L, const char *text);
const char *text_push_proxy(lua_State *L, const char *url);

/* ---- bearer.c ---------------------------------------------------------- */

const char *bearer_trim(lua_State *L);
int bearer_check(lua_State *L);

/* ---- file.c ------------------------------------------------------------ */

int file_read(lua_State *L);

/* ---- check.c ------------------------------------------------------------- */

const char *check_id_fault(lua_State *L, int index);
void check_id(lua_State *L, int index, const char *what);
bool check_is_callable(lua_State *L, int index);
bool check_is_header_text(const char *text, size_t size);
double check_duration(lua_State *L, int index, const char *what);
void check_origin(lua_State *L, const char *name);
const char *check_nearer(const char *name, const char *best,
                         const char *candidate);
int check_unknown(lua_State *L, const char *name, const char *nearest);
const char *check_key(lua_State *L);
void check_fields(lua_State *L, int table, const char *const names[]);

typedef void check_option(lua_State *L, const char *name, void *field);

check_option check_string, check_header_value, check_boolean, check_callable,
    check_size, check_count, check_seconds, check_time, check_endpoint,
    check_token, check_token_variable, check_emails, check_proxy,
    check_http_version;

/* ---- headers.c ----------------------------------------------------------- */

check_option headers_check, headers_check_all;

/* ---- settings.c ---------------------------------------------------------- */

/* Who accepts an option. */
enum scope { SCOPE_CLIENT = 1, SCOPE_CALL = 2, SCOPE_LIST = 4 };

const struct settings *settings_default(lua_State *L, int given);
const struct settings *settings_derive(lua_State *L, int base, int given,
                                       enum scope scope);
void settings_with_headers(lua_State *L, int base);
void settings_push(lua_State *L, int index, const char *option);

/* ---- client.c ---------------------------------------------------------- */

void client_register(lua_State *L);
int client_new(lua_State *L);
struct client *client_check(lua_State *L, int index);
struct client *client_usable(lua_State *L, int index);
void client_check_owner(lua_State *L, const struct client *c);
void client_push_settings(lua_State *L, int index);
bool client_push_wait(lua_State *L, int index);
void client_hand(lua_State *L, int index, struct request *r);
void client_push_rejected(lua_State *L, int index);
double client_set_asking(lua_State *L, int index, double deadline);
double client_time(lua_State *L, int index, double timeout);
void client_set_rejected(lua_State *L, int index, const char *token);
void client_add_methods(lua_State *L, const luaL_Reg *methods);

/* ---- error.c ------------------------------------------------------------- */

void error_register(lua_State *L);
int error_new(lua_State *L);
void error_set(lua_State *L, int table, const char *kind, const char *code,
               const char *format, ...);
void error_set_memory(lua_State *L, int table);

/* ---- operation.c ------------------------------------------------------- */

enum state {
  ACCEPTED,
  NOT_STARTED,
  RUNNING,
  WAITING,
  SUCCEEDED,
  FAILED,
  CANCELED,
  UNKNOWN
};

void operation_register(lua_State *L);
void operation_set_type(lua_State *L, int table);
void operation_set_state(lua_State *L, int table, enum state state);
void operation_read(lua_State *L, int table, const char *word);
void operation_remember(lua_State *L, int table);
bool operation_to_object(lua_State *L);
const char *operation_filter_to_send(const char *filter);
bool operation_matches(lua_State *L, const char *filter);
int operation_fold_word(lua_State *L);

/* ---- exchange.c ---------------------------------------------------------- */

/* Stack of a call from its first exchange byte to its return. */
enum slot {
  SLOT_CLIENT = 1,
  SLOT_FIRST,  /* publisher, operation or client secret; or nil */
  SLOT_SECOND, /* offer, or location; or nil */
  SLOT_SETTINGS,
  SLOT_REQUEST, /* to be closed */
  SLOT_TABLE,   /* made before anything is sent: the result or the error */
  SLOT_TOP = SLOT_TABLE
};

const struct settings *exchange_settings(lua_State *L);
bool exchange_brings_token(const struct request *r);
bool exchange_is_passing(int status);
bool exchange_add_segment(lua_State *L, struct buffer *b, int index);
bool exchange_write_url(lua_State *L, struct buffer *url, const char *tail,
                        int id, const char *filter);
void exchange_set_offer(lua_State *L, int table);
void exchange_set_ids(lua_State *L, int table, const struct transfer *t);
void exchange_set_pause(lua_State *L, int table, const struct transfer *t);
void exchange_set_location(lua_State *L, struct request *r);

/* ---- secret.c ------------------------------------------------------------ */

void secret_redact(lua_State *L, const struct request *r, int table);

/* ---- wire.c -------------------------------------------------------------- */

long wire_proxy_status(const struct request *r);
bool wire_is_whole(lua_State *L, const struct request *r);
void wire_explain(lua_State *L, struct request *r);

/* ---- failure.c ----------------------------------------------------------- */

void failure_exchange(lua_State *L, struct request *r);
void failure_from_verdict(lua_State *L, struct request *r,
                          enum verdict verdict);
void failure_from_url(lua_State *L, struct request *r, enum verdict verdict);
void failure_from_transfer(lua_State *L, struct request *r);
void failure_from_status(lua_State *L, struct request *r);

/* ---- list.c -------------------------------------------------------------- */

bool list_keep(lua_State *L, struct transfer *t, const char *filter);

/* ---- response.c ---------------------------------------------------------- */

bool response_build(lua_State *L, struct request *r);

/* ---- trace.c ----------------------------------------------------------- */

void trace_push_event(lua_State *L, struct request *r);
void trace_fill_dry_run(lua_State *L, struct request *r);

/* ---- request.c ----------------------------------------------------------- */

void request_register(lua_State *L);
struct request *request_of(lua_State *L);
struct request *request_push(lua_State *L, enum purpose purpose);
struct request *request_open(lua_State *L, enum purpose purpose);
struct request *request_begin(lua_State *L, enum purpose purpose);
void request_step(lua_State *L, struct request *r, double seconds);
int request_refuse(lua_State *L);
int request_refuse_memory(lua_State *L);
int request_refuse_location(lua_State *L, enum verdict verdict);
int request_go(lua_State *L, const char *origin, size_t size);
int request_follow(lua_State *L, const char *location);

/* ---- fetch.c ----------------------------------------------------------- */

void fetch_register(lua_State *L);

/* ---- calls.c ------------------------------------------------------------- */

void calls_register(lua_State *L);
int calls_cancel(lua_State *L);
int calls_poll(lua_State *L);

#endif /* CPP_WITHOUT_LUA */

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#endif
