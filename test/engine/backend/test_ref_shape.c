/* test_ref_shape.c - ops that move or add numbers, and the random sources. */
#include "kernel_test.h"

/* Writes the index of element k of s along each dim, in row-major order. */
static void unravel(struct few_shape s, int64_t k, int64_t *index) {
  for (int d = s.rank - 1; d >= 0; d--) {
    index[d] = k % s.dim[d];
    k /= s.dim[d];
  }
}

static int64_t ravel(struct few_shape s, const int64_t *index) {
  int64_t k = 0;
  for (int d = 0; d < s.rank; d++) k = k * s.dim[d] + index[d];
  return k;
}

static const struct {
  struct few_shape small, large;
} pairs[] = {
    {{0}, {0}},
    {{0}, {3, {2, 3, 4}}},
    {{1, {1}}, {1, {7}}},
    {{2, {3, 1}}, {2, {3, 5}}},
    {{2, {1, 5}}, {2, {3, 5}}},
    {{4, {2, 1, 1, 5}}, {4, {2, 3, 4, 5}}},
    {{4, {1, 3, 1, 5}}, {4, {2, 3, 4, 5}}},
    {{4, {2, 1, 4, 1}}, {4, {2, 3, 4, 5}}},
    {{6, {1, 3, 1, 2, 1, 2}}, {6, {2, 3, 2, 2, 3, 2}}},
    {{3, {1, 1, 3}}, {3, {0, 2, 3}}},
};

static void test_broadcast_and_sum(void **state) {
  (void)state;
  for (int p = 0; p < FEW_COUNT(pairs); p++) {
    const struct few_shape small = pairs[p].small, large = pairs[p].large;
    const int64_t n = count_of(small), m = count_of(large);
    double *x = random_array(1, n), *y = random_array(2, m), *sum = new_array(n);
    double *magnitude = new_array(n);
    const struct op_call up = {FEW_OP_BROADCAST, .out = large, .n_in = 1, .shape = {small},
                               .in = {x}};
    const struct op_call down = {FEW_OP_SUM, .out = small, .n_in = 1, .shape = {large}, .in = {y}};
    double *bx = apply(&up), *sy = apply(&down);
    for (int64_t k = 0; k < m; k++) {
      int64_t index[FEW_MAX_RANK] = {0};
      unravel(large, k, index);
      for (int d = 0; d < small.rank; d++) index[d] = small.dim[d] == 1 ? 0 : index[d];
      const int64_t to = ravel(small, index);
      assert_true(bx[k] == x[to]);
      sum[to] += y[k];
      magnitude[to] += fabs(y[k]);
    }
    for (int64_t k = 0; k < n; k++)
      assert_close(sy[k], sum[k], (double)m * DBL_EPSILON * magnitude[k]);
    check_f32_linear(&up, bx, 0);
    check_f32(&down, sy, sy, 1); /* sums are double in f32 too: one rounding at the end */
    free(x), free(y), free(sum), free(magnitude), free(bx), free(sy);
  }
}

/* 2^24 + 1 + 1 is 2^24 if it is added in floats. Added in doubles, it is exact. */
static void test_sum_is_double(void **state) {
  (void)state;
  const double x[3] = {16777216, 1, 1};
  const struct op_call c = {FEW_OP_SUM, .out = {1, {1}}, .n_in = 1, .shape = {{1, {3}}}, .in = {x}};
  double y;
  apply_as(FEW_F32, &c, &y);
  assert_true(y == 16777218);
}

static void check_transpose(struct few_shape s, const int *perm) {
  struct op_call c = {FEW_OP_TRANSPOSE, .out.rank = s.rank, .n_in = 1, .shape = {s}};
  for (int k = 0; k < s.rank; k++) {
    c.attr.transpose.perm[k] = perm[k];
    c.out.dim[k] = s.dim[perm[k]];
  }
  double *x = random_array(1, count_of(s));
  c.in[0] = x;
  double *y = apply(&c);
  for (int64_t k = 0; k < count_of(s); k++) {
    int64_t from[FEW_MAX_RANK] = {0}, to[FEW_MAX_RANK] = {0};
    unravel(s, k, from);
    for (int d = 0; d < s.rank; d++) to[d] = from[perm[d]];
    assert_true(y[ravel(c.out, to)] == x[k]);
  }
  check_f32_linear(&c, y, 0);
  free(x), free(y);
}

static void test_transpose(void **state) {
  (void)state;
  check_transpose((struct few_shape){0}, (int[]){0});
  check_transpose(FEW_SHAPE(5), (int[]){0});
  check_transpose(FEW_SHAPE(3, 4), (int[]){1, 0});
  check_transpose(FEW_SHAPE(1, 4), (int[]){1, 0});
  check_transpose(FEW_SHAPE(2, 1, 3), (int[]){2, 1, 0});
  check_transpose(FEW_SHAPE(2, 3, 4, 5), (int[]){0, 3, 1, 2});
  check_transpose(FEW_SHAPE(2, 3, 4, 5), (int[]){2, 3, 0, 1});
  check_transpose(FEW_SHAPE(2, 3, 2, 1, 3, 2), (int[]){4, 2, 5, 0, 3, 1});
}

/* Cutting x along an axis into three pieces and joining them gives x. Padding the middle piece
 * gives x with zeros in place of the other two. */
