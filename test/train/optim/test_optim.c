/* Optimizers are compared with the algorithms of their papers in f64 and with PyTorch, and their
 * bits do not depend on how the parameters are split. */
#include "testing.h"

#include "base/rng.h"
#include "golden_torch.h"
#include "train/optim/ema.h"
#include "train/optim/optim.h"

static const double eps32 = 0x1p-24; /* one rounding of a float */

static double golden_grad(int k, int i) { return ((k * 5 + i) * 37 % 41 - 20) / 16.0; }

/* Returns a bound on the rounding error after k steps of rate lr from parameters of size p. Each
 * step rounds p three times (keep, product, difference). Its update, of size about lr, has the
 * relative errors of k steps of the moments and of a dozen operations. */
static double step_bound(int k, double p, double lr) {
  return k * eps32 * (3 * p + 2 * lr * (12 + k));
}

struct golden_case {
  const char *name;
  struct few_optim_opts o;
  const double (*want)[GOLDEN_PARAMS];
};

static void run_golden(few_ctx *ctx, const struct golden_case *c) {
  enum { P = GOLDEN_PARAMS };
  float p[P], g[P], m[P] = {0}, v[P] = {0}, *state[] = {m, v};
  const struct few_optim *optim = NULL;
  assert_ok(ctx, few__optim_find(ctx, &optim, c->name));
  for (int i = 0; i < P; i++) p[i] = (float)(i - 2) / 4;
  for (int k = 0; k < GOLDEN_STEPS; k++) {
    struct few_moments_coef coef;
    optim->prepare(&c->o, k + 1, 0.01, 1, &coef);
    for (int i = 0; i < P; i++) g[i] = (float)golden_grad(k, i);
    optim->update(&coef, P, p, g, state);
    for (int i = 0; i < P; i++) assert_close(p[i], c->want[k][i], step_bound(k + 1, 0.75, 0.01));
  }
}

static void test_torch(void **s) {
  (void)s;
  few_ctx *ctx = test_ctx();
  struct few_optim_opts o = FEW_OPTIM_OPTS_INIT;
  o.beta2 = 0.99;
  run_golden(ctx, &(struct golden_case){"adam", o, golden_adam});
  run_golden(ctx, &(struct golden_case){"radam", o, golden_radam});
  o.beta2 = 0.999;
  o.weight_decay = 0.1;
  run_golden(ctx, &(struct golden_case){"adam", o, golden_adamw});
  few_ctx_free(ctx);
}

/* Algorithm 2 of the RAdam paper, line by line, for one parameter. */
struct paper_radam {
  double theta, m, v;
};

static void paper_radam_step(struct paper_radam *s, int t, double g, double alpha, double b1,
                             double b2, double threshold) {
  double rho_inf = 2 / (1 - b2) - 1;
  s->v = b2 * s->v + (1 - b2) * g * g;
  s->m = b1 * s->m + (1 - b1) * g;
  double mhat = s->m / (1 - pow(b1, t));
  double rho = rho_inf - 2 * t * pow(b2, t) / (1 - pow(b2, t));
  if (rho > threshold) {
    double l = sqrt((1 - pow(b2, t)) / s->v);
    double r = sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho));
    s->theta -= alpha * r * mhat * l;
  } else {
    s->theta -= alpha * mhat;
  }
}

static void test_radam_paper(void **state) {
  (void)state;
  const double thresholds[] = {4, 5}, lr = 0.01;
  for (int c = 0; c < 2; c++) {
    struct few_optim_opts o = FEW_OPTIM_OPTS_INIT;
    o.beta2 = 0.99;
    o.eps = 0;
    o.rectify_above = thresholds[c];
    struct paper_radam want = {.theta = 0.5};
    float p = 0.5f, m = 0, v = 0, *st[] = {&m, &v};
    int adaptive_from = 0;
    for (int k = 1; k <= 200; k++) {
      double z;
      struct few_rng r = {.seed = 1, .step = (uint64_t)k, .purpose = FEW_RNG_CHECK};
      few__rng_normal_f64(&r, 1, &z);
      float g = (float)(z + 0.3);
      struct few_moments_coef coef;
      few__optim_radam.prepare(&o, k, lr, 1, &coef);
      few__optim_radam.update(&coef, 1, &p, &g, st);
      paper_radam_step(&want, k, (double)g, lr, 0.9, 0.99, thresholds[c]);
      assert_close(p, want.theta, step_bound(k, 1.5, lr));
      if (coef.adaptive && !adaptive_from) adaptive_from = k;
    }
    /* For beta2 = 0.99 rho_5 is 4.96: the paper's algorithm adapts from here on, PyTorch's one step
     * later. */
    assert_int_equal(adaptive_from, c == 0 ? 5 : 6);
  }
}

