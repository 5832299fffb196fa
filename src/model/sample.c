/* sample.c - pictures from a model.
 *
 * Picture i starts from noise that belongs to (seed, i) and its row always has the same place in a
 * replay of the network: blocks begin at multiples of few_model_rows by picture index, and where
 * the first picture asked for is no such multiple the ones before it are made and dropped. So
 * picture i is the same in every call that has it.
 */
#include <math.h>

#include "model.h"
#include "sampler/sampler.h"

static const int64_t block_values = (int64_t)1 << 24; /* of one of the few arrays of a block */
static const int64_t max_index = (int64_t)1 << 40;    /* of a row, base/rng.h */

struct job {
  few_model *m;
  const struct few_sample_opts *o;
  const struct few_sampler *sampler;
  struct few_times_opts times;
  struct few_eval e;
  int64_t dims, batch;
  float *x;
  int32_t *label;
  int64_t block, rows; /* the block at hand */
  int evals, planned;  /* of a block */
  double started;
};

/* ---- what is asked for ---- */

static few_status check_label(few_model *m, int label) {
  int64_t classes = m->spec.classes;
  if (label == FEW_LABEL_EACH || label == FEW_LABEL_NONE || (label >= 0 && label < classes))
    return FEW_OK;
  if (!classes)
    return few__fail(m->ctx, FEW_E_INVALID, "label %d: this model has no classes: give no label",
                     label);
  return few__fail(m->ctx, FEW_E_INVALID, "label %d: this model has classes 0 to %lld", label,
                   (long long)(classes - 1));
}

static few_status check_guidance(few_model *m, const struct few_sample_opts *o) {
  double s = o->guidance;
  if (!isfinite(s)) return few__fail(m->ctx, FEW_E_INVALID, "guidance %g: give a number", s);
  if (m->spec.guidance) {
    if (s >= m->guidance_min && s <= m->guidance_max) return FEW_OK;
    return few__fail(m->ctx, FEW_E_INVALID,
                     "guidance %g: this model was trained for guidance %g to %g", s,
                     m->guidance_min, m->guidance_max);
  }
  if (s == 1 || (m->spec.classes && o->label != FEW_LABEL_NONE)) return FEW_OK;
  if (!m->spec.classes)
    return few__fail(m->ctx, FEW_E_INVALID,
                     "guidance %g: this model has no classes to guide by: only 1 is possible", s);
  return few__fail(m->ctx, FEW_E_INVALID,
                   "guidance %g without a label: give a label, or guidance 1", s);
}

int few__sample_steps(const struct few_sampler *s, const struct few_sample_opts *o) {
  return o->n_times > 0 ? o->n_times : o->steps > 0 ? o->steps : s->steps;
}

static few_status choose_times(struct job *j) {
  const struct few_sample_opts *o = j->o;
  j->times = (struct few_times_opts)FEW_TIMES_OPTS_INIT;
  if (o->n_times < 0 || o->steps < 0 || (o->n_times > 0 && o->steps > 0 && o->steps != o->n_times))
    return few__fail(j->m->ctx, FEW_E_INVALID,
                     "%d steps and %d times: give one of them, or as many of both", o->steps,
                     o->n_times);
  j->times.steps = few__sample_steps(j->sampler, o);
  if (o->n_times > 0) j->times.times = o->times;
  return FEW_OK;
}

static few_status choose(struct job *j) {
  few_model *m = j->m;
  const struct few_sample_opts *o = j->o;
  if (o->version != FEW_SAMPLE_OPTS_VERSION)
    return few__fail(m->ctx, FEW_E_INVALID,
                     "few_sample_opts of version %d: use "
                     "FEW_SAMPLE_OPTS_INIT of this library's header",
                     o->version);
  if (few__model_classifies(m))
    return few__fail(m->ctx, FEW_E_INVALID,
                     "net %s tells classes and makes no pictures: sample another model",
                     m->net->name);
  if (o->n < 1 || o->first < 0 || o->n > max_index || o->first > max_index - o->n)
    return few__fail(m->ctx, FEW_E_INVALID,
                     "%lld pictures from number %lld: give at least one, from 0, below 2^40",
                     (long long)o->n, (long long)o->first);
  if (o->batch < 0)
    return few__fail(m->ctx, FEW_E_INVALID, "a batch of %lld: give 0 or more", (long long)o->batch);
  FEW_TRY(check_label(m, o->label));
  FEW_TRY(check_guidance(m, o));
  FEW_TRY(few__sampler_find(m->ctx, &j->sampler, o->sampler ? o->sampler : m->sampler));
  return choose_times(j);
}

few_status few__sample_check(few_model *m, const struct few_sample_opts *o) {
  return choose(&(struct job){.m = m, .o = o});
}

