/* gemm.c - c = a b by blocks that stay in the caches, and MATMUL on top of it.
 *
 * The usual five loops. Blocks of B (K_BLOCK x N_BLOCK, sized for the second-level cache) are
 * copied into panels as wide as a register tile, and blocks of A (M_BLOCK x K_BLOCK) into strips as
 * high as a tile. Then each panel stays in the first-level cache while it is multiplied with all
 * strips. With few rows, copying B costs more than it saves, so B is read in place. Where k is cut
 * depends on k only, so a row of the result does not depend on the number of rows.
 * docs/performance.md says why this is not a BLAS.
 */
#include "gemm.h"

#include "matmul.h"

enum {
  K_BLOCK = 384,
  N_BLOCK = 12 * GEMM_N,
  M_BLOCK = 8 * GEMM_M,
  SMALL_M = 2 * GEMM_M,
  NARROW = 2 * GEMM_N
};

struct block {
  int64_t at, len;
};

/* The block of [0, n) that begins at `at`. Blocks are nearly equal, of at most `most` elements, and
 * end at whole vectors. */
static struct block cut(int64_t n, int64_t at, int64_t most) {
  const int64_t pieces = (n + most - 1) / most;
  const int64_t len = round_up((n + pieces - 1) / pieces, VF_W);
  return (struct block){at, min_of(len, n - at)};
}

/* Copies n <= VF_W rows of a transposed B into the panel, as columns. Columns from n on are
 * zero. */
static void pack_columns(const float *from, int64_t ldb, int64_t k, int64_t n, float *to) {
  int64_t i = 0;
  for (; n == VF_W && i + VF_W <= k; i += VF_W) {
    vf r[VF_W];
    VF_UNROLL(VF_W)
    for (int c = 0; c < VF_W; c++) r[c] = vf_load(from + c * ldb + i);
    vf_transpose(r);
    VF_UNROLL(VF_W)
    for (int c = 0; c < VF_W; c++) vf_store(to + (i + c) * GEMM_N, r[c]);
  }
  for (; i < k; i++)
    for (int c = 0; c < VF_W; c++) to[i * GEMM_N + c] = c < n ? from[c * ldb + i] : 0;
}

/* A vector of the first n floats, at most VF_W; the other lanes are zero. */
static inline vf load_some(const float *from, int64_t n) {
  return n >= VF_W ? vf_load(from) : n > 0 ? vf_load_n(from, n) : (vf){0};
}

/* Copies b[k.., j..] to a panel of width GEMM_N; columns beyond n are zero. */
static void pack_panel(const struct few_gemm *p, struct block k, int64_t j, float *to) {
  const int64_t n = min_of(GEMM_N, p->n - j), n0 = min_of(n, VF_W), n1 = n - n0;
  if (p->tb) {
    const float *from = p->b + j * p->ldb + k.at;
    pack_columns(from, p->ldb, k.len, n0, to);
    pack_columns(from + n0 * p->ldb, p->ldb, k.len, n1, to + VF_W);
    return;
  }
  const float *from = p->b + k.at * p->ldb + j;
  for (int64_t i = 0; i < k.len; i++, from += p->ldb, to += GEMM_N) {
    vf_store(to, load_some(from, n0));
    vf_store(to + VF_W, load_some(from + n0, n1));
  }
}

/* Copies `rows` rows (at most GEMM_M) from a[i, k.at] on into a strip: as chunks, or as columns if
 * A is stored transposed. */
static void pack_strip(const struct few_gemm *p, struct block k, int64_t i, int rows, float *to) {
  if (p->ta) {
    const float *from = p->a + k.at * p->lda + i;
    for (int64_t c = 0; c < k.len; c++, from += p->lda, to += GEMM_M) {
      if (rows == GEMM_M)
        memcpy(to, from, GEMM_M * sizeof *to);
      else
        memcpy(to, from, (size_t)rows * sizeof *to);
    }
    return;
  }
  for (int r = 0; r < rows; r++) {
    const float *from = p->a + (i + r) * p->lda + k.at;
    for (int64_t c = 0; c < k.len; c += VF_W)
      vf_store(to + c * GEMM_M + r * VF_W, load_some(from + c, k.len - c));
  }
}

static int64_t strip_floats(int64_t k) { return round_up(k, VF_W) * GEMM_M; }

static int64_t strips_floats(const struct few_gemm *p) {
  const int64_t strips = (min_of(p->m, M_BLOCK) + GEMM_M - 1) / GEMM_M;
  return round_up(strips * strip_floats(min_of(p->k, K_BLOCK)), 16);
}

