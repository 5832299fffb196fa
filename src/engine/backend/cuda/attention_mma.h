/* attention_mma.h - attention on matrix units, for f32 calls whose precision is bf16. */
#ifndef FEW_SRC_CUDA_ATTENTION_MMA_H
#define FEW_SRC_CUDA_ATTENTION_MMA_H

#include "cuda.h"

/* True for heads of 32, 64 and 128 numbers; attention.cu computes the others. */
bool few__cuda_attention_mma_takes(const struct few_call *c);
/* The op attention, of in[0], or attention_dual, of in[0] and in[1], if `dual`. */
void few__cuda_attention_mma(const struct few_call *c, bool dual);
/* The op attention_grad; its scratch is that of attention.cu. */
void few__cuda_attention_mma_grad(const struct few_call *c);

#endif
