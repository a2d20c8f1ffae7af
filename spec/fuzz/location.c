/* location.c - fuzz target: locations that a server names.
 *
 * The first byte chooses the endpoint, the rest is the location. */
#define CPP_WITHOUT_LUA
#include "cpp.h"
#include "fuzz.h"

#include <strings.h>

static const char *const origins[] = {
    "https://cloudpartner.azure.com", "https://localhost:8443",
    "http://127.0.0.1:8080", "http://[::1]:9", "http://localhost"};

static const char VERSION[] = "2017-10-31";

/* How often the query of a URL names api-version. */
static int versions(const char *url) {
  const char *at = strchr(url, '?');
  int count = 0;
  while (at) {
    count += strncasecmp(++at, "api-version=", 12) == 0;
    at = strchr(at, '&');
  }
  return count;
}

/* Whether a text begins with the origin, a port of its own scheme aside, and a
 * path comes next: told without the parser that is on trial. */
static bool is_at(const char *url, const char *origin) {
  size_t size = strlen(origin);
  const char *port = origin[4] == ':' ? ":80/" : ":443/";
  return strncasecmp(url, origin, size) == 0 &&
         (url[size] == '/' || strncmp(url + size, port, strlen(port)) == 0);
}

static bool is_clean(const char *url) {
  for (; *url; url++)
    if ((unsigned char)*url <= ' ' || *url == 0x7f || *url == '\\')
      return false;
  return true;
}

static enum verdict aim(const char *origin, const char *text,
                        struct buffer *found) {
  enum verdict verdict = location_aim(text, origin, origin, VERSION, found);
  CHECK(verdict != VERDICT_NO_MEMORY);
  return verdict;
}

/* Another process that is given the location goes to the same place. */
static void check_again(const char *origin, const struct buffer *first) {
  struct buffer again = {0};
  CHECK(aim(origin, first->data, &again) == VERDICT_OK);
  CHECK(buffer_equals(&again, first->data, first->length));
  buffer_free(&again);
}

static void check_accepted(const char *origin, const char *text,
                           const struct buffer *found) {
  int before = versions(text);
  CHECK(strlen(found->data) == found->length);
  CHECK(is_at(found->data, origin));
  CHECK(is_clean(found->data));
  CHECK(!strchr(found->data, '#'));
  CHECK(strchr(text, '#') || versions(found->data) == (before ? before : 1));
  CHECK(versions(found->data) >= 1);
  check_again(origin, found);
}

/* A location that is complete is not parsed; with a scheme in capitals it is,
 * and comes out the same. */
static void check_parsed(const char *origin, const char *text) {
  struct buffer quick = {0}, parsed = {0};
  size_t scheme = strcspn(origin, ":");
  char *loud;
  if (strncmp(text, origin, strlen(origin)) != 0)
    return;
  loud = copy_text((const uint8_t *)text, strlen(text));
  for (size_t i = 0; i < scheme; i++)
    loud[i] = (char)(loud[i] - 'a' + 'A');
  CHECK(aim(origin, text, &quick) == aim(origin, loud, &parsed));
  CHECK(buffer_equals(&quick, parsed.data, parsed.length));
  buffer_free(&quick);
  buffer_free(&parsed);
  free(loud);
}

static void check_segments(const char *text) {
  static const char *const names[] = {"publishers", "offers", "operations"};
  size_t size;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (location_segment_after(text, names[i], &size))
      CHECK(size > 0);
}

/* An id that becomes a segment is read back as it was. */
static void check_id(const char *id, size_t size) {
  struct buffer path = {0};
  const char *at;
  size_t left, taken;
  CHECK(buffer_add(&path, "https://a.example/operations"));
  CHECK(url_add_segment(&path, id, size));
  at = location_segment_after(path.data, "operations", &left);
  CHECK(at);
  for (size_t i = 0; i < size; i++, at += taken, left -= taken)
    CHECK(left && url_decode(at, left, &taken) == id[i]);
  CHECK(!left);
  buffer_free(&path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct buffer found = {0};
  const char *origin;
  char *text;
  if (size == 0)
    return 0;
  origin = origins[data[0] % (sizeof origins / sizeof *origins)];
  text = copy_text(data + 1, size - 1);
  if (aim(origin, text, &found) == VERDICT_OK)
    check_accepted(origin, text, &found);
  check_parsed(origin, text);
  check_segments(text);
  if (size > 1 && size <= 1024)
    check_id((const char *)data + 1, size - 1);
  buffer_free(&found);
  free(text);
  return 0;
}
