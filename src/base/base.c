/* base.c - the context (allocator, log, last error), memory, and short strings. */
#include "base.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "context.h"

#undef few__fail /* base.h has macros of these names for the analyzer */
#undef few__fail_in

static void *default_alloc(void *user, size_t size) {
  FEW_UNUSED(user);
  return malloc(size);
}

static void default_release(void *user, void *ptr) {
  FEW_UNUSED(user);
  free(ptr);
}

int few_version_number(void) { return FEW_VERSION; }

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)
const char *few_version(void) {
  return TEXT(FEW_VERSION_MAJOR) "." TEXT(FEW_VERSION_MINOR) "." TEXT(FEW_VERSION_PATCH);
}

const char *few_status_name(few_status s) {
  static const char *const names[] = {"ok",     "invalid",     "io",       "format",
                                      "memory", "unsupported", "diverged", "cancelled"};
  return (unsigned)s < FEW_COUNT(names) ? names[s] : "unknown";
}

few_status few_ctx_create(few_ctx **out, const struct few_ctx_opts *opts) {
  struct few_ctx_opts o = FEW_CTX_OPTS_INIT;
  if (opts) o = *opts;
  *out = NULL;
  if (o.version != FEW_CTX_OPTS_VERSION || o.workers < 0) return FEW_E_INVALID;
  if (!o.allocator.alloc != !o.allocator.release) return FEW_E_INVALID;
  if (!o.allocator.alloc)
    o.allocator = (struct few_allocator){NULL, default_alloc, default_release};
  few_ctx *ctx = o.allocator.alloc(o.allocator.user, sizeof *ctx);
  if (!ctx) return FEW_E_MEMORY;
  *ctx = (few_ctx){.opts = o};
  few_ctx_set_workers(ctx, o.workers);
  *out = ctx;
  return FEW_OK;
}

void few_ctx_free(few_ctx *ctx) {
  if (!ctx) return;
  for (int k = 0; k < FEW_ADDED_KINDS; k++) few__free(ctx, (void *)ctx->added[k].at);
  ctx->opts.allocator.release(ctx->opts.allocator.user, ctx);
}

const char *few_error(const few_ctx *ctx) { return ctx ? ctx->error : ""; }
int few_ctx_workers(const few_ctx *ctx) { return ctx->workers; }

void few_ctx_set_workers(few_ctx *ctx, int workers) {
  long n = workers > 0 ? workers : sysconf(_SC_NPROCESSORS_ONLN);
  if (n < 1) n = 1;
  ctx->workers = n > FEW_MAX_WORKERS ? FEW_MAX_WORKERS : (int)n;
}

const struct few_backend *few__ctx_backend(const few_ctx *ctx) { return ctx->backend; }
void few__ctx_set_backend(few_ctx *ctx, const struct few_backend *b) { ctx->backend = b; }
int few__ctx_precision(const few_ctx *ctx) { return ctx->precision; }
void few__ctx_set_precision(few_ctx *ctx, int precision) { ctx->precision = precision; }

few_status few__failv(few_ctx *ctx, few_status status, const char *fmt, va_list args) {
  if (ctx) few__vprint(ctx->error, sizeof ctx->error, fmt, args);
  return status;
}

few_status few__fail(few_ctx *ctx, few_status status, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  few__failv(ctx, status, fmt, args);
  va_end(args);
  return status;
}

few_status few__fail_in(few_ctx *ctx, few_status status, const char *fmt, ...) {
  if (!ctx) return status;
  char inner[FEW_ERROR_MAX];
  memcpy(inner, ctx->error, sizeof inner);
  va_list args;
  va_start(args, fmt);
  int n = few__vprint(ctx->error, sizeof ctx->error, fmt, args);
  va_end(args);
  if (n < 0 || (size_t)n >= sizeof ctx->error) return status;
  size_t room = sizeof ctx->error - (size_t)n;
  snprintf(ctx->error + n, room, ": %.*s", (int)room, inner);
  return status;
}

void few__logv(few_ctx *ctx, few_log_level level, const char *fmt, va_list args) {
  if (!ctx->opts.log) return;
  char line[FEW_ERROR_MAX];
  few__vprint(line, sizeof line, fmt, args);
  ctx->opts.log(ctx->opts.user, level, line);
}

void few__log(few_ctx *ctx, few_log_level level, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  few__logv(ctx, level, fmt, args);
  va_end(args);
}

void few__progress_frame(few_ctx *ctx, const struct few_progress_frame *frame) {
  ctx->frame = frame;
}

few_status few__progress(few_ctx *ctx, const struct few_progress *part) {
  struct few_progress whole = *part;
  const struct few_progress_frame *f = ctx->frame;
  assert(part->what && part->done >= 0);
  if (f && !f->what) return FEW_OK;
  if (f)
    whole = (struct few_progress){f->what, f->first + part->done, f->total, few__now() - f->started,
                                  part->note};
  const struct few_progress *p = &whole;
  if (!ctx->opts.progress || !ctx->opts.progress(ctx->opts.user, p)) return FEW_OK;
  if (p->total <= 0) return few__fail(ctx, FEW_E_CANCELLED, "%s stopped", p->what);
  return few__fail(ctx, FEW_E_CANCELLED, "%s stopped after %lld of %lld", p->what,
                   (long long)p->done, (long long)p->total);
}

few_status few__opts_check(few_ctx *ctx, const char *type, const void *opts, int version) {
  int given;
  char macro[40];
  size_t n = 0;
  if (!opts) return few__fail(ctx, FEW_E_INVALID, "%s is NULL: give a struct of options", type);
  memcpy(&given, opts, sizeof given);
  if (given == version) return FEW_OK;
  for (; n + 1 < sizeof macro && type[n] && type[n] != ' '; n++)
    macro[n] = (char)(type[n] == '_' ? '_' : type[n] - 'a' + 'A');
  macro[n] = 0;
  return few__fail(
      ctx, FEW_E_INVALID,
      "%s has version %d, but this library needs %d: start from %s_INIT of this library's header",
      type, given, version, macro);
}