/* Whether the panel of B at column j is read in place: if A has few rows and the panel is whole. */
static bool in_place(const struct few_gemm *p, int64_t j) {
  return p->m <= SMALL_M && !p->tb && j + GEMM_N <= p->n;
}

/* Whether A is read in place: if it is stored transposed, the elements of a tile's column are
 * adjacent already. With few columns, copying costs more than it saves. */
static bool a_in_place(const struct few_gemm *p) { return p->ta && p->n <= NARROW; }

/* Computes rows i and columns j of the result from slice k. Operands that are not read in place are
 * packed in scratch. */
static void multiply(const struct few_gemm *p, struct block i, struct block j, struct block k) {
  const float *strips = p->scratch, *panels = p->scratch + strips_floats(p);
  for (int64_t c = 0; c < j.len; c += GEMM_N) {
    const int64_t col = j.at + c;
    const bool there = in_place(p, col);
    struct few_tile t = {.a = a_in_place(p) ? p->a + k.at * p->lda + i.at : strips,
                         .b = there ? p->b + k.at * p->ldb + col : panels + c * k.len,
                         .bs = there ? p->ldb : GEMM_N,
                         .as = a_in_place(p) ? p->lda : GEMM_M,
                         .cs = p->ldc,
                         .k = k.len,
                         .n = (int)min_of(GEMM_N, p->n - col),
                         .add = p->add || k.at > 0};
    const int64_t strip = strip_floats(k.len);
    for (int64_t row = 0; row < i.len; row += t.m, t.a += a_in_place(p) ? t.m : strip) {
      t.m = tile_rows(i.len - row);
      t.c = p->c + (i.at + row) * p->ldc + col;
      if (p->ta)
        FEW_ISA(few__tile_columns)(&t);
      else
        FEW_ISA(few__tile_chunks)(&t);
    }
  }
}

static void slice(const struct few_gemm *p, struct block j, struct block k) {
  float *panels = p->scratch + strips_floats(p);
  for (int64_t c = 0; c < j.len; c += GEMM_N)
    if (!in_place(p, j.at + c)) pack_panel(p, k, j.at + c, panels + c * k.len);
  for (int64_t i = 0; i < p->m; i += M_BLOCK) {
    const struct block rows = {i, min_of(M_BLOCK, p->m - i)};
    float *to = p->scratch;
    for (int64_t r = 0; r < rows.len && !a_in_place(p); to += strip_floats(k.len)) {
      const int n = tile_rows(rows.len - r);
      pack_strip(p, k, i + r, n, to);
      r += n;
    }
    multiply(p, rows, j, k);
  }
}

int64_t FEW_ISA(few__gemm_scratch)(const struct few_gemm *p) {
  return strips_floats(p) + round_up(min_of(p->n, N_BLOCK), GEMM_N) * min_of(p->k, K_BLOCK);
}

void FEW_ISA(few__gemm)(const struct few_gemm *p) {
  if (p->k == 0 && !p->add)
    for (int64_t i = 0; i < p->m; i++) memset(p->c + i * p->ldc, 0, (size_t)p->n * sizeof *p->c);
  if (p->k == 0) return;
  for (struct block j = {0}; j.at < p->n; j.at += j.len) {
    j.len = min_of(N_BLOCK, p->n - j.at);
    for (struct block k = cut(p->k, 0, K_BLOCK); k.at < p->k; k = cut(p->k, k.at + k.len, K_BLOCK))
      slice(p, j, k);
  }
}

/* ---- MATMUL ---- */

static struct few_gemm product(const struct few_matmul *s) {
  return (struct few_gemm){.m = s->m,
                           .n = s->n,
                           .k = s->k,
                           .ta = s->ta,
                           .tb = s->tb,
                           .lda = s->lda,
                           .ldb = s->ldb,
                           .ldc = s->n};
}

size_t FEW_ISA(few__cpu_matmul_scratch)(const struct few_call *c) {
  const struct few_matmul s = few__matmul_of(c);
  const struct few_gemm p = product(&s);
  return (size_t)FEW_ISA(few__gemm_scratch)(&p) * sizeof(float);
}

void FEW_ISA(few__cpu_matmul)(const struct few_call *c) {
  const struct few_matmul s = few__matmul_of(c);
  struct few_gemm p = product(&s);
  p.a = c->in[0].data;
  p.b = c->in[1].data;
  p.c = c->out;
  p.scratch = c->scratch;
  for (int64_t i = 0; i < s.count; i++, p.a += p.m * p.k, p.b += s.b_step, p.c += p.m * p.n)
    FEW_ISA(few__gemm)(&p);
}
