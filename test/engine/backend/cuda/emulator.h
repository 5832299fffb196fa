/* emulator.h - enough of CUDA C++ to run kernels on the host, for tests.
 *
 * It runs one block after the other, and the threads of a block take turns: a thread runs until it
 * waits for others at a barrier or an exchange within the warp. It cannot show speed, or races that
 * need two threads at the same time. It does find a barrier or an exchange that some threads never
 * reach, and ends the program with a sentence. Dynamic shared memory and device memory are
 * initialised with NaN.
 */
#ifndef FEW_TEST_CUDA_EMULATOR_H
#define FEW_TEST_CUDA_EMULATOR_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <functional>

#define __host__
#define __global__
#define __device__
#define __shared__ static /* one block at a time */
#define __align__(n) __attribute__((aligned(n)))

struct emu_dim {
  unsigned x, y, z;
};
extern struct emu_dim threadIdx, blockIdx, blockDim, gridDim;

struct few_queue;
/* Adds work to the queue. It runs now or, while a graph is captured, whenever that is launched. */
void emu_enqueue(struct few_queue *q, std::function<void()> work);
void emu_run(int64_t blocks, int threads, size_t bytes, const std::function<void()> &kernel);
extern unsigned char *emu_dynamic;

#define FEW_LAUNCH(q, kernel, blocks, threads, bytes, ...) \
  emu_enqueue(q, emu_bind((blocks), (threads), (bytes), kernel, __VA_ARGS__))
#define FEW_DYNAMIC(type, name) type *const name = (type *)(void *)emu_dynamic

template <class... Params, class... Args>
static inline std::function<void()> emu_bind(int64_t blocks, int threads, size_t bytes,
                                             void (*kernel)(Params...), Args... args) {
  return [=] { emu_run(blocks, threads, bytes, [=] { kernel(args...); }); };
}

void __syncthreads(void);
/* Waits for the warp, passing a value. Returns the value that `lane` passed. */
uint64_t emu_exchange(uint64_t value, int lane);
int emu_lane(void);

template <class T>
static inline T __shfl_sync(unsigned mask, T value, int lane) {
  uint64_t bits = 0;
  (void)mask;
  memcpy(&bits, &value, sizeof value);
  bits = emu_exchange(bits, lane % 32);
  memcpy(&value, &bits, sizeof value);
  return value;
}
template <class T>
static inline T __shfl_xor_sync(unsigned mask, T value, int with) {
  return __shfl_sync(mask, value, emu_lane() ^ with);
}

/* ---- matrix units: src/engine/backend/cuda/mma.h ---- */
void emu_exchange_all(uint64_t value, uint64_t all[32]);
void emu_mma(float d[4], const uint32_t a[4], const uint32_t b[2]);
/* Lanes 0..7 and 8..15 give the rows of two 8 x 8 blocks. A lane receives numbers 2 t and 2 t + 1
 * of column g of each block. */
void emu_load_turned(uint32_t b[2], const uint32_t *row);

#endif
