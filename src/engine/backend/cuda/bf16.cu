/* bf16.cu - see bf16.h. */
#include "bf16.h"

static __global__ void to_bf16_kernel(const float *x, uint16_t *out, int64_t n) {
  FOR_EACH_ELEMENT(i, n) out[i] = few__to_bf16(x[i]);
}

static __global__ void from_bf16_kernel(const uint16_t *x, float *out, int64_t n) {
  FOR_EACH_ELEMENT(i, n) out[i] = few__from_bf16(x[i]);
}

void few__cuda_to_bf16(struct few_queue *q, const float *x, uint16_t *out, int64_t n) {
  FEW_LAUNCH(q, to_bf16_kernel, blocks_for(n), THREADS, 0, x, out, n);
}

void few__cuda_from_bf16(struct few_queue *q, const uint16_t *x, float *out, int64_t n) {
  FEW_LAUNCH(q, from_bf16_kernel, blocks_for(n), THREADS, 0, x, out, n);
}

const uint16_t *few__cuda_as_bf16(const struct few_call *c, int k, uint16_t **room) {
  const int64_t n = count_of(c->in[k].shape);
  uint16_t *at = *room;
  if (c->in[k].bf16) return (const uint16_t *)c->in[k].data;
  few__cuda_to_bf16(c->queue, (const float *)c->in[k].data, at, n);
  *room += few__cuda_bf16_bytes(c->in[k].shape) / sizeof(uint16_t);
  return at;
}
