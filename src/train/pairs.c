/* pairs.c - see pairs.h.
 *
 * A file of pairs is a safetensors file of one tensor. Its digest detects damage, and a damaged
 * file is made again, with the same bits. Earlier versions wrote .npy files, which are still read.
 */
#include "pairs.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/rng.h"
#include "io/file.h"
#include "io/npy.h"
#include "io/safetensors.h"
#include "model/run/sample.h"

enum { FILE_PAIRS = 4096 };

struct few_pairs {
  few_ctx *ctx;
  const struct few_setup *setup;
  const char *dir;
  int64_t n, dims;
  few_runner *teacher; /* while pairs are made */
  struct few_sample_opts sample;
  double started;
  float *x;        /* [n][dims], of standard deviation sigma_d */
  float *guidance; /* [n] scale of each; NULL: one scale for all */
  int32_t *label;  /* [n], -1 for none */
};

/* ---- labels ---- */

static bool even(const struct few_setup *setup) {
  for (int64_t k = 1; k < setup->spec.classes; k++)
    if (setup->class_counts[k] != setup->class_counts[0]) return false;
  return true;
}

/* Labels have the class shares of the data, because the pairs replace the data. */
static few_status choose_labels(struct few_pairs *p) {
  const struct few_shares shares = {p->setup->spec.classes, p->setup->class_counts};
  for (int64_t i = 0; !shares.classes && i < p->n; i++) p->label[i] = -1;
  return shares.classes ? few__labels(p->ctx, &shares, 0, p->n, p->label) : FEW_OK;
}

/* ---- files ---- */

/* Pairs with other labels have other files, so the name depends on the labels. */
static void name_file(const struct few_pairs *p, char name[64], int64_t first, const char *end) {
  const struct few_setup *setup = p->setup;
  if (even(setup)) {
    snprintf(name, 64, "pairs-%09" PRId64 "%s", first, end);
    return;
  }
  const size_t bytes = (size_t)setup->spec.classes * sizeof *setup->class_counts;
  snprintf(name, 64, "pairs-%09" PRId64 "-%08" PRIx32 "%s", first,
           (uint32_t)few__hash(setup->class_counts, bytes, 0), end);
}

/* Values per pair in a file: the image, then the guidance scale if each pair has its own. */
static int64_t width_of(const struct few_pairs *p) { return p->dims + (p->guidance != NULL); }

static few_status write_rows(struct few_pairs *p, const char *path, int64_t n, const float *rows) {
  const struct few_st_tensor t = {
      .name = "pairs", .store = FEW_STORE_F32, .rank = 2, .dim = {n, width_of(p)}, .data = rows};
  return few__st_write(p->ctx, path, &t, 1, NULL, 0);
}

static few_status write(struct few_pairs *p, const char *path, int64_t first, int64_t n) {
  const int64_t width = width_of(p);
  const float *x = p->x + first * p->dims;
  float *both = NULL;
  if (!p->guidance) return write_rows(p, path, n, x);
  FEW_TRY(FEW_NEW(p->ctx, &both, n * width));
  for (int64_t i = 0; i < n; i++) {
    memcpy(both + i * width, x + i * p->dims, (size_t)p->dims * sizeof *x);
    both[i * width + p->dims] = p->guidance[first + i];
  }
  few_status st = write_rows(p, path, n, both);
  few__free(p->ctx, both);
  return st;
}

static void take(struct few_pairs *p, int64_t first, int64_t n, const float *both) {
  const int64_t width = width_of(p);
  for (int64_t i = 0; i < n; i++) {
    memcpy(p->x + (first + i) * p->dims, both + i * width, (size_t)p->dims * sizeof *both);
    if (p->guidance) p->guidance[first + i] = both[i * width + p->dims];
  }
}

