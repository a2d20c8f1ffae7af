/* endpoint.c - fuzz target: endpoints and authorities. */
#define CPP_WITHOUT_LUA
#include "cpp.h"
#include "fuzz.h"

/* Told without the parser that is on trial. */
static bool is_loopback(const char *origin) {
  return strncmp(origin, "http://localhost", 16) == 0 ||
         strncmp(origin, "http://127.", 11) == 0 ||
         strncmp(origin, "http://[::1]", 12) == 0;
}

/* Nothing but a scheme, a host and a port; of a host, what comes before "@" or
 * after "/" would be somebody else's. */
static bool is_origin(const char *text) {
  const char *host = strstr(text, "://");
  return host && strlen(host + 3) > 0 && !strpbrk(host + 3, "/?#@\\ \t\r\n");
}

static bool has_capitals(const char *text) {
  for (; *text; text++)
    if (*text >= 'A' && *text <= 'Z')
      return true;
  return false;
}

static void check_accepted(const struct buffer *origin) {
  struct buffer again = {0};
  CHECK(strlen(origin->data) == origin->length);
  CHECK(is_origin(origin->data));
  CHECK(!has_capitals(origin->data));
  CHECK(origin_is_plain(origin->data)
            ? is_loopback(origin->data)
            : strncmp(origin->data, "https://", 8) == 0);
  CHECK(origin_parse(origin->data, &again) == VERDICT_OK);
  CHECK(buffer_equals(&again, origin->data, origin->length));
  buffer_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct buffer origin = {0};
  char *text = copy_text(data, size);
  enum verdict verdict = origin_parse(text, &origin);
  CHECK(verdict != VERDICT_NO_MEMORY);
  if (verdict == VERDICT_OK)
    check_accepted(&origin);
  buffer_free(&origin);
  free(text);
  return 0;
}
