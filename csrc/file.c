/* file.c - a small file, read without ever waiting. */
#define _FILE_OFFSET_BITS 64 /* an inode may need them on 32 bits */
#include "cpp.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Opens a regular file, also by a symbolic link; -1, with errno, 0 where it is
 * none. A path that holds a NUL would be that of another file. To look at its
 * kind first leaves a FIFO's writer undisturbed; should the file change its
 * kind meanwhile, nothing waits either. */
static int open_regular(const char *path, size_t size) {
  struct stat about;
  errno = EINVAL;
  if (strlen(path) != size)
    return -1;
  if (stat(path, &about) != 0)
    return -1;
  errno = 0;
  if (!S_ISREG(about.st_mode))
    return -1;
  return open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

/* Reads at most `size` bytes; -1, with errno: it failed. */
static ssize_t read_all(int fd, char *bytes, size_t size) {
  size_t length = 0;
  while (length < size) {
    ssize_t count = read(fd, bytes + length, size - length);
    if (count < 0 && errno == EINTR)
      continue;
    if (count < 0)
      return -1;
    if (count == 0)
      break;
    length += (size_t)count;
  }
  return (ssize_t)length;
}

/* read(path, most) --> text | nil, message
 *
 * The first `most` bytes of a regular file. What else has a name, a FIFO that
 * nobody writes or a terminal, might hold up the process, and is refused. */
int file_read(lua_State *L) {
  size_t size;
  const char *path = luaL_checklstring(L, 1, &size);
  size_t most = (size_t)luaL_checkinteger(L, 2);
  char *bytes = lua_newuserdatauv(L, most, 0);
  int fd = open_regular(path, size), error = errno;
  ssize_t length = -1;
  if (fd >= 0) {
    length = read_all(fd, bytes, most);
    error = errno;
    close(fd);
  }
  if (length >= 0) {
    lua_pushlstring(L, bytes, (size_t)length);
    return 1;
  }
  lua_pushnil(L);
  lua_pushfstring(L, "%s: %s", path,
                  error ? strerror(error) : "it is no regular file");
  return 2;
}
