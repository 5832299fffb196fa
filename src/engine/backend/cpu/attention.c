/* attention.c - softmax attention, its value with its tangent, and its gradient.
 *
 * The kernels process one head of one image at a time (formulas: ref/k_attention.c). Queries are
 * processed in blocks of at most QUERIES. For a block, whole rows of scores are kept, so memory is
 * O(T), no row is rescaled, and the exponentials run over rows in the cache. The rest is products
 * of small matrices. One register-tiled kernel computes them: ROWS rows by PANEL columns of the
 * result stay in registers, and each step reads a column of the left operand and a row of the right
 * one.
 *
 * In qkv, adjacent positions are 3 h D numbers apart. So keys are copied, transposed, into panels
 * of PANEL columns, and values and the other right operands into rows padded to whole vectors. The
 * copies and all arithmetic are in f32; operands and results may be stored in bf16.
 *
 * The value and its tangent use the same scores and exponentials. With P = exp(s - max), which is
 * not normalised, H = P o t_s, l = sum P and m = sum H,
 *
 *     y = P V / l,     t_y = (H V + P t_V) / l - (m / l) y.
 */
#include "shape_tile.h"
#include "vmath.h"

/* The accumulators, a row of the right operand and one broadcast number fit into the registers. */
enum { ROWS = 6, VECTORS = VF_W == 16 ? 4 : 2, PANEL = VECTORS * VF_W, QUERIES = 24 };

/* ---- Products ---- */

/* c[i, j] (+)= sum over k of a[i a_row + k a_k] b[panel of j][k b_k + j]. */
struct product {
  const float *a, *b;
  float *c;
  int64_t rows, cols, k; /* cols is rounded up to whole vectors */
  int64_t a_row, a_k, b_k, b_panel, c_row;
  bool adds; /* add to c instead of overwriting it */
};

VF_INLINE void tile(int rows, int vectors, const struct product *p, const float *a, const float *b,
                    float *c) {
  vf s[ROWS][VECTORS];
  VF_UNROLL(ROWS)
  for (int r = 0; r < rows; r++) {
    VF_UNROLL(VECTORS)
    for (int v = 0; v < vectors; v++) {
      s[r][v] = vf_set(0);
      if (p->adds) s[r][v] = vf_load(c + r * p->c_row + v * VF_W);
    }
  }
  const int64_t a_row = p->a_row, a_k = p->a_k, b_k = p->b_k, n = p->k;
  for (int64_t k = 0; k < n; k++, a += a_k, b += b_k) {
    vf right[VECTORS];
    VF_UNROLL(VECTORS)
    for (int v = 0; v < vectors; v++) right[v] = vf_load(b + v * VF_W);
    VF_UNROLL(ROWS)
    for (int r = 0; r < rows; r++) {
      const vf left = vf_set(a[r * a_row]);
      VF_UNROLL(VECTORS)
      for (int v = 0; v < vectors; v++) s[r][v] = vf_fma(left, right[v], s[r][v]);
    }
  }
  VF_UNROLL(ROWS)
  for (int r = 0; r < rows; r++) {
    VF_UNROLL(VECTORS)
    for (int v = 0; v < vectors; v++) vf_store(c + r * p->c_row + v * VF_W, s[r][v]);
  }
}

typedef void (*tile_fn)(const struct product *p, const float *a, const float *b, float *c);
#define TILE(R, V)                                                                                \
  static void tile_##R##_##V(const struct product *p, const float *a, const float *b, float *c) { \
    tile(R, V, p, a, b, c);                                                                       \
  }
