/* wire.c - whether an answer came whole, and why not.
 *
 * libcurl's code for an event changes with its version, its TLS library, and
 * over HTTP/2 with who notices first. So the words are chosen by what was sent
 * and received; the code only says which part failed. docs/errors.md lists the
 * events and their words.
 */
#include "cpp.h"

#include <locale.h>
#include <math.h>
#include <string.h>

/* CURLE_TOO_LARGE of libcurl 8.6, which headers that are older do not name. */
#define TOO_LARGE ((CURLcode)100)

/* Bytes of a line of a head that libcurl takes, before 8.6. */
#define LONGEST_LINE ((size_t)100 * 1024)

static const struct answer *answer_of(const struct request *r) {
  return &r->transfer->answer;
}

static void set_word(lua_State *L, const char *kind, const char *code,
                     bool retryable, const char *message) {
  error_set(L, SLOT_TABLE, kind, code, "%s", message);
  table_set_boolean(L, SLOT_TABLE, "retryable", retryable);
}

/* ---- the wire ---- */

/* Codes that say that the wire broke, or that what came over it is no frame of
 * HTTP/2, which to newer versions is a strange answer. An alert after the
 * handshake is a failure of TLS to some. */
static bool is_broken(const struct request *r) {
  switch (r->code) {
  case CURLE_GOT_NOTHING:
  case CURLE_SEND_ERROR:
  case CURLE_RECV_ERROR:
  case CURLE_PARTIAL_FILE:
  case CURLE_HTTP2:
  case CURLE_HTTP2_STREAM:
    return true;
  case CURLE_SSL_CONNECT_ERROR:
    return answer_of(r)->starts > 0;
  case CURLE_WEIRD_SERVER_REPLY:
    return strncmp(r->transfer->error, "[HTTP2]", 7) == 0;
  default:
    return false;
  }
}

/* Over HTTP/2 it is chance whether libcurl passes on a head that has come. */
static void set_broken(lua_State *L, const struct answer *a) {
  if (a->head_complete && a->version == '1')
    set_word(L, "transport", "incomplete_answer", true,
             "the connection was lost within the answer");
  else if (a->starts > 0)
    set_word(L, "transport", "connection_lost", true,
             "the connection was lost before the answer");
  else
    set_word(L, "transport", "connection_lost", true,
             "the connection was lost before the request");
}

/* Something that is no status line, or a change of protocols, and libcurl finds
 * it good. */
static bool is_alien(const struct request *r) {
  const struct answer *a = answer_of(r);
  return r->code == CURLE_OK && !a->head_complete &&
         (a->status == 101 || (a->status == 0 && a->head_seen > 0));
}

/* ---- the proxy ---- */

/* The status with which a proxy refused the tunnel; 0: it did not. */
long wire_proxy_status(const struct request *r) {
  long status = 0;
  if (r->code == CURLE_OK || r->cause != CAUSE_NONE)
    return 0;
  curl_easy_getinfo(r->transfer->easy, CURLINFO_HTTP_CONNECTCODE, &status);
  return status / 100 == 2 ? 0 : status;
}

/* Whether a proxy that speaks SOCKS said no: else the wire to it broke. */
static bool is_socks_refusal(long why) {
  switch (why) {
  case CURLPX_CLOSED:
  case CURLPX_RECV_ADDRESS:
  case CURLPX_RECV_AUTH:
  case CURLPX_RECV_CONNECT:
  case CURLPX_RECV_REQACK:
  case CURLPX_SEND_AUTH:
  case CURLPX_SEND_CONNECT:
  case CURLPX_SEND_REQUEST:
    return false;
  default:
    return true;
  }
}

/* Tried again, a wrong password locks the account. */
static bool set_proxy(lua_State *L, struct request *r) {
  long why = CURLPX_OK;
  long status = wire_proxy_status(r);
  if (status) {
    lua_pushfstring(L, "the proxy refused the tunnel: HTTP %d", (int)status);
    set_word(L, "transport", "proxy_refused", exchange_is_passing((int)status),
             lua_tostring(L, -1));
    lua_pop(L, 1);
    table_set_integer(L, SLOT_TABLE, "status", status);
    return true;
  }
  if (r->code != CURLE_PROXY)
    return false;
  curl_easy_getinfo(r->transfer->easy, CURLINFO_PROXY_ERROR, &why);
  if (!is_socks_refusal(why)) {
    set_broken(L, answer_of(r));
    return true;
  }
  /* A name that the proxy was to get as an address is looked up here. */
  if (why == CURLPX_RESOLVE_HOST) {
    set_word(L, "transport", "could_not_resolve", true,
             text_push_masked(L, r->transfer->error));
    lua_pop(L, 1);
    return true;
  }
  lua_pushfstring(L, "the proxy refused the connection: %s",
                  text_push_masked(L, r->transfer->error));
  set_word(L, "transport", "proxy_refused", false, lua_tostring(L, -1));
  lua_pop(L, 2);
  return true;
}

