/* buffer.c - unit program of csrc/buffer.c: growable bytes. */
#define CPP_WITHOUT_LUA
#include "cpp.h"
#include "unit.h"

#include <string.h>

static bool holds(const struct buffer *b, const char *text) {
  return b->length == strlen(text) && b->data && strcmp(b->data, text) == 0;
}

static void test_append(void) {
  struct buffer b = {0};
  CHECK(buffer_append(&b, NULL, 0) && holds(&b, ""));
  CHECK(buffer_add(&b, "one") && holds(&b, "one"));
  CHECK(buffer_append(&b, ", two", 3) && holds(&b, "one, t"));
  CHECK(buffer_append(&b, "\0x", 2) && b.length == 8);
  CHECK(memcmp(b.data, "one, t\0x", 9) == 0);
  CHECK(buffer_set(&b, "three", 5) && holds(&b, "three"));
  buffer_free(&b);
  CHECK(!b.data && !b.length && !b.capacity);
  buffer_free(&b);
}

static void test_growth(void) {
  struct buffer b = {0};
  bool same = true;
  for (int i = 0; i < 300000; i++)
    same = buffer_append(&b, &(char){(char)('a' + i % 26)}, 1) && same;
  for (int i = 0; i < 300000; i++)
    same = same && b.data[i] == 'a' + i % 26;
  CHECK(same && b.length == 300000 && b.data[b.length] == '\0');
  CHECK(b.capacity > b.length && b.capacity <= 2 * b.length + 128);
  buffer_free(&b);
}

/* Bytes up to the last of the capacity leave room for the NUL. */
static void test_edges(void) {
  for (size_t size = 120; size <= 260; size++) {
    struct buffer b = {0};
    char bytes[260];
    memset(bytes, 'x', sizeof bytes);
    if (!buffer_append(&b, bytes, size) || b.capacity <= b.length ||
        b.data[size] != '\0' || strlen(b.data) != size)
      CHECK(!"an edge");
    buffer_free(&b);
  }
  CHECK(true);
}

static void test_refusal(void) {
  struct buffer b = {0};
  buffer_add(&b, "kept");
  CHECK(!buffer_append(&b, "", (size_t)-1) && holds(&b, "kept"));
  CHECK(!buffer_append(&b, "", (size_t)-1 / 2) && holds(&b, "kept"));
  CHECK(buffer_add(&b, "!") && holds(&b, "kept!"));
  buffer_free(&b);
}

static void test_equals(void) {
  struct buffer b = {0};
  CHECK(buffer_equals(&b, "", 0) && buffer_equals(&b, NULL, 0));
  CHECK(!buffer_equals(&b, "a", 1));
  buffer_append(&b, "a\0b", 3);
  CHECK(buffer_equals(&b, "a\0b", 3));
  CHECK(!buffer_equals(&b, "a\0c", 3) && !buffer_equals(&b, "a", 1));
  buffer_free(&b);
}

static void test_clear(void) {
  struct buffer b = {0};
  size_t capacity;
  buffer_clear(&b);
  CHECK(!b.data);
  buffer_add(&b, "some text");
  capacity = b.capacity;
  buffer_clear(&b);
  CHECK(holds(&b, "") && b.capacity == capacity);
  buffer_add(&b, "more");
  buffer_trim(&b, capacity);
  CHECK(holds(&b, "") && b.capacity == capacity);
  buffer_trim(&b, capacity - 1);
  CHECK(!b.data && !b.capacity);
}

int main(void) {
  test_append();
  test_growth();
  test_edges();
  test_refusal();
  test_equals();
  test_clear();
  return report();
}
