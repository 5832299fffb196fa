/* attention.c - attention, its value with its tangent, and its gradient, with products in bf16 (the
 * formulas: ../../ref/k_attention.c).
 *
 * As in ../attention.c, one head of one image is processed at a time, in blocks of queries. Scores
 * are summed in f32, and softmax is computed in f32. The factors of the values are rounded to bf16:
 * the weights p = exp(s - max), and for the tangent h = p (t_s - mean), mean = sum p t_s / sum p.
 * With P and H for all rows of p and h,
 *
 *     y = P V / sum p,     t_y = (H V + P t_V) / sum p.
 *
 * The mean is subtracted before h is rounded, so no digits are lost by cancellation afterwards.
 *
 * t_s = t_q k + q t_k is computed as one product with a k of two parts, and so is H V + P t_V.
 */
#include "../vmath.h"
#include "pack.h"

enum { BLOCK = BF16_ROWS > 1 ? 2 * BF16_M : 4 * BF16_M };

struct head {
  int64_t T, h, D;
  int64_t Tk, Dk;         /* T and D as lengths of products: multiples of BF16_K */
  int64_t n_keys, n_dims; /* panels of T and of D columns */
  int64_t Tp;             /* row length of weights */
  int64_t rows, Tr;       /* rows of sums: for a block of queries, for a whole head */
  int64_t first, first_y; /* offsets of q[n,0,head,0] in qkv and of y[n,0,head,0] in y */
  float scale;
};

enum { Q, KEY, V };
static int64_t at(const struct head *s, int which, int64_t t) {
  return s->first + (t * 3 + which) * s->h * s->D;
}
static int64_t at_y(const struct head *s, int64_t t) { return s->first_y + t * s->h * s->D; }

static struct head head_of(const struct few_call *call) {
  const struct few_shape x = call->in[0].shape;
  assert(x.rank == 5 && x.dim[2] == 3);
  struct head s = {.T = x.dim[1], .h = x.dim[3], .D = x.dim[4]};
  s.Tk = round_up(s.T, BF16_K);
  s.Dk = round_up(s.D, BF16_K);
  s.n_keys = (s.T + BF16_N - 1) / BF16_N;
  s.n_dims = (s.D + BF16_N - 1) / BF16_N;
  s.Tp = s.n_keys * BF16_N;
  const int64_t blocks = (s.T + BLOCK - 1) / BLOCK;
  s.rows = blocks ? round_up((s.T + blocks - 1) / blocks, BF16_ROWS) : 0;
  s.Tr = round_up(s.T, BF16_ROWS);
  s.scale = (float)call->node->attr.attention.scale;
  return s;
}

/* ---- Scratch ---- */

enum kind { VALUE, DUAL, GRAD };

struct work {
  uint16_t *keys;   /* panels of k transposed; dual: each followed by the panel of t_k */
  uint16_t *t_keys; /* gradient: panels of v transposed */
  uint16_t *values; /* panels of v; dual: each followed by that of t_v; gradient: panels of k */
  uint16_t *q, *dy; /* rows of the block: q (dual: t_q, then q), and the cotangent of y */
  uint16_t *p;      /* rows of the block: p (dual: h, then p) */
  uint16_t *ds;     /* gradient: cotangents of the scores */
  uint16_t *by_key; /* gradient: p or ds, transposed */
  uint16_t *by_row; /* gradient: dy or q, as panels */
  float *s, *t;     /* sums of the block: scores; their tangents (gradient: cotangents of p) */
  float *y, *ty;    /* results of the block */
  float *dk, *dv;   /* gradient: results of the whole head */
};

