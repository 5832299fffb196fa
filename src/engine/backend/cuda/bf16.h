/* bf16.h - conversions for calls with operands or results in bf16. cuBLASLt and cuDNN then
 * need all factors in bf16. */
#ifndef FEW_SRC_CUDA_BF16_H
#define FEW_SRC_CUDA_BF16_H

#include "cuda.h"

/* Whether an operand or the result is in bf16. */
static inline bool few__cuda_any_bf16(const struct few_call *c) {
  for (int k = 0; k < c->n_in; k++)
    if (c->in[k].bf16) return true;
  return c->bf16[0];
}

/* Memory for a copy in bf16. */
static inline size_t few__cuda_bf16_bytes(struct few_shape s) {
  return ((size_t)count_of(s) * sizeof(uint16_t) + 255) & ~(size_t)255;
}

/* Operand k in bf16: its own memory, or a copy at *room, which is then moved past the copy. */
const uint16_t *few__cuda_as_bf16(const struct few_call *c, int k, uint16_t **room);
/* These convert n numbers from f32 to bf16 and back. */
void few__cuda_to_bf16(struct few_queue *q, const float *x, uint16_t *out, int64_t n);
void few__cuda_from_bf16(struct few_queue *q, const uint16_t *x, float *out, int64_t n);

#endif
