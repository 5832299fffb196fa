/* memory.c - memory planning: each storage gets its offset in the arena. Storages that are not live
 * at the same time share bytes.
 *
 * First, a pointwise instruction may write over an operand that is read there for the last time.
 * Then the remaining storages are placed largest first, each at the lowest offset that overlaps no
 * storage live at the same time (greedy by size: Pisarchyk and Lee, arXiv 2001.03288).
 */
#include <stdlib.h>

#include "plan_internal.h"

static bool is_pointwise(const struct instruction *in) {
  return in->op == FEW_OP_COUNT || few__op_def(in->op)->flags & FEW_OP_POINTWISE;
}

/* The storage at the end of a chain of take-overs. */
static int owner(const struct few_plan *plan, int s) {
  assert(0 <= s && s < plan->storages.n);
  while (plan->storages.at[s].shares >= 0) s = plan->storages.at[s].shares;
  return s;
}

/* Whether the instruction reads storage s in another way than element by element: only a part of
 * it, or elements several times. */
static bool read_apart(const struct few_plan *plan, const struct instruction *in, int s) {
  for (int k = 0; k < in->call.n_in; k++)
    if (owner(plan, in->in[k].storage) == s &&
        (in->in[k].offset || !few_shape_equal(in->call.in[k].shape, in->call.shape)))
      return true;
  return false;
}

/* Result o of instruction i may take over an operand of the same shape, stored alike, that is read
 * here for the last time and fills its storage. */
static void take_over(struct few_plan *plan, int i) {
  struct instruction *in = &plan->code.at[i];
  for (int o = 0; o < in->n_out; o++) {
    struct storage *out = &plan->storages.at[in->out[o].storage];
    if (out->where != IN_ARENA) continue;
    for (int k = 0; k < in->call.n_in; k++) {
      int s = owner(plan, in->in[k].storage);
      struct storage *from = &plan->storages.at[s];
      if (from->where != IN_ARENA || from->last != i || from->bytes != out->bytes ||
          in->call.in[k].bf16 != in->call.bf16[o] || read_apart(plan, in, s))
        continue;
      assert(s != in->out[o].storage && from->first <= i);
      out->shares = s;
      from->last = out->last;
      break;
    }
  }
}

struct item {
  int storage;
  size_t bytes;
};

static int larger_first(const void *a, const void *b) {
  const struct item *x = a, *y = b;
  if (x->bytes != y->bytes) return x->bytes < y->bytes ? 1 : -1;
  return x->storage - y->storage;
}

static int by_offset(const void *a, const void *b) {
  const struct storage *x = *(const struct storage *const *)a;
  const struct storage *y = *(const struct storage *const *)b;
  return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static size_t rounded(size_t bytes) { return (bytes + 63) & ~(size_t)63; }

static bool overlap_in_time(const struct storage *a, const struct storage *b) {
  return a->first <= b->last && b->first <= a->last;
}

few_status few__plan_memory(few_plan *plan) {
  few_ctx *ctx = plan->ctx;
  int n = plan->storages.n, m = 0;
  struct item *items = NULL;
  struct storage **placed = NULL;
  few_status st;
  for (int i = 0; i < plan->code.n; i++)
    if (is_pointwise(&plan->code.at[i])) take_over(plan, i);
  FEW_GOTO(FEW_NEW(ctx, &items, n));
  FEW_GOTO(FEW_NEW(ctx, &placed, n));
  for (int s = 0; s < n; s++) {
    const struct storage *a = &plan->storages.at[s];
    if (a->where == IN_ARENA && a->shares < 0) items[m++] = (struct item){s, rounded(a->bytes)};
  }
  qsort(items, (size_t)m, sizeof *items, larger_first);
  for (int i = 0; i < m; i++) {
    struct storage *a = &plan->storages.at[items[i].storage];
    size_t at = 0;
    int n_placed = 0;
    for (int j = 0; j < i; j++) {
      struct storage *b = &plan->storages.at[items[j].storage];
      if (overlap_in_time(a, b)) placed[n_placed++] = b;
    }
    qsort(placed, (size_t)n_placed, sizeof(struct storage *), by_offset);
    for (int j = 0; j < n_placed; j++) {
      if (placed[j]->offset >= at + items[i].bytes) break;
      size_t end = placed[j]->offset + rounded(placed[j]->bytes);
      if (end > at) at = end;
    }
    a->offset = at;
    if (at + items[i].bytes > plan->arena_bytes) plan->arena_bytes = at + items[i].bytes;
  }
  for (int s = 0; s < n; s++) {
    struct storage *a = &plan->storages.at[s];
    if (a->shares >= 0) a->offset = plan->storages.at[owner(plan, s)].offset;
  }
out:
  few__free(ctx, items);
  few__free(ctx, placed);
  return st;
}
