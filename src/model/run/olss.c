/* olss.c - schedules fitted to a model: the long run, and their file (docs/format.md, section 8).
 *
 * The long run is an ordinary few_sample that is looked on; its states and the network's outputs go
 * to diffusion/sampler/olss_fit.c. A file is not trusted.
 */
#include <inttypes.h>
#include <math.h>

#include "io/file.h"
#include "io/json.h"
#include "model/model.h"

enum { VERSION = 1, MAX_STEPS = 1000, MAX_BYTES = 64 << 20 };

/* ---- the file ---- */

static void put_numbers(struct few_json *j, const char *key, int n, const double *x) {
  few__json_open(j, key, '[');
  for (int i = 0; i < n; i++) few__json_put_real(j, NULL, x[i]);
  few__json_close(j);
}

static void put_rows(struct few_json *j, const struct few_olss *o) {
  few__json_open(j, "F", '[');
  for (int k = 0; k < o->steps; k++) put_numbers(j, NULL, k + 1, o->F + (int64_t)k * o->steps);
  few__json_close(j);
}

static void put_fitted(struct few_json *j, const struct few_olss *o, const struct few_olss_opts *of,
                       int64_t n) {
  few__json_open(j, "fitted", '{');
  few__json_put_string(j, "sampler", of->sampler);
  few__json_put_int(j, "steps", of->full);
  few__json_put_int(j, "n", n);
  few__json_put_real(j, "guidance", of->guidance);
  few__json_put_real(j, "rms", o->rms[o->steps - 1]);
  few__json_put_real(j, "ddim_rms", o->ddim_rms[o->steps - 1]);
  few__json_close(j);
}

static few_status write_file(few_ctx *ctx, const struct few_olss *o, const struct few_olss_opts *of,
                             int64_t n, const char *path) {
  struct few_text text = {0};
  struct few_json j = few__json_begin(ctx, &text);
  few__json_open(&j, NULL, '{');
  few__json_put_int(&j, "version", VERSION);
  few__json_put_real(&j, "sigma_data", o->sigma_d);
  put_numbers(&j, "times", o->steps, o->t);
  put_numbers(&j, "x", o->steps, o->x);
  put_rows(&j, o);
  put_fitted(&j, o, of, n);
  few__json_close(&j);
  few__text_add(ctx, &text, "\n");
  few_status st = few__json_end(&j, path);
  if (!st) st = few__file_write(ctx, path, text.at, text.len);
  few__text_free(ctx, &text);
  return st;
}

static few_status bad(few_ctx *ctx, const char *path, const char *what) {
  return few__fail(ctx, FEW_E_FORMAT, "%s: %s: make it again with few olss", path, what);
}

/* n numbers of a list of n. */
static few_status take(few_ctx *ctx, const char *path, const json_t *list, int n, double *out) {
  if (!json_is_array(list) || json_array_size(list) != (size_t)n)
    return bad(ctx, path, "a list is missing or has another length");
  for (int i = 0; i < n; i++) {
    const json_t *x = json_array_get(list, (size_t)i);
    if (!json_is_number(x)) return bad(ctx, path, "what should be a number is none");
    out[i] = json_number_value(x);
  }
  return FEW_OK;
}

static few_status read_all(few_ctx *ctx, struct few_olss **out, const char *path,
                           const json_t *all) {
  json_t *times, *rows;
  int64_t version;
  double sigma_d;
  FEW_TRY(few__json_int(ctx, path, all, "version", 1, INT64_MAX, &version));
  if (version != VERSION)
    return few__fail(ctx, FEW_E_UNSUPPORTED,
                     "%s: version %" PRId64 ", this program knows %d: use a newer few", path,
                     version, VERSION);
  FEW_TRY(few__json_real(ctx, path, all, "sigma_data", &sigma_d));
  FEW_TRY(few__json_array(ctx, path, all, "times", &times));
  FEW_TRY(few__json_array(ctx, path, all, "F", &rows));
  const int n = json_array_size(times) > MAX_STEPS ? 0 : (int)json_array_size(times);
  if (n < 1 || json_array_size(rows) != (size_t)n || !(sigma_d > 0))
    return bad(ctx, path, "no steps, over 1000, or other numbers of times and rows");
  FEW_TRY(few__olss_new(ctx, out, n, sigma_d));
  struct few_olss *o = *out;
  FEW_TRY(take(ctx, path, times, n, o->t));
  FEW_TRY(take(ctx, path, json_object_get(all, "x"), n, o->x));
  for (int k = 0; k < n; k++)
    FEW_TRY(take(ctx, path, json_array_get(rows, (size_t)k), k + 1, o->F + (int64_t)k * n));
  for (int k = 0; k < n; k++)
    if (!(o->t[k] > 0 && o->t[k] <= FEW_PI_2) || (k && o->t[k] >= o->t[k - 1]))
      return bad(ctx, path, "its times do not fall from pi/2 to above 0");
  return FEW_OK;
}

few_status few__olss_parse(few_ctx *ctx, struct few_olss **out, const char *place, const char *text,
                           size_t n) {
  json_t *all;
  *out = NULL;
  FEW_TRY(few__json_parse(ctx, &all, place, text, n));
  few_status st = read_all(ctx, out, place, all);
  json_decref(all);
  if (st) {
    few__olss_free(ctx, *out);
    *out = NULL;
  }
  return st;
}

