/* location.c - URLs: the endpoint, operation locations, the origin rule.
 *
 * libcurl parses, and a transfer goes to the parsed origin alone: what a
 * location holds after that is only ever the target in a request, so that no
 * difference between two parsers can carry the token to another host.
 */
#define CPP_WITHOUT_LUA
#include "cpp.h"

#include <arpa/inet.h>
#include <string.h>

/* libcurl takes no longer one. */
#define MAX_URL 8000000

/* A location is taken byte by byte as the service wrote it: "/../" stays. */
#define PARSE_FLAGS (CURLU_PATH_AS_IS | CURLU_DISALLOW_USER)

/* What no URL may hold. A backslash is a slash to some parsers, so a URL with
 * one has no single meaning. */
static bool has_forbidden_byte(const char *text) {
  return text[strcspn(text, "\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17"
                            "\20\21\22\23\24\25\26\27\30\31\32\33\34\35"
                            "\36\37 \\\177")] != '\0';
}

static enum verdict verdict_of(CURLUcode code) {
  switch (code) {
  case CURLUE_OK:
    return VERDICT_OK;
  case CURLUE_USER_NOT_ALLOWED:
    return VERDICT_USER_INFO;
  case CURLUE_UNSUPPORTED_SCHEME:
    return VERDICT_FOREIGN;
  case CURLUE_OUT_OF_MEMORY:
    return VERDICT_NO_MEMORY;
  default:
    return VERDICT_INVALID;
  }
}

static enum verdict parse(CURLU *url, const char *text) {
  if (has_forbidden_byte(text))
    return VERDICT_INVALID;
  return verdict_of(curl_url_set(url, CURLUPART_URL, text, PARSE_FLAGS));
}

/* Appends one part of a URL between two texts; an absent part appends nothing.
 */
static enum verdict add_part(struct buffer *b, const char *before, CURLU *url,
                             CURLUPart part, unsigned flags,
                             const char *after) {
  char *text = NULL;
  CURLUcode code = curl_url_get(url, part, &text, flags);
  bool ok = code != CURLUE_OK || (buffer_add(b, before) &&
                                  buffer_add(b, text) && buffer_add(b, after));
  curl_free(text);
  return ok && code != CURLUE_OUT_OF_MEMORY ? VERDICT_OK : VERDICT_NO_MEMORY;
}

/* A zone names an interface of this machine: no service is there. */
static enum verdict refuse_zone(CURLU *url) {
  char *zone = NULL;
  CURLUcode code = curl_url_get(url, CURLUPART_ZONEID, &zone, 0);
  curl_free(zone);
  if (code == CURLUE_OUT_OF_MEMORY)
    return VERDICT_NO_MEMORY;
  return code == CURLUE_OK ? VERDICT_INVALID : VERDICT_OK;
}

/* Writes scheme://host[:port] in lower case, without the scheme's own port.
 * Two URLs have the same origin exactly when these texts are equal. */
static enum verdict write_origin(CURLU *url, struct buffer *b) {
  enum verdict verdict = refuse_zone(url);
  buffer_clear(b);
  if (verdict == VERDICT_OK)
    verdict = add_part(b, "", url, CURLUPART_SCHEME, 0, "://");
  if (verdict == VERDICT_OK)
    verdict = add_part(b, "", url, CURLUPART_HOST, 0, "");
  if (verdict == VERDICT_OK)
    verdict = add_part(b, ":", url, CURLUPART_PORT, CURLU_NO_DEFAULT_PORT, "");
  for (size_t i = 0; i < b->length; i++)
    if (b->data[i] >= 'A' && b->data[i] <= 'Z')
      b->data[i] = (char)(b->data[i] - 'A' + 'a');
  return verdict;
}

/* True for an origin of plain http. */
bool origin_is_plain(const char *origin) {
  return strncmp(origin, "http:", 5) == 0;
}

