/* Score distillation and adversarial losses in the graph, in f64. Between Gaussians the gradient of
 * the KL divergence and the Fisher divergence are known. With networks the gradient must equal the
 * formula or finite differences. */
#include "base/rng.h"
#include "diffusion/objective/generator.h"
#include "engine/plan/plan.h"
#include "testing.h"

enum { DIM = 2, ROWS = 5, MANY = 16384, MAX_P = 48, MAX_SLOTS = 4 * MAX_P, MAX_OUT = 64 };
static const double sigma = 0.5;
static const struct few_net_spec spec = {
    .h = 1, .w = 1, .c = DIM, .points = true, .sigma_data = 0.5};

/* The student's Gaussian N(b, (a sigma_d)^2 I) and the teacher's N(mu, s^2 I). */
static const double a_k[DIM] = {0.7, 0.7}, b_k[DIM] = {0.3, -0.2}, mu_k[DIM] = {-0.1, 0.4};
static const double s_real = 0.6;

struct setting {
  few_ctx *ctx;
  few_graph *g;
  bool gaussian; /* networks are exact for the Gaussians above; otherwise small mlps */
  _Alignas(8) char opts[1024];
  _Alignas(8) char net_opts[1024];
  const struct few_objective_def *def;
  struct few_params params[FEW_ROLES], head, fake_head;
  struct few_nn nn_head, nn_fake_head;
  struct few_loss loss;
  int n_student; /* number of calls of the student; which of them were without dropout */
  bool no_dropout[4];
  few_node step_size[4]; /* of these calls */
  bool zero_head;        /* the discriminator's last layer is 0, as at the start of a run */
  const char *moved;     /* a parameter whose element `at` is moved by `by` */
  int64_t at;
  double by;
};

/* ---- networks ---- */

static few_node row_const(few_graph *g, const double *v) {
  return few_const(g, FEW_SHAPE(1, DIM), v);
}

/* sigma_d F = cos sin (sigma_d^2 - s^2)/V (x_t - cos mu) - sin mu,  V = cos^2 s^2 + sin^2
 * sigma_d^2.
 */
static few_node gaussian_F(struct few_loss *l, const struct few_net_input *in, few_node mu,
                           double s) {
  few_graph *g = l->g;
  few_node c = few_loss_rows(l, few_cos(g, in->t)), n = few_loss_rows(l, few_sin(g, in->t));
  few_node x = few_scale(g, in->x, sigma);
  few_node V = few_add(g, few_scale(g, few_square(g, c), s * s),
                       few_scale(g, few_square(g, n), sigma * sigma));
  few_node k = few_div(g, few_scale(g, few_mul(g, c, n), sigma * sigma - s * s), V);
  few_node F = few_sub(g, few_mul(g, k, few_sub(g, x, few_mul(g, c, mu))), few_mul(g, n, mu));
  return few_scale(g, F, 1 / sigma);
}

/* F of the student such that its jump is x = a x_t + b. */
static few_node linear_F(struct few_loss *l, const struct few_net_input *in) {
  few_graph *g = l->g;
  few_node a = few_param(g, "student:a", FEW_SHAPE(1, DIM));
  few_node b = few_param(g, "student:b", FEW_SHAPE(1, DIM));
  few_node c = few_loss_rows(l, few_cos(g, in->t)), n = few_loss_rows(l, few_sin(g, in->t));
  few_node x = few_scale(g, in->x, sigma), made = few_add(g, few_mul(g, a, x), b);
  return few_div(g, few_sub(g, few_mul(g, c, x), made), few_scale(g, n, sigma));
}

static few_node net(struct few_loss *l, enum few_role who, const struct few_net_input *in) {
  static const char *const prefix[FEW_ROLES] = {"student:", "teacher:", "target:", "fake:"};
  struct setting *s = l->user;
  if (who == FEW_STUDENT) {
    assert_true(s->n_student < FEW_COUNT(s->no_dropout));
    s->step_size[s->n_student] = in->step_size;
    s->no_dropout[s->n_student++] = in->no_dropout;
  }
  if (s->gaussian && who == FEW_STUDENT) return linear_F(l, in);
  if (s->gaussian && who == FEW_TEACHER) return gaussian_F(l, in, row_const(l->g, mu_k), s_real);
  if (s->gaussian) return gaussian_F(l, in, row_const(l->g, b_k), a_k[0] * sigma);
  struct few_nn nn = {.g = l->g, .params = &s->params[who], .prefix = prefix[who]};
  few_node F = few__net_find(NULL, "mlp")->build(&nn, &spec, s->net_opts, in);
  l->middle = nn.middle;
  return F;
}

