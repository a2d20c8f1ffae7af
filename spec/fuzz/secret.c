/* secret.c - fuzz target: a secret, however it is spelt, in any text.
 *
 * The first byte chooses the layers of escapes, the next ones how each
 * character is written; half of the rest comes before the secret, half after.
 */
#include "exchange.h"

static const char SECRET[] = "p/q+r \"s\\%41\xc3\xbc=";

/* Bytes of the input from which spellings are taken. */
struct choices {
  const unsigned char *at;
  size_t left;
};

static unsigned next(struct choices *c) {
  if (!c->left)
    return 0;
  c->left--;
  return *c->at++;
}

static void add(struct buffer *b, const char *format, unsigned value) {
  char text[16];
  snprintf(text, sizeof text, format, value);
  CHECK(buffer_add(b, text));
}

/* Writes the text as JSON may: no byte above 0x7f needs an escape. */
static struct buffer to_json(const char *text, struct choices *c) {
  struct buffer b = {0};
  for (; *text; text++) {
    unsigned byte = (unsigned char)*text, choice = next(c) % 4;
    bool needs = *text == '"' || *text == '\\';
    if (byte >= 0x80 || (choice < 2 && !needs))
      add(&b, "%c", byte);
    else if (choice % 2 == 0 && (needs || *text == '/'))
      add(&b, "\\%c", byte);
    else
      add(&b, choice == 1 ? "\\u%04x" : "\\u%04X", byte);
  }
  return b;
}

static struct buffer to_percent(const char *text, struct choices *c) {
  struct buffer b = {0};
  for (; *text; text++) {
    unsigned byte = (unsigned char)*text, choice = next(c) % 3;
    if (choice == 0 && byte != '%')
      add(&b, "%c", byte);
    else
      add(&b, choice == 1 ? "%%%02x" : "%%%02X", byte);
  }
  return b;
}

static struct buffer spell(unsigned kind, struct choices *c) {
  struct buffer inner = kind & 1 ? to_json(SECRET, c) : to_percent(SECRET, c);
  struct buffer outer;
  if (kind & 2)
    return inner;
  outer = kind & 1 ? to_percent(inner.data, c) : to_json(inner.data, c);
  buffer_free(&inner);
  return outer;
}

/* What a server answers: the beginning and the end of the rest around it. */
static void frame(struct buffer *b, const struct choices *rest,
                  const char *middle) {
  size_t half = rest->left / 2;
  CHECK(buffer_append(b, rest->at, half) && buffer_add(b, "<") &&
        buffer_add(b, middle) && buffer_add(b, ">") &&
        buffer_append(b, rest->at + half, rest->left - half));
}

/* Pushes what is left of a body when the secret has been taken out. */
static void push_redacted(lua_State *L, const struct choices *rest,
                          const char *middle) {
  struct request r = {.purpose = TO_TOKEN};
  struct buffer body = {0};
  frame(&body, rest, middle);
  lua_pushlstring(L, body.data, body.length);
  buffer_free(&body);
  lua_setfield(L, SLOT_TABLE, "body");
  secret_redact(L, &r, SLOT_TABLE);
  CHECK(table_get(L, SLOT_TABLE, "body") == LUA_TSTRING);
}

static int mask(lua_State *L) {
  const struct buffer *input = lua_touserdata(L, 1);
  struct choices c = {(const unsigned char *)input->data, input->length};
  struct buffer spelt = spell(next(&c), &c);
  lua_settop(L, 0);
  lua_settop(L, SLOT_TOP);
  lua_newtable(L);
  lua_pushstring(L, SECRET);
  lua_setfield(L, -2, "client_secret");
  lua_replace(L, SLOT_FIRST);
  lua_newtable(L);
  lua_replace(L, SLOT_TABLE);
  push_redacted(L, &c, spelt.data);
  buffer_free(&spelt);
  /* The rest may hold the secret too: the fuzzer learns it. */
  push_redacted(L, &c, "***");
  CHECK(lua_rawequal(L, -2, -1) && lua_gettop(L) == SLOT_TOP + 2);
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  run(mask, data, size);
  return 0;
}
