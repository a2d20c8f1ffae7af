/* answer.c - what libcurl's callbacks keep of an answer.
 *
 * A callback runs inside libcurl: it copies bytes and sets flags. Nothing here
 * can raise, and nothing here knows Lua.
 */
#define CPP_WITHOUT_LUA
#include "cpp.h"

#include <string.h>
#include <time.h>

/* All header blocks of one answer together; a server that sends more is not
 * answering. */
#define MAX_HEAD ((size_t)256 * 1024)

/* Makes the answer ready for another exchange. */
void answer_reset(struct answer *a, bool post, size_t max_body) {
  struct buffer head = a->head, body = a->body;
  buffer_clear(&head);
  buffer_clear(&body);
  memset(a, 0, sizeof *a);
  a->head = head;
  a->body = body;
  a->post = post;
  a->max_body = max_body;
}

/* Makes room for an answer of usual size before anything is sent, so that it is
 * not lost for want of memory. */
bool answer_reserve(struct answer *a) {
  return buffer_reserve(&a->head, 1024) && buffer_reserve(&a->body, 4096);
}

void answer_free(struct answer *a) {
  buffer_free(&a->head);
  buffer_free(&a->body);
}

/* The value of a header of the final block, or NULL. */
const char *answer_header(const struct answer *a, enum header name) {
  return a->value[name] ? a->head.data + a->value[name] - 1 : NULL;
}

/* The service's id of the exchange, for its support; NULL: it gave none. */
const char *answer_request_id(const struct answer *a) {
  const char *id = answer_header(a, HEADER_REQUEST_ID);
  return id && *id ? id : answer_header(a, HEADER_CORRELATION_ID);
}

/* Digits to seconds; -1 for anything else and for more than 10 of them, which
 * would be three centuries. */
static long long parse_seconds(const char *text) {
  size_t digits = strspn(text, "0123456789");
  if (digits == 0 || digits > 10 || text[digits])
    return -1;
  return strtoll(text, NULL, 10);
}

/* Retry-After in seconds from now; -1: absent or nonsense. A date counts from
 * the server's own Date, so that a wrong clock on either side does no harm. */
long long answer_retry_after(const struct answer *a) {
  const char *text = answer_header(a, HEADER_RETRY_AFTER);
  const char *date = answer_header(a, HEADER_DATE);
  time_t now, then;
  if (!text)
    return -1;
  if (text[strspn(text, "0123456789")] == '\0')
    return parse_seconds(text);
  then = curl_getdate(text, NULL);
  if (then < 0)
    return -1;
  now = date ? curl_getdate(date, NULL) : -1;
  if (now < 0)
    now = time(NULL);
  return then > now ? then - now : 0;
}

#define NAME(text)                                                             \
  { text, sizeof(text) - 1 }

static const struct {
  const char *text;
  size_t length;
} header_names[HEADER_COUNT] = {
    [HEADER_ASYNC_OPERATION] = NAME("azure-asyncoperation"),
    [HEADER_OPERATION_LOCATION] = NAME("operation-location"),
    [HEADER_LOCATION] = NAME("location"),
    [HEADER_RETRY_AFTER] = NAME("retry-after"),
    [HEADER_DATE] = NAME("date"),
    [HEADER_REQUEST_ID] = NAME("x-ms-request-id"),
    [HEADER_CORRELATION_ID] = NAME("x-ms-correlation-id"),
    [HEADER_CONTENT_LENGTH] = NAME("content-length"),
    [HEADER_CONTENT_ENCODING] = NAME("content-encoding"),
    [HEADER_TRANSFER_ENCODING] = NAME("transfer-encoding")};

/* Whether bytes are a name, given in lower case; only ASCII has another. */
static bool is_name(const char *bytes, const char *name, size_t size) {
  for (size_t i = 0; i < size; i++) {
    bool upper = bytes[i] >= 'A' && bytes[i] <= 'Z';
    if ((upper ? bytes[i] - 'A' + 'a' : bytes[i]) != name[i])
      return false;
  }
  return true;
}

/* The status of a status line such as "HTTP/1.1 202 Accepted", else 0. */
static int status_of(const char *line, size_t size) {
  const char *digits = memchr(line, ' ', size);
  int status = 0;
  if (size < 12 || !is_name(line, "http/", 5) || !digits ||
      line + size - digits < 5 || !strchr(" \r\n", digits[4]))
    return 0;
  for (int i = 1; i <= 3; i++) {
    if (digits[i] < '0' || digits[i] > '9')
      return 0;
    status = status * 10 + (digits[i] - '0');
  }
  return status;
}

static void forget_head(struct answer *a) {
  a->status = 0;
  a->in_head = a->head_complete = false;
  a->bad_length = a->open = false;
  buffer_clear(&a->head);
  memset(a->value, 0, sizeof a->value);
}

/* A new header block: what an earlier one (1xx) said no longer counts. */
static void begin_block(struct answer *a, int status, char version) {
  if (a->status)
    forget_head(a);
  a->status = status;
  a->version = version;
  a->in_head = true;
  if (a->spoken)
    *a->spoken = version;
}