/* ---- setting up, replaying ---- */

static void begin(struct setting *s, const char *name, int64_t rows, bool gaussian,
                  const char *const settings[][2]) {
  const struct few_net_def *mlp = few__net_find(NULL, "mlp");
  *s = (struct setting){
      .ctx = test_ctx(), .gaussian = gaussian, .def = few__objective_find(NULL, name)};
  assert_true(mlp->options_size <= sizeof s->net_opts && s->def->options_size <= sizeof s->opts);
  assert_ok(s->ctx, few_options_default(s->net_opts, s->ctx, mlp->options));
  assert_ok(s->ctx, few_option_set(s->net_opts, s->ctx, mlp->options, "width", "6"));
  assert_ok(s->ctx, few_option_set(s->net_opts, s->ctx, mlp->options, "layers", "1"));
  assert_ok(s->ctx, few_options_default(s->opts, s->ctx, s->def->options));
  for (int i = 0; settings[i][0]; i++)
    assert_ok(s->ctx,
              few_option_set(s->opts, s->ctx, s->def->options, settings[i][0], settings[i][1]));
  assert_ok(s->ctx, few_graph_create(&s->g, s->ctx));
  s->nn_head = (struct few_nn){.g = s->g, .params = &s->head, .prefix = "head:"};
  s->nn_fake_head = (struct few_nn){.g = s->g, .params = &s->fake_head, .prefix = "fakehead:"};
  s->loss = (struct few_loss){.g = s->g,
                              .rows = rows,
                              .spec = &spec,
                              .teacher_spec = &spec,
                              .fake_spec = &spec,
                              .guidance_min = 1,
                              .guidance_max = 1,
                              .net = net,
                              .head = &s->nn_head,
                              .fake_head = &s->nn_fake_head,
                              .user = s,
                              .middle = FEW_NONE,
                              .t = FEW_NONE,
                              .label = FEW_NONE,
                              .pair_guidance = FEW_NONE};
  s->loss.x0 = few_input(s->g, "x", FEW_REAL, FEW_SHAPE(rows, DIM));
}

static void end(struct setting *s) {
  for (int i = 0; i < FEW_ROLES; i++) few__params_free(s->ctx, &s->params[i]);
  few__params_free(s->ctx, &s->head);
  few__params_free(s->ctx, &s->fake_head);
  few_graph_free(s->g);
  few_ctx_free(s->ctx);
}

/* Writes fixed arbitrary numbers. The learned weight of times (the head) is 0, as at the start. */
static void set_value(const struct setting *s, const struct few_slot *slot, double *v) {
  const int64_t count = few_shape_count(slot->shape);
  unsigned seed = 17;
  for (const char *c = slot->name; *c; c++) seed = seed * 31 + (unsigned char)*c;
  const bool zero = strstr(slot->name, "weight") || (s->zero_head && strstr(slot->name, "out") &&
                                                     !strncmp(slot->name, "fakehead", 8));
  for (int64_t k = 0; k < count; k++)
    v[k] = zero ? 0 : sin((double)(seed % 1000) + 2.7 * (double)k) * 0.6;
  if (!strcmp(slot->name, "student:a")) memcpy(v, a_k, sizeof a_k);
  if (!strcmp(slot->name, "student:b")) memcpy(v, b_k, sizeof b_k);
  if (s->moved && !strcmp(slot->name, s->moved)) v[s->at] += s->by;
}

