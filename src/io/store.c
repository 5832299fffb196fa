/* store.c - the number types that tensors have in files.
 *
 * Tensors in files (safetensors, npy, pth) are little-endian. few runs only on little-endian
 * machines, so it never swaps bytes. Elements may be unaligned in a file, so memcpy copies them.
 *
 * C11 has no type for half precision, so it is converted by hand. F16 has 1 + 5 + 10 bits and a
 * bias of 15. Its normal numbers become floats by a shift and by adding 112 to the exponent; its
 * subnormals are m 2^-24, which is exact in a float. BF16 is the upper half of a float.
 */
#include "store.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "few reads little-endian files in place: port src/io/store.c first"
#endif

static const struct {
  const char *name;
  size_t size;
} stores[FEW_STORE_COUNT] = {
    [FEW_STORE_BOOL] = {"BOOL", 1}, [FEW_STORE_U8] = {"U8", 1},   [FEW_STORE_I8] = {"I8", 1},
    [FEW_STORE_I16] = {"I16", 2},   [FEW_STORE_F16] = {"F16", 2}, [FEW_STORE_BF16] = {"BF16", 2},
    [FEW_STORE_I32] = {"I32", 4},   [FEW_STORE_F32] = {"F32", 4}, [FEW_STORE_I64] = {"I64", 8},
    [FEW_STORE_F64] = {"F64", 8},
};

size_t few__store_size(enum few_store s) {
  assert(s < FEW_STORE_COUNT);
  return stores[s].size;
}
const char *few__store_name(enum few_store s) {
  assert(s < FEW_STORE_COUNT);
  return stores[s].name;
}

bool few__store_from_name(enum few_store *out, const char *name) {
  for (int i = 0; i < FEW_STORE_COUNT; i++) {
    if (strcmp(stores[i].name, name) != 0) continue;
    *out = (enum few_store)i;
    return true;
  }
  return false;
}

bool few__store_count(enum few_store s, int rank, const int64_t *dim, int64_t *count,
                      size_t *bytes) {
  int64_t n = 1;
  assert(s < FEW_STORE_COUNT && rank >= 0 && rank <= FEW_STORE_RANK);
  for (int i = 0; i < rank; i++) {
    if (dim[i] < 0 || (dim[i] && n > INT64_MAX / dim[i])) return false;
    n *= dim[i];
  }
  if ((uint64_t)n > SIZE_MAX / stores[s].size) return false;
  *count = n;
  *bytes = (size_t)n * stores[s].size;
  return true;
}

static float float_of_bits(uint32_t u) {
  float x;
  memcpy(&x, &u, sizeof x);
  return x;
}

static uint32_t bits_of_float(float x) {
  uint32_t u;
  memcpy(&u, &x, sizeof u);
  return u;
}

static float f16_to_f32(uint16_t h) {
  uint32_t sign = (uint32_t)(h & 0x8000u) << 16, e = (h >> 10) & 31, m = h & 0x3ffu;
  if (e == 31) return float_of_bits(sign | 0x7f800000u | m << 13);
  if (e) return float_of_bits(sign | (e + 112) << 23 | m << 13);
  float x = (float)m * 0x1p-24f;
  return sign ? -x : x;
}

/* u >> shift, rounded to nearest with ties to even; 0 < shift < 32. */
static uint32_t shift_round(uint32_t u, int shift) {
  uint32_t half = 1u << (shift - 1), rest = u & (2 * half - 1), q = u >> shift;
  return q + (rest > half || (rest == half && (q & 1)));
}

static uint16_t f32_to_f16(float x) {
  uint32_t u = bits_of_float(x), sign = u >> 16 & 0x8000u;
  u &= 0x7fffffffu;
  if (u > 0x7f800000u) return (uint16_t)(sign | 0x7e00u);  /* NaN */
  if (u >= 0x477ff000u) return (uint16_t)(sign | 0x7c00u); /* 65520 and up */
  if (u >= 0x38800000u) return (uint16_t)(sign | shift_round(u - 0x38000000u, 13));
  int e = (int)(u >> 23); /* below 2^-14 the result is m 2^-24: shift the significand by 126 - e */
  if (e < 102) return (uint16_t)sign;
  return (uint16_t)(sign | shift_round((u & 0x7fffffu) | 0x800000u, 126 - e));
}

static uint16_t f32_to_bf16(float x) {
  uint32_t u = bits_of_float(x);
  if ((u & 0x7fffffffu) > 0x7f800000u) return (uint16_t)(u >> 16 | 0x40u); /* NaN stays NaN */
  return (uint16_t)shift_round(u, 16);
}

/* A loop for each type: loads T from in, converts it, stores it to out as F. */
#define EACH(T, F, convert)                         \
  for (int64_t i = 0; i < n; i++) {                 \
    T v;                                            \
    memcpy(&v, p + (size_t)i * sizeof v, sizeof v); \
    out[i] = (F)(convert);                          \
  }                                                 \
  break

#define TO_FLOAT(F)                                        \
  switch (s) {                                             \
    case FEW_STORE_BOOL:                                   \
      EACH(uint8_t, F, v != 0);                            \
    case FEW_STORE_U8:                                     \
      EACH(uint8_t, F, v);                                 \
    case FEW_STORE_I8:                                     \
      EACH(int8_t, F, v);                                  \
    case FEW_STORE_I16:                                    \
      EACH(int16_t, F, v);                                 \
    case FEW_STORE_F16:                                    \
      EACH(uint16_t, F, f16_to_f32(v));                    \
    case FEW_STORE_BF16:                                   \
      EACH(uint16_t, F, float_of_bits((uint32_t)v << 16)); \
    case FEW_STORE_I32:                                    \
      EACH(int32_t, F, v);                                 \
    case FEW_STORE_F32:                                    \
      EACH(float, F, v);                                   \
    case FEW_STORE_I64:                                    \
      EACH(int64_t, F, v);                                 \
    case FEW_STORE_F64:                                    \
      EACH(double, F, v);                                  \
    case FEW_STORE_COUNT:                                  \
      assert(0);                                           \
  }

void few__store_to_f32(enum few_store s, const void *in, int64_t n, float *out) {
  const char *p = in;
  assert(n >= 0 && (!n || (in && out)));
  TO_FLOAT(float)
}

void few__store_to_f64(enum few_store s, const void *in, int64_t n, double *out) {
  const char *p = in;
  assert(n >= 0 && (!n || (in && out)));
  TO_FLOAT(double)
}

void few__store_from_f32(enum few_store s, const float *in, int64_t n, void *out) {
  assert(s == FEW_STORE_F16 || s == FEW_STORE_BF16 || s == FEW_STORE_F32 || s == FEW_STORE_F64);
  char *p = out;
  for (int64_t i = 0; i < n; i++) {
    uint16_t half = s == FEW_STORE_F16 ? f32_to_f16(in[i]) : f32_to_bf16(in[i]);
    double wide = (double)in[i];
    const void *from = s == FEW_STORE_F32 ? (const void *)&in[i] : &half;
    if (s == FEW_STORE_F64) from = &wide;
    memcpy(p + (size_t)i * stores[s].size, from, stores[s].size);
  }
}
