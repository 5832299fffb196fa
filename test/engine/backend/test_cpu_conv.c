/* Convolutions of the CPU backend and their transposes against ref's f64. */
#include "cpu_test.h"

struct layer {
  int64_t n, h, w, ci, co, k, stride, pad;
};

static int64_t out_of(const struct layer *l, int64_t size) {
  return (size + 2 * l->pad - l->k) / l->stride + 1;
}

enum { X, W, Y };

static struct few_shape shape_of(const struct layer *l, int which) {
  if (which == X) return FEW_SHAPE(l->n, l->h, l->w, l->ci);
  if (which == W) return FEW_SHAPE(l->k, l->k, l->ci, l->co);
  return FEW_SHAPE(l->n, out_of(l, l->h), out_of(l, l->w), l->co);
}

/* The op that computes x, w or y of a layer from the other two of t[]. */
static struct op_call call_for(const struct layer *l, int which, double *const t[3]) {
  static const few_op op[] = {FEW_OP_CONV_DX, FEW_OP_CONV_DW, FEW_OP_CONV};
  static const int in[][2] = {{Y, W}, {X, Y}, {X, W}};
  struct op_call c = {op[which], .attr.conv = {(int)l->stride, (int)l->pad, 0, 0}, .n_in = 2};
  c.out = shape_of(l, which);
  for (int i = 0; i < 2; i++) {
    c.shape[i] = shape_of(l, in[which][i]);
    c.in[i] = t[in[which][i]];
  }
  return c;
}

static void tensors_new(const struct layer *l, double *t[3]) {
  for (int i = 0; i < 3; i++) t[i] = random_array((uint64_t)(11 + i), count_of(shape_of(l, i)));
}

static void tensors_free(double *t[3]) {
  for (int i = 0; i < 3; i++) free(t[i]);
}

/* The largest number of terms in an element of x, w or y. */
static int64_t terms_of(const struct layer *l, int which) {
  if (which == W) return l->n * out_of(l, l->h) * out_of(l, l->w);
  return l->k * l->k * (which == X ? l->co : l->ci);
}

/* ---- Algorithms other than Winograd's: at most 2 roundings per term ---- */

static void check_general(struct layer l) {
  double *t[3], *absolute[3];
  tensors_new(&l, t);
  tensors_new(&l, absolute);
  for (int i = 0; i < 3; i++)
    for (int64_t j = 0; j < count_of(shape_of(&l, i)); j++) absolute[i][j] = fabs(t[i][j]);
  for (int which = 0; which < 3; which++) {
    const struct op_call c = call_for(&l, which, t), m = call_for(&l, which, absolute);
    double *y = apply(&c), *magnitude = apply(&m);
    check_cpu(&c, y, magnitude, (double)terms_of(&l, which) + 1);
    free(y);
    free(magnitude);
  }
  tensors_free(t);
  tensors_free(absolute);
}

static void test_general(void **state) {
  (void)state;
  static const int64_t kernels[][3] = {{1, 1, 0}, {1, 2, 0}, {2, 2, 0}, {3, 1, 0}, {3, 1, 2},
                                       {3, 2, 1}, {3, 3, 1}, {4, 4, 0}, {5, 1, 2}, {5, 2, 4},
                                       {7, 2, 3}, {2, 1, 1}, {1, 1, 1}, {2, 3, 0}};
  static const int64_t channels[][2] = {{1, 1},  {1, 64}, {3, 33}, {5, 4},  {16, 2},
                                        {33, 3}, {64, 1}, {4, 16}, {33, 32}};
  static const int64_t sizes[] = {7, 8, 5, 14};
  int i = 0;
  for (int k = 0; k < FEW_COUNT(kernels); k++)
    for (int c = 0; c < FEW_COUNT(channels); c++, i++)
      check_general((struct layer){1 + i % 3, sizes[i % 4], sizes[i / 4 % 4], channels[c][0],
                                   channels[c][1], kernels[k][0], kernels[k][1], kernels[k][2]});
}

