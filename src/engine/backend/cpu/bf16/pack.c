/* pack.c - see pack.h. */
#include "pack.h"

typedef uint32_t vu __attribute__((vector_size(VF_W * 4)));

/* Numbers i .. i + n - 1, at most VF_W; the other lanes are zero. */
VF_INLINE vf load_some(struct from x, int64_t i, int64_t n) {
  return n >= VF_W ? num_load(x, i) : n > 0 ? num_load_n(x, i, n) : (vf){0};
}

VF_INLINE vu rounded(vf x) { return (vu)vf_round_bf16(x); }

/* Pairs of the elements of rows k and k + 1, from column j on. Beyond n columns, and in the second
 * row if rows is 1, they are zero. */
VF_INLINE vf pair_of_rows(struct from x, int64_t ld, int64_t k, int64_t rows, int64_t j,
                          int64_t n) {
  const vu first = rounded(load_some(x, k * ld + j, n));
  const vu second = rows > 1 ? rounded(load_some(x, (k + 1) * ld + j, n)) : (vu){0};
  return (vf)((first >> 16) | (second & 0xffff0000u));
}

/* VF_W pairs of neighbours from element i on; zero beyond n elements. */
VF_INLINE vf pairs_at(struct from x, int64_t i, int64_t n) {
  if (x.bf16 && n >= 2 * VF_W) return vf_load_bytes((const uint16_t *)x.at + i);
  uint16_t pairs[2 * VF_W] = {0};
  if (n > 0) {
    vf_store_bf16(pairs, load_some(x, i, n));
    vf_store_bf16(pairs + VF_W, load_some(x, i + VF_W, n - VF_W));
  }
  return vf_load_bytes(pairs);
}

static void store_pairs(uint16_t *to, vf pairs, int64_t n) { /* n pairs */
  if (n >= VF_W)
    vf_store((float *)(void *)to, pairs);
  else if (n > 0)
    vf_store_n((float *)(void *)to, pairs, n);
}

static void panel_of_columns(uint16_t *to, struct from x, int64_t ld, int64_t k, int64_t n) {
  for (int64_t k0 = 0; k0 < k; k0 += 2 * VF_W, to += 2 * VF_W * BF16_N)
    for (int64_t j = 0; j < BF16_N; j += VF_W) {
      vf r[VF_W];
      VF_UNROLL(VF_W)
      for (int c = 0; c < VF_W; c++) r[c] = pairs_at(x, (j + c) * ld + k0, j + c < n ? k - k0 : 0);
      vf_transpose(r);
      VF_UNROLL(VF_W)
      for (int i = 0; i < VF_W; i++)
        if (k0 + 2 * i < round_up(k, BF16_K))
          vf_store((float *)(void *)(to + (i * BF16_N + j) * 2), r[i]);
    }
}

uint16_t *FEW_ISA(few__bf16_panel)(uint16_t *to, struct from x, int64_t ld, bool columns, int64_t k,
                                   int64_t n) {
  const int64_t whole = round_up(k, BF16_K);
  uint16_t *end = to + whole * BF16_N;
  int64_t i = 0;
  if (columns) {
    panel_of_columns(to, x, ld, k, n);
    i = min_of(whole, round_up(k, 2 * VF_W));
  }
  for (; !columns && i < k; i += 2)
    for (int64_t j = 0; j < BF16_N; j += VF_W)
      vf_store((float *)(void *)(to + (i / 2 * BF16_N + j) * 2),
               pair_of_rows(x, ld, i, k - i, j, n - j));
  if (i < whole) memset(to + i * BF16_N, 0, (size_t)((whole - i) * BF16_N) * sizeof *to);
  return end;
}

static void rows_of_columns(uint16_t *to, int64_t as, struct from x, int64_t ld, int64_t m,
                            int64_t k) {
  const int64_t pairs = round_up(k, BF16_K) / 2;
  for (int64_t i = 0; i < m; i += VF_W)
    for (int64_t p = 0; p < pairs; p += VF_W) {
      vf r[VF_W];
      VF_UNROLL(VF_W)
      for (int c = 0; c < VF_W; c++) {
        const int64_t at = 2 * (p + c);
        r[c] = at < k ? pair_of_rows(x, ld, at, k - at, i, m - i) : (vf){0};
      }
      vf_transpose(r);
      VF_UNROLL(VF_W)
      for (int c = 0; c < VF_W; c++)
        if (i + c < m) store_pairs(to + (i + c) * as + 2 * p, r[c], pairs - p);
    }
}

void FEW_ISA(few__bf16_rows)(uint16_t *to, int64_t as, struct from x, int64_t ld, bool columns,
                             int64_t m, int64_t k) {
  if (columns) {
    rows_of_columns(to, as, x, ld, m, k);
    return;
  }
  const int64_t whole = round_up(k, BF16_K);
  for (int64_t i = 0; i < m; i++, to += as) {
    num_copy((struct to){to, true}, num_from(x, i * ld), k);
    if (k < whole) memset(to + k, 0, (size_t)(whole - k) * sizeof *to);
  }
}
