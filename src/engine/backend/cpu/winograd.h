/* winograd.h - tiles and transforms of the 3x3 convolutions of stride 1 and padding 1.
 *
 * Winograd's F(4x4, 3x3) cuts the output into 4 x 4 tiles. Each needs a 6 x 6 patch d of the input,
 * and with 6-point transforms in both directions the convolution becomes a product:
 *
 *     Y = A^T [ sum over c of (G g G^T) o (B^T d B) ] A.
 *
 * It takes 36 multiplications per tile and channel, where the direct form takes 144. The sum over
 * channels, for each of the 36 elements ("frequencies"), is an ordinary product [tiles x Ci][Ci x
 * Co].
 *
 * The transforms interpolate polynomials at 0, a, -a, b, -b and infinity. Lavin & Gray
 * (arXiv:1509.09308) take a = 1, b = 2. Here a = 5/8, b = 3/2: pairs of opposite points are as
 * cheap to use, every constant is still exact in a float, and the rounding error halves. The table
 * has the rms error against doubles, relative to the rms of the result, for 128 channels of normal
 * numbers (in brackets, the largest error):
 *
 *                   forward           weight gradient
 *     1, 2          2.3e-6 (3.1e-5)   1.7e-6 (1.9e-5)
 *     5/8, 3/2      1.1e-6 (0.8e-5)   0.7e-6 (0.4e-5)
 *     direct        0.2e-6
 *
 * Rows of B^T, by point, with P = a^2 and Q = b^2. Those of -a and -b have the odd terms negated.
 *
 *     0: PQ, 0, -(P+Q), 0, 1, 0    a: 0, -aQ, -Q, a, 1, 0    b: 0, -bP, -P, b, 1, 0
 *     infinity: 0, PQ, 0, -(P+Q), 0, 1
 *
 * G's row of point p is (1, p, p^2) / N_p, where N_p is the product of (p - q) over the other
 * points. A^T's column is (1, p, p^2, p^3). For infinity both are the last unit vector.
 */
#ifndef FEW_SRC_CPU_WINOGRAD_H
#define FEW_SRC_CPU_WINOGRAD_H

#include "gemm.h"

enum { FREQ = 36 };

#define WINO_A 0.625f
#define WINO_B 1.5f
#define WINO_P (WINO_A * WINO_A)
#define WINO_Q (WINO_B * WINO_B)
#define WINO_N0 (WINO_P * WINO_Q)
#define WINO_NA (2 * WINO_P * (WINO_P - WINO_Q))
#define WINO_NB (2 * WINO_Q * (WINO_Q - WINO_P))

/* Images of h x w, cut into tiles of 4 x 4. Tiles are numbered consecutively over all images. */
struct wino_grid {
  int64_t h, w, tw, per_image, tiles;
};
VF_INLINE struct wino_grid wino_grid(int64_t n, int64_t h, int64_t w) {
  struct wino_grid g = {.h = h, .w = w, .tw = (w + 3) / 4};
  g.per_image = g.tw * ((h + 3) / 4);
  g.tiles = n * g.per_image;
  return g;
}

/* Where tile t begins: image, row, column. */
struct wino_place {
  int64_t n, row, col;
};
VF_INLINE struct wino_place wino_place(const struct wino_grid *g, int64_t t) {
  const int64_t in_image = t % g->per_image;
  return (struct wino_place){t / g->per_image, in_image / g->tw * 4, in_image % g->tw * 4};
}

/* Writes the addresses of size x size pixels, of which the first is at (row, col). Pixels outside
 * the image have the address `zeros`. */
VF_INLINE void wino_pixels(const struct wino_grid *g, const float *x, int64_t channels, int size,
                           struct wino_place at, const float *zeros, const float **pixel) {
  for (int i = 0; i < size; i++)
    for (int j = 0; j < size; j++) {
      const int64_t r = at.row + i, c = at.col + j;
      const bool inside = r >= 0 && r < g->h && c >= 0 && c < g->w;
      pixel[i * size + j] = inside ? x + ((at.n * g->h + r) * g->w + c) * channels : zeros;
    }
}

VF_INLINE vf wino_load(const float *p, int64_t n) {
  return n >= VF_W ? vf_load(p) : n > 0 ? vf_load_n(p, n) : (vf){0};
}

/* B^T of six elements. */
VF_INLINE void wino_input(const vf d[6], vf t[6]) {
  const vf p = vf_set(-WINO_P), q = vf_set(-WINO_Q), pq = vf_set(WINO_P * WINO_Q);
  const vf s = vf_set(-(WINO_P + WINO_Q)), a = vf_set(WINO_A), b = vf_set(WINO_B);
  const vf even_a = vf_fma(q, d[2], d[4]), odd_a = vf_fma(q, d[1], d[3]);
  const vf even_b = vf_fma(p, d[2], d[4]), odd_b = vf_fma(p, d[1], d[3]);
  t[0] = vf_fma(pq, d[0], vf_fma(s, d[2], d[4]));
  t[1] = vf_fma(a, odd_a, even_a);
  t[2] = vf_fma(-a, odd_a, even_a);
  t[3] = vf_fma(b, odd_b, even_b);
  t[4] = vf_fma(-b, odd_b, even_b);
  t[5] = vf_fma(pq, d[1], vf_fma(s, d[3], d[5]));
}

/* Transforms a 6 x 6 patch. Channels go in chunks of VF_W, the last padded with zeros: frequency f
 * of chunk k goes to to[f * freq + k * chunk]. The next tile is usually the one to the right. Its
 * pixels are prefetched here, since the processor does not detect 36 short runs as a stream. */
VF_INLINE void wino_input_tile(const float *const pixel[FREQ], int64_t channels, float *to,
                               int64_t freq, int64_t chunk) {
  for (int64_t c = 0; c < channels; c += VF_W, to += chunk) {
    vf t[6][6];
    VF_UNROLL(6)
    for (int j = 0; j < 6; j++) {
      vf d[6], col[6];
      VF_UNROLL(6)
      for (int i = 0; i < 6; i++) {
        d[i] = wino_load(pixel[i * 6 + j] + c, channels - c);
        if (j >= 2) __builtin_prefetch(pixel[i * 6 + j] + c + 4 * channels);
      }
      wino_input(d, col);
      VF_UNROLL(6)
      for (int i = 0; i < 6; i++) t[i][j] = col[i];
    }
    VF_UNROLL(6)
    for (int i = 0; i < 6; i++) {
      vf row[6];
      wino_input(t[i], row);
      VF_UNROLL(6)
      for (int j = 0; j < 6; j++) vf_store(to + (i * 6 + j) * freq, row[j]);
    }
  }
}

/* Distance of the frequencies' arrays, each of `floats`: one cache line more than necessary. If it
 * were a multiple of 4 KiB, the 36 stores of a tile would share one set of the cache. */
VF_INLINE int64_t wino_spread(int64_t floats) { return round_up(floats, 16) + 16; }

#endif