/* Returns the values of n nodes, each in an array of its own. Free them with free_rooms. */
static double **replay(struct setting *s, int n, const few_node *out) {
  struct few_planning_opts o = {.backend = few__backend_find("ref"), .real = FEW_F64};
  few_plan *plan;
  const void *slots[MAX_SLOTS];
  assert_ok(s->ctx, few_graph_status(s->g));
  assert_ok(s->ctx, few__plan_create(s->ctx, &plan, s->g, &o, n, out));
  const int m = few__plan_slots(plan);
  assert_true(m <= MAX_SLOTS);
  for (int i = 0; i < m; i++) {
    const struct few_slot *slot = few__plan_slot(plan, i);
    double *v = calloc((size_t)few_shape_count(slot->shape), sizeof *v);
    set_value(s, slot, v);
    slots[i] = v;
  }
  double **values = calloc((size_t)n, sizeof *values);
  for (int i = 0; i < n; i++)
    values[i] = calloc((size_t)few_shape_count(few_node_shape(s->g, out[i])), sizeof **values);
  void *arena = NULL;
  assert_int_equal(posix_memalign(&arena, 64, few__plan_arena(plan) + 64), 0);
  few__plan_replay(
      plan, arena,
      &(struct few_binding){.slots = slots, .outs = (void *const *)values, .key = {.seed = 4}});
  for (int i = 0; i < m; i++) free((void *)(uintptr_t)slots[i]);
  free(arena);
  few__plan_free(plan);
  return values;
}

static void free_rooms(int n, double **v) {
  for (int i = 0; i < n; i++) free(v[i]);
  free(v);
}

/* The parameters of a table as nodes of the graph. */
static int params_of(struct setting *s, const struct few_params *p, const char *prefix,
                     few_node *out, char names[][160]) {
  assert_true(p->n <= MAX_P);
  for (int i = 0; i < p->n; i++) {
    snprintf(names[i], 160, "%s%s", prefix, p->at[i].name);
    out[i] = few_param(s->g, names[i], p->at[i].shape);
  }
  return p->n;
}

/* ---- between Gaussians ---- */

/* mean and standard error of n numbers */
struct estimate {
  double mean, error;
};

static struct estimate estimate(int n, const double *v) {
  double sum = 0, squares = 0;
  for (int i = 0; i < n; i++) sum += v[i];
  for (int i = 0; i < n; i++) squares += (v[i] - sum / n) * (v[i] - sum / n);
  return (struct estimate){sum / n, sqrt(squares / n / n)};
}

/* F_real - F_fake = slope (x_t - cos b) + offset, of dimension k. */
static void gap_line(double t, int k, double *slope, double *offset) {
  const double c = cos(t), n = sin(t), sf = a_k[0] * sigma, v0 = sigma * sigma;
  const double Vr = c * c * s_real * s_real + n * n * v0, Vf = c * c * sf * sf + n * n * v0;
  const double kr = c * n * (v0 - s_real * s_real) / Vr, kf = c * n * (v0 - sf * sf) / Vf;
  *slope = (kr - kf) / sigma;
  *offset = (kr * c * (b_k[k] - mu_k[k]) - n * (mu_k[k] - b_k[k])) / sigma;
}

/* d KL(N(cos b, V_f) | N(cos mu, V_r)) / d (a, b)_k, V_f = cos^2 a^2 sigma_d^2 + sin^2 sigma_d^2 */
static void kl_gradient(double t, int k, double *da, double *db) {
  const double c = cos(t), n = sin(t), v0 = sigma * sigma, a = a_k[k];
  const double Vr = c * c * s_real * s_real + n * n * v0, Vf = c * c * a * a * v0 + n * n * v0;
  *da = 0.5 * (1 / Vr - 1 / Vf) * 2 * c * c * a * v0;
  *db = c * c * (b_k[k] - mu_k[k]) / Vr;
}

/* VSD's gradient is 2/D mean (F_real - F_fake) dx/dtheta. The scores differ by s_fake - s_real =
 * cos/(sigma_d sin) (F_real - F_fake), and dx_t = cos dx. So its expectation is the gradient of the
 * KL divergence times 2/D sigma_d sin/cos^2. */