static void test_thin(void **state) {
  (void)state;
  static const int64_t channels[] = {1, 3, 5, 16, 32, 33, 64};
  for (int i = 0; i < FEW_COUNT(channels); i++)
    for (int64_t thin = 1; thin <= 5; thin++) {
      check_general((struct layer){2, 9, 6 + thin, channels[i], thin, 3, 1, 1});
      check_general((struct layer){2, 4 + thin, 7, thin, channels[i], 3, 1, 1});
    }
  check_general((struct layer){3, 28, 28, 1, 32, 3, 1, 1});
  check_general((struct layer){3, 28, 28, 32, 1, 3, 1, 1});
}

/* ---- Winograd ---- */

/* How much the transforms (backend/cpu/winograd.h) amplify rounding errors, for independent random
 * numbers. An output is sum_f A[i,f] (G g)[f] (B d)[f]. The mean square of the terms is
 * sum_f A^2 |G_f|^2 |B_f|^2, and that of the output is the number of taps. The result is the root
 * of their ratio for one dimension, and its square for two. For a direct sum it would be 1. */
static double amplification(int outputs, int taps) {
  const double a = 0.625, b = 1.5, p = a * a, q = b * b;
  const double point[5] = {0, a, -a, b, -b};
  const double divisor[5] = {p * q, 2 * p * (p - q), 2 * p * (p - q), 2 * q * (q - p),
                             2 * q * (q - p)};
  const double input[6] = {
      p * q * p * q + (p + q) * (p + q) + 1, a * a * q * q + q * q + a * a + 1,
      a * a * q * q + q * q + a * a + 1,     b * b * p * p + p * p + b * b + 1,
      b * b * p * p + p * p + b * b + 1,     p * q * p * q + (p + q) * (p + q) + 1};
  double worst = 0;
  for (int i = 0; i < outputs; i++) {
    double sum = i == outputs - 1 ? input[5] : 0;
    for (int f = 0; f < 5; f++) {
      double filter = 0;
      for (int k = 0; k < taps; k++) filter += pow(point[f], 2 * k);
      sum += pow(point[f], 2 * i) * filter / (divisor[f] * divisor[f]) * input[f];
    }
    worst = fmax(worst, sum / taps);
  }
  return worst; /* = sqrt(.) squared */
}

/* Returns the largest relative rms error to expect. A term is rounded `terms` + 22 times in the
 * transforms and the sum (3 times per dimension for B, 4 times each for G and A), or twice as often
 * without fused multiply-adds. Roundings are independent, so their squares add. */
static double relative_rms(const struct layer *l, int which) {
  const double sums = which == W ? (double)terms_of(l, which) / 16 : (double)terms_of(l, which) / 9;
  const double rounds = sqrt(2 * (sums + 22)) * FLT_EPSILON / 2;
  return rounds * (which == W ? amplification(3, 4) : amplification(4, 3));
}

/* An element may have an error of 8 times the rms. Inputs are normal numbers, so the rms of an
 * element is the root of its number of terms. */
static void compare(const struct layer *l, int which, few_isa isa, const double *z,
                    const double *y) {
  const int64_t n = count_of(shape_of(l, which));
  const double unit = relative_rms(l, which) * sqrt((double)terms_of(l, which));
  for (int64_t k = 0; k < n; k++)
    if (!(fabs(z[k] - y[k]) <= 8 * unit))
      fail_msg("%s of [%d,%d,%d,%d] to %d on %s, element %d: %.9g, not %.9g: off by %.3g > %.3g",
               which == X   ? "dx"
               : which == W ? "dw"
                            : "conv",
               (int)l->n, (int)l->h, (int)l->w, (int)l->ci, (int)l->co, few__isa_name(isa), (int)k,
               z[k], y[k], z[k] - y[k], 8 * unit);
}

static void check_winograd(struct layer l) {
  double *t[3];
  tensors_new(&l, t);
  for (int which = 0; which < 3; which++) {
    const struct op_call c = call_for(&l, which, t);
    double *y = apply(&c);
    FOR_EACH_ISA(isa) {
      double *z = apply_cpu(isa, &c);
      compare(&l, which, isa, z, y);
      free(z);
    }
    free(y);
  }
  tensors_free(t);
}

