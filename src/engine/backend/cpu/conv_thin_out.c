/* conv_thin_out.c - convolution to few channels: y of a network's last layer, dx of its first one.
 *
 * A matrix product would use only 1 to 4 of the up to 32 columns of its register tile. Here the
 * vectors run along the channels of x instead. P = VF_W / co neighbouring pixels with co outputs
 * each have P co vectors of partial sums. One transposition turns these into one vector of results,
 * which is contiguous in y.
 */
#include "conv.h"

struct thin {
  const struct few_conv *v;
  const float *weights; /* [tap][co][ci, padded with zeros to whole vectors] */
  const float *zeros;
};

static int64_t whole(const struct few_conv *v) { return round_up(v->ci, VF_W); }

int64_t FEW_ISA(few__conv_thin_out_scratch)(const struct few_conv *v) {
  return whole(v) * (v->kh * v->kw * v->co + 1);
}

static void copy_weights(const struct few_conv *v, float *to) {
  for (int64_t tap = 0; tap < v->kh * v->kw; tap++)
    for (int64_t o = 0; o < v->co; o++, to += whole(v))
      for (int64_t i = 0; i < whole(v); i++)
        to[i] = i < v->ci ? v->weights[(tap * v->ci + i) * v->co + o] : 0;
}

/* acc[p co + o] += the products of one tap. The sum over the lanes of acc is taken later. */
VF_INLINE void one_tap(int pixels, int co, const float *const *x, const float *w, int64_t ci,
                       vf acc[VF_W]) {
  const int64_t step = round_up(ci, VF_W);
  for (int64_t i = 0; i < ci; i += VF_W) {
    vf wo[CONV_THIN];
    VF_UNROLL(CONV_THIN)
    for (int o = 0; o < co; o++) wo[o] = vf_load(w + o * step + i);
    VF_UNROLL(VF_W)
    for (int p = 0; p < pixels; p++) {
      const vf d = i + VF_W <= ci ? vf_load(x[p] + i) : vf_load_n(x[p] + i, ci - i);
      VF_UNROLL(CONV_THIN)
      for (int o = 0; o < co; o++) acc[p * co + o] = vf_fma(d, wo[o], acc[p * co + o]);
    }
  }
}

/* Writes the outputs of VF_W / co pixels from y[n,p,q] on, or of those left in the row. */
VF_INLINE void one_group(const struct thin *s, int co, int64_t n, int64_t p, int64_t q) {
  const struct few_conv *v = s->v;
  const int pixels = VF_W / co;
  vf acc[VF_W];
  VF_UNROLL(VF_W)
  for (int i = 0; i < VF_W; i++) acc[i] = (vf){0};
  for (int64_t a = 0; a < v->kh; a++) {
    const int64_t row = p * v->stride + a - v->pad_h;
    if (row < 0 || row >= v->h) continue;
    for (int64_t b = 0; b < v->kw; b++) {
      const float *x[VF_W];
      for (int k = 0; k < pixels; k++) {
        const int64_t col = (q + k) * v->stride + b - v->pad_w;
        const bool inside = col >= 0 && col < v->w && q + k < v->ow;
        x[k] = inside ? v->x + ((n * v->h + row) * v->w + col) * v->ci : s->zeros;
      }
      one_tap(pixels, co, x, s->weights + (a * v->kw + b) * co * whole(v), v->ci, acc);
    }
  }
  vf_transpose(acc);
  vf sum = acc[0];
  for (int i = 1; i < VF_W; i++) sum += acc[i];
  float *y = v->out + ((n * v->oh + p) * v->ow + q) * co;
  const int64_t count = min_of(pixels, v->ow - q) * co;
  if (count == VF_W)
    vf_store(y, sum);
  else
    vf_store_n(y, sum, count);
}

VF_INLINE void all_groups(const struct thin *s, int co) {
  for (int64_t n = 0; n < s->v->n; n++)
    for (int64_t p = 0; p < s->v->oh; p++)
      for (int64_t q = 0; q < s->v->ow; q += VF_W / co) one_group(s, co, n, p, q);
}

void FEW_ISA(few__conv_thin_out)(const struct few_conv *v) {
  float *zeros = v->scratch, *weights = zeros + whole(v);
  const struct thin s = {v, weights, zeros};
  memset(zeros, 0, (size_t)whole(v) * sizeof *zeros);
  copy_weights(v, weights);
  switch (v->co) {
    case 1:
      all_groups(&s, 1);
      break;
    case 2:
      all_groups(&s, 2);
      break;
    case 3:
      all_groups(&s, 3);
      break;
    case 4:
      all_groups(&s, 4);
      break;
    default:
      assert(!"thin is 1 to 4 channels");
  }
}
