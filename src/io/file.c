/* file.c - reading and writing whole files, and directories.
 *
 * A half-written checkpoint is worse than none. So every file that few makes is written to a
 * temporary in the same directory, flushed to the disk, read back, and renamed to its final name.
 * rename is atomic. Without the flush before it, a power cut could leave a name without its bytes.
 * The directory is flushed too, or the rename itself may be lost (Pillai et al., "All File Systems
 * Are Not Created Equal", OSDI 2014).
 *
 * A temporary has a random name: threads, processes and containers that share a volume may write
 * one path at the same time, and the last rename wins. The writer holds flock's lock on its
 * temporary, which the system releases when the process dies. So a temporary that can be locked is
 * left over from a process that is gone.
 *
 * Reading takes a limit, because a file is not trusted, and neither is its length. Files are read
 * and not mapped, since truncating a mapped file kills the process that reads it. Devices and pipes
 * have no length, and may never end or never begin. So devices are refused, and a pipe must begin
 * within seconds and end within a few megabytes.
 */
#define _DEFAULT_SOURCE /* flock, realpath */
#include "file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "digest.h"

static const char *remedy(int err) {
  static const struct {
    int err;
    const char *text;
  } remedies[] = {
      {ENOENT, "check the path"},
      {ENOTDIR, "a part of the path is a file: check the path"},
      {EISDIR, "name a file in it"},
      {EACCES, "check the permissions"},
      {EPERM, "check the permissions"},
      {EROFS, "name a path on a disk that can be written"},
      {ENOSPC, "free some space or name a path on another disk"},
      {EDQUOT, "free some space or have the quota raised"},
      {EFBIG, "raise the limit on file sizes (ulimit -f) or write less"},
      {EMFILE, "close some files or raise the limit (ulimit -n)"},
      {ENAMETOOLONG, "choose a shorter name"},
  };
  for (int i = 0; i < FEW_COUNT(remedies); i++)
    if (remedies[i].err == err) return remedies[i].text;
  return "check the disk and the path";
}

few_status few__fail_errno(few_ctx *ctx, const char *doing, const char *path, int err) {
  char text[128] = "unknown error";
  if (strerror_r(err, text, sizeof text)) snprintf(text, sizeof text, "system error %d", err);
  return few__fail(ctx, FEW_E_IO, "cannot %s %s: %s: %s", doing, path, text, remedy(err));
}

/* ---- reading ---- */

static few_status too_large(few_ctx *ctx, const char *path, size_t max_bytes) {
  return few__fail(ctx, FEW_E_FORMAT,
                   "%s is larger than the %zu bytes allowed here: is it the file you meant?", path,
                   max_bytes);
}

struct buffer {
  char *at;
  size_t n, cap; /* the last byte of cap is reserved for the NUL */
};

static few_status read_all(few_ctx *ctx, struct buffer *b, int fd, const char *path, size_t max) {
  for (;;) {
    if (b->n + 1 >= b->cap) {
      char *p = b->cap <= SIZE_MAX / 2 ? few__realloc(ctx, b->at, b->cap * 2) : NULL;
      if (!p) return few__fail(ctx, FEW_E_MEMORY, "%s: out of memory after %zu bytes", path, b->n);
      b->at = p;
      b->cap *= 2;
    }
    size_t room = b->cap - b->n - 1;
    ssize_t got = read(fd, b->at + b->n, room < SSIZE_MAX ? room : SSIZE_MAX);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return few__fail_errno(ctx, "read", path, errno);
    if (got == 0) return FEW_OK;
    b->n += (size_t)got;
    if (b->n > max) return too_large(ctx, path, max);
  }
}

/* Limits for files without a length: pipes, and files in /proc. */
enum { PIPE_MAX = 64 << 20, PIPE_SECONDS = 10 };

static few_status check_kind(few_ctx *ctx, const char *path, const struct stat *s) {
  if (S_ISDIR(s->st_mode)) return few__fail_errno(ctx, "read", path, EISDIR);
  if (S_ISREG(s->st_mode) || S_ISFIFO(s->st_mode)) return FEW_OK;
  return few__fail(ctx, FEW_E_IO, "cannot read %s: it is a %s, not a file: name a file", path,
                   S_ISSOCK(s->st_mode) ? "socket" : "device");
}

