/* vmath.h - elementary functions of vectors of floats.
 *
 * Each is a range reduction and a short polynomial. The polynomials of exp, sin, cos, tanh and atan
 * are those of Cephes (Moshier, 1989); that of log is from FreeBSD's e_logf.c. NaN gives NaN. exp
 * overflows to infinity and underflows through the subnormals to zero. log of a negative number is
 * NaN, log of zero is -infinity. The largest errors over all floats, in ulp, with or without fused
 * multiply-add (tested by test/engine/backend/test_cpu_math.c):
 *
 *     exp 1.0   log 0.8   sin, cos 1.5   tanh 1.2   atan 2.7
 */
#ifndef FEW_SRC_CPU_VMATH_H
#define FEW_SRC_CPU_VMATH_H

#include <math.h>
#include <stdbool.h>

#include "vec.h"

/* Unsigned lanes, for arithmetic on bits that may wrap. */
typedef uint32_t vu __attribute__((vector_size(VF_W * 4)));

/* x 2^n, rounded once. The lanes of n are integers, |n| <= 252. */
VF_INLINE vf vf_scale2(vf x, vf n) {
#if VF_W == 16
  return _mm512_scalef_ps(x, n);
#else
  const vi k = vf_to_i(n), half = k >> 1; /* for a NaN, k may be any number */
  return x * (vf)((vu)(half + 127) << 23) * (vf)((vu)(k - half + 127) << 23);
#endif
}

VF_INLINE vf vf_exp(vf x) {
  /* Beyond these limits the result is infinity or zero anyway. */
  x = vf_max(vf_set(-104.0f), vf_min(vf_set(89.0f), x));
  const vf n = vf_round(x * 1.44269504088896341f);
  vf r = vf_fnma(n, vf_set(0.693359375f), x);
  r = vf_fnma(n, vf_set(-2.12194440e-4f), r);
  vf p = vf_fma(vf_set(1.9875691500e-4f), r, vf_set(1.3981999507e-3f));
  p = vf_fma(p, r, vf_set(8.3334519073e-3f));
  p = vf_fma(p, r, vf_set(4.1665795894e-2f));
  p = vf_fma(p, r, vf_set(1.6666665459e-1f));
  p = vf_fma(p, r, vf_set(5.0000001201e-1f));
  return vf_scale2(vf_fma(p, r * r, r) + 1.0f, n);
}

/* x = m 2^e with m in [sqrt(1/2), sqrt 2). log m is a polynomial in s = f / (2 + f), f = m - 1. */
VF_INLINE vf vf_log(vf x) {
  const vi tiny = x < 1.17549435e-38f;
  const vf y = vf_select(tiny, x * 33554432.0f, x); /* 2^25 makes subnormals normal */
  const vi top = (vi)((vu)y - 0x3f3504f3u) >> 23;
  const vf f = (vf)((vu)y - ((vu)top << 23)) - 1.0f;
  const vf e = vi_to_f(top - (tiny & 25));
  const vf s = f / (f + 2.0f), z = s * s, w = z * z;
  const vf even = z * vf_fma(w, vf_set(0.28498786688f), vf_set(0.66666662693f));
  const vf odd = w * vf_fma(w, vf_set(0.24279078841f), vf_set(0.40000972152f));
  const vf half = f * f * 0.5f;
  const vf low = vf_fma(s, half + (odd + even), e * 9.0580006145e-06f);
  vf r = e * 6.9313812256e-01f - ((half - low) - f);
  r = vf_select(x < INFINITY, r, x); /* infinity and NaN stay */
  r = vf_select(x < 0.0f, vf_set(NAN), r);
  return vf_select(x == 0.0f, vf_set(-INFINITY), r);
}

typedef int32_t vi_half __attribute__((vector_size(VF_W * 2)));
typedef int32_t vi_half_any __attribute__((vector_size(VF_W * 2), aligned(4), may_alias));

/* x = r + quadrant pi/2 with |r| <= pi/4. This is computed in doubles, with pi/2 in two parts. The
 * first has 25 bits, so that its product with the quadrant is exact up to |x| = 2^27. */
