/* fetch.c - what a credential asks of others than the portal: tokens, and what
 * they are granted for.
 *
 * Parameters are copied when the call begins: what a script does to its table
 * meanwhile changes neither what is sent nor what is masked.
 */
#include "cpp.h"

#include <string.h>

/* Replaces the parameters at SLOT_FIRST by a copy of the fields of these names.
 * Raises where there is another. */
static void copy_parameters(lua_State *L, const char *const names[]) {
  if (!lua_istable(L, SLOT_FIRST))
    luaL_error(L, "parameters: table expected, got %s",
               luaL_typename(L, SLOT_FIRST));
  check_fields(L, SLOT_FIRST, names);
  lua_settop(L, SLOT_FIRST);
  lua_newtable(L);
  for (; *names; names++)
    table_copy(L, SLOT_FIRST, SLOT_SECOND, *names);
  lua_replace(L, SLOT_FIRST);
}

/* The string field `name` of the parameters; NULL: there is none. */
static const char *given(lua_State *L, const char *name) {
  const char *text = NULL;
  if (table_get(L, SLOT_FIRST, name) == LUA_TSTRING)
    text = lua_tostring(L, -1);
  else if (!lua_isnil(L, -1))
    luaL_error(L, "'%s': string expected, got %s", name, luaL_typename(L, -1));
  if (text && strlen(text) != lua_rawlen(L, -1))
    luaL_error(L, "'%s' holds a NUL", name);
  if (text && !*text)
    luaL_error(L, "'%s' is missing", name);
  lua_pop(L, 1);
  return text;
}

/* The same, or `otherwise`; raises where there is neither. */
static const char *parameter(lua_State *L, const char *name,
                             const char *otherwise) {
  const char *text = given(L, name);
  if (!text && !otherwise)
    luaL_error(L, "'%s' is missing", name);
  return text ? text : otherwise;
}

/* ---- a token ---- */

static const char RESOURCE[] = "https://cloudpartner.azure.com";

static void check_token_parameters(lua_State *L) {
  static const char *const names[] = {
      "tenant",   "client_id", "client_secret", "client_assertion", "authority",
      "resource", NULL};
  copy_parameters(L, names);
  parameter(L, "client_id", NULL);
  parameter(L, "resource", RESOURCE);
  if (!given(L, "client_assertion"))
    parameter(L, "client_secret", NULL);
  else if (given(L, "client_secret"))
    luaL_error(L, "'client_secret' or 'client_assertion', not both");
  table_get(L, SLOT_FIRST, "tenant");
  check_id(L, -1, "'tenant'");
  lua_settop(L, SLOT_FIRST);
}

static bool add_pair(struct buffer *form, const char *name, const char *value) {
  return buffer_add(form, name) && url_add_escaped(form, value, strlen(value));
}

/* The form of v1, which Microsoft documents for a service principal. */
static bool write_secret_form(lua_State *L, struct buffer *form) {
  return add_pair(form, "&client_secret=", given(L, "client_secret")) &&
         add_pair(form, "&resource=", parameter(L, "resource", RESOURCE));
}

/* The form of v2, which alone takes an assertion. */
static bool write_assertion_form(lua_State *L, struct buffer *form) {
  return add_pair(form, "&client_assertion=", given(L, "client_assertion")) &&
         add_pair(form, "&client_assertion_type=",
                  "urn:ietf:params:oauth:client-assertion-type:jwt-bearer") &&
         add_pair(form, "&scope=", parameter(L, "resource", RESOURCE)) &&
         buffer_add(form, "%2F.default");
}

static bool write_token_form(lua_State *L, struct buffer *form) {
  buffer_clear(form);
  return buffer_add(form, "grant_type=client_credentials") &&
         add_pair(form, "&client_id=", given(L, "client_id")) &&
         (given(L, "client_assertion") ? write_assertion_form(L, form)
                                       : write_secret_form(L, form));
}

/* The authority is at SLOT_SECOND. */
static bool write_token_url(lua_State *L, struct buffer *url) {
  bool ok;
  buffer_clear(url);
  table_get(L, SLOT_FIRST, "tenant");
  ok = buffer_add(url, lua_tostring(L, SLOT_SECOND)) &&
       exchange_add_segment(L, url, -1) &&
       buffer_add(url, given(L, "client_assertion") ? "/oauth2/v2.0/token"
                                                    : "/oauth2/token");
  lua_settop(L, SLOT_TOP);
  return ok;
}

/* client:fetch_token{ tenant =, client_id =, client_secret = | client_assertion
 * =
 * [, authority =] [, resource =] }
 *   --> {access_token =, expires_in =, expires_on =} | nil, err */
static int fetch_token(lua_State *L) {
  struct request *r;
  client_usable(L, SLOT_CLIENT);
  check_token_parameters(L);
  lua_pushstring(
      L, parameter(L, "authority", "https://login.microsoftonline.com"));
  check_origin(L, "authority");
  lua_settop(L, SLOT_SETTINGS);
  r = request_begin(L, TO_TOKEN);
  if (!engine_borrow(r->client, r) ||
      !write_token_form(L, &r->transfer->body) ||
      !write_token_url(L, &r->transfer->text))
    return request_refuse_memory(L);
  return request_go(L, lua_tostring(L, SLOT_SECOND),
                    lua_rawlen(L, SLOT_SECOND));
}

/* ---- a document ---- */

/* Whether the method is POST. */
static bool check_method(lua_State *L) {
  const char *method = parameter(L, "method", "GET");
  if (strcmp(method, "GET") != 0 && strcmp(method, "POST") != 0)
    luaL_error(L, "'method' must be \"GET\" or \"POST\", not \"%s\"", method);
  return *method == 'P';
}

/* Lays out the settings: headers are those of the parameters. */
static void push_settings(lua_State *L) {
  lua_settop(L, SLOT_SECOND);
  client_push_settings(L, SLOT_CLIENT);
  if (table_get(L, SLOT_FIRST, "headers") == LUA_TNIL) {
    lua_pop(L, 1);
    lua_newtable(L);
  }
  settings_with_headers(L, SLOT_SETTINGS);
  lua_replace(L, SLOT_SETTINGS);
}

/* client:fetch_json{ url = [, method = "GET" | "POST"] [, headers =] }
 *   --> document | nil, err */
static int fetch_json(lua_State *L) {
  static const char *const names[] = {"url", "method", "headers", NULL};
  struct request *r;
  enum verdict verdict;
  size_t origin = 0;
  bool post;
  client_usable(L, SLOT_CLIENT);
  copy_parameters(L, names);
  parameter(L, "url", NULL);
  post = check_method(L);
  push_settings(L);
  r = request_open(L, TO_JSON);
  r->post = post;
  if (!engine_borrow(r->client, r))
    return request_refuse_memory(L);
  buffer_clear(&r->transfer->body);
  verdict = location_parse(given(L, "url"), &r->transfer->text, &origin);
  if (verdict == VERDICT_NO_MEMORY)
    return request_refuse_memory(L);
  if (verdict == VERDICT_OK)
    return request_go(L, r->transfer->text.data, origin);
  failure_from_url(L, r, verdict);
  return request_refuse(L);
}

/* Gives the type cpp.client these calls. */
void fetch_register(lua_State *L) {
  static const luaL_Reg calls[] = {
      {"fetch_token", fetch_token}, {"fetch_json", fetch_json}, {NULL, NULL}};
  client_add_methods(L, calls);
}
