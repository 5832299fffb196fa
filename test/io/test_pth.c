/* Files of torch.save in both formats: every number type and layout, damage, hostile pickles.
 * pth_reference.py makes the files. */
#include "corpus.h"
#include "io/pth.h"

static few_status parse_and_free(few_ctx *ctx, const char *place, const void *bytes, size_t n) {
  struct few_pth p;
  few_status st = few__pth_parse(ctx, &p, place, bytes, n);
  few__pth_free(ctx, &p);
  return st;
}

static void read_file(few_ctx *ctx, const char *name, char **bytes, size_t *n) {
  char path[512];
  snprintf(path, sizeof path, "%s/io/data/pth/%s", FEW_TEST_DIR, name);
  assert_ok(ctx, few__file_read(ctx, bytes, n, path, 1 << 20));
}

/* Element i is i - 2; for bytes it is i, for booleans i % 2. */
static void check_tensor(const struct few_pth *p, const char *name, enum few_store store, int rank,
                         const int64_t *dim) {
  const struct few_st_tensor *t = few__pth_find(p, name);
  float x[32];
  if (!t) fail_msg("no tensor %s", name);
  assert_int_equal(t->store, store);
  assert_int_equal(t->rank, rank);
  for (int k = 0; k < rank; k++) assert_int_equal(t->dim[k], dim[k]);
  assert_true(t->count <= 32);
  few__store_to_f32(t->store, t->data, t->count, x);
  for (int64_t i = 0; i < t->count; i++) {
    const float want = store == FEW_STORE_BOOL ? (float)(i % 2)
                       : store == FEW_STORE_U8 ? (float)i
                                               : (float)(i - 2);
    if (x[i] != want) fail_msg("%s[%d] = %g, not %g", name, (int)i, (double)x[i], (double)want);
  }
}

static void test_tensors(void **state) {
  (void)state;
  static const char *const files[] = {"y_zip.pth", "y_legacy.pth", "y_checkpoint.pth",
                                      "y_protocol_4.pth", "y_training.pth"};
  static const struct {
    const char *name;
    enum few_store store;
  } types[] = {{"float32", FEW_STORE_F32}, {"float16", FEW_STORE_F16}, {"bfloat16", FEW_STORE_BF16},
               {"float64", FEW_STORE_F64}, {"int64", FEW_STORE_I64},   {"int32", FEW_STORE_I32},
               {"int16", FEW_STORE_I16},   {"int8", FEW_STORE_I8},     {"uint8", FEW_STORE_U8},
               {"bool", FEW_STORE_BOOL},   {"inside", FEW_STORE_F32}};
  few_ctx *ctx = test_ctx();
  for (int f = 0; f < FEW_COUNT(files); f++) {
    struct few_pth p;
    char *bytes;
    size_t n;
    read_file(ctx, files[f], &bytes, &n);
    assert_true(few__pth_is(bytes, n));
    assert_ok(ctx, few__pth_parse(ctx, &p, files[f], bytes, n));
    few__free(ctx, bytes);
    assert_int_equal(p.n, FEW_COUNT(types) + 5);
    for (int i = 0; i < FEW_COUNT(types); i++)
      check_tensor(&p, types[i].name, types[i].store, 2, (int64_t[]){2, 3});
    check_tensor(&p, "scalar", FEW_STORE_F32, 0, NULL);
    check_tensor(&p, "empty", FEW_STORE_F32, 2, (int64_t[]){0, 4});
    check_tensor(&p, "turned", FEW_STORE_F32, 2, (int64_t[]){3, 2});
    check_tensor(&p, "column", FEW_STORE_F32, 1, (int64_t[]){4});
    check_tensor(&p, "parameter", FEW_STORE_F32, 1, (int64_t[]){5});
    assert_null(few__pth_find(&p, "epoch"));
    few__pth_free(ctx, &p);
  }
  few_ctx_free(ctx);
}

static void test_damage(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  char *bytes;
  size_t n;
  corpus_check(ctx, "pth", parse_and_free);
  read_file(ctx, "y_by_hand.pth", &bytes, &n);
  corpus_truncate(ctx, parse_and_free, bytes, n);
  corpus_flip(ctx, parse_and_free, bytes, n);
  few__free(ctx, bytes);
  read_file(ctx, "y_legacy.pth", &bytes, &n);
  corpus_truncate(ctx, parse_and_free, bytes, n);
  few__free(ctx, bytes);
  few_ctx_free(ctx);
}

/* Errors say what is wrong and what to do. */
static void test_sentences(void **state) {
  (void)state;
  static const struct {
    const char *file, *words;
  } cases[] = {{"n_system.pth", "posix.system, and few runs no code"},
               {"n_legacy_system.pth", "posix.system, and few runs no code"},
               {"n_module.pth", "torch.save(model.state_dict(), FILE)"},
               {"n_opcode.pth", "opcode 0x97 at byte 4"},
               {"n_global_system.pth", "posix.system, and few runs no code"},
               {"n_tar.pth", "before 0.1.10"},
               {"n_big_endian.pth", "big-endian"},
               {"n_shape_expanded.pth", "tensor `x`: it reaches beyond its storage"},
               {"n_quantised.pth", "QInt8Storage: convert it"}};
  few_ctx *ctx = test_ctx();
  for (int i = 0; i < FEW_COUNT(cases); i++) {
    char *bytes;
    size_t n;
    read_file(ctx, cases[i].file, &bytes, &n);
    assert_true(parse_and_free(ctx, cases[i].file, bytes, n) != FEW_OK);
    if (!strstr(few_error(ctx), cases[i].words)) fail_msg("%s", few_error(ctx));
    few__free(ctx, bytes);
  }
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_tensors), cmocka_unit_test(test_damage),
                                     cmocka_unit_test(test_sentences)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
