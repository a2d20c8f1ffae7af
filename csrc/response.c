/* response.c - headers and document to operation table.
 *
 * What the service says is read here, once, and in one way for every call. A
 * state comes from the document, never from an HTTP status alone: an operation
 * that still runs is answered 200.
 */
#include "cpp.h"

#include <string.h>

/* ---- what every operation says of its exchange ---- */

static void set_exchange(lua_State *L, const struct transfer *t, bool changed) {
  table_set_integer(L, SLOT_TABLE, "http_status", t->answer.status);
  exchange_set_ids(L, SLOT_TABLE, t);
  exchange_set_pause(L, SLOT_TABLE, t);
  table_set_boolean(L, SLOT_TABLE, "changed", changed);
  operation_set_type(L, SLOT_TABLE);
}

static void push_decoded(lua_State *L, const char *text, size_t size) {
  size_t taken;
  luaL_Buffer out;
  luaL_buffinit(L, &out);
  for (; size; text += taken, size -= taken)
    luaL_addchar(&out, url_decode(text, size, &taken));
  luaL_pushresult(&out);
}

/* Sets a field to the decoded path segment after "/name/". Returns where that
 * segment is; NULL: there is none. */
static const char *set_segment(lua_State *L, const char *location,
                               const char *name, const char *field) {
  size_t size;
  const char *segment = location_segment_after(location, name, &size);
  if (segment) {
    push_decoded(L, segment, size);
    lua_setfield(L, SLOT_TABLE, field);
  }
  return segment;
}

/* A location under /publishers/ names publisher, offer and operation, in this
 * order, and any of them may be called "operations"; the other form holds names
 * joined by "$" which are not those of the list. */
static void set_names(lua_State *L) {
  const char *at = NULL;
  if (table_get(L, SLOT_TABLE, "location") == LUA_TSTRING)
    at = set_segment(L, lua_tostring(L, -1), "publishers", "publisher");
  if (at)
    at = set_segment(L, at, "offers", "offer");
  if (at)
    set_segment(L, at, "operations", "id");
  lua_pop(L, 1);
}

static bool is_blank(const struct answer *a) {
  const char *text;
  if (a->body.length == 0)
    return true;
  text = json_start(a->body.data);
  return text + strspn(text, " \t\r\n") == a->body.data + a->body.length;
}

/* ---- the calls ---- */

static bool fail_protocol(lua_State *L, struct request *r, const char *code,
                          const char *message) {
  lua_settop(L, SLOT_TOP);
  error_set(L, SLOT_TABLE, "protocol", code, "%s (HTTP %d)", message,
            r->transfer->answer.status);
  failure_exchange(L, r);
  return false;
}

static bool fail_json(lua_State *L, struct request *r) {
  return fail_protocol(L, r, "invalid_json", "the body is not JSON");
}

/* An answer that the call does not know, or that is an error. */
static bool fail_status(lua_State *L, struct request *r) {
  if (r->transfer->answer.status / 100 == 2)
    return fail_protocol(L, r, "unexpected_status",
                         "no such answer is known to this call");
  failure_from_status(L, r);
  return false;
}

/* True for a body of some bytes that decompressed to none: libcurl takes a gzip
 * stream that ends before its first output for a good one. */
static bool is_cut(const struct transfer *t) {
  curl_off_t received = 0;
  curl_easy_getinfo(t->easy, CURLINFO_SIZE_DOWNLOAD_T, &received);
  return t->answer.body.length == 0 && received > 0;
}

/* 200: canceled at once. Anything but JSON in its body says that somebody else
 * answered. 202: accepted; nothing says yet that anything is canceled. */
static bool build_cancel(lua_State *L, struct request *r) {
  struct transfer *t = r->transfer;
  int status = t->answer.status;
  if (status != 200 && status != 202)
    return fail_status(L, r);
  if (status == 200 && is_cut(t))
    return fail_protocol(L, r, "invalid_encoding",
                         "the body is not what its Content-Encoding says");
  text_push_bytes(L, &t->answer.body);
  if (status == 200 && !is_blank(&t->answer)) {
    if (!json_decode(L, SLOT_TOP + 1))
      return fail_json(L, r);
    operation_remember(L, SLOT_TABLE);
    lua_pop(L, 1);
  }
  lua_setfield(L, SLOT_TABLE, "body");
  set_exchange(L, t, true);
  exchange_set_location(L, r);
  set_names(L);
  exchange_set_offer(L, SLOT_TABLE);
  operation_set_state(L, SLOT_TABLE, status == 200 ? CANCELED : ACCEPTED);
  return true;
}

