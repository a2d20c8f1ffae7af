/* buffer.c - unit program of csrc/buffer.c: growable bytes, and what libcurl's
 * callbacks make of an answer's headers and body. */
#define CPP_WITHOUT_LUA
#include "cpp.h"
#include "unit.h"

#include <limits.h>
#include <string.h>

static bool holds(const struct buffer *b, const char *text) {
  return b->length == strlen(text) && b->data && strcmp(b->data, text) == 0;
}

/* ---- bytes ---- */

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

/* ---- an answer's headers ---- */

static size_t feed(struct answer *a, const char *line) {
  char copy[300];
  strcpy(copy, line);
  return answer_on_header(copy, 1, strlen(copy), a);
}

/* Feeds lines up to NULL; true when all are taken. */
static bool feed_all(struct answer *a, const char *const *lines) {
  bool taken = true;
  for (; *lines; lines++)
    taken = feed(a, *lines) == strlen(*lines) && taken;
  return taken;
}

static bool is(const struct answer *a, enum header name, const char *value) {
  const char *found = answer_header(a, name);
  return value ? found && strcmp(found, value) == 0 : !found;
}

static void test_header_names(void) {
  static const char *const lines[] = {"HTTP/1.1 202 Accepted\r\n",
                                      "OPERATION-location: /a\r\n",
                                      "Location:/b\r\n",
                                      "retry-after: \t 7 \t\r\n",
                                      "X-Ms-Request-Id:\r\n",
                                      "Locations: /c\r\n",
                                      "no colon here\r\n",
                                      ": no name\r\n",
                                      NULL};
  struct answer a = {0};
  CHECK(feed_all(&a, lines) && a.status == 202 && !a.head_complete);
  CHECK(is(&a, HEADER_OPERATION_LOCATION, "/a"));
  CHECK(is(&a, HEADER_LOCATION, "/b"));
  CHECK(is(&a, HEADER_RETRY_AFTER, "7"));
  CHECK(is(&a, HEADER_REQUEST_ID, "") && is(&a, HEADER_DATE, NULL));
  feed(&a, "location: /second\r\n");
  CHECK(is(&a, HEADER_LOCATION, "/b"));
  CHECK(feed(&a, "\r\n") == 2 && a.head_complete);
  feed(&a, "Date: in a trailer\r\n");
  CHECK(is(&a, HEADER_DATE, NULL) && a.head_complete);
  answer_free(&a);
}

static void test_header_blocks(void) {
  static const char *const early[] = {"HTTP/1.1 103 Early Hints\r\n",
                                      "Location: /early\r\n", "\r\n", NULL};
  static const char *const final[] = {
      "HTTP/2 200 \r\n", "x-ms-correlation-id: c\r\n", "\r\n", NULL};
  struct answer a = {0};
  CHECK(feed_all(&a, early) && a.status == 103 && !a.head_complete);
  CHECK(feed_all(&a, final) && a.status == 200 && a.head_complete);
  CHECK(is(&a, HEADER_LOCATION, NULL));
  CHECK(strcmp(answer_request_id(&a), "c") == 0);
  feed(&a, "HTTP/1.1 503 \r\n"); /* in a trailer */
  CHECK(a.status == 200 && a.head_complete);
  answer_reset(&a, false, 0);
  feed(&a, "HTTP/1.1 503 \r\n");
  CHECK(a.status == 503 && !a.head_complete && !answer_request_id(&a));
  feed(&a, "x-ms-correlation-id: c\r\n");
  feed(&a, "x-ms-request-id: r\r\n");
  CHECK(strcmp(answer_request_id(&a), "r") == 0);
  answer_free(&a);
}

static void test_status_lines(void) {
  struct answer a = {0};
  feed(&a, "HTTP/1.1 2\r\n");
  feed(&a, "HTTPS/1.1x200 OK\r\n");
  feed(&a, "ICY 200 OK 12345\r\n");
  CHECK(a.status == 0 && feed(&a, "\r\n") == 2 && !a.head_complete);
  feed(&a, "http/1.0 404\r\n");
  CHECK(a.status == 404);
  answer_free(&a);
}

static void test_endless_head(void) {
  struct answer a = {0};
  char line[200];
  size_t taken = 0;
  memset(line, 'x', sizeof line);
  line[1] = ':';
  feed(&a, "HTTP/1.1 200 OK\r\n");
  while (answer_on_header(line, 1, sizeof line, &a) == sizeof line)
    taken += sizeof line;
  CHECK(a.stopped == STOPPED_HEAD_TOO_LARGE);
  CHECK(taken > 100 * 1024 && taken <= 256 * 1024);
  CHECK(a.head.capacity < 4096);
  answer_free(&a);
}

