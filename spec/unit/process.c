/* process.c - unit program of csrc/process.c: the clock and the id. */
#define CPP_WITHOUT_LUA
#include "cpp.h"
#include "unit.h"

#include <sys/wait.h>
#include <unistd.h>

static void test_clock(void) {
  double before = process_clock(), after;
  usleep(2000);
  after = process_clock();
  CHECK(after - before >= 0.002 && after - before < 60);
}

/* Whether a child of a fork knows its own id. */
static bool child_knows(void) {
  int status = 1;
  pid_t parent = process_id(), child = fork();
  if (child == 0)
    _exit(process_id() == getpid() && process_id() != parent ? 0 : 1);
  return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

int main(void) {
  test_clock();
  CHECK(process_id() == getpid() && child_knows());
  process_init();
  CHECK(process_id() == getpid() && child_knows());
  CHECK(process_id() == getpid());
  return report();
}
