/* EDM's augmentation: images against closed forms and against augment_reference.py, labels against
 * their formulas, and rows that depend on nothing but their place in the stream. */
#include "files.h"

#include "data/augment.h"
#include "io/safetensors.h"

enum { SIDE = 24, C = 3, SIZE = SIDE * SIDE * C };
static const double pi = 3.141592653589793;
static const struct few_data_scale bytes = {-1, 127.5}; /* values of a row are bytes again */
/* Sums of at most 13^2 products of bytes, and one rounding to f32. */
static const double rounding = 255 * 0x1p-23;

static few_data *set_of(few_ctx *ctx, const uint8_t *pixels, int n, int h, int w, int c) {
  struct few_data_memory m = FEW_DATA_MEMORY_INIT;
  few_data *d = NULL;
  m.n = n;
  m.h = h;
  m.w = w;
  m.c = c;
  m.pixels = pixels;
  assert_ok(ctx, few_data_create(&d, ctx, &m, NULL));
  return d;
}

/* Different bytes everywhere. */
static few_data *noise_of(few_ctx *ctx, uint8_t *pixels, int n, int h, int w) {
  for (int i = 0; i < n * h * w * C; i++) pixels[i] = (uint8_t)(((unsigned)i * 2654435761u) >> 24);
  return set_of(ctx, pixels, n, h, w, C);
}

static void move(float *out, const few_data *d, const struct few_augment *a,
                 const struct few_augment_opts *o) {
  struct few_warp warp;
  (void)few__augment_warp(&warp, a, d, o);
  few__warp(d, 0, &warp, &bytes, 0, out);
}

static const struct few_augment_opts usual = FEW_AUGMENT_OPTS_INIT;

/* ---- The filter ---- */

/* A filter with these properties is one of few: 12 numbers, 12 equations. */
static void test_filter_is_sym6(void **state) {
  (void)state;
  const double *h = few__warp_filter;
  double sum = 0;
  for (int k = 0; k < 12; k++) sum += h[k];
  assert_close(sum, sqrt(2), 1e-11);
  for (int d = 0; d < 6; d++) {
    double product = 0, moment = 0, size = 0;
    for (int k = 0; k + 2 * d < 12; k++) product += h[k] * h[k + 2 * d];
    assert_close(product, d == 0, 1e-11);
    for (int k = 0; k < 12; k++) moment += (k % 2 ? -1 : 1) * pow(k, d) * h[k];
    for (int k = 0; k < 12; k++) size += pow(k, d) * fabs(h[k]);
    assert_close(moment / size, 0, 1e-11);
  }
}

/* ---- Pixels ---- */

/* The image that is at (y, x) what the other is at the place that `from` computes. */
#define ASSERT_PIXELS(out, pixels, H, W, from_y, from_x)                                    \
  for (int y = 0; y < (H); y++)                                                             \
    for (int x = 0; x < (W); x++)                                                           \
      for (int c = 0; c < C; c++)                                                           \
  assert_close((out)[(y * (W) + x) * C + c], (pixels)[((from_y) * (W) + (from_x)) * C + c], \
               rounding)

static void test_flips_and_turns(void **state) {
  const struct files *f = *state;
  uint8_t pixels[SIZE];
  float out[SIZE];
  few_data *d = noise_of(f->ctx, pixels, 1, SIDE, SIDE);
  struct few_augment a = {.flip_x = true};
  move(out, d, &a, &usual);
  ASSERT_PIXELS(out, pixels, SIDE, SIDE, y, SIDE - 1 - x);
  a = (struct few_augment){.flip_y = true};
  move(out, d, &a, &usual);
  ASSERT_PIXELS(out, pixels, SIDE, SIDE, SIDE - 1 - y, x);
  a = (struct few_augment){.turns = 1}; /* the right column is the top row */
  move(out, d, &a, &usual);
  ASSERT_PIXELS(out, pixels, SIDE, SIDE, x, SIDE - 1 - y);
  a = (struct few_augment){.turns = 2};
  move(out, d, &a, &usual);
  ASSERT_PIXELS(out, pixels, SIDE, SIDE, SIDE - 1 - y, SIDE - 1 - x);
  a = (struct few_augment){.turns = 3};
  move(out, d, &a, &usual);
  ASSERT_PIXELS(out, pixels, SIDE, SIDE, SIDE - 1 - x, y);
  a = (struct few_augment){.flip_x = true, .turns = 1}; /* the flip comes first */
  move(out, d, &a, &usual);
  ASSERT_PIXELS(out, pixels, SIDE, SIDE, x, y);
  few_data_free(d);
}

