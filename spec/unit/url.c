/* url.c - unit program of csrc/url.c: escapes, and what no URL may hold. */
#define CPP_WITHOUT_LUA
#include "cpp.h"
#include "unit.h"

#include <string.h>

static bool segment_is(const char *id, const char *expected) {
  struct buffer b = {0};
  bool same =
      url_add_segment(&b, id, strlen(id)) && strcmp(b.data, expected) == 0;
  buffer_free(&b);
  return same;
}

static void test_escapes(void) {
  CHECK(segment_is("contoso-vm_1.2~x", "/contoso-vm_1.2~x"));
  CHECK(segment_is("a/b", "/a%2Fb") && segment_is("a b", "/a%20b"));
  CHECK(segment_is("50%", "/50%25") && segment_is("?#&$", "/%3F%23%26%24"));
  CHECK(segment_is("\xc3\xbc", "/%C3%BC"));
}

/* Writes an id behind so many bytes; true: what is told of it is so. */
static bool is_told(size_t before, const char *id, const char *expected) {
  static const char bytes[300];
  struct buffer b = {0};
  bool good;
  allocations = 0;
  good = buffer_append(&b, bytes, before) && url_add_segment(&b, id, strlen(id))
             ? strcmp(b.data + before, expected) == 0
             : allocations >= failing;
  buffer_free(&b);
  return good;
}

/* Each allocation fails in turn, wherever in an id the buffer must grow. */
static void test_memory(void) {
  bool good = true;
  for (size_t before = 0; before < 300; before++)
    for (failing = 1; failing <= 3; failing++)
      good = good && is_told(before, "contoso", "/contoso") &&
             is_told(before, "a/b c", "/a%2Fb%20c") &&
             is_told(before, "\xc3\xbc", "/%C3%BC");
  failing = 0;
  CHECK(good);
}

static bool decodes(const char *text, char expected, size_t bytes) {
  size_t taken;
  return url_decode(text, strlen(text), &taken) == expected && taken == bytes;
}

static void test_decode(void) {
  CHECK(decodes("a%20", 'a', 1) && decodes("%20a", ' ', 3));
  CHECK(decodes("%c3", '\xc3', 3) && decodes("%C3", '\xc3', 3));
  CHECK(decodes("%", '%', 1) && decodes("%2", '%', 1));
  CHECK(decodes("%g0", '%', 1) && decodes("%0g", '%', 1));
}

static enum verdict verdict(const char *text) {
  CURLU *url = curl_url();
  enum verdict found = url_parse(url, text);
  curl_url_cleanup(url);
  return found;
}

static void test_parse(void) {
  CHECK(verdict("https://a.example/x") == VERDICT_OK);
  CHECK(verdict("https://a.example/\\x") == VERDICT_INVALID);
  CHECK(verdict("https://a.example/ x") == VERDICT_INVALID);
  CHECK(verdict("https://u:p@a.example/") == VERDICT_USER_INFO);
  CHECK(verdict("no-such-scheme://a.example/") == VERDICT_FOREIGN);
  CHECK(verdict("") == VERDICT_INVALID);
}

int main(void) {
  curl_global_init(CURL_GLOBAL_DEFAULT);
  test_escapes();
  test_memory();
  test_decode();
  test_parse();
  return report();
}
