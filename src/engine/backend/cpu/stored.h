/* stored.h - numbers in memory that are stored in f32 or in bf16.
 *
 * Kernels compute in f32: they load numbers of either storage as vectors of floats, and round what
 * they store. The bool of struct from or struct to selects the storage. If it is constant after
 * inlining, a load or store has no branch: STORED_1(), STORED_2() and STORED_3() compile an inlined
 * function for each combination. num_floats(), num_put_floats() and num_copy() branch once per
 * row.
 */
#ifndef FEW_SRC_CPU_STORED_H
#define FEW_SRC_CPU_STORED_H

#include "cpu.h"
#include "vec.h"

struct from {
  const void *at;
  bool bf16;
};
struct to {
  void *at;
  bool bf16;
};

VF_INLINE struct from num_operand(const struct few_call *call, int i) {
  return (struct from){call->in[i].data, call->in[i].bf16};
}
VF_INLINE struct to num_result(const struct few_call *call) {
  return (struct to){call->out, call->bf16[0]};
}
VF_INLINE struct from num_f32(const float *x) { return (struct from){x, false}; }

/* The numbers from number k on. */
VF_INLINE struct from num_from(struct from x, int64_t k) {
  x.at = (const char *)x.at + k * (x.bf16 ? 2 : 4);
  return x;
}
VF_INLINE struct to num_to(struct to y, int64_t k) {
  y.at = (char *)y.at + k * (y.bf16 ? 2 : 4);
  return y;
}

/* Loads numbers k to k + VF_W - 1; n <= VF_W numbers; one number. */
VF_INLINE vf num_load(struct from x, int64_t k) {
  return x.bf16 ? vf_load_bf16((const uint16_t *)x.at + k) : vf_load((const float *)x.at + k);
}
VF_INLINE vf num_load_n(struct from x, int64_t k, int64_t n) {
  if (n == VF_W) return num_load(x, k);
  return x.bf16 ? vf_load_bf16_n((const uint16_t *)x.at + k, n)
                : vf_load_n((const float *)x.at + k, n);
}
VF_INLINE float num_get(struct from x, int64_t k) {
  return x.bf16 ? bf16_to_float(((const uint16_t *)x.at)[k]) : ((const float *)x.at)[k];
}
VF_INLINE void num_store(struct to y, int64_t k, vf x) {
  if (y.bf16)
    vf_store_bf16((uint16_t *)y.at + k, x);
  else
    vf_store((float *)y.at + k, x);
}
VF_INLINE void num_store_n(struct to y, int64_t k, vf x, int64_t n) {
  if (n == VF_W)
    num_store(y, k, x);
  else if (y.bf16)
    vf_store_bf16_n((uint16_t *)y.at + k, x, n);
  else
    vf_store_n((float *)y.at + k, x, n);
}
VF_INLINE void num_put(struct to y, int64_t k, float x) {
  if (y.bf16)
    ((uint16_t *)y.at)[k] = float_to_bf16(x);
  else
    ((float *)y.at)[k] = x;
}

/* Copies n numbers to floats, and floats to n numbers. They do not overlap. */
static inline void num_floats(float *to, struct from x, int64_t n) {
  if (!x.bf16) {
    memcpy(to, x.at, (size_t)n * sizeof *to);
    return;
  }
  int64_t k = 0;
  for (; k + VF_W <= n; k += VF_W) vf_store(to + k, vf_load_bf16((const uint16_t *)x.at + k));
  if (k < n) vf_store_n(to + k, vf_load_bf16_n((const uint16_t *)x.at + k, n - k), n - k);
}
static inline void num_put_floats(struct to y, const float *x, int64_t n) {
  if (!y.bf16) {
    memcpy(y.at, x, (size_t)n * sizeof *x);
    return;
  }
  int64_t k = 0;
  for (; k + VF_W <= n; k += VF_W) vf_store_bf16((uint16_t *)y.at + k, vf_load(x + k));
  if (k < n) vf_store_bf16_n((uint16_t *)y.at + k, vf_load_n(x + k, n - k), n - k);
}
/* Copies n numbers; if both sides have the same storage, to the bit. They do not overlap. */
static inline void num_copy(struct to y, struct from x, int64_t n) {
  if (x.bf16 && y.bf16)
    memcpy(y.at, x.at, (size_t)n * sizeof(uint16_t));
  else if (x.bf16)
    num_floats(y.at, x, n);
  else
    num_put_floats(y, x.at, n);
}

/* Sets n numbers to x. */
static inline void num_fill(struct to y, float x, int64_t n) {
  if (y.bf16) {
    uint16_t *to = y.at;
    const uint16_t half = float_to_bf16(x);
    for (int64_t k = 0; k < n; k++) to[k] = half;
  } else {
    float *to = y.at;
    for (int64_t k = 0; k < n; k++) to[k] = x;
  }
}

/* Calls f(a, ...), f(a, b, ...) or f(a, b, c, ...) with a constant for each bool. */
#define STORED_1(f, a, ...)  \
  do {                       \
    if (a)                   \
      f(true, __VA_ARGS__);  \
    else                     \
      f(false, __VA_ARGS__); \
  } while (0)
#define STORED_2(f, a, b, ...)            \
  do {                                    \
    if (b)                                \
      STORED_1(f, a, true, __VA_ARGS__);  \
    else                                  \
      STORED_1(f, a, false, __VA_ARGS__); \
  } while (0)
#define STORED_3(f, a, b, c, ...)            \
  do {                                       \
    if (c)                                   \
      STORED_2(f, a, b, true, __VA_ARGS__);  \
    else                                     \
      STORED_2(f, a, b, false, __VA_ARGS__); \
  } while (0)

#endif
