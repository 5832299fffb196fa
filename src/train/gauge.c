/* gauge.c - see gauge.h.
 *
 * The noise has a seed of its own, different from all others of the run. It is the same in each
 * reading, so that readings can be compared. A reading does not change the state of the run.
 */
#include "gauge.h"

#include <inttypes.h>
#include <math.h>

#include "model/run/sample.h"

enum { IMAGES = 16, POINTS = 256 };

struct few_gauge {
  few_ctx *ctx;
  const struct few_setup *setup;
  few_model *model;
  few_runner *runner;       /* of the model */
  struct few_sample_opts o; /* of the student */
  int64_t dims;
  float *target, *x; /* [n][dims]: the teacher's, the student's */
  int32_t *label;    /* [n] labels of both, with the class shares of the data */
};

/* A guidance scale for both teacher and student. */
static double guidance_of(const struct few_setup *setup) {
  return setup->guidance_min > 1 || setup->guidance_max < 1 ? setup->guidance_min : 1;
}

static bool applies(const struct few_setup *setup, const few_model *student) {
  return setup->teacher && setup->config.objective[0].def->follows_flow &&
         student->direction != FEW_ENCODES && setup->teacher->direction != FEW_ENCODES;
}

/* A consistency student is sampled in one step here. Its default is two steps with fresh noise in
 * between, which give an image that the starting noise does not determine. 0: the default. */
static int student_steps(const few_model *m) {
  return !m->n_times && !strcmp(m->sampler, "consistency") ? 1 : 0;
}

static few_status choose_labels(struct few_gauge *g) {
  const struct few_shares shares = {g->setup->spec.classes, g->setup->class_counts};
  for (int64_t i = 0; !shares.classes && i < g->o.n; i++) g->label[i] = -1;
  return shares.classes ? few__labels(g->ctx, &shares, 0, g->o.n, g->label) : FEW_OK;
}

static few_status draw_targets(struct few_gauge *g) {
  few_runner *teacher;
  struct few_sample_opts o = g->o;
  int nfe = 0;
  FEW_TRY(few_runner_create(&teacher, g->ctx, g->setup->teacher));
  const struct few_progress_frame frame = {"teacher's images", 0, o.n, few__now()};
  o.guidance = guidance_of(g->setup);
  if (g->setup->config.needs_pairs) o.steps = (int)g->setup->config.keys.pairs_steps;
  few__progress_frame(g->ctx, &frame);
  const struct few_sample_path path = {.label = g->label};
  few_status st = few__sample_run(teacher, &o, &path, g->target, NULL, &nfe);
  few__progress_frame(g->ctx, NULL);
  few_runner_free(teacher);
  if (st) return st;
  few__log(g->ctx, FEW_LOG_INFO,
           "to_teacher in the log is the distance between %" PRId64
           " %s of the student and those that the teacher makes from the same noise (with %d "
           "network evaluation%s each), in standard deviations of the data",
           o.n, g->setup->spec.points ? "points" : "images", nfe, nfe == 1 ? "" : "s");
  return FEW_OK;
}

few_status few__gauge_open(few_ctx *ctx, few_gauge **out, const struct few_setup *setup,
                           few_model *model, few_runner *runner) {
  struct few_gauge *g = NULL;
  few_status st;
  *out = NULL;
  FEW_TRY(few__setup_use(setup, 0, model));
  if (!applies(setup, model)) return FEW_OK;
  FEW_TRY(FEW_NEW(ctx, &g, 1));
  *g = (struct few_gauge){.ctx = ctx, .setup = setup, .model = model, .runner = runner};
  g->dims = setup->spec.h * setup->spec.w * setup->spec.c;
  g->o = (struct few_sample_opts)FEW_SAMPLE_OPTS_INIT;
  g->o.n = setup->spec.points ? POINTS : IMAGES;
  g->o.seed = ~(uint64_t)setup->config.keys.seed;
  FEW_GOTO(FEW_NEW(ctx, &g->target, g->o.n * g->dims));
  FEW_GOTO(FEW_NEW(ctx, &g->x, g->o.n * g->dims));
  FEW_GOTO(FEW_NEW(ctx, &g->label, g->o.n));
  FEW_GOTO(choose_labels(g));
  FEW_GOTO(draw_targets(g));
  if (setup->spec.guidance) g->o.guidance = guidance_of(setup);
  *out = g;
out:
  if (st) few__gauge_free(g);
  return st;
}

void few__gauge_free(few_gauge *g) {
  if (!g) return;
  few__free(g->ctx, g->target);
  few__free(g->ctx, g->x);
  few__free(g->ctx, g->label);
  few__free(g->ctx, g);
}

few_status few__gauge_read(few_gauge *g, const struct few_run_state *s, double *out) {
  static const struct few_progress_frame quiet = {NULL, 0, 0, 0}; /* shows no progress */
  few_model *m = g->model;
  double sum = 0;
  assert(s->n_model == m->params.total);
  FEW_TRY(few__state_student(s, few__model_write(m)));
  FEW_TRY(few__setup_use(g->setup, s->step, m));
  g->o.steps = student_steps(m);
  few__progress_frame(g->ctx, &quiet);
  const struct few_sample_path path = {.label = g->label};
  few_status st = few__sample_run(g->runner, &g->o, &path, g->x, NULL, NULL);
  few__progress_frame(g->ctx, NULL);
  if (st) return st;
  for (int64_t i = 0; i < g->o.n * g->dims; i++) {
    const double gap = (double)g->x[i] - (double)g->target[i];
    sum += gap * gap;
  }
  *out = sqrt(sum / (double)(g->o.n * g->dims)) * m->data_scale / m->spec.sigma_data;
  return FEW_OK;
}
