/* transfer.c - one libcurl easy handle and what belongs to it.
 *
 * Transfers are pooled: a handle keeps its options, its parsed origin and its
 * buffers from one exchange to the next.
 */
#include "cpp.h"

#include <math.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h> /* getentropy, where sys/random.h has it not */

/* Bytes of a body from which on libcurl may expect a 100 Continue. */
#define LONG_BODY ((size_t)64 * 1024)

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

/* Before 8.9, libcurl frees a session's name twice when it runs out of memory
 * while it keeps a second session of one connection (TLS 1.3 sends two). */
static bool set_sessions(struct transfer *t) {
  return SET(SSL_SESSIONID_CACHE, knows(0x080900) ? 1L : 0L);
}

#ifdef __ELF__
#pragma weak SSL_CTX_ctrl
#endif
extern long SSL_CTX_ctrl(void *context, int command, long value, void *more);

#define SSL_CTRL_SET_READ_AHEAD 41

/* CURLOPT_SSL_CTX_FUNCTION */
static CURLcode on_context(CURL *easy, void *context, void *unused) {
  (void)easy, (void)unused;
  SSL_CTX_ctrl(context, SSL_CTRL_SET_READ_AHEAD, 0, NULL);
  return CURLE_OK;
}

static bool is_openssl(const char *version) {
  return version && (strncmp(version, "OpenSSL/", 8) == 0 ||
                     strncmp(version, "quictls/", 8) == 0 ||
                     strncmp(version, "LibreSSL/", 9) == 0);
}

/* From 8.15 on libcurl has OpenSSL read ahead: what came behind an answer would
 * lie there, out of sight of a look at the socket. */
static bool set_read_ahead(struct transfer *t) {
  return !knows(0x080f00) ||
         !is_openssl(curl_version_info(CURLVERSION_NOW)->ssl_version) ||
         !SSL_CTX_ctrl || SET(SSL_CTX_FUNCTION, on_context);
}

/* What points to the transfer itself. */
static bool set_owner(struct transfer *t) {
  return SET(PRIVATE, t) && SET(CURLU, t->url) && SET(ERRORBUFFER, t->error) &&
         SET(OPENSOCKETDATA, t) && SET(HEADERDATA, &t->answer) &&
         SET(WRITEDATA, &t->answer) && SET(PREREQDATA, t);
}

/* What every exchange of a transfer has in common. */
static bool set_constants(struct transfer *t) {
  return set_owner(t) && set_protocols(t) && set_quick_exit(t) &&
         set_no_signal(t) && set_sessions(t) && set_read_ahead(t) &&
         SET(ACCEPT_ENCODING, "gzip") && SET(TCP_KEEPALIVE, 1L) &&
         SET(SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) &&
         SET(OPENSOCKETFUNCTION, connection_open) &&
         SET(CLOSESOCKETFUNCTION, connection_close) &&
         SET(CLOSESOCKETDATA, t->request->client) &&
         SET(HEADERFUNCTION, answer_on_header) &&
         SET(WRITEFUNCTION, answer_on_body) &&
         SET(PREREQFUNCTION, connection_on_start);
}

/* Plain http reaches loopback only, where no proxy has a place. */
static bool set_proxy(struct transfer *t, const struct settings *s,
                      bool plain) {
  if (plain)
    return SET(PROXY, "") && SET(NOPROXY, "");
  return !s->proxy || (proxy_set(t->easy, s->proxy) && SET(NOPROXY, ""));
}

/* That of the environment is read for each exchange, as libcurl itself does. */
static bool set_ambient_proxy(struct transfer *t, const struct settings *s) {
  const char *proxy;
  if (t->plain || s->proxy)
    return true;
  proxy = proxy_ambient();
  return proxy && proxy_set(t->easy, proxy);
}

bool transfer_has_http2(void) {
  return curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_HTTP2;
}

/* Each exchange has a connection to itself: libcurl would begin one on a kept
 * connection of HTTP/1.1, and 7.88 cannot use one of HTTP/2 again. */
static bool set_prior_knowledge(struct transfer *t) {
  return SET(HTTP_VERSION, (long)CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE) &&
         SET(FORBID_REUSE, 1L);
}