/* Doing it twice, or four times, gives back the image to the bit. */
static void test_again_is_the_identity(void **state) {
  const struct files *f = *state;
  static const struct {
    struct few_augment a;
    int times;
  } cases[] = {{{.flip_x = true}, 2},
               {{.flip_y = true}, 2},
               {{.turns = 2}, 2},
               {{.turns = 1}, 4},
               {{.turns = 3}, 4}};
  uint8_t pixels[SIZE], now[SIZE];
  float out[SIZE];
  few_data_free(noise_of(f->ctx, pixels, 1, SIDE, SIDE));
  for (int i = 0; i < FEW_COUNT(cases); i++) {
    memcpy(now, pixels, sizeof now);
    for (int k = 0; k < cases[i].times; k++) {
      few_data *d = set_of(f->ctx, now, 1, SIDE, SIDE, C);
      move(out, d, &cases[i].a, &usual);
      few_data_free(d);
      for (int j = 0; j < SIZE; j++) now[j] = (uint8_t)lrintf(out[j]);
      assert_int_equal(!memcmp(now, pixels, sizeof now), k + 1 == cases[i].times);
    }
  }
}

/* The image is mirrored at the centres of its outermost pixels: .. 2 1 0 1 2 .. */
static int mirror(int i, int n) {
  while (i < 0 || i >= n) i = i < 0 ? -i : 2 * n - 2 - i;
  return i;
}

static void test_shift_by_pixels(void **state) {
  const struct files *f = *state;
  enum { H = 9, W = 14 };
  uint8_t pixels[H * W * C];
  float out[H * W * C];
  few_data *d = noise_of(f->ctx, pixels, 1, H, W);
  for (int right = -W; right <= W; right += 3)
    for (int up = -H; up <= H; up++) {
      const struct few_augment a = {.right = right, .up = up};
      move(out, d, &a, &usual);
      ASSERT_PIXELS(out, pixels, H, W, mirror(y + up, H), mirror(x - right, W));
      /* By the affine map the same shift is as exact, as the filter is orthogonal. */
      const struct few_augment b = {.move = {right / (0.125 * W), -up / (0.125 * H)}};
      move(out, d, &b, &usual);
      ASSERT_PIXELS(out, pixels, H, W, mirror(y + up, H), mirror(x - right, W));
    }
  few_data_free(d);
}

/* An axis along which the affine map reads backwards gets the filter h twice in one direction:
 * e[d] = sum_k h[k] h[10 - k + 2 d]. */
static double twice_filtered(const uint8_t *at, int i, int n, int stride) {
  double sum = 0;
  for (int shift = -6; shift <= 6; shift++) {
    double e = 0;
    for (int k = 0; k < 12; k++) {
      const int other = 10 - k + 2 * shift;
      if (other >= 0 && other < 12) e += few__warp_filter[k] * few__warp_filter[other];
    }
    sum += e * at[mirror(i - shift, n) * stride];
  }
  return sum;
}

static void test_quarter_turn_by_the_map(void **state) {
  const struct files *f = *state;
  uint8_t pixels[SIZE];
  float out[SIZE];
  few_data *d = noise_of(f->ctx, pixels, 1, SIDE, SIDE);
  const struct few_augment a = {.angle = pi / 2};
  move(out, d, &a, &usual);
  for (int y = 0; y < SIDE; y++)
    for (int x = 0; x < SIDE; x++)
      for (int c = 0; c < C; c++)
        assert_close(out[(y * SIDE + x) * C + c],
                     twice_filtered(pixels + x * SIDE * C + c, SIDE - 1 - y, SIDE, C),
                     /* the angle is rounded: so are places, by 1e-15 of a pixel */
                     rounding + 1e-9);
  few_data_free(d);
}

/* ---- Waves ---- */