static void test_adam_first_step_is_sign(void **state) {
  (void)state;
  struct few_optim_opts o = FEW_OPTIM_OPTS_INIT;
  struct few_moments_coef c;
  o.eps = 0;
  few__optim_adam.prepare(&o, 1, 0.125, 1, &c);
  float p[3] = {0}, g[3] = {3, -1e-3f, 1e4f}, m[3] = {0}, v[3] = {0}, *st[] = {m, v};
  few__optim_adam.update(&c, 3, p, g, st);
  for (int i = 0; i < 3; i++) assert_close(p[i], g[i] > 0 ? -0.125 : 0.125, 0.125 * 8 * eps32);
}

static void test_grad_scale(void **state) {
  (void)state;
  struct few_optim_opts o = FEW_OPTIM_OPTS_INIT;
  for (int i = 0; i < few__optim_count(); i++) {
    float p[2] = {1, 1}, g[2] = {0.75f, 0.1875f}, m[2] = {0}, v[2] = {0};
    for (int j = 0; j < 2; j++) {
      struct few_moments_coef c;
      few__optim_at(i)->prepare(&o, 10, 0.01, j ? 1 : 0.25, &c);
      few__optim_at(i)->update(&c, 1, p + j, g + j, (float *[]){m + j, v + j});
    }
    assert_memory_equal(p, p + 1, sizeof *p);
    assert_memory_equal(v, v + 1, sizeof *v);
  }
}

static void test_split_same_bits(void **state) {
  (void)state;
  enum { N = 200003, N_AVERAGE = 150001 };
  few_ctx *ctx = test_ctx();
  float *buf = calloc((size_t)N * 9, sizeof *buf), *average[2] = {buf + 7 * N, buf + 8 * N};
  float *g = buf, *a[3] = {buf + N, buf + 2 * N, buf + 3 * N};
  float *b[3] = {buf + 4 * N, buf + 5 * N, buf + 6 * N};
  few_workers *w = NULL;
  assert_ok(ctx, few__workers_create(ctx, &w, 3));
  few__rng_normal_f32(&(struct few_rng){.seed = 2, .purpose = FEW_RNG_CHECK}, N, g);
  struct few_optim_opts o = FEW_OPTIM_OPTS_INIT;
  o.weight_decay = 0.01;
  for (int i = 0; i < few__optim_count(); i++)
    for (int k = 1; k <= 8; k++) {
      struct few_optim_job job = {.optim = few__optim_at(i), .n = N, .param = a[0], .grad = g};
      job.average = average[0];
      job.n_average = N_AVERAGE;
      job.beta = 0.75;
      job.optim->prepare(&o, k, 0.01, 0.5, &job.coef);
      job.state[0] = a[1];
      job.state[1] = a[2];
      few__optim_step(w, &job);
      for (int64_t at = 0, n; at < N; at += n) { /* pieces of different sizes */
        n = 1 + at / 3;
        if (n > N - at) n = N - at;
        job.optim->update(&job.coef, n, b[0] + at, g + at, (float *[]){b[1] + at, b[2] + at});
      }
      few__ema_update(0.75, N_AVERAGE, average[1], b[0]);
      assert_memory_equal(a[0], b[0], sizeof(float) * N * 3);
      assert_memory_equal(average[0], average[1], sizeof(float) * N);
    }
  few__workers_free(w);
  free(buf);
  few_ctx_free(ctx);
}

static void test_names_and_checks(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  const struct few_optim *optim = NULL;
  for (int i = 0; i < few__optim_count(); i++) {
    assert_ok(ctx, few__optim_find(ctx, &optim, few__optim_at(i)->name));
    assert_ptr_equal(optim, few__optim_at(i));
  }
  assert_int_equal(few__optim_find(ctx, &optim, "adamax"), FEW_E_INVALID);
  assert_non_null(strstr(few_error(ctx), "adam radam"));
  struct few_optim_opts o = FEW_OPTIM_OPTS_INIT;
  assert_ok(ctx, few__optim_check(ctx, &o));
  o.beta2 = 1;
  assert_int_equal(few__optim_check(ctx, &o), FEW_E_INVALID);
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_torch),
      cmocka_unit_test(test_radam_paper),
      cmocka_unit_test(test_adam_first_step_is_sign),
      cmocka_unit_test(test_grad_scale),
      cmocka_unit_test(test_split_same_bits),
      cmocka_unit_test(test_names_and_checks),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
