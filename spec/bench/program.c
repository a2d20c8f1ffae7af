/* program.c - one exchange as a bare libcurl program does it. */
#include "program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>

void fail(const char *why) {
  fprintf(stderr, "%s\n", why);
  exit(1);
}

const char *text_setting(const char *name, const char *otherwise) {
  const char *value = getenv(name);
  return value && *value ? value : otherwise;
}

long number_setting(const char *name, long otherwise) {
  const char *value = text_setting(name, NULL);
  return value ? strtol(value, NULL, 10) : otherwise;
}

/* CURLOPT_HEADERFUNCTION and CURLOPT_WRITEFUNCTION. */
static size_t collect(char *data, size_t size, size_t count, void *user) {
  struct bytes *b = user;
  size *= count;
  if (b->length + size > b->capacity) {
    b->capacity = 2 * (b->length + size);
    b->data = realloc(b->data, b->capacity);
    if (!b->data)
      return 0;
  }
  memcpy(b->data + b->length, data, size);
  b->length += size;
  return size;
}

static void add_header(struct exchange *x, const char *name,
                       const char *value) {
  char line[8192];
  snprintf(line, sizeof line, "%s: %s", name, value);
  x->headers = curl_slist_append(x->headers, line);
}

/* An id of this process; exchange_prepare counts up in its last digits. */
static void add_id(struct exchange *x) {
  unsigned char random[6];
  char id[37];
  struct curl_slist *last;
  if (getentropy(random, sizeof random) != 0)
    fail("no random bytes");
  snprintf(id, sizeof id, "%02x%02x%02x%02x-%02x%02x-4000-8000-000000000000",
           random[0], random[1], random[2], random[3], random[4], random[5]);
  add_header(x, "x-ms-client-request-id", id);
  for (last = x->headers; last->next;)
    last = last->next;
  x->id = last->data + strlen(last->data) - strlen(id);
}

static void set_protocol(struct exchange *x) {
  const char *ca_file = text_setting("BENCH_CA", NULL);
  if (ca_file)
    curl_easy_setopt(x->easy, CURLOPT_CAINFO, ca_file);
  if (strcmp(text_setting("BENCH_HTTP", "1.1"), "2") != 0) {
    curl_easy_setopt(x->easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    return;
  }
  curl_easy_setopt(x->easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS);
  curl_easy_setopt(x->easy, CURLOPT_PIPEWAIT, 1L);
}

/* Makes the handle and sets all that stays the same. */
void exchange_open(struct exchange *x) {
  char authorization[4096];
  memset(x, 0, sizeof *x);
  x->easy = curl_easy_init();
  if (!x->easy)
    fail("no handle");
  snprintf(authorization, sizeof authorization, "Bearer %s",
           text_setting("BENCH_TOKEN", ""));
  add_header(x, "Authorization", authorization);
  add_id(x);
  add_header(x, "User-Agent", "cloud-partner-portal/dev");
  add_header(x, "Accept", "application/json");
  curl_easy_setopt(x->easy, CURLOPT_HTTPHEADER, x->headers);
  curl_easy_setopt(x->easy, CURLOPT_ACCEPT_ENCODING, "gzip");
  curl_easy_setopt(x->easy, CURLOPT_HEADERFUNCTION, collect);
  curl_easy_setopt(x->easy, CURLOPT_HEADERDATA, &x->head);
  curl_easy_setopt(x->easy, CURLOPT_WRITEFUNCTION, collect);
  curl_easy_setopt(x->easy, CURLOPT_WRITEDATA, &x->body);
  curl_easy_setopt(x->easy, CURLOPT_PRIVATE, x);
  set_protocol(x);
}

/* The next id, counted in hexadecimal digits from the right. */
static void count_up(char *id) {
  static const char after[] = "123456789abcdef0";
  for (char *digit = id + 35; digit > id + 23; digit--) {
    *digit = after[*digit <= '9' ? *digit - '0' : *digit - 'a' + 10];
    if (*digit != '0')
      return;
  }
}

void exchange_prepare(struct exchange *x, const char *url) {
  count_up(x->id);
  x->head.length = x->body.length = 0;
  curl_easy_setopt(x->easy, CURLOPT_URL, url);
}

/* A poll that failed would be a cheap one. */
void exchange_check(const struct exchange *x, CURLcode code) {
  if (code != CURLE_OK)
    fail(curl_easy_strerror(code));
  if (x->body.length < 2000 || x->head.length < 15 ||
      !memchr(x->head.data, '2', 12))
    fail("this is not the document");
}

void exchange_close(struct exchange *x) {
  curl_easy_cleanup(x->easy);
  curl_slist_free_all(x->headers);
  free(x->head.data);
  free(x->body.data);
}

static double wall_start, cpu_start;

static double wall_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu_now(void) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
         (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

void start_clock(void) {
  wall_start = wall_now();
  cpu_start = cpu_now();
}

/* What every client of the bench prints: polls, wall seconds, CPU seconds. */
void report(long polls) {
  printf("%ld %.6f %.6f\n", polls, wall_now() - wall_start,
         cpu_now() - cpu_start);
}