/* A multiple of few_model_rows that gives every worker something to do. */
static int64_t choose_batch(const struct job *j, int64_t rows) {
  const int64_t R = few_model_rows(j->m);
  int64_t batch = j->o->batch ? j->o->batch : block_values / j->dims;
  if (!j->o->batch && batch < R * few_ctx_workers(j->m->ctx))
    batch = R * few_ctx_workers(j->m->ctx);
  if (batch > rows) batch = rows;
  return (batch + R - 1) / R * R;
}

/* ---- running ---- */

static int32_t label_of(const struct job *j, int64_t picture) {
  if (!j->m->spec.classes || j->o->label == FEW_LABEL_NONE) return -1;
  return j->o->label == FEW_LABEL_EACH ? (int32_t)(picture % j->m->spec.classes) : j->o->label;
}

static few_status report(const struct job *j) {
  int64_t start = j->block < j->o->first ? j->o->first : j->block;
  int64_t made = j->block + j->rows - start;
  double part = (double)made * j->evals / (j->planned > j->evals ? j->planned : j->evals);
  struct few_progress p = {.what = "sampling",
                           .done = start - j->o->first + (int64_t)part,
                           .total = j->o->n,
                           .seconds = few__now() - j->started};
  return few__progress(j->m->ctx, &p);
}

static few_status eval(void *user, const float *x, double t, double to, float *F) {
  struct job *j = user;
  FEW_UNUSED(to);
  j->e.x = x;
  j->e.time = (float)t;
  j->e.out = F;
  FEW_TRY(few__model_run(j->m, &j->e));
  j->evals++;
  return report(j);
}

/* Weights can be finite and what they make is not: say so, for a file would show black or noise. */
static void warn_not_finite(const struct job *j, const float *out) {
  int64_t bad = 0;
  for (int64_t i = 0; i < j->o->n; i++) {
    int64_t k = 0;
    while (k < j->dims && isfinite(out[i * j->dims + k])) k++;
    bad += k < j->dims;
  }
  if (bad)
    few__log(j->m->ctx, FEW_LOG_WARN,
             "%lld of %lld samples hold values that are not finite: the model is broken, or its "
             "training diverged",
             (long long)bad, (long long)j->o->n);
}

static few_status run_block(struct job *j, float *out, int32_t *labels) {
  const few_model *m = j->m;
  const int64_t first = j->o->first;
  for (int64_t i = 0; i < j->rows; i++) j->label[i] = label_of(j, j->block + i);
  struct few_sampling s = {.rows = j->rows,
                           .dims = j->dims,
                           .sigma_d = m->spec.sigma_data,
                           .x = j->x,
                           .eval = eval,
                           .user = j,
                           .seed = j->o->seed,
                           .first_row = j->block};
  j->evals = 0;
  j->e.n = j->rows;
  FEW_TRY(few__sample(m->ctx, j->sampler, &j->times, &s));
  for (int64_t i = 0; i < j->rows; i++) {
    int64_t to = j->block + i - first;
    if (to < 0) continue;
    for (int64_t k = 0; k < j->dims; k++)
      out[to * j->dims + k] = (float)((double)j->x[i * j->dims + k] / m->data_scale + m->data_mean);
    if (labels) labels[to] = j->label[i];
  }
  return FEW_OK;
}

few_status few_sample(few_model *m, const struct few_sample_opts *opts, float *out, int32_t *labels,
                      int *nfe) {
  struct job j = {.m = m, .o = opts, .started = few__now()};
  few_status st;
  FEW_TRY(choose(&j));
  const int64_t R = few_model_rows(m), end = opts->first + opts->n, start = opts->first / R * R;
  j.dims = m->spec.h * m->spec.w * m->spec.c;
  j.batch = choose_batch(&j, end - start);
  j.planned = few__sampler_evals(j.sampler, j.times.steps);
  FEW_GOTO(FEW_NEW(m->ctx, &j.x, j.batch * j.dims));
  FEW_GOTO(FEW_NEW(m->ctx, &j.label, j.batch));
  j.e = (struct few_eval){.x_scale = (float)(1 / m->spec.sigma_data),
                          .label = j.label,
                          .strength = (float)opts->guidance,
                          .classifier_free = !m->spec.guidance && opts->guidance != 1};
  for (j.block = start; j.block < end; j.block += j.batch) {
    j.rows = end - j.block < j.batch ? end - j.block : j.batch;
    FEW_GOTO(run_block(&j, out, labels));
  }
  warn_not_finite(&j, out);
  if (nfe) *nfe = j.evals * (j.e.classifier_free ? 2 : 1);
out:
  few__free(m->ctx, j.x);
  few__free(m->ctx, j.label);
  return st;
}

int few_sampler_list_count(void) { return few__sampler_count(); }

struct few_sampler_info few_sampler_list(int i) {
  const struct few_sampler *s = few__sampler_at(i);
  return (struct few_sampler_info){s->name, s->source, s->help, s->steps};
}