VF_INLINE vf vf_quadrant(vf x, vi *quadrant) {
  float from[VF_W], to[VF_W];
  int32_t q[VF_W];
  vf_store(from, x);
  for (int h = 0; h < VF_W; h += VD_W) {
    const vd y = vd_load_f(from + h), magic = vd_set(6755399441055744.0); /* 1.5 * 2^52 */
    const vd n = (y * 0.636619772367581343 + magic) - magic;
    const vd r = (y - n * 1.57079631090164184570) - n * 1.58932547735281966916e-8;
    *(vf_half_any *)(to + h) = __builtin_convertvector(r, vf_half);
    *(vi_half_any *)(q + h) = __builtin_convertvector(n, vi_half);
  }
  *quadrant = vi_load(q);
  return vf_load(to);
}

/* sin(x + shift pi/2). The quadrant decides between the polynomials of sine and cosine. */
VF_INLINE vf vf_sin_shifted(vf x, int32_t shift) {
  vi q;
  const vf r = vf_quadrant(x, &q), z = r * r;
  q += shift;
  vf s = vf_fma(vf_set(-1.9515295891e-4f), z, vf_set(8.3321608736e-3f));
  s = vf_fma(s, z, vf_set(-1.6666654611e-1f));
  s = vf_fma(s * z, r, r);
  vf c = vf_fma(vf_set(2.443315711809948e-5f), z, vf_set(-1.388731625493765e-3f));
  c = vf_fma(c, z, vf_set(4.166664568298827e-2f));
  c = vf_fma(c, z * z, vf_fnma(z, vf_set(0.5f), vf_set(1.0f)));
  const vf y = vf_select((q & 1) != 0, c, s);
  return (vf)((vu)y ^ ((vu)(q & 2) << 30));
}

/* Sine and cosine of lanes beyond 2^27 are computed one by one by the C library. */
VF_INLINE bool vi_some(vi mask) {
  int32_t any = 0;
  for (int i = 0; i < VF_W; i++) any |= mask[i];
  return any != 0;
}
VF_INLINE vf vf_sin(vf x) {
  vf y = vf_sin_shifted(x, 0);
  const vi far = vf_abs(x) > 0x1p27f;
  if (vi_some(far))
    for (int i = 0; i < VF_W; i++)
      if (far[i]) y[i] = sinf(x[i]);
  return y;
}
VF_INLINE vf vf_cos(vf x) {
  vf y = vf_sin_shifted(x, 1);
  const vi far = vf_abs(x) > 0x1p27f;
  if (vi_some(far))
    for (int i = 0; i < VF_W; i++)
      if (far[i]) y[i] = cosf(x[i]);
  return y;
}

/* An odd polynomial near zero, elsewhere 1 - 2 / (exp(2|x|) + 1) with the sign of x. */
VF_INLINE vf vf_tanh(vf x) {
  const vf a = vf_abs(x), z = x * x;
  vf p = vf_fma(vf_set(-5.70498872745e-3f), z, vf_set(2.06390887954e-2f));
  p = vf_fma(p, z, vf_set(-5.37397155531e-2f));
  p = vf_fma(p, z, vf_set(1.33314422036e-1f));
  p = vf_fma(p, z, vf_set(-3.33332819422e-1f));
  p = vf_fma(p * z, x, x);
  const vf far = 1.0f - 2.0f / (vf_exp(a + a) + 1.0f);
  const vf far_signed = vi_bits(vf_bits(far) | (vf_bits(x) & INT32_MIN));
  return vf_select(a < 0.625f, p, far_signed);
}

/* atan x = pi/2 + atan(-1/x) = pi/4 + atan((x-1)/(x+1)) reduce the argument to |x| <= tan(pi/8). */
VF_INLINE vf vf_atan(vf x) {
  const vf a = vf_abs(x), one = vf_set(1.0f);
  const vi big = a > 2.414213562373095f, mid = a > 0.4142135623730950f;
  const vf num = vf_select(big, -one, vf_select(mid, a - 1.0f, a));
  const vf den = vf_select(big, a, vf_select(mid, a + 1.0f, one));
  const vf t = num / den, z = t * t;
  vf p = vf_fma(vf_set(8.05374449538e-2f), z, vf_set(-1.38776856032e-1f));
  p = vf_fma(p, z, vf_set(1.99777106478e-1f));
  p = vf_fma(p, z, vf_set(-3.33329491539e-1f));
  p = vf_fma(p * z, t, t);
  const vf base = vf_select(big, vf_set(1.57079632679489662f),
                            vf_select(mid, vf_set(0.78539816339744831f), vf_set(0.0f)));
  return vi_bits(vf_bits(base + p) | (vf_bits(x) & INT32_MIN));
}

#endif
