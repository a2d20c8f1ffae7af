/* url.c - URLs as libcurl parses and writes them, and their escapes. */
#define CPP_WITHOUT_LUA
#include "cpp.h"

#include <string.h>

/* A location is taken byte by byte as the service wrote it: "/../" stays. */
#define PARSE_FLAGS (CURLU_PATH_AS_IS | CURLU_DISALLOW_USER)

/* What no URL may hold. A backslash is a slash to some parsers, so a URL with
 * one has no single meaning. */
bool url_has_forbidden_byte(const char *text) {
  return text[strcspn(text, "\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17"
                            "\20\21\22\23\24\25\26\27\30\31\32\33\34\35"
                            "\36\37 \\\177")] != '\0';
}

enum verdict url_verdict(CURLUcode code) {
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

enum verdict url_parse(CURLU *url, const char *text) {
  if (url_has_forbidden_byte(text))
    return VERDICT_INVALID;
  return url_verdict(curl_url_set(url, CURLUPART_URL, text, PARSE_FLAGS));
}

/* Appends one part of a URL between two texts; an absent part appends nothing.
 */
enum verdict url_add_part(struct buffer *b, const char *before, CURLU *url,
                          CURLUPart part, unsigned flags, const char *after) {
  char *text = NULL;
  CURLUcode code = curl_url_get(url, part, &text, flags);
  bool ok = code != CURLUE_OK || (buffer_add(b, before) &&
                                  buffer_add(b, text) && buffer_add(b, after));
  curl_free(text);
  return ok && code != CURLUE_OUT_OF_MEMORY ? VERDICT_OK : VERDICT_NO_MEMORY;
}

/* ---- escapes ---- */

/* RFC 3986, 2.3: what stands for itself everywhere. */
static bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
}

static bool add_escape(struct buffer *b, char c) {
  static const char hex[] = "0123456789ABCDEF";
  unsigned char byte = (unsigned char)c;
  char escape[] = {'%', hex[byte >> 4], hex[byte & 15]};
  return buffer_append(b, escape, sizeof escape);
}

/* Appends text percent-encoded. False: out of memory, and a part is written. */
bool url_add_escaped(struct buffer *b, const char *text, size_t size) {
  const char *end = text + size, *plain = text;
  for (; text < end; plain = text) {
    while (text < end && is_unreserved(*text))
      text++;
    if (!buffer_append(b, plain, (size_t)(text - plain)))
      return false;
    if (text < end && !add_escape(b, *text++))
      return false;
  }
  return true;
}

/* Appends "/" and an id encoded as one path segment. */
bool url_add_segment(struct buffer *b, const char *id, size_t size) {
  return buffer_add(b, "/") && url_add_escaped(b, id, size);
}

static int hex_value(char c) {
  const char *digits = "0123456789abcdef0123456789ABCDEF";
  const char *found = c ? strchr(digits, c) : NULL;
  return found ? (int)(found - digits) % 16 : -1;
}

/* The byte that is written at `text`, of which `size` bytes may be read; those
 * of them that write it go to `taken`. A malformed escape stands for itself. */
char url_decode(const char *text, size_t size, size_t *taken) {
  int high = *text == '%' && size > 2 ? hex_value(text[1]) : -1;
  int low = high < 0 ? -1 : hex_value(text[2]);
  *taken = low < 0 ? 1 : 3;
  if (low < 0)
    return *text;
  return (char)(high * 16 + low);
}