/* Before the request leaves on a connection a proxy speaks: where it agrees, it
 * has said nothing. */
static void end_block(struct answer *a) {
  a->in_head = a->open = false;
  a->head_complete = a->status >= 200;
  if (!a->leaving && a->status / 100 == 2)
    forget_head(a);
}

/* RFC 9110, 8.6: nobody can tell where an answer ends whose length is no
 * number, or that has two. */
static bool is_bad_length(const struct answer *a, const char *text,
                          size_t size) {
  const char *first = answer_header(a, HEADER_CONTENT_LENGTH);
  for (size_t i = 0; i < size; i++)
    if (text[i] < '0' || text[i] > '9')
      return true;
  return size == 0 || size > 18 ||
         (first && (strlen(first) != size || memcmp(first, text, size) != 0));
}

static bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static const char *trim(const char *text, size_t *size) {
  while (*size && (*text == ' ' || *text == '\t'))
    text++, --*size;
  while (*size && is_space(text[*size - 1]))
    --*size;
  return text;
}

/* Keeps the value of a header that the module reads; the first one wins that is
 * not empty. */
static bool keep_value(struct answer *a, enum header name, const char *text,
                       size_t size) {
  const char *first = answer_header(a, name);
  size_t start = a->head.length;
  text = trim(text, &size);
  if (name == HEADER_CONTENT_LENGTH && is_bad_length(a, text, size))
    a->bad_length = true;
  if (first && *first)
    return true;
  if (!buffer_append(&a->head, text, size) || !buffer_append(&a->head, "", 1))
    return false;
  a->value[name] = start + 1;
  a->open = true;
  return true;
}

/* A line that begins with a space goes on with the one before (RFC 9112, 5.2).
 */
static bool keep_rest(struct answer *a, const char *text, size_t size) {
  bool empty = a->head.length < 2 || !a->head.data[a->head.length - 2];
  text = trim(text, &size);
  a->head.length--;
  return (empty || buffer_add(&a->head, " ")) &&
         buffer_append(&a->head, text, size) && buffer_append(&a->head, "", 1);
}

static bool keep_line(struct answer *a, const char *line, size_t size) {
  const char *colon = memchr(line, ':', size);
  size_t length;
  if (size && (*line == ' ' || *line == '\t'))
    return !a->open || keep_rest(a, line, size);
  a->open = false;
  if (!colon)
    return true;
  length = (size_t)(colon - line);
  for (int i = 0; i < HEADER_COUNT; i++)
    if (length == header_names[i].length &&
        is_name(line, header_names[i].text, length))
      return keep_value(a, (enum header)i, colon + 1, size - length - 1);
  return true;
}

static size_t stop(struct answer *a, enum stopped why) {
  a->stopped = why;
  return 0;
}

/* Newer versions of libcurl pass on the half of a line that was cut, too. */
static bool is_blank(const char *line, size_t size) {
  return size && line[size - 1] == '\n' && (line[0] == '\n' || line[0] == '\r');
}

/* CURLOPT_HEADERFUNCTION. Trailers, which come after the block has ended, are
 * passed over; a status line within a block, or after the last one, is none. */
size_t answer_on_header(char *line, size_t size, size_t count, void *answer) {
  struct answer *a = answer;
  int status;
  size *= count;
  a->head_seen += size;
  if (a->head_seen > MAX_HEAD)
    return stop(a, STOPPED_HEAD_TOO_LARGE);
  status = a->in_head || a->head_complete ? 0 : status_of(line, size);
  if (status)
    begin_block(a, status, line[5]);
  else if (is_blank(line, size))
    end_block(a);
  else if (!a->head_complete && !keep_line(a, line, size))
    return stop(a, STOPPED_OUT_OF_MEMORY);
  return size;
}

/* CURLOPT_WRITEFUNCTION: the body after decompression. */
size_t answer_on_body(char *bytes, size_t size, size_t count, void *answer) {
  struct answer *a = answer;
  size *= count;
  if (size > a->max_body - a->body.length)
    return stop(a, STOPPED_BODY_TOO_LARGE);
  if (!buffer_append(&a->body, bytes, size))
    return stop(a, STOPPED_OUT_OF_MEMORY);
  return size;
}

static bool is_second_post(struct answer *a) {
  if (!a->post || a->starts == 0)
    return false;
  a->stopped = STOPPED_SECOND_POST;
  return true;
}

/* A new connection is about to be opened for the request. libcurl sends one
 * again by itself when a reused connection dies unanswered; for a POST that is
 * refused. */
bool answer_connect(struct answer *a) {
  a->leaving = false;
  return !is_second_post(a);
}

/* The request is about to be sent; false: a second time, and it is a POST. */
bool answer_start(struct answer *a) {
  if (is_second_post(a))
    return false;
  if (a->status)
    forget_head(a);
  a->leaving = true;
  a->starts++;
  return true;
}
