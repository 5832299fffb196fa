/* vec.h - vectors of floats, as wide as the instruction set that the file is compiled for.
 *
 * vf holds VF_W floats (4, 8 or 16), vi as many int32. + - * / & | ^ << >> and comparisons work on
 * them as GCC and clang define it. A comparison gives a vi of -1 (true) and 0. A scalar operand is
 * broadcast: 2.0f * x. vf_fma() rounds once if the machine can. a*b + c always rounds twice,
 * since these files are compiled with -ffp-contract=off.
 */
#ifndef FEW_SRC_CPU_VEC_H
#define FEW_SRC_CPU_VEC_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

#if defined(__AVX512F__)
#define VF_W 16
#elif defined(__AVX2__)
#define VF_W 8
#else
#define VF_W 4
#endif

#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
#define VF_HAS_FMA 1
#else
#define VF_HAS_FMA 0
#endif

typedef float vf __attribute__((vector_size(VF_W * 4)));
typedef int32_t vi __attribute__((vector_size(VF_W * 4)));
typedef uint32_t vu __attribute__((vector_size(VF_W * 4)));
typedef float vf_any __attribute__((vector_size(VF_W * 4), aligned(4), may_alias));
typedef int32_t vi_any __attribute__((vector_size(VF_W * 4), aligned(4), may_alias));

#define VF_INLINE static inline __attribute__((always_inline, unused))

/* Write VF_UNROLL before a loop of constant length over an array of vectors. Once the loop is
 * unrolled, the compiler keeps the array in registers. */
#if defined(__clang__)
#define VF_UNROLL(n) _Pragma("clang loop unroll(full)")
#else
#define VF_UNROLL(n) _Pragma("GCC unroll 16")
#endif

/* Loads and stores, of any alignment. */
VF_INLINE vf vf_load(const float *p) { return *(const vf_any *)p; }
/* The bits of anything else as a vector. */
typedef float vf_bytes __attribute__((vector_size(VF_W * 4), aligned(1), may_alias));
VF_INLINE vf vf_load_bytes(const void *p) { return *(const vf_bytes *)p; }
VF_INLINE void vf_store(float *p, vf x) { *(vf_any *)p = x; }
VF_INLINE vi vi_load(const int32_t *p) { return *(const vi_any *)p; }
VF_INLINE void vi_store(int32_t *p, vi x) { *(vi_any *)p = x; }
VF_INLINE vf vf_set(float x) { return x - (vf){0}; }
VF_INLINE vi vi_set(int32_t x) { return x - (vi){0}; }

/* .._bits() reinterprets the bits; _to_ converts the numbers, toward zero if to int. */
VF_INLINE vi vf_bits(vf x) { return (vi)x; }
VF_INLINE vf vi_bits(vi x) { return (vf)x; }
VF_INLINE vf vi_to_f(vi x) { return __builtin_convertvector(x, vf); }
VF_INLINE vi vf_to_i(vf x) { return __builtin_convertvector(x, vi); }

/* mask ? a : b for the masks that comparisons give (all bits of a lane equal). */
VF_INLINE vf vf_select(vi mask, vf a, vf b) {
#if VF_W == 16
  return _mm512_mask_blend_ps(_mm512_movepi32_mask((__m512i)mask), b, a);
#elif VF_W == 8
  return _mm256_blendv_ps(b, a, (__m256)mask);
#else
  return (vf)((mask & (vi)a) | (~mask & (vi)b));
#endif
}

/* a b + c, rounded once where VF_HAS_FMA; a b - c; c - a b. */
VF_INLINE vf vf_fma(vf a, vf b, vf c) {
#if VF_W == 16
  return _mm512_fmadd_ps(a, b, c);
#elif VF_W == 8
  return _mm256_fmadd_ps(a, b, c);
#elif defined(__ARM_FEATURE_FMA) && defined(__ARM_NEON)
  return (vf)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#else
  return a * b + c;
#endif
}
VF_INLINE vf vf_fms(vf a, vf b, vf c) { return vf_fma(a, b, -c); }
VF_INLINE vf vf_fnma(vf a, vf b, vf c) { return vf_fma(-a, b, c); }

/* Gives b where a is NaN, as x86 does: vf_max(x, limit) replaces a NaN in x and vf_max(limit, x)
 * propagates it. */
