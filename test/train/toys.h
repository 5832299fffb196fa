/* toys.h - runs on the ring of Gaussians, whose flow is known: trains as a user would, with a
 * teacher that comes with few, and measures the distance of the result to the exact one. */
#ifndef FEW_TEST_TOYS_H
#define FEW_TEST_TOYS_H

#include <unistd.h>

#include "eval/metric/sets.h"
#include "few/data.h"
#include "few/train.h"
#include "once.h"
#include "oracle/mixture.h"
#include "testing.h"

enum { TOY_N = 512, TOY_D = 2 };

struct toy {
  few_ctx *ctx;
  char dir[32], model[600], log[600]; /* model.safetensors, log.jsonl of the last toy_train */
};

#define TOY_TEACHER "teacher=" FEW_TEST_DIR "/../models/toy-teacher.safetensors"
#define TOY_LABELS_TEACHER "teacher=" FEW_TEST_DIR "/../models/toy-labels-teacher.safetensors"

static inline struct toy toy_begin(void) {
  struct toy t = {.ctx = test_ctx(), .dir = "/tmp/few-toy-XXXXXX"};
  assert_non_null(mkdtemp(t.dir));
  return t;
}

static inline void toy_end(struct toy *t) {
  char clean[64];
  snprintf(clean, sizeof clean, "rm -r %s", t->dir);
  assert_int_equal(system(clean), 0);
  few_ctx_free(t->ctx);
}

/* Runs recipes/<recipe>.ini in a new directory `run`; overrides end with NULL. */
static inline void toy_train(struct toy *t, const char *recipe, const char *run,
                             const char *const *overrides) {
  char path[512], dir[512];
  struct few_train_opts o = FEW_TRAIN_OPTS_INIT;
  snprintf(path, sizeof path, "%s/../recipes/%s.ini", FEW_TEST_DIR, recipe);
  snprintf(dir, sizeof dir, "%s/%s", t->dir, run);
  snprintf(t->model, sizeof t->model, "%s/model.safetensors", dir);
  snprintf(t->log, sizeof t->log, "%s/log.jsonl", dir);
  o.recipe = path;
  o.run = dir;
  while (overrides[o.n_overrides]) o.n_overrides++;
  o.overrides = (const char **)(uintptr_t)overrides;
  assert_ok(t->ctx, few_train(t->ctx, &o));
}

/* Reads at most n numbers of a key in the log, in the order of its lines. Returns how many. */
static inline int toy_logged(const struct toy *t, const char *key, int n, double *out) {
  char line[4096], name[64];
  int found = 0;
  FILE *f = fopen(t->log, "r");
  assert_non_null(f);
  snprintf(name, sizeof name, "\"%s\":", key);
  while (found < n && fgets(line, sizeof line, f)) {
    const char *at = strstr(line, name);
    if (at) out[found++] = strtod(at + strlen(name), NULL);
  }
  fclose(f);
  return found;
}

/* ---- exact answers ---- */

struct toy_exact {
  struct mixture mixture; /* in the model's own units; label k has only component k */
  double weight[16], mean[16 * TOY_D], std[16];
};

static inline void toy_exact(struct toy_exact *e, const few_model *m, int label) {
  const struct few_data_gaussians *g = few_data_mixture();
  int n = 0;
  assert_true(g->d == TOY_D && g->k <= 16);
  for (int i = 0; i < g->k; i++) {
    if (label >= 0 && i != label) continue;
    for (int k = 0; k < TOY_D; k++)
      e->mean[n * TOY_D + k] = (g->mean[i * TOY_D + k] - m->data_mean) * m->data_scale;
    e->weight[n] = label < 0 ? g->weight[i] : 1;
    e->std[n++] = g->std[i] * m->data_scale;
  }
  e->mixture = (struct mixture){n, TOY_D, e->weight, e->mean, e->std};
}

static inline double toy_rms(const double *a, const double *b) {
  double sum = 0;
  for (int i = 0; i < TOY_N * TOY_D; i++) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return sqrt(sum / (TOY_N * TOY_D));
}

/* Samples a model. Writes the samples in the model's units, x[TOY_N][TOY_D], and the standard
 * normals z from which they started (z may be NULL). */
static inline void toy_sample(struct toy *t, few_model *m, const struct few_sample_opts *opts,
                              double *x, double *z) {
  static float out[TOY_N * TOY_D];
  struct few_sample_opts o = *opts;
  o.n = TOY_N;
  assert_ok(t->ctx, once_sample(m, &o, out, NULL, NULL));
  for (int i = 0; i < TOY_N * TOY_D; i++) x[i] = ((double)out[i] - m->data_mean) * m->data_scale;
  for (int i = 0; z && i < TOY_N; i++) {
    struct few_rng r = {.seed = o.seed, .row = (uint64_t)i, .purpose = FEW_RNG_SAMPLE};
    few__rng_normal_f64(&r, TOY_D, z + i * TOY_D);
  }
}

/* Returns the distance of a deterministic sampler's images to those of the exact flow from the same
 * noise, in units of sigma_d. */