/* Places the arrays from `base` on, or only counts if it is NULL. Returns the total of bytes. */
static size_t lay_out(struct work *w, const struct head *s, enum kind kind, char *base) {
  const int64_t two = kind == DUAL ? 2 : 1, grad = kind == GRAD, t = kind != VALUE;
  const int64_t keys = s->n_keys * BF16_N * s->Dk, values = s->n_dims * BF16_N * s->Tk;
  const int64_t scores = s->n_keys * BF16_N * s->rows, sums = s->n_dims * BF16_N * s->rows;
  const int64_t block_k = round_up(s->rows, BF16_K), whole = s->n_dims * BF16_N * s->Tr;
  const struct {
    void *at;
    int64_t bytes;
  } pieces[] = {
      {&w->keys, 2 * two * keys},
      {&w->t_keys, 2 * grad * keys},
      {&w->values, 2 * two * values},
      {&w->q, 2 * two * s->rows * s->Dk},
      {&w->dy, 2 * grad * s->rows * s->Dk},
      {&w->p, 2 * two * s->rows * s->Tp},
      {&w->ds, 2 * grad * s->rows * s->Tp},
      {&w->by_key, 2 * grad * s->Tr * block_k},
      {&w->by_row, 2 * grad * s->n_dims * BF16_N * block_k},
      {&w->s, 4 * scores},
      {&w->t, 4 * t * scores},
      {&w->y, 4 * sums},
      {&w->ty, 4 * (kind == DUAL) * sums},
      {&w->dk, 4 * grad * whole},
      {&w->dv, 4 * grad * whole},
  };
  size_t used = 0;
  for (int k = 0; k < FEW_COUNT(pieces); k++) {
    char *piece = base ? base + used : NULL;
    memcpy(pieces[k].at, &piece, sizeof piece);
    used += ((size_t)pieces[k].bytes + 63) & ~(size_t)63;
  }
  return used;
}

/* ---- Products of a block ---- */

static void multiply(struct few_bf16_tile t, int64_t rows) {
  for (int64_t i = 0; i < rows; i += t.m, t.a += t.m * t.as, t.c += t.m * BF16_N) {
    t.m = bf16_tile_rows(rows - i);
    FEW_ISA(few__bf16_tile)(&t);
  }
}

/* Multiplies a with each of n panels, which are `b_step` apart in b; results are `c_step` apart. */
static void multiply_panels(struct few_bf16_tile t, int64_t rows, int64_t n, int64_t b_step,
                            int64_t c_step) {
  for (int64_t p = 0; p < n; p++, t.b += b_step, t.c += c_step) multiply(t, rows);
}

/* Copies the rows of all T positions to columns of panels, `step` elements apart. */
static void pack_keys(const struct head *s, uint16_t *to, int64_t step, struct from x, int64_t ld) {
  for (int64_t t = 0; t < s->T; t += BF16_N, to += step)
    FEW_ISA(few__bf16_panel)(to, num_from(x, t * ld), ld, true, s->D, min_of(BF16_N, s->T - t));
}

/* Copies `rows` rows of D numbers to panels of BF16_N columns, `step` elements apart. */
static void pack_values(const struct head *s, uint16_t *to, int64_t step, struct from x, int64_t ld,
                        int64_t rows) {
  for (int64_t d = 0; d < s->D; d += BF16_N, to += step)
    FEW_ISA(few__bf16_panel)(to, num_from(x, d), ld, false, rows, min_of(BF16_N, s->D - d));
}

/* Scores of the rows q. Rows and panels have `of` parts, of which the first `parts` are used. */
static void scores(const struct head *s, float *c, const uint16_t *q, int parts, int of,
                   const uint16_t *keys, int64_t rows) {
  const int64_t offset[] = {0, s->Dk}, all = of * s->Dk;
  multiply_panels(
      (struct few_bf16_tile){
          .a = q, .as = all, .offset = offset, .parts = parts, .k = s->Dk, .b = keys, .c = c},
      rows, s->n_keys, all * BF16_N, s->rows * BF16_N);
}

/* c = p values, with parts as in scores(). */
static void blend(const struct head *s, float *c, const uint16_t *p, int parts, int of,
                  const uint16_t *values, int64_t rows) {
  const int64_t offset[] = {0, s->Tp};
  multiply_panels((struct few_bf16_tile){.a = p,
                                         .as = of * s->Tp,
                                         .offset = offset,
                                         .parts = parts,
                                         .k = s->Tk,
                                         .b = values,
                                         .c = c},
                  rows, s->n_dims, of * s->Tk * BF16_N, s->rows * BF16_N);
}

