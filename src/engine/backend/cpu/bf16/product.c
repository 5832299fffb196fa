/* product.c - products in bf16 by blocks that stay in the caches, and MATMUL on top of it.
 *
 * B is packed into panels as wide as a tile, for the whole of k, or for a slice of k if the sums
 * are stored in f32. Then each block of rows of A is multiplied with one panel after another,
 * K_BLOCK of k at a time. That part of the panel stays in the first-level cache, and the rows stay
 * in the second-level cache. Rows whose layout is that of tile.h are read in place. A row of the
 * result does not depend on the number of rows.
 */
#include "product.h"

#include "../matmul.h"
#include "widen.h"

enum { K_BLOCK = 256, K_SLICE = 1024 };
enum { M_BLOCK = BF16_ROWS > 1 ? 8 * BF16_M : 12 * BF16_M };

/* How much of k is packed at a time. If B is an activation, k may be as long as the batch. Weights
 * are packed as a whole. */
static int64_t slice_of(const struct few_bf16_product *p) {
  return p->out_bf16 || !p->b.bf16 ? p->k : min_of(p->k, K_SLICE);
}

/* Parts of the scratch: panels of B, a block of rows of A, and their sums. */
struct parts {
  uint16_t *b, *a;
  float *sums;
  size_t bytes;
};
static struct parts parts_of(const struct few_bf16_product *p) {
  const int64_t whole = round_up(slice_of(p), BF16_K);
  const int64_t rows = round_up(min_of(p->m, M_BLOCK), BF16_M);
  const size_t b = bf16_part(round_up(p->n, BF16_N) * whole * 2);
  const size_t a = bf16_part(rows * whole * 2), sums = bf16_part(rows * BF16_N * 4);
  char *at = p->scratch;
  if (!at) return (struct parts){.bytes = b + a + sums};
  return (struct parts){(uint16_t *)(void *)at, (uint16_t *)(void *)(at + b),
                        (float *)(void *)(at + b + a), b + a + sums};
}

size_t FEW_ISA(few__bf16_product_scratch)(const struct few_bf16_product *p) {
  struct few_bf16_product q = *p;
  q.scratch = NULL;
  return parts_of(&q).bytes;
}

/* n rows of A, in place or packed. */
struct rows {
  const uint16_t *at;
  int64_t stride, n;
};
/* Rows i .. i + n - 1 of A, columns k .. k + len - 1; `room` is used if they must be packed. */
static struct rows rows_of_a(const struct few_bf16_product *p, uint16_t *room, int64_t i, int64_t n,
                             int64_t k, int64_t len) {
  const int64_t whole = round_up(len, BF16_K);
  if (p->a.bf16 && !p->ta && whole == len && n % BF16_ROWS == 0)
    return (struct rows){(const uint16_t *)p->a.at + i * p->lda + k, p->lda, n};
  const int64_t first = p->ta ? k * p->lda + i : i * p->lda + k;
  FEW_ISA(few__bf16_rows)(room, whole, num_from(p->a, first), p->lda, p->ta, n, len);
  return (struct rows){room, whole, n};
}

static void panel_sums(const struct rows *a, const uint16_t *panel, int64_t whole, float *sums) {
  for (int64_t k = 0; k < whole; k += K_BLOCK) {
    struct few_bf16_tile t = {.as = a->stride,
                              .parts = 1,
                              .k = min_of(K_BLOCK, whole - k),
                              .b = panel + k * BF16_N,
                              .c = sums,
                              .add = k > 0};
    for (int64_t i = 0; i < a->n; i += t.m, t.c += t.m * BF16_N) {
      t.a = a->at + i * a->stride + k;
      t.m = bf16_tile_rows(a->n - i);
      FEW_ISA(few__bf16_tile)(&t);
    }
  }
}

static void pack_panels(const struct few_bf16_product *p, int64_t k, int64_t len, uint16_t *to) {
  for (int64_t j = 0; j < p->n; j += BF16_N)
    to = FEW_ISA(few__bf16_panel)(to, num_from(p->b, p->tb ? j * p->ldb + k : k * p->ldb + j),
                                  p->ldb, p->tb, len, min_of(BF16_N, p->n - j));
}

size_t FEW_ISA(few__bf16_panels_bytes)(const struct few_bf16_product *p) {
  return bf16_part(round_up(p->n, BF16_N) * round_up(p->k, BF16_K) * 2);
}

