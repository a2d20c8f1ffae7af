/* operation.c - type cpp.operation: what a document says.
 *
 * The service's words are folded here into our states. Documents are decoded
 * when they are read, and kept as long as the collector lets them.
 */
#include "cpp.h"

#include <math.h>
#include <string.h>

#define TYPE "cpp.operation"

/* Registry key of the decoded documents: operation -> tree, weak both ways. */
static char trees_key;

/* ---- words ---- */

static const char *const state_names[] = {
    [ACCEPTED] = "accepted",   [NOT_STARTED] = "not_started",
    [RUNNING] = "running",     [WAITING] = "waiting_for_publisher_review",
    [SUCCEEDED] = "succeeded", [FAILED] = "failed",
    [CANCELED] = "canceled",   [UNKNOWN] = "unknown"};

/* The service's words, folded. Documented are not started, running, failed and
 * completed; the rest is seen in samples and public clients. */
static const struct {
  const char *word;
  enum state state;
} words[] = {{"notstarted", NOT_STARTED},
             {"neverpublished", NOT_STARTED},
             {"running", RUNNING},
             {"inprogress", RUNNING},
             {"waitingforpublisherreview", WAITING},
             {"succeeded", SUCCEEDED},
             {"completed", SUCCEEDED},
             {"complete", SUCCEEDED},
             {"published", SUCCEEDED},
             {"failed", FAILED},
             {"rejected", FAILED},
             {"canceled", CANCELED},
             {"cancelled", CANCELED}};

/* Folds case (ASCII only, whatever the locale), spaces, "-" and "_". A word too
 * long for any of ours becomes "". */
static void fold(const char *word, char folded[32]) {
  size_t size = 0;
  for (; *word && size < 31; word++) {
    if (*word == ' ' || *word == '-' || *word == '_')
      continue;
    folded[size] = *word;
    if (*word >= 'A' && *word <= 'Z')
      folded[size] = (char)(*word - 'A' + 'a');
    size++;
  }
  folded[*word ? 0 : size] = '\0';
}

static enum state state_of(const char *word) {
  char folded[32];
  fold(word, folded);
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (*words[i].word == *folded && strcmp(words[i].word, folded) == 0)
      return words[i].state;
  return UNKNOWN;
}

/* fold(word) --> the state that the service means by a word, else "unknown" */
int operation_fold_word(lua_State *L) {
  lua_pushstring(L, state_names[state_of(luaL_checkstring(L, 1))]);
  return 1;
}

static bool is_done(enum state state) {
  return state == SUCCEEDED || state == FAILED || state == CANCELED;
}

void operation_set_state(lua_State *L, int table, enum state state) {
  table_set_string(L, table, "state", state_names[state]);
  table_set_boolean(L, table, "done", is_done(state));
}

/* The state of the word in field `name` of the table at `table`. */
static enum state state_field(lua_State *L, int table, const char *name) {
  enum state state = UNKNOWN;
  if (table_get(L, table, name) == LUA_TSTRING &&
      strlen(lua_tostring(L, -1)) == lua_rawlen(L, -1))
    state = state_of(lua_tostring(L, -1));
  lua_pop(L, 1);
  return state;
}

/* ---- documents ---- */

/* Replaces the tree on top of the stack by the object that it is or that it
 * holds as an array of one; the documentation shows the array, public clients
 * read the object. False, and nothing is left, for anything else. */
bool operation_to_object(lua_State *L) {
  int top = lua_gettop(L);
  if (lua_istable(L, top) && lua_rawlen(L, top) == 1) {
    lua_rawgeti(L, top, 1);
    lua_replace(L, top);
  }
  if (lua_istable(L, top) && lua_rawlen(L, top) == 0)
    return true;
  lua_settop(L, top - 1);
  return false;
}

/* Pushes the decoded document of the operation at index 1: the one it holds
 * (items of a list), the one still in memory, or one decoded now. */
static void push_document(lua_State *L) {
  if (table_get(L, 1, "document") != LUA_TNIL)
    return;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &trees_key);
  lua_pushvalue(L, 1);
  if (lua_rawget(L, -2) != LUA_TNIL)
    return;
  if (table_get(L, 1, "body") != LUA_TSTRING ||
      !json_decode(L, lua_gettop(L))) {
    lua_pushnil(L);
    return;
  }
  lua_pushvalue(L, 1);
  lua_pushvalue(L, -2);
  lua_rawset(L, -6);
}

/* operation.document, .steps and .messages, decoded when they are read. */
static int index_operation(lua_State *L) {
  const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
  bool document = strcmp(key, "document") == 0;
  if (!document && strcmp(key, "steps") != 0 && strcmp(key, "messages") != 0)
    return 0;
  luaL_checktype(L, 1, LUA_TTABLE);
  push_document(L);
  if (document)
    return 1;
  return operation_to_object(L) && table_get(L, -1, key) == LUA_TTABLE;
}

/* Remembers the tree on top of the stack for the operation at `table`, as long
 * as the collector lets it. */
