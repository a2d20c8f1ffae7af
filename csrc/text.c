/* text.c - text fit to be shown: one clean line, without secrets. */
#include "cpp.h"

#include <string.h>

/* Pushes the bytes of a buffer, which may never have held any. */
void text_push_bytes(lua_State *L, const struct buffer *b) {
  lua_pushlstring(L, b->data ? b->data : "", b->length);
}

/* Pushes libcurl's text without the user info of a proxy's URL that it may
 * quote. */
const char *text_push_masked(lua_State *L, const char *text) {
  const char *at = strrchr(text, '@'), *start = strstr(text, "://");
  if (!at)
    return lua_pushstring(L, text);
  if (start)
    start += 3;
  else
    start = text + strcspn(text, "'") + 1;
  if (start > at)
    start = text;
  lua_pushlstring(L, text, (size_t)(start - text));
  lua_pushfstring(L, "***%s", at);
  lua_concat(L, 2);
  return lua_tostring(L, -1);
}

/* Pushes `text` with each `secret` replaced; false, and nothing, where there
 * is none. */
bool text_push_redacted(lua_State *L, const char *text, size_t size,
                        const char *secret, size_t length) {
  const char *end = text + size, *found = memmem(text, size, secret, length);
  luaL_Buffer out;
  if (!found)
    return false;
  luaL_buffinit(L, &out);
  for (; found; found = memmem(text, (size_t)(end - text), secret, length)) {
    luaL_addlstring(&out, text, (size_t)(found - text));
    luaL_addstring(&out, "***");
    text = found + length;
  }
  luaL_addlstring(&out, text, (size_t)(end - text));
  luaL_pushresult(&out);
  return true;
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

static bool is_control(const unsigned char *text, size_t length) {
  if (length == 1)
    return *text < ' ' || *text == 0x7f;
  return length == 2 && text[0] == 0xc2 && text[1] < 0xa0;
}

/* Pushes text fit for one line of a terminal: control characters, the C1 ones
 * too, become spaces, and bytes that are not UTF-8 question marks. */
void text_push_clean(lua_State *L, const char *text) {
  const unsigned char *at = (const unsigned char *)text;
  size_t size = strlen(text), length;
  luaL_Buffer out;
  luaL_buffinit(L, &out);
  for (; size; at += length, size -= length) {
    length = utf8_size(at, size);
    if (length == 0) {
      luaL_addchar(&out, '?');
      length = 1;
    } else if (is_control(at, length)) {
      luaL_addchar(&out, ' ');
    } else {
      luaL_addlstring(&out, (const char *)at, length);
    }
  }
  luaL_pushresult(&out);
}
