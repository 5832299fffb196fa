/* sample.c - images from a model.
 *
 * Image i starts from noise that depends only on (seed, i), and its row always has the same place
 * in a replay of the network, since blocks begin at image indices that are multiples of
 * few_runner_rows. If the first requested image is not such a multiple, the images before it are
 * made too, and dropped. So image i is the same in every call that includes it.
 */
#include "sample.h"

#include "base/pace.h"
#include "clip.h"

static const int64_t block_values = (int64_t)1 << 24; /* in an array of a block, if few chooses */

struct job {
  few_runner *r;
  const few_model *m; /* the runner's */
  const struct few_sample_opts *o;
  const struct few_sample_path *path;
  struct few_sample_resolved resolved;
  struct few_forward f;
  int64_t dims, batch;
  float *x;
  int32_t *label;
  float *guidance;     /* of each row; NULL: opts->guidance */
  int64_t *even;       /* the classes of FEW_LABEL_EACH, as counts; NULL: no classes */
  int64_t block, rows; /* first row and rows of the current block */
  int64_t finished;    /* images in the blocks before it */
  int evals, planned;  /* evaluations of the current block: done, and all */
  int nfe;             /* network evaluations per image of the current block; guidance counts too */
  struct few_clip clip;   /* clip 0: none */
  float *worse;           /* output of the autoguide; NULL: no autoguidance */
  struct few_watch watch; /* counts images */
};

/* The most images in a block: within memory, a multiple of few_runner_rows, and enough for all
 * workers. */
static int64_t choose_batch(const struct job *j, int64_t rows) {
  const int64_t R = few_runner_rows(j->r), least = few__runner_portion(j->r);
  /* a fitted sampler keeps the network's output at every step */
  const int64_t kept = j->resolved.sampler->fitted ? j->resolved.times.steps : 1;
  assert(rows >= 1 && kept >= 1);
  int64_t batch = j->o->batch ? j->o->batch : block_values / j->dims / kept;
  if (!j->o->batch && batch < least) batch = least;
  if (batch > rows) batch = rows;
  return (batch + R - 1) / R * R;
}

/* Seconds that a block of so many evaluations should take. Cancelling loses the current block, so
 * it should be short. But each evaluation waits for its slowest worker, so it should not be too
 * short.
 */
static double block_seconds(int evaluations) {
  const double block = 2, least = 0.05, most = 0.25; /* least, most: of an evaluation */
  const double each = block / (evaluations > 0 ? evaluations : 1);
  return (each < least ? least : each > most ? most : each) * (evaluations > 0 ? evaluations : 1);
}

/* ---- running ---- */

/* The labels of the current block. */
static few_status choose_labels(struct job *j) {
  const int want = j->o->label;
  const struct few_shares shares = {j->m->spec.classes,
                                    want == FEW_LABEL_EACH ? j->even : j->m->class_counts};
  if (!j->path->label && j->m->spec.classes && (want == FEW_LABEL_EACH || want == FEW_LABEL_SHARES))
    return few__labels(j->r->ctx, &shares, j->block, j->rows, j->label);
  for (int64_t i = 0; i < j->rows; i++) {
    const int64_t k = j->block + i - j->o->first;
    if (j->path->label)
      j->label[i] = k < 0 ? -1 : j->path->label[k];
    else
      j->label[i] = want == FEW_LABEL_NONE || !j->m->spec.classes ? -1 : want;
  }
  return FEW_OK;
}

static few_status make_even(struct job *j) {
  const struct few_shares own = few__model_shares(j->m);
  if (!j->m->spec.classes) return FEW_OK;
  FEW_TRY(FEW_NEW(j->r->ctx, &j->even, j->m->spec.classes));
  few__labels_even(&own, j->even);
  return FEW_OK;
}

/* Reports that `part` of the current block is done. */
static few_status report(struct job *j, double part) {
  int64_t start = j->block < j->o->first ? j->o->first : j->block;
  int64_t made = j->block + j->rows - start;
  assert(part >= 0 && part <= 1 && made >= 0);
  return few__watch_report(&j->watch, start - j->o->first + (int64_t)(part * (double)made));
}