/* True where the answer is, byte for byte, the one before. */
static bool is_unchanged(lua_State *L, const struct answer *a) {
  bool same;
  if (!lua_istable(L, SLOT_FIRST))
    return false;
  table_get(L, SLOT_FIRST, "http_status");
  table_get(L, SLOT_FIRST, "body");
  table_get(L, SLOT_TABLE, "location");
  same = lua_isinteger(L, -3) && lua_tointeger(L, -3) == a->status &&
         lua_type(L, -2) == LUA_TSTRING &&
         buffer_equals(&a->body, lua_tostring(L, -2), lua_rawlen(L, -2)) &&
         lua_rawequal(L, SLOT_SECOND, -1);
  lua_pop(L, 3);
  return same;
}

/* Whether the operation that was polled is that of a cancel: what its document
 * says has not been read. */
static bool is_accepted(lua_State *L) {
  const char *state = table_text(L, SLOT_FIRST, "state");
  bool accepted = state && strcmp(state, "accepted") == 0;
  lua_pop(L, 1);
  return accepted;
}

/* False: the operation that was polled does not hold what its document says, or
 * no state, as one of a script's own making; nothing is done. */
static bool build_unchanged(lua_State *L, struct request *r) {
  static const char *const kept[] = {"done",  "status",   "id",  "publisher",
                                     "offer", "progress", "body"};
  bool moving = r->transfer->answer.status == 202;
  if ((moving && is_accepted(L)) ||
      !table_copy(L, SLOT_FIRST, SLOT_TABLE, "state"))
    return false;
  for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
    table_copy(L, SLOT_FIRST, SLOT_TABLE, kept[i]);
  set_exchange(L, r->transfer, false);
  if (moving)
    operation_set_state(L, SLOT_TABLE, RUNNING);
  return true;
}

/* Copies the names that the polled operation has. False: one is missing. */
static bool copy_names(lua_State *L) {
  static const char *const names[] = {"publisher", "offer", "id"};
  bool all = true;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (!table_copy(L, SLOT_FIRST, SLOT_TABLE, names[i]))
      all = false;
  return all;
}

/* What the polled operation knows comes before what its location says. */
static void set_known_names(lua_State *L) {
  if (!lua_istable(L, SLOT_FIRST)) {
    set_names(L);
  } else if (!copy_names(L)) {
    set_names(L);
    copy_names(L);
  }
}

/* Fills the table from an answer whose tree, or nil, is on top. */
static void build_decoded(lua_State *L, struct request *r, bool changed) {
  int status = r->transfer->answer.status;
  set_known_names(L);
  set_exchange(L, r->transfer, changed);
  operation_set_state(L, SLOT_TABLE, status == 204 ? SUCCEEDED : UNKNOWN);
  if (!lua_isnil(L, -1)) {
    operation_remember(L, SLOT_TABLE);
    if (operation_to_object(L))
      operation_read(L, SLOT_TABLE, "status");
  }
  if (status == 202)
    operation_set_state(L, SLOT_TABLE, RUNNING);
}

/* 200 says nothing by itself; 202: it runs, whatever else is said; 204: it has
 * ended well, and there is nothing to say. */
static bool build_poll(lua_State *L, struct request *r) {
  const struct answer *a = &r->transfer->answer;
  int status = a->status;
  bool same;
  if (status != 200 && status != 202 && status != 204)
    return fail_status(L, r);
  exchange_set_location(L, r);
  same = is_unchanged(L, a);
  if (same && build_unchanged(L, r))
    return true;
  text_push_bytes(L, &a->body);
  if (is_blank(a) || !json_decode(L, SLOT_TOP + 1)) {
    if (status == 200 && !is_blank(a))
      return fail_json(L, r);
    lua_pushnil(L);
  }
  build_decoded(L, r, !same);
  lua_settop(L, SLOT_TOP + 1);
  lua_setfield(L, SLOT_TABLE, "body");
  return true;
}