static void test_vsd_is_the_gradient_of_kl(void **state) {
  (void)state;
  struct setting s;
  begin(&s, "vsd", MANY, true,
        (const char *const[][2]){{"p_mean", "-0.5"}, {"p_std", "0.5"}, {NULL, NULL}});
  struct few_loss *l = &s.loss;
  s.def->build(l, s.opts);
  const struct few_generator_opts gen = {.sigma_init = 80};
  few_node x = few__generate(l, &gen);
  const struct few_trig_state d = few_trig_state_at(l, few_stop(s.g, x), l->t, FEW_RNG_NOISE);
  few_node p[2] = {few_param(s.g, "student:a", FEW_SHAPE(1, DIM)),
                   few_param(s.g, "student:b", FEW_SHAPE(1, DIM))};
  few_node out[5] = {0, 0, x, d.x, d.t};
  assert_ok(s.ctx, few_grad(out, s.g, l->term[0].value, 2, p));
  double **v = replay(&s, 5, out);
  static double of_a[MANY], of_b[MANY];
  for (int k = 0; k < DIM; k++) {
    double da = 0, db = 0;
    for (int r = 0; r < MANY; r++) {
      double slope, offset, kl_a, kl_b;
      const double t = v[4][r], start = (v[2][r * DIM + k] - b_k[k]) / a_k[k];
      gap_line(t, k, &slope, &offset);
      kl_gradient(t, k, &kl_a, &kl_b);
      const double gap = slope * (v[3][r * DIM + k] - cos(t) * b_k[k]) + offset;
      da += 2.0 / DIM / MANY * gap * start;
      db += 2.0 / DIM / MANY * gap;
      const double to_F = sigma * sin(t) / (cos(t) * cos(t));
      of_a[r] = gap * start - to_F * kl_a;
      of_b[r] = gap - to_F * kl_b;
    }
    assert_close(v[0][k], da, 1e-12);
    assert_close(v[1][k], db, 1e-12);
    const struct estimate ea = estimate(MANY, of_a), eb = estimate(MANY, of_b);
    assert_close(ea.mean, 0, 5 * ea.error);
    assert_close(eb.mean, 0, 5 * eb.error);
    assert_true(fabs(v[0][k]) > 10 * ea.error && fabs(v[1][k]) > 10 * eb.error); /* far from 0 */
  }
  free_rooms(5, v);
  end(&s);
}

/* With the exact fake network E identity = (1 - alpha) E fisher, and the divergence is
 * E (slope (x_t - cos b) + offset)^2 sin^2 sigma_d^2 = sin^2 sigma_d^2 (slope^2 V_f + offset^2). */
static void test_sid_is_the_fisher_divergence(void **state) {
  (void)state;
  struct setting s;
  begin(&s, "sid", MANY, true, (const char *const[][2]){{"alpha", "0.25"}, {NULL, NULL}});
  struct few_loss *l = &s.loss;
  s.def->build(l, s.opts);
  const few_node out[3] = {l->log[0].rows, l->log[1].rows, l->t};
  double **v = replay(&s, 3, out);
  static double identity[MANY], fisher[MANY];
  for (int r = 0; r < MANY; r++) {
    const double t = v[2][r], c = cos(t), n = sin(t), sf = a_k[0] * sigma;
    const double Vf = c * c * sf * sf + n * n * sigma * sigma;
    double exact = 0;
    for (int k = 0; k < DIM; k++) {
      double slope, offset;
      gap_line(t, k, &slope, &offset);
      exact += n * n * sigma * sigma * (slope * slope * Vf + offset * offset) / DIM;
    }
    assert_true(t < atan(25 / sigma)); /* (a + 0.8 (b - a))^7 = 24.4 */
    fisher[r] = v[1][r] - exact;
    identity[r] = v[0][r] - 0.75 * v[1][r];
  }
  const struct estimate f = estimate(MANY, fisher), i = estimate(MANY, identity);
  assert_close(f.mean, 0, 5 * f.error);
  assert_close(i.mean, 0, 5 * i.error);
  const struct estimate size = estimate(MANY, v[1]);
  assert_true(size.mean > 20 * f.error && size.mean > 20 * i.error);
  free_rooms(3, v);
  end(&s);
}

/* ---- students that take a step size ---- */

