/* store.c - unit program of csrc/store.c: whether a folder of certificates
 * holds what a file does. */
#define CPP_WITHOUT_LUA
#include "cpp.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BEGIN "-----BEGIN CERTIFICATE-----\n"
#define END "\n-----END CERTIFICATE-----\n"

static const char one[] = BEGIN "one" END, other[] = BEGIN "other" END;
static const char both[] = BEGIN "one" END BEGIN "other" END;

static char home[] = "/tmp/cpp-store-XXXXXX";

/* "name" within the program's folder. */
static const char *at(const char *name) {
  static char path[64];
  (void)snprintf(path, sizeof path, "%s/%s", home, name);
  return path;
}

static void put(const char *name, const char *text) {
  FILE *file = fopen(at(name), "w");
  CHECK(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

static bool is_twice(const char *file) {
  return store_is_twice(home, at(file));
}

static void test_whole(void) {
  put("bundle.crt", both);
  CHECK(!is_twice("bundle.crt"));
  put("00000001.0", one);
  CHECK(!is_twice("bundle.crt"));
  put("other.pem", other);
  CHECK(!is_twice("bundle.crt"));
  CHECK(symlink("other.pem", at("00000001.1")) == 0);
  CHECK(is_twice("bundle.crt"));
}

/* A certificate that only one of the two has. */
static void test_different(void) {
  put("00000002.0", one);
  CHECK(!is_twice("bundle.crt"));
  put("bundle.crt", BEGIN "one" END BEGIN "other" END BEGIN "a third" END);
  CHECK(!is_twice("bundle.crt"));
  CHECK(unlink(at("00000002.0")) == 0);
  put("bundle.crt", BEGIN "one" END BEGIN "an other" END);
  CHECK(!is_twice("bundle.crt"));
  put("bundle.crt", both);
  CHECK(is_twice("bundle.crt"));
}

/* As long, but another. */
static void test_as_long(void) {
  put("other.pem", BEGIN "0ther" END);
  CHECK(!is_twice("bundle.crt"));
  put("other.pem", other);
  CHECK(is_twice("bundle.crt"));
}

static void test_any(void) {
  struct buffer path = {0};
  CHECK(store_any(home, &path));
  CHECK(strncmp(path.data, at("00000001."), strlen(at("00000001."))) == 0);
  CHECK(store_any("/nonexistent", &path));
  CHECK(strcmp(path.data, "/nonexistent") == 0);
  buffer_free(&path);
}

/* OpenSSL does not look at these. */
static void test_other_names(void) {
  static const char *const names[] = {
      "0000000g.0", "00000003.r0", "00000003",    "00000003.",
      "0000003.0",  "00000003.0x", "000000033.0", "ABCDEF03.0"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    put(names[i], one);
    CHECK(is_twice("bundle.crt"));
    CHECK(unlink(at(names[i])) == 0);
  }
}

static void test_nothing(void) {
  CHECK(!store_is_twice("/nonexistent", at("bundle.crt")));
  CHECK(!is_twice("nonexistent"));
  CHECK(unlink(at("00000001.1")) == 0);
  CHECK(symlink("nonexistent", at("00000001.1")) == 0);
  CHECK(!is_twice("bundle.crt"));
  put("bundle.crt", "");
  CHECK(unlink(at("00000001.0")) == 0);
  CHECK(!is_twice("bundle.crt"));
}

static void clean(void) {
  static const char *const names[] = {"bundle.crt", "other.pem", "00000001.1"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    CHECK(unlink(at(names[i])) == 0);
  CHECK(rmdir(home) == 0);
}

int main(void) {
  if (!mkdtemp(home))
    return 1;
  test_whole();
  test_different();
  test_as_long();
  test_any();
  test_other_names();
  test_nothing();
  clean();
  return report();
}
