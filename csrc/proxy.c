/* proxy.c - proxies: what is one's URL, and which the environment names.
 *
 * Where libcurl cannot read a proxy's URL to its end it may leave the proxy out
 * without a word: a token would take a way that nobody chose.
 */
#define CPP_WITHOUT_LUA
#include "cpp.h"

#include <string.h>

/* "socks", which desktops write into all_proxy, is socks4 to libcurl. */
static bool is_proxy_scheme(const char *scheme) {
  static const char *const schemes[] = {"http",    "https",  "socks",  "socks4",
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

static bool holds_control(const char *text) {
  while ((text = strchr(text, '%')) != NULL) {
    text++;
    if ((*text == '0' || *text == '1') && text[1] &&
        strchr("0123456789ABCDEFabcdef", text[1]))
      return true;
  }
  return false;
}

/* A user or a password that decodes to a control character: libcurl would leave
 * the proxy out without a word, and turn to the host itself. */
static enum verdict check_login(CURLU *url, CURLUPart part) {
  char *text = NULL;
  CURLUcode code = curl_url_get(url, part, &text, 0);
  bool fits = code != CURLUE_OK || !holds_control(text);
  curl_free(text);
  if (code == CURLUE_OUT_OF_MEMORY)
    return VERDICT_NO_MEMORY;
  return fits ? VERDICT_OK : VERDICT_INVALID;
}

static enum verdict check_parts(CURLU *url) {
  char *scheme = NULL;
  CURLUcode code = curl_url_get(url, CURLUPART_SCHEME, &scheme, 0);
  enum verdict verdict = url_verdict(code);
  if (verdict == VERDICT_OK && !is_proxy_scheme(scheme))
    verdict = VERDICT_INVALID;
  curl_free(scheme);
  if (verdict == VERDICT_OK)
    verdict = expect(url, CURLUPART_PATH, "/");
  if (verdict == VERDICT_OK)
    verdict = expect(url, CURLUPART_QUERY, NULL);
  if (verdict == VERDICT_OK)
    verdict = expect(url, CURLUPART_FRAGMENT, NULL);
  if (verdict == VERDICT_OK)
    verdict = check_login(url, CURLUPART_USER);
  if (verdict == VERDICT_OK)
    verdict = check_login(url, CURLUPART_PASSWORD);
  return verdict;
}

/* Whether a scheme, where there is one, ends in "://". libcurl takes one slash
 * and three for two, but proxy_set finds a scheme, and a login, by them. */
static bool has_two_slashes(const char *text) {
  text += strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789+-."
                       "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
  return strncmp(text, ":/", 2) != 0 || (text[2] == '/' && text[3] != '/');
}

/* Whether a text is the URL of a proxy, as libcurl reads it: without a scheme
 * too, and with user info. A path would be the rest of a password that holds a
 * slash. */
enum verdict proxy_check(const char *text) {
  enum verdict verdict = VERDICT_NO_MEMORY;
  CURLU *url;
  if (!has_two_slashes(text))
    return VERDICT_INVALID;
  url = curl_url();
  if (url)
    verdict = url_verdict(
        curl_url_set(url, CURLUPART_URL, text,
                     CURLU_NON_SUPPORT_SCHEME | CURLU_GUESS_SCHEME));
  if (verdict == VERDICT_OK)
    verdict = check_parts(url);
  curl_url_cleanup(url);
  return verdict;
}

static const char *find_ambient(void) {
  static const char *const variables[] = {"https_proxy", "HTTPS_PROXY",
                                          "all_proxy", "ALL_PROXY"};
  for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
    const char *text = getenv(variables[i]);
    if (text && *text)
      return text;
  }
  return "";
}

/* The proxy that the environment names for https, by libcurl's rules; "": none.
 * In place of what is no proxy's URL stands one that libcurl refuses aloud: it
 * would go past a proxy whose login it cannot decode, and through another where
 * a password holds a slash. Hosts of no_proxy need neither. NULL: out of
 * memory. */
const char *proxy_ambient(void) {
  const char *text = find_ambient();
  enum verdict verdict = *text ? proxy_check(text) : VERDICT_OK;
  if (verdict == VERDICT_NO_MEMORY)
    return NULL;
  return verdict == VERDICT_OK ? text : "no-proxy://none";
}

/* ---- for a transfer ---- */

/* The port that a proxy's URL names; 0: that of its scheme. */
static long port_of(const char *host) {
  const char *colon = strrchr(host, ':');
  return colon && !strchr(colon, ']') ? strtol(colon + 1, NULL, 10) : 0;
}

static bool set_text(CURL *easy, CURLoption option, const char *text) {
  return curl_easy_setopt(easy, option, text) == CURLE_OK;
}

/* A login or a port that libcurl has no memory to take from the URL is none to
 * it: with such a login it would even go past the proxy. So it gets both apart,
 * and the login as it is, for it decodes that, too. */
static bool set_parts(CURL *easy, const char *text, const char *login,
                      const char *host) {
  struct buffer url = {0}, user = {0};
  bool ok =
      buffer_set(&url, text, (size_t)(login - text)) &&
      buffer_add(&url, host) &&
      (host == login || buffer_set(&user, login, (size_t)(host - login) - 1)) &&
      set_text(easy, CURLOPT_PROXY, url.data) &&
      set_text(easy, CURLOPT_PROXYUSERPWD, user.data) &&
      curl_easy_setopt(easy, CURLOPT_PROXYPORT, port_of(host)) == CURLE_OK;
  buffer_free(&url);
  buffer_free(&user);
  return ok;
}

/* Sets the proxy of a URL that has been checked; "": none. */
bool proxy_set(CURL *easy, const char *text) {
  const char *scheme = strstr(text, "://");
  const char *login = scheme ? scheme + 3 : text, *at = strrchr(login, '@');
  return *text ? set_parts(easy, text, login, at ? at + 1 : login)
               : set_text(easy, CURLOPT_PROXY, "");
}