struct response {     /* of one change of size, at a frequency per pixel of the enlarged image */
  double pass, other; /* |H/sqrt2 - 1| here, |H/sqrt2| at the other frequency, pi away */
};

static struct response response(double theta) {
  double re[2] = {0}, im[2] = {0};
  for (int k = 0; k < 12; k++)
    for (int other = 0; other < 2; other++) {
      re[other] += few__warp_filter[k] / sqrt(2) * cos((theta + other * pi) * (k - 5));
      im[other] += few__warp_filter[k] / sqrt(2) * sin((theta + other * pi) * (k - 5));
    }
  return (struct response){hypot(re[0] - 1, im[0]), hypot(re[1], im[1])};
}

/* cos(w x) of the size 2^z, in the middle of the image: the error is at most that of both changes
 * of size and of linear interpolation (theta^2/8 for a wave of frequency theta). */
static void check_wave(few_ctx *ctx, double wave, double z) {
  enum { W = 96, REACH = 14 };
  static uint8_t pixels[W * W];
  static float out[W * W];
  const double middle = (W - 1) / 2.0, size = exp2(usual.scale_std * z);
  for (int y = 0; y < W; y++)
    for (int x = 0; x < W; x++)
      pixels[y * W + x] = (uint8_t)lrint(127.5 + 100 * cos(wave * (x - middle)));
  few_data *d = set_of(ctx, pixels, 1, W, W, 1);
  const struct few_augment a = {.scale = z};
  move(out, d, &a, &usual);
  const struct response up = response(wave / 2), down = response(wave / size / 2);
  const double bend = wave * wave / 32, filters = up.pass + up.other + down.pass;
  /* the bytes are rounded by 1/2, and the filters add up to 1.8 times as much along an axis */
  const double bound = 100 * (filters + 2 * bend) + 0.5 * 1.8 * 1.8 * 1.8 * 1.8;
  double most = 0;
  for (int x = W / 2 - REACH; x < W / 2 + REACH; x++) {
    const double want = 127.5 + 100 * cos(wave / size * (x - middle));
    most = fmax(most, fabs((double)out[W / 2 * W + x] - want));
  }
  if (!(most <= bound)) fail_msg("wave %g, z %g: error %g > %g", wave, z, most, bound);
  assert_true(bound < 20); /* of 255: the bound says something */
  few_data_free(d);
}

static void test_size_of_a_wave(void **state) {
  const struct files *f = *state;
  for (int i = 1; i <= 6; i++)
    for (int k = -4; k <= 4; k++) check_wave(f->ctx, i / 10.0, k / 2.0);
}

static void test_grey_stays_grey(void **state) {
  const struct files *f = *state;
  uint8_t pixels[SIZE];
  float out[SIZE];
  memset(pixels, 77, sizeof pixels);
  few_data *d = set_of(f->ctx, pixels, 1, SIDE, SIDE, C);
  const struct few_augment a = {
      .scale = -3, .angle = 1, .stretch = 2, .stretch_angle = 2, .move = {5, -9}};
  move(out, d, &a, &usual);
  for (int i = 0; i < SIZE; i++) assert_close(out[i], 77, rounding);
  few_data_free(d);
}

/* The smallest images have no other pixels to mirror. */
static void test_one_pixel(void **state) {
  const struct files *f = *state;
  const uint8_t pixels[] = {1, 2, 3};
  float out[3];
  few_data *d = set_of(f->ctx, pixels, 1, 1, 1, 3);
  const struct few_augment a = {.angle = 1, .right = 3, .up = -2, .turns = 1};
  move(out, d, &a, &usual);
  for (int c = 0; c < 3; c++) assert_close(out[c], c + 1, rounding);
  few_data_free(d);
}

/* ---- Against the reference ---- */