/* c (+)= p^T x, a sum over the rows of the block. */
static void spread(const struct head *s, const struct work *w, float *c, const uint16_t *p,
                   struct from x, int64_t ld, int64_t rows, bool add) {
  const int64_t k = round_up(rows, BF16_K);
  FEW_ISA(few__bf16_rows)(w->by_key, k, (struct from){p, true}, s->Tp, true, s->T, rows);
  pack_values(s, w->by_row, k * BF16_N, x, ld, rows);
  const struct few_bf16_tile t = {
      .a = w->by_key, .as = k, .parts = 1, .k = k, .b = w->by_row, .c = c, .add = add};
  multiply_panels(t, s->T, s->n_dims, k * BF16_N, s->Tr * BF16_N);
}

/* Multiplies row r of y with by[r * by_step] and writes it to element first + r * step of the
 * result. */
static void put_rows(const struct head *s, const struct few_call *call, int64_t first, int64_t step,
                     float *y, int64_t y_rows, int64_t rows, const float *by, int64_t by_step) {
  for (int64_t r = 0; r < rows; r++)
    for (int64_t p = 0; p < s->n_dims; p++) {
      float *c = y + (p * y_rows + r) * BF16_N;
      for (int j = 0; j < BF16_N; j += VF_W) vf_store(c + j, vf_load(c + j) * by[r * by_step]);
      bf16_put(call->out, call->bf16[0], first + r * step + p * BF16_N, c,
               min_of(BF16_N, s->D - p * BF16_N), false);
    }
}

/* ---- A row of scores. BF16_N of its elements lie in each panel ---- */

#define EACH_VECTOR(s, p, j)                \
  for (int64_t p = 0; p < (s)->n_keys; p++) \
    for (int64_t j = 0; j < BF16_N; j += VF_W)
VF_INLINE int64_t place(const struct head *s, int64_t p, int64_t j) {
  return p * s->rows * BF16_N + j;
}

/* x = exp(scale x - max); returns the sum. Keys from T on get 0. */
static float exponentials(const struct head *s, float *x) {
  vf max = vf_set(-INFINITY), sum = {0};
  EACH_VECTOR(s, p, j) {
    float *at = x + place(s, p, j);
    vf_store(at, vf_load(at) * s->scale);
  }
  for (int64_t t = s->T; t < s->Tp; t++) x[place(s, s->n_keys - 1, t % BF16_N)] = -INFINITY;
  EACH_VECTOR(s, p, j) max = vf_max(max, vf_load(x + place(s, p, j)));
  const float top = vf_max_lane(max);
  EACH_VECTOR(s, p, j) {
    float *at = x + place(s, p, j);
    const vf e = vf_exp(vf_load(at) - top);
    vf_store(at, e);
    sum += e;
  }
  return vf_sum(sum);
}

static void scale_row(const struct head *s, float *x, float by) {
  EACH_VECTOR(s, p, j) vf_store(x + place(s, p, j), vf_load(x + place(s, p, j)) * by);
}

/* t = p (t - sum p t / sum) by, where `sum` is the sum of p. */
static void center(const struct head *s, float *t, const float *p, float sum, float by) {
  vf weighed = {0};
  EACH_VECTOR(s, i, j)
  weighed = vf_fma(vf_load(p + place(s, i, j)), vf_load(t + place(s, i, j)), weighed);
  const float mean = vf_sum(weighed) / sum;
  EACH_VECTOR(s, i, j) {
    float *at = t + place(s, i, j);
    vf_store(at, vf_load(p + place(s, i, j)) * (vf_load(at) - mean) * by);
  }
}

static void round_row(const struct head *s, uint16_t *to, const float *x) {
  EACH_VECTOR(s, p, j) vf_store_bf16(to + p * BF16_N + j, vf_load(x + place(s, p, j)));
}