#define TILES(V) TILE(1, V) TILE(2, V) TILE(3, V) TILE(4, V) TILE(5, V) TILE(6, V)
#define TILE_ROW(V) \
  { tile_1_##V, tile_2_##V, tile_3_##V, tile_4_##V, tile_5_##V, tile_6_##V }
TILES(1)
TILES(2)
#if VF_W == 16
TILES(3)
TILES(4)
static const tile_fn tiles[VECTORS][ROWS] = {TILE_ROW(1), TILE_ROW(2), TILE_ROW(3), TILE_ROW(4)};
#else
static const tile_fn tiles[VECTORS][ROWS] = {TILE_ROW(1), TILE_ROW(2)};
#endif

static void multiply(const struct product *p) {
  for (int64_t j = 0; j < p->cols; j += PANEL) {
    const int64_t left = p->cols - j;
    const int64_t vectors = left < PANEL ? (left + VF_W - 1) / VF_W : VECTORS;
    for (int64_t i = 0; i < p->rows; i += ROWS) {
      const int64_t rows = p->rows - i < ROWS ? p->rows - i : ROWS;
      tiles[vectors - 1][rows - 1](p, p->a + i * p->a_row, p->b + j / PANEL * p->b_panel,
                                   p->c + i * p->c_row + j);
    }
  }
}

/* ---- One head ---- */

struct head {
  int64_t T, h, D;
  int64_t Dp, Tp;         /* D and T padded: row lengths of copies of [.., D], and of scores */
  int64_t first, first_y; /* offsets of q[n,0,head,0] in qkv and of y[n,0,head,0] in y */
  float scale;
};

enum { Q, KEY, V };
static int64_t at(const struct head *s, int which, int64_t t) {
  return s->first + (t * 3 + which) * s->h * s->D;
}
static int64_t at_y(const struct head *s, int64_t t) { return s->first_y + t * s->h * s->D; }

static int64_t whole_vectors(int64_t n) { return (n + VF_W - 1) / VF_W * VF_W; }

static struct head head_of(const struct few_call *call) {
  const struct few_shape s = call->in[0].shape;
  assert(s.rank == 5 && s.dim[2] == 3);
  struct head one = {.T = s.dim[1], .h = s.dim[3], .D = s.dim[4]};
  one.Dp = whole_vectors(one.D);
  one.Tp = whole_vectors(one.T);
  if (one.Tp % 256 == 0) one.Tp += VF_W; /* rows 1 KiB apart would share cache sets */
  one.scale = (float)call->node->attr.attention.scale;
  return one;
}

static void each_head(const struct few_call *call,
                      void (*f)(const struct head *, const struct few_call *, float *scratch)) {
  struct head one = head_of(call);
  const int64_t N = call->in[0].shape.dim[0];
  for (int64_t n = 0; n < N && one.T * one.D > 0; n++)
    for (int64_t k = 0; k < one.h; k++) {
      one.first = (n * one.T * 3 * one.h + k) * one.D;
      one.first_y = (n * one.T * one.h + k) * one.D;
      f(&one, call, call->scratch);
    }
}

/* Queries per block: nearly equal blocks of at most QUERIES. */
static int64_t block_of(const struct head *s) {
  const int64_t blocks = (s->T + QUERIES - 1) / QUERIES;
  return (s->T + blocks - 1) / blocks;
}

/* ---- Scratch ---- */

struct work {
  float *keys;     /* keys, transposed, in panels; for the dual, followed by their tangents */
  float *v_panels; /* gradient: values, transposed, in panels */
  float *values;   /* values as rows; gradient: keys as rows */
  float *t_values; /* dual: tangents of the values as rows */
  float *q, *dy;   /* of the block: queries times scale; the cotangent of y */
  float *p, *h;    /* of the block: rows of scores */
  float *y, *ty;   /* of the block: rows of results */
  float *dk, *dv;  /* gradient: results of the whole head */
};

enum kind { VALUE, DUAL, GRAD };

/* Places the arrays from `base` on, or only counts if it is NULL. Returns the total of floats. */
static int64_t lay_out(struct work *w, const struct head *s, enum kind kind, float *base) {
  const int64_t panels = (s->T + PANEL - 1) / PANEL, depth = kind == DUAL ? 2 * s->D : s->D;
  const int64_t n_keys = panels * PANEL * depth, n_rows = s->T * s->Dp;
  const int64_t n_block = QUERIES * s->Dp, n_scores = QUERIES * s->Tp;
  const struct {
    float **at;
    int64_t n;
  } pieces[] = {
      {&w->keys, n_keys},
      {&w->v_panels, kind == GRAD ? n_keys : 0},
      {&w->values, n_rows},
      {&w->t_values, kind == DUAL ? n_rows : 0},
      {&w->q, kind == DUAL ? 2 * n_block : n_block},
      {&w->dy, kind == GRAD ? n_block : 0},
      {&w->p, n_scores},
      {&w->h, kind != VALUE ? n_scores : 0},
      {&w->y, n_block},
      {&w->ty, kind == DUAL ? n_block : 0},
      {&w->dk, kind == GRAD ? n_rows : 0},
      {&w->dv, kind == GRAD ? n_rows : 0},
  };
  int64_t used = 0;
  for (int k = 0; k < FEW_COUNT(pieces); k++) {
    *pieces[k].at = base ? base + used : NULL;
    used += (pieces[k].n + 15) / 16 * 16;
  }
  return used;
}

static size_t scratch_bytes(const struct few_call *call, enum kind kind) {
  struct work w;
  const struct head s = head_of(call);
  return (size_t)lay_out(&w, &s, kind, NULL) * sizeof(float);
}

VF_INLINE void pack_rows_of(bool bf16, const void *from, const struct head *s, float *to,
                            int64_t to_step, int64_t step, int64_t rows, float by) {
  const vf scale = vf_set(by);
  struct from x = {from, bf16};
  for (int64_t t = 0; t < rows; t++, to += to_step, x = num_from(x, step)) {
    int64_t k = 0;
    for (; k + VF_W <= s->D; k += VF_W) vf_store(to + k, num_load(x, k) * scale);
    if (k < s->D) vf_store(to + k, num_load_n(x, k, s->D - k) * scale);
  }
}

/* Copies rows of D numbers, `step` apart, to rows `to_step` apart, times `by`, padded with zeros to
 * whole vectors. */
static void pack_rows(const struct head *s, float *to, int64_t to_step, struct from x, int64_t step,
                      int64_t rows, float by) {
  STORED_1(pack_rows_of, x.bf16, x.at, s, to, to_step, step, rows, by);
}

VF_INLINE void pack_columns_of(bool bf16, const void *from, const struct head *s, float *to,
                               int64_t depth, int64_t step) {
  struct from x = {from, bf16};
  for (int64_t t = 0; t < s->T; t += PANEL, to += depth * PANEL, x = num_from(x, PANEL * step)) {
    const int64_t n = s->T - t < PANEL ? s->T - t : PANEL;
    transpose_tile((struct to){to, false}, PANEL, x, step, n, s->D);
    for (int64_t k = 0; k < s->D && n < PANEL; k++)
      for (int64_t j = n; j < PANEL; j++) to[k * PANEL + j] = 0;
  }
}

/* Copies the rows of all T positions into columns of panels with `depth` rows. `to` is the first of
 * the D rows to write in the first panel. Columns from T on are zero. */
static void pack_columns(const struct head *s, float *to, int64_t depth, struct from x,
                         int64_t step) {
  STORED_1(pack_columns_of, x.bf16, x.at, s, to, depth, step);
}

VF_INLINE void unpack_rows_of(bool bf16, void *to, const struct head *s, int64_t step,
                              const float *x, int64_t rows, float by) {
  const vf scale = vf_set(by);
  struct to y = {to, bf16};
  for (int64_t t = 0; t < rows; t++, y = num_to(y, step), x += s->Dp) {
    int64_t k = 0;
    for (; k + VF_W <= s->D; k += VF_W) num_store(y, k, vf_load(x + k) * scale);
    if (k < s->D) num_store_n(y, k, vf_load(x + k) * scale, s->D - k);
  }
}

/* Copies the first D numbers of each row to rows `step` apart, times `by`. */
static void unpack_rows(const struct head *s, struct to to, int64_t step, const float *x,
                        int64_t rows, float by) {
  STORED_1(unpack_rows_of, to.bf16, to.at, s, step, x, rows, by);
}

/* ---- Products of a block ---- */

/* out = left right^T. Rows of left are left_row apart; right lies transposed in panels of `depth`
 * rows, of which the first k are used. */
static void scores(const struct head *s, float *out, const float *left, int64_t left_row,
                   const float *panels, int64_t depth, int64_t k, int64_t rows) {
  multiply(&(struct product){.a = left,
                             .b = panels,
                             .c = out,
                             .rows = rows,
                             .cols = s->T,
                             .k = k,
                             .a_row = left_row,
                             .a_k = 1,
                             .b_k = PANEL,
                             .b_panel = depth * PANEL,
                             .c_row = s->Tp});
}

/* out (+)= p x, where p has `rows` rows of scores and x a row for each of the T positions. */
static void blend(const struct head *s, float *out, const float *p, const float *x, int64_t rows,
                  bool adds) {
  multiply(&(struct product){.a = p,
                             .b = x,
                             .c = out,
                             .rows = rows,
                             .cols = s->Dp,
                             .k = s->T,
                             .a_row = s->Tp,
                             .a_k = 1,
                             .b_k = s->Dp,
                             .b_panel = PANEL,
                             .c_row = s->Dp,
                             .adds = adds});
}

/* out += p^T x, a sum over the rows of the block. */
static void spread(const struct head *s, float *out, const float *p, const float *x, int64_t rows) {
  multiply(&(struct product){.a = p,
                             .b = x,
                             .c = out,
                             .rows = s->T,
                             .cols = s->Dp,
                             .k = rows,
                             .a_row = 1,
                             .a_k = s->Tp,
                             .b_k = s->Dp,
                             .b_panel = PANEL,
                             .c_row = s->Dp,
                             .adds = true});
}

/* p = exp(p - max p); returns the sum. Elements from T to the end of the vector become zero. */
static float exponentials(const struct head *s, float *p) {
  const int64_t n = whole_vectors(s->T);
  for (int64_t j = s->T; j < n; j++) p[j] = -INFINITY;
  vf max = vf_load(p);
  for (int64_t j = VF_W; j < n; j += VF_W) max = vf_max(max, vf_load(p + j));
  const float top = vf_max_lane(max);
  vf sum = {0};
  for (int64_t j = 0; j < n; j += VF_W) {
    const vf e = vf_exp(vf_load(p + j) - top);
    vf_store(p + j, e);
    sum += e;
  }
  return vf_sum(sum);
}

/* ---- The kernels ---- */

static void value(const struct head *s, const struct few_call *call, float *scratch) {
  const struct from x = num_operand(call, 0);
  const struct to y = num_result(call);
  const int64_t step = 3 * s->h * s->D, block = block_of(s);
  struct work w;
  lay_out(&w, s, VALUE, scratch);
  pack_columns(s, w.keys, s->D, num_from(x, at(s, KEY, 0)), step);
  pack_rows(s, w.values, s->Dp, num_from(x, at(s, V, 0)), step, s->T, 1);
  for (int64_t i = 0; i < s->T; i += block) {
    const int64_t rows = s->T - i < block ? s->T - i : block;
    pack_rows(s, w.q, s->Dp, num_from(x, at(s, Q, i)), step, rows, s->scale);
    scores(s, w.p, w.q, s->Dp, w.keys, s->D, s->D, rows);
    float sum[QUERIES];
    for (int64_t r = 0; r < rows; r++) sum[r] = exponentials(s, w.p + r * s->Tp);
    blend(s, w.y, w.p, w.values, rows, false);
    for (int64_t r = 0; r < rows; r++)
      unpack_rows(s, num_to(y, at_y(s, i + r)), 0, w.y + r * s->Dp, 1, 1 / sum[r]);
  }
}

/* h *= p; returns the sum. */
static float weigh(const struct head *s, float *h, const float *p) {
  vf sum = {0};
  for (int64_t j = 0; j < s->T; j += VF_W) {
    const vf x = vf_load(h + j) * vf_load(p + j);
    vf_store(h + j, x);
    sum += x;
  }
  return vf_sum(sum);
}

static void dual(const struct head *s, const struct few_call *call, float *scratch) {
  const struct from x = num_operand(call, 0), d = num_operand(call, 1);
  const struct to y = num_result(call);
  const struct to ty = num_to(y, call->in[0].shape.dim[0] * s->T * s->h * s->D);
  const int64_t D = s->D, step = 3 * s->h * D, block = block_of(s), q_row = D + s->Dp;
  struct work w;
  lay_out(&w, s, DUAL, scratch);
  /* A panel is [k; t_k] and the query [t_q, q], so that t_s = t_q k + q t_k is one product. */
  pack_columns(s, w.keys, 2 * D, num_from(x, at(s, KEY, 0)), step);
  pack_columns(s, w.keys + D * PANEL, 2 * D, num_from(d, at(s, KEY, 0)), step);
  pack_rows(s, w.values, s->Dp, num_from(x, at(s, V, 0)), step, s->T, 1);
  pack_rows(s, w.t_values, s->Dp, num_from(d, at(s, V, 0)), step, s->T, 1);
  for (int64_t i = 0; i < s->T; i += block) {
    const int64_t rows = s->T - i < block ? s->T - i : block;
    pack_rows(s, w.q, q_row, num_from(d, at(s, Q, i)), step, rows, s->scale);
    pack_rows(s, w.q + D, q_row, num_from(x, at(s, Q, i)), step, rows, s->scale);
    scores(s, w.p, w.q + D, q_row, w.keys, 2 * D, D, rows);
    scores(s, w.h, w.q, q_row, w.keys, 2 * D, 2 * D, rows);
    float sum[QUERIES], sum_h[QUERIES];
    for (int64_t r = 0; r < rows; r++) {
      sum[r] = exponentials(s, w.p + r * s->Tp);
      sum_h[r] = weigh(s, w.h + r * s->Tp, w.p + r * s->Tp);
    }
    blend(s, w.y, w.p, w.values, rows, false);
    blend(s, w.ty, w.h, w.values, rows, false);
    blend(s, w.ty, w.p, w.t_values, rows, true);
    for (int64_t r = 0; r < rows; r++) {
      float *ty_r = w.ty + r * s->Dp, *y_r = w.y + r * s->Dp;
      const vf share = vf_set(-sum_h[r] / sum[r]);
      for (int64_t k = 0; k < s->Dp; k += VF_W)
        vf_store(ty_r + k, vf_fma(share, vf_load(y_r + k), vf_load(ty_r + k)));
      unpack_rows(s, num_to(y, at_y(s, i + r)), 0, y_r, 1, 1 / sum[r]);
      unpack_rows(s, num_to(ty, at_y(s, i + r)), 0, ty_r, 1, 1 / sum[r]);
    }
  }
}

/* Turns the scores p into probabilities, and dp into p o (dp - sum p dp), the cotangent of the
 * scores. */
static void score_cotangent(const struct head *s, float *dp, float *p) {
  const vf by = vf_set(1 / exponentials(s, p));
  const int64_t n = whole_vectors(s->T);
  vf sum = {0};
  for (int64_t j = 0; j < n; j += VF_W) {
    const vf one = vf_load(p + j) * by;
    vf_store(p + j, one);
    sum = vf_fma(one, vf_load(dp + j), sum);
  }
  const vf mean = vf_set(vf_sum(sum));
  for (int64_t j = 0; j < n; j += VF_W) vf_store(dp + j, vf_load(p + j) * (vf_load(dp + j) - mean));
}

static void grad(const struct head *s, const struct few_call *call, float *scratch) {
  const struct from x = num_operand(call, 0), dy = num_operand(call, 1);
  const struct to dx = num_result(call);
  const int64_t D = s->D, step = 3 * s->h * D, block = block_of(s);
  struct work w;
  lay_out(&w, s, GRAD, scratch);
  pack_columns(s, w.keys, D, num_from(x, at(s, KEY, 0)), step);
  pack_columns(s, w.v_panels, D, num_from(x, at(s, V, 0)), step);
  pack_rows(s, w.values, s->Dp, num_from(x, at(s, KEY, 0)), step, s->T, 1);
  for (int64_t k = 0; k < s->T * s->Dp; k++) w.dk[k] = w.dv[k] = 0;
  for (int64_t i = 0; i < s->T; i += block) {
    const int64_t rows = s->T - i < block ? s->T - i : block;
    pack_rows(s, w.q, s->Dp, num_from(x, at(s, Q, i)), step, rows, s->scale);
    pack_rows(s, w.dy, s->Dp, num_from(dy, at_y(s, i)), s->h * D, rows, 1);
    scores(s, w.p, w.q, s->Dp, w.keys, D, D, rows);
    scores(s, w.h, w.dy, s->Dp, w.v_panels, D, D, rows);
    for (int64_t r = 0; r < rows; r++) score_cotangent(s, w.h + r * s->Tp, w.p + r * s->Tp);
    spread(s, w.dv, w.p, w.dy, rows);
    spread(s, w.dk, w.h, w.q, rows);
    blend(s, w.y, w.h, w.values, rows, false);
    unpack_rows(s, num_to(dx, at(s, Q, i)), step, w.y, rows, s->scale);
  }
  unpack_rows(s, num_to(dx, at(s, KEY, 0)), step, w.dk, s->T, 1);
  unpack_rows(s, num_to(dx, at(s, V, 0)), step, w.dv, s->T, 1);
}

void FEW_ISA(few__cpu_attention)(const struct few_call *call) { each_head(call, value); }
size_t FEW_ISA(few__cpu_attention_scratch)(const struct few_call *call) {
  return scratch_bytes(call, VALUE);
}
void FEW_ISA(few__cpu_attention_dual)(const struct few_call *call) { each_head(call, dual); }
size_t FEW_ISA(few__cpu_attention_dual_scratch)(const struct few_call *call) {
  return scratch_bytes(call, DUAL);
}
void FEW_ISA(few__cpu_attention_grad)(const struct few_call *call) { each_head(call, grad); }
size_t FEW_ISA(few__cpu_attention_grad_scratch)(const struct few_call *call) {
  return scratch_bytes(call, GRAD);
}
