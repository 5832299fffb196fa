/* knn.c - all distances between two sets, in strips of 8 rows, without storing them.
 *
 * |x - y|^2 = <x, x> + <y, y> - 2 <x, y> in f64. One kernel computes all inner products, so the
 * distance of a row and its copy is exactly 0. Distances stay squared, which changes no comparison.
 * Time grows as (n_real + n_fake)^2 d, memory as n.
 */
#include "knn.h"

#include <math.h>

#include "base/watch.h"
#include "gram.h"

enum { STRIP = 32 }; /* panels of the other set at once, few enough for the cache */

struct side {
  int64_t n;
  const double *panels;
  double *norm;                  /* [n] */
  double *radius[FEW_KNN_RULES]; /* [n] squared */
};

struct knn {
  few_ctx *ctx;
  const struct few_knn_job *job;
  struct side real, fake;
  int max_k;
  struct side *self;                    /* the side whose radii are computed */
  double *strips;                       /* [workers][8][8 STRIP] */
  unsigned char *inside[FEW_KNN_RULES]; /* [workers][n_fake]: the sample lies in a real ball */
  int64_t *found[FEW_KNN_RULES];        /* [n_real panels][3]: recalled, covered, pairs */
  struct few_watch watch;               /* counts panels */
};

static double *strip_of(const struct knn *a, int worker) {
  return a->strips + (int64_t)worker * FEW_PANEL * FEW_PANEL * STRIP;
}

static const double *panel(const struct knn *a, const struct side *s, int64_t p) {
  return s->panels + p * FEW_PANEL * a->job->d;
}

static void norms(void *user, int64_t p, int worker) {
  struct knn *a = user;
  double product[FEW_PANEL * FEW_PANEL];
  if (few__watch_stop(&a->watch, worker)) return;
  few__gram_strip(panel(a, a->self, p), panel(a, a->self, p), 1, a->job->d, product);
  for (int64_t i = 0; i < FEW_PANEL && p * FEW_PANEL + i < a->self->n; i++)
    a->self->norm[p * FEW_PANEL + i] = product[i * FEW_PANEL + i];
}

/* Inserts x into the k smallest, which are in rising order. */
static void insert(double *nearest, int k, double x) {
  int i = k - 1;
  if (!(x < nearest[i])) return;
  for (; i > 0 && nearest[i - 1] > x; i--) nearest[i] = nearest[i - 1];
  nearest[i] = x;
}

/* Squared distances of 8 rows of `s`, from panel p, to panels q .. q + n - 1 of `t`. */
static double *distances(const struct knn *a, const struct side *s, int64_t p, const struct side *t,
                         int64_t q, int64_t n, int worker) {
  double *strip = strip_of(a, worker);
  const int64_t wide = n * FEW_PANEL;
  few__gram_strip(panel(a, s, p), panel(a, t, q), n, a->job->d, strip);
  for (int64_t i = 0; i < FEW_PANEL && p * FEW_PANEL + i < s->n; i++)
    for (int64_t j = 0; j < wide && q * FEW_PANEL + j < t->n; j++) {
      double *x = &strip[i * wide + j];
      *x = fmax(0, s->norm[p * FEW_PANEL + i] + t->norm[q * FEW_PANEL + j] - 2 * *x);
    }
  return strip;
}

static int64_t strip_panels(const struct side *t, int64_t q) {
  int64_t left = few__panels(t->n) - q;
  return left < STRIP ? left : STRIP;
}

static void radii(void *user, int64_t p, int worker) {
  struct knn *a = user;
  struct side *s = a->self;
  double nearest[FEW_PANEL][FEW_KNN_MAX_K];
  for (int i = 0; i < FEW_PANEL; i++)
    for (int k = 0; k < a->max_k; k++) nearest[i][k] = INFINITY;
  for (int64_t q = 0; q < few__panels(s->n) && !few__watch_stop(&a->watch, worker); q += STRIP) {
    const int64_t n = strip_panels(s, q), wide = n * FEW_PANEL, first = q * FEW_PANEL;
    const double *x = distances(a, s, p, s, q, n, worker);
    for (int64_t i = 0; i < FEW_PANEL; i++)
      for (int64_t j = 0; j < wide && first + j < s->n; j++)
        if (first + j != p * FEW_PANEL + i) insert(nearest[i], a->max_k, x[i * wide + j]);
  }
  for (int64_t i = 0; i < FEW_PANEL && p * FEW_PANEL + i < s->n; i++)
    for (int r = 0; r < a->job->rules; r++)
      s->radius[r][p * FEW_PANEL + i] = nearest[i][a->job->rule[r].k - 1];
}

static bool in_ball(double distance, double radius, bool closed) {
  return distance < radius || (closed && distance == radius);
}

/* Updates the counts of one real row with samples first .. first + n - 1, at squared distances
 * x. */
static void count_row(struct knn *a, int64_t real, int64_t first, int64_t n, const double *x,
                      int worker, bool recalled[FEW_KNN_RULES], int64_t pairs[FEW_KNN_RULES]) {
  for (int r = 0; r < a->job->rules; r++) {
    const bool closed = a->job->rule[r].closed;
    const double radius = a->real.radius[r][real], *fake_radius = a->fake.radius[r] + first;
    unsigned char *inside = a->inside[r] + worker * a->fake.n + first;
    for (int64_t j = 0; j < n; j++) {
      if (in_ball(x[j], radius, closed)) {
        inside[j] = 1;
        pairs[r]++;
      }
      if (in_ball(x[j], fake_radius[j], closed)) recalled[r] = true;
    }
  }
}

