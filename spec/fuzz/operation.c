/* operation.c - fuzz target: answers to each call, head and document.
 *
 * The first byte chooses the call; then come the lines of the head, an empty
 * one, and the body. */
#include "exchange.h"

#include <strings.h>

static const char *const states[] = {
    "accepted",  "not_started", "running",  "waiting_for_publisher_review",
    "succeeded", "failed",      "canceled", "unknown"};

static const enum purpose purposes[] = {TO_CANCEL, TO_POLL, TO_LIST, TO_STATUS,
                                        TO_TOKEN};

static bool is_state(const char *word) {
  for (size_t i = 0; i < sizeof states / sizeof *states; i++)
    if (strcmp(states[i], word) == 0)
      return true;
  return false;
}

static const char *state_of(lua_State *L, int operation) {
  const char *state = table_text(L, operation, "state");
  CHECK(state && is_state(state));
  lua_pop(L, 1); /* the table keeps it */
  return state;
}

static void check_done(lua_State *L, int operation) {
  const char *state = state_of(L, operation);
  bool ends = strcmp(state, "succeeded") == 0 || strcmp(state, "failed") == 0 ||
              strcmp(state, "canceled") == 0;
  table_get(L, operation, "done");
  CHECK(lua_isboolean(L, -1) && lua_toboolean(L, -1) == ends);
  lua_pop(L, 1);
}

static void check_progress(lua_State *L, int operation) {
  lua_Integer progress;
  if (table_get(L, operation, "progress") != LUA_TNIL) {
    CHECK(lua_isinteger(L, -1));
    progress = lua_tointeger(L, -1);
    CHECK(progress >= 0 && progress <= 100);
  }
  lua_pop(L, 1);
}

/* No end without a word for it: the words of success begin so, folded or not.
 */
static void check_success(lua_State *L, const struct request *r,
                          int operation) {
  const char *status, *state = state_of(L, operation);
  if (strcmp(state, "succeeded") != 0 || r->transfer->answer.status == 204)
    return;
  status = table_text(L, operation, "status");
  CHECK(status != NULL);
  status += strspn(status, " -_");
  CHECK(strchr("sScCpP", *status));
  lua_pop(L, 1);
}

/* The document is read late, steps and messages as tables or not at all. */
static void check_document(lua_State *L, int operation) {
  lua_getfield(L, operation, "document");
  lua_getfield(L, operation, "steps");
  CHECK(lua_isnil(L, -1) || lua_istable(L, -1));
  lua_getfield(L, operation, "messages");
  CHECK(lua_isnil(L, -1) || lua_istable(L, -1));
  lua_pop(L, 3);
}

static void check_operation(lua_State *L, const struct request *r,
                            int operation) {
  check_done(L, operation);
  check_progress(L, operation);
  check_success(L, r, operation);
  check_document(L, operation);
  CHECK(field_is(L, operation, "location", LUA_TSTRING) ||
        field_is(L, operation, "location", LUA_TNIL));
  CHECK(field_is(L, operation, "changed", LUA_TBOOLEAN));
  check_line(L, operation);
}

/* Whether an item's id can be a segment of a path, and is no longer than a call
 * takes one. */
static bool has_segment(lua_State *L, int item) {
  const char *id = table_text(L, item, "id");
  size_t size = id ? lua_rawlen(L, -1) : 0;
  bool ok = size > 0 && size <= 1024 && strlen(id) == size &&
            !strpbrk(id, "\r\n") && strcmp(id, ".") != 0 &&
            strcmp(id, "..") != 0;
  lua_pop(L, 1);
  return ok;
}

/* Every item is an operation whose location is built from its id. */
static void check_list(lua_State *L, const struct request *r) {
  lua_Integer count = (lua_Integer)lua_rawlen(L, SLOT_TABLE);
  for (lua_Integer i = 1; i <= count; i++) {
    CHECK(lua_rawgeti(L, SLOT_TABLE, i) == LUA_TTABLE);
    check_operation(L, r, lua_gettop(L));
    CHECK(has_segment(L, SLOT_TOP + 1) ==
          field_is(L, SLOT_TOP + 1, "location", LUA_TSTRING));
    lua_settop(L, SLOT_TOP);
  }
}

