/* fuzz.h - what the libFuzzer targets share. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An invariant; the fuzzer keeps the input that breaks it. */
#define CHECK(condition) check((condition), #condition, __FILE__, __LINE__)

static inline void check(bool good, const char *what, const char *file,
                         int line) {
  if (good)
    return;
  fprintf(stderr, "%s:%d: broken: %s\n", file, line, what);
  abort();
}

/* A copy of its own size: a byte read beyond it is one that ASan sees. */
static inline char *copy_bytes(const char *data, size_t size) {
  char *copy = malloc(size ? size : 1);
  CHECK(copy != NULL);
  if (size)
    memcpy(copy, data, size);
  return copy;
}

/* The same as a C string; it ends at a NUL in the data. */
static inline char *copy_text(const uint8_t *data, size_t size) {
  char *text = malloc(size + 1);
  CHECK(text != NULL);
  if (size)
    memcpy(text, data, size);
  text[size] = '\0';
  return text;
}

/* The bytes of the first line, its end included. */
static inline size_t line_size(const char *data, size_t size) {
  const char *end = size ? memchr(data, '\n', size) : NULL;
  return end ? (size_t)(end - data) + 1 : size;
}

#endif
