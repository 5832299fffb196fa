/* checkpoint.c - a safetensors file with the arrays as tensors and the numbers as metadata.
 *
 * Reals are written as the hexadecimal text of their bits, so that reading gives the same bits. The
 * file's digest detects damage. Range checks detect wrong numbers in undamaged files.
 */
#include "checkpoint.h"

#include <errno.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "io/file.h"
#include "io/safetensors.h"

enum { KEEP = 2 };

/* ---- numbers ---- */

struct number {
  const char *key;
  void *at; /* int64_t or double: 8 bytes, stored as bits */
  bool real;
  double min, max; /* valid range */
};
enum { N_NUMBERS = 9, N_FIRST = 7 /* earlier versions wrote only the first 7 */ };

static void numbers_of(struct few_run_state *s, struct number out[N_NUMBERS]) {
  const double retries = 100, steps = 1e9; /* the limits of a recipe */
  const struct number all[N_NUMBERS] = {
      {"step", &s->step, false, 0, steps},
      {"updates", &s->updates, false, 0, steps},
      {"lr_factor", &s->lr_factor, true, ldexp(1, -(int)retries), 1},
      {"stretch", &s->stretch, true, 1, ldexp(1, (int)retries)},
      {"retries", &s->retries, false, 0, retries},
      {"usual_norm", &s->usual_norm, true, 0, DBL_MAX},
      {"spikes", &s->spikes, false, 0, 1e6},
      {"fake_updates", &s->fake_updates, false, 0, 1000 * steps},
      {"rolled_to", &s->rolled_to, false, -1, steps}};
  memcpy(out, all, sizeof all);
}

/* The hashes of the identity: metadata key, and the error if the hash differs, with what to try.
 * Earlier versions wrote only the first. */
enum { N_HASHES = 3 };

static void hashes_of(const struct few_run_identity *id, struct few_st_pair help[N_HASHES],
                      uint64_t value[N_HASHES]) {
  const struct few_st_pair all[N_HASHES] = {
      {"layout", "is of another network: take another run directory"},
      {"data",
       "was trained on other data: put the data back as they were, or take another run "
       "directory"},
      {"teacher",
       "was trained with another teacher: put that file back, or take another run "
       "directory"}};
  memcpy(help, all, sizeof all);
  value[0] = id->layout;
  value[1] = id->data;
  value[2] = id->teacher;
}

static void hex(uint64_t bits, char out[24]) { snprintf(out, 24, "0x%016" PRIx64, bits); }

static const char *const before[] = {"checkpoint-", "interim-"};
static const char after[] = ".safetensors";

few_status few__checkpoint_write(few_ctx *ctx, const struct few_run_state *s,
                                 enum few_checkpoint_kind kind, const char *dir,
                                 const struct few_run_identity *id) {
  struct few_state_array a[FEW_STATE_ARRAYS];
  struct few_st_tensor t[FEW_STATE_ARRAYS];
  struct few_st_pair meta[N_NUMBERS + N_HASHES], hash[N_HASHES];
  struct number num[N_NUMBERS];
  uint64_t value[N_HASHES];
  char text[N_NUMBERS + N_HASHES][24], name[64], *path = NULL;
  struct few_run_state copy = *s;
  int n = few__state_arrays(s, a);
  assert(dir && s->step >= 0 && n <= FEW_STATE_ARRAYS);
  for (int i = 0; i < n; i++)
    t[i] = (struct few_st_tensor){
        .name = a[i].name, .store = FEW_STORE_F32, .rank = 1, .dim = {a[i].n}, .data = a[i].at};
  numbers_of(&copy, num);
  for (int i = 0; i < N_NUMBERS; i++) {
    uint64_t bits;
    memcpy(&bits, num[i].at, sizeof bits);
    hex(bits, text[i]);
    meta[i] = (struct few_st_pair){num[i].key, text[i]};
  }
  hashes_of(id, hash, value);
  for (int i = 0; i < N_HASHES; i++) {
    hex(value[i], text[N_NUMBERS + i]);
    meta[N_NUMBERS + i] = (struct few_st_pair){hash[i].key, text[N_NUMBERS + i]};
  }
  snprintf(name, sizeof name, "%s%09" PRId64 "%s", before[kind], s->step, after);
  FEW_TRY(few__path_join(ctx, &path, dir, name));
  few_status st = few__st_write(ctx, path, t, n, meta, N_NUMBERS + N_HASHES);
  few__free(ctx, path);
  return st;
}

