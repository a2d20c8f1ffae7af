/* state.c - fuzz target: the service's words for states.
 *
 * The first byte says whether a step waits for the publisher, the rest is the
 * word. It is folded here a second time, in the plainest way, from the tables
 * of the service's documentation. */
#include "exchange.h"

static const char *const meanings[][2] = {
    {"notstarted", "not_started"},
    {"neverpublished", "not_started"},
    {"running", "running"},
    {"inprogress", "running"},
    {"waitingforpublisherreview", "waiting_for_publisher_review"},
    {"succeeded", "succeeded"},
    {"complete", "succeeded"},
    {"completed", "succeeded"},
    {"published", "succeeded"},
    {"failed", "failed"},
    {"rejected", "failed"},
    {"canceled", "canceled"},
    {"cancelled", "canceled"}};

/* Folds in place. */
static void fold(char *word) {
  char *to = word;
  for (; *word; word++) {
    if (*word == ' ' || *word == '-' || *word == '_')
      continue;
    *to++ = *word >= 'A' && *word <= 'Z' ? (char)(*word + 32) : *word;
  }
  *to = '\0';
}

static const char *meaning_of(const uint8_t *word, size_t size) {
  char *folded = copy_text(word, size);
  const char *state = "unknown";
  fold(folded);
  for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
    if (!memchr(word, 0, size) && strcmp(folded, meanings[i][0]) == 0)
      state = meanings[i][1];
  free(folded);
  return state;
}

static bool ends(const char *state) {
  return strcmp(state, "succeeded") == 0 || strcmp(state, "failed") == 0 ||
         strcmp(state, "canceled") == 0;
}

static void push_step(lua_State *L) {
  lua_newtable(L);
  lua_newtable(L);
  lua_pushliteral(L, "waitingForPublisherReview");
  lua_setfield(L, -2, "status");
  lua_rawseti(L, -2, 1);
  lua_setfield(L, -2, "steps");
}

static void check_filter(lua_State *L, const uint8_t *word, size_t size) {
  char *filter = copy_text(word, size);
  lua_pushvalue(L, 1);
  operation_matches(L, filter); /* any filter; it must only not crash */
  CHECK(operation_matches(L, NULL));
  lua_settop(L, 1);
  free(filter);
}

static void check_word(lua_State *L, const uint8_t *data, size_t size) {
  bool waits = data[0] & 1;
  const char *expected = meaning_of(data + 1, size - 1);
  if (waits && strcmp(expected, "running") == 0)
    expected = "waiting_for_publisher_review";
  lua_newtable(L);
  lua_newtable(L);
  lua_pushlstring(L, (const char *)data + 1, size - 1);
  lua_setfield(L, -2, "status");
  if (waits)
    push_step(L);
  operation_read(L, 1, "status");
  lua_settop(L, 1);
  CHECK(strcmp(table_text(L, 1, "state"), expected) == 0);
  table_get(L, 1, "done");
  CHECK(lua_toboolean(L, -1) == ends(expected));
  lua_settop(L, 1);
  check_filter(L, data + 1, size - 1);
  operation_set_type(L, 1);
  check_line(L, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  lua_State *L = lua();
  if (size == 0)
    return 0;
  lua_settop(L, 0);
  check_word(L, data, size);
  lua_settop(L, 0);
  return 0;
}