static void test_golden(void **state) {
  const struct files *f = *state;
  struct few_st st;
  assert_ok(f->ctx,
            few__st_read(f->ctx, &st, FEW_TEST_DIR "/data/data/augment.safetensors", 1 << 20));
  const struct few_st_tensor *image = few__st_find(&st, "image"), *what = few__st_find(&st, "what"),
                             *moved = few__st_find(&st, "moved");
  assert_true(image && what && moved);
  const int h = (int)image->dim[0], w = (int)image->dim[1];
  uint8_t pixels[12 * 12 * C];
  float out[12 * 12 * C];
  assert_int_equal(image->count, sizeof pixels);
  for (int i = 0; i < image->count; i++)
    pixels[i] = (uint8_t)((const float *)(const void *)image->data)[i];
  few_data *d = set_of(f->ctx, pixels, 1, h, w, C);
  for (int64_t k = 0; k < what->dim[0]; k++) {
    const float *v = (const float *)(const void *)what->data + k * what->dim[1];
    const float *want = (const float *)(const void *)moved->data + k * image->count;
    const struct few_augment a = {.turns = (int)v[0],
                                  .flip_x = v[1] != 0,
                                  .flip_y = v[2] != 0,
                                  .right = lrintf(v[3]),
                                  .up = lrintf(v[4]),
                                  .scale = (double)v[5],
                                  .angle = (double)v[6],
                                  .stretch = (double)v[7],
                                  .stretch_angle = (double)v[8],
                                  .move = {(double)v[9], (double)v[10]}};
    move(out, d, &a, &usual);
    for (int i = 0; i < image->count; i++)
      if (!(fabs((double)out[i] - (double)want[i]) <= 2 * rounding))
        fail_msg("case %d, value %d: %g, not %g", (int)k, i, (double)out[i], (double)want[i]);
  }
  few_data_free(d);
  few__st_free(f->ctx, &st);
}

/* ---- Labels and rows ---- */

static struct few_data_stream stream_of(double p) {
  struct few_data_stream s = FEW_DATA_STREAM_INIT;
  s.seed = 11;
  s.augment = usual;
  s.augment.p = p;
  return s;
}

static void test_labels_are_the_parameters(void **state) {
  const struct files *f = *state;
  uint8_t pixels[SIZE];
  float label[FEW_AUGMENT_LABELS];
  few_data *d = noise_of(f->ctx, pixels, 1, SIDE, SIDE);
  const struct few_augment a = {.flip_x = true,
                                .flip_y = true,
                                .turns = 3,
                                .right = 2,
                                .up = -1,
                                .scale = 0.5,
                                .angle = 2,
                                .stretch = -1.5,
                                .stretch_angle = -0.7,
                                .move = {0.25, -2}};
  few__augment_label(label, &a, d, &usual);
  const double want[] = {1,
                         1,
                         0,
                         1,
                         2 / (0.125 * SIDE),
                         -1 / (0.125 * SIDE),
                         0.5,
                         cos(2.0) - 1,
                         sin(2.0),
                         -1.5 * cos(-0.7),
                         -1.5 * sin(-0.7),
                         0.25,
                         -2};
  for (int i = 0; i < FEW_AUGMENT_LABELS; i++) assert_close(label[i], want[i], 2 * 0x1p-24);
  const struct few_augment none = {0};
  few__augment_label(label, &none, d, &usual);
  for (int i = 0; i < FEW_AUGMENT_LABELS; i++) assert_close(label[i], 0, 0);
  few_data_free(d);
}

/* The share of rows with a parameter that is not 0, and its mean square, which is `square` there. */
static void check_label(const float *label, int rows, int which, double share, double square) {
  double n = 0, sum = 0, squares = 0;
  for (int i = 0; i < rows; i++) {
    const double v = label[i * FEW_AUGMENT_LABELS + which];
    n += v != 0;
    sum += v;
    squares += v * v;
  }
  const double noise = 5 * sqrt(share * (1 - share) * rows);
  if (!(fabs(n - share * rows) <= noise)) fail_msg("label %d: %g of %d", which, n, rows);
  if (share > 0) assert_close(squares / n, square, 5 * sqrt(2 * square * square / n) + 1e-12);
  if (share == 0) assert_close(sum, 0, 0);
}