/* ---- the files of a directory ---- */

struct entry {
  int64_t step; /* -1: no checkpoint */
  enum few_checkpoint_kind kind;
  char *path;
};
struct entries {
  struct entry *at;
  int n, cap;
};

static struct entry entry_of(const char *name) {
  for (int kind = 0; kind < FEW_COUNT(before); kind++) {
    const size_t n = strlen(before[kind]);
    char *end;
    if (strncmp(name, before[kind], n) != 0 || name[n] < '0' || name[n] > '9') continue;
    errno = 0;
    const long long step = strtoll(name + n, &end, 10);
    if (!errno && !strcmp(end, after))
      return (struct entry){.step = step, .kind = (enum few_checkpoint_kind)kind};
  }
  return (struct entry){.step = -1};
}

static void entries_free(few_ctx *ctx, struct entries *e) {
  for (int i = 0; i < e->n; i++) few__free(ctx, e->at[i].path);
  few__free(ctx, e->at);
  *e = (struct entries){0};
}

/* Newest first. Of two checkpoints of one step the milestone comes first. */
static int by_step(const void *a, const void *b) {
  const struct entry *x = a, *y = b;
  if (x->step != y->step) return x->step > y->step ? -1 : 1;
  return (int)x->kind - (int)y->kind;
}

static few_status list(few_ctx *ctx, struct entries *out, const char *dir) {
  struct few_names names;
  *out = (struct entries){0};
  FEW_TRY(few__list_dir(ctx, &names, dir));
  few_status st = FEW_OK;
  for (int i = 0; i < names.n && !st; i++) {
    struct entry e = entry_of(names.at[i]);
    if (e.step < 0) continue;
    st = FEW_GROW(ctx, out, out->n + 1);
    if (!st) st = few__path_join(ctx, &e.path, dir, names.at[i]);
    if (!st) out->at[out->n++] = e;
  }
  few__names_free(ctx, &names);
  if (st) entries_free(ctx, out);
  if (out->n) qsort(out->at, (size_t)out->n, sizeof *out->at, by_step);
  return st;
}

static void remove_entry(few_ctx *ctx, const struct entry *e) {
  if (unlink(e->path)) few__log(ctx, FEW_LOG_WARN, "cannot remove %s", e->path);
}

/* Checkpoints after `step` were unreadable, since the run resumed before them. They do not count
 * towards those that are kept. */
few_status few__checkpoint_trim(few_ctx *ctx, const char *dir, int64_t step) {
  struct entries e;
  FEW_TRY(list(ctx, &e, dir));
  int milestones = 0, interim = 0;
  for (int i = 0; i < e.n; i++) {
    if (e.at[i].step > step) continue;
    const bool is_interim = e.at[i].kind == FEW_CHECKPOINT_INTERIM;
    const bool stays = is_interim ? !milestones && !interim : milestones < KEEP;
    if (!stays) remove_entry(ctx, &e.at[i]);
    interim += is_interim;
    milestones += !is_interim;
  }
  entries_free(ctx, &e);
  return FEW_OK;
}

few_status few__checkpoint_drop_after(few_ctx *ctx, const char *dir, int64_t step) {
  struct entries e;
  FEW_TRY(list(ctx, &e, dir));
  for (int i = 0; i < e.n; i++)
    if (e.at[i].step > step) remove_entry(ctx, &e.at[i]);
  entries_free(ctx, &e);
  return FEW_OK;
}

/* ---- reading ---- */

static few_status parse_hex(few_ctx *ctx, const struct few_st *st, const char *path,
                            const char *key, uint64_t *out) {
  const char *text = few__st_meta(st, key);
  char *end = NULL;
  if (text) *out = strtoull(text, &end, 16);
  if (text && end && *text && !*end) return FEW_OK;
  return few__fail(ctx, FEW_E_FORMAT,
                   "%s is not a checkpoint: metadata `%s` is missing or not a number", path, key);
}