static void test_winograd(void **state) {
  (void)state;
  static const int64_t channels[] = {8, 13, 16, 32, 33, 64};
  static const int64_t sizes[] = {1, 3, 4, 5, 7, 8, 14, 16, 28};
  int i = 0;
  for (int c = 0; c < FEW_COUNT(channels); c++)
    for (int s = 0; s < FEW_COUNT(sizes); s++, i++)
      check_winograd((struct layer){1 + i % 3, sizes[s], sizes[(s + c % 2) % FEW_COUNT(sizes)],
                                    channels[c], channels[(c + s) % FEW_COUNT(channels)], 3, 1, 1});
  check_winograd((struct layer){8, 8, 8, 128, 96, 3, 1, 1});
  check_winograd((struct layer){9, 4, 4, 300, 70, 3, 1, 1});
}

/* Sums of products of small integers are exact in floats. A direct convolution gives them exactly;
 * Winograd's transforms do not, since they have fractions. */
static void test_direct(void **state) {
  (void)state;
  struct layer l = {2, 9, 8, 24, 40, 3, 1, 1};
  double *t[3];
  tensors_new(&l, t);
  for (int i = 0; i < 3; i++)
    for (int64_t k = 0; k < count_of(shape_of(&l, i)); k++)
      t[i][k] = pick((uint64_t)i, (int)k, 7) - 3;
  for (int which = 0; which < 3; which++) {
    const struct op_call c = call_for(&l, which, t);
    const size_t bytes = (size_t)count_of(shape_of(&l, which)) * sizeof(double);
    double *y = apply(&c);
    FOR_EACH_ISA(isa) {
      double *z = apply_cpu_as(isa, &c, (struct stored){.direct = true});
      assert_memory_equal(z, y, bytes);
      free(z);
      z = apply_cpu(isa, &c);
      assert_memory_not_equal(z, y, bytes);
      free(z);
    }
    free(y);
  }
  tensors_free(t);
}

/* ---- Identities ---- */

/* <y, conv(x,w)> = <x, dx(y,w)> = <w, dw(x,y)>. The errors of elements are independent. */
static void test_adjoint(void **state) {
  (void)state;
  static const struct layer layers[] = {{2, 14, 14, 32, 48, 3, 1, 1}, {3, 7, 7, 64, 33, 3, 1, 1}};
  for (int i = 0; i < FEW_COUNT(layers); i++) {
    const struct layer *l = &layers[i];
    double *t[3], product[3], scale = 0;
    tensors_new(l, t);
    FOR_EACH_ISA(isa) {
      for (int which = 0; which < 3; which++) {
        const struct op_call c = call_for(l, which, t);
        const int64_t n = count_of(shape_of(l, which));
        double *z = apply_cpu(isa, &c);
        product[which] = inner(t[which], z, n);
        scale = fmax(scale, relative_rms(l, which) * sqrt((double)(terms_of(l, which) * n)));
        free(z);
      }
      assert_close(product[X], product[Y], 8 * scale);
      assert_close(product[W], product[Y], 8 * scale);
    }
    tensors_free(t);
  }
}

/* The bits of an image do not depend on the other images of the batch. */
static void test_image_alone(void **state) {
  (void)state;
  static const struct layer layers[] = {{5, 8, 8, 32, 40, 3, 1, 1},
                                        {5, 7, 7, 3, 40, 3, 1, 1},
                                        {3, 7, 9, 40, 3, 3, 1, 1},
                                        {3, 14, 14, 16, 40, 3, 2, 1}};
  for (int i = 0; i < FEW_COUNT(layers); i++)
    FOR_EACH_ISA(isa) for (int which = X; which <= Y; which += Y - X) {
      struct layer one = layers[i];
      double *t[3];
      tensors_new(&layers[i], t);
      const struct op_call all = call_for(&layers[i], which, t);
      double *z = apply_cpu(isa, &all);
      one.n = 1;
      for (int64_t n = 0; n < layers[i].n; n++) {
        double *image[3] = {t[X] + n * count_of(shape_of(&one, X)), t[W],
                            t[Y] + n * count_of(shape_of(&one, Y))};
        const struct op_call c = call_for(&one, which, image);
        const int64_t size = count_of(shape_of(&one, which));
        double *alone = apply_cpu(isa, &c);
        assert_memory_equal(alone, z + n * size, (size_t)size * sizeof *z);
        free(alone);
      }
      free(z);
      tensors_free(t);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_general),     cmocka_unit_test(test_thin),
      cmocka_unit_test(test_winograd),    cmocka_unit_test(test_adjoint),
      cmocka_unit_test(test_image_alone), cmocka_unit_test(test_direct),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