/* One step goes all the way from t to the image, and a second step from mid_time. */
static void test_step_size(void **state) {
  (void)state;
  for (int unit = 0; unit < FEW_STEP_SIZES; unit++) {
    struct setting s;
    begin(&s, "vsd", ROWS, false, (const char *const[][2]){{NULL, NULL}});
    struct few_net_spec stepped = spec;
    const struct few_generator_opts gen = {
        .sigma_init = 80, .mid_time = 1.1, .mid_share = unit == FEW_STEP_SIZE_ANGLE ? 0.5 : 0};
    stepped.step_size = (enum few_step_size)unit;
    s.loss.spec = &stepped;
    few__generate(&s.loss, &gen);
    assert_int_equal(s.n_student, gen.mid_share > 0 ? 2 : 1);
    few_node last = s.step_size[s.n_student - 1];
    if (unit == FEW_STEP_SIZE_NONE || unit == FEW_STEP_SIZE_SEGMENT) {
      assert_int_equal(last, FEW_NONE);
    } else {
      int mid = 0;
      double **v = replay(&s, 1, &last);
      for (int r = 0; r < ROWS; r++) {
        if (unit == FEW_STEP_SIZE_HALVINGS) assert_true(v[0][r] == 0);
        if (unit == FEW_STEP_SIZE_ANGLE && fabs(v[0][r] - 1.1) < 1e-12)
          mid++;
        else if (unit == FEW_STEP_SIZE_ANGLE)
          assert_close(v[0][r], atan(80 / sigma), 1e-12);
      }
      if (gen.mid_share > 0) assert_in_range(mid, 1, ROWS - 1);
      free_rooms(1, v);
    }
    end(&s);
  }
}

/* ---- divergences ---- */

static double divergence(int f, double r) {
  switch (f) {
    case FEW_REVERSE_KL:
      return -log(r);
    case FEW_SOFTENED_KL:
      return (r + 1) * log((r + 1) / (2 * r));
    case FEW_JS:
      return r * log(r) - (r + 1) * log((r + 1) / 2);
    case FEW_HELLINGER:
      return 1 - sqrt(r);
    case FEW_JEFFREYS:
      return (r - 1) * log(r);
    default:
      return r * log(r);
  }
}

/* h(r) = f''(r) r^2 against the second difference of f, whose errors are h^2 f'''' r^2 / 12 and
 * 4 eps f / h^2 r^2. */
static void test_divergence_weights(void **state) {
  (void)state;
  struct setting s;
  const double d[4] = {-1.5, -0.2, 0.4, 1.5};
  begin(&s, "vsd", 4, true, (const char *const[][2]){{NULL, NULL}});
  few_node out[6], at = few_const(s.g, FEW_SHAPE(4), d);
  for (int f = 0; f < 6; f++) out[f] = few__divergence_weight(s.g, (enum few_divergence)f, at);
  double **v = replay(&s, 6, out);
  for (int f = 0; f < 6; f++)
    for (int i = 0; i < 4; i++) {
      const double r = exp(d[i]), h = 1e-4 * r;
      const double second =
          (divergence(f, r + h) - 2 * divergence(f, r) + divergence(f, r - h)) / (h * h);
      assert_close(v[f][i], second * r * r, 1e-6);
    }
  free_rooms(6, v);
  end(&s);
}

/* Between the teacher's N(0.4, 0.6^2) and the student's N(b, 0.8^2) in one dimension, by
 * quadrature: dD_f/db, a difference of D_f, is E h(r) (s_student - s_teacher), since dx/db = 1. */
static double log_density(double x, double mean, double s) {
  return -0.5 * (x - mean) * (x - mean) / (s * s) - log(s) - 0.5 * log(4 * FEW_PI_2);
}

static void test_divergence_gradient(void **state) {
  (void)state;
  enum { N = 4001 };
  static double d[N], x[N];
  const double mu = 0.4, s = 0.6, b = 0.1, a = 0.8, width = 10.0 / (N - 1), h = 1e-4;
  struct setting set;
  begin(&set, "vsd", ROWS, true, (const char *const[][2]){{NULL, NULL}});
  for (int i = 0; i < N; i++) {
    x[i] = -5 + width * i;
    d[i] = log_density(x[i], mu, s) - log_density(x[i], b, a);
  }
  few_node out[6], at = few_const(set.g, FEW_SHAPE(N), d);
  for (int f = 0; f < 6; f++) out[f] = few__divergence_weight(set.g, (enum few_divergence)f, at);
  double **v = replay(&set, 6, out);
  for (int f = 0; f < 6; f++) {
    double by_scores = 0, D[2] = {0, 0};
    for (int i = 0; i < N; i++) {
      const double gap = -(x[i] - b) / (a * a) + (x[i] - mu) / (s * s);
      by_scores += width * exp(log_density(x[i], b, a)) * v[f][i] * gap;
      for (int k = 0; k < 2; k++) {
        const double moved = b + (k ? -h : h), q = log_density(x[i], moved, a);
        D[k] += width * exp(q) * divergence(f, exp(log_density(x[i], mu, s) - q));
      }
    }
    assert_close(by_scores, (D[0] - D[1]) / (2 * h), 1e-7); /* h^2, and eps/h */
    assert_true(fabs(by_scores) > 0.01);
  }
  free_rooms(6, v);
  end(&set);
}

