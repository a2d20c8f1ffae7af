/* buffer.c - growable bytes. */
#define CPP_WITHOUT_LUA
#include "cpp.h"

#include <string.h>

/* Makes room for `size` more bytes and a final NUL; false: out of memory. */
bool buffer_reserve(struct buffer *b, size_t size) {
  size_t capacity = b->capacity ? b->capacity : 128;
  char *data;
  if (size < b->capacity - b->length)
    return true;
  if (size >= (size_t)-1 / 2 - b->length)
    return false;
  while (capacity <= b->length + size)
    capacity *= 2;
  data = CPP_REALLOC(b->data, capacity);
  if (!data)
    return false;
  b->data = data;
  b->capacity = capacity;
  return true;
}

/* Appends; false: out of memory, and the buffer is as it was. */
bool buffer_append(struct buffer *b, const void *bytes, size_t size) {
  if (size >= b->capacity - b->length && !buffer_reserve(b, size))
    return false;
  if (size)
    memcpy(b->data + b->length, bytes, size);
  b->length += size;
  b->data[b->length] = '\0';
  return true;
}

/* Appends a C string without its NUL. */
bool buffer_add(struct buffer *b, const char *text) {
  return buffer_append(b, text, strlen(text));
}

/* Replaces the contents. */
bool buffer_set(struct buffer *b, const void *bytes, size_t size) {
  buffer_clear(b);
  return buffer_append(b, bytes, size);
}

bool buffer_equals(const struct buffer *b, const char *bytes, size_t size) {
  return b->length == size && (!size || memcmp(b->data, bytes, size) == 0);
}

/* Empties the buffer and keeps its memory. */
void buffer_clear(struct buffer *b) {
  b->length = 0;
  if (b->data)
    b->data[0] = '\0';
}

/* Empties the buffer; memory above `capacity` bytes is given back. */
void buffer_trim(struct buffer *b, size_t capacity) {
  if (b->capacity > capacity)
    buffer_free(b);
  else
    buffer_clear(b);
}

void buffer_free(struct buffer *b) {
  free(b->data);
  memset(b, 0, sizeof *b);
}
