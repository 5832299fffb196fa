/* k_attention.c - y = softmax(scale q k^T) v for each image and head, with its derivatives.
 *
 * qkv is [N,T,3,h,D]: for each position the heads' queries, then keys, then values. The kernels
 * process one query at a time and keep one row of P = softmax(scale q k^T), so memory is O(T).
 *
 *     t_x = scale (dq k^T + q dk^T)                    tangent of the scores
 *     t_y = (P o t_x) V - rowsum(P o t_x) y + P dV     tangent of y
 *
 * and for a cotangent dy, where G = P o (dy V^T - rowsum(P o dy V^T)) is the cotangent of the
 * scores,
 *
 *     dq = scale G k,   dk = scale G^T q,   dv = P^T dy.
 */
#include "real.h"

/* One head of one image. k, v and the other positions are at fixed distances from q. */
struct head {
  int64_t T, h, D;
  double scale;
  int64_t first; /* offset of q[n,0,head,0] in qkv */
  int64_t y;     /* offset of y[n,0,head,0] in the output */
};

/* Parts of qkv, and offsets of position t. */
enum { Q, KEY, V };
static int64_t at(const struct head *s, int which, int64_t t) {
  return s->first + (t * 3 + which) * s->h * s->D;
}
static int64_t y_at(const struct head *s, int64_t t) { return s->y + t * s->h * s->D; }

static real dot(const real *a, const real *b, int64_t n) {
  real sum = 0;
  for (int64_t k = 0; k < n; k++) sum += a[k] * b[k];
  return sum;
}

/* to += a x */
static void add(real *to, real a, const real *x, int64_t n) {
  for (int64_t k = 0; k < n; k++) to[k] += a * x[k];
}

/* Writes P[i, 0..T-1] to p. */
static void probabilities(const struct head *s, const real *qkv, int64_t i, real *p) {
  const real scale = (real)s->scale;
  real max = -(real)INFINITY;
  for (int64_t j = 0; j < s->T; j++) {
    p[j] = scale * dot(qkv + at(s, Q, i), qkv + at(s, KEY, j), s->D);
    max = p[j] > max ? p[j] : max;
  }
  double sum = 0;
  for (int64_t j = 0; j < s->T; j++) sum += p[j] = REAL_MATH(exp)(p[j] - max);
  for (int64_t j = 0; j < s->T; j++) p[j] = (real)(p[j] / sum);
}

static void value(const struct head *s, const struct few_call *c) {
  const real *qkv = c->in[0].data;
  real *p = c->scratch, *y = c->out;
  for (int64_t i = 0; i < s->T; i++) {
    probabilities(s, qkv, i, p);
    clear(y + y_at(s, i), s->D);
    for (int64_t j = 0; j < s->T; j++) add(y + y_at(s, i), p[j], qkv + at(s, V, j), s->D);
  }
}

static void dual(const struct head *s, const struct few_call *c) {
  const real *x = c->in[0].data, *d = c->in[1].data;
  const real scale = (real)s->scale;
  const int64_t D = s->D;
  real *p = c->scratch;
  for (int64_t i = 0; i < s->T; i++) {
    real *y = (real *)c->out + y_at(s, i), *ty = y + count_of(c->shape) / 2;
    real sum = 0;
    probabilities(s, x, i, p);
    clear(y, D);
    clear(ty, D);
    for (int64_t j = 0; j < s->T; j++) {
      const real pt =
          p[j] * scale *
          (dot(d + at(s, Q, i), x + at(s, KEY, j), D) + dot(x + at(s, Q, i), d + at(s, KEY, j), D));
      sum += pt;
      add(y, p[j], x + at(s, V, j), D);
      add(ty, pt, x + at(s, V, j), D);
      add(ty, p[j], d + at(s, V, j), D);
    }
    add(ty, -sum, y, D);
  }
}

static void grad(const struct head *s, const struct few_call *c) {
  const real *x = c->in[0].data, *dy = c->in[1].data;
  const real scale = (real)s->scale;
  const int64_t D = s->D;
  real *p = c->scratch, *dp = p + s->T, *dx = c->out;
  for (int64_t i = 0; i < s->T; i++) {
    real sum = 0;
    probabilities(s, x, i, p);
    for (int64_t j = 0; j < s->T; j++) {
      dp[j] = dot(dy + y_at(s, i), x + at(s, V, j), D);
      sum += p[j] * dp[j];
    }
    for (int64_t j = 0; j < s->T; j++) {
      const real g = scale * p[j] * (dp[j] - sum);
      add(dx + at(s, Q, i), g, x + at(s, KEY, j), D);
      add(dx + at(s, KEY, j), g, x + at(s, Q, i), D);
      add(dx + at(s, V, j), p[j], dy + y_at(s, i), D);
    }
  }
}

static void each_head(const struct few_call *c,
                      void (*f)(const struct head *, const struct few_call *)) {
  const struct few_shape s = c->in[0].shape;
  assert(s.rank == 5 && s.dim[2] == 3);
  const int64_t N = s.dim[0], T = s.dim[1], h = s.dim[3], D = s.dim[4];
  for (int64_t n = 0; n < N; n++)
    for (int64_t k = 0; k < h; k++) {
      const struct head one = {
          T, h, D, c->node->attr.attention.scale, (n * T * 3 * h + k) * D, (n * T * h + k) * D};
      f(&one, c);
    }
}

static size_t row_bytes(const struct few_call *c) {
  return (size_t)c->in[0].shape.dim[1] * sizeof(real);
}

void K(attention)(const struct few_call *c) { each_head(c, value); }

size_t K(attention_scratch)(const struct few_call *c) { return row_bytes(c); }

void K(attention_dual)(const struct few_call *c) { each_head(c, dual); }

size_t K(attention_dual_scratch)(const struct few_call *c) { return row_bytes(c); }

void K(attention_grad)(const struct few_call *c) {
  clear(c->out, count_of(c->shape));
  each_head(c, grad);
}

size_t K(attention_grad_scratch)(const struct few_call *c) { return 2 * row_bytes(c); }
