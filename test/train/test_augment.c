/* Training with EDM's augmentation: the rows have the labels of their images, and samples show no
 * trace of it. */
#include "once.h"
#include "testing.h"

#include "few/data.h"
#include "few/sample.h"
#include "few/train.h"
#include "train/rows.h"
#include "updates.h"

enum { SIDE = 4, SIZE = SIDE * SIDE, N = 6 };

/* Images that are bright on their left half, of two classes. */
static few_data *bright_left(few_ctx *ctx) {
  static uint8_t pixels[N * SIZE];
  static const int32_t labels[N] = {0, 1, 0, 1, 0, 1};
  struct few_data_memory m = FEW_DATA_MEMORY_INIT;
  few_data *d;
  for (int i = 0; i < N * SIZE; i++)
    pixels[i] = (uint8_t)(i % SIDE < SIDE / 2 ? 200 + 9 * (i / SIZE) : 10 * (i / SIZE));
  m.n = N;
  m.h = m.w = SIDE;
  m.pixels = pixels;
  m.labels = labels;
  assert_ok(ctx, few_data_create(&d, ctx, &m, NULL));
  return d;
}

static few_model *train(few_ctx *ctx, const few_data *data, const char *const *settings) {
  struct few_train_opts o = FEW_TRAIN_OPTS_INIT;
  few_trainer *t;
  few_model *m;
  o.text =
      "net = mlp\nwidth = 64\nlayers = 3\nembedding = 32\nbatch = 64\nshards = 2\n"
      "steps = 500\nlr = 3e-3\nlr_shape = cosine\nema = 2000\n";
  while (settings[o.n_overrides]) o.n_overrides++;
  o.overrides = (const char **)(uintptr_t)settings;
  o.data = data;
  assert_ok(ctx, few_trainer_open(&t, ctx, &o));
  while (!few_trainer_done(t)) assert_ok(ctx, few_trainer_step(t));
  assert_ok(ctx, few_trainer_model(&m, t));
  few_trainer_close(t);
  return m;
}

/* The share of samples that are darker on the left. */
static double mirrored(few_ctx *ctx, few_model *m) {
  enum { SAMPLES = 256 };
  static float x[SAMPLES * SIZE];
  struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
  int n = 0;
  o.n = SAMPLES;
  o.steps = 12;
  assert_ok(ctx, once_sample(m, &o, x, NULL, NULL));
  for (int i = 0; i < SAMPLES; i++) {
    double sum = 0;
    for (int k = 0; k < SIZE; k++) sum += (double)x[i * SIZE + k] * (k % SIDE < SIDE / 2 ? 1 : -1);
    n += sum < 0;
  }
  return (double)n / SAMPLES;
}

/* Half of the images in training are mirrored. With labels, none of the samples is; without, half
 * of them are. */
static void test_does_not_leak(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  few_data *d = bright_left(ctx);
  static const char *const labelled[] = {"augment=0.5",
                                         "augment_yflip=0",
                                         "augment_scale=0",
                                         "augment_rotate_frac=0",
                                         "augment_aniso=0",
                                         "augment_translate_frac=0",
                                         NULL};
  static const char *const flipped[] = {"flip=yes", NULL};
  few_model *with = train(ctx, d, labelled), *without = train(ctx, d, flipped);
  const double leaked = mirrored(ctx, with), other = mirrored(ctx, without);
  printf("mirrored samples: %.3f with labels, %.3f without\n", leaked, other);
  assert_true(leaked < 0.01);
  assert_true(other > 0.3 && other < 0.7); /* 0.5 +- 0.03, and a network that is not exact */
  few_model_free(with);
  few_model_free(without);
  few_data_free(d);
  few_ctx_free(ctx);
}

