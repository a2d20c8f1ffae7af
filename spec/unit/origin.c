/* origin.c - unit program of csrc/origin.c: what an endpoint may be. */
#define CPP_WITHOUT_LUA
#include "cpp.h"
#include "unit.h"

#include <string.h>

static const char SERVICE[] = "https://cloudpartner.azure.com";

static bool has_origin(const char *text, const char *origin) {
  struct buffer found = {0};
  bool same = origin_parse(text, &found) == VERDICT_OK &&
              strcmp(found.data, origin) == 0;
  buffer_free(&found);
  return same;
}

static enum verdict origin_verdict(const char *text) {
  struct buffer found = {0};
  enum verdict verdict = origin_parse(text, &found);
  buffer_free(&found);
  return verdict;
}

static void test_origins(void) {
  CHECK(has_origin(SERVICE, SERVICE));
  CHECK(has_origin("https://cloudpartner.azure.com/", SERVICE));
  CHECK(has_origin("HTTPS://CloudPartner.Azure.COM:443", SERVICE));
  CHECK(has_origin("https://a.example:8443/", "https://a.example:8443"));
  CHECK(has_origin("https://a.example:80", "https://a.example:80"));
  CHECK(has_origin("http://localhost:80", "http://localhost"));
  CHECK(has_origin("http://127.0.0.1:8080", "http://127.0.0.1:8080"));
  CHECK(has_origin("http://127.255.0.1", "http://127.255.0.1"));
  CHECK(has_origin("http://[::1]:9", "http://[::1]:9"));
  CHECK(origin_is_plain("http://localhost"));
  CHECK(!origin_is_plain("https://localhost"));
}

static void test_refused_origins(void) {
  CHECK(origin_verdict("http://cloudpartner.azure.com") == VERDICT_INSECURE);
  CHECK(origin_verdict("http://localhost.example") == VERDICT_INSECURE);
  CHECK(origin_verdict("http://127.0.0.1.example") == VERDICT_INSECURE);
  CHECK(origin_verdict("http://127.example") == VERDICT_INSECURE);
  CHECK(origin_verdict("http://128.0.0.1") == VERDICT_INSECURE);
  CHECK(origin_verdict("http://[::2]") == VERDICT_INSECURE);
  CHECK(origin_verdict("https://a.example/api") == VERDICT_NOT_ORIGIN);
  CHECK(origin_verdict("https://a.example?") == VERDICT_NOT_ORIGIN);
  CHECK(origin_verdict("https://a.example/?q=1") == VERDICT_NOT_ORIGIN);
  CHECK(origin_verdict("https://a.example/#f") == VERDICT_NOT_ORIGIN);
  CHECK(origin_verdict("https://me@a.example") == VERDICT_USER_INFO);
  CHECK(origin_verdict("https://me:secret@a.example") == VERDICT_USER_INFO);
  CHECK(origin_verdict("http://127.0%2e8:08") == VERDICT_INVALID);
  CHECK(origin_verdict("https://%61.example") == VERDICT_INVALID);
  CHECK(origin_verdict("ftp://a.example") == VERDICT_INVALID);
  CHECK(origin_verdict("file:///etc/passwd") != VERDICT_OK);
  CHECK(origin_verdict("https://") == VERDICT_INVALID);
  CHECK(origin_verdict("https://a.example:99999") == VERDICT_INVALID);
  CHECK(origin_verdict("https://a example") == VERDICT_INVALID);
  CHECK(origin_verdict("https://a.example\\@b.example") == VERDICT_INVALID);
  CHECK(origin_verdict("https://a.example\r\nX: y") == VERDICT_INVALID);
  CHECK(origin_verdict("") == VERDICT_INVALID);
}

static void test_link_local(void) {
  CHECK(origin_verdict("https://169.254.169.254") == VERDICT_LINK_LOCAL);
  CHECK(origin_verdict("http://169.254.0.1:80") == VERDICT_LINK_LOCAL);
  CHECK(origin_verdict("https://0xa9.0xfe.1") == VERDICT_LINK_LOCAL);
  CHECK(origin_verdict("https://[fe80::1]") == VERDICT_LINK_LOCAL);
  CHECK(origin_verdict("https://[febf::1]") == VERDICT_LINK_LOCAL);
  CHECK(origin_verdict("https://[::ffff:a9fe:1]") == VERDICT_LINK_LOCAL);
  CHECK(origin_verdict("https://[fec0::1]") == VERDICT_OK);
  CHECK(origin_verdict("https://169.253.255.255") == VERDICT_OK);
  CHECK(origin_verdict("https://169.254.a.example") == VERDICT_OK);
}

int main(void) {
  curl_global_init(CURL_GLOBAL_DEFAULT);
  test_origins();
  test_refused_origins();
  test_link_local();
  return report();
}