/* The gap of each row is multiplied by h over the mean of h, so its square by the square. */
static void test_divergence_of_rows(void **state) {
  (void)state;
  double plain[ROWS];
  for (int pass = 0; pass < 2; pass++) {
    struct setting s;
    begin(&s, "vsd", ROWS, false,
          (const char *const[][2]){{"f", pass ? "forward-kl" : "reverse-kl"}, {NULL, NULL}});
    s.def->build(&s.loss, s.opts);
    assert_int_equal(s.loss.n_logs, 1 + pass);
    const few_node out[2] = {s.loss.log[pass].rows, s.loss.log[0].rows};
    assert_string_equal(s.loss.log[pass].name, "score_gap");
    double **v = replay(&s, 2, out), mean = 0;
    for (int r = 0; r < ROWS; r++) mean += v[1][r] / ROWS;
    for (int r = 0; r < ROWS; r++) {
      const double share = v[1][r] / mean;
      if (pass) assert_close(v[0][r], plain[r] * share * share, 1e-12);
      if (pass) assert_true(fabs(share - 1) > 1e-3);
      plain[r] = v[0][r];
    }
    free_rooms(2, v);
    end(&s);
  }
}

/* ---- gradients with networks ---- */

/* The mean over rows of num / den, with element `at` of a parameter moved. */
static double moved(struct setting *s, few_node num, const double *den, const char *name,
                    int64_t at, double by) {
  const int64_t rows = few_shape_count(few_node_shape(s->g, num));
  double sum = 0;
  s->moved = name;
  s->at = at;
  s->by = by;
  double **v = replay(s, 1, &num);
  for (int64_t r = 0; r < rows; r++) sum += v[0][r] / (den ? den[r] : 1) / (double)rows;
  free_rooms(1, v);
  s->moved = NULL;
  return sum;
}

/* The difference of fourth order, (8 (L(h) - L(-h)) - (L(2h) - L(-2h))) / 12h. h^4 is 1e-14, eps/h
 * is 1e-12. */
static double difference(struct setting *s, few_node num, const double *den, const char *name,
                         int64_t at) {
  const double h = 3e-4;
  double L[4];
  for (int k = 0; k < 4; k++)
    L[k] = moved(s, num, den, name, at, (const double[]){h, -h, 2 * h, -2 * h}[k]);
  return (8 * (L[0] - L[1]) - (L[2] - L[3])) / (12 * h);
}

/* Checks every element of every parameter of a table. Fifth derivatives of 1e6 leave an error of
 * 1e-9. */
static void check_differences(struct setting *s, few_node loss, few_node num, const double *den,
                              const struct few_params *table, const char *prefix) {
  few_node p[MAX_P], grad[MAX_P];
  static char names[MAX_P][160];
  double size = 0;
  const int n = params_of(s, table, prefix, p, names);
  assert_ok(s->ctx, few_grad(grad, s->g, loss, n, p));
  for (int i = 0; i < n; i++)
    if (grad[i] == FEW_NONE) grad[i] = few_fill(s->g, 0, few_node_shape(s->g, p[i]));
  double **v = replay(s, n, grad);
  for (int i = 0; i < n; i++)
    for (int64_t k = 0; k < few_shape_count(few_node_shape(s->g, p[i])); k++) {
      assert_close(v[i][k], difference(s, num, den, names[i], k), 1e-9 * (1 + fabs(v[i][k])));
      size = fmax(size, fabs(v[i][k]));
    }
  assert_true(size > 1e-4); /* the gradient is not zero */
  free_rooms(n, v);
}

