/* k_resample.c - halve and double the resolution of [N,H,W,C] with a separable filter.
 *
 *     down: y[n,i,j,c] = sum over a,b of f[a] f[b] x[n, 2i + a - (n/2-1), 2j + b - (n/2-1), c]
 *
 * for n taps (n even) that sum to 1, with x = 0 outside. up is 4 times its transpose, so that it
 * keeps the mean. With f = [1/2, 1/2] it repeats each pixel 2x2.
 */
#include "real.h"

/* Visits every tap that joins a pixel of small [N,H,W,C] with one of large [N,2H,2W,C]. */
static void resample(const struct few_call *c, struct few_shape small, struct few_shape large,
                     bool up, double gain) {
  const int64_t N = small.dim[0], H = small.dim[1], W = small.dim[2], C = small.dim[3];
  const int64_t LH = large.dim[1], LW = large.dim[2];
  const int64_t taps = c->node->attr.resample.n, first = taps / 2 - 1;
  const double *f = c->node->attr.resample.tap;
  assert(large.dim[0] == N && LH == 2 * H && LW == 2 * W && large.dim[3] == C);
  clear(c->out, count_of(c->shape));
  for (int64_t n = 0; n < N; n++)
    for (int64_t i = 0; i < H; i++)
      for (int64_t j = 0; j < W; j++)
        for (int64_t a = 0; a < taps; a++)
          for (int64_t b = 0; b < taps; b++) {
            const int64_t p = 2 * i + a - first, q = 2 * j + b - first;
            if (p < 0 || p >= LH || q < 0 || q >= LW) continue;
            const int64_t s = ((n * H + i) * W + j) * C, l = ((n * LH + p) * LW + q) * C;
            const real weight = (real)(gain * f[a] * f[b]);
            const real *x = (const real *)c->in[0].data + (up ? s : l);
            real *y = (real *)c->out + (up ? l : s);
            for (int64_t k = 0; k < C; k++) y[k] += weight * x[k];
          }
}

void K(down)(const struct few_call *c) { resample(c, c->shape, c->in[0].shape, false, 1); }

NO_SCRATCH(down)

void K(up)(const struct few_call *c) { resample(c, c->in[0].shape, c->shape, true, 4); }

NO_SCRATCH(up)