void few__give(void *out, size_t size, const void *full, size_t full_size) {
  assert(size > 0);
  memcpy(out, full, size < full_size ? size : full_size);
  if (size > full_size) memset((char *)out + full_size, 0, size - full_size);
}

few_status few__opts_range(few_ctx *ctx, const char *what, double x, double min, double max) {
  assert(min <= max);
  if (x >= min && x <= max) return FEW_OK;
  return few__fail(ctx, FEW_E_INVALID, "%s %g: give a number from %g to %g", what, x, min, max);
}

few_status few__opts_texts(few_ctx *ctx, const char *what, int n, const char *const *at) {
  if (n < 0 || (n && !at))
    return few__fail(ctx, FEW_E_INVALID, "%d %s%s: give a list of them", n, what,
                     at ? "" : " and no list");
  for (int i = 0; i < n; i++)
    if (!at[i]) return few__fail(ctx, FEW_E_INVALID, "%s: number %d is NULL: give a text", what, i);
  return FEW_OK;
}

/* An aligned block is [raw ... | header | 64-aligned user bytes]. */
struct header {
  void *raw;
  size_t bytes;
};
enum { ALIGN = 64 };

void *few__alloc(few_ctx *ctx, size_t bytes) {
  size_t extra = sizeof(struct header) + ALIGN;
  if (bytes > SIZE_MAX - extra) return NULL;
  char *raw = ctx->opts.allocator.alloc(ctx->opts.allocator.user, bytes + extra);
  if (!raw) return NULL;
  uintptr_t at = ((uintptr_t)raw + sizeof(struct header) + ALIGN - 1) & ~(uintptr_t)(ALIGN - 1);
  struct header *h = (struct header *)at - 1;
  *h = (struct header){raw, bytes};
  return (void *)at;
}

void few__free(few_ctx *ctx, void *ptr) {
  assert((uintptr_t)ptr % ALIGN == 0); /* of few__alloc */
  if (ptr) ctx->opts.allocator.release(ctx->opts.allocator.user, ((struct header *)ptr - 1)->raw);
}

void *few__realloc(few_ctx *ctx, void *ptr, size_t bytes) {
  assert((uintptr_t)ptr % ALIGN == 0); /* of few__alloc */
  void *p = few__alloc(ctx, bytes);
  if (!p || !ptr) return p;
  size_t old = ((struct header *)ptr - 1)->bytes;
  memcpy(p, ptr, old < bytes ? old : bytes);
  few__free(ctx, ptr);
  return p;
}

few_status few__new(few_ctx *ctx, void *out_ptr, size_t count, size_t size) {
  size_t bytes = few__mul_size(count, size);
  void *p = few__alloc(ctx, bytes ? bytes : 1);
  memcpy(out_ptr, &p, sizeof p);
  if (!p) return few__fail(ctx, FEW_E_MEMORY, "out of memory: %zu bytes requested", bytes);
  memset(p, 0, bytes);
  return FEW_OK;
}

char *few__strdup(few_ctx *ctx, const char *s) {
  size_t n = strlen(s) + 1;
  char *p = few__alloc(ctx, n);
  return p ? memcpy(p, s, n) : NULL;
}

few_status few__grow(few_ctx *ctx, void *at_ptr, int *cap, int need, size_t size) {
  assert(need >= 0 && *cap >= 0 && size > 0);
  if (need <= *cap) return FEW_OK;
  int n = *cap ? *cap : 16;
  while (n < need && n <= INT32_MAX / 2) n *= 2;
  void *old, *p = NULL;
  memcpy(&old, at_ptr, sizeof old);
  if (n >= need) p = few__realloc(ctx, old, few__mul_size((size_t)n, size));
  if (!p) return few__fail(ctx, FEW_E_MEMORY, "out of memory: %d items requested", need);
  memcpy(at_ptr, &p, sizeof p);
  *cap = n;
  return FEW_OK;
}

void few__text_add(few_ctx *ctx, struct few_text *t, const char *fmt, ...) {
  assert(t->at ? t->len < t->cap : !t->len && !t->cap);
  va_list args, again;
  va_start(args, fmt);
  va_copy(again, args);
  int n = few__vprint(NULL, 0, fmt, args);
  va_end(args);
  if (n < 0) t->failed = true;
  if (!t->failed && t->len + (size_t)n + 1 > t->cap) {
    size_t cap = (t->len + (size_t)n + 1) * 2;
    char *p = few__realloc(ctx, t->at, cap);
    if (p) {
      t->at = p;
      t->cap = cap;
    }
    t->failed = !p;
  }
  if (!t->failed) {
    few__vprint(t->at + t->len, t->cap - t->len, fmt, again);
    t->len += (size_t)n;
  }
  va_end(again);
}

void few__text_free(few_ctx *ctx, struct few_text *t) {
  few__free(ctx, t->at);
  *t = (struct few_text){0};
}

double few__now(void) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return (double)ts.tv_sec + 1e-9 * (double)ts.tv_nsec;
}

size_t few__mul_size(size_t a, size_t b) { return b && a > SIZE_MAX / b ? SIZE_MAX : a * b; }

uint64_t few__hash(const void *bytes, size_t n, uint64_t seed) {
  const unsigned char *p = bytes;
  uint64_t h = 14695981039346656037ull ^ seed;
  for (size_t i = 0; i < n; i++) h = (h ^ p[i]) * 1099511628211ull;
  return h;
}