/* libcurl's codes for a URL that it has no memory to take are those for one
 * that is none. Each that it gets has been parsed before. */
static bool set_memory(lua_State *L, const struct request *r) {
  const char *text = r->transfer->error;
  if (strcmp(text, "No URL set") != 0 &&
      strncmp(text, "Unsupported proxy syntax", 24) != 0)
    return false;
  error_set_memory(L, SLOT_TABLE);
  return true;
}

/* A proxy of the environment whose URL is none. libcurl has no code for that,
 * but begins its text so. */
static bool set_no_proxy_url(lua_State *L, const struct request *r) {
  if (strncmp(r->transfer->error, "Unsupported proxy", 17) != 0)
    return false;
  set_word(L, "transport", "invalid_proxy", false,
           "the environment names a proxy that is no proxy's URL (https_proxy "
           "or all_proxy)");
  return true;
}

/* ---- what the module itself ended ---- */

/* Pushes seconds, to the millisecond, as Lua writes a number, but with a point
 * in every locale. */
static const char *push_seconds(lua_State *L, double seconds) {
  double shown = seconds < 0.001 ? seconds : round(seconds * 1000) / 1000;
  const char *text = lua_pushfstring(L, "%f", shown);
  text = luaL_gsub(L, text, localeconv()->decimal_point, ".");
  lua_remove(L, -2);
  return text;
}

static void set_timeout(lua_State *L, const struct answer *a, double seconds) {
  const char *stage = a->starts == 0   ? "no connection"
                      : a->status == 0 ? "no answer"
                                       : "no complete answer";
  error_set(L, SLOT_TABLE, "transport", "timeout", "%s within %s seconds",
            stage, push_seconds(L, seconds));
  lua_pop(L, 1);
  table_set_boolean(L, SLOT_TABLE, "retryable", true);
}

static bool set_cause(lua_State *L, struct request *r) {
  switch (r->cause) {
  case CAUSE_TIMEOUT:
    set_timeout(L, answer_of(r), r->timeout);
    return true;
  case CAUSE_CLOSED:
    error_set(L, SLOT_TABLE, "closed", "closed",
              "the client was closed during the call");
    return true;
  case CAUSE_OUT_OF_MEMORY:
    error_set_memory(L, SLOT_TABLE);
    return true;
  case CAUSE_NO_DESCRIPTORS:
    error_set(L, SLOT_TABLE, "transport", "no_descriptors",
              "no descriptor is left: %s", strerror(r->error));
    table_set_boolean(L, SLOT_TABLE, "retryable", true);
    return true;
  case CAUSE_NOT_STARTED:
    set_word(L, "transport", "not_started", true,
             "the request had not begun to leave by the time of 'start_by'");
    return true;
  case CAUSE_NONE:
    break;
  }
  return false;
}

static bool set_stopped(lua_State *L, const struct answer *a) {
  switch (a->stopped) {
  case STOPPED_BODY_TOO_LARGE:
    error_set(L, SLOT_TABLE, "protocol", "body_too_large",
              "the body is larger than max_body (%I bytes)",
              (lua_Integer)a->max_body);
    return true;
  case STOPPED_HEAD_TOO_LARGE:
    error_set(L, SLOT_TABLE, "protocol", "headers_too_large",
              "the headers of the answer never end");
    return true;
  case STOPPED_OUT_OF_MEMORY:
    error_set_memory(L, SLOT_TABLE);
    return true;
  case STOPPED_SECOND_POST:
    set_broken(L, a);
    return true;
  case STOPPED_NOT:
  case STOPPED_LATE:
  case STOPPED_UNFIT:
    break;
  }
  return false;
}

/* ---- what libcurl ended ---- */

struct trouble {
  const char *kind, *word;
  CURLcode code;
  bool retryable;
};

static const struct trouble troubles[] = {
    {"transport", "could_not_resolve", CURLE_COULDNT_RESOLVE_HOST, true},
    /* A name that libcurl cannot spell in ASCII, under this locale at least. */
    {"transport", "could_not_resolve", CURLE_URL_MALFORMAT, false},
    {"transport", "could_not_resolve_proxy", CURLE_COULDNT_RESOLVE_PROXY, true},
    {"transport", "could_not_connect", CURLE_COULDNT_CONNECT, true},
    {"transport", "timeout", CURLE_OPERATION_TIMEDOUT, true},
    {"transport", "tls_handshake", CURLE_SSL_CONNECT_ERROR, true},
    {"transport", "tls_verification", CURLE_PEER_FAILED_VERIFICATION, false},
    {"transport", "ca_file", CURLE_SSL_CACERT_BADFILE, false},
    {"transport", "tls_verification", CURLE_SSL_ISSUER_ERROR, false},
    {"transport", "tls_verification", CURLE_SSL_INVALIDCERTSTATUS, false},
    {"transport", "out_of_memory", CURLE_OUT_OF_MEMORY, true},
    {"protocol", "headers_too_large", TOO_LARGE, false},
    {"protocol", "invalid_http", CURLE_UNSUPPORTED_PROTOCOL, false},
    {"protocol", "invalid_http", CURLE_WEIRD_SERVER_REPLY, false},
    {"protocol", "invalid_encoding", CURLE_WRITE_ERROR, false},
    {"protocol", "invalid_encoding", CURLE_BAD_CONTENT_ENCODING, false}};