void operation_remember(lua_State *L, int table) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &trees_key);
  lua_pushvalue(L, table);
  lua_pushvalue(L, -3);
  lua_rawset(L, -3);
  lua_pop(L, 1);
}

void operation_set_type(lua_State *L, int table) {
  lua_pushvalue(L, table);
  luaL_setmetatable(L, TYPE);
  lua_pop(L, 1);
}

/* ---- steps ---- */

/* The percentage of the step on top of the stack; one without it counts by its
 * state. */
static double step_progress(lua_State *L) {
  int number;
  double percent;
  table_get(L, -1, "progressPercentage");
  percent = lua_tonumberx(L, -1, &number);
  lua_pop(L, 1);
  if (!number || isnan(percent))
    return state_field(L, -1, "status") == SUCCEEDED ? 100 : 0;
  return fmin(fmax(percent, 0), 100);
}

struct steps {
  double sum;
  int count;
  bool waiting; /* the current step, the first under way, waits for a person */
};

/* Reads the steps of the object on top of the stack. What is no step is passed
 * over. */
static struct steps read_steps(lua_State *L) {
  struct steps steps = {0, 0, false};
  bool current = false;
  lua_Integer count = 0;
  if (table_get(L, -1, "steps") == LUA_TTABLE)
    count = (lua_Integer)lua_rawlen(L, -1);
  for (lua_Integer i = 1; i <= count; i++) {
    if (lua_rawgeti(L, -1, i) == LUA_TTABLE) {
      enum state state = state_field(L, -1, "status");
      steps.sum += step_progress(L);
      steps.count++;
      if (!current && (state == RUNNING || state == WAITING)) {
        current = true;
        steps.waiting = state == WAITING;
      }
    }
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return steps;
}

/* Fills status, progress, id and state from the object on top of the stack,
 * whose status is in field `word`. */
void operation_read(lua_State *L, int table, const char *word) {
  struct steps steps = read_steps(L);
  enum state state = state_field(L, -1, word);
  if (state == RUNNING && steps.waiting)
    state = WAITING;
  if (table_get(L, -1, word) == LUA_TSTRING)
    lua_setfield(L, table, "status");
  else
    lua_pop(L, 1);
  if (table_get(L, -1, "id") == LUA_TSTRING)
    lua_setfield(L, table, "id");
  else
    lua_pop(L, 1);
  if (steps.count)
    table_set_integer(L, table, "progress",
                      (lua_Integer)(steps.sum / steps.count));
  operation_set_state(L, table, state);
}

/* Whether two words are one, folded. A word that is too long is no other's. */
static bool is_word(const char *word, const char *other) {
  char folded[32], wanted[32];
  if (!word)
    return false;
  fold(word, folded);
  fold(other, wanted);
  return *wanted && strcmp(folded, wanted) == 0;
}

/* Whether a filter is for a state of ours, not for a word of the service's. */
static bool is_for_state(const char *filter) {
  return state_of(filter) != UNKNOWN || is_word("unknown", filter);
}

/* What the service can be asked to keep of a list; NULL: all, for no word of
 * its items says it. */
const char *operation_filter_to_send(const char *filter) {
  bool has_word =
      filter && (!is_for_state(filter) ||
                 (state_of(filter) != WAITING && state_of(filter) != UNKNOWN));
  return has_word ? filter : NULL;
}

/* Whether the item on top of the stack passes a filter (NULL: none). The
 * service is asked to filter too, and is known to be asked in two ways. */
bool operation_matches(lua_State *L, const char *filter) {
  int item = lua_gettop(L);
  bool matches = true;
  if (filter && is_for_state(filter))
    matches = strcmp(table_text(L, item, "state"),
                     state_names[state_of(filter)]) == 0;
  else if (filter)
    matches = is_word(table_text(L, item, "status"), filter);
  lua_settop(L, item);
  return matches;
}

/* ---- as text ---- */

/* "contoso/vm: running (Running), 41 %, https://…" */
static int to_string(lua_State *L) {
  const char *offer, *publisher, *state, *status, *progress, *location;
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  publisher = table_text(L, 1, "publisher");
  offer = table_text(L, 1, "offer");
  state = table_text(L, 1, "state");
  status = table_text(L, 1, "status");
  progress = table_text(L, 1, "progress");
  location = table_text(L, 1, "location");
  text_push_clean(
      L, lua_pushfstring(L, "%s%s%s: %s%s%s%s%s%s%s%s%s",
                         publisher ? publisher : "operation", offer ? "/" : "",
                         offer ? offer : "", state ? state : "?",
                         status ? " (" : "", status ? status : "",
                         status ? ")" : "", progress ? ", " : "",
                         progress ? progress : "", progress ? " %" : "",
                         location ? ", " : "", location ? location : ""));
  return 1;
}

/* Makes the type and the table of decoded documents. */
void operation_register(lua_State *L) {
  static const luaL_Reg meta[] = {
      {"__index", index_operation}, {"__tostring", to_string}, {NULL, NULL}};
  luaL_newmetatable(L, TYPE);
  luaL_setfuncs(L, meta, 0);
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "kv");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &trees_key);
  lua_pop(L, 1);
}
