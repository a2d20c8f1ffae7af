/* failure.c - the error table of an exchange that failed.
 *
 * error.c says what happened; status, retryable, sent, retry_after, request_id,
 * client_request_id, body and location say it of one exchange. The table was
 * made before the exchange: no answer is lost for want of one.
 */
#include "cpp.h"

#include <string.h>

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
  if (a->status >= 200 && (a->starts > 0 || a->head_complete))
    table_set_integer(L, SLOT_TABLE, "status", a->status);
  exchange_set_ids(L, SLOT_TABLE, t);
  exchange_set_pause(L, SLOT_TABLE, t);
  set_body(L, r);
}

/* Tells why an exchange brought no whole answer. */
void failure_from_transfer(lua_State *L, struct request *r) {
  wire_explain(L, r);
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
  table_set_boolean(L, SLOT_TABLE, "retryable", exchange_is_passing(status));
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