/* F_worse + s (F - F_worse). The denoised image D is linear in F, with the same coefficients in
 * both models, so this is equivalent to the paper's formula for D. */
static few_status autoguide(struct job *j) {
  const float s = (float)j->o->autoguidance;
  struct few_forward f = j->f;
  f.out = j->worse;
  FEW_TRY(few__runner_forward(j->o->autoguide, &f));
  const int64_t n = j->rows * j->dims;
  for (int64_t i = 0; i < n; i++) j->f.out[i] = j->worse[i] + s * (j->f.out[i] - j->worse[i]);
  j->nfe++;
  return FEW_OK;
}

/* Rows of the block before the first requested image. */
static int64_t before(const struct job *j) {
  return j->block < j->o->first ? j->o->first - j->block : 0;
}

static few_status see(const struct job *j, const struct few_sample_view *view) {
  if (j->path->see) j->path->see(j->path->user, view);
  return j->o->watch ? few__sample_watch(j->r, j->o, view, j->evals) : FEW_OK;
}

static few_status eval(void *user, const float *x, double t, double to, float *F) {
  struct job *j = user;
  const bool guided = t >= j->o->guidance_from && t <= j->o->guidance_to;
  if (j->m->spec.step_size != FEW_STEP_SIZE_NONE)
    FEW_TRY(few__step_size(j->r->ctx, j->m, t, to, &j->f.step_size_of_all));
  j->f.x = x;
  j->f.time = (float)t;
  j->f.out = F;
  j->f.guidance = guided ? j->guidance : NULL;
  j->f.guidance_of_all = guided ? (float)j->o->guidance : 1;
  j->f.classifier_free = !j->m->spec.guidance && guided && j->o->guidance != 1;
  FEW_TRY(few__runner_forward(j->r, &j->f));
  j->nfe += j->f.classifier_free ? 2 : 1;
  if (j->worse && guided) FEW_TRY(autoguide(j));
  if (j->clip.clip > 0) few__clip(&j->clip, j->rows, t, x, F);
  FEW_TRY(see(j, &(struct few_sample_view){j->block, j->rows, t, to, x, F}));
  j->evals++;
  /* A block is reported as finished once its images are in the caller's array. */
  return j->evals < j->planned ? report(j, (double)j->evals / j->planned) : FEW_OK;
}

/* Warns of samples that are not finite. Finite weights can give such samples too. */
static void warn_not_finite(const struct job *j, const float *out) {
  const int64_t bad = few__samples_broken(j->finished, j->dims, out, NULL, 0);
  if (bad)
    few__log(j->r->ctx, FEW_LOG_WARN,
             "%lld of %lld samples have values that are not finite: the model is damaged, or its "
             "training diverged",
             (long long)bad, (long long)j->finished);
}

/* Converts a value of an image, or of unit noise, to the network's units, in which the data have
 * the standard deviation sigma_data. */
static double inside(const struct job *j, int64_t k, double x, bool image) {
  const struct few_data_scale s = few__model_scale(j->m, k);
  return image ? (x - s.mean) * s.scale : x * j->m->spec.sigma_data;
}
static double outside(const struct job *j, int64_t k, double x, bool image) {
  const struct few_data_scale s = few__model_scale(j->m, k);
  return image ? x / s.scale + s.mean : x / j->m->spec.sigma_data;
}

static void take_start(const struct job *j) {
  const int64_t skip = before(j) * j->dims, from = (j->block - j->o->first) * j->dims;
  for (int64_t k = 0; k < skip; k++) j->x[k] = 0; /* these rows are dropped */
  for (int64_t k = skip; k < j->rows * j->dims; k++)
    j->x[k] = (float)inside(j, k, (double)j->path->start[from + k], j->path->way == FEW_TO_NOISE);
}

