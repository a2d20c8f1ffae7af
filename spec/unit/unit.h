/* unit.h - what the C unit programs count with. */
#ifndef UNIT_H
#define UNIT_H

#include <stdbool.h>
#include <stdio.h>

static int passed, failed;

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
