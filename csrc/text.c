/* text.c - text fit to be shown: one clean line, without secrets. */
#include "cpp.h"

#include <string.h>

/* Pushes the bytes of a buffer, which may never have held any. */
void text_push_bytes(lua_State *L, const struct buffer *b) {
  lua_pushlstring(L, b->data ? b->data : "", b->length);
}

/* Pushes `text` with what stands from `start` to its last "@" hidden. */
static const char *push_hidden(lua_State *L, const char *text,
                               const char *start) {
  const char *at = strrchr(text, '@');
  if (!at || at < start)
    return lua_pushstring(L, text);
  lua_pushlstring(L, text, (size_t)(start - text));
  lua_pushfstring(L, "***%s", at);
  lua_concat(L, 2);
  return lua_tostring(L, -1);
}

/* Passes over a scheme, where there is one. */
static const char *skip_scheme(const char *url) {
  size_t size = strspn(url, "abcdefghijklmnopqrstuvwxyz0123456789+-."
                            "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
  return size && strncmp(url + size, "://", 3) == 0 ? url + size + 3 : url;
}

/* Pushes the URL of a proxy without its user info. */
const char *text_push_proxy(lua_State *L, const char *url) {
  return push_hidden(L, url, skip_scheme(url));
}

/* Pushes libcurl's text without the user info of a proxy's URL that it may
 * quote, whatever quotes that holds itself. */
const char *text_push_masked(lua_State *L, const char *text) {
  const char *quote = strchr(text, '\''), *scheme = strstr(text, "://");
  if (quote && (!scheme || quote < scheme))
    return push_hidden(L, text, skip_scheme(quote + 1));
  return push_hidden(L, text, scheme ? scheme + 3 : text);
}

/* True for a longer form of a shorter character, a surrogate, and what is
 * beyond Unicode. */
static bool is_overlong(const unsigned char *text) {
  return (text[0] == 0xe0 && text[1] < 0xa0) ||
         (text[0] == 0xed && text[1] > 0x9f) ||
         (text[0] == 0xf0 && text[1] < 0x90) ||
         (text[0] == 0xf4 && text[1] > 0x8f);
}

/* The bytes of the UTF-8 character at `text`; 0: there is none. */
static size_t utf8_size(const unsigned char *text, size_t size) {
  size_t length = *text < 0x80   ? 1
                  : *text < 0xc2 ? 0
                  : *text < 0xe0 ? 2
                  : *text < 0xf0 ? 3
                  : *text < 0xf5 ? 4
                                 : 0;
  if (length > size)
    return 0;
  for (size_t i = 1; i < length; i++)
    if ((text[i] & 0xc0) != 0x80)
      return 0;
  return length > 1 && is_overlong(text) ? 0 : length;
}

/* The character in the `length` bytes at `text`. */
static unsigned long utf8_code(const unsigned char *text, size_t length) {
  static const unsigned char lead[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
  unsigned long code = text[0] & lead[length];
  for (size_t i = 1; i < length; i++)
    code = code << 6 | (text[i] & 0x3f);
  return code;
}

/* What does things to a terminal: control characters (C0, DEL, C1), what
 * separates lines (U+2028, U+2029), and what turns the direction of the text
 * round (U+061C, U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069).
 * lua/cpp/text.lua has the same set. */
static bool is_hidden(unsigned long code) {
  static const struct {
    unsigned long first, last;
  } ranges[] = {{0, 0x1f},        {0x7f, 0x9f},     {0x61c, 0x61c},
                {0x200e, 0x200f}, {0x2028, 0x202e}, {0x2066, 0x2069}};
  for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
    if (code >= ranges[i].first && code <= ranges[i].last)
      return true;
  return false;
}

/* Pushes text fit for one line of a terminal: hidden characters become spaces,
 * and bytes that are not UTF-8 U+FFFD. */
void text_push_clean(lua_State *L, const char *text) {
  const unsigned char *at = (const unsigned char *)text;
  size_t size = strlen(text), length;
  luaL_Buffer out;
  luaL_buffinit(L, &out);
  for (; size; at += length, size -= length) {
    length = utf8_size(at, size);
    if (length == 0) {
      luaL_addstring(&out, "\xef\xbf\xbd");
      length = 1;
    } else if (is_hidden(utf8_code(at, length))) {
      luaL_addchar(&out, ' ');
    } else {
      luaL_addlstring(&out, (const char *)at, length);
    }
  }
  luaL_pushresult(&out);
}
