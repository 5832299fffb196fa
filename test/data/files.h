/* files.h - small files in a temporary folder of the test, and a data set opened from them. */
#ifndef FEW_TEST_DATA_FILES_H
#define FEW_TEST_DATA_FILES_H

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "few/data.h"
#include "testing.h"

struct files {
  few_ctx *ctx;
  char dir[64];
  char path[16][160]; /* a ring of results of files_path */
  int next;
  int warnings; /* logged since the last reset */
  char warning[1024];
  char info[2048]; /* messages of level INFO since the last reset, one per line */
};

static void files_log(void *user, few_log_level level, const char *message) {
  struct files *f = user;
  const size_t used = strlen(f->info);
  if (level == FEW_LOG_INFO) snprintf(f->info + used, sizeof f->info - used, "%s\n", message);
  if (level != FEW_LOG_WARN) return;
  f->warnings++;
  snprintf(f->warning, sizeof f->warning, "%s", message);
}

static inline int files_setup(void **state) {
  struct files *f = calloc(1, sizeof *f);
  if (!f) return -1;
  snprintf(f->dir, sizeof f->dir, "%s", "/tmp/few-data-XXXXXX");
  if (!mkdtemp(f->dir)) return -1;
  struct few_ctx_opts o = FEW_CTX_OPTS_INIT;
  o.user = f;
  o.log = files_log;
  if (few_ctx_create(&f->ctx, &o)) return -1;
  *state = f;
  return 0;
}

static inline void files_remove(const char *path) {
  DIR *d = opendir(path);
  for (struct dirent *e; d && (e = readdir(d));) {
    char sub[512];
    struct stat s;
    if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
    int len = snprintf(sub, sizeof sub, "%s/%s", path, e->d_name);
    if (len >= (int)sizeof sub || lstat(sub, &s)) continue;
    if (S_ISDIR(s.st_mode))
      files_remove(sub);
    else
      unlink(sub);
  }
  if (d) closedir(d);
  rmdir(path);
}

static inline int files_teardown(void **state) {
  struct files *f = *state;
  files_remove(f->dir);
  few_ctx_free(f->ctx);
  free(f);
  return 0;
}

/* dir/name; valid until sixteen more calls. */
static inline const char *files_path(struct files *f, const char *name) {
  char *p = f->path[f->next++ % 16];
  snprintf(p, sizeof f->path[0], "%s/%.90s", f->dir, name);
  return p;
}

static inline void files_write(struct files *f, const char *name, const void *bytes, size_t n) {
  FILE *out = fopen(files_path(f, name), "wb");
  assert_non_null(out);
  assert_int_equal(fwrite(bytes, 1, n, out), n);
  assert_int_equal(fclose(out), 0);
}

/* Opens dir/images[,dir/labels] with a reader. */
static inline few_status files_open(struct files *f, few_data **d, const char *reader,
                                    const char *a, const char *b, const struct few_data_opts *o) {
  char spec[512];
  snprintf(spec, sizeof spec, "%s:%s%s%s", reader, files_path(f, a), b ? "," : "",
           b ? files_path(f, b) : "");
  f->warnings = 0;
  f->warning[0] = f->info[0] = '\0';
  return few_data_open(d, f->ctx, spec, o);
}

/* Asserts that opening fails with this status and a sentence that contains `part`. */
static inline void assert_refused(struct files *f, const char *reader, const char *a, const char *b,
                                  const struct few_data_opts *o, few_status want,
                                  const char *part) {
  few_data *d = NULL;
  few_status st = files_open(f, &d, reader, a, b, o);
  if (st != want || d || !strstr(few_error(f->ctx), part))
    fail_msg("%s:%s: %s \"%s\"; wanted %s and \"%s\"", reader, a, few_status_name(st),
             st ? few_error(f->ctx) : "", few_status_name(want), part);
  few_data_free(d);
}

#endif
