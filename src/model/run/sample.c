/* sample.c - images from a model.
 *
 * Image i starts from noise that belongs to (seed, i) and its row always has the same place in a
 * replay of the network: blocks begin at multiples of few_model_rows by image index, and where
 * the first image asked for is no such multiple the ones before it are made and dropped. So
 * image i is the same in every call that has it.
 */
#include "base/pace.h"
#include "diffusion/sampler/sampler.h"
#include "model/model.h"

static const int64_t block_values = (int64_t)1 << 24; /* of one of the few arrays of a block */

struct job {
  few_model *m;
  const struct few_sample_opts *o;
  const struct few_sample_path *path;
  struct few_sample_choice choice;
  struct few_eval e;
  int64_t dims, batch;
  float *x;
  int32_t *label;
  float *strength;        /* of each row; NULL: one of all */
  int64_t *even;          /* the classes of FEW_LABEL_EACH, as counts; NULL: it has none */
  int64_t block, rows;    /* the block at hand */
  int64_t finished;       /* images of those before it */
  int evals, planned;     /* of a block */
  int nfe;                /* networks run for them */
  float *worse;           /* what the model that guides says; NULL: none guides */
  struct few_watch watch; /* counts images */
};

/* The most images of a block: what memory bounds, a multiple of few_model_rows, and something for
 * every worker. */
static int64_t choose_batch(const struct job *j, int64_t rows) {
  const int64_t R = few_model_rows(j->m), least = few__model_portion(j->m);
  /* a fitted sampler keeps what the network says at every step */
  const int64_t kept = j->choice.sampler->fitted ? j->choice.times.steps : 1;
  int64_t batch = j->o->batch ? j->o->batch : block_values / j->dims / kept;
  if (!j->o->batch && batch < least) batch = least;
  if (batch > rows) batch = rows;
  return (batch + R - 1) / R * R;
}

/* Seconds of a block, evaluations[] of them. A block is lost when sampling is cancelled in it, so
 * it should be short; yet each evaluation waits for its slowest worker, so it should not be too
 * short.
 */
static double block_seconds(int evaluations) {
  const double block = 2, least = 0.05, most = 0.25; /* least, most: of an evaluation */
  const double each = block / (evaluations > 0 ? evaluations : 1);
  return (each < least ? least : each > most ? most : each) * (evaluations > 0 ? evaluations : 1);
}

/* ---- running ---- */

/* Of the block at hand. */
static few_status choose_labels(struct job *j) {
  const int want = j->o->label;
  const struct few_shares shares = {j->m->spec.classes,
                                    want == FEW_LABEL_EACH ? j->even : j->m->class_counts};
  if (!j->path->label && j->m->spec.classes && (want == FEW_LABEL_EACH || want == FEW_LABEL_SHARES))
    return few__labels(j->m->ctx, &shares, j->block, j->rows, j->label);
  for (int64_t i = 0; i < j->rows; i++) {
    const int64_t k = j->block + i - j->o->first;
    if (j->path->label)
      j->label[i] = k < 0 ? -1 : j->path->label[k];
    else
      j->label[i] = want == FEW_LABEL_NONE || !j->m->spec.classes ? -1 : want;
  }
  return FEW_OK;
}

/* `part` of the block at hand is done. */
static few_status report(struct job *j, double part) {
  int64_t start = j->block < j->o->first ? j->o->first : j->block;
  int64_t made = j->block + j->rows - start;
  return few__watch_report(&j->watch, start - j->o->first + (int64_t)(part * (double)made));
}

/* F_worse + s (F - F_worse): D is F's line with the same scalars in both models, so this is the
 * formula for D. */
static few_status autoguide(struct job *j) {
  const float s = (float)j->o->autoguidance;
  struct few_eval e = j->e;
  e.out = j->worse;
  FEW_TRY(few__model_run(j->o->autoguide, &e));
  const int64_t n = j->rows * j->dims;
  for (int64_t i = 0; i < n; i++) j->e.out[i] = j->worse[i] + s * (j->e.out[i] - j->worse[i]);
  j->nfe++;
  return FEW_OK;
}

/* Rows of the block that were not asked for. */
static int64_t before(const struct job *j) {
  return j->block < j->o->first ? j->o->first - j->block : 0;
}

static void see(const struct job *j, const struct few_sample_view *view) {
  if (j->path->see) j->path->see(j->path->user, view);
}

static few_status eval(void *user, const float *x, double t, double to, float *F) {
  struct job *j = user;
  const bool guided = t >= j->o->guidance_from && t <= j->o->guidance_to;
  if (j->m->spec.span != FEW_SPAN_NONE) FEW_TRY(few_model_span(j->m, t, to, &j->e.span_of_all));
  j->e.x = x;
  j->e.time = (float)t;
  j->e.out = F;
  j->e.guidance = guided ? j->strength : NULL;
  j->e.strength = guided ? (float)j->o->guidance : 1;
  j->e.classifier_free = !j->m->spec.guidance && guided && j->o->guidance != 1;
  FEW_TRY(few__model_run(j->m, &j->e));
  j->nfe += j->e.classifier_free ? 2 : 1;
  if (j->worse && guided) FEW_TRY(autoguide(j));
  see(j, &(struct few_sample_view){j->block, j->rows, t, to, x, F});
  j->evals++;
  /* A block is reported as finished when its images are where they can be used. */
  return j->evals < j->planned ? report(j, (double)j->evals / j->planned) : FEW_OK;
}

/* Weights can be finite and what they make is not: say so, for a file would show black or noise. */
static void warn_not_finite(const struct job *j, const float *out) {
  const int64_t bad = few__samples_broken(j->finished, j->dims, out, NULL, 0);
  if (bad)
    few__log(j->m->ctx, FEW_LOG_WARN,
             "%lld of %lld samples hold values that are not finite: the model is broken, or its "
             "training diverged",
             (long long)bad, (long long)j->finished);
}