static few_status check_identity(few_ctx *ctx, const struct few_st *st, const char *path,
                                 const struct few_run_identity *id) {
  struct few_st_pair hash[N_HASHES];
  uint64_t value[N_HASHES], was;
  hashes_of(id, hash, value);
  for (int i = 0; i < N_HASHES; i++) {
    if (i > 0 && !few__st_meta(st, hash[i].key)) {
      if (!id->moved) continue;
      return few__fail(ctx, FEW_E_INVALID,
                       "%s was written by an earlier few and does not record which %s it was "
                       "trained with: name it as the run's recipe.ini does",
                       path, hash[i].key);
    }
    FEW_TRY(parse_hex(ctx, st, path, hash[i].key, &was));
    if (was != value[i]) return few__fail(ctx, FEW_E_INVALID, "%s %s", path, hash[i].value);
  }
  return FEW_OK;
}

static few_status load_arrays(few_ctx *ctx, const struct few_run_state *s, const char *path,
                              const struct few_st *st) {
  struct few_state_array a[FEW_STATE_ARRAYS];
  const int n = few__state_arrays(s, a);
  for (int i = 0; i < n; i++) {
    const struct few_st_tensor *t = few__st_find(st, a[i].name);
    if (!t || t->store != FEW_STORE_F32 || t->count != a[i].n)
      return few__fail(ctx, FEW_E_FORMAT, "%s: `%s` is missing or has another size", path,
                       a[i].name);
    memcpy(a[i].at, t->data, t->bytes);
  }
  if (few__state_finite(s)) return FEW_OK;
  return few__fail(ctx, FEW_E_FORMAT, "%s has values that are not finite", path);
}

static few_status load_number(few_ctx *ctx, const struct number *num, const char *path,
                              const struct few_st *st) {
  uint64_t bits;
  double x;
  FEW_TRY(parse_hex(ctx, st, path, num->key, &bits));
  memcpy(num->at, &bits, sizeof bits);
  if (num->real)
    memcpy(&x, &bits, sizeof x);
  else
    x = (double)(int64_t)bits;
  if (x >= num->min && x <= num->max) return FEW_OK;
  return few__fail(ctx, FEW_E_FORMAT, "%s: `%s` is %g, but must be from %g to %g", path, num->key,
                   x, num->min, num->max);
}

static few_status load(few_ctx *ctx, struct few_run_state *s, const char *path,
                       const struct few_run_identity *id) {
  struct few_st st = {0};
  struct number num[N_NUMBERS];
  FEW_TRY(few__st_read(ctx, &st, path, SIZE_MAX / 2));
  few_status status = check_identity(ctx, &st, path, id);
  if (!status) status = load_arrays(ctx, s, path, &st);
  numbers_of(s, num);
  for (int i = 0; i < N_NUMBERS && !status; i++)
    if (i < N_FIRST || few__st_meta(&st, num[i].key)) status = load_number(ctx, &num[i], path, &st);
  few__st_free(ctx, &st);
  return status;
}

few_status few__checkpoint_read(few_ctx *ctx, struct few_run_state *s, const char *dir,
                                const struct few_run_identity *id, struct few_checkpoint_pick pick,
                                bool *found) {
  struct entries e;
  bool damaged = false;
  *found = false;
  if (!dir) return FEW_OK;
  FEW_TRY(list(ctx, &e, dir));
  few_status st = FEW_OK;
  for (int i = 0; i < e.n && !st && !*found; i++) {
    const bool milestone = e.at[i].kind == FEW_CHECKPOINT_MILESTONE;
    if (e.at[i].step >= pick.below || (pick.milestones && !milestone)) continue;
    st = load(ctx, s, e.at[i].path, id);
    *found = !st;
    if (st != FEW_E_FORMAT) continue;
    few__log(ctx, FEW_LOG_WARN, "%s; trying the checkpoint before it", few_error(ctx));
    damaged = true;
    st = FEW_OK;
  }
  entries_free(ctx, &e);
  if (*found) few__state_put(s);
  if (st || *found || !damaged) return st;
  return few__fail(ctx, FEW_E_FORMAT,
                   "%s has checkpoints, but none can be read: remove them to begin again", dir);
}