/* Makes pairs `first` .. first + n - 1, of which `had` exist. Finished pairs are written even if
 * the work is cancelled: a shorter file is completed later. path NULL: no file. */
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
  const struct few_sample_path path_of = {.label = p->label + o.first,
                                          .guidance = p->guidance ? p->guidance + o.first : NULL};
  few_status st = few__sample_run(p->teacher, &o, &path_of, p->x + o.first * p->dims, NULL, NULL);
  few__progress_frame(p->ctx, NULL);
  if (!finished || (st && st != FEW_E_CANCELLED)) return st;
  FEW_TRY(few__samples_check(p->ctx, p->setup->teacher, "pairs of the teacher", o.first, finished,
                             p->x + o.first * p->dims));
  if (path) FEW_TRY(write(p, path, first, had + finished));
  return st;
}

static few_status take_rows(struct few_pairs *p, const char *path, int64_t first, int64_t n,
                            enum few_store store, int rank, const int64_t *dim, const void *rows) {
  if (store == FEW_STORE_F32 && rank == 2 && dim[0] <= n && dim[1] == width_of(p)) {
    take(p, first, dim[0], rows);
    return FEW_OK;
  }
  return few__fail(p->ctx, FEW_E_INVALID,
                   "%s is not a file of pairs of this run: remove it, and it is made again", path);
}

/* Reads up to n pairs from a file. *had is the number that were read. */
static few_status read(struct few_pairs *p, const char *path, int64_t first, int64_t n,
                       int64_t *had) {
  struct few_st file;
  few_status st = few__st_read(p->ctx, &file, path, SIZE_MAX / 2);
  if (st == FEW_E_FORMAT) {
    few__log(p->ctx, FEW_LOG_WARN, "%s; its pairs are made again", few_error(p->ctx));
    return FEW_OK;
  }
  FEW_TRY(st);
  const struct few_st_tensor *t = file.n == 1 ? file.at : &(struct few_st_tensor){.rank = -1};
  st = take_rows(p, path, first, n, t->store, t->rank, t->dim, t->data);
  if (!st) *had = t->dim[0];
  few__st_free(p->ctx, &file);
  return st;
}

static few_status read_npy(struct few_pairs *p, const char *path, int64_t first, int64_t n,
                           int64_t *had) {
  struct few_npy a;
  FEW_TRY(few__npy_read(p->ctx, &a, path, SIZE_MAX / 2));
  few_status st = take_rows(p, path, first, n, a.store, a.rank, a.dim, a.data);
  if (!st) *had = a.dim[0];
  few__npy_free(p->ctx, &a);
  return st;
}

static few_status load_file(struct few_pairs *p, int64_t first, int64_t n) {
  char name[64], *path = NULL, *before = NULL;
  int64_t had = 0;
  few_status st = FEW_OK;
  if (!p->dir) return make(p, NULL, first, 0, n);
  name_file(p, name, first, ".safetensors");
  FEW_GOTO(few__path_join(p->ctx, &path, p->dir, name));
  name_file(p, name, first, ".npy");
  FEW_GOTO(few__path_join(p->ctx, &before, p->dir, name));
  if (few__path_exists(path))
    FEW_GOTO(read(p, path, first, n, &had));
  else if (few__path_exists(before))
    FEW_GOTO(read_npy(p, before, first, n, &had));
  if (had < n) st = make(p, path, first, had, n);
out:
  few__free(p->ctx, path);
  few__free(p->ctx, before);
  return st;
}

static few_status load(struct few_pairs *p) {
  for (int64_t first = 0; first < p->n; first += FILE_PAIRS)
    FEW_TRY(load_file(p, first, p->n - first < FILE_PAIRS ? p->n - first : FILE_PAIRS));
  return FEW_OK;
}

/* Converts the samples from the units of the data to those of the teacher, which the student
 * takes. */
static void scale(struct few_pairs *p) {
  const few_model *m = p->setup->teacher;
  for (int64_t i = 0; i < p->n * p->dims; i++)
    p->x[i] =
        (float)(((double)p->x[i] - few__model_scale(m, i).mean) * few__model_scale(m, i).scale);
}

