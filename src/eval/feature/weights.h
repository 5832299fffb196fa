/* weights.h - named arrays from a file of weights: safetensors, or a file of torch.save. */
#ifndef FEW_SRC_FEATURE_WEIGHTS_H
#define FEW_SRC_FEATURE_WEIGHTS_H

#include "io/pth.h"
#include "io/safetensors.h"
#include "io/sha256.h"

struct few_weights {
  char *path; /* for messages; owned */
  char hash[FEW_SHA256_TEXT];
  struct few_st st; /* one of these is filled */
  struct few_pth pth;
};

few_status few__weights_read(few_ctx *ctx, struct few_weights *out, const char *path);
void few__weights_free(few_ctx *ctx, struct few_weights *w);

/* The numbers of a tensor of exactly this shape, as floats. The caller frees *out. Errors name the
 * file, the tensor and the shape. */
few_status few__weights_take(few_ctx *ctx, const struct few_weights *w, const char *name, int rank,
                             const int64_t *dim, float **out);

#endif
