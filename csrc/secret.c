/* secret.c - the secrets of an exchange, taken out of what is told of it.
 *
 * A server may echo them in JSON or percent-encoded, or in one within the
 * other. A text is read in each of these ways, and what reads as the secret is
 * replaced where it is written.
 */
#include "cpp.h"

#include <string.h>

/* One shorter than this is a placeholder; hiding it would garble texts. */
#define SHORTEST_SECRET 8

/* Escapes of one kind. FORM is PERCENT with "+" for a space. */
enum layer { AS_IT_IS, JSON, PERCENT, FORM };

/* The layers of each way to read a text, the innermost last. */
static const enum layer readings[][3] = {
    {AS_IT_IS},      {JSON},       {PERCENT},       {FORM},
    {PERCENT, JSON}, {FORM, JSON}, {JSON, PERCENT}, {JSON, FORM}};

/* What the bytes at some place of a text stand for. */
struct unit {
  char bytes[4];
  size_t count; /* of `bytes` */
  size_t taken; /* bytes of the text */
};

static struct unit read_unit(const char *text, size_t size,
                             const enum layer *layer);

static bool is(const struct unit *u, char c) {
  return u->count == 1 && u->bytes[0] == c;
}

/* Reads `count` hexadecimal digits from `*at` on, and moves there. -1: there
 * are none. */
static long read_hex(const char *text, size_t size, const enum layer *layer,
                     int count, size_t *at) {
  char digits[5] = "";
  size_t end = *at;
  for (int i = 0; i < count; i++) {
    struct unit u = {.taken = 0};
    if (end < size)
      u = read_unit(text + end, size - end, layer);
    if (u.count != 1 || !u.bytes[0] ||
        !strchr("0123456789abcdefABCDEF", u.bytes[0]))
      return -1;
    digits[i] = u.bytes[0];
    end += u.taken;
  }
  *at = end;
  return strtol(digits, NULL, 16);
}

/* The bytes of a character in UTF-8. */
static void write_utf8(struct unit *u, unsigned long code) {
  static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
  u->count = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  for (size_t i = u->count - 1; i > 0; i--, code >>= 6)
    u->bytes[i] = (char)(0x80 | (code & 0x3f));
  u->bytes[0] = (char)(lead[u->count] | code);
}

/* Reads "\u" from `*at` on, if it is there, and the number after it. */
static long read_utf16(const char *text, size_t size, const enum layer *layer,
                       size_t *at) {
  size_t end = *at;
  for (const char *c = "\\u"; *c; c++) {
    struct unit u = {.taken = 0};
    if (end < size)
      u = read_unit(text + end, size - end, layer);
    if (!is(&u, *c))
      return -1;
    end += u.taken;
  }
  *at = end;
  return read_hex(text, size, layer, 4, at);
}

/* The character of "\uXXXX", or of a pair of them. */
static bool read_character(const char *text, size_t size,
                           const enum layer *layer, struct unit *u) {
  size_t at = 0, end;
  long code = read_utf16(text, size, layer, &at), low;
  if (code < 0)
    return false;
  end = at;
  if (code >= 0xd800 && code < 0xdc00 &&
      (low = read_utf16(text, size, layer, &end)) >= 0xdc00 && low < 0xe000) {
    code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    at = end;
  }
  write_utf8(u, (unsigned long)code);
  u->taken = at;
  return true;
}

static struct unit read_json(const char *text, size_t size,
                             const enum layer *layer) {
  static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
  struct unit u = read_unit(text, size, layer), next;
  const char *letter;
  if (!is(&u, '\\') || u.taken == size || read_character(text, size, layer, &u))
    return u;
  next = read_unit(text + u.taken, size - u.taken, layer);
  letter =
      next.count == 1 && next.bytes[0] ? strchr(letters, next.bytes[0]) : NULL;
  if (letter) {
    u.bytes[0] = meant[letter - letters];
    u.taken += next.taken;
  }
  return u;
}

static struct unit read_percent(const char *text, size_t size,
                                const enum layer *layer) {
  struct unit u = read_unit(text, size, layer);
  long code;
  if (is(&u, '%') && (code = read_hex(text, size, layer, 2, &u.taken)) >= 0)
    u.bytes[0] = (char)code;
  return u;
}

/* What stands at the beginning of a text that is not empty. */
static struct unit read_unit(const char *text, size_t size,
                             const enum layer *layer) {
  struct unit u = {{*text}, 1, 1};
  switch (*layer) {
  case AS_IT_IS:
    return u;
  case JSON:
    return read_json(text, size, layer + 1);
  case PERCENT:
    return read_percent(text, size, layer + 1);
  case FORM:
    u = read_percent(text, size, layer + 1);
    if (is(&u, '+') && u.taken == 1)
      u.bytes[0] = ' ';
  }
  return u;
}

/* Whether a text can have escapes of the innermost layer, without which it has
 * none of the others. */
