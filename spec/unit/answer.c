/* answer.c - unit program of csrc/answer.c: what libcurl's callbacks make of an
 * answer's headers and body. */
#define CPP_WITHOUT_LUA
#include "cpp.h"
#include "unit.h"

#include <string.h>

static bool holds(const struct buffer *b, const char *text) {
  return b->length == strlen(text) && b->data && strcmp(b->data, text) == 0;
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
  struct answer a = {.leaving = true};
  CHECK(feed_all(&a, lines) && a.status == 202 && !a.head_complete);
  CHECK(is(&a, HEADER_OPERATION_LOCATION, "/a"));
  CHECK(is(&a, HEADER_LOCATION, "/b"));
  CHECK(is(&a, HEADER_RETRY_AFTER, "7"));
  CHECK(is(&a, HEADER_REQUEST_ID, "") && is(&a, HEADER_DATE, NULL));
  feed(&a, "location: /second\r\n");
  CHECK(is(&a, HEADER_LOCATION, "/b"));
  feed(&a, "x-ms-request-id: behind an empty one\r\n");
  CHECK(is(&a, HEADER_REQUEST_ID, "behind an empty one"));
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
  struct answer a = {.leaving = true};
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
  struct answer a = {.leaving = true};
  feed(&a, "HTTP/1.1 2\r\n");
  feed(&a, "HTTPS/1.1x200 OK\r\n");
  feed(&a, "ICY 200 OK 12345\r\n");
  CHECK(a.status == 0 && feed(&a, "\r\n") == 2 && !a.head_complete);
  feed(&a, "http/1.0 404\r\n");
  CHECK(a.status == 404);
  answer_free(&a);
}

static void test_endless_head(void) {
  struct answer a = {.leaving = true};
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
  struct answer a = {.leaving = true};
  answer_reset(&a, false, 8);
  CHECK(body(&a, "1234") == 4 && body(&a, "") == 0 && body(&a, "5678") == 4);
  CHECK(holds(&a.body, "12345678") && a.stopped == STOPPED_NOT);
  CHECK(body(&a, "9") == 0 && a.stopped == STOPPED_BODY_TOO_LARGE);
  CHECK(holds(&a.body, "12345678"));
  answer_free(&a);
}

/* ---- the request's start, and an answer used again ---- */

static void test_start(void) {
  struct answer a = {.leaving = true};
  answer_reset(&a, false, 1);
  CHECK(answer_start(&a) && answer_start(&a));
  CHECK(a.starts == 2 && a.stopped == STOPPED_NOT);
  answer_reset(&a, true, 1);
  CHECK(answer_start(&a) && !answer_start(&a));
  CHECK(a.starts == 1 && a.stopped == STOPPED_SECOND_POST);
  answer_reset(&a, false, 1);
  CHECK(answer_connect(&a) && answer_start(&a) && answer_connect(&a));
  CHECK(a.stopped == STOPPED_NOT);
  answer_reset(&a, true, 1);
  CHECK(answer_connect(&a) && answer_connect(&a) && answer_start(&a));
  CHECK(!answer_connect(&a) && a.stopped == STOPPED_SECOND_POST);
  answer_free(&a);
}

static void test_reset(void) {
  struct answer a = {.leaving = true};
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
  struct answer a = {.leaving = true};
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

/* A line that begins with a space goes on with the one before. */
static void test_folded_lines(void) {
  static const char *const lines[] = {"HTTP/1.1 202 Accepted\r\n",
                                      " location: /of nothing\r\n",
                                      "Location: \r\n",
                                      "\t /a\r\n",
                                      " b \r\n",
                                      "X: y\r\n",
                                      " location: /of another\r\n",
                                      "Location: /second\r\n",
                                      " and more\r\n",
                                      "Date: x\r\n",
                                      "\r\n",
                                      NULL};
  struct answer a = {.leaving = true};
  CHECK(feed_all(&a, lines));
  CHECK(is(&a, HEADER_LOCATION, "/a b") && is(&a, HEADER_DATE, "x"));
  answer_free(&a);
}

/* Before the request leaves on a connection a proxy speaks. */
static void test_proxy(void) {
  static const char *const no[] = {"HTTP/1.1 407 No\r\n", "Retry-After: 7\r\n",
                                   "\r\n", NULL};
  static const char *const yes[] = {"HTTP/1.1 200 Established\r\n",
                                    "Location: /x\r\n", "\r\n", NULL};
  struct answer a = {0};
  CHECK(feed_all(&a, no) && a.status == 407 && a.head_complete);
  CHECK(is(&a, HEADER_RETRY_AFTER, "7"));
  answer_start(&a);
  CHECK(a.status == 0 && !a.head_complete && is(&a, HEADER_RETRY_AFTER, NULL));
  answer_reset(&a, false, 100);
  CHECK(feed_all(&a, yes) && a.status == 0 && !a.head_complete);
  CHECK(is(&a, HEADER_LOCATION, NULL));
  CHECK(answer_start(&a) && answer_connect(&a));
  CHECK(feed_all(&a, yes) && a.status == 0 && !a.head_complete);
  CHECK(answer_start(&a) && feed_all(&a, yes) && a.status == 200);
  answer_free(&a);
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
  test_header_names();
  test_header_blocks();
  test_status_lines();
  test_endless_head();
  test_body();
  test_start();
  test_reset();
  test_folded_lines();
  test_proxy();
  test_retry_after();
  return report();
}