/* ---- its body ---- */

static size_t body(struct answer *a, const char *text) {
  char copy[100];
  strcpy(copy, text);
  return answer_on_body(copy, 1, strlen(copy), a);
}

static void test_body(void) {
  struct answer a = {0};
  answer_reset(&a, false, 8);
  CHECK(body(&a, "1234") == 4 && body(&a, "") == 0 && body(&a, "5678") == 4);
  CHECK(holds(&a.body, "12345678") && a.stopped == STOPPED_NOT);
  CHECK(body(&a, "9") == 0 && a.stopped == STOPPED_BODY_TOO_LARGE);
  CHECK(holds(&a.body, "12345678"));
  answer_free(&a);
}

/* ---- the request's start, and an answer used again ---- */

static void test_start(void) {
  struct answer a = {0};
  answer_reset(&a, false, 1);
  CHECK(answer_on_start(&a, "", "", 0, 0) == CURL_PREREQFUNC_OK);
  CHECK(answer_on_start(&a, "", "", 0, 0) == CURL_PREREQFUNC_OK);
  CHECK(a.starts == 2 && a.stopped == STOPPED_NOT);
  answer_reset(&a, true, 1);
  CHECK(answer_on_start(&a, "", "", 0, 0) == CURL_PREREQFUNC_OK);
  CHECK(answer_on_start(&a, "", "", 0, 0) == CURL_PREREQFUNC_ABORT);
  CHECK(a.starts == 1 && a.stopped == STOPPED_SECOND_POST);
  answer_free(&a);
}

static void test_reset(void) {
  struct answer a = {0};
  const char *memory;
  answer_reset(&a, true, 100);
  feed(&a, "HTTP/1.1 200 OK\r\n");
  feed(&a, "Location: /x\r\n");
  feed(&a, "\r\n");
  body(&a, "text");
  memory = a.body.data;
  answer_reset(&a, false, 50);
  CHECK(!a.status && !a.head_complete && !a.head_seen && !a.post);
  CHECK(is(&a, HEADER_LOCATION, NULL) && holds(&a.body, ""));
  CHECK(a.body.data == memory && a.max_body == 50);
  answer_free(&a);
  CHECK(!a.head.data && !a.body.data);
}

/* ---- Retry-After ---- */

static long long retry_after(const char *value, const char *date) {
  struct answer a = {0};
  char line[100];
  long long seconds;
  feed(&a, "HTTP/1.1 429 \r\n");
  if (value) {
    snprintf(line, sizeof line, "Retry-After: %s\r\n", value);
    feed(&a, line);
  }
  if (date) {
    snprintf(line, sizeof line, "Date: %s\r\n", date);
    feed(&a, line);
  }
  seconds = answer_retry_after(&a);
  answer_free(&a);
  return seconds;
}

static void test_retry_after(void) {
  static const char noon[] = "Sun, 06 Nov 1994 12:00:00 GMT";
  static const char later[] = "Sun, 06 Nov 1994 12:02:03 GMT";
  CHECK(retry_after("0", NULL) == 0 && retry_after("120", noon) == 120);
  CHECK(retry_after(NULL, noon) == -1 && retry_after("", noon) == -1);
  CHECK(retry_after(later, noon) == 123);
  CHECK(retry_after(noon, later) == 0 && retry_after(noon, NULL) == 0);
  CHECK(retry_after(later, "nonsense") == 0);
  CHECK(retry_after("soon", noon) == -1 && retry_after("-1", noon) == -1);
  CHECK(retry_after("1.5", noon) == -1 && retry_after("1e3", noon) == -1);
  CHECK(retry_after("9999999999", noon) == 9999999999LL);
  CHECK(retry_after("99999999999", noon) == -1);
  CHECK(retry_after("Fri, 01 Jan 2100 00:00:00 GMT", NULL) > 1000000);
}

int main(void) {
  test_append();
  test_growth();
  test_edges();
  test_refusal();
  test_equals();
  test_clear();
  test_header_names();
  test_header_blocks();
  test_status_lines();
  test_endless_head();
  test_body();
  test_start();
  test_reset();
  test_retry_after();
  return report();
}
