/* location.c - unit program of csrc/location.c: operation locations, the origin
 * rule, path segments. */
#define CPP_WITHOUT_LUA
#include "cpp.h"
#include "unit.h"

#include <string.h>

static const char SERVICE[] = "https://cloudpartner.azure.com";
static const char VERSION[] = "2017-10-31";

/* ---- locations ---- */

static enum verdict aim(const char *origin, const char *text,
                        struct buffer *found) {
  return location_aim(text, origin, origin, VERSION, found);
}

static bool leads_to(const char *text, const char *expected) {
  struct buffer found = {0};
  bool same = aim(SERVICE, text, &found) == VERDICT_OK &&
              strcmp(found.data, expected) == 0;
  if (!same)
    printf("%s leads to %s\n", text, found.data ? found.data : "nothing");
  buffer_free(&found);
  return same;
}

static enum verdict location_verdict(const char *origin, const char *text) {
  struct buffer found = {0};
  enum verdict verdict = aim(origin, text, &found);
  buffer_free(&found);
  return verdict;
}

#define AT "https://cloudpartner.azure.com"
#define V "api-version=2017-10-31"

static void test_completion(void) {
  CHECK(leads_to("/api/operations/a$b$2$preview?" V,
                 AT "/api/operations/a$b$2$preview?" V));
  CHECK(leads_to("/api/x", AT "/api/x?" V));
  CHECK(leads_to(AT "/api/x?q=1", AT "/api/x?q=1&" V));
  CHECK(leads_to("/x?API-Version=2020-01-01", AT "/x?API-Version=2020-01-01"));
  CHECK(leads_to("/x?a=1&" V "&b=2", AT "/x?a=1&" V "&b=2"));
  CHECK(leads_to("/x?xapi-version=1", AT "/x?xapi-version=1&" V));
  CHECK(leads_to("/x?q=api-version=1", AT "/x?q=api-version=1&" V));
  CHECK(leads_to("/a%2Fb%20c/%24?d=%26", AT "/a%2Fb%20c/%24?d=%26&" V));
  CHECK(leads_to("/a/../b/./c", AT "/a/../b/./c?" V));
  CHECK(leads_to("/x#fragment", AT "/x?" V));
  CHECK(leads_to("HTTPS://CLOUDPARTNER.azure.com:443/x",
                 "https://CLOUDPARTNER.azure.com:443/x?" V));
  CHECK(leads_to("//cloudpartner.azure.com/x", AT "/x?" V));
  CHECK(leads_to("x", AT "/x?" V));
  CHECK(leads_to("?q=1", AT "/?q=1&" V));
}

static void test_origin_rule(void) {
  static const char local[] = "http://127.0.0.1:8080";
  CHECK(location_verdict(SERVICE, "https://evil.example/x") == VERDICT_FOREIGN);
  CHECK(location_verdict(SERVICE, "//evil.example/x") == VERDICT_FOREIGN);
  CHECK(location_verdict(SERVICE, AT ".evil.example/") == VERDICT_FOREIGN);
  CHECK(location_verdict(SERVICE, AT ":444/x") == VERDICT_FOREIGN);
  CHECK(location_verdict(SERVICE, "http://cloudpartner.azure.com/x") ==
        VERDICT_FOREIGN);
  CHECK(location_verdict(SERVICE, "ftp://cloudpartner.azure.com/x") ==
        VERDICT_FOREIGN);
  CHECK(location_verdict(SERVICE, "https://a@cloudpartner.azure.com/x") ==
        VERDICT_USER_INFO);
  CHECK(location_verdict(SERVICE, AT "\\@evil.example/") == VERDICT_INVALID);
  CHECK(location_verdict(SERVICE, "/x y") == VERDICT_INVALID);
  CHECK(location_verdict(SERVICE, "/x\ty") == VERDICT_INVALID);
  CHECK(location_verdict(SERVICE, "/x\x7f") == VERDICT_INVALID);
  CHECK(location_verdict(local, "/x") == VERDICT_OK);
  CHECK(location_verdict(local, "http://127.0.0.1/x") == VERDICT_FOREIGN);
  CHECK(location_verdict(local, "http://localhost:8080/x") == VERDICT_FOREIGN);
}

