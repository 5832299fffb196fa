/* attention_mma.h - attention on matrix units, for f32 calls whose precision is bf16. */
#ifndef FEW_SRC_CUDA_ATTENTION_MMA_H
#define FEW_SRC_CUDA_ATTENTION_MMA_H

#include "cuda.h"

/* Heads of 32, 64 and 128 numbers; others are left to attention.cu. */
bool few__cuda_attention_mma_takes(const struct few_call *c);
/* attention (dual false: in[0]) and attention_dual (in[0], in[1]). */
void few__cuda_attention_mma(const struct few_call *c, bool dual);
/* attention_grad; its scratch is that of attention.cu. */
void few__cuda_attention_mma_grad(const struct few_call *c);

#endif