/* O_NONBLOCK, or opening a pipe without a writer would block forever. */
static few_status open_input(few_ctx *ctx, int *fd, struct stat *s, const char *path) {
  if (stat(path, s)) return few__fail_errno(ctx, "open", path, errno);
  FEW_TRY(check_kind(ctx, path, s)); /* before opening, which can have effects on a device */
  *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (*fd < 0) return few__fail_errno(ctx, "open", path, errno);
  few_status st = fstat(*fd, s) ? few__fail_errno(ctx, "read", path, errno) : FEW_OK;
  if (!st) st = check_kind(ctx, path, s); /* it may have been replaced */
  struct pollfd ready = {.fd = *fd, .events = POLLIN};
  if (!st && S_ISFIFO(s->st_mode) && poll(&ready, 1, PIPE_SECONDS * 1000) <= 0)
    st = few__fail(ctx, FEW_E_IO,
                   "cannot read %s: nothing came through this pipe in %d seconds: start the "
                   "writing program first, or save its output to a file",
                   path, PIPE_SECONDS);
  const int flags = fcntl(*fd, F_GETFL);
  if (!st && (flags < 0 || fcntl(*fd, F_SETFL, flags & ~O_NONBLOCK)))
    st = few__fail_errno(ctx, "read", path, errno);
  if (st) close(*fd);
  return st;
}

/* Bytes of memory of this machine. A process that reads a larger file would be killed. */
static uint64_t machine_memory(void) {
  const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
  return pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : UINT64_MAX;
}

/* A regular file has a size: allocate exactly that, and one byte to detect its end. */
static few_status first_buffer(few_ctx *ctx, struct buffer *b, const struct stat *s,
                               const char *path, size_t max) {
  b->cap = 4096;
  if (S_ISREG(s->st_mode)) {
    if (s->st_size < 0 || (uint64_t)s->st_size > max) return too_large(ctx, path, max);
    if ((uint64_t)s->st_size > SIZE_MAX - 2) return too_large(ctx, path, SIZE_MAX - 2);
    if ((uint64_t)s->st_size > machine_memory())
      return few__fail(ctx, FEW_E_MEMORY, "%s: its %lld bytes exceed the memory of this machine",
                       path, (long long)s->st_size);
    b->cap = (size_t)s->st_size + 2;
  }
  b->at = few__alloc(ctx, b->cap);
  if (b->at) return FEW_OK;
  return few__fail(ctx, FEW_E_MEMORY, "%s: out of memory: %zu bytes requested", path, b->cap);
}

few_status few__file_read(few_ctx *ctx, char **out, size_t *n, const char *path, size_t max_bytes) {
  struct buffer b = {0};
  struct stat s;
  int fd = -1;
  *out = NULL;
  *n = 0;
  FEW_TRY(open_input(ctx, &fd, &s, path));
  const bool sized = S_ISREG(s.st_mode) && s.st_size > 0;
  if (!sized && max_bytes > PIPE_MAX) max_bytes = PIPE_MAX;
  few_status st = first_buffer(ctx, &b, &s, path, max_bytes);
  if (!st) st = read_all(ctx, &b, fd, path, max_bytes);
  close(fd);
  if (st) {
    few__free(ctx, b.at);
    return st;
  }
  b.at[b.n] = 0;
  *out = b.at;
  *n = b.n;
  return FEW_OK;
}

few_status few__file_check(few_ctx *ctx, const char *path) {
  struct stat s;
  if (stat(path, &s)) return few__fail_errno(ctx, "open", path, errno);
  FEW_TRY(check_kind(ctx, path, &s));
  if (S_ISREG(s.st_mode)) return FEW_OK;
  return few__fail(ctx, FEW_E_IO, "cannot read %s: it is a pipe: save it as a file first", path);
}

/* ---- writing ---- */

enum { BUFFER = 1 << 16, TRIES = 100 };

struct few_writer {
  few_ctx *ctx;
  char *path, *temp; /* temp is NULL if path is written directly */
  bool replaces;     /* path exists; its owner and mode, in `was`, are kept */
  struct stat was;
  int fd;
  few_status st;
  few_digest *digest; /* of everything written; NULL if path is written directly */
  size_t used;
  char buffer[BUFFER];
};

