/* json.c - the bridge to a private lua-cjson instance.
 *
 * Private, so that no setting of ours reaches the host's cjson and none of the
 * host's reaches us.
 */
#include "cpp.h"

#include <locale.h>
#include <pthread.h>
#include <string.h>

/* An operation is five levels deep. */
#define MAX_DEPTH 64

/* Registry keys of the two functions. */
static char decode_key, encode_key;

/* Numbers are decoded under this locale; (locale_t)0: none could be had. */
static locale_t c_locale;
static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;

static void make_c_locale(void) {
  c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

static void configure(lua_State *L, const char *setting) {
  lua_getfield(L, -2, setting);
  lua_insert(L, -2);
  lua_call(L, 1, 0);
}

static void require_cjson(lua_State *L) {
  int status;
  lua_getglobal(L, "require");
  lua_pushliteral(L, "cjson");
  status = lua_pcall(L, 1, 1, 0);
  if (status == LUA_ERRMEM)
    lua_error(L);
  if (status != LUA_OK)
    luaL_error(L,
               "lua-cjson is missing: luarocks install lua-cjson, or apt-get "
               "install lua-cjson\n%s",
               lua_tostring(L, -1));
  if (!lua_istable(L, -1) || lua_getfield(L, -1, "new") != LUA_TFUNCTION)
    luaL_error(L, "this cjson is not lua-cjson: it has no cjson.new");
  lua_call(L, 0, 1);
  lua_remove(L, -2);
}

/* Makes the private instance. Raises, naming what to install, without
 * lua-cjson. */
void json_register(lua_State *L) {
  pthread_once(&c_locale_once, make_c_locale);
  require_cjson(L);
  lua_pushboolean(L, false);
  configure(L, "decode_invalid_numbers");
  lua_pushinteger(L, MAX_DEPTH);
  configure(L, "decode_max_depth");
  lua_getfield(L, -1, "decode");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &decode_key);
  lua_getfield(L, -1, "encode");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &encode_key);
  lua_pop(L, 1);
}

/* A hook that raises (Ctrl-C does) must not pass for a verdict on the text. */
static int call(lua_State *L, const void *function, int argument) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, function);
  lua_pushvalue(L, argument);
  return hook_call_without(L);
}

static int call_in_locale(lua_State *L, locale_t locale, const void *function,
                          int argument) {
  locale_t host = locale ? uselocale(locale) : (locale_t)0;
  int status = call(L, function, argument);
  if (host)
    uselocale(host);
  return status;
}

/* The host's decimal point and the letters of "C": with a Turkish I cjson takes
 * -Infinity. (locale_t)0: none could be had. */
static locale_t new_numeric_locale(void) {
  locale_t host = duplocale(uselocale((locale_t)0));
  locale_t numeric = host ? newlocale(LC_CTYPE_MASK, "C", host) : (locale_t)0;
  if (host && !numeric)
    freelocale(host);
  return numeric;
}

/* As call. cjson learns the decimal point when it is loaded and scans numbers
 * with strtod: under "C" the two agree, unless it was loaded under a locale
 * with a comma. */
static int call_decode(lua_State *L, int text) {
  int status = call_in_locale(L, c_locale, &decode_key, text);
  locale_t numeric;
  if (status == LUA_OK || status == LUA_ERRMEM ||
      strcmp(localeconv()->decimal_point, ".") == 0)
    return status;
  lua_pop(L, 1);
  numeric = new_numeric_locale();
  status = call_in_locale(L, numeric, &decode_key, text);
  if (numeric)
    freelocale(numeric);
  return status;
}

/* Where the JSON begins in a text: behind a UTF-8 byte order mark. */
const char *json_start(const char *text) {
  return strncmp(text, "\xEF\xBB\xBF", 3) == 0 ? text + 3 : text;
}

/* Decodes the string at `text` and pushes the tree. False, and nothing is
 * pushed, where it is not JSON. Raises only a memory error. */
bool json_decode(lua_State *L, int text) {
  size_t size;
  const char *bytes = lua_tolstring(L, text, &size), *start = json_start(bytes);
  int status;
  /* cjson stops at a NUL and calls what comes before it the document. */
  if (memchr(bytes, '\0', size))
    return false;
  if (start == bytes)
    lua_pushvalue(L, text);
  else
    lua_pushlstring(L, start, size - (size_t)(start - bytes));
  status = call_decode(L, lua_gettop(L));
  lua_remove(L, -2);
  if (status == LUA_ERRMEM)
    lua_error(L);
  if (status != LUA_OK)
    lua_pop(L, 1);
  return status == LUA_OK;
}

/* Pushes the JSON text of the value at `value`. */
void json_encode(lua_State *L, int value) {
  if (call(L, &encode_key, value) != LUA_OK)
    lua_error(L);
}