/* libcurl has written every form of an IPv4 address as four decimals; anything
 * else of digits and dots is a name for DNS. */
static bool is_loopback_address(const char *host, size_t size) {
  struct in_addr address;
  char text[sizeof "255.255.255.255"];
  if (size >= sizeof text || strncmp(host, "127.", 4) != 0)
    return false;
  memcpy(text, host, size);
  text[size] = '\0';
  return inet_pton(AF_INET, text, &address) == 1;
}

/* libcurl itself resolves "localhost" to a loopback address, without DNS. */
static bool is_loopback(const char *origin) {
  const char *host = strstr(origin, "://") + 3;
  size_t size = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");
  if (size == 9 && strncmp(host, "localhost", 9) == 0)
    return true;
  if (size == 5 && strncmp(host, "[::1]", 5) == 0)
    return true;
  return is_loopback_address(host, size);
}

/* The last four bytes of an IPv6 address that stands for an IPv4 one (mapped,
 * compatible, NAT64), or those that a 6to4 address begins with; else NULL. */
static const unsigned char *embedded_address(const unsigned char *bytes) {
  static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
  static const unsigned char compatible[12] = {0};
  static const unsigned char nat64[12] = {0, 0x64, 0xff, 0x9b};
  if (memcmp(bytes, mapped, 12) == 0 || memcmp(bytes, compatible, 12) == 0 ||
      memcmp(bytes, nat64, 12) == 0)
    return bytes + 12;
  return bytes[0] == 0x20 && bytes[1] == 0x02 ? bytes + 2 : NULL;
}

static bool is_link_local6(const char *host) {
  unsigned char bytes[16];
  const unsigned char *v4;
  if (inet_pton(AF_INET6, host, bytes) != 1)
    return false;
  if (bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80)
    return true;
  v4 = embedded_address(bytes);
  return v4 && v4[0] == 169 && v4[1] == 254;
}

/* 169.254.0.0/16 and fe80::/10, where a cloud's machines find their metadata.
 * inet_aton reads every form that a resolver takes for an address. */
static bool is_link_local(const char *origin) {
  const char *host = strstr(origin, "://") + 3;
  size_t size = *host == '[' ? strcspn(++host, "]") : strcspn(host, ":");
  struct in_addr address;
  char text[64];
  if (size > 0 && host[size - 1] == '.')
    size--;
  if (size >= sizeof text)
    return false;
  memcpy(text, host, size);
  text[size] = '\0';
  if (host[-1] == '[')
    return is_link_local6(text);
  return inet_aton(text, &address) && ntohl(address.s_addr) >> 16 == 0xa9fe;
}

/* What every origin that the module connects to has to be. */
static enum verdict check_scheme_and_host(const char *origin) {
  if (strncmp(origin, "http://", 7) != 0 && strncmp(origin, "https://", 8) != 0)
    return VERDICT_INVALID;
  if (is_link_local(origin))
    return VERDICT_LINK_LOCAL;
  return origin_is_plain(origin) && !is_loopback(origin) ? VERDICT_INSECURE
                                                         : VERDICT_OK;
}

static enum verdict check_origin(CURLU *url, const char *text,
                                 struct buffer *origin) {
  enum verdict verdict = parse(url, text);
  char *path = NULL;
  if (verdict == VERDICT_OK)
    verdict = write_origin(url, origin);
  if (verdict != VERDICT_OK)
    return verdict;
  /* libcurl decodes a host after it has looked for an address in it: written,
   * it would be another host when it is read again. */
  if (strchr(text, '%'))
    return VERDICT_INVALID;
  if (curl_url_get(url, CURLUPART_PATH, &path, 0) != CURLUE_OK)
    return VERDICT_NO_MEMORY;
  if (strcmp(path, "/") != 0 || strpbrk(text, "?#"))
    verdict = VERDICT_NOT_ORIGIN;
  else
    verdict = check_scheme_and_host(origin->data);
  curl_free(path);
  return verdict;
}

