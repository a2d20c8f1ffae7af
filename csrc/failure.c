/* failure.c - the error table of an exchange that failed.
 *
 * error.c says what happened; status, retryable, sent, retry_after, request_id,
 * client_request_id, body and location say it of one exchange. The table was
 * made before the exchange: no answer is lost for want of one.
 */
#include "cpp.h"

#include <locale.h>
#include <string.h>

/* CURLE_TOO_LARGE of libcurl 8.6, which headers that are older do not name. */
#define TOO_LARGE ((CURLcode)100)

/* Bytes kept of a body larger than max_body. */
#define LARGEST_EXCERPT ((size_t)64 * 1024)

/* ---- what every error of an exchange says ---- */

/* An answer that holds a token does not become part of an error. Of a body that
 * is too large its beginning is enough. */
static void set_body(lua_State *L, const struct request *r) {
  const struct answer *a = &r->transfer->answer;
  size_t size = a->body.length;
  if (!size || (exchange_brings_token(r) && a->status / 100 == 2))
    return;
  if (a->stopped == STOPPED_BODY_TOO_LARGE && size > LARGEST_EXCERPT)
    size = LARGEST_EXCERPT;
  lua_pushlstring(L, a->body.data, size);
  lua_setfield(L, SLOT_TABLE, "body");
}

/* Adds what is known of the exchange. */
void failure_exchange(lua_State *L, struct request *r) {
  const struct transfer *t = r->transfer;
  const struct answer *a;
  table_set_boolean(L, SLOT_TABLE, "sent", t && t->answer.starts > 0);
  if (r->purpose == TO_CANCEL || r->purpose == TO_POLL)
    exchange_set_location(L, r);
  if (!t)
    return;
  a = &t->answer;
  if (a->status >= 200)
    table_set_integer(L, SLOT_TABLE, "status", a->status);
  exchange_set_ids(L, SLOT_TABLE, t);
  exchange_set_pause(L, SLOT_TABLE, t);
  set_body(L, r);
}

/* ---- an exchange that brought no whole answer ---- */

struct trouble {
  const char *kind, *word;
  CURLcode code;
  bool retryable;
};

static const struct trouble troubles[] = {
    {"transport", "could_not_resolve", CURLE_COULDNT_RESOLVE_HOST, true},
    {"transport", "could_not_resolve_proxy", CURLE_COULDNT_RESOLVE_PROXY, true},
    {"transport", "could_not_connect", CURLE_COULDNT_CONNECT, true},
    {"transport", "timeout", CURLE_OPERATION_TIMEDOUT, true},
    {"transport", "tls_handshake", CURLE_SSL_CONNECT_ERROR, true},
    {"transport", "tls_verification", CURLE_PEER_FAILED_VERIFICATION, false},
    {"transport", "ca_file", CURLE_SSL_CACERT_BADFILE, false},
    {"transport", "tls_verification", CURLE_SSL_ISSUER_ERROR, false},
    {"transport", "tls_verification", CURLE_SSL_INVALIDCERTSTATUS, false},
    {"transport", "connection_lost", CURLE_GOT_NOTHING, true},
    {"transport", "connection_lost", CURLE_SEND_ERROR, true},
    {"transport", "connection_lost", CURLE_RECV_ERROR, true},
    {"transport", "incomplete_answer", CURLE_PARTIAL_FILE, true},
    {"transport", "http2_error", CURLE_HTTP2, true},
    {"transport", "http2_error", CURLE_HTTP2_STREAM, true},
    {"transport", "proxy", CURLE_PROXY, true},
    {"transport", "out_of_memory", CURLE_OUT_OF_MEMORY, true},
    {"protocol", "headers_too_large", TOO_LARGE, false},
    {"protocol", "invalid_http", CURLE_UNSUPPORTED_PROTOCOL, false},
    {"protocol", "invalid_http", CURLE_WEIRD_SERVER_REPLY, false},
    {"protocol", "invalid_encoding", CURLE_BAD_CONTENT_ENCODING, false}};

static const struct trouble *trouble_of(CURLcode code) {
  static const struct trouble other = {"transport", "transfer_failed", CURLE_OK,
                                       true};
  for (size_t i = 0; i < sizeof troubles / sizeof *troubles; i++)
    if (troubles[i].code == code)
      return &troubles[i];
  return &other;
}

/* A proxy that refuses the tunnel shows only as a connection that broke. */
static bool refused_by_proxy(const struct request *r) {
  long status = 0;
  curl_easy_getinfo(r->transfer->easy, CURLINFO_HTTP_CONNECTCODE, &status);
  return status != 0 && status / 100 != 2 && r->transfer->answer.starts == 0;
}

/* An end that libcurl finds good, but without a final answer: it came within a
 * head, at something that is no status, or at a change of protocols. */
