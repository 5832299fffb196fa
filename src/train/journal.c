/* journal.c - see journal.h. Every line begins {"step":N, which is all that is parsed again. */
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "io/file.h"

static few_status trim(few_ctx *ctx, const char *path, int64_t step) {
  static const char start[] = "{\"step\":";
  char *text;
  size_t n, kept = 0;
  FEW_TRY(few__file_read(ctx, &text, &n, path, SIZE_MAX / 4));
  for (size_t at = 0; at < n;) {
    char *nl = memchr(text + at, '\n', n - at);
    size_t len = nl ? (size_t)(nl - (text + at)) + 1 : 0; /* a torn last line goes */
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

few_status few__journal_open(few_ctx *ctx, struct few_journal *j, const char *dir, int64_t step) {
  *j = (struct few_journal){.fd = -1};
  FEW_TRY(few__path_join(ctx, &j->path, dir, "log.jsonl"));
  few_status st = few__path_exists(j->path) ? trim(ctx, j->path, step) : FEW_OK;
  if (!st) j->fd = open(j->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (!st && j->fd < 0) st = few__fail_errno(ctx, "open", j->path, errno);
  if (st) few__journal_close(ctx, j);
  return st;
}

void few__journal_close(few_ctx *ctx, struct few_journal *j) {
  if (j->fd >= 0) close(j->fd);
  few__free(ctx, j->path);
  *j = (struct few_journal){.fd = -1};
}

few_status few__journal_line(few_ctx *ctx, struct few_journal *j, const char *text) {
  struct few_text line = {0};
  few__text_add(ctx, &line, "%s\n", text);
  few_status st = line.failed ? few__fail(ctx, FEW_E_MEMORY, "out of memory: log") : FEW_OK;
  for (size_t at = 0; !st && at < line.len;) { /* a full disk takes a part, then says so */
    ssize_t n = write(j->fd, line.at + at, line.len - at);
    if (n > 0)
      at += (size_t)n;
    else if (errno != EINTR)
      st = few__fail_errno(ctx, "write", j->path, errno);
  }
  few__text_free(ctx, &line);
  return st;
}

few_status few__journal_has(few_ctx *ctx, const struct few_journal *j, const char *start,
                            bool *found) {
  char *text;
  size_t n;
  *found = false;
  FEW_TRY(few__file_read(ctx, &text, &n, j->path, SIZE_MAX / 4));
  for (const char *line = text; line && !*found; line = strchr(line, '\n')) {
    line += *line == '\n';
    *found = !strncmp(line, start, strlen(start));
  }
  few__free(ctx, text);
  return FEW_OK;
}