static few_status fail_write(few_writer *w) {
  return w->st = few__fail_errno(w->ctx, "write", w->path, errno);
}

static few_status write_all(few_writer *w, const char *p, size_t n) {
  while (n) {
    ssize_t k = write(w->fd, p, n < SSIZE_MAX ? n : SSIZE_MAX);
    if (k < 0 && errno == EINTR) continue;
    if (k < 0) return fail_write(w);
    p += k;
    n -= (size_t)k;
  }
  return FEW_OK;
}

static few_status flush(few_writer *w) {
  size_t n = w->used;
  w->used = 0;
  assert(n <= sizeof w->buffer);
  return w->st ? w->st : write_all(w, w->buffer, n);
}

/* Sets w->path to the file that path refers to, following links, and *regular to whether it may be
 * replaced by renaming. */
static few_status settle_path(few_writer *w, const char *path, bool *regular) {
  char real[PATH_MAX];
  bool exists = stat(path, &w->was) == 0;
  if (exists && S_ISDIR(w->was.st_mode)) return few__fail_errno(w->ctx, "write", path, EISDIR);
  *regular = !exists || S_ISREG(w->was.st_mode);
  w->replaces = exists && *regular;
  w->path = few__strdup(w->ctx, w->replaces && realpath(path, real) ? real : path);
  return w->path ? FEW_OK : few__fail(w->ctx, FEW_E_MEMORY, "%s: out of memory", path);
}

/* ".few-<16 hexadecimal digits>.tmp" in the directory of the path. */
static const char before[] = ".few-", after[] = ".tmp";
enum { DIGITS = 16 };

few_status few__temp_name(few_ctx *ctx, char **out, const char *path) {
  uint64_t number;
  struct few_text t = {0};
  const int dir = (int)(few__path_name(path) - path);
  if (getrandom(&number, sizeof number, GRND_NONBLOCK) != (ssize_t)sizeof number) {
    /* Without random bytes the time is used, since O_EXCL still prevents equal names. */
    const double now = few__now();
    number = few__hash(&now, sizeof now, (uint64_t)getpid() ^ (uintptr_t)out);
  }
  few__text_add(ctx, &t, "%.*s%s%016" PRIx64 "%s", dir, path, before, number, after);
  if (t.failed) few__text_free(ctx, &t);
  *out = t.at;
  return *out ? FEW_OK : few__fail(ctx, FEW_E_MEMORY, "%s: out of memory", path);
}

static bool is_temp_name(const char *name) {
  const size_t n = sizeof before - 1;
  return !strncmp(name, before, n) && strspn(name + n, "0123456789abcdef") == DIGITS &&
         !strcmp(name + n + DIGITS, after);
}

/* Takes the lock that marks a temporary as in use. False if another process took the file for a
 * left-over first, and has removed it or will. On a file system without locks, left-overs are not
 * removed. */
