/* trace.c - an exchange as a person sees it: trace events and dry runs. */
#include "cpp.h"

#include <string.h>

/* ---- trace ---- */

/* Seconds from the start of the exchange. */
static void set_time(lua_State *L, CURL *easy, CURLINFO info,
                     const char *field) {
  curl_off_t microseconds = 0;
  curl_easy_getinfo(easy, info, &microseconds);
  lua_pushnumber(L, (lua_Number)microseconds / 1e6);
  lua_setfield(L, -2, field);
}

static void set_count(lua_State *L, CURL *easy, CURLINFO info,
                      const char *field) {
  curl_off_t count = 0;
  curl_easy_getinfo(easy, info, &count);
  table_set_integer(L, lua_gettop(L), field, (lua_Integer)count);
}

static void set_protocol(lua_State *L, CURL *easy) {
  long version = 0;
  curl_easy_getinfo(easy, CURLINFO_HTTP_VERSION, &version);
  if (version)
    table_set_string(L, lua_gettop(L), "protocol",
                     version == CURL_HTTP_VERSION_2_0   ? "HTTP/2"
                     : version == CURL_HTTP_VERSION_1_1 ? "HTTP/1.1"
                                                        : "HTTP/1.0");
}

static void set_connection(lua_State *L, CURL *easy, bool connected) {
  long connects = 0;
  const char *address = NULL;
  curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &connects);
  curl_easy_getinfo(easy, CURLINFO_PRIMARY_IP, &address);
  table_set_boolean(L, lua_gettop(L), "reused", connected && connects == 0);
  if (address && *address)
    table_set_string(L, lua_gettop(L), "address", address);
}

/* How it ended: status, the error's code and retryable, sent, retry_after. */
static void set_end(lua_State *L, int event, const struct request *r) {
  const struct transfer *t = r->transfer;
  if (t->answer.status >= 200)
    table_set_integer(L, event, "status", t->answer.status);
  if (r->failed) {
    table_copy(L, SLOT_TABLE, event, "code");
    table_copy(L, SLOT_TABLE, event, "retryable");
  }
  table_set_boolean(L, event, "sent", t->answer.starts > 0);
  exchange_set_pause(L, event, t);
}

/* Pushes the event of an ended exchange: method, url, what set_end sets; the
 * times of its stages in seconds from its start (dns, connect, tls, first_byte,
 * total); reused, protocol, address; the bytes of the bodies (bytes_sent,
 * bytes_received); request_id, client_request_id. */
void trace_push_event(lua_State *L, struct request *r) {
  const struct transfer *t = r->transfer;
  CURL *easy = t->easy;
  int event;
  lua_createtable(L, 0, 20);
  event = lua_gettop(L);
  table_set_string(L, event, "method", t->answer.post ? "POST" : "GET");
  lua_pushlstring(L, t->text.data, t->text.length);
  lua_setfield(L, event, "url");
  set_end(L, event, r);
  exchange_set_ids(L, event, t);
  set_time(L, easy, CURLINFO_NAMELOOKUP_TIME_T, "dns");
  set_time(L, easy, CURLINFO_CONNECT_TIME_T, "connect");
  set_time(L, easy, CURLINFO_APPCONNECT_TIME_T, "tls");
  set_time(L, easy, CURLINFO_STARTTRANSFER_TIME_T, "first_byte");
  set_time(L, easy, CURLINFO_TOTAL_TIME_T, "total");
  set_count(L, easy, CURLINFO_SIZE_UPLOAD_T, "bytes_sent");
  set_count(L, easy, CURLINFO_SIZE_DOWNLOAD_T, "bytes_received");
  set_connection(L, easy, t->answer.starts > 0);
  set_protocol(L, easy);
  secret_redact(L, r, event);
}

/* ---- dry run ---- */

/* Appends text as one word of a POSIX shell. */
static void add_quoted(luaL_Buffer *out, const char *text) {
  luaL_addchar(out, '\'');
  for (; *text; text++)
    if (*text == '\'')
      luaL_addstring(out, "'\\''");
    else
      luaL_addchar(out, *text);
  luaL_addchar(out, '\'');
}