/* The offer's status, in the shape of an operation. */
static bool build_status(lua_State *L, struct request *r) {
  const struct answer *a = &r->transfer->answer;
  if (a->status != 200)
    return fail_status(L, r);
  text_push_bytes(L, &a->body);
  if (!json_decode(L, SLOT_TOP + 1))
    return fail_json(L, r);
  set_exchange(L, r->transfer, true);
  exchange_set_offer(L, SLOT_TABLE);
  operation_set_state(L, SLOT_TABLE, UNKNOWN);
  operation_remember(L, SLOT_TABLE);
  if (operation_to_object(L))
    operation_read(L, SLOT_TABLE, "status");
  lua_settop(L, SLOT_TOP + 1);
  lua_setfield(L, SLOT_TABLE, "body");
  return true;
}

/* ---- the list ---- */

/* lua-cjson makes the same empty table of [] and {}: the text decides. */
static bool is_array(const struct answer *a) {
  const char *text = json_start(a->body.data);
  return text[strspn(text, " \t\r\n")] == '[';
}

static bool build_list(lua_State *L, struct request *r) {
  const struct answer *a = &r->transfer->answer;
  if (a->status != 200)
    return fail_status(L, r);
  text_push_bytes(L, &a->body);
  if (!json_decode(L, SLOT_TOP + 1))
    return fail_json(L, r);
  if (!is_array(a))
    return fail_protocol(L, r, "unexpected_document",
                         "the list is not an array");
  if (list_keep(L, r->transfer, exchange_settings(L)->status))
    return true;
  lua_newtable(L);
  lua_replace(L, SLOT_TABLE);
  r->cause = CAUSE_OUT_OF_MEMORY;
  failure_from_transfer(L, r);
  return false;
}

/* ---- the token ---- */

/* Copies a time of the grant, number or text; the numbers of the token endpoint
 * are strings, and whole ones become integers. */
static void set_life(lua_State *L, int object, const char *name) {
  int whole, type = table_get(L, object, name);
  lua_Integer seconds = lua_tointegerx(L, -1, &whole);
  if (whole)
    table_set_integer(L, SLOT_TABLE, name, seconds);
  else if (type == LUA_TNUMBER || type == LUA_TSTRING)
    table_copy(L, object, SLOT_TABLE, name);
  lua_pop(L, 1);
}

static bool build_token(lua_State *L, struct request *r) {
  const struct answer *a = &r->transfer->answer;
  if (a->status != 200)
    return fail_status(L, r);
  text_push_bytes(L, &a->body);
  if (!json_decode(L, SLOT_TOP + 1) || !lua_istable(L, -1) ||
      table_get(L, -1, "access_token") != LUA_TSTRING || lua_rawlen(L, -1) == 0)
    return fail_protocol(L, r, "invalid_token_answer",
                         "the token endpoint sent no access_token");
  lua_setfield(L, SLOT_TABLE, "access_token");
  set_life(L, SLOT_TOP + 2, "expires_in");
  set_life(L, SLOT_TOP + 2, "expires_on");
  return true;
}

/* ---- any document ---- */

static bool build_json(lua_State *L, struct request *r) {
  const struct answer *a = &r->transfer->answer;
  if (a->status != 200)
    return fail_status(L, r);
  text_push_bytes(L, &a->body);
  if (!json_decode(L, SLOT_TOP + 1))
    return fail_json(L, r);
  if (!lua_istable(L, -1))
    return fail_protocol(L, r, "unexpected_document",
                         "the document is neither object nor array");
  lua_replace(L, SLOT_TABLE);
  return true;
}

/* ---- any answer ---- */

static bool build(lua_State *L, struct request *r) {
  switch (r->purpose) {
  case TO_CANCEL:
    return build_cancel(L, r);
  case TO_POLL:
    return build_poll(L, r);
  case TO_LIST:
    return build_list(L, r);
  case TO_STATUS:
    return build_status(L, r);
  case TO_TOKEN:
    return build_token(L, r);
  default:
    return build_json(L, r);
  }
}

/* A proxy's 401 says nothing of the token. */
static void remember_rejection(lua_State *L, const struct transfer *t) {
  if (t->answer.status == 401 && t->answer.leaving && t->token)
    client_set_rejected(L, SLOT_CLIENT, t->lines.data + t->token);
}

/* Tells the ended exchange of a call in its table: true, the result; false, the
 * error. */
bool response_build(lua_State *L, struct request *r) {
  bool ok = false;
  remember_rejection(L, r->transfer);
  if (wire_is_whole(L, r))
    ok = build(L, r);
  else
    failure_from_transfer(L, r);
  if (!ok)
    secret_redact(L, r, SLOT_TABLE);
  lua_settop(L, SLOT_TOP);
  return ok;
}
