/* backend.c - backends by name. */
#include "backend.h"

#include <stdio.h>

#include "few/backend.h"

/* A backend is opened only when it is needed, since that of a device may load a library. */
static const struct {
  const char *name;
  const struct few_backend *(*open)(void);
} backends[] = {
#define FEW_BACKEND(name) {#name, few__backend_##name},
#include "backends.def"
#undef FEW_BACKEND
};

const struct few_backend *few__backend_at(int i) {
  return 0 <= i && i < FEW_COUNT(backends) ? backends[i].open() : NULL;
}

const struct few_backend *few__backend_find(const char *name) {
  for (int i = 0; i < FEW_COUNT(backends); i++)
    if (strcmp(backends[i].name, name) == 0) return backends[i].open();
  return NULL;
}

/* "ref, cpu, cuda" */
static const char *names(char *at, size_t size) {
  size_t n = 0;
  for (int i = 0; i < FEW_COUNT(backends) && n < size; i++)
    n += (size_t)snprintf(at + n, size - n, "%s%s", i ? ", " : "", backends[i].name);
  return at;
}

few_status few__backend_choose(few_ctx *ctx, const struct few_backend **out, const char *name) {
  char known[128];
  *out = few__backend_find(name);
  if (!*out)
    return few__fail(ctx, FEW_E_INVALID, "there is no backend %s: this build has %s", name,
                     names(known, sizeof known));
  if ((*out)->missing)
    return few__fail(ctx, FEW_E_UNSUPPORTED, "backend %s is not available here: %s", name,
                     (*out)->missing);
  return FEW_OK;
}

few_status few__backend_check_precision(few_ctx *ctx, const struct few_backend *b,
                                        few_precision precision) {
  if (precision == FEW_FP32) return FEW_OK;
  if (!b->precision[precision])
    return few__fail(ctx, FEW_E_UNSUPPORTED,
                     "backend %s has no %s: give precision fp32, or another backend", b->name,
                     precision == FEW_TF32 ? "tf32" : "bf16");
  if (precision == FEW_BF16 && b->bf16_only_stored)
    few__log(ctx, FEW_LOG_WARN, "%s", b->bf16_only_stored);
  return FEW_OK;
}

few_status few_ctx_set_precision(few_ctx *ctx, few_precision precision) {
  FEW_TRY(few__opts_range(ctx, "precision", (double)precision, FEW_FP32, FEW_BF16));
  few__ctx_set_precision(ctx, precision);
  return FEW_OK;
}

few_status few__backend_open(few_ctx *ctx, const struct few_backend *b, struct few_queue **out) {
  assert(b->device && !b->missing);
  const char *why = b->device->open(out);
  return why ? few__fail(ctx, FEW_E_UNSUPPORTED, "backend %s: %s", b->name, why) : FEW_OK;
}

few_status few_ctx_set_backend(few_ctx *ctx, const char *name) {
  const struct few_backend *b;
  FEW_TRY(few__backend_choose(ctx, &b, name ? name : "cpu"));
  few__ctx_set_backend(ctx, b);
  return FEW_OK;
}

const struct few_backend *few__backend_of(const few_ctx *ctx) {
  const struct few_backend *b = few__ctx_backend(ctx);
  return b ? b : few__backend_cpu();
}

const struct few_backend *few__backend_host(const few_ctx *ctx) {
  const struct few_backend *b = few__backend_of(ctx);
  return b->device ? few__backend_cpu() : b;
}
