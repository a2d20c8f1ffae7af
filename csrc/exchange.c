/* exchange.c - what results, errors and traces say alike of an exchange: its
 * settings, ids, Retry-After and location. */
#include "cpp.h"

#include <string.h>

/* The settings of the call whose stack this is. */
const struct settings *exchange_settings(lua_State *L) {
  return lua_touserdata(L, SLOT_SETTINGS);
}

/* Whether a good answer is a secret, and the request has no token of ours. */
bool exchange_brings_token(const struct request *r) {
  return r->purpose == TO_TOKEN || r->purpose == TO_JSON;
}

/* Whether what an HTTP status refuses may go well at another time. */
bool exchange_is_passing(int status) {
  return status == 408 || status == 429 || status >= 500;
}

/* Sets `request_id`, where the service gave one, and `client_request_id`, where
 * the request was composed. */
void exchange_set_ids(lua_State *L, int table, const struct transfer *t) {
  const char *request_id = answer_request_id(&t->answer);
  if (request_id)
    table_set_string(L, table, "request_id", request_id);
  if (t->id)
    table_set_string(L, table, "client_request_id", t->lines.data + t->id);
}

/* Sets `retry_after` where the answer says it. */
void exchange_set_pause(lua_State *L, int table, const struct transfer *t) {
  long long seconds = answer_retry_after(&t->answer);
  if (seconds >= 0)
    table_set_integer(L, table, "retry_after", seconds);
}

/* Sets `publisher` and `offer` to those of the call. */
void exchange_set_offer(lua_State *L, int table) {
  lua_pushvalue(L, SLOT_FIRST);
  lua_setfield(L, table, "publisher");
  lua_pushvalue(L, SLOT_SECOND);
  lua_setfield(L, table, "offer");
}

/* ---- URLs of our own ---- */

/* Appends "/" and the id at a stack index as one path segment. */
bool exchange_add_segment(lua_State *L, struct buffer *b, int index) {
  size_t size;
  const char *id = lua_tolstring(L, index, &size);
  return url_add_segment(b, id, size);
}

/* Appends the name and the value, percent-encoded. */
static bool add_pair(struct buffer *url, const char *name, const char *value) {
  return buffer_add(url, name) && url_add_escaped(url, value, strlen(value));
}

/* Writes the URL of the call's offer and `tail`, then of the id at the stack
 * index `id` (0: none), with a filter (NULL: none) and api-version in its
 * query. False: out of memory. */
bool exchange_write_url(lua_State *L, struct buffer *url, const char *tail,
                        int id, const char *filter) {
  const struct settings *s = exchange_settings(L);
  buffer_clear(url);
  return buffer_add(url, s->endpoint) && buffer_add(url, "/api/publishers") &&
         exchange_add_segment(L, url, SLOT_FIRST) &&
         buffer_add(url, "/offers") &&
         exchange_add_segment(L, url, SLOT_SECOND) && buffer_add(url, tail) &&
         (!id || exchange_add_segment(L, url, id)) && buffer_add(url, "?") &&
         (!filter ||
          (add_pair(url, "status=", filter) && buffer_add(url, "&"))) &&
         add_pair(url, "api-version=", s->api_version);
}

/* ---- the location ---- */

/* Pushes a location that there is no memory to parse: absolute too, but perhaps
 * without api-version. */
static void push_joined_location(lua_State *L, const struct transfer *t,
                                 const char *header) {
  lua_pushlstring(L, t->text.data, location_base(t->text.data, header));
  lua_pushstring(L, header);
  lua_concat(L, 2);
}

/* Pushes the location that an answer brings, absolute, with api-version; one
 * that cannot be resolved or followed as the service wrote it. */
static void push_new_location(lua_State *L, struct transfer *t,
                              const char *header) {
  const struct settings *s = exchange_settings(L);
  struct buffer *text = &t->location;
  enum verdict verdict =
      location_aim(header, t->text.data, s->endpoint, s->api_version, text);
  if ((verdict == VERDICT_OK || verdict == VERDICT_FOREIGN) && text->length)
    lua_pushlstring(L, text->data, text->length);
  else if (verdict == VERDICT_NO_MEMORY)
    push_joined_location(L, t, header);
  else
    lua_pushstring(L, header);
}

/* Where a place to poll is named, Location is that of the final result. */
static const char *location_header(const struct answer *a) {
  static const enum header places[] = {
      HEADER_ASYNC_OPERATION, HEADER_OPERATION_LOCATION, HEADER_LOCATION};
  for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
    const char *value = answer_header(a, places[i]);
    if (value && *value)
      return value;
  }
  return NULL;
}

/* Pushes the location that was polled; the string of the operation it came
 * from serves again where it is the same. */
static void push_polled_location(lua_State *L, const struct transfer *t) {
  if (!t || t->text.length == 0 ||
      buffer_equals(&t->text, lua_tostring(L, SLOT_SECOND),
                    lua_rawlen(L, SLOT_SECOND)))
    lua_pushvalue(L, SLOT_SECOND);
  else
    lua_pushlstring(L, t->text.data, t->text.length);
}

/* Sets `location` of the table: that of a 202, else the one that was polled. A
 * location in any other answer is not one to follow. */
void exchange_set_location(lua_State *L, struct request *r) {
  struct transfer *t = r->transfer;
  const char *header = NULL;
  if (t && t->answer.status == 202)
    header = location_header(&t->answer);
  if (header)
    push_new_location(L, t, header);
  else if (r->purpose == TO_POLL && lua_type(L, SLOT_SECOND) == LUA_TSTRING)
    push_polled_location(L, t);
  else
    return;
  lua_setfield(L, SLOT_TABLE, "location");
}