/* ---- The kernels ---- */

static void value(const struct head *s, const struct few_call *call, const struct work *w) {
  const struct from x = num_operand(call, 0);
  const int64_t step = 3 * s->h * s->D;
  pack_keys(s, w->keys, s->Dk * BF16_N, num_from(x, at(s, KEY, 0)), step);
  pack_values(s, w->values, s->Tk * BF16_N, num_from(x, at(s, V, 0)), step, s->T);
  for (int64_t i = 0; i < s->T; i += s->rows) {
    const int64_t rows = min_of(s->rows, s->T - i);
    float by[BLOCK];
    FEW_ISA(few__bf16_rows)(w->q, s->Dk, num_from(x, at(s, Q, i)), step, false, rows, s->D);
    scores(s, w->s, w->q, 1, 1, w->keys, rows);
    for (int64_t r = 0; r < rows; r++) {
      by[r] = 1 / exponentials(s, w->s + r * BF16_N);
      round_row(s, w->p + r * s->Tp, w->s + r * BF16_N);
    }
    blend(s, w->y, w->p, 1, 1, w->values, rows);
    put_rows(s, call, at_y(s, i), s->h * s->D, w->y, s->rows, rows, by, 1);
  }
}

static void dual_block(const struct head *s, const struct few_call *call, const struct work *w,
                       int64_t i) {
  const int64_t rows = min_of(s->rows, s->T - i), step = 3 * s->h * s->D;
  const int64_t first = at(s, Q, i), tangents = call->in[0].shape.dim[0] * s->T * s->h * s->D;
  float by[BLOCK];
  FEW_ISA(few__bf16_rows)
  (w->q, 2 * s->Dk, num_from(num_operand(call, 1), first), step, false, rows, s->D);
  FEW_ISA(few__bf16_rows)
  (w->q + s->Dk, 2 * s->Dk, num_from(num_operand(call, 0), first), step, false, rows, s->D);
  scores(s, w->s, w->q + s->Dk, 1, 2, w->keys, rows);
  scores(s, w->t, w->q, 2, 2, w->keys, rows);
  for (int64_t r = 0; r < rows; r++) {
    float *p = w->s + r * BF16_N, *h = w->t + r * BF16_N;
    uint16_t *to = w->p + 2 * r * s->Tp;
    const float sum = exponentials(s, p);
    center(s, h, p, sum, s->scale);
    round_row(s, to, h);
    round_row(s, to + s->Tp, p);
    by[r] = 1 / sum;
  }
  blend(s, w->y, w->p + s->Tp, 1, 2, w->values, rows);
  blend(s, w->ty, w->p, 2, 2, w->values, rows);
  put_rows(s, call, at_y(s, i), s->h * s->D, w->y, s->rows, rows, by, 1);
  put_rows(s, call, tangents + at_y(s, i), s->h * s->D, w->ty, s->rows, rows, by, 1);
}

static void dual(const struct head *s, const struct few_call *call, const struct work *w) {
  const struct from x = num_operand(call, 0), d = num_operand(call, 1);
  const int64_t step = 3 * s->h * s->D, key = s->Dk * BF16_N, of_value = s->Tk * BF16_N;
  pack_keys(s, w->keys, 2 * key, num_from(x, at(s, KEY, 0)), step);
  pack_keys(s, w->keys + key, 2 * key, num_from(d, at(s, KEY, 0)), step);
  pack_values(s, w->values, 2 * of_value, num_from(x, at(s, V, 0)), step, s->T);
  pack_values(s, w->values + of_value, 2 * of_value, num_from(d, at(s, V, 0)), step, s->T);
  for (int64_t i = 0; i < s->T; i += s->rows) dual_block(s, call, w, i);
}

