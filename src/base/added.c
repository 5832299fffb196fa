/* added.c - the components that a program has added to a context. */
#include "added.h"

#include "context.h"
#include "few/ext/common.h"

static const char *const kinds[] = {[FEW_ADDED_OBJECTIVE] = "objective",
                                    [FEW_ADDED_NET] = "net",
                                    [FEW_ADDED_SAMPLER] = "sampler",
                                    [FEW_ADDED_READER] = "reader",
                                    [FEW_ADDED_METRIC] = "metric"};

few_status few__added_version(few_ctx *ctx, const char *type, const void *def, int version) {
  int given;
  if (!def)
    return few__fail(ctx, FEW_E_INVALID, "%s: there is no definition: give a pointer to one", type);
  memcpy(&given, def, sizeof given);
  if (given == version) return FEW_OK;
  return few__fail(ctx, FEW_E_INVALID,
                   "%s has version %d, but this library has %d: set `version` by the macro of its "
                   "header, and compile again",
                   type, given, version);
}

/* Recipes write names as in "scd + vsd" and "vsd.weight = 1", lists of metrics with commas. */
static few_status check_name(few_ctx *ctx, const struct few_addition *a) {
  static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-_";
  const size_t n = strlen(a->name);
  if (n < 1 || n > FEW_ADDED_NAME_MAX || strspn(a->name, allowed) != n)
    return few__fail(ctx, FEW_E_INVALID,
                     "%s \"%.60s\": a name has 1 to %d bytes, each one of a-z, 0-9, - and _",
                     kinds[a->kind], a->name, FEW_ADDED_NAME_MAX);
  if (!a->taken) return FEW_OK;
  return few__fail(ctx, FEW_E_INVALID, "%s %s exists already: choose another name", kinds[a->kind],
                   a->name);
}

/* Checks that fields are inside the struct and that defaults can be read. */
static few_status check_options(few_ctx *ctx, const struct few_addition *a) {
  char *scratch;
  if (!a->options) return FEW_OK;
  for (const struct few_option *o = a->options; o->key; o++)
    if (o->offset > a->options_size || o->size > a->options_size - o->offset)
      return few__fail(ctx, FEW_E_INVALID,
                       "%s %s: option %s is not inside the %zu bytes of options_size: set that "
                       "to the size of the struct",
                       kinds[a->kind], a->name, o->key, a->options_size);
  FEW_TRY(FEW_NEW(ctx, &scratch, a->options_size));
  few_status st = few_options_default(scratch, ctx, a->options);
  few__free(ctx, scratch);
  return st ? few__fail_in(ctx, st, "%s %s: a default", kinds[a->kind], a->name) : FEW_OK;
}

few_status few__added_add(few_ctx *ctx, const struct few_addition *a) {
  struct few_added *list = &ctx->added[a->kind];
  assert(a->def);
  if (!a->name || a->missing)
    return few__fail(ctx, FEW_E_INVALID, "%s%s%.60s: `%s` is NULL: it is required", a->type,
                     a->name ? " " : "", a->name ? a->name : "", a->name ? a->missing : "name");
  FEW_TRY(check_name(ctx, a));
  FEW_TRY(check_options(ctx, a));
  FEW_TRY(FEW_GROW(ctx, list, list->n + 1));
  list->at[list->n++] = a->def;
  return FEW_OK;
}

int few__added_count(const few_ctx *ctx, enum few_added_kind kind) {
  return ctx ? ctx->added[kind].n : 0;
}

const void *few__added_at(const few_ctx *ctx, enum few_added_kind kind, int i) {
  assert(i >= 0 && i < few__added_count(ctx, kind));
  return ctx->added[kind].at[i];
}

/* ---- for the functions of definitions ---- */

few_status few_ctx_fail(few_ctx *ctx, few_status status, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  few__failv(ctx, status, fmt, args);
  va_end(args);
  return status;
}

void few_ctx_log(few_ctx *ctx, few_log_level level, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  few__logv(ctx, level, fmt, args);
  va_end(args);
}

void *few_ctx_alloc(few_ctx *ctx, size_t bytes) {
  void *at = few__alloc(ctx, bytes);
  if (!at) few__fail(ctx, FEW_E_MEMORY, "out of memory: %zu bytes requested", bytes);
  return at;
}

void few_ctx_release(few_ctx *ctx, void *ptr) { few__free(ctx, ptr); }
