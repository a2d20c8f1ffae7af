/* response.c - headers and document to operation table.
 *
 * What the service says is read here, once, and in one way for every call. A
 * state comes from the document, never from an HTTP status alone: an operation
 * that still runs is answered 200.
 */
#include "cpp.h"

#include <math.h>
#include <string.h>

#define TYPE "cpp.operation"

/* Registry key of the decoded documents: operation -> tree, weak both ways. */
static char trees_key;

/* ---- tables ---- */

/* Pushes the raw field of a table and returns its type. */
int table_get(lua_State *L, int table, const char *name) {
  table = lua_absindex(L, table);
  lua_pushstring(L, name);
  return lua_rawget(L, table);
}

/* Pushes a raw field; its text, or NULL where it is no string or number. */
const char *table_text(lua_State *L, int table, const char *name) {
  int type = table_get(L, table, name);
  return type == LUA_TSTRING || type == LUA_TNUMBER ? lua_tostring(L, -1)
                                                    : NULL;
}

void table_set_string(lua_State *L, int table, const char *name,
                      const char *text) {
  lua_pushstring(L, text);
  lua_setfield(L, table, name);
}

void table_set_integer(lua_State *L, int table, const char *name,
                       lua_Integer value) {
  lua_pushinteger(L, value);
  lua_setfield(L, table, name);
}

void table_set_boolean(lua_State *L, int table, const char *name, bool value) {
  lua_pushboolean(L, value);
  lua_setfield(L, table, name);
}

/* Copies a raw field, if it is there. */
void table_copy(lua_State *L, int from, int to, const char *name) {
  if (table_get(L, from, name) == LUA_TNIL)
    lua_pop(L, 1);
  else
    lua_setfield(L, to, name);
}

/* ---- words ---- */

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

static const char *const state_names[] = {
    "accepted",  "not_started", "running",  "waiting_for_publisher_review",
    "succeeded", "failed",      "canceled", "unknown"};

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
    if (strchr(" -_", *word))
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
    if (strcmp(words[i].word, folded) == 0)
      return words[i].state;
  return UNKNOWN;
}

static bool is_done(enum state state) {
  return state == SUCCEEDED || state == FAILED || state == CANCELED;
}

static void set_state(lua_State *L, int table, enum state state) {
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
static bool to_object(lua_State *L) {
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
  return to_object(L) && table_get(L, -1, key) == LUA_TTABLE;
}

/* Remembers the tree on top of the stack for the operation at `table`, as long
 * as the collector lets it. */
static void remember(lua_State *L, int table) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &trees_key);
  lua_pushvalue(L, table);
  lua_pushvalue(L, -3);
  lua_rawset(L, -3);
  lua_pop(L, 1);
}

