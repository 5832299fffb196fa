/* folder.c - writes a folder of files all or nothing.
 *
 * The files are written to a temporary folder, on the same file system as the final one, and then
 * renamed. A new folder appears by one renaming, complete. A folder that exists may be a mount
 * point, which cannot be replaced, or the folder that a shell is in. So it stays, and receives the
 * entries of the temporary one by one; if one of these renamings fails, the others are undone.
 */
#define _DEFAULT_SOURCE /* flock */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"

enum { DEEPEST = 8 }; /* few's folders have two levels */

static void remove_below(int dir, const char *name, int depth) {
  const int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
  if (!d) {
    if (fd >= 0) close(fd);
    return;
  }
  for (struct dirent *e; (e = readdir(d));) {
    if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
    if (unlinkat(fd, e->d_name, 0) && depth < DEEPEST) remove_below(fd, e->d_name, depth + 1);
  }
  closedir(d);
  unlinkat(dir, name, AT_REMOVEDIR);
}

void few__remove_tree(int dir, const char *name) { remove_below(dir, name, 0); }

/* Files of another folder must not mix with these. */
static few_status check_empty(few_ctx *ctx, const char *path) {
  struct few_names names = {0};
  if (!few__path_is_dir(path))
    return few__fail(ctx, FEW_E_INVALID, "%s is a file: give the name of a folder", path);
  few__sweep_dir(path);
  FEW_TRY(few__list_dir(ctx, &names, path));
  const bool empty = !names.n;
  few__names_free(ctx, &names);
  if (empty) return FEW_OK;
  return few__fail(ctx, FEW_E_INVALID, "%s is not empty: give a new folder", path);
}

static few_status make_parent(few_ctx *ctx, const char *path) {
  const size_t n = (size_t)(few__path_name(path) - path);
  char *parent;
  if (!n) return FEW_OK;
  parent = few__strdup(ctx, path);
  if (!parent) return few__fail(ctx, FEW_E_MEMORY, "%s: out of memory", path);
  parent[n] = 0;
  const few_status st = few__mkdirs(ctx, parent);
  few__free(ctx, parent);
  return st;
}

static few_status name_temp(struct few_folder *f) {
  char *inside;
  if (!f->exists) return few__temp_name(f->ctx, &f->temp, f->path);
  FEW_TRY(few__path_join(f->ctx, &inside, f->path, "x"));
  const few_status st = few__temp_name(f->ctx, &f->temp, inside);
  few__free(f->ctx, inside);
  return st;
}

few_status few__folder_open(few_ctx *ctx, struct few_folder *out, const char *path) {
  *out = (struct few_folder){.ctx = ctx, .fd = -1};
  out->path = few__strdup(ctx, path);
  if (!out->path) return few__fail(ctx, FEW_E_MEMORY, "%s: out of memory", path);
  for (size_t n = strlen(out->path); n > 1 && out->path[n - 1] == '/'; n--) out->path[n - 1] = 0;
  out->exists = few__path_exists(out->path);
  if (out->exists)
    FEW_TRY(check_empty(ctx, out->path));
  else
    FEW_TRY(make_parent(ctx, out->path));
  FEW_TRY(name_temp(out));
  if (mkdir(out->temp, 0777)) return few__fail_errno(ctx, "write", path, errno);
  out->fd = open(out->temp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (out->fd >= 0) {
    (void)!flock(out->fd, LOCK_EX | LOCK_NB); /* a file system without locks has no sweepers */
    return FEW_OK;
  }
  const few_status st = few__fail_errno(ctx, "write", path, errno);
  rmdir(out->temp);
  return st;
}

/* Renames entries [n] from one open folder to the other. Returns how many there were before an
 * error, whose number is in errno. */
static int rename_entries(int from, int to, const struct few_names *names, int n) {
  for (int i = 0; i < n; i++)
    if (renameat(from, names->at[i], to, names->at[i])) return i;
  return n;
}

static few_status move_entries(struct few_folder *f) {
  struct few_names names = {0};
  FEW_TRY(few__list_dir(f->ctx, &names, f->temp));
  few_status st = FEW_OK;
  const int dir = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (dir < 0) {
    st = few__fail_errno(f->ctx, "write", f->path, errno);
  } else {
    const int done = rename_entries(f->fd, dir, &names, names.n);
    if (done < names.n) {
      st = few__fail_errno(f->ctx, "write", f->path, errno);
      rename_entries(dir, f->fd, &names, done);
    } else {
      rmdir(f->temp);
    }
    close(dir);
  }
  few__names_free(f->ctx, &names);
  return st;
}

static few_status put_in_place(struct few_folder *f) {
  if (fsync(f->fd) && errno != EINVAL) return few__fail_errno(f->ctx, "write", f->path, errno);
  if (f->exists) return move_entries(f);
  /* rename replaces an empty folder that another program has made since, and no other */
  if (rename(f->temp, f->path)) return few__fail_errno(f->ctx, "write", f->path, errno);
  return FEW_OK;
}

/* Flushes the folder that has the new entries. It is an aid against power cuts: errors do not
 * matter, since the files are complete. */
static void flush_place(const struct few_folder *f) {
  const char *name = few__path_name(f->path);
  char *parent = f->exists || name == f->path ? NULL : few__strdup(f->ctx, f->path);
  if (parent) parent[name - f->path] = 0;
  const int fd = open(f->exists ? f->path
                      : parent  ? parent
                                : ".",
                      O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0) {
    (void)!fsync(fd);
    close(fd);
  }
  few__free(f->ctx, parent);
}

few_status few__folder_end(struct few_folder *f, few_status st) {
  if (f->fd >= 0) {
    if (!st) st = put_in_place(f);
    if (st)
      few__remove_tree(AT_FDCWD, f->temp);
    else
      flush_place(f);
    close(f->fd); /* last, since closing releases the lock */
  }
  few__free(f->ctx, f->path);
  few__free(f->ctx, f->temp);
  *f = (struct few_folder){.fd = -1};
  return st;
}
