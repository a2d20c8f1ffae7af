/* exchange.h - an exchange that no socket carries, for fuzz targets.
 *
 * A real client and a real transfer are laid out on the stack of a call as
 * request.c does it; the bytes of the answer go in through libcurl's callbacks.
 */
#ifndef EXCHANGE_H
#define EXCHANGE_H

#include "cpp.h"
#include "fuzz.h"

#include <lualib.h>

int luaopen_cpp(lua_State *L);

static const char TOKEN[] = "eyJ0eXAiOiJKV1QifQ.c2VjcmV0.fuzz-token";
static const char ENDPOINT[] = "https://cloudpartner.azure.com";
static const char POLLED[] =
    "https://cloudpartner.azure.com/api/publishers/contoso/offers/vm/"
    "operations/"
    "56615b67-2185-49fe-80d2-c4ddf77bb2e8?api-version=2017-10-31";

static struct transfer *transfer;

/* What libFuzzer's own leak check would call lost. */
static lua_State *machine;

static inline void load(lua_State *L) {
  luaL_openlibs(L);
  luaL_requiref(L, "cpp", luaopen_cpp, 0);
  lua_getfield(L, -1, "client");
  lua_newtable(L);
  lua_pushstring(L, ENDPOINT);
  lua_setfield(L, -2, "endpoint");
  lua_pushstring(L, TOKEN);
  lua_setfield(L, -2, "token");
  lua_call(L, 1, 1);
  lua_setfield(L, LUA_REGISTRYINDEX, "fuzz.client");
  lua_settop(L, 0);
}

static inline lua_State *lua(void) {
  if (machine)
    return machine;
  machine = luaL_newstate();
  transfer = transfer_new();
  CHECK(machine && transfer);
  load(machine);
  return machine;
}

/* Points the transfer and writes its request, without libcurl's options. */
static inline void compose(lua_State *L, struct request *r) {
  const struct settings *s = lua_touserdata(L, SLOT_SETTINGS);
  transfer->request = r;
  r->transfer = transfer;
  CHECK(location_aim(POLLED, ENDPOINT, ENDPOINT, s->api_version,
                     &transfer->text) == VERDICT_OK);
  CHECK(transfer_compose(r, s, r->purpose == TO_TOKEN ? NULL : TOKEN));
  CHECK(answer_start(&transfer->answer));
}

static inline void push_secret(lua_State *L) {
  lua_newtable(L);
  lua_pushstring(L, TOKEN);
  lua_setfield(L, -2, "client_secret");
}

/* Lays out the stack of a call. What it polled, or cancelled, is on top: the
 * operation or nil below the location or nil. */
static inline void lay_out(lua_State *L, struct request *r,
                           enum purpose purpose) {
  memset(r, 0, sizeof *r);
  r->purpose = purpose;
  r->post = purpose == TO_CANCEL || purpose == TO_TOKEN;
  r->progress = COLLECTED;
  lua_getfield(L, LUA_REGISTRYINDEX, "fuzz.client");
  lua_insert(L, SLOT_CLIENT);
  r->client = lua_touserdata(L, SLOT_CLIENT);
  client_push_settings(L, SLOT_CLIENT);
  lua_pushnil(L); /* no request userdata: nothing is in flight */
  lua_newtable(L);
  CHECK(lua_gettop(L) == SLOT_TOP);
  compose(L, r);
}

/* Pushes the two arguments of a call. */
static inline void push_arguments(lua_State *L, enum purpose purpose) {
  if (purpose == TO_TOKEN)
    push_secret(L);
  else if (purpose == TO_POLL)
    lua_pushnil(L);
  else
    lua_pushliteral(L, "contoso");
  lua_pushstring(L, purpose == TO_POLL ? POLLED : "vm");
}

/* Hands over a head: lines up to an empty one, or to the end. Returns the bytes
 * that it took; 0: the transfer would end here. */
static inline size_t feed_head(struct answer *a, const char *bytes,
                               size_t size) {
  size_t taken = 0;
  while (taken < size && !a->head_complete) {
    size_t line = line_size(bytes + taken, size - taken);
    char *copy = copy_bytes(bytes + taken, line);
    size_t good = answer_on_header(copy, 1, line, a);
    free(copy);
    if (good != line)
      return 0;
    taken += line;
  }
  return taken;
}

static inline bool feed_body(struct answer *a, const char *bytes, size_t size) {
  char *copy = copy_bytes(bytes, size);
  bool good = answer_on_body(copy, 1, size, a) == size;
  free(copy);
  return good;
}

/* Runs a C function on the input, given to it as a struct buffer: nothing may
 * be raised. */
static inline void run(lua_CFunction function, const uint8_t *data,
                       size_t size) {
  lua_State *L = lua();
  struct buffer input = {0};
  CHECK(buffer_set(&input, data, size));
  lua_pushcfunction(L, function);
  lua_pushlightuserdata(L, &input);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
    fprintf(stderr, "raised: %s\n", lua_tostring(L, -1));
    abort();
  }
  buffer_free(&input);
}

/* ---- looks at what came out ---- */

/* Whether a raw field is a string without the token. */
static inline bool is_safe(lua_State *L, int table, const char *name) {
  const char *text = table_text(L, table, name);
  bool safe =
      !text || !memmem(text, lua_rawlen(L, -1), TOKEN, sizeof TOKEN - 1);
  lua_pop(L, 1);
  return safe;
}

/* tostring is one line without control characters. */
static inline void check_line(lua_State *L, int value) {
  size_t size;
  const char *text = luaL_tolstring(L, value, &size);
  for (size_t i = 0; i < size; i++)
    CHECK((unsigned char)text[i] >= ' ' && text[i] != 0x7f);
  lua_pop(L, 1);
}

static inline bool field_is(lua_State *L, int table, const char *name,
                            int type) {
  bool same = table_get(L, table, name) == type;
  lua_pop(L, 1);
  return same;
}

/* What every error says. */
static inline void check_error(lua_State *L, int table) {
  static const char *const fields[] = {"message", "code", "body", "request_id",
                                       "location"};
  CHECK(field_is(L, table, "kind", LUA_TSTRING));
  CHECK(field_is(L, table, "code", LUA_TSTRING));
  CHECK(field_is(L, table, "message", LUA_TSTRING));
  CHECK(field_is(L, table, "retryable", LUA_TBOOLEAN));
  CHECK(field_is(L, table, "sent", LUA_TBOOLEAN));
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
    CHECK(is_safe(L, table, fields[i]));
  check_line(L, table);
  luaL_tolstring(L, table, NULL);
  CHECK(!strstr(lua_tostring(L, -1), TOKEN));
  lua_pop(L, 1);
}

#endif
