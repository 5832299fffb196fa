/* conv_plain.cu - convolutions with one thread per number, which adds the terms in a fixed order.
 * They are for f64, which serves to check f32.
 */
#include "conv_plain.h"

static __global__ void plain_y(struct few_conv s, double *y, const double *x, const double *w) {
  FOR_EACH_ELEMENT(e, s.N * s.P * s.Q * s.O) {
    const int64_t o = e % s.O, q = e / s.O % s.Q, p = e / (s.O * s.Q) % s.P,
                  n = e / (s.O * s.Q * s.P);
    double sum = 0;
    for (int64_t a = 0; a < s.kh; a++)
      for (int64_t b = 0; b < s.kw; b++) {
        const int64_t h = p * s.stride + a - s.pad, v = q * s.stride + b - s.pad;
        if (h < 0 || h >= s.H || v < 0 || v >= s.W) continue;
        for (int64_t i = 0; i < s.I; i++)
          sum += x[((n * s.H + h) * s.W + v) * s.I + i] * w[((a * s.kw + b) * s.I + i) * s.O + o];
      }
    y[e] = sum;
  }
}

static __global__ void plain_x(struct few_conv s, const double *y, double *x, const double *w) {
  FOR_EACH_ELEMENT(e, s.N * s.H * s.W * s.I) {
    const int64_t i = e % s.I, v = e / s.I % s.W, h = e / (s.I * s.W) % s.H,
                  n = e / (s.I * s.W * s.H);
    double sum = 0;
    for (int64_t a = 0; a < s.kh; a++)
      for (int64_t b = 0; b < s.kw; b++) {
        const int64_t p = h + s.pad - a, q = v + s.pad - b;
        if (p < 0 || q < 0 || p % s.stride || q % s.stride) continue;
        if (p / s.stride >= s.P || q / s.stride >= s.Q) continue;
        const int64_t at = ((n * s.P + p / s.stride) * s.Q + q / s.stride) * s.O;
        for (int64_t o = 0; o < s.O; o++)
          sum += y[at + o] * w[((a * s.kw + b) * s.I + i) * s.O + o];
      }
    x[e] = sum;
  }
}

static __global__ void plain_w(struct few_conv s, const double *y, const double *x, double *w) {
  FOR_EACH_ELEMENT(e, s.kh * s.kw * s.I * s.O) {
    const int64_t o = e % s.O, i = e / s.O % s.I, b = e / (s.O * s.I) % s.kw,
                  a = e / (s.O * s.I * s.kw);
    double sum = 0;
    for (int64_t n = 0; n < s.N; n++)
      for (int64_t p = 0; p < s.P; p++)
        for (int64_t q = 0; q < s.Q; q++) {
          const int64_t h = p * s.stride + a - s.pad, v = q * s.stride + b - s.pad;
          if (h < 0 || h >= s.H || v < 0 || v >= s.W) continue;
          sum += x[((n * s.H + h) * s.W + v) * s.I + i] * y[((n * s.P + p) * s.Q + q) * s.O + o];
        }
    w[e] = sum;
  }
}

void few__cuda_conv_plain(struct few_queue *q, const struct few_conv *s, enum few_conv_what what,
                          double *y, double *x, double *w) {
  if (what == FEW_CONV_Y)
    FEW_LAUNCH(q, plain_y, blocks_for(s->N * s->P * s->Q * s->O), THREADS, 0, *s, y, x, w);
  if (what == FEW_CONV_X)
    FEW_LAUNCH(q, plain_x, blocks_for(s->N * s->H * s->W * s->I), THREADS, 0, *s, y, x, w);
  if (what == FEW_CONV_W)
    FEW_LAUNCH(q, plain_w, blocks_for(s->kh * s->kw * s->I * s->O), THREADS, 0, *s, y, x, w);
}
