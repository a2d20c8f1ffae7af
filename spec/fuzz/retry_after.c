/* retry_after.c - fuzz target: the first line is the value of Retry-After, the
 * second that of Date. */
#define CPP_WITHOUT_LUA
#include "cpp.h"
#include "fuzz.h"

static void add(struct answer *a, const char *name, const char *value,
                size_t size) {
  struct buffer line = {0};
  CHECK(buffer_add(&line, name) && buffer_append(&line, value, size) &&
        buffer_add(&line, "\r\n"));
  CHECK(answer_on_header(line.data, 1, line.length, a) == line.length);
  buffer_free(&line);
}

/* Digits are seconds, and nothing else is: not "+5", "5.0" or "0x10". */
static void check_digits(const struct answer *a, long seconds) {
  const char *value = answer_header(a, HEADER_RETRY_AFTER);
  size_t digits = value ? strspn(value, "0123456789") : 0;
  if (!value || digits == 0 || value[digits])
    return;
  if (digits > 10)
    CHECK(seconds == -1);
  else
    CHECK(seconds == strtol(value, NULL, 10));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct answer a = {0};
  const char *text = (const char *)data;
  size_t first;
  long seconds;
  if (size > 4096)
    return 0;
  first = line_size(text, size);
  answer_reset(&a, false, 4096);
  add(&a, "Retry-After: ", text, first);
  if (first < size)
    add(&a, "Date: ", text + first, size - first);
  seconds = answer_retry_after(&a);
  CHECK(seconds >= -1);
  check_digits(&a, seconds);
  answer_free(&a);
  return 0;
}
