/* library.c - checks that a file is a complete shared library.
 *
 * The loader maps a library and reads its pages when they are needed. It also maps a library that
 * was truncated by a full disk or a failed copy; then reading a page past its end is SIGBUS. So the
 * headers are first compared with the length of the file: every loaded segment, and the table of
 * sections, which linkers write last (System V ABI, "ELF").
 */
#include "library.h"

#include <elf.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool inside(uint64_t at, uint64_t n, uint64_t size) { return at <= size && n <= size - at; }

static bool read_at(int fd, void *out, size_t n, uint64_t at) {
  return at <= INT64_MAX && pread(fd, out, n, (off_t)at) == (ssize_t)n;
}

/* Returns NULL, or what is wrong with the file. */
static const char *look(int fd) {
  static const char cut[] = "it is cut short: copy or build it again";
  static const char other[] = "it is not a shared library for this machine";
  Elf64_Ehdr h;
  Elf64_Phdr p;
  struct stat s;
  if (fstat(fd, &s) || !S_ISREG(s.st_mode)) return "it is not a regular file";
  const uint64_t size = (uint64_t)s.st_size;
  if (!read_at(fd, &h, sizeof h, 0)) return size < sizeof h ? cut : "it cannot be read";
  if (memcmp(h.e_ident, ELFMAG, SELFMAG) != 0 || h.e_ident[EI_CLASS] != ELFCLASS64 ||
      h.e_ident[EI_DATA] != ELFDATA2LSB || h.e_type != ET_DYN || h.e_phentsize != sizeof p)
    return other;
  if (!inside(h.e_phoff, (uint64_t)h.e_phnum * h.e_phentsize, size)) return cut;
  if (h.e_shoff && !inside(h.e_shoff, (uint64_t)h.e_shnum * h.e_shentsize, size)) return cut;
  for (int i = 0; i < h.e_phnum; i++) {
    if (!read_at(fd, &p, sizeof p, h.e_phoff + (uint64_t)i * sizeof p)) return "it cannot be read";
    if (p.p_type != PT_NULL && !inside(p.p_offset, p.p_filesz, size)) return cut;
  }
  return NULL;
}

bool few__library_is_whole(const char *path, char *why, size_t size) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return true;
  const char *wrong = look(fd);
  close(fd);
  if (wrong) snprintf(why, size, "%s: %s", path, wrong);
  return !wrong;
}
