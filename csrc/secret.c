/* secret.c - the token, or the client secret, of an exchange: taken out of what
 * is told of it. */
#include "cpp.h"

#include <string.h>

/* A token shorter than this is a placeholder; hiding it would garble texts. */
#define SHORTEST_SECRET 8

static void redact_field(lua_State *L, const char *field, const char *secret) {
  size_t size;
  if (table_get(L, SLOT_TABLE, field) == LUA_TSTRING) {
    const char *text = lua_tolstring(L, -1, &size);
    if (text_push_redacted(L, text, size, secret, strlen(secret)))
      lua_setfield(L, SLOT_TABLE, field);
  }
  lua_pop(L, 1);
}

static void redact(lua_State *L, const char *secret) {
  static const char *const fields[] = {"message", "code", "body", "request_id",
                                       "location"};
  if (strlen(secret) < SHORTEST_SECRET)
    return;
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
    redact_field(L, fields[i], secret);
}

/* Redacts a secret as a JSON text that echoes it may write it. */
static void redact_in_json(lua_State *L, const char *secret) {
  size_t size;
  const char *quoted;
  lua_pushstring(L, secret);
  json_encode(L, lua_gettop(L));
  quoted = lua_tolstring(L, -1, &size);
  lua_pushlstring(L, quoted + 1, size - 2);
  redact(L, lua_tostring(L, -1));
  lua_pop(L, 3);
}

/* The secret went out as part of a form, and an answer is most often JSON: an
 * echo may be of any kind. */
static void redact_client_secret(lua_State *L, struct transfer *t,
                                 const char *secret) {
  redact(L, secret);
  redact_in_json(L, secret);
  if (!t)
    return;
  buffer_clear(&t->nodes); /* no longer in use */
  if (location_add_escaped(&t->nodes, secret, strlen(secret))) {
    redact(L, t->nodes.data);
    return;
  }
  /* What cannot be cleaned is not shown. */
  lua_pushnil(L);
  lua_setfield(L, SLOT_TABLE, "body");
}

/* Takes the token, or the client secret, out of an error that a server has
 * echoed it into. */
void secret_redact(lua_State *L, struct request *r) {
  if (r->transfer && r->transfer->token)
    redact(L, r->transfer->lines.data + r->transfer->token);
  if (r->purpose == TO_TOKEN &&
      table_get(L, SLOT_FIRST, "client_secret") == LUA_TSTRING)
    redact_client_secret(L, r->transfer, lua_tostring(L, -1));
  lua_settop(L, SLOT_TOP);
}
