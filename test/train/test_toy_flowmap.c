/* Flow maps on the ring, by every form: the distance to the exact flow in 1, 2, 4 and 8 steps. The
 * runs are short. The distance of an untrained network is 1; flow matching, and a network that
 * ignores its step size, have 1.02, 0.61 and 0.245 in 1, 2 and 4 steps. Measured with AVX-512:
 *
 *   eulerian, lagrangian, semigroup   0.356 0.137 0.079 0.102   0.235 0.175 0.122 0.128
 *                                     0.421 0.176 0.097 0.064
 *   from self: terminal, lagrangian   0.143 0.133 0.132 0.131   0.148 0.142 0.146 0.151
 *   semigroup, eulerian               0.237 0.148 0.157 0.155   0.167 0.141 0.145 0.147
 */
#include "toys.h"

struct map {
  const char *name;
  const char *settings[8];
  double most[4]; /* in 1, 2, 4, 8 steps */
  int falling;    /* the first numbers of steps, of which each is better than the one before */
};

static void train(const struct map *m, const char *recipe, const char *const *more) {
  struct toy t = toy_begin();
  const char *all[16];
  double got[4];
  int n = 0;
  while (more[n]) all[n] = more[n], n++;
  for (int i = 0; m->settings[i]; i++) all[n++] = m->settings[i];
  all[n] = NULL;
  toy_train(&t, recipe, "run", all);
  for (int i = 0; i < 4; i++) {
    struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
    o.steps = 1 << i;
    got[i] = toy_flow_distance(&t, &o);
  }
  printf("%s: %.3f %.3f %.3f %.3f sigma_d\n", m->name, got[0], got[1], got[2], got[3]);
  for (int i = 0; i < 4; i++) {
    if (!(got[i] < m->most[i])) fail_msg("%s, %d steps: at most %.3f", m->name, 1 << i, m->most[i]);
    if (i && i < m->falling && !(got[i] < got[i - 1]))
      fail_msg("%s: %d steps are worse than %d", m->name, 1 << i, 1 << (i - 1));
  }
  toy_end(&t);
}

static void test_teacher(void **state) {
  (void)state;
  static const struct map maps[] = {
      {"eulerian", {NULL}, {0.5, 0.2, 0.12, 0.15}, 3},
      {"lagrangian", {"form=lagrangian"}, {0.35, 0.25, 0.18, 0.18}, 3},
      {"semigroup", {"form=semigroup", "diagonal=0.25"}, {0.6, 0.26, 0.14, 0.1}, 4},
  };
  for (int i = 0; i < FEW_COUNT(maps); i++)
    train(&maps[i], "toy-flowmap",
          (const char *const[]){TOY_TEACHER, "steps=500", "batch=256", "shards=2", "ema=8000",
                                "preview_every=0", "tangent_warmup=100", NULL});
}

static void test_self(void **state) {
  (void)state;
  static const struct map maps[] = {
      {"terminal, self", {NULL}, {0.21, 0.2, 0.2, 0.2}, 2},
      {"lagrangian, self",
       {"form=lagrangian", "diagonal=0.5", "target=student"},
       {0.22, 0.21, 0.21, 0.22},
       1},
      {"semigroup, self",
       {"form=semigroup", "diagonal=0.5", "target=student"},
       {0.34, 0.22, 0.22, 0.22},
       2},
      {"eulerian, self",
       {"form=eulerian", "diagonal=0.25", "tangent_warmup=200"},
       {0.24, 0.21, 0.21, 0.21},
       2},
  };
  for (int i = 0; i < FEW_COUNT(maps); i++)
    train(&maps[i], "toy-flowmap-self",
          (const char *const[]){"steps=800", "batch=256", "shards=2", "width=64", "layers=3",
                                "ema=10000", "preview_every=0", NULL});
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_self), cmocka_unit_test(test_teacher)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