static bool set_http_version(struct transfer *t, const struct settings *s,
                             bool plain) {
  if (s->http_version == HTTP_1_1 || !transfer_has_http2())
    return SET(HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
  if (plain)
    return s->http_version == HTTP_ANY || set_prior_knowledge(t);
  return SET(HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS) && SET(PIPEWAIT, 1L);
}

/* A TLS library that has no such option has no such store either. */
static bool set_store(struct transfer *t, CURLoption option,
                      const char *value) {
  CURLcode code = curl_easy_setopt(t->easy, option, value);
  return code == CURLE_OK || (!value && code == CURLE_NOT_BUILT_IN);
}

static bool set_stores(struct transfer *t, const char *file, const char *path) {
  return set_store(t, CURLOPT_CAINFO, file) &&
         set_store(t, CURLOPT_PROXY_CAINFO, file) &&
         set_store(t, CURLOPT_CAPATH, path) &&
         set_store(t, CURLOPT_PROXY_CAPATH, path);
}

/* From 8.21 on, NULL is no empty store but libcurl's default: there a file
 * stands in for the path, where OpenSSL finds nothing under it, and one of the
 * path's own certificates for the file. */
static bool set_one_store(struct transfer *t, const char *file,
                          const char *path) {
  struct buffer any = {0};
  bool ok;
  if (!knows(0x081500))
    return set_stores(t, file, path);
  if (file)
    return set_stores(t, file, file);
  ok = store_any(path, &any) && set_stores(t, any.data, path);
  buffer_free(&any);
  return ok;
}

/* What is given stands in for the system's store as a whole, both file and
 * path, for an https proxy too. */
static bool set_ca(struct transfer *t, const struct settings *s) {
  if (s->ca_file && s->ca_path)
    return set_stores(t, s->ca_file, s->ca_path);
  if (s->ca_file || s->ca_path)
    return set_one_store(t, s->ca_file, s->ca_path);
  return !store_folder() || set_one_store(t, NULL, store_folder());
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
  t->post = t->apart = false;
  buffer_clear(&t->target);
  return true;
}

/* Takes over the easy handle of another transfer, which then has none. Where
 * its options cannot be set it is made anew. */
void transfer_adopt(struct transfer *t, struct transfer *from) {
  t->easy = from->easy;
  t->post = from->post;
  t->fresh = false;
  t->apart = from->apart;
  t->plain = from->plain;
  t->profile = set_owner(t) ? from->profile : 0;
  from->easy = NULL;
}

/* Applies the connection's options where they are not those of the exchange
 * before. False: out of memory; the handle is then made anew. */
static bool configure(struct transfer *t, const struct settings *s,
                      bool plain) {
  if (t->profile == s->profile && t->plain == plain)
    return true;
  if ((!t->fresh || !t->easy) && !renew(t))
    return false;
  t->fresh = false;
  t->profile = 0;
  if (!set_constants(t) || !set_transport(t, s, plain))
    return false;
  t->profile = s->profile;
  t->plain = plain;
  return true;
}

void transfer_free(struct transfer *t) {
  curl_easy_cleanup(t->easy);
  curl_url_cleanup(t->url);
  buffer_free(&t->origin);
  buffer_free(&t->text);
  buffer_free(&t->target);
  buffer_free(&t->lines);
  buffer_free(&t->nodes);
  buffer_free(&t->location);
  buffer_free(&t->body);
  answer_free(&t->answer);
  free(t);
}

struct transfer *transfer_new(void) {
  struct transfer *t = CPP_REALLOC(NULL, sizeof *t);
  if (!t)
    return NULL;
  memset(t, 0, sizeof *t);
  t->url = curl_url();
  t->fresh = true;
  if (t->url)
    return t;
  transfer_free(t);
  return NULL;
}

/* The list of request headers. */
struct curl_slist *transfer_headers(const struct transfer *t) {
  return (struct curl_slist *)(void *)t->nodes.data;
}

/* ---- headers, method, body ---- */

/* Adds the line of a name, with ": ", and a value. */
static bool add_line(struct transfer *t, const char *name, const char *value) {
  return buffer_add(&t->lines, name) &&
         buffer_append(&t->lines, value, strlen(value) + 1);
}

/* Writes a fresh random (version 4) UUID. */
static void write_uuid(struct client *c, char text[37]) {
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

static bool add_id(struct client *c, struct transfer *t,
                   const struct settings *s) {
  char uuid[37];
  const char *id = s->client_request_id;
  if (!id) {
    write_uuid(c, uuid);
    id = uuid;
  }
  if (!add_line(t, "x-ms-client-request-id: ", id))
    return false;
  t->id = t->lines.length - strlen(id) - 1;
  return true;
}

static bool add_token(struct transfer *t, const char *token) {
  if (!token)
    return true;
  if (!buffer_add(&t->lines, "Authorization: Bearer "))
    return false;
  t->token = t->lines.length;
  return buffer_append(&t->lines, token, strlen(token) + 1);
}

/* libcurl would write the second line too, anew for each request. A dry run is
 * a command line whose reader expects plain text. */
static bool add_accept(struct transfer *t, const struct settings *s) {
  static const char lines[] = "Accept: application/json\0"
                              "Accept-Encoding: gzip";
  return buffer_append(&t->lines, lines,
                       s->dry_run ? strlen(lines) + 1 : sizeof lines);
}

/* libcurl would let a body of a megabyte wait for a 100 Continue. */
static bool add_expect(struct transfer *t) {
  return t->body.length < LONG_BODY || add_line(t, "Expect: ", "");
}

/* libcurl's list is not const; it is only read. */
static bool add_nodes(struct transfer *t, const char *line) {
  const char *first = line;
  for (; *line; line += strlen(line) + 1) {
    struct curl_slist node = {NULL, NULL};
    memcpy(&node.data, &line, sizeof line);
    if (!buffer_append(&t->nodes, &node, sizeof node))
      return false;
  }
  t->head_size += (size_t)(line - first);
  return true;
}

/* Makes the list over the lines, and over the caller's own, which are for the
 * portal and not for who grants the token. Its nodes lie in one block, so that
 * a call allocates nothing for its headers once the transfer is warm. */
static bool link_lines(struct transfer *t, const struct settings *s) {
  struct curl_slist *node;
  size_t count;
  buffer_clear(&t->nodes);
  t->head_size = t->text.length;
  if (!buffer_append(&t->lines, "", 1) || !add_nodes(t, t->lines.data))
    return false;
  if (t->request->purpose != TO_TOKEN && !add_nodes(t, s->headers))
    return false;
  count = t->nodes.length / sizeof *node;
  node = transfer_headers(t);
  for (size_t i = 0; i + 1 < count; i++)
    node[i].next = &node[i + 1];
  return true;
}

/* Writes the request's headers. False: out of memory. */
bool transfer_compose(struct request *r, const struct settings *s,
                      const char *token) {
  struct transfer *t = r->transfer;
  const char *type = r->purpose == TO_TOKEN
                         ? "application/x-www-form-urlencoded"
                         : "application/json";
  bool post = r->post;
  buffer_clear(&t->lines);
  t->token = t->id = t->received = 0;
  answer_reset(&t->answer, post, s->max_body);
  return add_token(t, token) && add_id(r->client, t, s) &&
         add_line(t, "User-Agent: ", s->user_agent) && add_accept(t, s) &&
         (!post || add_line(t, "Content-Type: ", type)) && add_expect(t) &&
         (!s->if_match || r->purpose != TO_CANCEL ||
          add_line(t, "If-Match: ", s->if_match)) &&
         link_lines(t, s);
}

/* A POST always has a body, if one of no bytes: libcurl then sends its
 * Content-Length. */
static bool set_method(struct transfer *t) {
  bool post = t->answer.post;
  if (!post && !t->post)
    return true;
  t->post = post;
  if (!post)
    return curl_easy_setopt(t->easy, CURLOPT_HTTPGET, 1L) == CURLE_OK;
  return curl_easy_setopt(t->easy, CURLOPT_POST, 1L) == CURLE_OK &&
         curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE,
                          (curl_off_t)t->body.length) == CURLE_OK &&
         curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS,
                          t->body.data ? t->body.data : "") == CURLE_OK;
}