VF_INLINE vf vf_max(vf a, vf b) {
#if VF_W == 16
  return _mm512_max_ps(a, b);
#elif VF_W == 8
  return _mm256_max_ps(a, b);
#elif defined(__SSE2__)
  return (vf)_mm_max_ps((__m128)a, (__m128)b);
#else
  return vf_select(a > b, a, b);
#endif
}
VF_INLINE vf vf_min(vf a, vf b) {
#if VF_W == 16
  return _mm512_min_ps(a, b);
#elif VF_W == 8
  return _mm256_min_ps(a, b);
#elif defined(__SSE2__)
  return (vf)_mm_min_ps((__m128)a, (__m128)b);
#else
  return vf_select(a < b, a, b);
#endif
}
VF_INLINE vf vf_abs(vf x) { return vi_bits(vf_bits(x) & 0x7fffffff); }
VF_INLINE vf vf_sqrt(vf x) {
#if VF_W == 16
  return _mm512_sqrt_ps(x);
#elif VF_W == 8
  return _mm256_sqrt_ps(x);
#elif defined(__SSE2__)
  return (vf)_mm_sqrt_ps((__m128)x);
#else
  for (int i = 0; i < VF_W; i++) x[i] = __builtin_sqrtf(x[i]);
  return x;
#endif
}
/* Rounds to the nearest integer, ties to even. Without optimisation the intrinsic is a macro that
 * causes a warning. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-conversion"
VF_INLINE vf vf_round(vf x) {
#if VF_W == 16
  return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#elif VF_W == 8
  return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#else
  const vf magic = vf_set(12582912.0f); /* 1.5 * 2^23: adding it rounds the fraction away */
  return vf_select(vf_abs(x) < 4194304.0f, (x + magic) - magic, x);
#endif
}
#pragma GCC diagnostic pop

/* From 2^23 on, all floats are integers. */
VF_INLINE vf vf_floor(vf x) {
  const vf r = vf_select(vf_abs(x) < 8388608.0f, vi_to_f(vf_to_i(x)), x);
  return vf_select(r > x, r - 1.0f, r);
}

/* Loads and stores of the first n < VF_W elements. The other lanes are loaded as zero; memory
 * beyond n is neither read nor written. */
VF_INLINE vf vf_load_n(const float *p, int64_t n) {
#if VF_W == 16
  return _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1u), p);
#elif VF_W == 8
  const vi lane = {0, 1, 2, 3, 4, 5, 6, 7};
  return _mm256_maskload_ps(p, (__m256i)(lane < (int32_t)n));
#else
  vf x = {0};
  memcpy(&x, p, (size_t)n * sizeof *p);
  return x;
#endif
}
VF_INLINE void vf_store_n(float *p, vf x, int64_t n) {
#if VF_W == 16
  _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1u), x);
#elif VF_W == 8
  const vi lane = {0, 1, 2, 3, 4, 5, 6, 7};
  _mm256_maskstore_ps(p, (__m256i)(lane < (int32_t)n), x);
#else
  memcpy(p, &x, (size_t)n * sizeof *p);
#endif
}

/* Loads and stores of numbers in bf16, the upper half of a float. Storing rounds to nearest, ties
 * to even. NaN stays NaN. */
VF_INLINE vf vf_load_bf16(const uint16_t *p) {
#if VF_W == 16
  return (vf)_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const void *)p)), 16);
#elif VF_W == 8
  return (vf)_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const void *)p)), 16);
#elif defined(__SSE2__)
  return (vf)_mm_unpacklo_epi16(_mm_setzero_si128(), _mm_loadl_epi64((const void *)p));
#else
  vi x = {0};
  for (int i = 0; i < VF_W; i++) x[i] = (int32_t)((uint32_t)p[i] << 16);
  return vi_bits(x);