void FEW_ISA(few__bf16_panels)(const struct few_bf16_product *p, uint16_t *to) {
  pack_panels(p, 0, p->k, to);
}

static void slice(const struct few_bf16_product *p, int64_t k, int64_t len) {
  const struct parts s = parts_of(p);
  assert(s.sums);
  const int64_t whole = round_up(len, BF16_K);
  const uint16_t *panels = p->panels ? p->panels : s.b;
  assert(!p->panels || len == p->k);
  if (!p->panels) pack_panels(p, k, len, s.b);
  for (int64_t i = 0; i < p->m; i += M_BLOCK) {
    const struct rows a = rows_of_a(p, s.a, i, min_of(M_BLOCK, p->m - i), k, len);
    for (int64_t j = 0; j < p->n; j += BF16_N) {
      panel_sums(&a, panels + j * whole, whole, s.sums);
      for (int64_t r = 0; r < a.n; r++)
        bf16_put(p->out, p->out_bf16, (i + r) * p->ldo + j, s.sums + r * BF16_N,
                 min_of(BF16_N, p->n - j), k > 0);
    }
  }
}

void FEW_ISA(few__bf16_product)(const struct few_bf16_product *p) {
  const size_t size = p->out_bf16 ? sizeof(uint16_t) : sizeof(float);
  if (p->k == 0)
    for (int64_t i = 0; i < p->m; i++)
      memset((char *)p->out + (size_t)(i * p->ldo) * size, 0, (size_t)p->n * size);
  FEW_ISA(few__bf16_begin)();
  for (int64_t k = 0; k < p->k; k += slice_of(p)) slice(p, k, min_of(slice_of(p), p->k - k));
  FEW_ISA(few__bf16_end)();
}

/* ---- MATMUL ---- */

static struct few_bf16_product product(const struct few_call *c, const struct few_matmul *s) {
  return (struct few_bf16_product){.m = s->m,
                                   .n = s->n,
                                   .k = s->k,
                                   .ta = s->ta,
                                   .tb = s->tb,
                                   .a = num_operand(c, 0),
                                   .b = num_operand(c, 1),
                                   .panels = c->packed,
                                   .lda = s->lda,
                                   .ldb = s->ldb,
                                   .ldo = s->n,
                                   .out = c->out,
                                   .out_bf16 = c->bf16[0],
                                   .scratch = c->scratch};
}

/* Products with an activation are large and use the units. Products of embeddings, whose factors
 * are all in f32, are computed in f32. */
static bool with_units(const struct few_call *c) {
  return BF16_UNITS != BF16_NONE && (c->in[0].bf16 || c->in[1].bf16);
}

size_t FEW_ISA(few__bf16_matmul_scratch)(const struct few_call *c) {
  const struct few_matmul s = few__matmul_of(c);
  if (!with_units(c)) return widened_scratch(c, FEW_F32_SET(few__cpu_matmul_scratch));
  const struct few_bf16_product p = product(c, &s);
  return FEW_ISA(few__bf16_product_scratch)(&p);
}

size_t FEW_ISA(few__bf16_matmul_packed)(const struct few_call *c) {
  const struct few_matmul s = few__matmul_of(c);
  const struct few_bf16_product p = product(c, &s);
  if (!with_units(c) || c->in[1].bf16 || s.count != 1 || s.m > BF16_KEEP_ROWS) return 0;
  return FEW_ISA(few__bf16_panels_bytes)(&p);
}

void FEW_ISA(few__bf16_matmul_pack)(const struct few_call *c, void *to) {
  const struct few_matmul s = few__matmul_of(c);
  const struct few_bf16_product p = product(c, &s);
  FEW_ISA(few__bf16_panels)(&p, to);
}

void FEW_ISA(few__bf16_matmul)(const struct few_call *c) {
  const struct few_matmul s = few__matmul_of(c);
  if (!with_units(c)) {
    widened_run(c, FEW_F32_SET(few__cpu_matmul));
    return;
  }
  struct few_bf16_product p = product(c, &s);
  const struct from a = p.a, b = p.b;
  for (int64_t i = 0; i < s.count; i++) {
    p.a = num_from(a, i * s.m * s.k);
    p.b = num_from(b, i * s.b_step);
    p.out = (char *)c->out + i * s.m * s.n * (c->bf16[0] ? 2 : 4);
    FEW_ISA(few__bf16_product)(&p);
  }
}
