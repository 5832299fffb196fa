/* pairs.c - see pairs.h. */
#include "pairs.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/rng.h"
#include "io/file.h"
#include "io/npy.h"

enum { FILE_PAIRS = 4096 };

struct few_pairs {
  few_ctx *ctx;
  const struct few_run_recipe *recipe;
  const char *dir;
  int64_t n, dims;
  struct few_sample_opts sample;
  double started;
  float *x; /* [n][dims], of deviation sigma_d */
};

/* Pairs `first` .. first + n - 1, of which `had` are there already. What is finished goes into the
 * file, also when the making is cancelled: a shorter file is one to go on with. */
static few_status make(struct few_pairs *p, const char *path, int64_t first, int64_t had,
                       int64_t n) {
  struct few_sample_opts o = p->sample;
  const struct few_progress_frame frame = {"making pairs", first + had, p->n, p->started};
  int64_t finished = 0;
  o.first = first + had;
  o.n = n - had;
  o.finished = &finished;
  few__log(p->ctx, FEW_LOG_INFO, "making pairs %" PRId64 " to %" PRId64 " of %" PRId64, first + had,
           first + n, p->n);
  few__progress_frame(p->ctx, &frame);
  few_status st = few_sample(p->recipe->teacher, &o, p->x + (first + had) * p->dims, NULL, NULL);
  few__progress_frame(p->ctx, NULL);
  if (!finished || (st && st != FEW_E_CANCELLED)) return st;
  const int64_t dim[2] = {had + finished, p->dims};
  FEW_TRY(few__npy_write(p->ctx, path, FEW_STORE_F32, 2, dim, p->x + first * p->dims));
  return st;
}

/* Up to n pairs of a file; *had: how many it has. */
static few_status read(struct few_pairs *p, const char *path, int64_t first, int64_t n,
                       int64_t *had) {
  struct few_npy a;
  FEW_TRY(few__npy_read(p->ctx, &a, path, SIZE_MAX / 2));
  few_status st = FEW_OK;
  if (a.store != FEW_STORE_F32 || a.rank != 2 || a.dim[0] > n || a.dim[1] != p->dims)
    st = few__fail(
        p->ctx, FEW_E_FORMAT,
        "%s is not the file of pairs that this run wrote: remove it, and it is made again", path);
  else
    memcpy(p->x + first * p->dims, a.data, a.bytes);
  *had = a.dim[0];
  few__npy_free(p->ctx, &a);
  return st;
}

static few_status load(struct few_pairs *p) {
  for (int64_t first = 0; first < p->n; first += FILE_PAIRS) {
    const int64_t n = p->n - first < FILE_PAIRS ? p->n - first : FILE_PAIRS;
    char name[64], *path;
    int64_t had = 0;
    snprintf(name, sizeof name, "pairs-%09" PRId64 ".npy", first);
    FEW_TRY(few__path_join(p->ctx, &path, p->dir, name));
    few_status st = few__path_exists(path) ? read(p, path, first, n, &had) : FEW_OK;
    if (!st && had < n) st = make(p, path, first, had, n);
    few__free(p->ctx, path);
    FEW_TRY(st);
  }
  return FEW_OK;
}

/* few_sample gives pictures in their own units; a student wants them as its teacher does. */
static void scale(struct few_pairs *p) {
  const few_model *m = p->recipe->teacher;
  for (int64_t i = 0; i < p->n * p->dims; i++)
    p->x[i] = (float)(((double)p->x[i] - m->data_mean) * m->data_scale);
}

few_status few__pairs_open(few_ctx *ctx, struct few_pairs **out, const struct few_run_recipe *r,
                           const char *dir) {
  const struct few_train_keys *k = &r->keys;
  struct few_pairs *p;
  *out = NULL;
  FEW_TRY(FEW_NEW(ctx, &p, 1));
  *p = (struct few_pairs){.ctx = ctx,
                          .recipe = r,
                          .dir = dir,
                          .n = k->pairs ? k->pairs : few_data_n(r->data),
                          .dims = r->spec.h * r->spec.w * r->spec.c,
                          .started = few__now()};
  p->sample = (struct few_sample_opts)FEW_SAMPLE_OPTS_INIT;
  p->sample.steps = (int)k->pairs_steps;
  p->sample.guidance = k->pairs_guidance;
  p->sample.seed = (uint64_t)k->seed;
  few_status st = FEW_NEW(ctx, &p->x, p->n * p->dims);
  if (!st) st = load(p);
  if (!st) scale(p);
  if (st)
    few__pairs_close(p);
  else
    *out = p;
  return st;
}

void few__pairs_close(struct few_pairs *p) {
  if (!p) return;
  few__free(p->ctx, p->x);
  few__free(p->ctx, p);
}

void few__pairs_fill(const struct few_pairs *p, uint64_t seed, int64_t position,
                     const struct few_rows *rows) {
  const int64_t classes = p->recipe->spec.classes;
  struct few_rng noise = {.seed = p->sample.seed, .purpose = FEW_RNG_SAMPLE};
  for (int64_t k = 0; k < rows->rows; k++) {
    const int64_t at = position + k;
    const int64_t i = few__rng_permute(seed, (uint64_t)(at / p->n), at % p->n, p->n);
    memcpy(rows->x + k * p->dims, p->x + i * p->dims, (size_t)p->dims * sizeof *p->x);
    noise.row = (uint64_t)i;
    few__rng_normal_f32(&noise, p->dims, rows->pair + k * p->dims);
    rows->label[k] = classes ? (int32_t)(i % classes) : -1;
  }
}
