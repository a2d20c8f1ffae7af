/* location.c - operation locations and the origin rule.
 *
 * libcurl parses, and a transfer goes to the parsed origin alone: what a
 * location holds after that is only ever the target in a request, so that no
 * difference between two parsers can carry the token to another host.
 */
#define CPP_WITHOUT_LUA
#include "cpp.h"

#include <string.h>

/* libcurl takes no longer one. */
#define MAX_URL 8000000

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
  enum verdict verdict = url_parse(parsed, text);
  const char *path = skip_authority(text);
  if (verdict == VERDICT_OK)
    verdict = path ? origin_write(parsed, url) : VERDICT_INVALID;
  if (verdict == VERDICT_OK)
    verdict = origin_check(url->data);
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
  enum verdict verdict = origin_write(url, &found);
  if (verdict == VERDICT_OK && strcmp(found.data, origin) != 0)
    verdict = VERDICT_FOREIGN;
  buffer_free(&found);
  return verdict;
}

static bool has_api_version(const char *query) {
  static const char name[] = "api-version=";
  for (; query; query = strchr(query, '&')) {
    query += *query == '&';
    if (strncmp(query, name, sizeof name - 1) == 0 ||
        curl_strnequal(query, name, sizeof name - 1))
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
  return url_verdict(code);
}

/* Applies the origin rule to a location, completes it and writes its text. */
static enum verdict complete(CURLU *url, const char *origin,
                             const char *api_version, struct buffer *found) {
  enum verdict verdict, written;
  curl_url_set(url, CURLUPART_FRAGMENT, NULL, 0);
  verdict = check_same_origin(url, origin);
  if (verdict == VERDICT_OK && api_version)
    verdict = add_api_version(url, api_version);
  written = url_add_part(found, "", url, CURLUPART_URL, 0, "");
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
      url_has_forbidden_byte(text + size) || strchr(text + size, '#') ||
      strlen(text) > MAX_URL)
    return false;
  query = strchr(text + size, '?');
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
    verdict = url_parse(url, text);
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
