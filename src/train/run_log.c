/* run_log.c - see run_log.h. Every line begins with {"step":N, the only part that is read back. */
#include "run_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "board.h"
#include "io/events.h"
#include "io/file.h"

static few_status trim(few_ctx *ctx, const char *path, int64_t step) {
  static const char start[] = "{\"step\":";
  char *text;
  size_t n, kept = 0;
  FEW_TRY(few__file_read(ctx, &text, &n, path, SIZE_MAX / 4));
  for (size_t at = 0; at < n;) {
    char *nl = memchr(text + at, '\n', n - at);
    size_t len = nl ? (size_t)(nl - (text + at)) + 1 : 0; /* an incomplete last line is removed */
    bool keep = len && !strncmp(text + at, start, sizeof start - 1) &&
                strtoll(text + at + sizeof start - 1, NULL, 10) <= step;
    if (keep) {
      memmove(text + kept, text + at, len);
      kept += len;
    }
    at = len ? at + len : n;
  }
  few_status st = kept == n ? FEW_OK : few__file_write(ctx, path, text, kept);
  few__free(ctx, text);
  return st;
}

few_status few__run_log_open(few_ctx *ctx, struct few_run_log *log, const char *dir, int64_t step,
                             bool tensorboard) {
  assert(dir && step >= 0);
  *log = (struct few_run_log){.fd = -1};
  FEW_TRY(few__path_join(ctx, &log->path, dir, "log.jsonl"));
  few_status st = few__path_exists(log->path) ? trim(ctx, log->path, step) : FEW_OK;
  if (!st) log->fd = open(log->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (!st && log->fd < 0) st = few__fail_errno(ctx, "open", log->path, errno);
  if (!st && tensorboard) st = few__board_open(ctx, &log->events, dir, log->path, step);
  if (st) few__run_log_close(ctx, log);
  return st;
}

void few__run_log_close(few_ctx *ctx, struct few_run_log *log) {
  if (log->fd >= 0) close(log->fd);
  few__events_close(log->events);
  few__free(ctx, log->path);
  *log = (struct few_run_log){.fd = -1};
}

few_status few__run_log_line(few_ctx *ctx, struct few_run_log *log, const char *text) {
  struct few_text line = {0};
  if (log->fd < 0) return FEW_OK;
  few__text_add(ctx, &line, "%s\n", text);
  few_status st = line.failed ? few__fail(ctx, FEW_E_MEMORY, "out of memory: log") : FEW_OK;
  for (size_t at = 0; !st && at < line.len;) { /* a full disk may take a part of the line */
    ssize_t n = write(log->fd, line.at + at, line.len - at);
    if (n > 0)
      at += (size_t)n;
    else if (errno != EINTR)
      st = few__fail_errno(ctx, "write", log->path, errno);
  }
  few__text_free(ctx, &line);
  if (!st && log->events) st = few__board_line(ctx, log->events, text, strlen(text));
  return st;
}

few_status few__run_log_preview(few_ctx *ctx, struct few_run_log *log, int64_t step,
                                const char *path) {
  return log->events ? few__board_preview(ctx, log->events, step, path) : FEW_OK;
}

few_status few__run_log_has(few_ctx *ctx, const struct few_run_log *log, const char *start,
                            bool *found) {
  char *text;
  size_t n;
  *found = false;
  if (log->fd < 0) return FEW_OK;
  FEW_TRY(few__file_read(ctx, &text, &n, log->path, SIZE_MAX / 4));
  for (const char *line = text; line && !*found; line = strchr(line, '\n')) {
    line += *line == '\n';
    *found = !strncmp(line, start, strlen(start));
  }
  few__free(ctx, text);
  return FEW_OK;
}