static void test_shares_of_labels(void **state) {
  const struct files *f = *state;
  enum { ROWS = 20000 };
  uint8_t pixels[SIZE];
  few_data *d = noise_of(f->ctx, pixels, 1, SIDE, SIDE);
  float *label = malloc(sizeof *label * ROWS * FEW_AUGMENT_LABELS);
  const struct few_data_stream s = stream_of(0.12);
  assert_ok(f->ctx, few_data_fill_augment(label, d, &s, 0, ROWS));
  check_label(label, ROWS, FEW_AUGMENT_XFLIP, 0.5, 1);
  check_label(label, ROWS, FEW_AUGMENT_YFLIP, 0.06, 1);
  for (int i = FEW_AUGMENT_TURN_X; i <= FEW_AUGMENT_SHIFT_UP; i++)
    check_label(label, ROWS, i, 0, 0);
  check_label(label, ROWS, FEW_AUGMENT_SIZE, 0.12, 1);
  check_label(label, ROWS, FEW_AUGMENT_COS, 0.12, 1.5); /* (cos a - 1)^2 */
  check_label(label, ROWS, FEW_AUGMENT_SIN, 0.12, 0.5);
  check_label(label, ROWS, FEW_AUGMENT_STRETCH_COS, 0.12, 0.75); /* half of them with cos r = 1 */
  check_label(label, ROWS, FEW_AUGMENT_STRETCH_SIN, 0.06, 0.5);
  check_label(label, ROWS, FEW_AUGMENT_MOVE_RIGHT, 0.12, 1);
  check_label(label, ROWS, FEW_AUGMENT_MOVE_DOWN, 0.12, 1);
  free(label);
  few_data_free(d);
}

static void test_shares_of_whole_pixels(void **state) {
  const struct files *f = *state;
  enum { ROWS = 20000 };
  uint8_t pixels[SIZE];
  few_data *d = noise_of(f->ctx, pixels, 1, SIDE, SIDE);
  float *label = malloc(sizeof *label * ROWS * FEW_AUGMENT_LABELS);
  struct few_data_stream s = stream_of(0.5);
  s.augment = (struct few_augment_opts){
      .p = 0.5, .rotate_int = 1, .translate_int = 0.5, .translate_int_max = 0.125};
  assert_ok(f->ctx, few_data_fill_augment(label, d, &s, 0, ROWS));
  check_label(label, ROWS, FEW_AUGMENT_XFLIP, 0, 0);
  check_label(label, ROWS, FEW_AUGMENT_TURN_X, 0.25, 1);
  check_label(label, ROWS, FEW_AUGMENT_TURN_Y, 0.25, 1);
  /* -3 .. 3 pixels of 24: 0 with 1/6, 1 and 2 with 2/6, 3 with 1/6 */
  const double square = (2.0 * 1 / 9 + 2.0 * 4 / 9 + 1) / 5;
  check_label(label, ROWS, FEW_AUGMENT_SHIFT_RIGHT, 0.25 * 5 / 6, square);
  check_label(label, ROWS, FEW_AUGMENT_SHIFT_UP, 0.25 * 5 / 6, square);
  free(label);
  few_data_free(d);
}

static bool equal(const float *a, const float *b, int n) {
  for (int i = 0; i < n; i++)
    if (a[i] != b[i]) return false;
  return true;
}

/* Labels are 0 if and only if the image is that of the set. A row depends on its place alone. */
static void test_rows(void **state) {
  const struct files *f = *state;
  enum { ROWS = 200, N = 7 };
  static uint8_t pixels[N * SIZE];
  static float x[ROWS * SIZE], plain[ROWS * SIZE], row[SIZE];
  float label[ROWS * FEW_AUGMENT_LABELS], one[FEW_AUGMENT_LABELS];
  static const float none[FEW_AUGMENT_LABELS];
  few_data *d = noise_of(f->ctx, pixels, N, SIDE, SIDE);
  const struct few_data_stream s = stream_of(0.3), without = stream_of(0);
  int moved = 0;
  assert_ok(f->ctx, few_data_fill(x, NULL, d, &s, 1000, ROWS));
  assert_ok(f->ctx, few_data_fill(plain, NULL, d, &without, 1000, ROWS));
  assert_ok(f->ctx, few_data_fill_augment(label, d, &s, 1000, ROWS));
  for (int i = 0; i < ROWS; i++) {
    const bool same = equal(x + i * SIZE, plain + i * SIZE, SIZE);
    assert_int_equal(same, equal(label + i * FEW_AUGMENT_LABELS, none, FEW_AUGMENT_LABELS));
    moved += !same;
    assert_ok(f->ctx, few_data_fill(row, NULL, d, &s, 1000 + i, 1));
    assert_memory_equal(row, x + i * SIZE, sizeof row);
    assert_ok(f->ctx, few_data_fill_augment(one, d, &s, 1000 + i, 1));
    assert_memory_equal(one, label + i * FEW_AUGMENT_LABELS, sizeof one);
  }
  /* not moved: no flip (1/2), no flip (1 - p/2), none of the four maps */
  const double share = 1 - 0.5 * 0.85 * pow(0.7, 4);
  assert_close(moved, share * ROWS, 5 * sqrt(share * (1 - share) * ROWS));
  few_data_free(d);
}