static void set_headless(lua_State *L, const struct answer *a) {
  bool other = a->status == 101 || (a->status == 0 && a->head_seen > 0);
  if (other)
    error_set(L, SLOT_TABLE, "protocol", "invalid_http",
              "the answer is not one of HTTP");
  else
    error_set(L, SLOT_TABLE, "transport", "incomplete_answer",
              "the connection was closed within the headers of the answer");
  table_set_boolean(L, SLOT_TABLE, "retryable", !other);
}

static bool set_bad_length(lua_State *L, const struct answer *a) {
  if (a->bad_length)
    error_set(L, SLOT_TABLE, "protocol", "invalid_http",
              "the answer has no one Content-Length that is a number");
  return a->bad_length;
}

/* libcurl's words. Before 8.6 it has the same code for a header line that is
 * longer than it takes as for a lack of memory. */
static const char *detail_of(const struct request *r) {
  const struct answer *a = &r->transfer->answer;
  if (r->code == CURLE_OUT_OF_MEMORY && a->starts > 0 && !a->head_complete)
    return "out of memory, or a header of more than 100 kB";
  return *r->transfer->error ? r->transfer->error : curl_easy_strerror(r->code);
}

static void set_trouble(lua_State *L, struct request *r) {
  const struct trouble *trouble = trouble_of(r->code);
  const char *word = refused_by_proxy(r) ? "proxy" : trouble->word;
  const char *detail = text_push_masked(L, detail_of(r));
  error_set(L, SLOT_TABLE, trouble->kind, word, "%s", detail);
  lua_pop(L, 1);
  table_set_boolean(L, SLOT_TABLE, "retryable", trouble->retryable);
}

/* Pushes a number as Lua writes it, but with a point in every locale. */
static const char *push_number(lua_State *L, lua_Number number) {
  const char *text = lua_pushfstring(L, "%f", number);
  text = luaL_gsub(L, text, localeconv()->decimal_point, ".");
  lua_remove(L, -2);
  return text;
}

static void set_timeout(lua_State *L, struct request *r) {
  const struct answer *a = &r->transfer->answer;
  const struct settings *s = exchange_settings(L);
  const char *stage = a->starts == 0   ? "no connection"
                      : a->status == 0 ? "no answer"
                                       : "no complete answer";
  error_set(L, SLOT_TABLE, "transport", "timeout", "%s within %s seconds",
            stage, push_number(L, s->timeout));
  lua_pop(L, 1);
  table_set_boolean(L, SLOT_TABLE, "retryable", true);
}

static bool set_cause(lua_State *L, struct request *r) {
  switch (r->cause) {
  case CAUSE_TIMEOUT:
    set_timeout(L, r);
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
    error_set(L, SLOT_TABLE, "transport", "not_started",
              "the request had not begun to leave by the time of 'start_by'");
    table_set_boolean(L, SLOT_TABLE, "retryable", true);
    return true;
  case CAUSE_NONE:
    break;
  }
  return false;
}

static bool set_stopped(lua_State *L, struct request *r) {
  const struct answer *a = &r->transfer->answer;
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
    error_set(L, SLOT_TABLE, "transport", "connection_lost",
              "the connection was lost after the request had been sent");
    table_set_boolean(L, SLOT_TABLE, "retryable", true);
    return true;
  case STOPPED_NOT:
  case STOPPED_LATE:
  case STOPPED_UNFIT:
    break;
  }
  return false;
}

/* Tells why an exchange brought no whole answer. */
void failure_from_transfer(lua_State *L, struct request *r) {
  const struct answer *a = &r->transfer->answer;
  if (!set_cause(L, r) && !set_stopped(L, r) && !set_bad_length(L, a)) {
    if (r->code == CURLE_OK && !a->head_complete)
      set_headless(L, a);
    else
      set_trouble(L, r);
  }
  failure_exchange(L, r);
}

/* ---- an answer that is an error ---- */

static const char *reason_phrase(int status) {
  static const struct {
    int status;
    const char *phrase;
  } phrases[] = {{400, "Bad Request"},
                 {401, "Unauthorized"},
                 {403, "Forbidden"},
                 {404, "Not Found"},
                 {405, "Method Not Allowed"},
                 {407, "Proxy Authentication Required"},
                 {408, "Request Timeout"},
                 {409, "Conflict"},
                 {410, "Gone"},
                 {411, "Length Required"},
                 {412, "Precondition Failed"},
                 {413, "Content Too Large"},
                 {415, "Unsupported Media Type"},
                 {422, "Unprocessable Content"},
                 {429, "Too Many Requests"},
                 {500, "Internal Server Error"},
                 {501, "Not Implemented"},
                 {502, "Bad Gateway"},
                 {503, "Service Unavailable"},
                 {504, "Gateway Timeout"}};
  for (size_t i = 0; i < sizeof phrases / sizeof *phrases; i++)
    if (phrases[i].status == status)
      return phrases[i].phrase;
  return status / 100 == 3 ? "redirects are not followed" : "";
}