static void set_type(lua_State *L, int table) {
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
static void read_object(lua_State *L, int table, const char *word) {
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
  set_state(L, table, state);
}

/* ---- what every operation says of its exchange ---- */

static const struct settings *settings_of(lua_State *L) {
  return lua_touserdata(L, SLOT_SETTINGS);
}

static void set_exchange(lua_State *L, const struct transfer *t) {
  const struct answer *a = &t->answer;
  const char *request_id = answer_request_id(a);
  long retry_after = answer_retry_after(a);
  table_set_integer(L, SLOT_TABLE, "http_status", a->status);
  table_set_string(L, SLOT_TABLE, "client_request_id", t->lines.data + t->id);
  if (request_id)
    table_set_string(L, SLOT_TABLE, "request_id", request_id);
  if (retry_after >= 0)
    table_set_integer(L, SLOT_TABLE, "retry_after", retry_after);
  table_set_boolean(L, SLOT_TABLE, "changed", true);
  set_type(L, SLOT_TABLE);
}

static void push_body(lua_State *L, const struct answer *a) {
  lua_pushlstring(L, a->body.data ? a->body.data : "", a->body.length);
}

static bool is_blank(const struct answer *a) {
  return a->body.length == 0 ||
         strspn(a->body.data, " \t\r\n") == a->body.length;
}

/* ---- locations ---- */

/* Pushes the location that an answer brings, absolute, with api-version; one
 * that cannot be resolved or followed as the service wrote it. */
static void push_new_location(lua_State *L, struct transfer *t,
                              const char *header) {
  const struct settings *s = settings_of(L);
  struct buffer *text = &t->nodes; /* no longer in use */
  CURLU *url = curl_url_dup(t->url);
  enum verdict verdict = VERDICT_NO_MEMORY;
  buffer_clear(text);
  if (url)
    verdict = location_resolve(url, NULL, header);
  if (verdict == VERDICT_OK)
    verdict = location_complete(url, s->endpoint, s->api_version, text);
  curl_url_cleanup(url);
  if ((verdict == VERDICT_OK || verdict == VERDICT_FOREIGN) && text->length)
    lua_pushlstring(L, text->data, text->length);
  else if (verdict == VERDICT_NO_MEMORY && header[0] == '/' && header[1] != '/')
    lua_pushfstring(L, "%s%s", s->endpoint, header);
  else
    lua_pushstring(L, header);
}

static const char *location_header(const struct answer *a) {
  const char *value = answer_header(a, HEADER_OPERATION_LOCATION);
  return value && *value ? value : answer_header(a, HEADER_LOCATION);
}

/* Pushes the location that was polled; the string of the operation it came
 * from serves again where it is the same. */
static void push_polled_location(lua_State *L, const struct transfer *t) {
  if (!t || t->key.length == 0 ||
      buffer_equals(&t->text, lua_tostring(L, SLOT_SECOND),
                    lua_rawlen(L, SLOT_SECOND)))
    lua_pushvalue(L, SLOT_SECOND);
  else
    lua_pushlstring(L, t->text.data, t->text.length);
}

/* Sets `location` of the table: that of a 202, else the one that was polled. A
 * location in any other answer is not one to follow. */
void response_set_location(lua_State *L, struct request *r) {
  struct transfer *t = r->transfer;
  const char *header = NULL;
  if (t && t->answer.status == 202)
    header = location_header(&t->answer);
  if (header && *header)
    push_new_location(L, t, header);
  else if (r->purpose == TO_POLL && lua_type(L, SLOT_SECOND) == LUA_TSTRING)
    push_polled_location(L, t);
  else
    return;
  lua_setfield(L, SLOT_TABLE, "location");
}

/* Sets a field to the decoded path segment after "/name/" of the table's
 * location. */
static void set_segment(lua_State *L, struct transfer *t, const char *name,
                        const char *field) {
  if (table_get(L, SLOT_TABLE, "location") == LUA_TSTRING &&
      location_segment_after(lua_tostring(L, -1), name, &t->nodes)) {
    lua_pushlstring(L, t->nodes.data, t->nodes.length);
    lua_setfield(L, SLOT_TABLE, field);
  }
  lua_pop(L, 1);
}

/* A location under /publishers/ names publisher, offer and operation; the other
 * form holds names joined by "$" which are not those of the list. */
static void set_names(lua_State *L, struct transfer *t) {
  set_segment(L, t, "publishers", "publisher");
  if (table_get(L, SLOT_TABLE, "publisher") != LUA_TNIL) {
    set_segment(L, t, "offers", "offer");
    set_segment(L, t, "operations", "id");
  }
  lua_pop(L, 1);
}

static void set_offer(lua_State *L, int table) {
  lua_pushvalue(L, SLOT_FIRST);
  lua_setfield(L, table, "publisher");
  lua_pushvalue(L, SLOT_SECOND);
  lua_setfield(L, table, "offer");
}

/* ---- the calls ---- */

static bool fail_protocol(lua_State *L, struct request *r, const char *code,
                          const char *message) {
  lua_settop(L, SLOT_TOP);
  error_set(L, SLOT_TABLE, "protocol", code, "%s (HTTP %d)", message,
            r->transfer->answer.status);
  error_exchange(L, r);
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
  error_from_status(L, r);
  return false;
}

/* 200: canceled at once. Anything but JSON in its body says that somebody else
 * answered. 202: accepted; nothing says yet that anything is canceled. */
static bool build_cancel(lua_State *L, struct request *r) {
  struct transfer *t = r->transfer;
  int status = t->answer.status;
  if (status != 200 && status != 202)
    return fail_status(L, r);
  push_body(L, &t->answer);
  if (status == 200 && !is_blank(&t->answer)) {
    if (!json_decode(L, SLOT_TOP + 1))
      return fail_json(L, r);
    remember(L, SLOT_TABLE);
    lua_pop(L, 1);
  }
  lua_setfield(L, SLOT_TABLE, "body");
  set_exchange(L, t);
  response_set_location(L, r);
  set_names(L, t);
  set_offer(L, SLOT_TABLE);
  set_state(L, SLOT_TABLE, status == 200 ? CANCELED : ACCEPTED);
  return true;
}

/* True where the answer is, byte for byte, the one before. */
static bool is_unchanged(lua_State *L, const struct answer *a) {
  bool same;
  if (!lua_istable(L, SLOT_FIRST))
    return false;
  table_get(L, SLOT_FIRST, "http_status");
  table_get(L, SLOT_FIRST, "body");
  table_get(L, SLOT_FIRST, "location");
  table_get(L, SLOT_TABLE, "location");
  same = lua_isinteger(L, -4) && lua_tointeger(L, -4) == a->status &&
         lua_type(L, -3) == LUA_TSTRING &&
         buffer_equals(&a->body, lua_tostring(L, -3), lua_rawlen(L, -3)) &&
         lua_rawequal(L, -2, -1);
  lua_pop(L, 4);
  return same;
}

static bool build_unchanged(lua_State *L, struct request *r) {
  static const char *const kept[] = {"state",     "done",  "status",   "id",
                                     "publisher", "offer", "progress", "body"};
  for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
    table_copy(L, SLOT_FIRST, SLOT_TABLE, kept[i]);
  set_exchange(L, r->transfer);
  table_set_boolean(L, SLOT_TABLE, "changed", false);
  if (r->transfer->answer.status == 202)
    set_state(L, SLOT_TABLE, RUNNING); /* after the cancel's own 202 */
  return true;
}

static void set_known_names(lua_State *L, struct transfer *t) {
  static const char *const names[] = {"publisher", "offer", "id"};
  set_names(L, t);
  if (lua_istable(L, SLOT_FIRST))
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
      table_copy(L, SLOT_FIRST, SLOT_TABLE, names[i]);
}

/* Fills the table from a changed answer whose tree, or nil, is on top. */
static void build_changed(lua_State *L, struct request *r) {
  int status = r->transfer->answer.status;
  set_known_names(L, r->transfer);
  set_exchange(L, r->transfer);
  set_state(L, SLOT_TABLE, status == 204 ? SUCCEEDED : UNKNOWN);
  if (!lua_isnil(L, -1)) {
    remember(L, SLOT_TABLE);
    if (to_object(L))
      read_object(L, SLOT_TABLE, "status");
  }
  if (status == 202)
    set_state(L, SLOT_TABLE, RUNNING);
}

/* 200 says nothing by itself; 202: it runs, whatever else is said; 204: it has
 * ended well, and there is nothing to say. */
static bool build_poll(lua_State *L, struct request *r) {
  const struct answer *a = &r->transfer->answer;
  int status = a->status;
  if (status != 200 && status != 202 && status != 204)
    return fail_status(L, r);
  response_set_location(L, r);
  if (is_unchanged(L, a))
    return build_unchanged(L, r);
  push_body(L, a);
  if (is_blank(a) || !json_decode(L, SLOT_TOP + 1)) {
    if (status == 200 && !is_blank(a))
      return fail_json(L, r);
    lua_pushnil(L);
  }
  build_changed(L, r);
  lua_settop(L, SLOT_TOP + 1);
  lua_setfield(L, SLOT_TABLE, "body");
  return true;
}

/* The offer's status, in the shape of an operation. */
static bool build_status(lua_State *L, struct request *r) {
  const struct answer *a = &r->transfer->answer;
  if (a->status != 200)
    return fail_status(L, r);
  push_body(L, a);
  if (!json_decode(L, SLOT_TOP + 1))
    return fail_json(L, r);
  set_exchange(L, r->transfer);
  set_offer(L, SLOT_TABLE);
  set_state(L, SLOT_TABLE, UNKNOWN);
  remember(L, SLOT_TABLE);
  if (to_object(L))
    read_object(L, SLOT_TABLE, "status");
  lua_settop(L, SLOT_TOP + 1);
  lua_setfield(L, SLOT_TABLE, "body");
  return true;
}

/* ---- the list ---- */

static bool add_lua(lua_State *L, struct buffer *b, int index) {
  size_t size;
  const char *id = lua_tolstring(L, index, &size);
  return location_add_segment(b, id, size);
}

/* Gives the item at `item`, whose id is on top of the stack, its location. The
 * list itself names none; this form is documented for the operation call. */
static bool set_item_location(lua_State *L, struct buffer *b, int item) {
  const struct settings *s = settings_of(L);
  buffer_clear(b);
  if (!buffer_add(b, s->endpoint) || !buffer_add(b, "/api/publishers") ||
      !add_lua(L, b, SLOT_FIRST) || !buffer_add(b, "/offers") ||
      !add_lua(L, b, SLOT_SECOND) || !buffer_add(b, "/operations") ||
      !add_lua(L, b, -1) || !buffer_add(b, "?api-version=") ||
      !location_add_escaped(b, s->api_version, strlen(s->api_version)))
    return false;
  lua_pushlstring(L, b->data, b->length);
  lua_setfield(L, item, "location");
  return true;
}

/* Replaces the object on top of the stack by the operation it describes. False:
 * out of memory. */
static bool to_item(lua_State *L, struct transfer *t) {
  int object = lua_gettop(L), item = object + 1;
  const char *word = "submissionState";
  lua_createtable(L, 0, 12);
  lua_pushvalue(L, object);
  if (table_get(L, object, word) != LUA_TSTRING)
    word = "status";
  lua_pop(L, 1);
  read_object(L, item, word);
  lua_setfield(L, item, "document");
  table_set_boolean(L, item, "changed", true);
  set_offer(L, item);
  if (table_get(L, item, "id") == LUA_TSTRING &&
      !set_item_location(L, &t->nodes, item))
    return false;
  lua_settop(L, item);
  set_type(L, item);
  lua_replace(L, object);
  return true;
}

/* The service is asked to filter, and known to be asked in two ways: the answer
 * is filtered again. Words that are no state of ours are compared folded. */
static bool matches(lua_State *L, const char *filter) {
  char wanted[32], found[32] = "";
  enum state state = filter ? state_of(filter) : UNKNOWN;
  if (!filter)
    return true;
  table_get(L, -1, "status");
  if (lua_type(L, -1) == LUA_TSTRING)
    fold(lua_tostring(L, -1), found);
  lua_pop(L, 1);
  fold(filter, wanted);
  return (*wanted && strcmp(found, wanted) == 0) ||
         (state != UNKNOWN && state_of(found) == state);
}

/* lua-cjson makes the same empty table of [] and {}. */
static bool is_array(lua_State *L) {
  if (!lua_istable(L, -1))
    return false;
  if (lua_rawlen(L, -1) > 0)
    return true;
  lua_pushnil(L);
  if (!lua_next(L, -2))
    return true;
  lua_pop(L, 2);
  return false;
}

/* Fills the table with what matches of the array on top of the stack. False:
 * out of memory. */
static bool keep_items(lua_State *L, struct transfer *t, const char *filter) {
  int array = lua_gettop(L);
  lua_Integer count = (lua_Integer)lua_rawlen(L, array), kept = 0;
  for (lua_Integer i = 1; i <= count; i++) {
    lua_settop(L, array);
    if (lua_rawgeti(L, array, i) != LUA_TTABLE)
      continue;
    if (!to_item(L, t))
      return false;
    if (matches(L, filter))
      lua_rawseti(L, SLOT_TABLE, ++kept);
  }
  return true;
}

static bool build_list(lua_State *L, struct request *r) {
  const struct answer *a = &r->transfer->answer;
  if (a->status != 200)
    return fail_status(L, r);
  push_body(L, a);
  if (!json_decode(L, SLOT_TOP + 1))
    return fail_json(L, r);
  if (!is_array(L))
    return fail_protocol(L, r, "unexpected_document",
                         "the list is not an array");
  if (keep_items(L, r->transfer, settings_of(L)->status))
    return true;
  lua_newtable(L);
  lua_replace(L, SLOT_TABLE);
  r->cause = CAUSE_OUT_OF_MEMORY;
  error_from_transfer(L, r);
  return false;
}

/* ---- the token ---- */

/* The numbers of the token endpoint are strings. */
static void set_expiry(lua_State *L, int object) {
  int whole;
  lua_Integer seconds;
  table_get(L, object, "expires_in");
  seconds = lua_tointegerx(L, -1, &whole);
  lua_pop(L, 1);
  if (whole && seconds >= 0)
    table_set_integer(L, SLOT_TABLE, "expires_in", seconds);
}

static bool build_token(lua_State *L, struct request *r) {
  const struct answer *a = &r->transfer->answer;
  if (a->status != 200)
    return fail_status(L, r);
  push_body(L, a);
  if (!json_decode(L, SLOT_TOP + 1) || !lua_istable(L, -1) ||
      table_get(L, -1, "access_token") != LUA_TSTRING || lua_rawlen(L, -1) == 0)
    return fail_protocol(L, r, "invalid_token_answer",
                         "the token endpoint sent no access_token");
  lua_setfield(L, SLOT_TABLE, "access_token");
  set_expiry(L, SLOT_TOP + 2);
  return true;
}

/* ---- any answer ---- */

/* The transfer's codes for a wire that broke. */
static bool is_broken_wire(CURLcode code) {
  return code == CURLE_HTTP2_STREAM || code == CURLE_HTTP2 ||
         code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR ||
         code == CURLE_PARTIAL_FILE;
}

/* True where every byte that was announced has come. */
static bool has_all_bytes(const struct request *r) {
  const struct answer *a = &r->transfer->answer;
  const char *length = answer_header(a, HEADER_CONTENT_LENGTH);
  curl_off_t received = 0;
  curl_easy_getinfo(r->transfer->easy, CURLINFO_SIZE_DOWNLOAD_T, &received);
  return a->status == 204 ||
         (length && (curl_off_t)strtoll(length, NULL, 10) == received);
}

/* True where an answer without a length, as servers that compress it send it,
 * is an object or an array: their end shows by itself. */
static bool has_whole_document(lua_State *L, const struct answer *a) {
  bool whole;
  if (answer_header(a, HEADER_CONTENT_LENGTH) || a->body.length == 0)
    return false;
  push_body(L, a);
  whole = json_decode(L, lua_gettop(L)) && lua_istable(L, -1);
  lua_settop(L, SLOT_TOP);
  return whole;
}

/* True where the answer has come whole, even if the wire broke after it: an
 * HTTP/2 server that answers a POST before reading its body resets the stream,
 * and libcurl reports an error; or it lets the rest of the body wait, and
 * libcurl with it, until the deadline. */
static bool is_whole(lua_State *L, const struct request *r) {
  const struct answer *a = &r->transfer->answer;
  if (a->stopped || !a->head_complete)
    return false;
  if (r->cause != CAUSE_NONE)
    return r->cause == CAUSE_TIMEOUT && has_all_bytes(r);
  if (r->code == CURLE_OK || !is_broken_wire(r->code))
    return r->code == CURLE_OK;
  return has_all_bytes(r) ||
         (r->code == CURLE_HTTP2_STREAM && has_whole_document(L, a));
}

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
  default:
    return build_token(L, r);
  }
}