static bool claim(int fd) {
  struct stat s;
  if (flock(fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK) return false;
  return fstat(fd, &s) || s.st_nlink > 0;
}

static few_status open_temp(few_writer *w, const char *path) {
  const mode_t mode = w->replaces ? w->was.st_mode & 0777 : 0666;
  for (int i = 0; i < TRIES; i++) {
    few__free(w->ctx, w->temp);
    FEW_TRY(few__temp_name(w->ctx, &w->temp, w->path));
    w->fd = open(w->temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (w->fd < 0 && errno == EEXIST) continue;
    if (w->fd < 0) return few__fail_errno(w->ctx, "write", path, errno);
    if (claim(w->fd)) return FEW_OK;
    close(w->fd);
  }
  return few__fail_errno(w->ctx, "write", path, EEXIST);
}

/* The new file gets the owner and mode of the old one, so that the same users can read it. It is
 * not an error if the system does not allow this. */
static void keep_mode(const few_writer *w) {
  if (!w->replaces) return;
  if ((w->was.st_uid != geteuid() || w->was.st_gid != getegid()) &&
      fchown(w->fd, w->was.st_uid, w->was.st_gid))
    return; /* the owner differs: keep the mode of open(), which allows no more than the old one */
  (void)!fchmod(w->fd, w->was.st_mode & 0777);
}

static void writer_free(few_writer *w) {
  few_ctx *ctx = w->ctx;
  few__digest_free(ctx, w->digest);
  few__free(ctx, w->path);
  few__free(ctx, w->temp);
  few__free(ctx, w);
}

few_status few__writer_open(few_ctx *ctx, few_writer **out, const char *path) {
  few_writer *w;
  bool regular;
  *out = NULL;
  FEW_TRY(FEW_NEW(ctx, &w, 1));
  w->ctx = ctx;
  few_status st = settle_path(w, path, &regular);
  if (!st && regular) st = few__digest_start(ctx, &w->digest);
  if (!st && regular) st = open_temp(w, path);
  if (!st && !regular) {
    w->fd = open(w->path, O_WRONLY | O_CLOEXEC);
    if (w->fd < 0) st = few__fail_errno(ctx, "write", path, errno);
  }
  if (st) {
    writer_free(w);
    return st;
  }
  if (regular) keep_mode(w);
  *out = w;
  return FEW_OK;
}

few_status few__writer_put(few_writer *w, const void *bytes, size_t n) {
  if (w->st || !n) return w->st;
  if (w->digest) few__digest_add(w->digest, bytes, n);
  if (n > sizeof w->buffer - w->used) FEW_TRY(flush(w));
  if (n >= sizeof w->buffer) return write_all(w, bytes, n);
  memcpy(w->buffer + w->used, bytes, n);
  w->used += n;
  return FEW_OK;
}

/* Reads the file back and compares its digest with that of the bytes written, before it may replace
 * the old file. */
static few_status read_back(few_writer *w) {
  assert(w->digest && w->temp && !w->used); /* all is on the disk */
  few_digest *again;
  char put[FEW_DIGEST_TEXT], got[FEW_DIGEST_TEXT];
  FEW_TRY(w->st = few__digest_start(w->ctx, &again));
  for (off_t at = 0;;) {
    ssize_t n = pread(w->fd, w->buffer, sizeof w->buffer, at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail_write(w);
    if (n <= 0) break;
    few__digest_add(again, w->buffer, (size_t)n);
    at += n;
  }
  few__digest_text(w->digest, put);
  few__digest_text(again, got);
  few__digest_free(w->ctx, again);
  if (w->st || !strcmp(put, got)) return w->st;
  return w->st = few__fail(w->ctx, FEW_E_IO,
                           "cannot write %s: the bytes read back differ from those written: check "
                           "the disk and the memory",
                           w->path);
}

/* Some file systems cannot flush a directory. They return EINVAL, which is ignored. */
static few_status flush_directory(few_writer *w) {
  assert(w->temp);
  char *slash = strrchr(w->temp, '/');
  if (slash) slash[slash == w->temp] = 0;
  int fd = open(slash ? w->temp : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return errno == EACCES ? FEW_OK : fail_write(w);
  few_status st = fsync(fd) && errno != EINVAL ? fail_write(w) : FEW_OK;
  close(fd);
  return st;
}

few_status few__writer_end(few_writer *w, few_status st) {
  if (!w) return st;
  if (!st) st = flush(w);
  if (!st && w->temp && fsync(w->fd)) st = fail_write(w);
  if (!st && w->temp) st = read_back(w);
  if (!st && w->temp && rename(w->temp, w->path)) st = fail_write(w);
  if (st && w->temp) unlink(w->temp);
  if (close(w->fd) && !st) st = fail_write(w); /* last, since closing releases the lock */
  if (!st && w->temp) st = flush_directory(w);
  writer_free(w);
  return st;
}

/* Removes a temporary file or folder whose writer is gone. */
static void sweep(int dir, const char *name) {
  int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return;
  if (!flock(fd, LOCK_EX | LOCK_NB) && unlinkat(dir, name, 0)) few__remove_tree(dir, name);
  close(fd);
}

void few__sweep_dir(const char *dir) {
  DIR *d = opendir(*dir ? dir : ".");
  if (!d) return;
  for (struct dirent *e; (e = readdir(d));)
    if (is_temp_name(e->d_name)) sweep(dirfd(d), e->d_name);
  closedir(d);
}

void few__sweep_beside(const char *path) {
  char dir[PATH_MAX];
  const int n = snprintf(dir, sizeof dir, "%.*s", (int)(few__path_name(path) - path), path);
  if (n < (int)sizeof dir) few__sweep_dir(dir);
}

few_status few__file_write(few_ctx *ctx, const char *path, const void *bytes, size_t n) {
  few_writer *w;
  FEW_TRY(few__writer_open(ctx, &w, path));
  return few__writer_end(w, few__writer_put(w, bytes, n));
}

/* ---- paths and directories ---- */

bool few__path_exists(const char *path) {
  struct stat s;
  return stat(path, &s) == 0;
}

bool few__path_is_file(const char *path) {
  struct stat s;
  return stat(path, &s) == 0 && S_ISREG(s.st_mode);
}

bool few__path_is_dir(const char *path) {
  struct stat s;
  return stat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

bool few__path_same(const char *a, const char *b) {
  struct stat s, t;
  return stat(a, &s) == 0 && stat(b, &t) == 0 && s.st_dev == t.st_dev && s.st_ino == t.st_ino;
}

few_status few__file_size(few_ctx *ctx, int64_t *out, const char *path) {
  struct stat s;
  *out = 0;
  if (stat(path, &s)) return few__fail_errno(ctx, "open", path, errno);
  *out = (int64_t)s.st_size;
  return FEW_OK;
}

few_status few__path_join(few_ctx *ctx, char **out, const char *dir, const char *name) {
  size_t n = strlen(dir);
  const char *slash = n && dir[n - 1] != '/' ? "/" : "";
  struct few_text t = {0};
  few__text_add(ctx, &t, "%s%s%s", dir, slash, name);
  *out = t.at;
  if (!t.failed) return FEW_OK;
  *out = NULL;
  few__text_free(ctx, &t);
  return few__fail(ctx, FEW_E_MEMORY, "out of memory for the path of %s", name);
}

const char *few__path_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

static few_status make_dir(few_ctx *ctx, const char *path) {
  if (mkdir(path, 0777) == 0) return FEW_OK;
  int err = errno;
  if (few__path_is_dir(path)) return FEW_OK;
  return few__fail_errno(ctx, "create the directory", path, err == EEXIST ? ENOTDIR : err);
}

few_status few__mkdirs(few_ctx *ctx, const char *path) {
  char *p = few__strdup(ctx, path);
  if (!p) return few__fail(ctx, FEW_E_MEMORY, "%s: out of memory", path);
  few_status st = FEW_OK;
  for (char *at = p; !st && *at; at++) {
    if (*at != '/' || at == p) continue;
    *at = 0;
    st = make_dir(ctx, p);
    *at = '/';
  }
  if (!st) st = make_dir(ctx, p);
  few__free(ctx, p);
  return st;
}

static int by_bytes(const void *a, const void *b) {
  const char *const *x = a, *const *y = b;
  return strcmp(*x, *y);
}

static few_status add_name(few_ctx *ctx, struct few_names *names, const char *name) {
  if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) return FEW_OK;
  FEW_TRY(FEW_GROW(ctx, names, names->n + 1));
  char *copy = few__strdup(ctx, name);
  if (!copy) return few__fail(ctx, FEW_E_MEMORY, "out of memory in a list of files");
  names->at[names->n++] = copy;
  return FEW_OK;
}

few_status few__list_dir(few_ctx *ctx, struct few_names *out, const char *dir) {
  *out = (struct few_names){0};
  DIR *d = opendir(dir);
  if (!d) return few__fail_errno(ctx, "list", dir, errno);
  few_status st = FEW_OK;
  errno = 0;
  for (struct dirent *e; !st && (e = readdir(d)); errno = 0) st = add_name(ctx, out, e->d_name);
  if (!st && errno) st = few__fail_errno(ctx, "list", dir, errno);
  closedir(d);
  if (st) few__names_free(ctx, out);
  if (out->n) qsort(out->at, (size_t)out->n, sizeof *out->at, by_bytes);
  return st;
}

void few__names_free(few_ctx *ctx, struct few_names *names) {
  for (int i = 0; i < names->n; i++) few__free(ctx, names->at[i]);
  few__free(ctx, names->at);
  *names = (struct few_names){0};
}
