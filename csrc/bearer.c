/* bearer.c - a token as people have it: what of a text is one.
 *
 * What clings to a token when it is copied or read from a file is dropped:
 * white space and a byte order mark. What is no token is refused here, in words
 * that follow the name of what held it; the service would only say 401.
 */
#include "cpp.h"

#include <string.h>
#include <strings.h>

#define MARK "\xEF\xBB\xBF"

static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static void trim(const char **text, size_t *size) {
  const char *first = *text, *end = *text + *size;
  for (;;) {
    if (first < end && is_space(*first))
      first++;
    else if (end - first >= 3 && memcmp(first, MARK, 3) == 0)
      first += 3;
    else if (first < end && is_space(end[-1]))
      end--;
    else if (end - first >= 3 && memcmp(end - 3, MARK, 3) == 0)
      end -= 3;
    else
      break;
  }
  *text = first;
  *size = (size_t)(end - first);
}

/* RFC 6750, 2.1; its "=" stands at the end, which is the service's to check. */
static bool is_token_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (c >= '0' && c <= '9') || (c && strchr("-._~+/=", c));
}

static bool is_quote(char c) { return c == '"' || c == '\'' || c == '`'; }

/* Narrows a text to the token in it. Returns what is wrong with it, NULL where
 * nothing is; a static string. */
static const char *find(const char **text, size_t *size) {
  trim(text, size);
  if (*size == 0)
    return "is empty";
  if (is_quote((*text)[0]) || is_quote((*text)[*size - 1]))
    return "is in quotes: give what stands between them";
  if (**text == '{' || **text == '[')
    return "is JSON, not a token: of az's answer, give the accessToken alone";
  if (*size > 6 && strncasecmp(*text, "Bearer", 6) == 0 && is_space((*text)[6]))
    return "begins with 'Bearer': give what follows it";
  if (memchr(*text, '\n', *size) || memchr(*text, '\r', *size))
    return "holds a line break";
  for (size_t i = 0; i < *size; i++)
    if (!is_token_byte((*text)[i]))
      return "holds a character that no token has";
  return NULL;
}

/* Replaces the string on top of the stack by the token in it. Returns what is
 * wrong with it, NULL where nothing is; then the string stays. */
const char *bearer_trim(lua_State *L) {
  size_t whole, size;
  const char *text = lua_tolstring(L, -1, &whole), *fault;
  size = whole;
  fault = find(&text, &size);
  if (!fault && size < whole) {
    lua_pushlstring(L, text, size);
    lua_remove(L, -2);
  }
  return fault;
}

/* bearer(text, name) --> token | nil, what is wrong with what `name` holds */
int bearer_check(lua_State *L) {
  const char *name, *fault;
  luaL_checktype(L, 1, LUA_TSTRING);
  name = luaL_checkstring(L, 2);
  lua_settop(L, 2);
  lua_pushvalue(L, 1);
  fault = bearer_trim(L);
  if (!fault)
    return 1;
  lua_pushnil(L);
  lua_pushfstring(L, "%s %s", name, fault);
  return 2;
}