/* Checks an endpoint such as "https://cloudpartner.azure.com" and writes it in
 * the form that origins are compared in. */
enum verdict origin_parse(const char *text, struct buffer *origin) {
  CURLU *url = curl_url();
  enum verdict verdict = VERDICT_NO_MEMORY;
  if (url)
    verdict = check_origin(url, text, origin);
  curl_url_cleanup(url);
  return verdict;
}

/* Where the path or the query of a URL begins; NULL: its host has bytes that
 * one parser would decode, and another not. */
static const char *skip_authority(const char *text) {
  const char *host = strstr(text, "://"), *end;
  if (!host)
    return NULL;
  host += 3;
  end = host + strcspn(host, "/?#");
  for (; host < end; host++)
    if (*host == '%' || (unsigned char)*host >= 0x80)
      return NULL;
  return end;
}

static enum verdict write_url(CURLU *parsed, const char *text,
                              struct buffer *url, size_t *origin) {
  enum verdict verdict = parse(parsed, text);
  const char *path = skip_authority(text);
  if (verdict == VERDICT_OK)
    verdict = path ? write_origin(parsed, url) : VERDICT_INVALID;
  if (verdict == VERDICT_OK)
    verdict = check_scheme_and_host(url->data);
  if (verdict != VERDICT_OK)
    return verdict;
  *origin = url->length;
  return (*path == '/' || buffer_add(url, "/")) &&
                 buffer_append(url, path, strcspn(path, "#"))
             ? VERDICT_OK
             : VERDICT_NO_MEMORY;
}

/* Checks a URL of somebody else's, http(s), and writes it without a fragment;
 * its first `origin` bytes are its origin. */
enum verdict location_parse(const char *text, struct buffer *url,
                            size_t *origin) {
  CURLU *parsed = curl_url();
  enum verdict verdict = VERDICT_NO_MEMORY;
  buffer_clear(url);
  if (parsed)
    verdict = write_url(parsed, text, url, origin);
  curl_url_cleanup(parsed);
  return verdict;
}

/* Parses an origin into what a transfer connects to. */
enum verdict origin_set(CURLU *url, const char *origin) {
  return parse(url, origin);
}

/* The bytes of an absolute URL that come before what `text` says itself. */
size_t location_base(const char *base, const char *text) {
  const char *host, *path, *end;
  if (text[strcspn(text, ":/?#")] == ':')
    return 0;
  host = strstr(base, "://") + 3;
  path = host + strcspn(host, "/?#");
  end = path + strcspn(path, "?#");
  if (text[0] == '/')
    return (size_t)((text[1] == '/' ? host - 2 : path) - base);
  while (text[0] != '?' && end > path && end[-1] != '/')
    end--;
  return (size_t)(end - base);
}

/* Resolves `text` against `base`. libcurl, asked to, rewrites dot segments and
 * escapes from 8.12 on; this only joins. */
static bool join(struct buffer *joined, const char *text, const char *base) {
  size_t size = location_base(base, text);
  bool bare = size > 0 && base[size - 1] != '/' && !strchr("/?#", text[0]);
  return buffer_set(joined, base, size) && (!bare || buffer_add(joined, "/")) &&
         buffer_add(joined, text);
}

static enum verdict check_same_origin(CURLU *url, const char *origin) {
  struct buffer found = {0};
  enum verdict verdict = write_origin(url, &found);
  if (verdict == VERDICT_OK && strcmp(found.data, origin) != 0)
    verdict = VERDICT_FOREIGN;
  buffer_free(&found);
  return verdict;
}

static bool has_api_version(const char *query) {
  static const char name[] = "api-version=";
  for (; query; query = strchr(query, '&')) {
    query += *query == '&';
    if (curl_strnequal(query, name, sizeof name - 1))
      return true;
  }
  return false;
}