static struct few_sample_opts options_of(const struct few_setup *setup) {
  const struct few_train_keys *k = &setup->config.keys;
  struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
  o.steps = (int)k->pairs_steps;
  o.guidance = few__pairs_drawn(setup) ? setup->guidance_min : k->pairs_guidance;
  o.seed = (uint64_t)k->seed;
  return o;
}

few_status few__pairs_check(few_ctx *ctx, const struct few_setup *setup) {
  const struct few_sample_opts o = options_of(setup);
  struct few_sample_resolved s;
  few_status st = few__sample_resolve(ctx, &s, setup->teacher, &o, FEW_TO_IMAGES);
  if (st)
    return few__fail_in(ctx, st, "%s: pairs of teacher %s", setup->config.recipe.place,
                        setup->config.keys.teacher);
  if (s.sampler->fresh_noise && s.times.steps > 1)
    st = few__fail(ctx, FEW_E_INVALID,
                   "teacher %s is sampled by %s in %d steps with fresh noise between them, so the "
                   "starting noise does not determine its images: give pairs_steps = 1, or a "
                   "teacher that was trained by diffusion",
                   setup->config.keys.teacher, s.sampler->name, s.times.steps);
  few__sample_resolved_free(ctx, &s);
  return st;
}

/* Draws the guidance scales. Like the noise, scale i depends only on (seed, i). */
static void draw_guidance(struct few_pairs *p) {
  const double least = p->setup->guidance_min, most = p->setup->guidance_max;
  struct few_rng rng = {.seed = p->sample.seed, .purpose = FEW_RNG_GUIDANCE};
  for (int64_t i = 0; i < p->n; i++) {
    double u;
    rng.row = (uint64_t)i;
    few__rng_uniform_f64(&rng, 1, &u);
    p->guidance[i] = (float)(least + u * (most - least));
  }
}

few_status few__pairs_open(few_ctx *ctx, struct few_pairs **out, const struct few_setup *setup,
                           const char *dir) {
  const struct few_train_keys *k = &setup->config.keys;
  struct few_pairs *p;
  *out = NULL;
  FEW_TRY(FEW_NEW(ctx, &p, 1));
  *p = (struct few_pairs){.ctx = ctx,
                          .setup = setup,
                          .dir = dir,
                          .n = k->pairs ? k->pairs : few_data_n(setup->data),
                          .dims = setup->spec.h * setup->spec.w * setup->spec.c,
                          .started = few__now()};
  p->sample = options_of(setup);
  few_status st = FEW_NEW(ctx, &p->x, p->n * p->dims);
  if (!st && few__pairs_drawn(setup)) st = FEW_NEW(ctx, &p->guidance, p->n);
  if (!st && p->guidance) draw_guidance(p);
  if (!st) st = FEW_NEW(ctx, &p->label, p->n);
  if (!st) st = choose_labels(p);
  if (!st) st = few_runner_create(&p->teacher, ctx, setup->teacher);
  if (!st) st = load(p);
  few_runner_free(p->teacher);
  p->teacher = NULL;
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
  few__free(p->ctx, p->guidance);
  few__free(p->ctx, p->label);
  few__free(p->ctx, p);
}

void few__pairs_fill(const struct few_pairs *p, uint64_t seed, int64_t position,
                     const struct few_rows *rows) {
  struct few_rng noise = {.seed = p->sample.seed, .purpose = FEW_RNG_SAMPLE};
  assert(position >= 0 && rows->pair && !p->guidance == !rows->guidance);
  for (int64_t k = 0; k < rows->rows; k++) {
    const int64_t at = position + k;
    const int64_t i = few__rng_permute(seed, (uint64_t)(at / p->n), at % p->n, p->n);
    memcpy(rows->x + k * p->dims, p->x + i * p->dims, (size_t)p->dims * sizeof *p->x);
    noise.row = (uint64_t)i;
    few__rng_normal_f32(&noise, p->dims, rows->pair + k * p->dims);
    if (p->guidance) rows->guidance[k] = p->guidance[i];
    rows->label[k] = p->label[i];
  }
}