static const struct trouble *trouble_of(CURLcode code) {
  static const struct trouble other = {"transport", "transfer_failed", CURLE_OK,
                                       true};
  for (size_t i = 0; i < sizeof troubles / sizeof *troubles; i++)
    if (troubles[i].code == code)
      return &troubles[i];
  return &other;
}

/* Before 8.6 libcurl has the code of a lack of memory for a line of a head that
 * is longer than it takes, too: then so many bytes have come. */
static CURLcode code_of(const struct request *r) {
  const struct answer *a = answer_of(r);
  bool is_line = r->code == CURLE_OUT_OF_MEMORY && a->starts > 0 &&
                 !a->head_complete && r->transfer->received >= LONGEST_LINE;
  return is_line ? TOO_LARGE : r->code;
}

static void set_trouble(lua_State *L, const struct request *r) {
  CURLcode code = code_of(r);
  const struct trouble *trouble = trouble_of(code);
  const char *text =
      *r->transfer->error ? r->transfer->error : curl_easy_strerror(code);
  if (code == TOO_LARGE)
    text = "a header of the answer is longer than 100 kB";
  set_word(L, trouble->kind, trouble->word, trouble->retryable,
           text_push_masked(L, text));
  lua_pop(L, 1);
}

/* Tells why an exchange brought no whole answer. */
void wire_explain(lua_State *L, struct request *r) {
  const struct answer *a;
  if (set_cause(L, r))
    return;
  a = answer_of(r);
  if (set_stopped(L, a) || set_proxy(L, r) || set_memory(L, r) ||
      set_no_proxy_url(L, r))
    return;
  if (a->bad_length)
    set_word(L, "protocol", "invalid_http", false,
             "the answer has no one Content-Length that is a number");
  else if (is_alien(r))
    set_word(L, "protocol", "invalid_http", false,
             "the answer is not one of HTTP");
  else if (r->code == CURLE_OK || is_broken(r))
    set_broken(L, a);
  else
    set_trouble(L, r);
}

/* ---- an answer that is whole although the exchange failed ---- */

/* True where every byte that was announced has come. */
static bool has_all_bytes(const struct request *r) {
  const struct answer *a = answer_of(r);
  const char *length = answer_header(a, HEADER_CONTENT_LENGTH);
  curl_off_t received = 0;
  curl_easy_getinfo(r->transfer->easy, CURLINFO_SIZE_DOWNLOAD_T, &received);
  return a->status == 204 ||
         (length && !answer_header(a, HEADER_TRANSFER_ENCODING) &&
          (curl_off_t)strtoll(length, NULL, 10) == received);
}

/* True where the body is an object or an array: their end shows by itself. */
static bool has_document(lua_State *L, const struct answer *a) {
  bool whole;
  if (a->body.length == 0)
    return false;
  text_push_bytes(L, &a->body);
  whole = json_decode(L, lua_gettop(L)) && lua_istable(L, -1);
  lua_settop(L, SLOT_TOP);
  return whole;
}

/* A gzip member that ends with the document, and then an empty member, a line
 * feed or NULs: libcurl stops at those. */
static bool has_trailing_bytes(lua_State *L, const struct request *r) {
  return r->code == CURLE_WRITE_ERROR &&
         answer_header(answer_of(r), HEADER_CONTENT_ENCODING) &&
         has_document(L, answer_of(r));
}

/* An HTTP/2 server that answers a POST before it has read the body resets the
 * stream, and libcurl reports an error. An answer without a length, as servers
 * that compress it send it, must show its end by itself. */
static bool is_whole_before_end(lua_State *L, const struct request *r) {
  const struct answer *a = answer_of(r);
  if (has_trailing_bytes(L, r))
    return true;
  if (!is_broken(r))
    return false;
  return has_all_bytes(r) ||
         (a->version == '2' && !answer_header(a, HEADER_CONTENT_LENGTH) &&
          has_document(L, a));
}

/* True where the answer has come whole, even if the wire broke after it. Or its
 * server lets the rest of a POST's body wait, and libcurl with it, until the
 * deadline. */
bool wire_is_whole(lua_State *L, const struct request *r) {
  const struct answer *a = answer_of(r);
  if (a->stopped || !a->head_complete || a->bad_length || wire_proxy_status(r))
    return false;
  if (r->cause != CAUSE_NONE)
    return r->cause == CAUSE_TIMEOUT && has_all_bytes(r);
  return r->code == CURLE_OK || is_whole_before_end(L, r);
}