static void grad_block(const struct head *s, const struct few_call *call, const struct work *w,
                       int64_t i) {
  const int64_t rows = min_of(s->rows, s->T - i), step = 3 * s->h * s->D;
  const struct from q = num_from(num_operand(call, 0), at(s, Q, i));
  const struct from dy = num_from(num_operand(call, 1), at_y(s, i));
  FEW_ISA(few__bf16_rows)(w->q, s->Dk, q, step, false, rows, s->D);
  FEW_ISA(few__bf16_rows)(w->dy, s->Dk, dy, s->h * s->D, false, rows, s->D);
  scores(s, w->s, w->q, 1, 1, w->keys, rows);
  scores(s, w->t, w->dy, 1, 1, w->t_keys, rows);
  for (int64_t r = 0; r < rows; r++) {
    float *p = w->s + r * BF16_N, *ds = w->t + r * BF16_N;
    scale_row(s, p, 1 / exponentials(s, p));
    center(s, ds, p, 1, 1);
    round_row(s, w->p + r * s->Tp, p);
    round_row(s, w->ds + r * s->Tp, ds);
  }
  spread(s, w, w->dv, w->p, dy, s->h * s->D, rows, i > 0);
  spread(s, w, w->dk, w->ds, q, step, rows, i > 0);
  blend(s, w->y, w->ds, 1, 1, w->values, rows);
  put_rows(s, call, at(s, Q, i), step, w->y, s->rows, rows, &s->scale, 0);
}

static void grad(const struct head *s, const struct few_call *call, const struct work *w) {
  const struct from x = num_operand(call, 0);
  const int64_t step = 3 * s->h * s->D;
  const float one = 1;
  pack_keys(s, w->keys, s->Dk * BF16_N, num_from(x, at(s, KEY, 0)), step);
  pack_keys(s, w->t_keys, s->Dk * BF16_N, num_from(x, at(s, V, 0)), step);
  pack_values(s, w->values, s->Tk * BF16_N, num_from(x, at(s, KEY, 0)), step, s->T);
  for (int64_t i = 0; i < s->T; i += s->rows) grad_block(s, call, w, i);
  put_rows(s, call, at(s, KEY, 0), step, w->dk, s->Tr, s->T, &s->scale, 0);
  put_rows(s, call, at(s, V, 0), step, w->dv, s->Tr, s->T, &one, 0);
}

/* ---- Calls ---- */

static bool with_units(const struct few_call *c) {
  const bool any = c->in[0].bf16 || (c->n_in > 1 && c->in[1].bf16) || c->bf16[0];
  return BF16_UNITS != BF16_NONE && any;
}

static void each_head(const struct few_call *call, enum kind kind,
                      void (*f)(const struct head *, const struct few_call *,
                                const struct work *)) {
  struct head s = head_of(call);
  struct work w;
  lay_out(&w, &s, kind, call->scratch);
  FEW_ISA(few__bf16_begin)();
  for (int64_t n = 0; n < call->in[0].shape.dim[0] && s.T * s.D > 0; n++)
    for (int64_t k = 0; k < s.h; k++) {
      s.first = (n * s.T * 3 * s.h + k) * s.D;
      s.first_y = (n * s.T * s.h + k) * s.D;
      f(&s, call, &w);
    }
  FEW_ISA(few__bf16_end)();
}

static size_t scratch_bytes(const struct few_call *call, enum kind kind) {
  struct work w;
  const struct head s = head_of(call);
  return lay_out(&w, &s, kind, NULL);
}

/* Without matrix units the f32 kernel runs. It reads and writes bf16 too. */
#define KERNEL(name, kind, f)                                                                  \
  void FEW_ISA(few__bf16_##name)(const struct few_call *c) {                                   \
    if (with_units(c))                                                                         \
      each_head(c, kind, f);                                                                   \
    else                                                                                       \
      FEW_F32_SET(few__cpu_##name)(c);                                                         \
  }                                                                                            \
  size_t FEW_ISA(few__bf16_##name##_scratch)(const struct few_call *c) {                       \
    return with_units(c) ? scratch_bytes(c, kind) : FEW_F32_SET(few__cpu_##name##_scratch)(c); \
  }
KERNEL(attention, VALUE, value)
KERNEL(attention_dual, DUAL, dual)
KERNEL(attention_grad, GRAD, grad)
