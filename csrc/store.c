/* store.c - the system's certificate authorities.
 *
 * Distributions keep them twice: in one file, which OpenSSL parses whole, and
 * in a folder where it looks one up by its hash. libcurl's defaults are both,
 * and beside a folder it caches no file: every connection would parse it, for
 * 20 ms. Where the folder holds all that is in the file, the file is not
 * needed.
 */
#define CPP_WITHOUT_LUA
#include "cpp.h"

#include <dirent.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* What tells whether two stores hold the same: the certificates and the sum of
 * their lines, which knows no order. */
struct measure {
  unsigned long count;
  uint64_t sum;
};

/* FNV-1a. */
static uint64_t hash(const char *line) {
  uint64_t hash = 0xcbf29ce484222325U;
  for (; *line; line++)
    hash = (hash ^ (unsigned char)*line) * 0x100000001b3U;
  return hash;
}

static void measure_file(const char *path, struct measure *found) {
  char line[128];
  FILE *file = fopen(path, "re");
  if (!file)
    return;
  while (fgets(line, sizeof line, file)) {
    line[strcspn(line, "\r\n")] = '\0';
    found->count += strncmp(line, "-----BEGIN ", 11) == 0;
    found->sum += hash(line);
  }
  (void)fclose(file);
}

/* The names that OpenSSL looks for, such as "5ed36f99.0". */
static bool is_hash(const char *name) {
  return strspn(name, "0123456789abcdef") == 8 && name[8] == '.' && name[9] &&
         name[9 + strspn(name + 9, "0123456789")] == '\0';
}

/* Writes the path of a folder's next certificate to `path`; false: there is
 * none. What runs out of memory counts as the end: the file is used then. */
static bool next(DIR *folder, const char *name, struct buffer *path) {
  const struct dirent *entry;
  while ((entry = readdir(folder)) != NULL)
    if (is_hash(entry->d_name))
      return buffer_set(path, name, strlen(name)) && buffer_add(path, "/") &&
             buffer_add(path, entry->d_name);
  return false;
}

static void measure_folder(const char *name, struct measure *found) {
  struct buffer path = {0};
  DIR *folder = opendir(name);
  if (!folder)
    return;
  while (next(folder, name, &path))
    measure_file(path.data, found);
  closedir(folder);
  buffer_free(&path);
}

/* True where a folder holds the certificates of a file, one by one: what tools
 * such as update-ca-certificates write. */
bool store_is_twice(const char *folder, const char *file) {
  struct measure one = {0, 0}, other = {0, 0};
  measure_folder(folder, &one);
  measure_file(file, &other);
  return one.count > 0 && one.count == other.count && one.sum == other.sum;
}

/* Writes the path of one of a folder's certificates, or, where it has none, of
 * the folder, which is no certificate. False: out of memory. */
bool store_any(const char *folder, struct buffer *file) {
  DIR *opened = opendir(folder);
  bool found = opened && next(opened, folder, file);
  if (opened)
    closedir(opened);
  return found || buffer_set(file, folder, strlen(folder));
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static const char *enough;

/* Other libraries than OpenSSL read a folder whole. */
static void look(void) {
  const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
  if (info->ssl_version && strncmp(info->ssl_version, "OpenSSL/", 8) == 0 &&
      info->capath && info->cainfo &&
      store_is_twice(info->capath, info->cainfo))
    enough = info->capath;
}

/* The folder of libcurl's defaults, where it holds all that the file does; else
 * NULL. Looked up once in a process. */
const char *store_folder(void) {
  pthread_once(&once, look);
  return enough;
}
