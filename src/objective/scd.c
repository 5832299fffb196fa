/* scd - continuous-time consistency distillation (arXiv 2410.11081): the velocity of the flow is
 * the teacher's, dx_t/dt = sigma_d F_teacher(x_t/sigma_d, t); with guidance F_s = F(no label) + s
 * (F(label) - F(no label)),   s ~ U[guidance_min, guidance_max], and s is an input of the student,
 * so that one student serves every strength. */
#include "base/rng.h"
#include "scm.h"

struct scd_opts {
  struct few_scm_opts scm;
  double guidance_min, guidance_max;
};

static const struct few_option options[] = {
    FEW_SCM_OPTIONS(struct scd_opts),
    FEW_OPT_REAL(struct scd_opts, guidance_min, "1", 0, 100, "weakest guidance of the teacher"),
    FEW_OPT_REAL(struct scd_opts, guidance_max, "1", 0, 100,
                 "strongest; above guidance_min: an input of the student"),
    FEW_OPT_END};

static bool guidance(const void *opts, double *min, double *max) {
  const struct scd_opts *o = opts;
  *min = o->guidance_min;
  *max = o->guidance_max;
  return o->guidance_max > o->guidance_min;
}

static few_status check(few_ctx *ctx, const void *opts, const struct few_net_spec *teacher) {
  const struct scd_opts *o = opts;
  if (o->guidance_max < o->guidance_min)
    return few__fail(ctx, FEW_E_INVALID, "scd: guidance_max %g is below guidance_min %g",
                     o->guidance_max, o->guidance_min);
  if (!teacher->classes && (o->guidance_max != 1 || o->guidance_min != 1))
    return few__fail(
        ctx, FEW_E_INVALID,
        "scd: the teacher has no labels, so it cannot be guided: leave guidance_min and "
        "guidance_max at 1");
  if (teacher->guidance)
    return few__fail(ctx, FEW_E_INVALID,
                     "scd: the teacher is itself a guided student: distil from its own teacher");
  return FEW_OK;
}

static void schedule(const void *opts, int64_t step, double stretch, double *scalar) {
  few__scm_schedule(&((const struct scd_opts *)opts)->scm, step, stretch, scalar);
}

/* Guidance strength of each row, [rows]; FEW_NONE: unguided. */
static few_node strength(struct few_loss *l, const struct scd_opts *o) {
  few_graph *g = l->g;
  if (o->guidance_max > o->guidance_min)
    return few_affine(g, few_randu(g, FEW_RNG_GUIDANCE, FEW_SHAPE(l->rows)),
                      o->guidance_max - o->guidance_min, o->guidance_min);
  return o->guidance_min == 1 ? FEW_NONE : few_fill(g, o->guidance_min, FEW_SHAPE(l->rows));
}

static few_node teacher_velocity(struct few_loss *l, const struct few_trig_draw *d, few_node s) {
  few_graph *g = l->g;
  double sigma = l->spec->sigma_data;
  few_node xin = few_scale(g, d->x, 1 / sigma);
  few_node F = l->teacher(l, xin, d->t, l->label);
  if (s != FEW_NONE) {
    few_node none = l->teacher(l, xin, d->t, FEW_NONE);
    F = few_add(g, none, few_mul(g, few__loss_rows(l, s), few_sub(g, F, none)));
  }
  return few_scale(g, F, sigma);
}

static void build(struct few_loss *l, const void *opts) {
  const struct scd_opts *o = opts;
  struct few_trig_draw d = few__trig_draw(l, o->scm.p_mean, o->scm.p_std);
  few_node s = strength(l, o);
  few_node v = teacher_velocity(l, &d, s);
  few__scm_build(l, &o->scm, &d, v, o->guidance_max > o->guidance_min ? s : FEW_NONE);
}

const struct few_objective_def few__objective_scd = {
    .name = "scd",
    .source = "arXiv 2410.11081",
    .help = "continuous-time consistency distillation of a diffusion teacher",
    .options = options,
    .options_size = sizeof(struct scd_opts),
    .needs_teacher = true,
    .starts_as_teacher = true,
    .sampler = "consistency",
    .check = check,
    .guidance = guidance,
    .n_scalars = 1,
    .schedule = schedule,
    .build = build,
};
