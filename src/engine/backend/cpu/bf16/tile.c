/* tile.c - see tile.h. */
#include "tile.h"

#if defined(__AVX512BF16__) && !defined(__AMX_BF16__)

/* ---- Dot products of pairs: 14 x 2 sums stay in registers ---- */

void FEW_ISA(few__bf16_begin)(void) {}
void FEW_ISA(few__bf16_end)(void) {}

VF_INLINE vf dot_pairs(vf sum, vi a, vi b) {
  return (vf)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b);
}

VF_INLINE int32_t pair_at(const uint16_t *p) {
  int32_t pair;
  memcpy(&pair, p, sizeof pair);
  return pair;
}

/* Three rows share a pointer, because an address can include a multiple of the stride. */
enum { SHARE = 3, POINTERS = (BF16_M + SHARE - 1) / SHARE };

VF_INLINE const uint16_t *part(int m, vf acc[BF16_M][2], const uint16_t *a, int64_t as, int64_t k,
                               const uint16_t *b) {
  const uint16_t *p[POINTERS];
  VF_UNROLL(POINTERS)
  for (int i = 0; i < POINTERS; i++) p[i] = a + i * SHARE * as;
  for (; k > 0; k -= 2, b += 2 * BF16_N) {
    const vi b0 = vi_load((const int32_t *)(const void *)b);
    const vi b1 = vi_load((const int32_t *)(const void *)(b + BF16_N));
    VF_UNROLL(BF16_M)
    for (int i = 0; i < m; i++) {
      const vi x = vi_set(pair_at(p[i / SHARE] + i % SHARE * as));
      acc[i][0] = dot_pairs(acc[i][0], x, b0);
      acc[i][1] = dot_pairs(acc[i][1], x, b1);
    }
    VF_UNROLL(POINTERS)
    for (int i = 0; i < POINTERS; i++) p[i] += 2;
  }
  return b;
}

VF_INLINE void rows(int m, const struct few_bf16_tile *t) {
  vf acc[BF16_M][2];
  VF_UNROLL(BF16_M)
  for (int i = 0; i < m; i++) {
    acc[i][0] = t->add ? vf_load(t->c + i * BF16_N) : (vf){0};
    acc[i][1] = t->add ? vf_load(t->c + i * BF16_N + VF_W) : (vf){0};
  }
  const uint16_t *b = t->b;
  for (int64_t i = 0; i < t->parts; i++)
    b = part(m, acc, t->a + (t->offset ? t->offset[i] : 0), t->as, t->k, b);
  VF_UNROLL(BF16_M)
  for (int i = 0; i < m; i++) {
    vf_store(t->c + i * BF16_N, acc[i][0]);
    vf_store(t->c + i * BF16_N + VF_W, acc[i][1]);
  }
}

#define ROWS(m) \
  case m:       \
    rows(m, t); \
    return;

void FEW_ISA(few__bf16_tile)(const struct few_bf16_tile *t) {
  assert(0 < t->m && t->m <= BF16_M && t->k % BF16_K == 0);
  switch (t->m) {
    ROWS(1)
    ROWS(2)
    ROWS(3)
    ROWS(4)
    ROWS(5)
    ROWS(6)
    ROWS(7)
    ROWS(8)
    ROWS(9)
    ROWS(10)
    ROWS(11)
    ROWS(12)
    ROWS(13)
    ROWS(14)
  }
}

#else

/* ---- Tile registers: each has 16 rows of 64 bytes. C is in 2 x 2 of them ---- */

#if defined(__AMX_BF16__)

#define TILES
#define TILE_ZERO(t) _tile_zero(t)
#define TILE_LOAD(t, at, bytes) _tile_loadd(t, at, (size_t)(bytes))
#define TILE_STORE(t, at, bytes) _tile_stored(t, at, (size_t)(bytes))
#define TILE_DOT_PAIRS(c, a, b) _tile_dpbf16ps(c, a, b)

/* This is constant data, not a local variable: the intrinsic is declared to read only the first
 * bytes, so the compiler would omit stores to the others. */
#define ALL_TILES(x) x, x, x, x, x, x, x, x
static const struct {
  uint8_t palette, start_row, reserved[14];
  uint16_t row_bytes[16];
  uint8_t rows[16];
} tiles __attribute__((aligned(64))) = {
    .palette = 1, .row_bytes = {ALL_TILES(64)}, .rows = {ALL_TILES(16)}};

