/* labels.c - Sainte-Lague's rule as a series. Sample ("seat") j = 0, 1, ... of class k has the
 * position (2 j + 1)/(2 c_k), and the series is in the order of positions; of equal positions, the
 * class with the lower number comes first. After `total` seats, at position 1, the series repeats.
 *
 * A heap has the next seat of each class. The series need not be computed from sample 0. A little
 * before sample `first`, class k has had about c_k first/total seats, and the heap starts there.
 * Seats that are uncertain because of rounding come before `first`, so they do not matter.
 */
#include "labels.h"

#include <math.h>

struct seat {
  int64_t label, count, taken;
};

/* Whether (2 a.taken + 1)/a.count < (2 b.taken + 1)/b.count. The products are below 2^32 times
 * 2^31. */
static bool before(const struct seat *a, const struct seat *b) {
  const uint64_t x = (uint64_t)(2 * a->taken + 1) * (uint64_t)b->count;
  const uint64_t y = (uint64_t)(2 * b->taken + 1) * (uint64_t)a->count;
  return x != y ? x < y : a->label < b->label;
}

static void sink(struct seat *heap, int64_t n, int64_t at) {
  for (int64_t k; (k = 2 * at + 1) < n; at = k) {
    if (k + 1 < n && before(&heap[k + 1], &heap[k])) k++;
    if (!before(&heap[k], &heap[at])) return;
    const struct seat s = heap[at];
    heap[at] = heap[k];
    heap[k] = s;
  }
}

static int32_t take(struct seat *heap, int64_t n) {
  const int64_t label = heap[0].label;
  heap[0].taken++;
  sink(heap, n, 0);
  return (int32_t)label;
}

/* Fills the heap with the classes that occur, each just before its seat number c_k x. */
static int64_t fill(const struct few_shares *s, double x, struct seat *heap, int64_t *sum) {
  int64_t n = 0;
  *sum = 0;
  for (int64_t k = 0; k < s->classes; k++) {
    const int64_t count = s->count ? s->count[k] : 1;
    if (!count) continue;
    heap[n] = (struct seat){k, count, x > 0 ? (int64_t)floor((double)count * x + 0.5) : 0};
    *sum += heap[n++].taken;
  }
  for (int64_t i = n / 2; i-- > 0;) sink(heap, n, i);
  return n;
}

few_status few__labels(few_ctx *ctx, const struct few_shares *s, int64_t first, int64_t n,
                       int32_t *out) {
  struct seat *heap;
  int64_t total = 0, at;
  for (int64_t k = 0; k < s->classes; k++) {
    const int64_t count = s->count ? s->count[k] : 1;
    assert(count >= 0 && count <= INT32_MAX);
    total += count;
  }
  assert(total > 0 && first >= 0);
  FEW_TRY(FEW_NEW(ctx, &heap, s->classes));
  const int64_t from = first % total, early = from - 2 * s->classes - 2;
  const int64_t kinds = fill(s, (double)early / (double)total, heap, &at);
  assert(at <= from);
  for (; at < from; at++) take(heap, kinds);
  for (int64_t i = 0; i < n; i++) {
    if (at++ == total) { /* repeat, so that the numbers stay small */
      fill(s, 0, heap, &at);
      at = 1;
    }
    out[i] = take(heap, kinds);
  }
  few__free(ctx, heap);
  return FEW_OK;
}

void few__labels_even(const struct few_shares *s, int64_t *out) {
  for (int64_t k = 0; k < s->classes; k++) out[k] = !s->count || s->count[k] > 0;
}
