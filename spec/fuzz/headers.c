/* headers.c - fuzz target: the heads of answers, line by line as libcurl hands
 * them over, several blocks and trailers included. */
#define CPP_WITHOUT_LUA
#include "cpp.h"
#include "fuzz.h"

static void check_answer(const struct answer *a) {
  const char *id = answer_header(a, HEADER_REQUEST_ID);
  CHECK(a->status >= 0 && a->status <= 999);
  CHECK(!a->head_complete || a->status >= 200);
  for (int i = 0; i < HEADER_COUNT; i++) {
    const char *value = answer_header(a, (enum header)i);
    CHECK(a->value[i] <= a->head.length);
    CHECK(!value || (value[0] != ' ' && value[0] != '\t'));
  }
  CHECK(answer_retry_after(a) >= -1);
  CHECK(answer_request_id(a) ==
        (id && *id ? id : answer_header(a, HEADER_CORRELATION_ID)));
}

/* False: the transfer would end here. */
static bool feed(struct answer *a, const char *bytes, size_t size) {
  char *line = copy_bytes(bytes, size);
  struct answer before = *a;
  size_t taken = answer_on_header(line, 1, size, a);
  free(line);
  CHECK(taken == size || a->stopped != STOPPED_NOT);
  /* A trailer changes nothing of a head that has ended. */
  CHECK(!before.head_complete || !a->head_complete ||
        (a->status == before.status && a->head.length == before.head.length));
  return taken == size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct answer a = {0};
  const char *at = (const char *)data;
  answer_reset(&a, size % 2 == 0, 4096);
  while (size) {
    size_t line = line_size(at, size);
    if (!feed(&a, at, line))
      break;
    at += line;
    size -= line;
  }
  check_answer(&a);
  answer_free(&a);
  return 0;
}
