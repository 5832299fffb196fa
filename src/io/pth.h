/* pth.h - the tensors of a file that PyTorch's torch.save wrote: a state dict. Nothing in it is
 * executed. */
#ifndef FEW_SRC_IO_PTH_H
#define FEW_SRC_IO_PTH_H

#include "safetensors.h"

struct few_pth {
  struct few_st_tensor *at; /* in the file's order; names and numbers are owned by this */
  int n;
  struct few_pth_hold *hold;
};

/* True if the bytes look like a file of torch.save: a zip archive or a pickle. */
bool few__pth_is(const void *bytes, size_t n);

/* *out is zeroed on failure; few__pth_free accepts a zeroed one. `place` names the file in
 * messages. The bytes are not needed afterwards. */
few_status few__pth_parse(few_ctx *ctx, struct few_pth *out, const char *place, const void *bytes,
                          size_t n);
few_status few__pth_read(few_ctx *ctx, struct few_pth *out, const char *path, size_t max_bytes);
void few__pth_free(few_ctx *ctx, struct few_pth *p);

const struct few_st_tensor *few__pth_find(const struct few_pth *p, const char *name); /* or NULL */

#endif