void FEW_ISA(few__bf16_begin)(void) { _tile_loadconfig(&tiles); }
void FEW_ISA(few__bf16_end)(void) { _tile_release(); }

#else

struct tile {
  uint32_t at[16][16];
};

#define TILES struct tile tile[8]
#define TILE_ZERO(t) memset(&tile[t], 0, sizeof tile[t])
#define TILE_LOAD(t, from, bytes) load(&tile[t], from, bytes)
#define TILE_STORE(t, to, bytes) store(&tile[t], to, bytes)
#define TILE_DOT_PAIRS(c, a, b) dot_pairs(&tile[c], &tile[a], &tile[b])

void FEW_ISA(few__bf16_begin)(void) {}
void FEW_ISA(few__bf16_end)(void) {}

static void load(struct tile *t, const void *from, int64_t bytes) {
  for (int i = 0; i < 16; i++) memcpy(t->at[i], (const char *)from + i * bytes, sizeof t->at[i]);
}
static void store(const struct tile *t, void *to, int64_t bytes) {
  for (int i = 0; i < 16; i++) memcpy((char *)to + i * bytes, t->at[i], sizeof t->at[i]);
}
static float low(uint32_t pair) {
  const uint32_t bits = pair << 16;
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}
static float high(uint32_t pair) { return low(pair >> 16); }

static void dot_pairs(struct tile *c, const struct tile *a, const struct tile *b) {
  for (int i = 0; i < 16; i++) {
    float sum[16];
    memcpy(sum, c->at[i], sizeof sum);
    for (int k = 0; k < 16; k++) {
      const float a0 = low(a->at[i][k]), a1 = high(a->at[i][k]);
      for (int j = 0; j < 16; j++) {
        sum[j] += a0 * low(b->at[k][j]);
        sum[j] += a1 * high(b->at[k][j]);
      }
    }
    memcpy(c->at[i], sum, sizeof sum);
  }
}

#endif

enum { ROW_BYTES = BF16_N * sizeof(float) };

/* Computes rows 0 to 15, or all 32. */
VF_INLINE void tile_of(const struct few_bf16_tile *t, bool all) {
  float *lower = t->c + 16 * BF16_N;
  TILES;
  TILE_ZERO(0);
  TILE_ZERO(1);
  if (all) {
    TILE_ZERO(2);
    TILE_ZERO(3);
  }
  if (t->add) {
    TILE_LOAD(0, t->c, ROW_BYTES);
    TILE_LOAD(1, t->c + 16, ROW_BYTES);
  }
  if (t->add && all) {
    TILE_LOAD(2, lower, ROW_BYTES);
    TILE_LOAD(3, lower + 16, ROW_BYTES);
  }
  const uint16_t *b = t->b;
  for (int64_t i = 0; i < t->parts; i++) {
    const uint16_t *a = t->a + (t->offset ? t->offset[i] : 0);
    for (int64_t k = 0; k < t->k; k += BF16_K, b += BF16_K * BF16_N) {
      TILE_LOAD(4, a + k, 2 * t->as);
      TILE_LOAD(6, b, ROW_BYTES);
      TILE_LOAD(7, b + BF16_N, ROW_BYTES);
      TILE_DOT_PAIRS(0, 4, 6);
      TILE_DOT_PAIRS(1, 4, 7);
      if (!all) continue;
      TILE_LOAD(5, a + k + 16 * t->as, 2 * t->as);
      TILE_DOT_PAIRS(2, 5, 6);
      TILE_DOT_PAIRS(3, 5, 7);
    }
  }
  TILE_STORE(0, t->c, ROW_BYTES);
  TILE_STORE(1, t->c + 16, ROW_BYTES);
  if (!all) return;
  TILE_STORE(2, lower, ROW_BYTES);
  TILE_STORE(3, lower + 16, ROW_BYTES);
}

void FEW_ISA(few__bf16_tile)(const struct few_bf16_tile *t) {
  assert(0 < t->m && t->m <= BF16_M && t->k % BF16_K == 0);
  if (t->m <= BF16_ROWS)
    tile_of(t, false);
  else
    tile_of(t, true);
}

#endif
