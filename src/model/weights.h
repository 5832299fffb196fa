/* weights.h - the number types of weights in a model file (docs/format.md, section 2.3). */
#ifndef FEW_SRC_MODEL_WEIGHTS_H
#define FEW_SRC_MODEL_WEIGHTS_H

#include "io/safetensors.h"
#include "model.h"

/* The tensors of a model in a number type. They point into the model's values or into `room`. */
struct few_weight_file {
  struct few_st_tensor *at; /* [n]; owned */
  int n;
  char *room; /* owned */
  char (*scale_name)[112];
};
/* Fills *out with all parameters of m in the order of its table. *out is zeroed on failure. */
few_status few__model_weights_store(struct few_weight_file *out, const few_model *m,
                                    enum few_weight_type type);
void few__model_weights_free(few_ctx *ctx, struct few_weight_file *w);

/* Whether the tensor of a file can be the values of a parameter; if not, *why is the reason: "are
 * not F32 ...". The tensor's shape is the parameter's. */
bool few__model_weights_readable(const struct few_st *file, const struct few_st_tensor *t);
/* The number type of a tensor that is readable. */
enum few_weight_type few__model_weights_type(const struct few_st_tensor *t);
/* Converts the values of a readable tensor. */
void few__model_weights_load(const struct few_st *file, const struct few_st_tensor *t, float *out);

#endif