/* Images and labels of a row are those of one place of the stream. */
static void test_rows(void **state) {
  (void)state;
  enum { BATCH = 12, PART = 4 };
  static const char *const settings[] = {"net=mlp", "batch=12", "shards=3", "augment=0.4",
                                         "augment_rotate_int=1"};
  struct updates t = {.ctx = test_ctx()};
  struct few_train_opts o = FEW_TRAIN_OPTS_INIT;
  few_data *d = bright_left(t.ctx);
  o.n_overrides = FEW_COUNT(settings);
  o.overrides = (const char **)(uintptr_t)settings;
  o.data = d;
  assert_ok(t.ctx, few__setup_open(t.ctx, &t.setup, &o));
  const struct few_setup *s = &t.setup;
  few_model *m;
  assert_ok(t.ctx, few__model_create(t.ctx, &m, s->net, s->net_opts, &s->spec, 1));
  struct few_row_source source = {s, m, NULL};
  struct few_data_stream stream = FEW_DATA_STREAM_INIT;
  float want[BATCH * SIZE], x[PART * SIZE];
  float label[BATCH * FEW_AUGMENT_LABELS], got[PART * FEW_AUGMENT_LABELS];
  int32_t class[PART];
  int moved = 0;
  stream.seed = 1;
  stream.augment = s->config.keys.augment;
  stream.scale = (struct few_data_scale){m->data_mean, m->data_scale};
  for (int64_t update = 0; update < 5; update++) {
    assert_ok(t.ctx, few_data_fill(want, NULL, d, &stream, update * BATCH, BATCH));
    assert_ok(t.ctx, few_data_fill_augment(label, d, &stream, update * BATCH, BATCH));
    for (int first = 0; first < BATCH; first += PART) {
      const struct few_rows rows = {
          .update = update, .first = first, .rows = PART, .x = x, .label = class, .augment = got};
      few__rows_fill(&source, &rows);
      assert_memory_equal(x, want + first * SIZE, sizeof x);
      assert_memory_equal(got, label + first * FEW_AUGMENT_LABELS, sizeof got);
    }
    for (int i = 0; i < FEW_COUNT(label); i++) moved += label[i] != 0;
  }
  assert_true(moved > 20);
  few_model_free(m);
  few__setup_close(t.ctx, &t.setup);
  few_data_free(d);
  few_ctx_free(t.ctx);
}

/* The labels reach every network of every objective that can be trained with them: the student's
 * layer for them gets a gradient, and labels of other values change the loss. */
static void test_objectives(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  few_data *d = bright_left(ctx);
  char dir[] = "/tmp/few-augment-XXXXXX", teacher[64], clean[64];
  assert_non_null(mkdtemp(dir));
  snprintf(teacher, sizeof teacher, "%s/teacher.safetensors", dir);
  static const char *const first[] = {"augment=0.5", "steps=60", "ema=0", NULL};
  few_model *m = train(ctx, d, first);
  assert_ok(ctx, few_model_save(m, teacher));
  few_model_free(m);
  char named[80];
  snprintf(named, sizeof named, "teacher=%s", teacher);
  int n = 0;
  for (int i = 0; i < few__objective_count(ctx); i++) {
    const struct few_objective_def *def = few__objective_at(ctx, i);
    char objective[64];
    snprintf(objective, sizeof objective, "objective=%s", def->name);
    const char *const settings[] = {objective, named, "augment=0.5", "steps=16", "ema=0", NULL};
    if (!def->augments) continue;
    m = train(ctx, d, settings);
    const int row = few__params_find(&m->params, "cond.augment.w");
    assert_true(row >= 0);
    few_model *start;
    assert_ok(ctx, few_model_load(&start, ctx, teacher));
    const float *a = m->values + m->params.at[row].offset;
    const float *b = start->values + m->params.at[row].offset;
    double change = 0;
    for (int64_t k = 0; k < few_shape_count(m->params.at[row].shape); k++)
      change += fabs((double)(a[k] - b[k]));
    if (!(change > 0)) fail_msg("%s: its labels have no gradient", def->name);
    few_model_free(start);
    few_model_free(m);
    n++;
  }
  assert_true(n >= 13);
  snprintf(clean, sizeof clean, "rm -r %s", dir);
  assert_int_equal(system(clean), 0);
  few_data_free(d);
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_does_not_leak),
      cmocka_unit_test(test_rows),
      cmocka_unit_test(test_objectives),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