/* Copies the guidance of each row. That of rows that are dropped does not matter. */
static void take_guidance(const struct job *j) {
  const int64_t skip = before(j), from = j->block - j->o->first;
  for (int64_t i = 0; i < j->rows; i++) j->guidance[i] = j->path->guidance[i < skip ? 0 : from + i];
}

/* few_sampling.noise: that of the first requested image, in all rows. */
static void same_noise(void *user, int draw, float *z) {
  const struct job *j = user;
  struct few_sampling s = {
      .rows = 1, .dims = j->dims, .seed = j->o->seed, .first_row = j->o->first};
  few_sampling_noise(z, &s, draw);
  for (int64_t i = 1; i < j->rows; i++) memcpy(z + i * j->dims, z, (size_t)j->dims * sizeof *z);
}

static few_status run_block(struct job *j, float *out, int32_t *labels) {
  const few_model *m = j->m;
  const int64_t first = j->o->first;
  FEW_TRY(choose_labels(j));
  if (j->guidance) take_guidance(j);
  if (j->path->start) take_start(j);
  struct few_sampling s = {.rows = j->rows,
                           .dims = j->dims,
                           .sigma_d = m->spec.sigma_data,
                           .x = j->x,
                           .eval = eval,
                           .user = j,
                           .noise = j->o->same_noise ? same_noise : NULL,
                           .started = j->path->start != NULL,
                           .opts = j->resolved.settings,
                           .olss = j->resolved.olss,
                           .seed = j->o->seed,
                           .first_row = j->block};
  j->evals = j->nfe = 0;
  j->f.n = j->rows;
  FEW_TRY((j->path->way == FEW_TO_NOISE ? few__encode : few__sample)(j->r->ctx, j->resolved.sampler,
                                                                     &j->resolved.times, &s));
  FEW_TRY(see(j, &(struct few_sample_view){j->block, j->rows, 0, 0, j->x, NULL}));
  for (int64_t i = 0; i < j->rows; i++) {
    int64_t to = j->block + i - first;
    if (to < 0) continue;
    for (int64_t k = 0; k < j->dims; k++)
      out[to * j->dims + k] =
          (float)outside(j, k, (double)j->x[i * j->dims + k], j->path->way == FEW_TO_IMAGES);
    if (labels) labels[to] = j->label[i];
  }
  return FEW_OK;
}

few_status few_sample(float *images, int32_t *labels, int *nfe, few_runner *r,
                      const struct few_sample_opts *opts) {
  if (!images) return few__fail(r->ctx, FEW_E_INVALID, "sample: no room for images: give `images`");
  return few__sample_run(r, opts, &(struct few_sample_path){0}, images, labels, nfe);
}

few_status few_sample_labels(int32_t *labels, few_runner *r, const struct few_sample_opts *opts) {
  struct job j = {.r = r, .m = r->m, .o = opts, .path = &(struct few_sample_path){0}};
  struct few_sample_resolved resolved;
  if (!labels) return few__fail(r->ctx, FEW_E_INVALID, "labels: give room for them");
  FEW_TRY(few__opts_check(r->ctx, "few_sample_opts", opts, FEW_SAMPLE_OPTS_VERSION));
  FEW_TRY(few__sample_resolve(r->ctx, &resolved, r->m, opts, FEW_TO_IMAGES));
  few__sample_resolved_free(r->ctx, &resolved);
  j.block = opts->first;
  j.rows = opts->n;
  j.label = labels;
  FEW_TRY(make_even(&j));
  const few_status st = choose_labels(&j);
  few__free(r->ctx, j.even);
  return st;
}

few_status few_sample_from(float *images, int32_t *labels, int *nfe, few_runner *r,
                           const struct few_sample_opts *opts, const float *noise) {
  const struct few_sample_path path = {.start = noise};
  if (!images || !noise)
    return few__fail(r->ctx, FEW_E_INVALID, "sample: give noise, and room for the images");
  return few__sample_run(r, opts, &path, images, labels, nfe);
}

