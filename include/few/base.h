/* few/base.h - status codes, the context, allocation, logging.
 *
 * Every object belongs to a context, which owns the allocator, the log and the text of the last
 * error. The library never exits, never prints and has no mutable globals.
 *
 * Parameters: outputs come first. The caller frees an object that a call writes to a `T **out`; a
 * pointer that a call returns is borrowed. A callback takes its `user` first.
 *
 * Later versions may add members at the end of structs. So options begin with a version, which
 * calls check, and are initialised by their ..._INIT. This version also covers the structs that the
 * same call writes. Other structs are passed with their size, f(&x, sizeof x, ..): members that the
 * program's headers lack are left out, and members that the library lacks are 0.
 *
 * Threads: one context serves one thread of calls at a time. Inside a call the library may use
 * workers of its own.
 */
#ifndef FEW_BASE_H
#define FEW_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of these headers; few_version() is that of the library. */
#define FEW_VERSION_MAJOR 0
#define FEW_VERSION_MINOR 1
#define FEW_VERSION_PATCH 0
/* For comparisons: FEW_VERSION >= FEW_MAKE_VERSION(0, 2, 0). */
#define FEW_MAKE_VERSION(major, minor, patch) ((major)*1000000 + (minor)*1000 + (patch))
#define FEW_VERSION FEW_MAKE_VERSION(FEW_VERSION_MAJOR, FEW_VERSION_MINOR, FEW_VERSION_PATCH)

/* FEW_API: the functions that libfew.so exports. All others are hidden. */
#if defined(__GNUC__)
#define FEW_API __attribute__((visibility("default")))
#define FEW_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define FEW_MUST_USE __attribute__((warn_unused_result))
#else
#define FEW_API
#define FEW_PRINTF(fmt, args)
#define FEW_MUST_USE
#endif

/* The result of a call. few_error(ctx) has the message of a failure. */
typedef enum few_status {
  FEW_OK = 0,
  FEW_E_INVALID,     /* invalid argument, key or shape; the caller can fix it */
  FEW_E_IO,          /* the system failed: missing file, full disk, no permission */
  FEW_E_FORMAT,      /* the content of a file violates its format */
  FEW_E_MEMORY,      /* the allocator returned NULL */
  FEW_E_UNSUPPORTED, /* valid, but few cannot do it, or was built without it */
  FEW_E_DIVERGED,    /* training produced values that are not finite, and retries did not help; or
                      * samples that should be written or measured are not finite */
  FEW_E_CANCELLED    /* the progress callback cancelled the call */
} few_status;

/* The version of the library as a number, FEW_MAKE_VERSION(major, minor, patch), and as the text
 * "major.minor.patch", which is static. Any thread may call these. */
FEW_API int few_version_number(void);
FEW_API const char *few_version(void);

/* "invalid", "io" ...; never NULL. */
FEW_API const char *few_status_name(few_status s);

/* Yes, no, or not known. */
enum few_answer { FEW_UNKNOWN, FEW_NO, FEW_YES };

/* The library allocates memory by these functions only, in the thread of the call. `alloc` returns
 * 16-byte aligned memory, not cleared. If it returns NULL, the call fails with FEW_E_MEMORY, frees
 * its memory, and leaves files unchanged. `release` gets a pointer from `alloc`, never NULL.
 *
 * Other libraries that few uses call malloc. If that returns NULL, a call that uses libjpeg,
 * libpng, libwebp, zlib, libzip or pthreads fails too, but Jansson 2.14 (which reads the
 * description of a model) and OpenBLAS (Frechet distances) may end the process. Files are never
 * damaged. */
struct few_allocator {
  void *user;
  void *(*alloc)(void *user, size_t size);
  void (*release)(void *user, void *ptr);
};

typedef enum few_log_level { FEW_LOG_DEBUG, FEW_LOG_INFO, FEW_LOG_WARN } few_log_level;

/* Progress of a long call, reported from its thread. `total` is 0 if the end is not known. Return
 * non-zero to cancel: the call then fails with FEW_E_CANCELLED, and can be resumed. */
struct few_progress {
  const char *what; /* "training", "sampling": borrowed for the call */
  int64_t done, total;
  double seconds;   /* since this job began */
  const char *note; /* e.g. "loss 0.123": may be NULL */
};

struct few_ctx_opts {
  int version;                    /* FEW_CTX_OPTS_VERSION */
  struct few_allocator allocator; /* NULLs: malloc and free */
  void *user;                     /* passed to log and progress, which may be NULL */
  void (*log)(void *user, few_log_level level, const char *message);
  int (*progress)(void *user, const struct few_progress *p);
  int workers; /* threads of long calls, at most 256; 0: as many as the machine has */
};
#define FEW_CTX_OPTS_VERSION 1
#define FEW_CTX_OPTS_INIT \
  { FEW_CTX_OPTS_VERSION, {NULL, NULL, NULL}, NULL, NULL, NULL, 0 }

typedef struct few_ctx few_ctx;

/* Makes a context. opts may be NULL: malloc, silence, all processors. FEW_E_INVALID for an unknown
 * version, workers below 0, or an allocator with only one of its two functions; FEW_E_MEMORY. *out
 * is then NULL. */
FEW_API FEW_MUST_USE few_status few_ctx_create(few_ctx **out, const struct few_ctx_opts *opts);
FEW_API void few_ctx_free(few_ctx *ctx); /* NULL is fine */

/* The message of the last failure on this context: what failed, where, and what to try. Borrowed
 * until the next failing call; "" if no call failed, or ctx is NULL. */
FEW_API const char *few_error(const few_ctx *ctx);

/* Frees a text that is an output of a call. NULL is fine. */
FEW_API void few_text_free(few_ctx *ctx, char *text);

FEW_API int few_ctx_workers(const few_ctx *ctx);
FEW_API void few_ctx_set_workers(few_ctx *ctx, int workers); /* 0: as many as the machine has */

#ifdef __cplusplus
}
#endif
#endif