/* Nothing that the service said is lost. */
static void test_refused_text(void) {
  struct buffer found = {0};
  CHECK(aim(SERVICE, "https://evil.example/x?q=1#f", &found) ==
        VERDICT_FOREIGN);
  CHECK(strcmp(found.data, "https://evil.example/x?q=1") == 0);
  buffer_free(&found);
}

static void test_base(void) {
  static const char base[] = AT "/a/b?q=1";
  struct buffer found = {0};
  CHECK(location_aim("/x", base, SERVICE, VERSION, &found) == VERDICT_OK);
  CHECK(strcmp(found.data, AT "/x?" V) == 0);
  CHECK(location_aim("x", base, SERVICE, VERSION, &found) == VERDICT_OK);
  CHECK(strcmp(found.data, AT "/a/x?" V) == 0);
  CHECK(location_aim("../x", base, SERVICE, VERSION, &found) == VERDICT_OK);
  CHECK(strcmp(found.data, AT "/a/../x?" V) == 0);
  CHECK(location_aim("?r=/2", base, SERVICE, VERSION, &found) == VERDICT_OK);
  CHECK(strcmp(found.data, AT "/a/b?r=/2&" V) == 0);
  CHECK(location_aim("x", AT "?q=/", SERVICE, VERSION, &found) == VERDICT_OK);
  CHECK(strcmp(found.data, AT "/x?" V) == 0);
  CHECK(location_aim("/x", "https://evil.example/", SERVICE, VERSION, &found) ==
        VERDICT_FOREIGN);
  buffer_free(&found);
}

static void test_without_version(void) {
  struct buffer found = {0};
  CHECK(location_aim("/token", SERVICE, SERVICE, NULL, &found) == VERDICT_OK);
  CHECK(strcmp(found.data, AT "/token") == 0);
  CHECK(location_aim(AT "/token", SERVICE, SERVICE, NULL, &found) ==
        VERDICT_OK);
  CHECK(strcmp(found.data, AT "/token") == 0);
  buffer_free(&found);
}

/* A location that is complete is not parsed: one that is parsed, because its
 * scheme is in capitals, must come out the same. */
static void test_complete(void) {
  static const char *const tails[] = {"/x?" V,        "//evil.example/?" V,
                                      "/?" V,         "/:@evil.example?" V,
                                      "/a/../b/.?" V, "/%zz/%2e%2e/%2F?" V,
                                      "/x?" V "?#",   "/x?a=b;c&" V "&d=/?e",
                                      "/\xc3\xa9?" V, "/\xff?" V "=\x80"};
  for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
    struct buffer text = {0}, expected = {0};
    buffer_add(&text, "HTTPS");
    buffer_add(&text, SERVICE + 5);
    buffer_add(&text, tails[i]);
    CHECK(aim(SERVICE, text.data, &expected) == VERDICT_OK);
    memcpy(text.data, "https", 5);
    CHECK(leads_to(text.data, expected.data));
    buffer_free(&text);
    buffer_free(&expected);
  }
}

/* ---- segments ---- */

static bool segment_after(const char *location, const char *expected) {
  size_t size, taken;
  const char *at = location_segment_after(location, "operations", &size);
  if (!at || !expected)
    return !at && !expected;
  for (; size && url_decode(at, size, &taken) == *expected; expected++)
    at += taken, size -= taken;
  return size == 0 && !*expected;
}

static void test_segments(void) {
  CHECK(segment_after("/api/operations/1-2?x", "1-2"));
  CHECK(segment_after("https://a.example/operations/a%20b/c", "a b"));
  CHECK(segment_after("/operations/x", "x"));
  CHECK(segment_after("/operations/", NULL));
  CHECK(segment_after("/operations", NULL));
  CHECK(segment_after("/myoperations/1", NULL));
  CHECK(segment_after("/x?/operations/1", NULL));
  CHECK(segment_after("/x#/operations/1", NULL));
}

int main(void) {
  curl_global_init(CURL_GLOBAL_DEFAULT);
  test_completion();
  test_origin_rule();
  test_refused_text();
  test_base();
  test_without_version();
  test_complete();
  test_segments();
  return report();
}
