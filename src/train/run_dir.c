/* run_dir.c - see run_dir.h.
 *
 * Two processes in one directory would remove each other's checkpoints and truncate each other's
 * log. The lock is flock on the directory itself: the system releases it when the process dies, so
 * no lock file is left behind. A file system without flock gives no protection.
 */
#define _DEFAULT_SOURCE /* flock */
#include "run_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "io/file.h"

/* Is this a temporary file of an earlier version of few, <file of a run>.tmp-<process id>? Its
 * writer held the lock that this process holds now, so the writer is no longer running. */
static bool left_over(const char *name) {
  static const char *const ours[] = {"checkpoint-", "log.jsonl.",  "model.safetensors.", "pairs-",
                                     "preview-",    "recipe.ini.", "snapshot-"};
  const char *end = strstr(name, ".tmp-");
  if (!end || !end[5] || end[5 + strspn(end + 5, "0123456789")]) return false;
  for (int i = 0; i < FEW_COUNT(ours); i++)
    if (!strncmp(name, ours[i], strlen(ours[i]))) return true;
  return false;
}

static few_status remove_left_over(few_ctx *ctx, const char *dir) {
  struct few_names names;
  few__sweep_dir(dir);
  few_status st = few__list_dir(ctx, &names, dir);
  for (int i = 0; i < names.n && !st; i++) {
    char *path;
    if (!left_over(names.at[i])) continue;
    st = few__path_join(ctx, &path, dir, names.at[i]);
    if (!st && unlink(path)) few__log(ctx, FEW_LOG_WARN, "cannot remove %s", path);
    if (!st) few__free(ctx, path);
  }
  few__names_free(ctx, &names);
  return st;
}

few_status few__run_dir_open(few_ctx *ctx, const char *dir, int *lock) {
  *lock = -1;
  FEW_TRY(few__mkdirs(ctx, dir));
  int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return few__fail_errno(ctx, "open", dir, errno);
  few_status st = FEW_OK;
  if (flock(fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK)
    st = few__fail(ctx, FEW_E_INVALID,
                   "another process is training in %s: wait for it, or take another run directory",
                   dir);
  if (!st) st = remove_left_over(ctx, dir);
  if (st)
    close(fd);
  else
    *lock = fd;
  return st;
}

void few__run_dir_close(int lock) {
  if (lock >= 0) close(lock);
}