static few_status run_blocks(struct job *j, float *out, int32_t *labels, int *nfe) {
  const int64_t R = few_runner_rows(j->r), first = j->o->first, end = first + j->o->n;
  struct few_pace pace = {
      .unit = few__runner_portion(j->r), .most = j->batch, .seconds = block_seconds(j->planned)};
  for (j->block = first / R * R; j->block < end; j->block += j->rows) {
    j->rows = few__pace_next(&pace, end - j->block);
    FEW_TRY(run_block(j, out, labels));
    j->finished = j->block + j->rows - first;
    if (j->o->finished) *j->o->finished = j->finished;
    if (nfe) *nfe = j->nfe;
    FEW_TRY(report(j, 1));
  }
  return FEW_OK;
}

/* Rows may have no label only if the networks were trained with such rows. */
static few_status check_labels(const struct job *j) {
  const char *why = "images without labels";
  int64_t i = 0;
  while (j->path->label && i < j->o->n && j->path->label[i] >= 0) i++;
  if (!j->path->label || i == j->o->n) return FEW_OK;
  if (j->o->autoguide)
    FEW_TRY(few_net_check_unconditional(j->r->ctx, &j->o->autoguide->m->spec,
                                        "the model that guides", why));
  return few_net_check_unconditional(j->r->ctx, &j->m->spec, "this model", why);
}

static few_status make_room(struct job *j) {
  few_ctx *ctx = j->r->ctx;
  const few_model *m = j->m;
  FEW_TRY(FEW_NEW(ctx, &j->x, j->batch * j->dims));
  FEW_TRY(FEW_NEW(ctx, &j->label, j->batch));
  if (j->path->guidance) FEW_TRY(FEW_NEW(ctx, &j->guidance, j->batch));
  FEW_TRY(make_even(j));
  j->clip = (struct few_clip){m, j->dims, j->o->clip, j->o->threshold, NULL};
  if (j->o->threshold > 0) FEW_TRY(FEW_NEW(ctx, &j->clip.size, j->dims));
  if (j->o->autoguide && j->o->autoguidance != 1)
    FEW_TRY(FEW_NEW(ctx, &j->worse, j->batch * j->dims));
  return FEW_OK;
}

few_status few__sample_run(few_runner *r, const struct few_sample_opts *opts,
                           const struct few_sample_path *path, float *out, int32_t *labels,
                           int *nfe) {
  few_ctx *ctx = r->ctx;
  const few_model *m = r->m;
  struct job j = {.r = r, .m = m, .o = opts, .path = path};
  const char *what = path->way == FEW_TO_NOISE ? "encoding" : "sampling";
  few_status st;
  FEW_TRY(few__opts_check(ctx, "few_sample_opts", opts, FEW_SAMPLE_OPTS_VERSION));
  j.watch =
      (struct few_watch){.ctx = ctx, .at = {.what = what, .total = opts->n}, .began = few__now()};
  if (opts->finished) *opts->finished = 0;
  FEW_TRY(few__sample_resolve(ctx, &j.resolved, m, opts, path->way));
  FEW_GOTO(check_labels(&j));
  j.dims = m->spec.h * m->spec.w * m->spec.c;
  j.batch = choose_batch(&j, opts->n + opts->first % few_runner_rows(r));
  j.planned = few__sampler_evals(j.resolved.sampler, j.resolved.times.steps);
  FEW_GOTO(make_room(&j));
  j.f = (struct few_forward){
      .x_scale = (float)(1 / m->spec.sigma_data), .label = j.label, .watch = &j.watch};
  st = run_blocks(&j, out, labels, nfe);
  warn_not_finite(&j, out);
out:
  few__free(ctx, j.x);
  few__free(ctx, j.label);
  few__free(ctx, j.guidance);
  few__free(ctx, j.even);
  few__free(ctx, j.worse);
  few__free(ctx, j.clip.size);
  few__sample_resolved_free(ctx, &j.resolved);
  return st;
}