/* p = 0 gives the rows that the stream had before, and `flip` mirrors before all else. */
static void test_without_augmentation(void **state) {
  const struct files *f = *state;
  enum { ROWS = 50, N = 7 };
  static uint8_t pixels[N * SIZE];
  static float a[ROWS * SIZE], b[ROWS * SIZE];
  float label[ROWS * FEW_AUGMENT_LABELS];
  few_data *d = noise_of(f->ctx, pixels, N, SIDE, SIDE);
  struct few_data_stream s = stream_of(0), t = stream_of(1e-9);
  s.augment.rotate_int = s.augment.scale_std = 1e99; /* not read */
  t.augment.xflip = 0;
  s.flip = t.flip = true;
  assert_ok(f->ctx, few_data_fill(a, NULL, d, &s, 0, ROWS));
  assert_ok(f->ctx, few_data_fill(b, NULL, d, &t, 0, ROWS)); /* p so small that nothing is done */
  assert_memory_equal(a, b, sizeof a);
  assert_ok(f->ctx, few_data_fill_augment(label, d, &t, 0, ROWS));
  for (int i = 0; i < FEW_COUNT(label); i++) assert_close(label[i], 0, 0);
  few_data_free(d);
}

/* ---- What is refused ---- */

static void refused(const struct files *f, few_data *d, const struct few_augment_opts *o,
                    const char *words) {
  static float x[2 * SIZE];
  struct few_data_stream s = FEW_DATA_STREAM_INIT;
  s.augment = *o;
  assert_int_equal(few_data_fill(x, NULL, d, &s, 0, 1), FEW_E_INVALID);
  if (!strstr(few_error(f->ctx), words)) fail_msg("%s", few_error(f->ctx));
  assert_int_equal(few_data_fill_augment(x, d, &s, 0, 1), FEW_E_INVALID);
}

static void test_refused(void **state) {
  const struct files *f = *state;
  uint8_t pixels[SIZE];
  const float points[] = {0, 1, 2, 3};
  struct few_data_memory m = FEW_DATA_MEMORY_INIT;
  few_data *d = noise_of(f->ctx, pixels, 1, SIDE, SIDE / 2), *toy = NULL;
  m.n = m.c = 2;
  m.points = points;
  assert_ok(f->ctx, few_data_create(&toy, f->ctx, &m, NULL));
  struct few_augment_opts o = usual;
  o.p = 0.1;
  refused(f, toy, &o, "only images are augmented");
  o.rotate_int = 1;
  refused(f, d, &o, "only square images");
  o.rotate_int = 0;
  o.p = NAN;
  refused(f, d, &o, "augment nan: give a number from 0 to 1");
  o.p = 1.5;
  refused(f, d, &o, "augment 1.5");
  o.p = 0.5;
  o.aniso = -1;
  refused(f, d, &o, "augment_aniso -1");
  o.aniso = 1;
  o.scale_std = INFINITY;
  refused(f, d, &o, "augment_scale_std inf");
  few_data_free(d);
  few_data_free(toy);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, files_setup, files_teardown)
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_filter_is_sym6),
      TEST(test_flips_and_turns),
      TEST(test_again_is_the_identity),
      TEST(test_shift_by_pixels),
      TEST(test_quarter_turn_by_the_map),
      TEST(test_size_of_a_wave),
      TEST(test_grey_stays_grey),
      TEST(test_one_pixel),
      TEST(test_golden),
      TEST(test_labels_are_the_parameters),
      TEST(test_shares_of_labels),
      TEST(test_shares_of_whole_pixels),
      TEST(test_rows),
      TEST(test_without_augmentation),
      TEST(test_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