/* SiD's gradient passes through the inputs of both networks. Only the factor 1/w is constant. */
static void test_sid_gradient(void **state) {
  (void)state;
  for (int i = 0; i < 2; i++) {
    struct setting s;
    begin(&s, "sid", ROWS, false,
          (const char *const[][2]){{"alpha", i ? "1.2" : "1"}, {NULL, NULL}});
    struct few_loss *l = &s.loss;
    s.def->build(l, s.opts);
    few_node x = few__generate(l, (const struct few_generator_opts *)(void *)s.opts);
    const struct few_trig_state d = few_trig_state_at(l, x, l->t, FEW_RNG_NOISE);
    few_node F = few_loss_F(l, FEW_TEACHER, d.x, d.t, FEW_NONE, FEW_NONE);
    few_node w = few__mean_distance(l, x, few_trig_denoised(l, &d, F));
    double **v = replay(&s, 1, &w);
    check_differences(&s, l->term[0].value, l->log[0].rows, v[0], &s.params[FEW_STUDENT],
                      "student:");
    free_rooms(1, v);
    end(&s);
  }
}

/* The gradient is J_x^T c for any generator, with c = 2/(D rows) (F_real - F_fake), or G/(D rows)
 * for DMD. */
static void check_vsd(const char *const settings[][2], bool dmd) {
  struct setting s;
  begin(&s, "vsd", ROWS, false, settings);
  struct few_loss *l = &s.loss;
  few_graph *g = s.g;
  s.def->build(l, s.opts);
  few_node x = few__generate(l, (const struct few_generator_opts *)(void *)s.opts);
  const struct few_trig_state d = few_trig_state_at(l, few_stop(g, x), l->t, FEW_RNG_NOISE);
  few_node real = few_loss_F(l, FEW_TEACHER, d.x, d.t, FEW_NONE, FEW_NONE);
  few_node fake = few_loss_F(l, FEW_FAKE, d.x, d.t, FEW_NONE, FEW_NONE);
  const few_node inner[] = {x, d.x, d.t, real, fake, l->term[0].value};
  double **v = replay(&s, 6, inner), c[ROWS * DIM], loss = 0;
  for (int r = 0; r < ROWS; r++) {
    const double t = v[2][r];
    double away = 0;
    for (int k = r * DIM; k < (r + 1) * DIM; k++)
      away += fabs(v[0][k] - (cos(t) * v[1][k] - sin(t) * sigma * v[3][k])) / DIM;
    for (int k = r * DIM; k < (r + 1) * DIM; k++) {
      const double gap = v[3][k] - v[4][k], G = sin(t) * sigma * gap / away;
      c[k] = dmd ? G / (DIM * ROWS) : 2 * gap / (DIM * ROWS);
      loss += (dmd ? G * G / 2 : gap * gap) / (DIM * ROWS);
    }
  }
  assert_close(v[5][0], loss, 1e-12 * (1 + loss));
  free_rooms(6, v);
  few_node p[MAX_P], out[2 * MAX_P], cot = few_const(g, FEW_SHAPE(ROWS, DIM), c);
  static char names[MAX_P][160];
  const int n = params_of(&s, &s.params[FEW_STUDENT], "student:", p, names);
  assert_ok(s.ctx, few_grad(out, g, l->term[0].value, n, p));
  assert_ok(s.ctx, few_vjp(out + n, g, 1, &x, &cot, n, p));
  v = replay(&s, 2 * n, out);
  for (int i = 0; i < n; i++)
    for (int64_t k = 0; k < few_shape_count(few_node_shape(g, p[i])); k++)
      assert_close(v[i][k], v[n + i][k], 1e-12 * (1 + fabs(v[i][k])));
  free_rooms(2 * n, v);
  end(&s);
}

static void test_vsd_gradient(void **state) {
  (void)state;
  check_vsd((const char *const[][2]){{NULL, NULL}}, false);
  check_vsd((const char *const[][2]){{"weighting", "dmd"}, {NULL, NULL}}, true);
  check_vsd((const char *const[][2]){{"mid_share", "0.5"}, {NULL, NULL}}, false);
  check_vsd((const char *const[][2]){{"sigma_init", "2.5"}, {NULL, NULL}}, false);
}

