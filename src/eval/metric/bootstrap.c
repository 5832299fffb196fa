/* bootstrap.c - standard errors over the images of a set, by random halves.
 *
 * A replicate is the metric of h = n / 2 of the n images, drawn without replacement. The error
 * comes from the spread of the replicates. Given the n images, the mean of h of them has the
 * variance s^2 / h (1 - h / n). For a half this is s^2 / n, the variance of the mean of all n, so
 * nothing has to be scaled. This is the delete-half jackknife. It is right for smooth functions of
 * means, such as fd, kid and is, and also for less smooth statistics, for which the leave-one-out
 * jackknife is wrong (Shao and Wu 1989, Annals of Statistics 17, 1176). A true bootstrap draws with
 * replacement, so an image may be drawn twice. The two copies have distance 0, so the balls of pr
 * and dc would collapse, and kid would be biased.
 *
 * In general, with h of the H images that are held, and a value measured on N images,
 * error^2 = var h H / ((H - h) N).
 */
#include <math.h>

#include "base/rng.h"
#include "metric.h"

enum { GROUP = 256 }; /* images per call of few__eval_set_add */

struct bootstrap {
  few_ctx *ctx;
  const struct few_metric_input *whole;
  unsigned wanted;
  int replicates;
  int64_t half;
  double *each; /* [metric][FEW_METRIC_VALUES][replicates] */
  float *rows, *logits, *spatial;
  int32_t *labels;
};

static double *values_of(const struct bootstrap *b, int metric, int v) {
  return b->each + ((int64_t)metric * FEW_METRIC_VALUES + v) * b->replicates;
}

static few_status make_room(struct bootstrap *b) {
  const few_eval_set *s = b->whole->set;
  FEW_TRY(FEW_NEW(b->ctx, &b->each, few__metric_count(b->ctx) * FEW_METRIC_VALUES * b->replicates));
  FEW_TRY(FEW_NEW(b->ctx, &b->rows, GROUP * s->o.dim));
  FEW_TRY(FEW_NEW(b->ctx, &b->labels, GROUP));
  if (s->held_logits) FEW_TRY(FEW_NEW(b->ctx, &b->logits, GROUP * s->o.classes));
  if (s->held_spatial) FEW_TRY(FEW_NEW(b->ctx, &b->spatial, GROUP * s->o.spatial));
  return FEW_OK;
}

static void copy(float *to, int64_t i, const float *from, int64_t item, int64_t d) {
  if (to) memcpy(to + i * d, from + item * d, (size_t)d * sizeof *to);
}

/* Fills `part` with half number r of the images that are held: the first half of a permutation. */
static few_status fill(const struct bootstrap *b, int r, few_eval_set *part) {
  const few_eval_set *s = b->whole->set;
  int64_t n = 0;
  for (int64_t item = 0; item < s->held; item++) {
    if (few__rng_permute(FEW_RNG_BOOTSTRAP, (uint64_t)r, item, s->held) < b->half) {
      copy(b->rows, n, s->held_rows, item, s->o.dim);
      copy(b->logits, n, s->held_logits, item, s->o.classes);
      copy(b->spatial, n, s->held_spatial, item, s->o.spatial);
      b->labels[n++] = s->held_labels[item];
    }
    if (n < GROUP && item + 1 < s->held) continue;
    FEW_TRY(few__eval_set_add(part, n, b->rows, b->logits, b->spatial, b->labels));
    n = 0;
  }
  few__eval_set_end(part);
  return FEW_OK;
}

static few_status replicate(const struct bootstrap *b, int r) {
  struct few_eval_set_opts o = b->whole->set->o;
  few_eval_set *part = NULL;
  few_status st = FEW_OK;
  o.n = o.keep = b->half;
  o.hold = false;
  FEW_GOTO(few__eval_set_create(b->ctx, &part, b->whole->shared->w, &o));
  FEW_GOTO(fill(b, r, part));
  struct few_metric_shared shared = {.w = b->whole->shared->w};
  struct few_metric_input in = {part, b->whole->reference, b->whole->opts, true, &shared};
  for (int i = 0; i < few__metric_count(b->ctx); i++) {
    const struct few_metric_def *m = few__metric_at(b->ctx, i);
    struct few_metric_value value[FEW_METRIC_VALUES];
    if (!(b->wanted & 1u << i)) continue;
    FEW_GOTO(m->run(value, b->ctx, &in));
    for (int v = 0; v < m->n_values; v++) values_of(b, i, v)[r] = value[v].value;
  }
out:
  few__eval_set_free(part);
  return st;
}

static void spread(const struct bootstrap *b, int metric, int v, struct few_metric_value *out) {
  const double H = (double)b->whole->set->held, h = (double)b->half;
  double mean, deviation;
  few__metric_spread(b->replicates, values_of(b, metric, v), &mean, &deviation);
  out->error = deviation * sqrt(h * H / ((H - h) * (double)out->n));
  out->error_of = "bootstrap";
}

few_status few__bootstrap(few_ctx *ctx, const struct few_metric_input *in, unsigned wanted,
                          int replicates, struct few_metric_value (*value)[FEW_METRIC_VALUES]) {
  struct bootstrap b = {.ctx = ctx,
                        .whole = in,
                        .wanted = wanted,
                        .replicates = replicates,
                        .half = in->set->held / 2};
  const double began = few__now();
  few_status st = FEW_OK;
  assert(in->set->o.hold && b.half > 0 && replicates > 1);
  FEW_GOTO(make_room(&b));
  for (int r = 0; r < replicates; r++) {
    FEW_GOTO(replicate(&b, r));
    FEW_GOTO(few__progress(
        ctx, &(struct few_progress){"error bars", r + 1, replicates, few__now() - began, NULL}));
  }
  for (int i = 0; i < few__metric_count(ctx); i++)
    for (int v = 0; wanted & 1u << i && v < few__metric_at(ctx, i)->n_values; v++)
      spread(&b, i, v, &value[i][v]);
out:
  few__free(ctx, b.each);
  few__free(ctx, b.rows);
  few__free(ctx, b.logits);
  few__free(ctx, b.spatial);
  few__free(ctx, b.labels);
  return st;
}