few_status few__olss_read(few_ctx *ctx, struct few_olss **out, const char *path) {
  char *text;
  size_t n;
  *out = NULL;
  FEW_TRY(few__file_read(ctx, &text, &n, path, MAX_BYTES));
  few_status st = few__olss_parse(ctx, out, path, text, n);
  few__free(ctx, text);
  return st;
}

/* ---- the long run ---- */

struct record {
  int64_t dims, n; /* of an image, of all */
  int k;           /* evaluations of the block at hand */
  float *x, *F;
};

static void see(void *user, const struct few_sample_view *v) {
  struct record *r = user;
  const int64_t at = r->k * r->n + v->first * r->dims;
  const size_t bytes = (size_t)(v->rows * r->dims) * sizeof *v->x;
  memcpy(r->x + at, v->x, bytes);
  if (v->F) memcpy(r->F + at, v->F, bytes);
  r->k = v->F ? r->k + 1 : 0;
}

static few_status check(const few_model *m, const struct few_olss_opts *o, int64_t n) {
  const struct few_sampler_def *s;
  const int64_t dims = m->spec.h * m->spec.w * m->spec.c;
  if (o->full < 1 || o->full > MAX_STEPS || o->steps < 1 || o->steps > o->full)
    return few__fail(m->ctx, FEW_E_INVALID,
                     "%d steps of a long run of %d: give 1 to %d, and no more than the run has",
                     o->steps, o->full, MAX_STEPS);
  if (n < 1 || n > INT32_MAX / dims || n * dims < 2 * (int64_t)o->full + 1)
    return few__fail(m->ctx, FEW_E_INVALID,
                     "a fit to %lld samples: %d steps need %lld at least, and at most %lld go",
                     (long long)n, o->full, (long long)((2 * o->full) / dims + 1),
                     (long long)(INT32_MAX / dims));
  if (!o->sampler) return few__fail(m->ctx, FEW_E_INVALID, "a long run of no sampler: give ddim");
  FEW_TRY(few__sampler_find(m->ctx, &s, o->sampler));
  if (s->order > 0 && s->evals_per_step == 1) return FEW_OK;
  return few__fail(m->ctx, FEW_E_INVALID,
                   "a long run of %s: give a solver of one evaluation a step, as ddim or dpmpp",
                   s->name);
}

static few_status run_long(few_model *m, const struct few_olss_opts *o, int64_t n, struct record *r,
                           double *t) {
  struct few_sample_opts s = FEW_SAMPLE_OPTS_INIT;
  const struct few_sample_path path = {.see = see, .user = r};
  struct few_sample_choice c;
  float *out = NULL;
  s.n = n;
  s.steps = o->full;
  s.seed = o->seed;
  s.sampler = o->sampler;
  s.schedule = o->schedule ? o->schedule : "default"; /* not the model's own times */
  s.label = o->label;
  s.guidance = o->guidance;
  FEW_TRY(few__sample_choose(m, &s, false, &c));
  if (c.times.schedule == FEW_SCHEDULE_DEFAULT) c.times.schedule = few__sampler_schedule(c.sampler);
  few_status st = few__times(m->ctx, &c.times, m->spec.sigma_data, t);
  few__sample_choice_free(m, &c);
  if (st) return st;
  FEW_TRY(FEW_NEW(m->ctx, &out, r->n));
  st = few__sample_run(m, &s, &path, out, NULL, NULL);
  few__free(m->ctx, out);
  return st;
}

few_status few_olss(few_model *m, const struct few_olss_opts *opts, const char *path,
                    struct few_olss_step *step) {
  FEW_TRY(few__opts_check(m->ctx, "few_olss_opts", opts, FEW_OLSS_OPTS_VERSION));
  if (!path) return few__fail(m->ctx, FEW_E_INVALID, "olss: no file to write: give a path");
  const int64_t dims = m->spec.h * m->spec.w * m->spec.c;
  const int64_t least = 4 * (2 * (int64_t)opts->full + 1) / dims + 1;
  const int64_t n = opts->n ? opts->n : least > 16 ? least : 16;
  struct record r = {.dims = dims};
  struct few_olss *o = NULL;
  double *t = NULL;
  few_status st;
  FEW_TRY(check(m, opts, n));
  r.n = n * dims;
  FEW_TRY(few__model_needs_field(m, "a fitted schedule"));
  FEW_GOTO(FEW_NEW(m->ctx, &t, opts->full + 1));
  FEW_GOTO(FEW_NEW(m->ctx, &r.x, (opts->full + 1) * r.n));
  FEW_GOTO(FEW_NEW(m->ctx, &r.F, opts->full * r.n));
  FEW_GOTO(run_long(m, opts, n, &r, t));
  struct few_olss_run run = {opts->full, t, r.n, r.x, r.F, m->spec.sigma_data};
  FEW_GOTO(few__olss_fit(m->ctx, &o, &run, opts->steps, !opts->even));
  for (int k = 0; step && k < opts->steps; k++)
    step[k] = (struct few_olss_step){o->t[k], o->rms[k], o->ddim_rms[k]};
  FEW_GOTO(write_file(m->ctx, o, opts, n, path));
out:
  few__olss_free(m->ctx, o);
  few__free(m->ctx, t);
  few__free(m->ctx, r.x);
  few__free(m->ctx, r.F);
  return st;
}
