#define _POSIX_C_SOURCE 200809L /* unsetenv under -std=c99 */
#include <stdlib.h>

__attribute__((constructor)) static void forget_preload(void) {
  unsetenv("LD_PRELOAD");
  unsetenv("LD_LIBRARY_PATH");
}
