/* unit.h - what the C unit programs count with. */
#ifndef UNIT_H
#define UNIT_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static int passed, failed;

/* The module's allocations, of which the one numbered `failing` fails; 0: none
 * does. */
static int allocations, failing;

void *unit_realloc(void *block, size_t size);

void *unit_realloc(void *block, size_t size) {
  return ++allocations == failing ? NULL : realloc(block, size);
}

#define CHECK(condition) check((condition), #condition, __FILE__, __LINE__)

static void check(bool good, const char *what, const char *file, int line) {
  if (good) {
    passed++;
    return;
  }
  failed++;
  printf("%s:%d: %s\n", file, line, what);
}

/* Prints the count; returns the exit status of the program. */
static int report(void) {
  printf("%d passed, %d failed\n", passed, failed);
  return failed != 0;
}

#endif