static bool may_read(const char *text, size_t size, const enum layer *layer) {
  while (*layer != AS_IT_IS && layer[1] != AS_IT_IS)
    layer++;
  switch (*layer) {
  case AS_IT_IS:
    return true;
  case JSON:
    return memchr(text, '\\', size);
  case FORM:
    return memchr(text, '%', size) || memchr(text, '+', size);
  default:
    return memchr(text, '%', size);
  }
}

/* The bytes up to the first that an escape can begin with. */
static size_t plain_size(const char *text, size_t size) {
  const char *at = text, *end = text + size;
  while (at < end && *at != '\\' && *at != '%' && *at != '+')
    at++;
  return (size_t)(at - text);
}

/* Pushes what a text reads as. */
static const char *push_read(lua_State *L, const char *text, size_t size,
                             const enum layer *layer, size_t *length) {
  luaL_Buffer out;
  luaL_buffinit(L, &out);
  while (size > 0) {
    size_t plain = plain_size(text, size);
    struct unit u = {.taken = 0};
    luaL_addlstring(&out, text, plain);
    if (plain < size)
      u = read_unit(text + plain, size - plain, layer);
    luaL_addlstring(&out, u.bytes, u.count);
    text += plain + u.taken;
    size -= plain + u.taken;
  }
  luaL_pushresult(&out);
  return lua_tolstring(L, -1, length);
}

/* A secret, and the next place of the text that reads as it. */
struct search {
  const char *secret;
  size_t length;
  const char *next, *end; /* NULL: none */
};

static bool find(struct search *s, const char *from) {
  s->next = memmem(from, (size_t)(s->end - from), s->secret, s->length);
  return s->next != NULL;
}

/* Pushes the text with what reads as the secret replaced; `at` is what it reads
 * as. */
static void push_masked(lua_State *L, const char *text, size_t size,
                        const enum layer *layer, struct search *s,
                        const char *at) {
  bool masked = false;
  luaL_Buffer out;
  luaL_buffinit(L, &out);
  while (size > 0) {
    struct unit u = read_unit(text, size, layer);
    const char *end = at + u.count;
    bool within = s->next && end > s->next;
    if (!within)
      luaL_addlstring(&out, text, u.taken);
    else if (!masked)
      luaL_addstring(&out, "***");
    masked = within;
    if (within && end >= s->next + s->length) {
      find(s, s->next + s->length);
      masked = false;
    }
    at = end;
    text += u.taken;
    size -= u.taken;
  }
  luaL_pushresult(&out);
}

/* Replaces the text on top of the stack by one without the secret. */
static void mask_reading(lua_State *L, const enum layer *layer,
                         const char *secret) {
  struct search s = {secret, strlen(secret), NULL, NULL};
  size_t size, length;
  const char *text = lua_tolstring(L, -1, &size), *read;
  if (!may_read(text, size, layer))
    return;
  read = push_read(L, text, size, layer, &length);
  s.end = read + length;
  if (find(&s, read)) {
    push_masked(L, text, size, layer, &s, read);
    lua_replace(L, -3);
  }
  lua_pop(L, 1);
}

/* The fields that a server writes, in part or as a whole. */
static void mask(lua_State *L, int table, const char *secret) {
  static const char *const fields[] = {"message",    "code",     "body",
                                       "request_id", "location", "url"};
  enum { READINGS = sizeof readings / sizeof *readings };
  if (strlen(secret) < SHORTEST_SECRET)
    return;
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
    if (table_get(L, table, fields[i]) != LUA_TSTRING) {
      lua_pop(L, 1);
      continue;
    }
    for (size_t way = 0; way < READINGS; way++)
      mask_reading(L, readings[way], secret);
    lua_setfield(L, table, fields[i]);
  }
}

/* What was given for a grant. */
static void mask_parameter(lua_State *L, int table, const char *name) {
  if (table_get(L, SLOT_FIRST, name) == LUA_TSTRING)
    mask(L, table, lua_tostring(L, -1));
  lua_pop(L, 1);
}

/* The values of the headers that were given, and what follows the scheme in
 * one, as in "bearer eyJ…". */
static void mask_headers(lua_State *L, int table, const char *line) {
  for (; *line; line += strlen(line) + 1) {
    const char *value = strstr(line, ": "), *space;
    if (!value)
      continue;
    space = strchr(value + 2, ' ');
    mask(L, table, value + 2);
    if (space)
      mask(L, table, space + 1);
  }
}

/* Takes the secrets of an exchange out of the fields of a table that a server
 * has echoed them into. */
void secret_redact(lua_State *L, const struct request *r, int table) {
  const struct transfer *t = r->transfer;
  if (t && t->token)
    mask(L, table, t->lines.data + t->token);
  if (r->purpose == TO_TOKEN) {
    mask_parameter(L, table, "client_secret");
    mask_parameter(L, table, "client_assertion");
  }
  if (r->purpose == TO_JSON)
    mask_headers(L, table, exchange_settings(L)->headers);
}
