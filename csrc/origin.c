/* origin.c - origins: scheme, host and port, and which of them are talked to.
 */
#define CPP_WITHOUT_LUA
#include "cpp.h"

#include <arpa/inet.h>
#include <string.h>

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
enum verdict origin_write(CURLU *url, struct buffer *b) {
  enum verdict verdict = refuse_zone(url);
  buffer_clear(b);
  if (verdict == VERDICT_OK)
    verdict = url_add_part(b, "", url, CURLUPART_SCHEME, 0, "://");
  if (verdict == VERDICT_OK)
    verdict = url_add_part(b, "", url, CURLUPART_HOST, 0, "");
  if (verdict == VERDICT_OK)
    verdict =
        url_add_part(b, ":", url, CURLUPART_PORT, CURLU_NO_DEFAULT_PORT, "");
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
enum verdict origin_check(const char *origin) {
  if (strncmp(origin, "http://", 7) != 0 && strncmp(origin, "https://", 8) != 0)
    return VERDICT_INVALID;
  if (is_link_local(origin))
    return VERDICT_LINK_LOCAL;
  return origin_is_plain(origin) && !is_loopback(origin) ? VERDICT_INSECURE
                                                         : VERDICT_OK;
}

static enum verdict check_origin(CURLU *url, const char *text,
                                 struct buffer *origin) {
  enum verdict verdict = url_parse(url, text);
  char *path = NULL;
  if (verdict == VERDICT_OK)
    verdict = origin_write(url, origin);
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
    verdict = origin_check(origin->data);
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

/* Parses an origin into what a transfer connects to. */
enum verdict origin_set(CURLU *url, const char *origin) {
  return url_parse(url, origin);
}