static void check_grant(lua_State *L) {
  static const char *const times[] = {"expires_in", "expires_on"};
  CHECK(field_is(L, SLOT_TABLE, "access_token", LUA_TSTRING));
  for (size_t i = 0; i < sizeof times / sizeof *times; i++)
    CHECK(field_is(L, SLOT_TABLE, times[i], LUA_TNIL) ||
          field_is(L, SLOT_TABLE, times[i], LUA_TNUMBER) ||
          field_is(L, SLOT_TABLE, times[i], LUA_TSTRING));
}

/* A cancel is done only by a 200, a poll of it only where the status allows. */
static void check_status(lua_State *L, const struct request *r) {
  int status = r->transfer->answer.status;
  const char *state = state_of(L, SLOT_TABLE);
  if (r->purpose == TO_CANCEL)
    CHECK(strcmp(state, status == 200 ? "canceled" : "accepted") == 0);
  if (r->purpose == TO_POLL && status == 202)
    CHECK(strcmp(state, "running") == 0);
  if (r->purpose == TO_POLL && status == 204 &&
      r->transfer->answer.body.length == 0)
    CHECK(strcmp(state, "succeeded") == 0);
}

static void check_result(lua_State *L, const struct request *r) {
  switch (r->purpose) {
  case TO_LIST:
    check_list(L, r);
    break;
  case TO_TOKEN:
    check_grant(L);
    break;
  default:
    check_operation(L, r, SLOT_TABLE);
    check_status(L, r);
  }
}

static bool same_field(lua_State *L, int a, int b, const char *name) {
  bool same;
  table_get(L, a, name);
  table_get(L, b, name);
  same = lua_rawequal(L, -1, -2);
  lua_pop(L, 2);
  return same;
}

/* The head is lines up to an empty one; 200 where there is none. */
static bool receive(struct answer *a, const struct buffer *input) {
  size_t size = input->length - 1;
  size_t head = feed_head(a, input->data + 1, size);
  if (head == 0 || !a->head_complete)
    return false;
  return feed_body(a, input->data + 1 + head, size - head);
}

/* A second poll of the operation at SLOT_TABLE brings the same bytes: it tells
 * the same, and that nothing has changed. */
static void check_same_again(lua_State *L, const struct buffer *input) {
  static const char *const kept[] = {"state", "done",      "status",
                                     "id",    "publisher", "progress",
                                     "offer", "body",      "location"};
  struct request r;
  lua_pushvalue(L, SLOT_TABLE);
  lua_replace(L, 1);
  lua_settop(L, 1);
  table_get(L, 1, "location");
  lay_out(L, &r, TO_POLL);
  CHECK(receive(&transfer->answer, input));
  CHECK(response_build(L, &r));
  for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
    CHECK(same_field(L, SLOT_FIRST, SLOT_TABLE, kept[i]));
  table_get(L, SLOT_TABLE, "changed");
  CHECK(lua_isboolean(L, -1) && !lua_toboolean(L, -1));
}

static int build(lua_State *L) {
  const struct buffer *input = lua_touserdata(L, 1);
  enum purpose purpose = purposes[(unsigned char)input->data[0] % 5];
  struct request r;
  lua_settop(L, 0);
  push_arguments(L, purpose);
  lay_out(L, &r, purpose);
  if (!receive(&transfer->answer, input))
    r.code = CURLE_RECV_ERROR;
  if (response_build(L, &r)) {
    CHECK(r.code == CURLE_OK || transfer->answer.head_complete);
    check_result(L, &r);
    if (purpose == TO_POLL)
      check_same_again(L, input);
  } else {
    check_error(L, SLOT_TABLE);
  }
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size > 0)
    run(build, data, size);
  return 0;
}