/* The first of two steps only gives the start of the second, as in sampling, so it has no dropout.
 */
static void test_start_has_no_dropout(void **state) {
  (void)state;
  for (int two = 0; two < 2; two++) {
    struct setting s;
    begin(&s, "vsd", ROWS, false,
          (const char *const[][2]){{"mid_share", two ? "0.5" : "0"}, {NULL, NULL}});
    few__generate(&s.loss, (const struct few_generator_opts *)(void *)s.opts);
    assert_int_equal(s.n_student, 1 + two);
    for (int i = 0; i < s.n_student; i++) assert_true(s.no_dropout[i] == (i < two));
    end(&s);
  }
}

/* The fake network learns from the student's images, and its loss gives the student no gradient. */
static void test_fake_gradient(void **state) {
  (void)state;
  struct setting s;
  begin(&s, "vsd", ROWS, false, (const char *const[][2]){{"mid_share", "0.5"}, {NULL, NULL}});
  struct few_loss *l = &s.loss;
  s.def->build_fake(l, s.opts);
  check_differences(&s, l->term[0].value, l->term[0].value, NULL, &s.params[FEW_FAKE], "fake:");
  few_node p[MAX_P], grad[MAX_P];
  static char names[MAX_P][160];
  const int n = params_of(&s, &s.params[FEW_STUDENT], "student:", p, names);
  assert_ok(s.ctx, few_grad(grad, s.g, l->term[0].value, n, p));
  for (int i = 0; i < n; i++) assert_int_equal(grad[i], FEW_NONE);
  end(&s);
}

static void test_adversarial_gradients(void **state) {
  (void)state;
  static const char *const kinds[] = {"logistic", "hinge"};
  for (int i = 0; i < 2; i++) {
    const char *const settings[][2] = {{"adversary", kinds[i]}, {NULL, NULL}};
    struct setting s;
    begin(&s, "adversarial", ROWS, false, settings);
    struct few_loss *l = &s.loss;
    s.def->build(l, s.opts);
    s.def->build_fake(l, s.opts);
    const few_node student = l->term[0].value, fake = l->term[1].value;
    check_differences(&s, student, student, NULL, &s.params[FEW_STUDENT], "student:");
    check_differences(&s, fake, fake, NULL, &s.params[FEW_FAKE], "fake:");
    check_differences(&s, fake, fake, NULL, &s.fake_head, "fakehead:");
    end(&s);
  }
}

/* At d = 0 the losses are ln 2 and 2 ln 2, and the student's slope in d is -1/2. */
static void test_adversarial_begins_undecided(void **state) {
  (void)state;
  struct setting s;
  begin(&s, "adversarial", ROWS, false, (const char *const[][2]){{NULL, NULL}});
  s.zero_head = true;
  struct few_loss *l = &s.loss;
  s.def->build(l, s.opts);
  s.def->build_fake(l, s.opts);
  few_node b = few_param(s.g, "fakehead:discriminator.out.b", FEW_SHAPE(1)), slope;
  assert_ok(s.ctx, few_grad(&slope, s.g, l->term[0].value, 1, &b));
  double **v = replay(&s, 3, (few_node[]){l->term[0].value, l->term[1].value, slope});
  assert_close(v[0][0], log(2.0), 1e-15);
  assert_close(v[1][0], 2 * log(2.0), 1e-15);
  assert_close(v[2][0], -0.5, 1e-15);
  free_rooms(3, v);
  end(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_step_size),
      cmocka_unit_test(test_divergence_weights),
      cmocka_unit_test(test_divergence_gradient),
      cmocka_unit_test(test_divergence_of_rows),
      cmocka_unit_test(test_vsd_is_the_gradient_of_kl),
      cmocka_unit_test(test_sid_is_the_fisher_divergence),
      cmocka_unit_test(test_vsd_gradient),
      cmocka_unit_test(test_start_has_no_dropout),
      cmocka_unit_test(test_sid_gradient),
      cmocka_unit_test(test_fake_gradient),
      cmocka_unit_test(test_adversarial_gradients),
      cmocka_unit_test(test_adversarial_begins_undecided),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
