/* base.h - what every module of few uses: errors, memory, strings.
 * Random numbers are in rng.h, worker threads in workers.h. */
#ifndef FEW_SRC_BASE_H
#define FEW_SRC_BASE_H

#include <assert.h>
#include <locale.h>
#include <string.h>

#include "few/base.h"

#define FEW_COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))
#define FEW_UNUSED(x) ((void)(x))
#define FEW_PI_2 1.5707963267948966 /* pi/2 */

/* Returns from the function with the status of `call` unless it is FEW_OK. */
#define FEW_TRY(call)                            \
  do {                                           \
    few_status few_try_status_ = (call);         \
    if (few_try_status_) return few_try_status_; \
  } while (0)

/* The same if something must be cleaned up: needs a `few_status st` and a label `out`. */
#define FEW_GOTO(call) \
  do {                 \
    st = (call);       \
    if (st) goto out;  \
  } while (0)

/* Records the sentence of an error and returns its status, for `return few__fail(...)`. The
 * sentence should end with what to try next. If ctx is NULL, the status is only returned. */
FEW_PRINTF(3, 4)
few_status few__fail(few_ctx *ctx, few_status status, const char *fmt, ...);
few_status few__failv(few_ctx *ctx, few_status status, const char *fmt, va_list args);
/* Puts "context: " in front of the recorded sentence; returns `status`. */
FEW_PRINTF(3, 4)
few_status few__fail_in(few_ctx *ctx, few_status status, const char *fmt, ...);

/* These macros show the static analyzer that the status is returned and is not FEW_OK. Arguments of
 * a macro cannot contain an #include. */
#ifdef __clang_analyzer__
#define few__fail(ctx, status, ...) (few__fail((ctx), (status), __VA_ARGS__), (status))
#define few__fail_in(ctx, status, ...) (few__fail_in((ctx), (status), __VA_ARGS__), (status))
#endif

FEW_PRINTF(3, 4) void few__log(few_ctx *ctx, few_log_level level, const char *fmt, ...);
void few__logv(few_ctx *ctx, few_log_level level, const char *fmt, va_list args);
/* Calls the progress callback. FEW_E_CANCELLED if it cancels the job. */
few_status few__progress(few_ctx *ctx, const struct few_progress *p);
/* Progress of a job that consists of other jobs. While a frame is set, item i of an inner job is
 * reported as item first + i of the frame. Borrowed until the next call; NULL removes it. */
struct few_progress_frame {
  const char *what; /* NULL for no reports, and no cancelling */
  int64_t first, total;
  double started; /* few__now() */
};
void few__progress_frame(few_ctx *ctx, const struct few_progress_frame *frame);

/* Checks the options of a public call, which begin with their version. FEW_E_INVALID for NULL and
 * for an unknown version. `type` is their name, such as "few_sample_opts". */
few_status few__opts_check(few_ctx *ctx, const char *type, const void *opts, int version);
/* Copies *full, of full_size bytes, to a caller's struct of `size` bytes. Members that only the
 * library has are left out; members that only the caller has are set to 0. */
void few__give(void *out, size_t size, const void *full, size_t full_size);
/* FEW_E_INVALID, naming the option, unless min <= x <= max; NaN is outside. */
few_status few__opts_range(few_ctx *ctx, const char *what, double x, double min, double max);
/* FEW_E_INVALID unless `at` is a list of n >= 0 texts, none of them NULL. */
few_status few__opts_texts(few_ctx *ctx, const char *what, int n, const char *const *at);

/* The backend chosen by few_ctx_set_backend, or NULL. */
struct few_backend;
const struct few_backend *few__ctx_backend(const few_ctx *ctx);
void few__ctx_set_backend(few_ctx *ctx, const struct few_backend *backend);
/* The few_precision set by few_ctx_set_precision. */
int few__ctx_precision(const few_ctx *ctx);
void few__ctx_set_precision(few_ctx *ctx, int precision);

/* Memory, 64-byte aligned. few__new returns FEW_E_MEMORY, so its caller needs no check for NULL. */
void *few__alloc(few_ctx *ctx, size_t bytes);              /* NULL when out of memory */
void *few__realloc(few_ctx *ctx, void *ptr, size_t bytes); /* ptr may be NULL */
void few__free(few_ctx *ctx, void *ptr);                   /* NULL is fine */
few_status few__new(few_ctx *ctx, void *out_ptr, size_t count, size_t size); /* zeroed; *out set */
char *few__strdup(few_ctx *ctx, const char *s); /* NULL when out of memory */

#define FEW_NEW(ctx, out, count) few__new((ctx), (void *)(out), (size_t)(count), sizeof **(out))

/* A growing array of T: `struct { T *at; int n, cap; }` works with these. */
few_status few__grow(few_ctx *ctx, void *at_ptr, int *cap, int need, size_t size);
#define FEW_GROW(ctx, v, need) \
  few__grow((ctx), (void *)&(v)->at, &(v)->cap, (need), sizeof *(v)->at)

/* A growing string. Initialise it with zeros. The text is NUL-terminated unless it is NULL.
 * `failed` is set if appending fails: check it once at the end. */
struct few_text {
  char *at;
  size_t len, cap;
  bool failed;
};
FEW_PRINTF(3, 4) void few__text_add(few_ctx *ctx, struct few_text *t, const char *fmt, ...);
void few__text_free(few_ctx *ctx, struct few_text *t);

/* Length in bytes of the UTF-8 character at bytes[0 .. n-1]; 0 if it is invalid, truncated or
 * NUL. */
size_t few__utf8_length(const void *bytes, size_t n);
bool few__utf8_valid(const char *text);

/* snprintf, vsnprintf and strtod with a decimal point in every locale. The functions above that
 * have a format use them. */
FEW_PRINTF(3, 4) int few__print(char *out, size_t size, const char *fmt, ...);
int few__vprint(char *out, size_t size, const char *fmt, va_list args);
double few__strtod(const char *text, char **end);
/* Sets the C locale for this thread, around calls of other libraries that read or write numbers. */
struct few_locale {
  locale_t plain, before;
};
struct few_locale few__locale_begin(void);
void few__locale_end(struct few_locale l);

double few__now(void); /* seconds, monotonic */

/* count * size, or SIZE_MAX on overflow; allocating SIZE_MAX bytes fails. */
size_t few__mul_size(size_t a, size_t b);
uint64_t few__hash(const void *bytes, size_t n, uint64_t seed); /* FNV-1a; not secure */

#endif