/* Whether the exchange opens a new connection. */
bool transfer_set_apart(struct transfer *t, bool apart) {
  if (t->apart != apart && !SET(FRESH_CONNECT, (long)apart))
    return false;
  t->apart = apart;
  return true;
}

/* A POST over HTTP/1.x, as far as is known; and plain HTTP/2. */
static bool is_apart(const struct transfer *t, const struct settings *s) {
  return (t->answer.post && t->request->host->spoken == '1') ||
         (t->plain && s->http_version == HTTP_2);
}

/* Sets the path and query of the transfer's URL, unless the exchange before had
 * the same. */
static bool set_target(struct transfer *t) {
  const char *target = strchr(strstr(t->text.data, "://") + 3, '/');
  size_t size = strlen(target);
  return buffer_equals(&t->target, target, size) ||
         (buffer_set(&t->target, target, size) && SET(REQUEST_TARGET, target));
}

/* Sets the easy handle for the request. False: out of memory; the handle is
 * then made anew. */
bool transfer_prepare(struct transfer *t, const struct settings *s) {
  t->error[0] = '\0';
  if (answer_reserve(&t->answer) &&
      configure(t, s, origin_is_plain(t->text.data)) &&
      set_ambient_proxy(t, s) && set_method(t) &&
      transfer_set_apart(t, is_apart(t, s)) && set_target(t) &&
      SET(HTTPHEADER, transfer_headers(t)))
    return true;
  t->profile = 0;
  return false;
}
