/* cache.cu - see cache.h. A file has two lengths, the key, and the machine code. Its name is a hash
 * of the key, so a reader compares the key itself.
 */
#include "cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

static bool make_folder(const std::string &path) {
  return mkdir(path.c_str(), 0700) == 0 || errno == EEXIST;
}

/* The folder, created if it is missing; "" if nothing is cached. */
static std::string folder() {
  const char *own = getenv("FEW_CACHE"), *all = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
  if (own) return *own && make_folder(own) ? own : "";
  std::string in = all && *all == '/'     ? all
                   : home && *home == '/' ? std::string(home) + "/.cache"
                                          : "";
  if (in.empty() || !make_folder(in)) return "";
  in += "/few";
  return make_folder(in) ? in : "";
}

static std::string path_of(const char *key, size_t n_key) {
  uint64_t h = 14695981039346656037u;
  char name[32];
  const std::string in = folder();
  if (in.empty()) return in;
  for (size_t i = 0; i < n_key; i++) h = (h ^ (unsigned char)key[i]) * 1099511628211u;
  snprintf(name, sizeof name, "/%016llx.cubin", (unsigned long long)h);
  return in + name;
}

/* The number of bytes of code, if the file is complete and has this key; else 0. */
static size_t check(FILE *f, const char *key, size_t n_key) {
  uint64_t lengths[2] = {0, 0};
  struct stat s;
  std::string kept(n_key, 0);
  const bool whole = fstat(fileno(f), &s) == 0 && S_ISREG(s.st_mode) &&
                     fread(lengths, sizeof lengths, 1, f) == 1 && lengths[0] == n_key &&
                     lengths[1] == (uint64_t)s.st_size - sizeof lengths - n_key &&
                     fread(&kept[0], 1, n_key, f) == n_key && !memcmp(kept.data(), key, n_key);
  return whole ? lengths[1] : 0;
}

size_t few__cache_read(const char *key, size_t n_key, char *to, size_t room) {
  const std::string path = path_of(key, n_key);
  FILE *f = path.empty() ? nullptr : fopen(path.c_str(), "rbe");
  if (!f) return 0;
  size_t n = check(f, key, n_key);
  if (n && n <= room && fread(to, 1, n, f) != n) n = 0;
  fclose(f);
  return n;
}

void few__cache_write(const char *key, size_t n_key, const char *bytes, size_t n) {
  const std::string path = path_of(key, n_key);
  std::string temp = path + ".XXXXXX"; /* a different file for every writer, of mode 0600 */
  const uint64_t lengths[2] = {n_key, n};
  if (path.empty()) return;
  const int fd = mkostemp(&temp[0], O_CLOEXEC);
  FILE *f = fd < 0 ? nullptr : fdopen(fd, "wb");
  if (!f) return;
  bool good = fwrite(lengths, sizeof lengths, 1, f) == 1 && fwrite(key, 1, n_key, f) == n_key &&
              fwrite(bytes, 1, n, f) == n;
  good = fclose(f) == 0 && good;
  if (!good || rename(temp.c_str(), path.c_str())) unlink(temp.c_str());
}
