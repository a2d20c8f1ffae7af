/* program.h - what floor.c and multi.c have in common: what they are asked for,
 * in environment variables, the request as the module sends it, and the answer
 * collected as bytes.
 */
#ifndef PROGRAM_H
#define PROGRAM_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

struct bytes {
  char *data;
  size_t length, capacity;
};

/* One reused easy handle with its headers and what it receives. */
struct exchange {
  CURL *easy;
  struct curl_slist *headers;
  char *id; /* in the list's line for x-ms-client-request-id */
  struct bytes head, body;
};

const char *text_setting(const char *name, const char *otherwise);
long number_setting(const char *name, long otherwise);

void exchange_open(struct exchange *x);
void exchange_prepare(struct exchange *x, const char *url);
void exchange_check(const struct exchange *x, CURLcode code);
void exchange_close(struct exchange *x);

void start_clock(void);
void report(long polls);
void fail(const char *why);

#endif