#endif
}
/* The nearest bf16 number, in the upper half of each lane. The lower half has any value. */
VF_INLINE vi vf_round_bf16(vf x) {
  /* unsigned, because a NaN may overflow */
  const vi bits = vf_bits(x), nearest = (vi)((vu)bits + 0x7fff + (((vu)bits >> 16) & 1));
  const vi quiet = vi_set(0x400000); /* a NaN keeps at least this bit */
#if VF_W == 16
  const __mmask16 nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
  return (vi)_mm512_mask_or_epi32((__m512i)nearest, nan, (__m512i)bits, (__m512i)quiet);
#else
  const vi number = x == x; /* NOLINT(misc-redundant-expression): false for NaN */
  return vf_bits(vf_select(number, vi_bits(nearest), vi_bits(bits | quiet)));
#endif
}
VF_INLINE void vf_store_bf16(uint16_t *p, vf x) {
  const vi half = vf_round_bf16(x) >> 16;
#if VF_W == 16
  _mm256_storeu_si256((void *)p, _mm512_cvtepi32_epi16((__m512i)half));
#elif VF_W == 8
  const __m256i packed = _mm256_packs_epi32((__m256i)half, (__m256i)half);
  _mm_storeu_si128((void *)p, _mm256_castsi256_si128(_mm256_permute4x64_epi64(packed, 0x08)));
#elif defined(__SSE2__)
  _mm_storel_epi64((void *)p, _mm_packs_epi32((__m128i)half, (__m128i)half));
#else
  for (int i = 0; i < VF_W; i++) p[i] = (uint16_t)half[i];
#endif
}
VF_INLINE vf vf_load_bf16_n(const uint16_t *p, int64_t n) {
#if VF_W == 16
  const __m256i some = _mm256_maskz_loadu_epi16((__mmask16)((1u << n) - 1u), p);
  return (vf)_mm512_slli_epi32(_mm512_cvtepu16_epi32(some), 16);
#else
  uint16_t some[VF_W] = {0};
  memcpy(some, p, (size_t)n * sizeof *p);
  return vf_load_bf16(some);
#endif
}
VF_INLINE void vf_store_bf16_n(uint16_t *p, vf x, int64_t n) {
  uint16_t some[VF_W];
  vf_store_bf16(some, x);
#if VF_W == 16
  _mm256_mask_storeu_epi16(p, (__mmask16)((1u << n) - 1u), _mm256_loadu_si256((const void *)some));
#else
  memcpy(p, some, (size_t)n * sizeof *p);
#endif
}
VF_INLINE float bf16_to_float(uint16_t half) {
  const uint32_t bits = (uint32_t)half << 16;
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}
VF_INLINE uint16_t float_to_bf16(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return (uint16_t)((x != x ? bits | 0x400000 : bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/* Sum and maximum over the lanes, by halving. The order is fixed for a width, so sums of different
 * widths may round differently. */
#if VF_W == 8
#define VF_FOLD(x, f)                                                       \
  __m128 half_ = f(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1)); \
  half_ = f(half_, _mm_movehl_ps(half_, half_));                            \
  return _mm_cvtss_f32(f(half_, _mm_shuffle_ps(half_, half_, 1)))
#elif VF_W == 4 && defined(__SSE2__)
#define VF_FOLD(x, f)                                                           \
  const __m128 half_ = f((__m128)(x), _mm_movehl_ps((__m128)(x), (__m128)(x))); \
  return _mm_cvtss_f32(f(half_, _mm_shuffle_ps(half_, half_, 1)))
#endif
VF_INLINE float vf_sum(vf x) {
#if VF_W == 16
  return _mm512_reduce_add_ps(x);
#elif defined(VF_FOLD)
  VF_FOLD(x, _mm_add_ps);
#else
  return (x[0] + x[2]) + (x[1] + x[3]);
#endif
}
VF_INLINE float vf_max_lane(vf x) {
#if VF_W == 16
  return _mm512_reduce_max_ps(x);
#elif defined(VF_FOLD)
  VF_FOLD(x, _mm_max_ps);
#else
  const float a = x[0] > x[2] ? x[0] : x[2], b = x[1] > x[3] ? x[1] : x[3];
  return a > b ? a : b;
#endif
}

/* Interleaved elements a0 b0 a1 b1 ...: vf_zip_low() has the first VF_W, vf_zip_high() the last. */
#if defined(__clang__)
#define VF_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define VF_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (vi){__VA_ARGS__})
#endif
VF_INLINE vf vf_zip_low(vf a, vf b) {
#if VF_W == 16
  return VF_SHUFFLE(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
#elif VF_W == 8
  return VF_SHUFFLE(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
#else
  return VF_SHUFFLE(a, b, 0, 4, 1, 5);
#endif
}
VF_INLINE vf vf_zip_high(vf a, vf b) {
#if VF_W == 16
  return VF_SHUFFLE(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
#elif VF_W == 8
  return VF_SHUFFLE(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
#else
  return VF_SHUFFLE(a, b, 2, 6, 3, 7);
#endif
}
/* Transposes the VF_W x VF_W matrix of rows r. Zipping each row with the row half the matrix away
 * rotates the bits of the index (row, column) by one; log2 VF_W rotations exchange row and
 * column. */
VF_INLINE void vf_transpose(vf r[VF_W]) {
  VF_UNROLL(4)
  for (int bit = 1; bit < VF_W; bit *= 2) {
    vf z[VF_W];
    VF_UNROLL(VF_W / 2)
    for (int i = 0; i < VF_W / 2; i++) {
      z[2 * i] = vf_zip_low(r[i], r[i + VF_W / 2]);
      z[2 * i + 1] = vf_zip_high(r[i], r[i + VF_W / 2]);
    }
    VF_UNROLL(VF_W)
    for (int i = 0; i < VF_W; i++) r[i] = z[i];
  }
}

/* Doubles, for sums that must not lose digits. A vector of them has half as many lanes as vf. */
typedef double vd __attribute__((vector_size(VF_W * 4)));
enum { VD_W = VF_W / 2 };
typedef float vf_half __attribute__((vector_size(VF_W * 2)));
typedef float vf_half_any __attribute__((vector_size(VF_W * 2), aligned(4), may_alias));
VF_INLINE vd vd_set(double x) { return x - (vd){0}; }
VF_INLINE vd vd_load_f(const float *p) {
  return __builtin_convertvector(*(const vf_half_any *)p, vd);
}
VF_INLINE double vd_sum(vd x) {
  double s = 0;
  for (int i = 0; i < VD_W; i++) s += x[i];
  return s;
}

/* The smaller of two numbers; and n rounded up to a multiple of `to`. */
VF_INLINE int64_t min_of(int64_t a, int64_t b) { return a < b ? a : b; }
VF_INLINE int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

#endif