/* Appends api-version unless the query has one; all else stays as it is. */
static enum verdict add_api_version(CURLU *url, const char *api_version) {
  struct buffer pair = {0};
  char *query = NULL;
  CURLUcode code = curl_url_get(url, CURLUPART_QUERY, &query, 0);
  if (code == CURLUE_NO_QUERY)
    code = CURLUE_OK;
  if (code == CURLUE_OK && !has_api_version(query)) {
    if (buffer_add(&pair, "api-version=") && buffer_add(&pair, api_version))
      code = curl_url_set(url, CURLUPART_QUERY, pair.data,
                          CURLU_APPENDQUERY | CURLU_URLENCODE);
    else
      code = CURLUE_OUT_OF_MEMORY;
  }
  curl_free(query);
  buffer_free(&pair);
  return verdict_of(code);
}

/* Applies the origin rule to a location, completes it and writes its text. */
static enum verdict complete(CURLU *url, const char *origin,
                             const char *api_version, struct buffer *found) {
  enum verdict verdict, written;
  curl_url_set(url, CURLUPART_FRAGMENT, NULL, 0);
  verdict = check_same_origin(url, origin);
  if (verdict == VERDICT_OK && api_version)
    verdict = add_api_version(url, api_version);
  written = add_part(found, "", url, CURLUPART_URL, 0, "");
  return written == VERDICT_OK ? verdict : written;
}

/* True for a location that is under the origin as it stands and lacks nothing:
 * parsed and completed it would be the same text. No parser can read another
 * host into it, for a host ends at the first slash. */
static bool is_complete(const char *text, const char *origin,
                        const char *api_version) {
  size_t size = strlen(origin);
  const char *query;
  if (strncmp(text, origin, size) != 0 || text[size] != '/' ||
      has_forbidden_byte(text) || strchr(text, '#') || strlen(text) > MAX_URL)
    return false;
  query = strchr(text, '?');
  return !api_version || (query && has_api_version(query + 1));
}

static enum verdict aim(const char *text, const char *origin,
                        const char *api_version, struct buffer *found) {
  enum verdict verdict = VERDICT_NO_MEMORY;
  CURLU *url;
  if (is_complete(text, origin, api_version))
    return buffer_set(found, text, strlen(text)) ? VERDICT_OK
                                                 : VERDICT_NO_MEMORY;
  url = curl_url();
  if (url)
    verdict = parse(url, text);
  if (verdict == VERDICT_OK)
    verdict = complete(url, origin, api_version, found);
  curl_url_cleanup(url);
  return verdict;
}

/* Writes to `found` the URL that a location stands for: `text`, absolute or
 * relative to `base`, under the origin rule, with api-version, where that is
 * not NULL. A foreign URL is written too, without it: nothing that the service
 * said is lost. */
enum verdict location_aim(const char *text, const char *base,
                          const char *origin, const char *api_version,
                          struct buffer *found) {
  struct buffer joined = {0};
  enum verdict verdict = VERDICT_NO_MEMORY;
  buffer_clear(found);
  if (location_base(base, text) == 0)
    return aim(text, origin, api_version, found);
  if (join(&joined, text, base))
    verdict = aim(joined.data, origin, api_version, found);
  buffer_free(&joined);
  return verdict;
}

/* RFC 3986, 2.3: what stands for itself everywhere. */
static bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
}

/* Appends text percent-encoded. */
bool location_add_escaped(struct buffer *b, const char *text, size_t size) {
  static const char hex[] = "0123456789ABCDEF";
  size_t plain;
  for (; size; text += plain + 1, size -= plain + 1) {
    char escape[3] = "%";
    for (plain = 0; plain < size && is_unreserved(text[plain]);)
      plain++;
    if (!buffer_append(b, text, plain) || plain == size)
      return plain == size;
    escape[1] = hex[(unsigned char)text[plain] >> 4];
    escape[2] = hex[(unsigned char)text[plain] & 15];
    if (!buffer_append(b, escape, sizeof escape))
      return false;
  }
  return true;
}

