/* table.cu - the table of kernels, and the one symbol of this library: few_cuda_backend. */
#include "cuda.h"
#include "plugin.h"

#define FEW_CUDA_ROW(OP, name)                                  \
  extern "C" void few__cuda_##name##_f32(const few_call *call); \
  extern "C" void few__cuda_##name##_f64(const few_call *call);
#define FEW_CUDA_ROW_SCRATCH(OP, name)                                    \
  FEW_CUDA_ROW(OP, name)                                                  \
  extern "C" size_t few__cuda_##name##_scratch_f32(const few_call *call); \
  extern "C" size_t few__cuda_##name##_scratch_f64(const few_call *call);
#include "table.def"
#undef FEW_CUDA_ROW
#undef FEW_CUDA_ROW_SCRATCH
extern "C" void few__cuda_fused_f32(const few_call *call);
extern "C" void few__cuda_fused_f64(const few_call *call);
extern "C" void few__cuda_pointwise_f32(const few_call *call);
extern "C" void few__cuda_pointwise_f64(const few_call *call);

extern "C" const struct few_device few__cuda_device;

/* Whether operands and results may be bf16: for all ops except random numbers and onehot. */
static constexpr bool takes_bf16(few_op op) {
  return op != FEW_OP_RANDN && op != FEW_OP_RANDU && op != FEW_OP_ONEHOT;
}

static struct few_backend make() {
  struct few_backend b = {};
  b.name = "cuda";
  b.help = "NVIDIA GPUs";
  b.device = &few__cuda_device;
  b.precision[FEW_TF32] = b.precision[FEW_BF16] = true;
  for (int op = 0; op < FEW_OP_COUNT; op++)
    if (few__cuda_arity((few_op)op)) {
      b.kernel[FEW_F32][op].run = few__cuda_pointwise_f32;
      b.kernel[FEW_F64][op].run = few__cuda_pointwise_f64;
    }
#define FEW_CUDA_ROW(OP, name)                                                 \
  b.kernel[FEW_F32][FEW_OP_##OP] = {few__cuda_##name##_f32, NULL, NULL, NULL}; \
  b.kernel[FEW_F64][FEW_OP_##OP] = {few__cuda_##name##_f64, NULL, NULL, NULL};
#define FEW_CUDA_ROW_SCRATCH(OP, name)                                                            \
  b.kernel[FEW_F32][FEW_OP_##OP] = {few__cuda_##name##_f32, few__cuda_##name##_scratch_f32, NULL, \
                                    NULL};                                                        \
  b.kernel[FEW_F64][FEW_OP_##OP] = {few__cuda_##name##_f64, few__cuda_##name##_scratch_f64, NULL, \
                                    NULL};
#include "table.def"
#undef FEW_CUDA_ROW
#undef FEW_CUDA_ROW_SCRATCH
  b.fused[FEW_F32].run = few__cuda_fused_f32;
  for (int op = 0; op <= FEW_OP_COUNT; op++) b.bf16[op] = takes_bf16((few_op)op);
  b.fused[FEW_F64].run = few__cuda_fused_f64;
  return b;
}

extern "C" const struct few_backend *few_cuda_backend(int abi) {
  static const struct few_backend backend = make();
  return abi == FEW_CUDA_ABI ? &backend : NULL;
}