static inline double toy_flow_distance(struct toy *t, const struct few_sample_opts *opts) {
  static double x[TOY_N * TOY_D], y[TOY_N * TOY_D];
  struct toy_exact e;
  few_model *m;
  assert_ok(t->ctx, few_model_load(&m, t->ctx, t->model));
  const double sigma = m->spec.sigma_data;
  toy_exact(&e, m, -1);
  toy_sample(t, m, opts, x, y);
  for (int i = 0; i < TOY_N * TOY_D; i++) y[i] *= sigma;
  for (int i = 0; i < TOY_N; i++)
    assert_ok(t->ctx,
              mixture_map(t->ctx, &e.mixture, sigma, atan(80 / sigma), 0, 1e-8, y + i * TOY_D));
  few_model_free(m);
  return toy_rms(x, y) / sigma;
}

/* How samples are distributed on the ring: the fraction within three standard deviations of a
 * Gaussian (exactly 1 - exp(-9/2) = 0.989), and the fraction of the rarest Gaussian, relative to
 * its weight. */
struct toy_modes {
  double near, rarest;
};

static inline struct toy_modes toy_modes(struct toy *t, const struct few_sample_opts *opts) {
  static double x[TOY_N * TOY_D];
  struct toy_exact e;
  struct toy_modes r = {0, INFINITY};
  double count[16] = {0};
  few_model *m;
  assert_ok(t->ctx, few_model_load(&m, t->ctx, t->model));
  toy_exact(&e, m, -1);
  toy_sample(t, m, opts, x, NULL);
  for (int i = 0; i < TOY_N; i++) {
    int best = 0;
    double nearest = INFINITY;
    for (int k = 0; k < e.mixture.n; k++) {
      double d = hypot(x[2 * i] - e.mean[2 * k], x[2 * i + 1] - e.mean[2 * k + 1]) / e.std[k];
      if (d < nearest) nearest = d, best = k;
    }
    count[best]++;
    r.near += (nearest < 3) / (double)TOY_N;
  }
  for (int k = 0; k < e.mixture.n; k++) r.rarest = fmin(r.rarest, count[k] / TOY_N / e.weight[k]);
  few_model_free(m);
  return r;
}

/* ---- energy distances to the ring ---- */

enum { TOY_MANY = 4096 };

/* Energy distances. `ring` is that of the points to the ring. The other is that of their positions
 * relative to the nearest Gaussian, in standard deviations, to N(0, 1). It measures the width of
 * the Gaussians, to which `ring` is not sensitive. Both are 0 within 0.001 for points of the
 * ring. */
struct toy_energy {
  double ring, shape;
};

static inline double toy_metric(few_ctx *ctx, const float *x, const float *y) {
  const struct few_metric_opts o = {0};
  struct few_metric_value v;
  few_workers *w = test_workers(ctx, 2);
  assert_ok(ctx, test_metric(ctx, w, "energy", &o, TOY_MANY, x, TOY_MANY, y, TOY_D, &v));
  few__workers_free(w);
  return v.value;
}

static inline struct mixture toy_ring(void) {
  const struct few_data_gaussians *g = few_data_mixture();
  return (struct mixture){g->k, g->d, g->weight, g->mean, g->std};
}

/* x[TOY_MANY][TOY_D] */
static inline void toy_draw(const struct mixture *from, uint64_t seed, float *x) {
  for (int i = 0; i < TOY_MANY; i++) {
    struct few_rng r = {.seed = seed, .row = (uint64_t)i, .purpose = FEW_RNG_TOY};
    double one[TOY_D];
    mixture_sample(from, &r, one);
    for (int k = 0; k < TOY_D; k++) x[i * TOY_D + k] = (float)one[k];
  }
}

static inline void toy_about_nearest(const float *x, float *out) {
  const struct few_data_gaussians *g = few_data_mixture();
  double u[TOY_D];
  for (int i = 0; i < TOY_MANY; i++) {
    double nearest = INFINITY;
    for (int k = 0; k < g->k; k++) {
      for (int j = 0; j < TOY_D; j++)
        u[j] = ((double)x[i * TOY_D + j] - g->mean[k * TOY_D + j]) / g->std[k];
      if (hypot(u[0], u[1]) >= nearest) continue;
      nearest = hypot(u[0], u[1]);
      for (int j = 0; j < TOY_D; j++) out[i * TOY_D + j] = (float)u[j];
    }
  }
}

static inline struct toy_energy toy_energy_of(few_ctx *ctx, const float *x) {
  static float about[TOY_MANY * TOY_D], y[TOY_MANY * TOY_D];
  const struct mixture ring = toy_ring();
  struct toy_energy e;
  toy_draw(&ring, 1, y);
  e.ring = toy_metric(ctx, x, y);
  toy_about_nearest(x, about);
  normal_rows(TOY_MANY, TOY_D, 1, y);
  e.shape = toy_metric(ctx, about, y);
  return e;
}

static inline struct toy_energy toy_energy(struct toy *t, const struct few_sample_opts *opts) {
  static float x[TOY_MANY * TOY_D];
  struct few_sample_opts o = *opts;
  few_model *m;
  o.n = TOY_MANY;
  assert_ok(t->ctx, few_model_load(&m, t->ctx, t->model));
  assert_ok(t->ctx, once_sample(m, &o, x, NULL, NULL));
  few_model_free(m);
  return toy_energy_of(t->ctx, x);
}

#endif