/* Appends "/" and an id encoded as one path segment. */
bool location_add_segment(struct buffer *b, const char *id, size_t size) {
  return buffer_add(b, "/") && location_add_escaped(b, id, size);
}

static int hex_value(char c) {
  const char *digits = "0123456789abcdef0123456789ABCDEF";
  const char *found = c ? strchr(digits, c) : NULL;
  return found ? (int)(found - digits) % 16 : -1;
}

/* The byte that is written at `text`, of which `size` bytes may be read; those
 * of them that write it go to `taken`. A malformed escape stands for itself. */
char location_decode(const char *text, size_t size, size_t *taken) {
  int high = *text == '%' && size > 2 ? hex_value(text[1]) : -1;
  int low = high < 0 ? -1 : hex_value(text[2]);
  *taken = low < 0 ? 1 : 3;
  if (low < 0)
    return *text;
  return (char)(high * 16 + low);
}

/* Finds the path segment after "/name/" and its size, as it is written. NULL:
 * there is none, or an empty one. */
const char *location_segment_after(const char *location, const char *name,
                                   size_t *size) {
  size_t length = strlen(name);
  const char *end = location + strcspn(location, "?#");
  for (const char *at = location; at < end; at++)
    if (*at == '/' && strncmp(at + 1, name, length) == 0 &&
        at[length + 1] == '/') {
      at += length + 2;
      *size = strcspn(at, "/?#");
      return *size ? at : NULL;
    }
  return NULL;
}

/* ---- a proxy ---- */

static bool is_proxy_scheme(const char *scheme) {
  static const char *const schemes[] = {"http",    "https",  "socks4",
                                        "socks4a", "socks5", "socks5h"};
  for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
    if (strcmp(schemes[i], scheme) == 0)
      return true;
  return false;
}

/* Whether a part of a URL is absent or as given (NULL: must be absent). */
static enum verdict expect(CURLU *url, CURLUPart part, const char *value) {
  char *text = NULL;
  CURLUcode code = curl_url_get(url, part, &text, 0);
  bool fits = code != CURLUE_OK || (value && strcmp(text, value) == 0);
  curl_free(text);
  if (code == CURLUE_OUT_OF_MEMORY)
    return VERDICT_NO_MEMORY;
  return fits ? VERDICT_OK : VERDICT_INVALID;
}

static enum verdict check_proxy_parts(CURLU *url) {
  char *scheme = NULL;
  CURLUcode code = curl_url_get(url, CURLUPART_SCHEME, &scheme, 0);
  enum verdict verdict = verdict_of(code);
  if (verdict == VERDICT_OK && !is_proxy_scheme(scheme))
    verdict = VERDICT_INVALID;
  curl_free(scheme);
  if (verdict == VERDICT_OK)
    verdict = expect(url, CURLUPART_PATH, "/");
  if (verdict == VERDICT_OK)
    verdict = expect(url, CURLUPART_QUERY, NULL);
  if (verdict == VERDICT_OK)
    verdict = expect(url, CURLUPART_FRAGMENT, NULL);
  return verdict;
}

/* Whether a text is the URL of a proxy, as libcurl reads it: without a scheme
 * too, and with user info. A path would be the rest of a password that holds a
 * slash. */
enum verdict location_check_proxy(const char *text) {
  CURLU *url = curl_url();
  enum verdict verdict = VERDICT_NO_MEMORY;
  if (url)
    verdict =
        verdict_of(curl_url_set(url, CURLUPART_URL, text,
                                CURLU_NON_SUPPORT_SCHEME | CURLU_GUESS_SCHEME));
  if (verdict == VERDICT_OK)
    verdict = check_proxy_parts(url);
  curl_url_cleanup(url);
  return verdict;
}