static void remember_rejection(lua_State *L, const struct transfer *t) {
  if (t->answer.status == 401 && t->token)
    client_set_rejected(L, SLOT_CLIENT, t->lines.data + t->token);
}

/* Tells the ended exchange of a call in its table: true, the result; false, the
 * error. */
bool response_build(lua_State *L, struct request *r) {
  bool ok = false;
  remember_rejection(L, r->transfer);
  if (is_whole(L, r))
    ok = build(L, r);
  else
    error_from_transfer(L, r);
  if (!ok)
    error_redact(L, r);
  lua_settop(L, SLOT_TOP);
  return ok;
}

/* ---- as text ---- */

/* "contoso/vm: running (Running), 41 %, https://…" */
static int to_string(lua_State *L) {
  const char *offer, *publisher, *state, *status, *progress, *location, *text;
  luaL_Buffer out;
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  publisher = table_text(L, 1, "publisher");
  offer = table_text(L, 1, "offer");
  state = table_text(L, 1, "state");
  status = table_text(L, 1, "status");
  progress = table_text(L, 1, "progress");
  location = table_text(L, 1, "location");
  text = lua_pushfstring(
      L, "%s%s%s: %s%s%s%s%s%s%s%s%s", publisher ? publisher : "operation",
      offer ? "/" : "", offer ? offer : "", state ? state : "?",
      status ? " (" : "", status ? status : "", status ? ")" : "",
      progress ? ", " : "", progress ? progress : "", progress ? " %" : "",
      location ? ", " : "", location ? location : "");
  luaL_buffinit(L, &out);
  error_add_clean(&out, text, strlen(text));
  luaL_pushresult(&out);
  return 1;
}

/* Makes the type and the table of decoded documents. */
void response_register(lua_State *L) {
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