static void set_default(lua_State *L, int status) {
  const char *phrase = reason_phrase(status);
  const char *code = lua_pushfstring(L, "http_%d", status);
  error_set(L, SLOT_TABLE, "http", code, *phrase ? "HTTP %d %s" : "HTTP %d",
            status, phrase);
  lua_pop(L, 1);
}

/* Makes the number on top of the stack a text: "7" even where it is a float. */
static void number_to_text(lua_State *L) {
  int whole;
  lua_Integer value = lua_tointegerx(L, -1, &whole);
  if (whole) {
    lua_pop(L, 1);
    lua_pushinteger(L, value);
  }
  lua_tostring(L, -1);
}

/* Takes a text of the table on top of the stack as a field of the error. */
static bool take(lua_State *L, const char *from, const char *field) {
  if (table_get(L, -1, from) == LUA_TNUMBER)
    number_to_text(L);
  if (lua_type(L, -1) == LUA_TSTRING && lua_rawlen(L, -1) > 0) {
    lua_setfield(L, SLOT_TABLE, field);
    return true;
  }
  lua_pop(L, 1);
  return false;
}

/* {"error":{"code":…,"message":…}}; {"error":"…","error_description":"…"} from
 * the token endpoint; {"Message":"…"} on 401. */
static void take_document(lua_State *L) {
  int top = lua_gettop(L);
  take(L, "code", "code");
  if (!take(L, "Message", "message") && !take(L, "message", "message"))
    take(L, "error_description", "message");
  if (take(L, "error", "code"))
    return;
  if (table_get(L, -1, "error") == LUA_TTABLE) {
    take(L, "code", "code");
    take(L, "message", "message");
  }
  lua_settop(L, top);
}

static void take_body(lua_State *L, const struct answer *a) {
  text_push_bytes(L, &a->body);
  if (a->body.length && json_decode(L, lua_gettop(L))) {
    if (lua_istable(L, -1))
      take_document(L);
    else if (lua_type(L, -1) == LUA_TSTRING && lua_rawlen(L, -1) > 0) {
      lua_pushvalue(L, -1);
      lua_setfield(L, SLOT_TABLE, "message");
    }
  }
  lua_settop(L, SLOT_TOP);
}

/* What a 403 means in practice, as users of the service report it. */
static void explain_403(lua_State *L) {
  static const char hint[] =
      "the usual cause: the application is not a member of that publisher, or "
      "the wrong one of its two object ids was added";
  table_get(L, SLOT_TABLE, "message");
  lua_pushfstring(L, "%s (%s)", lua_tostring(L, -1), hint);
  lua_setfield(L, SLOT_TABLE, "message");
  lua_pop(L, 1);
}

/* Tells what an answer of 3xx, 4xx or 5xx says. */
void failure_from_status(lua_State *L, struct request *r) {
  const struct answer *a = &r->transfer->answer;
  int status = a->status;
  set_default(L, status);
  take_body(L, a);
  if (exchange_brings_token(r))
    table_set_string(L, SLOT_TABLE, "kind", "credential");
  else if (status == 403)
    explain_403(L);
  table_set_boolean(L, SLOT_TABLE, "retryable",
                    status == 408 || status == 429 || status >= 500);
  failure_exchange(L, r);
}

/* ---- a location that is refused ---- */

/* Tells why the origin rule, or the URL itself, forbids an exchange. */
void failure_from_verdict(lua_State *L, struct request *r,
                          enum verdict verdict) {
  switch (verdict) {
  case VERDICT_USER_INFO:
    error_set(L, SLOT_TABLE, "origin", "user_info",
              "the location holds user info; it is not followed");
    break;
  case VERDICT_FOREIGN:
  case VERDICT_INSECURE:
    error_set(L, SLOT_TABLE, "origin", "foreign_origin",
              "the location is not on %s; the token does not go there",
              exchange_settings(L)->endpoint);
    break;
  default:
    error_set(L, SLOT_TABLE, "origin", "invalid_location",
              "the location is not a URL");
  }
  failure_exchange(L, r);
}

/* Tells why a URL of somebody else's is not talked to. */
void failure_from_url(lua_State *L, struct request *r, enum verdict verdict) {
  switch (verdict) {
  case VERDICT_USER_INFO:
    error_set(L, SLOT_TABLE, "origin", "user_info", "the URL holds user info");
    break;
  case VERDICT_INSECURE:
    error_set(L, SLOT_TABLE, "origin", "insecure_url",
              "plain http is for loopback only");
    break;
  case VERDICT_LINK_LOCAL:
    error_set(L, SLOT_TABLE, "origin", "link_local",
              "a link-local address is never talked to");
    break;
  default:
    error_set(L, SLOT_TABLE, "origin", "invalid_url", "not an http(s) URL");
  }
  failure_exchange(L, r);
}
