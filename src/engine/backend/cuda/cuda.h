/* cuda.h - common declarations for all kernel files of the CUDA backend.
 *
 * The files are CUDA C++. The tests compile them for the host too, where an emulator runs the
 * threads of a block in turns (emulator.h in the folder of the tests; FEW_CUDA_EMULATED is its
 * path). So every kernel is compared with the reference on machines without a GPU. Two macros hide
 * the differences:
 *
 *   FEW_LAUNCH(q, kernel<float>, blocks, threads, bytes, arguments ...)
 *       launches a kernel with this many bytes of dynamic shared memory
 *   FEW_DYNAMIC(float, x)
 *       in the kernel, declares x as that memory
 *
 * A kernel is a template over its number type. FEW_CUDA_KERNEL(name) defines few__cuda_<name>_f32
 * and few__cuda_<name>_f64 from `template <class real> static void name(const struct few_call *)`.
 */
#ifndef FEW_SRC_CUDA_H
#define FEW_SRC_CUDA_H

#include <stdint.h>
#include <string.h>

#ifdef FEW_CUDA_EMULATED
#include FEW_CUDA_EMULATED
#define FEW_UNROLL
#else
#include <cuda_runtime.h>
#define FEW_UNROLL \
  _Pragma("unroll") /* registers have no address, so their index must be constant */
#define FEW_LAUNCH(q, kernel, blocks, threads, bytes, ...)                                         \
  do {                                                                                             \
    if ((size_t)(bytes) > 48 << 10) /* above this a kernel must ask for it */                      \
      few__cuda_check(                                                                             \
          q,                                                                                       \
          cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)(bytes)), \
          #kernel);                                                                                \
    kernel<<<(unsigned)(blocks), (unsigned)(threads), (size_t)(bytes), few__cuda_stream(q)>>>(     \
        __VA_ARGS__);                                                                              \
    few__cuda_check(q, cudaGetLastError(), #kernel);                                               \
  } while (0)
#define FEW_DYNAMIC(type, name)                                 \
  extern __shared__ __align__(16) unsigned char few_dynamic_[]; \
  type *const name = (type *)few_dynamic_
#endif

extern "C" {
#include "engine/backend/backend.h"
#include "engine/backend/shape.h"
}

#define FEW_CUDA_KERNEL(name)                                                                \
  extern "C" void few__cuda_##name##_f32(const struct few_call *call) { name<float>(call); } \
  extern "C" void few__cuda_##name##_f64(const struct few_call *call) { name<double>(call); }

/* Defines few__cuda_<name>_scratch_f32 and _f64 from
 * `template <class real> static size_t name_scratch(const struct few_call *)`. */
#define FEW_CUDA_SCRATCH(name)                                                    \
  extern "C" size_t few__cuda_##name##_scratch_f32(const struct few_call *call) { \
    return name##_scratch<float>(call);                                           \
  }                                                                               \
  extern "C" size_t few__cuda_##name##_scratch_f64(const struct few_call *call) { \
    return name##_scratch<double>(call);                                          \
  }

#ifndef FEW_CUDA_EMULATED
/* queue.cu */
cudaStream_t few__cuda_stream(struct few_queue *q);
void few__cuda_check(struct few_queue *q, cudaError_t status, const char *what);
#endif
/* The key of the running replay, in the device's memory. */
const struct few_replay_key *few__cuda_key(struct few_queue *q);
/* Records an error that CUDA did not report. The queue keeps only its first error. */
void few__cuda_fail(struct few_queue *q, const char *what, const char *why);

/* vector.cu */
extern const struct few_vectors few__cuda_vectors;

/* The number of operands of a pointwise op; 0 for any other op. */
int few__cuda_arity(few_op op);

/* Blocks of a loop over n elements in strides of the grid: enough to fill any GPU, but each thread
 * has several elements. */
enum { THREADS = 256, MOST_BLOCKS = 132 * 16 };
static inline int64_t blocks_for(int64_t n) {
  const int64_t all = (n + THREADS - 1) / THREADS;
  if (all > MOST_BLOCKS) return MOST_BLOCKS;
  return all < 1 ? 1 : all;
}
#define FOR_EACH_ELEMENT(i, n)                                              \
  for (int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x; i < (n); \
       i += (int64_t)gridDim.x * blockDim.x)

/* ---- Numbers in memory: an f32 call may have operands and results that are stored in bf16 ---- */

static __host__ __device__ inline float few__from_bf16(uint16_t stored) {
  const uint32_t bits = (uint32_t)stored << 16;
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}
/* Rounds to nearest, ties to even. */
static __host__ __device__ inline uint16_t few__to_bf16(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  if (x != x) return 0x7fc0;
  return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

template <class real>
struct from {
  const void *at;
  bool bf16;
  __device__ real operator[](int64_t i) const {
    return bf16 ? (real)few__from_bf16(((const uint16_t *)at)[i]) : ((const real *)at)[i];
  }
  __host__ __device__ struct from operator+(int64_t n) const {
    return {(const char *)at + n * (bf16 ? 2 : (int64_t)sizeof(real)), bf16};
  }
};
template <class real>
struct to {
  void *at;
  bool bf16;
  __device__ void put(int64_t i, real x) const {
    if (bf16)
      ((uint16_t *)at)[i] = few__to_bf16((float)x);
    else
      ((real *)at)[i] = x;
  }
  __host__ __device__ struct to operator+(int64_t n) const {
    return {(char *)at + n * (bf16 ? 2 : (int64_t)sizeof(real)), bf16};
  }
};
template <class real>
static inline struct from<real> operand(const struct few_call *c, int k) {
  return {c->in[k].data, c->in[k].bf16};
} template <class real>
static inline struct to<real> result(const struct few_call *c) {
  return {c->out, c->bf16[0]};
}

/* ---- Sums over a warp and a block: the order depends on the number of threads only ---- */

template <class T>
static __device__ inline T warp_sum(T x) {
  for (int d = 16; d > 0; d >>= 1) x += __shfl_xor_sync(0xffffffffu, x, d);
  return x;
}
template <class T>
static __device__ inline T warp_max(T x) {
  for (int d = 16; d > 0; d >>= 1) {
    const T y = __shfl_xor_sync(0xffffffffu, x, d);
    x = x > y ? x : y;
  }
  return x;
}
/* All threads of the block get the result. blockDim.x must be a multiple of 32. */
template <class T>
static __device__ inline T block_sum(T x) {
  __shared__ T part[32];
  const int warps = (int)blockDim.x / 32, warp = (int)threadIdx.x / 32,
            lane = (int)threadIdx.x % 32;
  x = warp_sum(x);
  if (warps == 1) return x;
  __syncthreads(); /* wait until the parts of the sum before have been read */
  if (lane == 0) part[warp] = x;
  __syncthreads();
  return warp_sum(lane < warps ? part[lane] : T(0));
}

#endif