/* Between images or unit noise outside and the data of deviation sigma_data inside. */
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
  for (int64_t k = 0; k < skip; k++) j->x[k] = 0; /* in rows that are dropped */
  for (int64_t k = skip; k < j->rows * j->dims; k++)
    j->x[k] = (float)inside(j, k, (double)j->path->start[from + k], j->path->encode);
}

/* Rows that are dropped may have any. */
static void take_strengths(const struct job *j) {
  const int64_t skip = before(j), from = j->block - j->o->first;
  for (int64_t i = 0; i < j->rows; i++) j->strength[i] = j->path->guidance[i < skip ? 0 : from + i];
}

static few_status run_block(struct job *j, float *out, int32_t *labels) {
  const few_model *m = j->m;
  const int64_t first = j->o->first;
  FEW_TRY(choose_labels(j));
  if (j->strength) take_strengths(j);
  if (j->path->start) take_start(j);
  struct few_sampling s = {.rows = j->rows,
                           .dims = j->dims,
                           .sigma_d = m->spec.sigma_data,
                           .x = j->x,
                           .eval = eval,
                           .user = j,
                           .started = j->path->start != NULL,
                           .opts = j->choice.settings,
                           .olss = j->choice.olss,
                           .seed = j->o->seed,
                           .first_row = j->block};
  j->evals = j->nfe = 0;
  j->e.n = j->rows;
  FEW_TRY((j->path->encode ? few__encode : few__sample)(m->ctx, j->choice.sampler, &j->choice.times,
                                                        &s));
  see(j, &(struct few_sample_view){j->block, j->rows, 0, 0, j->x, NULL});
  for (int64_t i = 0; i < j->rows; i++) {
    int64_t to = j->block + i - first;
    if (to < 0) continue;
    for (int64_t k = 0; k < j->dims; k++)
      out[to * j->dims + k] = (float)outside(j, k, (double)j->x[i * j->dims + k], !j->path->encode);
    if (labels) labels[to] = j->label[i];
  }
  return FEW_OK;
}

few_status few_sample(few_model *m, const struct few_sample_opts *opts, float *out, int32_t *labels,
                      int *nfe) {
  if (!out) return few__fail(m->ctx, FEW_E_INVALID, "sample: no room for images: give `out`");
  return few__sample_run(m, opts, &(struct few_sample_path){0}, out, labels, nfe);
}

static few_status run_blocks(struct job *j, float *out, int32_t *labels, int *nfe) {
  const int64_t R = few_model_rows(j->m), first = j->o->first, end = first + j->o->n;
  struct few_pace pace = {
      .unit = few__model_portion(j->m), .most = j->batch, .seconds = block_seconds(j->planned)};
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

/* Of rows whose labels are given. */
static few_status check_labels(const struct job *j) {
  const few_model *m = j->m;
  const char *why = "images without labels";
  int64_t i = 0;
  while (j->path->label && i < j->o->n && j->path->label[i] >= 0) i++;
  if (!j->path->label || i == j->o->n) return FEW_OK;
  if (j->o->autoguide)
    FEW_TRY(few__net_asks_unlabelled(m->ctx, &j->o->autoguide->spec, "the model that guides", why));
  return few__net_asks_unlabelled(m->ctx, &m->spec, "this model", why);
}

few_status few__sample_run(few_model *m, const struct few_sample_opts *opts,
                           const struct few_sample_path *path, float *out, int32_t *labels,
                           int *nfe) {
  struct job j = {.m = m, .o = opts, .path = path};
  few_status st;
  FEW_TRY(few__opts_check(m->ctx, "few_sample_opts", opts, FEW_SAMPLE_OPTS_VERSION));
  j.watch =
      (struct few_watch){.ctx = m->ctx,
                         .at = {.what = path->encode ? "encoding" : "sampling", .total = opts->n},
                         .began = few__now()};
  if (opts->finished) *opts->finished = 0;
  FEW_TRY(few__sample_choose(m, opts, path->encode, &j.choice));
  FEW_GOTO(check_labels(&j));
  j.dims = m->spec.h * m->spec.w * m->spec.c;
  j.batch = choose_batch(&j, opts->n + opts->first % few_model_rows(m));
  j.planned = few__sampler_evals(j.choice.sampler, j.choice.times.steps);
  FEW_GOTO(FEW_NEW(m->ctx, &j.x, j.batch * j.dims));
  FEW_GOTO(FEW_NEW(m->ctx, &j.label, j.batch));
  if (path->guidance) FEW_GOTO(FEW_NEW(m->ctx, &j.strength, j.batch));
  const struct few_shares own = few__model_shares(m);
  if (m->spec.classes) FEW_GOTO(FEW_NEW(m->ctx, &j.even, m->spec.classes));
  if (m->spec.classes) few__labels_even(&own, j.even);
  if (opts->autoguide && opts->autoguidance != 1)
    FEW_GOTO(FEW_NEW(m->ctx, &j.worse, j.batch * j.dims));
  j.e = (struct few_eval){
      .x_scale = (float)(1 / m->spec.sigma_data), .label = j.label, .watch = &j.watch};
  st = run_blocks(&j, out, labels, nfe);
  warn_not_finite(&j, out);
out:
  few__free(m->ctx, j.x);
  few__free(m->ctx, j.label);
  few__free(m->ctx, j.strength);
  few__free(m->ctx, j.even);
  few__free(m->ctx, j.worse);
  few__sample_choice_free(m, &j.choice);
  return st;
}
