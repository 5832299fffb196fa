/* objective_robust.c - an objective of your own: diffusion with the pseudo-Huber distance. It is
 * square near zero and grows linearly for large residuals, so outliers have less effect.
 *
 *   L = E[ sqrt(|r|^2 / D + c^2) - c ],   r = F(x_t, t) - v/sigma_d,   D values per row,
 *   x_t = cos(t) x0 + sin(t) z,   v = dx_t/dt = cos(t) z - sin(t) x0.
 *
 *   cc -std=c11 objective_robust.c -o robust $(pkg-config --cflags --libs few)
 *   ./robust toy-teacher runs/robust objective=robust huber_c=0.2 steps=1000
 *   few eval runs/robust/model.safetensors --ref toy:mixture --metrics energy
 */
#include <few.h>
#include <few/ext/objective.h>
#include <stdio.h>

/* The options of the objective are keys of the recipe. */
struct robust_opts {
  double huber_c, p_mean, p_std;
};

static const struct few_option options[] = {
    FEW_OPT_REAL(struct robust_opts, huber_c, "0.1", 1e-6, 100, "c: where square turns linear"),
    FEW_OPT_REAL(struct robust_opts, p_mean, "-0.8", -20, 20, "mean of ln(sigma_d tan t)"),
    FEW_OPT_REAL(struct robust_opts, p_std, "1.6", 0.01, 20, "standard deviation of it"),
    FEW_OPT_END};

/* Called once. Builds a graph, which few differentiates, plans and replays at each step. */
static void build(struct few_loss *l, const void *opts) {
  const struct robust_opts *o = opts;
  few_graph *g = l->g;
  const double c = o->huber_c;
  struct few_trig_state d = few_trig_sample(l, o->p_mean, o->p_std);
  few_node F = few_loss_F(l, FEW_STUDENT, d.x, d.t, l->label, FEW_NONE);
  few_node r = few_sub(g, F, few_scale(g, d.v, 1 / l->spec->sigma_data));
  few_node square = few_loss_square(l, r); /* [rows]: |r|^2 / D */
  few_node rows = few_affine(g, few_sqrt(g, few_affine(g, square, 1, c * c)), 1, -c);
  few_loss_log(l, "mse", square);
  few_loss_add(l, "robust", few_mean_all(g, rows), 1);
}

static const struct few_objective_def robust = {
    .version = FEW_OBJECTIVE_DEF_VERSION,
    .name = "robust",
    .source = "an example",
    .help = "diffusion with a pseudo-Huber distance",
    .options = options,
    .options_size = sizeof(struct robust_opts),
    .starts_as_teacher = true,
    .sampler = "heun",
    .build = build,
};

int main(int argc, char **argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: robust RECIPE RUN [KEY=VALUE ...]\n");
    return 2;
  }
  struct few_train_opts opts = FEW_TRAIN_OPTS_INIT;
  opts.recipe = argv[1];
  opts.run = argv[2];
  opts.n_overrides = argc - 3;
  opts.overrides = (const char *const *)(argv + 3);
  few_ctx *ctx = NULL;
  few_status st = few_ctx_create(&ctx, NULL);
  if (!st) st = few_ctx_add_objective(ctx, &robust);
  if (!st) st = few_train(ctx, &opts);
  if (st) fprintf(stderr, "robust: %s\n", few_error(ctx));
  few_ctx_free(ctx);
  return st ? 1 : 0;
}
