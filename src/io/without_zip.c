/* without_zip.c - replaces zip.c, pth.c and persistent.c with -DFEW_ZIP=OFF: archives are
 * refused. */
#include "persistent.h"
#include "pth.h"
#include "zip.h"

static few_status refuse(few_ctx *ctx, const char *place) {
  return few__fail(ctx, FEW_E_UNSUPPORTED,
                   "%s is an archive, and this libfew was built without libzip: unpack it, "
                   "convert it to .npy or .safetensors, or build with -DFEW_ZIP=ON",
                   place);
}

few_status few__zip_read(few_ctx *ctx, char **out, size_t *n, const char *path, const char *name,
                         size_t max_bytes) {
  FEW_UNUSED(name);
  FEW_UNUSED(max_bytes);
  *out = NULL;
  *n = 0;
  return refuse(ctx, path);
}

few_status few__zip_open(few_ctx *ctx, few_zip **out, const char *path) {
  *out = NULL;
  return refuse(ctx, path);
}

/* No archive is ever open. */
void few__zip_close(few_zip *z) { FEW_UNUSED(z); }

int64_t few__zip_count(const few_zip *z) {
  FEW_UNUSED(z);
  return 0;
}

const char *few__zip_member(const few_zip *z, int64_t i, uint64_t *size) {
  FEW_UNUSED(z);
  FEW_UNUSED(i);
  *size = 0;
  return "";
}

few_status few__zip_get(const few_zip *z, int64_t i, char **out, size_t *n, size_t max_bytes) {
  FEW_UNUSED(z);
  FEW_UNUSED(i);
  FEW_UNUSED(out);
  FEW_UNUSED(n);
  FEW_UNUSED(max_bytes);
  return FEW_E_UNSUPPORTED;
}

bool few__zip_has(const char *path, const char *name) {
  FEW_UNUSED(path);
  FEW_UNUSED(name);
  return false;
}

bool few__pth_is(const void *bytes, size_t n) { return n >= 4 && !memcmp(bytes, "PK\3\4", 4); }

few_status few__pth_parse(few_ctx *ctx, struct few_pth *out, const char *place, const void *bytes,
                          size_t n) {
  FEW_UNUSED(bytes);
  FEW_UNUSED(n);
  *out = (struct few_pth){0};
  return refuse(ctx, place);
}

few_status few__pth_read(few_ctx *ctx, struct few_pth *out, const char *path, size_t max_bytes) {
  FEW_UNUSED(max_bytes);
  *out = (struct few_pth){0};
  return refuse(ctx, path);
}

void few__pth_free(few_ctx *ctx, struct few_pth *p) {
  FEW_UNUSED(ctx);
  *p = (struct few_pth){0};
}

const struct few_st_tensor *few__pth_find(const struct few_pth *p, const char *name) {
  FEW_UNUSED(p);
  FEW_UNUSED(name);
  return NULL;
}

bool few__persistent_is(const void *bytes, size_t n) {
  FEW_UNUSED(bytes);
  FEW_UNUSED(n);
  return false;
}

few_status few__persistent_parse(few_ctx *ctx, struct few_pth *tensors, struct few_text *config,
                                 const char *place, const void *bytes, size_t n) {
  FEW_UNUSED(bytes);
  FEW_UNUSED(n);
  *tensors = (struct few_pth){0};
  *config = (struct few_text){0};
  return refuse(ctx, place);
}

few_status few__persistent_read(few_ctx *ctx, struct few_pth *tensors, struct few_text *config,
                                const char *path, size_t max_bytes) {
  return few__persistent_parse(ctx, tensors, config, path, NULL, max_bytes);
}
