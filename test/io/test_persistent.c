/* Networks pickled whole, as EDM and EDM2 save them: tensors and configuration, damage, and hostile
 * pickles. test/model/import/pickles.py makes the files. */
#include "corpus.h"
#include "io/json.h"
#include "io/persistent.h"

static few_status parse_and_free(few_ctx *ctx, const char *place, const void *bytes, size_t n) {
  struct few_pth p;
  struct few_text config;
  few_status st = few__persistent_parse(ctx, &p, &config, place, bytes, n);
  few__pth_free(ctx, &p);
  few__text_free(ctx, &config);
  return st;
}

static void read_file(few_ctx *ctx, const char *name, char **bytes, size_t *n) {
  char path[512];
  snprintf(path, sizeof path, "%s/io/data/persistent/%s", FEW_TEST_DIR, name);
  assert_ok(ctx, few__file_read(ctx, bytes, n, path, 1 << 20));
}

static const char *text_at(const json_t *object, const char *key) {
  const char *text = json_string_value(json_object_get(object, key));
  return text ? text : "(none)";
}

static void check_shape(const struct few_pth *p, const char *name, enum few_store store, int rank,
                        const int64_t *dim) {
  const struct few_st_tensor *t = few__pth_find(p, name);
  if (!t) fail_msg("no tensor %s", name);
  assert_int_equal(t->store, store);
  assert_int_equal(t->rank, rank);
  for (int i = 0; i < rank; i++) assert_int_equal(t->dim[i], dim[i]);
}

/* Protocols 3 and 4 have the same content. */
static void test_edm(void **state) {
  (void)state;
  static const char *const files[] = {"y_edm.pkl", "y_edm_3.pkl"};
  few_ctx *ctx = test_ctx();
  for (int f = 0; f < FEW_COUNT(files); f++) {
    struct few_pth p;
    struct few_text text;
    json_t *config, *model;
    char *bytes;
    size_t n;
    float x[2];
    read_file(ctx, files[f], &bytes, &n);
    assert_true(few__persistent_is(bytes, n));
    assert_ok(ctx, few__persistent_parse(ctx, &p, &text, files[f], bytes, n));
    few__free(ctx, bytes);
    assert_ok(ctx, few__json_parse(ctx, &config, files[f], text.at, text.len));
    assert_string_equal(text_at(config, "_class_name"), "EDMPrecond");
    assert_string_equal(text_at(config, "model_type"), "SongUNet");
    assert_int_equal(json_integer_value(json_object_get(config, "img_resolution")), 8);
    assert_true(json_is_true(json_object_get(config, "use_fp16")));
    assert_true(json_real_value(json_object_get(config, "dropout")) == 0.13);
    model = json_object_get(json_object_get(config, "_modules"), "model");
    assert_string_equal(text_at(model, "_class_name"), "SongUNet");
    assert_int_equal(json_integer_value(json_object_get(model, "in_channels")), 3);
    assert_null(json_object_get(config, "arguments without names"));
    check_shape(&p, "model.enc.8x8_conv.weight", FEW_STORE_F32, 4, (int64_t[]){4, 3, 3, 3});
    check_shape(&p, "model.map_label.bias", FEW_STORE_F32, 1, (int64_t[]){4});
    check_shape(&p, "model.dec.8x8_block1.skip.weight", FEW_STORE_F32, 4, (int64_t[]){4, 8, 1, 1});
    few__store_to_f32(FEW_STORE_F32, few__pth_find(&p, "model.map_label.bias")->data, 2, x);
    assert_float_equal(x[0], -0.18142456, 1e-7);
    assert_float_equal(x[1], 0.04801932, 1e-7);
    json_decref(config);
    few__text_free(ctx, &text);
    few__pth_free(ctx, &p);
  }
  few_ctx_free(ctx);
}

static void test_edm2(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  struct few_pth p;
  struct few_text text;
  char *bytes;
  size_t n;
  read_file(ctx, "y_edm2.pkl", &bytes, &n);
  assert_ok(ctx, few__persistent_parse(ctx, &p, &text, "y_edm2.pkl", bytes, n));
  assert_non_null(strstr(text.at, "\"_class_name\":\"Precond\""));
  assert_non_null(strstr(text.at, "\"channel_mult\":[1]"));
  check_shape(&p, "unet.out_gain", FEW_STORE_F16, 0, NULL);
  check_shape(&p, "unet.emb_fourier.phases", FEW_STORE_F16, 1, (int64_t[]){4});
  few__free(ctx, bytes);
  few__text_free(ctx, &text);
  few__pth_free(ctx, &p);
  few_ctx_free(ctx);
}

static void test_damage(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  char *bytes;
  size_t n;
  corpus_check(ctx, "persistent", parse_and_free);
  read_file(ctx, "y_by_hand.pkl", &bytes, &n);
  corpus_truncate(ctx, parse_and_free, bytes, n);
  corpus_flip(ctx, parse_and_free, bytes, n);
  few__free(ctx, bytes);
  few_ctx_free(ctx);
}

/* Errors say what is wrong and what to do. */
static void test_sentences(void **state) {
  (void)state;
  static const struct {
    const char *file, *words;
  } cases[] = {{"n_system.pkl", "posix.system, and few runs no code"},
               {"n_eval_within.pkl", "builtins.eval, and few runs no code"},
               {"n_version.pkl", "version 5 of torch_utils.persistence; few reads 6"},
               {"n_no_network.pkl", "has no network `ema`"},
               {"n_itself.pkl", "too many parts, or one within itself"},
               {"n_bytes.pkl", "its storage is not in PyTorch's format"},
               {"n_shape.pkl", "it reaches beyond its storage"}};
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
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_edm), cmocka_unit_test(test_edm2),
                                     cmocka_unit_test(test_damage),
                                     cmocka_unit_test(test_sentences)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