/* The token stands in the shell's environment, not in the line. */
static void add_header(luaL_Buffer *out, const char *line) {
  luaL_addstring(out, " -H ");
  if (strncmp(line, "Authorization:", 14) == 0)
    luaL_addstring(out, "\"Authorization: Bearer $CPP_TOKEN\"");
  else
    add_quoted(out, line);
}

static void add_option(luaL_Buffer *out, const char *option,
                       const char *value) {
  if (!value)
    return;
  luaL_addstring(out, option);
  add_quoted(out, value);
}

/* The environment's proxies are curl's own business. */
static void add_proxy(luaL_Buffer *out, const char *proxy) {
  if (proxy && !*proxy)
    luaL_addstring(out, " --noproxy '*'");
  else
    add_option(out, " --proxy ", proxy);
}

/* Pushes the proxy that is set for the exchange, fit to be shown. NULL, and nil
 * is pushed: none is. */
static const char *push_proxy(lua_State *L, const struct transfer *t) {
  const char *proxy = exchange_settings(L)->proxy;
  if (proxy && !origin_is_plain(t->text.data))
    return text_push_proxy(L, proxy);
  lua_pushnil(L);
  return NULL;
}

static void add_version(luaL_Buffer *out, enum http_version version,
                        bool plain) {
  if (version == HTTP_1_1)
    luaL_addstring(out, " --http1.1");
  else if (version == HTTP_2)
    luaL_addstring(out, plain ? " --http2-prior-knowledge" : " --http2");
}

/* What a cancel's answer says is in its headers: -i shows them. */
static void push_curl_line(lua_State *L, const struct transfer *t) {
  const struct settings *s = exchange_settings(L);
  const char *proxy = push_proxy(L, t);
  luaL_Buffer out;
  luaL_buffinit(L, &out);
  luaL_addstring(&out, t->answer.post ? "curl -i -X POST" : "curl");
  add_option(&out, " --cacert ", s->ca_file);
  add_option(&out, " --capath ", s->ca_path);
  add_proxy(&out, proxy);
  add_version(&out, s->http_version, origin_is_plain(t->text.data));
  for (const struct curl_slist *node = transfer_headers(t); node;
       node = node->next)
    add_header(&out, node->data);
  if (t->answer.post) {
    luaL_addstring(&out, " --data-binary ");
    add_quoted(&out, t->body.data ? t->body.data : "");
  }
  luaL_addchar(&out, ' ');
  add_quoted(&out, t->text.data);
  luaL_pushresult(&out);
  lua_remove(L, -2);
}

static int curl_line(lua_State *L) {
  lua_pushvalue(L, lua_upvalueindex(1));
  return 1;
}

/* Sets headers = {Name = value}. */
static void set_headers(lua_State *L, const struct transfer *t) {
  lua_newtable(L);
  for (const struct curl_slist *node = transfer_headers(t); node;
       node = node->next) {
    size_t name = strcspn(node->data, ":;");
    const char *value = node->data + name + (node->data[name] != '\0');
    lua_pushlstring(L, node->data, name);
    lua_pushstring(L, value + (*value == ' '));
    lua_rawset(L, -3);
  }
  lua_setfield(L, SLOT_TABLE, "headers");
}

/* Fills the table of a call with the request that it would have sent: method,
 * url, headers, body. As text it is a curl command line. */
void trace_fill_dry_run(lua_State *L, struct request *r) {
  const struct transfer *t = r->transfer;
  table_set_string(L, SLOT_TABLE, "method", t->answer.post ? "POST" : "GET");
  table_set_string(L, SLOT_TABLE, "url", t->text.data);
  set_headers(L, t);
  if (t->answer.post) {
    text_push_bytes(L, &t->body);
    lua_setfield(L, SLOT_TABLE, "body");
  }
  lua_pushvalue(L, SLOT_TABLE);
  lua_createtable(L, 0, 1);
  push_curl_line(L, t);
  lua_pushcclosure(L, curl_line, 1);
  lua_setfield(L, -2, "__tostring");
  lua_setmetatable(L, -2);
  lua_pop(L, 1);
}
