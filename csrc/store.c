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
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* What tells whether two stores hold the same: how many certificates, in how
 * many bytes. */
struct measure {
  long long count, bytes;
};

static struct measure measure_file(const char *path) {
  struct measure found = {0, 0};
  char line[128];
  FILE *file = fopen(path, "re");
  if (!file)
    return found;
  while (fgets(line, sizeof line, file)) {
    found.count += strncmp(line, "-----BEGIN ", 11) == 0;
    found.bytes += (long long)strlen(line);
  }
  (void)fclose(file);
  return found;
}

/* The names that OpenSSL looks for, such as "5ed36f99.0". */
static bool is_hash(const char *name) {
  return strspn(name, "0123456789abcdef") == 8 && name[8] == '.' && name[9] &&
         name[9 + strspn(name + 9, "0123456789")] == '\0';
}

static struct measure measure_folder(const char *path) {
  struct measure found = {0, 0};
  const struct dirent *entry;
  struct stat file;
  DIR *folder = opendir(path);
  if (!folder)
    return found;
  while ((entry = readdir(folder)) != NULL) {
    if (!is_hash(entry->d_name) ||
        fstatat(dirfd(folder), entry->d_name, &file, 0) != 0)
      continue;
    found.count++;
    found.bytes += file.st_size;
  }
  closedir(folder);
  return found;
}

/* True where a folder holds the certificates of a file, one by one: what tools
 * such as update-ca-certificates write. */
bool store_is_twice(const char *folder, const char *file) {
  struct measure one = measure_folder(folder), other = measure_file(file);
  return one.count > 0 && one.count == other.count && one.bytes == other.bytes;
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool folder_is_enough;

/* Other libraries than OpenSSL read a folder whole. */
static void look(void) {
  const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
  folder_is_enough = info->ssl_version &&
                     strncmp(info->ssl_version, "OpenSSL/", 8) == 0 &&
                     info->capath && info->cainfo &&
                     store_is_twice(info->capath, info->cainfo);
}

/* True where the folder of libcurl's defaults holds all that the file does.
 * Looked up once in a process. */
bool store_folder_is_enough(void) {
  pthread_once(&once, look);
  return folder_is_enough;
}