static void count(void *user, int64_t p, int worker) {
  struct knn *a = user;
  bool recalled[FEW_PANEL][FEW_KNN_RULES] = {{false}};
  int64_t pairs[FEW_PANEL][FEW_KNN_RULES] = {{0}};
  for (int64_t q = 0; q < few__panels(a->fake.n); q += STRIP) {
    if (few__watch_stop(&a->watch, worker)) return;
    const int64_t n = strip_panels(&a->fake, q), wide = n * FEW_PANEL, first = q * FEW_PANEL;
    const double *x = distances(a, &a->real, p, &a->fake, q, n, worker);
    const int64_t there = a->fake.n - first < wide ? a->fake.n - first : wide;
    for (int64_t i = 0; i < FEW_PANEL && p * FEW_PANEL + i < a->real.n; i++)
      count_row(a, p * FEW_PANEL + i, first, there, x + i * wide, worker, recalled[i], pairs[i]);
  }
  for (int i = 0; i < FEW_PANEL; i++)
    for (int r = 0; r < a->job->rules; r++) {
      int64_t *found = a->found[r] + 3 * p;
      found[0] += recalled[i][r];
      found[1] += pairs[i][r] > 0;
      found[2] += pairs[i][r];
    }
}

/* A part of the panels of a side; progress is reported after each part. */
struct part {
  struct knn *a;
  void (*task)(void *user, int64_t p, int worker);
  int64_t first;
};
static void run_part(void *user, int64_t i, int worker) {
  const struct part *t = user;
  t->task(t->a, t->first + i, worker);
}
static few_status each_panel(struct knn *a, const struct side *s,
                             void (*task)(void *user, int64_t p, int worker)) {
  const int64_t all = few__panels(s->n), step = 4 * few__workers_count(a->job->w);
  for (int64_t p = 0; p < all; p += step) {
    struct part t = {a, task, p};
    few__workers_run(a->job->w, all - p < step ? all - p : step, run_part, &t);
    FEW_TRY(few__watch_report(&a->watch, a->watch.at.done + (all - p < step ? all - p : step)));
  }
  return FEW_OK;
}

static few_status begin_side(struct knn *a, struct side *s, int64_t n, const double *panels) {
  s->n = n;
  s->panels = panels;
  FEW_TRY(FEW_NEW(a->ctx, &s->norm, n));
  for (int r = 0; r < a->job->rules; r++) FEW_TRY(FEW_NEW(a->ctx, &s->radius[r], n));
  a->self = s;
  few__workers_run(a->job->w, few__panels(n), norms, a);
  return a->watch.status;
}

static void sum_up(const struct knn *a, int r, struct few_knn_result *out) {
  const double real = (double)a->real.n, fake = (double)a->fake.n;
  int64_t inside = 0, found[3] = {0};
  for (int64_t j = 0; j < a->fake.n; j++) {
    unsigned char any = 0;
    for (int w = 0; w < few__workers_count(a->job->w); w++) any |= a->inside[r][w * a->fake.n + j];
    inside += any;
  }
  for (int64_t p = 0; p < few__panels(a->real.n); p++)
    for (int i = 0; i < 3; i++) found[i] += a->found[r][3 * p + i];
  out->precision = (double)inside / fake;
  out->recall = (double)found[0] / real;
  out->coverage = (double)found[1] / real;
  out->density = (double)found[2] / (a->job->rule[r].k * fake);
}

static few_status run(struct knn *a, struct few_knn_result *out) {
  const struct few_knn_job *job = a->job;
  const int workers = few__workers_count(job->w);
  assert(job->d > 0 && job->rules >= 1 && job->rules <= FEW_KNN_RULES);
  for (int r = 0; r < job->rules; r++) {
    assert(job->rule[r].k >= 1 && job->rule[r].k <= FEW_KNN_MAX_K);
    assert(job->rule[r].k < job->n_real && job->rule[r].k < job->n_fake);
    if (job->rule[r].k > a->max_k) a->max_k = job->rule[r].k;
    FEW_TRY(FEW_NEW(a->ctx, &a->inside[r], workers * job->n_fake));
    FEW_TRY(FEW_NEW(a->ctx, &a->found[r], 3 * few__panels(job->n_real)));
  }
  FEW_TRY(FEW_NEW(a->ctx, &a->strips, workers * FEW_PANEL * FEW_PANEL * STRIP));
  a->watch.at.total = 2 * few__panels(job->n_real) + few__panels(job->n_fake);
  FEW_TRY(begin_side(a, &a->real, job->n_real, job->real));
  FEW_TRY(begin_side(a, &a->fake, job->n_fake, job->fake));
  a->self = &a->real;
  FEW_TRY(each_panel(a, &a->real, radii));
  a->self = &a->fake;
  FEW_TRY(each_panel(a, &a->fake, radii));
  FEW_TRY(each_panel(a, &a->real, count));
  for (int r = 0; r < job->rules; r++) sum_up(a, r, &out[r]);
  return FEW_OK;
}

few_status few__knn(few_ctx *ctx, const struct few_knn_job *job, struct few_knn_result *out) {
  struct knn a = {.ctx = ctx,
                  .job = job,
                  .watch = {.ctx = ctx, .at = {.what = "neighbours"}, .began = few__now()}};
  few_status st = run(&a, out);
  for (int r = 0; r < job->rules; r++) {
    few__free(ctx, a.inside[r]);
    few__free(ctx, a.found[r]);
    few__free(ctx, a.real.radius[r]);
    few__free(ctx, a.fake.radius[r]);
  }
  few__free(ctx, a.real.norm);
  few__free(ctx, a.fake.norm);
  few__free(ctx, a.strips);
  return st;
}