static void test_slice_concat_pad(void **state) {
  (void)state;
  const struct few_shape s = FEW_SHAPE(4, 6, 5);
  double *x = random_array(1, count_of(s));
  for (int axis = 0; axis < 3; axis++) {
    const int64_t cut[4] = {0, 1, 3, s.dim[axis]};
    struct op_call whole = {FEW_OP_CONCAT, .attr.concat = {axis}, .out = s, .n_in = 3};
    double *piece[3] = {0};
    for (int k = 0; k < 3; k++) {
      struct op_call c = {FEW_OP_SLICE, .out = s, .n_in = 1, .shape = {s}, .in = {x}};
      c.attr.slice = (struct few_attr_slice){axis, cut[k], cut[k + 1] - cut[k]};
      c.out.dim[axis] = cut[k + 1] - cut[k];
      whole.shape[k] = c.out;
      whole.in[k] = piece[k] = apply(&c);
      check_f32_linear(&c, piece[k], 0);
    }
    double *joined = apply(&whole);
    for (int64_t k = 0; k < count_of(s); k++) assert_true(joined[k] == x[k]);
    check_f32_linear(&whole, joined, 0);
    const struct op_call pad = {FEW_OP_PAD,
                                .attr.pad = {axis, cut[1], cut[3] - cut[2]},
                                .out = s,
                                .n_in = 1,
                                .shape = {whole.shape[1]},
                                .in = {piece[1]}};
    double *padded = apply(&pad);
    for (int64_t k = 0; k < count_of(s); k++) {
      int64_t index[3];
      unravel(s, k, index);
      const bool inside = cut[1] <= index[axis] && index[axis] < cut[2];
      assert_true(padded[k] == (inside ? x[k] : 0));
    }
    check_f32_linear(&pad, padded, 0);
    free(joined), free(padded);
    for (int k = 0; k < 3; k++) free(piece[k]);
  }
  free(x);
}

static void test_slice_is_where_it_says(void **state) {
  (void)state;
  const double x[6] = {0, 1, 2, 10, 11, 12};
  const struct op_call c = {FEW_OP_SLICE, .attr.slice = {1, 1, 2},    .out = FEW_SHAPE(2, 2),
                            .n_in = 1,    .shape = {FEW_SHAPE(2, 3)}, .in = {x}};
  double *y = apply(&c);
  assert_true(y[0] == 1 && y[1] == 2 && y[2] == 11 && y[3] == 12);
  free(y);
}

static void test_onehot(void **state) {
  (void)state;
  const int32_t index[6] = {0, 2, -1, 3, INT32_MAX, INT32_MIN};
  const struct op_call c = {FEW_OP_ONEHOT, .attr.onehot = {3},      .out = FEW_SHAPE(6, 3),
                            .n_in = 1,     .shape = {FEW_SHAPE(6)}, .index = index};
  for (int type = 0; type < 2; type++) {
    double y[18];
    apply_as((few_real)type, &c, y);
    for (int k = 0; k < 18; k++) assert_true(y[k] == (k == 0 || k == 5));
  }
}

/* Row 3 of a batch that begins at 0 is row 0 of a batch that begins at 3. Other keys give other
 * numbers. */
static void test_random(void **state) {
  (void)state;
  const few_op ops[] = {FEW_OP_RANDN, FEW_OP_RANDU};
  for (int k = 0; k < 2; k++)
    for (int type = 0; type < 2; type++) {
      struct op_call c = {ops[k], .attr.random = {FEW_RNG_NOISE}, .out = FEW_SHAPE(5, 3, 3)};
      double x[45], y[45];
      c.key = (struct few_replay_key){.seed = 7, .step = 11, .row0 = 0};
      apply_as((few_real)type, &c, x);
      c.key.row0 = 3;
      apply_as((few_real)type, &c, y);
      for (int j = 0; j < 18; j++) assert_true(y[j] == x[27 + j]);
      c.key.row0 = 0;
      const struct op_call same = c;
      for (int change = 0; change < 3; change++) {
        c = same;
        if (change == 0) c.key.seed++;
        if (change == 1) c.key.step++;
        if (change == 2) c.attr.random.purpose++;
        apply_as((few_real)type, &c, y);
        int equal = 0;
        for (int j = 0; j < 45; j++) equal += y[j] == x[j];
        assert_int_equal(equal, 0);
      }
    }
}

/* The kernel gives the numbers of rng.h, row by row, the same in both number types. */
static void test_random_is_the_stream(void **state) {
  (void)state;
  struct op_call c = {FEW_OP_RANDN, .attr.random = {FEW_RNG_NOISE}, .out = FEW_SHAPE(2, 7)};
  c.key = (struct few_replay_key){.seed = 7, .step = 11, .row0 = 40};
  double *x = apply(&c);
  for (uint64_t r = 0; r < 2; r++) {
    double row[7];
    const struct few_rng stream = {.seed = 7, .step = 11, .row = 40 + r, .purpose = FEW_RNG_NOISE};
    few__rng_normal_f64(&stream, 7, row);
    for (int k = 0; k < 7; k++) assert_true(x[7 * r + (uint64_t)k] == row[k]);
  }
  check_f32(&c, x, x, 1);
  free(x);
  c.op = FEW_OP_RANDU;
  x = apply(&c);
  for (int k = 0; k < 14; k++) assert_true(0 < x[k] && x[k] < 1);
  check_f32(&c, x, x, 1);
  free(x);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_broadcast_and_sum),
      cmocka_unit_test(test_sum_is_double),
      cmocka_unit_test(test_transpose),
      cmocka_unit_test(test_slice_concat_pad),
      cmocka_unit_test(test_slice_is_where_it_says),
      cmocka_unit_test(test_onehot),
      cmocka_unit_test(test_random),
      cmocka_unit_test(test_random_is_the_stream),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
