/* The model file: a saved model is read back to the bit. A file that is not a model is refused with
 * a sentence and without a crash, whichever byte is wrong. */
#include "models.h"

#include <unistd.h>

#include "io/file.h"
#include "io/safetensors.h"

struct scratch {
  few_ctx *ctx;
  char path[64];
};

static struct scratch scratch_new(void) {
  struct scratch s = {.ctx = test_ctx()};
  snprintf(s.path, sizeof s.path, "/tmp/few-test-model-%d.safetensors", (int)getpid());
  return s;
}

static void scratch_free(struct scratch *s) {
  unlink(s->path);
  few_ctx_free(s->ctx);
}

static void put_names(few_model *m) {
  few_status st = FEW_NEW(m->ctx, &m->class_names, m->spec.classes);
  assert_ok(m->ctx, st);
  for (int64_t i = 0; i < m->spec.classes; i++)
    if (i != 1) {
      char name[40];
      snprintf(name, sizeof name, "kind \"%d\" \303\251", (int)i);
      m->class_names[i] = few__strdup(m->ctx, name);
    }
  st = FEW_NEW(m->ctx, &m->class_counts, m->spec.classes);
  assert_ok(m->ctx, st);
  for (int64_t i = 0; i < m->spec.classes; i++) m->class_counts[i] = i * INT32_MAX / 4;
  m->provenance = few__strdup(m->ctx, "{\"recipe\":\"[net]\\nnet = unet\\n\",\"seed\":7}");
  snprintf(m->objective, sizeof m->objective, "scd");
  snprintf(m->sampler, sizeof m->sampler, "consistency");
  m->step = 123456789012;
  m->direction = FEW_ENCODES;
  assert_ok(m->ctx, few__model_set_times(m, 3, (double[]){1.5645464, 1.1, 1e-300}));
}

static char *metadata(const few_model *m) {
  char *text;
  assert_ok(m->ctx, few_model_metadata(&text, m));
  return text;
}

static void assert_same(const few_model *a, const few_model *b) {
  assert_ptr_equal(a->net, b->net);
  assert_true(a->spec.h == b->spec.h && a->spec.w == b->spec.w && a->spec.c == b->spec.c);
  assert_true(a->spec.points == b->spec.points && a->spec.classes == b->spec.classes);
  assert_true(a->spec.guidance == b->spec.guidance && a->spec.sigma_data == b->spec.sigma_data);
  assert_true(a->spec.step_size == b->spec.step_size && a->spec.predicts == b->spec.predicts);
  assert_int_equal(a->spec.augment, b->spec.augment);
  assert_int_equal(a->params.total, b->params.total);
  assert_int_equal(a->params.n, b->params.n);
  for (int i = 0; i < a->params.n; i++) {
    assert_string_equal(a->params.at[i].name, b->params.at[i].name);
    assert_int_equal(a->params.at[i].offset, b->params.at[i].offset);
    assert_true(few_shape_equal(a->params.at[i].shape, b->params.at[i].shape));
  }
  assert_memory_equal(a->values, b->values, (size_t)a->params.total * sizeof(float));
  assert_true(a->data_mean == b->data_mean && a->data_scale == b->data_scale);
  assert_true(a->guidance_min == b->guidance_min && a->guidance_max == b->guidance_max);
  assert_string_equal(a->objective, b->objective);
  assert_string_equal(a->sampler, b->sampler);
  assert_int_equal(a->step, b->step);
  assert_int_equal(a->direction, b->direction);
  assert_int_equal(a->n_times, b->n_times);
  for (int i = 0; i < a->n_times; i++) assert_true(a->times[i] == b->times[i]);
  if (a->spec.classes) assert_int_equal(!a->class_counts, !b->class_counts);
  for (int64_t i = 0; a->class_counts && i < a->spec.classes; i++)
    assert_true(a->class_counts[i] == b->class_counts[i]);
  for (int64_t i = -1; i <= a->spec.classes; i++) {
    const char *x = few_model_class_name(a, i), *y = few_model_class_name(b, i);
    assert_true(!x == !y);
    if (x) assert_string_equal(x, y);
  }
  char *x = metadata(a), *y = metadata(b);
  assert_string_equal(x, y);
  few_text_free(a->ctx, x);
  few_text_free(b->ctx, y);
}

static void test_round_trip(void **state) {
  (void)state;
  struct scratch s = scratch_new();
  for (int which = 0; which < TEST_MODELS; which++) {
    few_model *m = test_model_new(s.ctx, which), *back;
    put_names(m);
    assert_ok(s.ctx, few_model_save(m, s.path));
    assert_ok(s.ctx, few_model_load(&back, s.ctx, s.path));
    assert_same(m, back);
    few_model_free(back);
    char *bytes;
    size_t n;
    assert_ok(s.ctx, few__file_read(s.ctx, &bytes, &n, s.path, 1 << 28));
    assert_ok(s.ctx, few_model_load_bytes(&back, s.ctx, "mine", bytes, n));
    assert_same(m, back);
    few_model_free(back);
    assert_int_equal(few_model_load_bytes(&back, s.ctx, "mine", bytes, n - 1), FEW_E_FORMAT);
    assert_null(back);
    assert_int_equal(strncmp(few_error(s.ctx), "mine: ", 6), 0);
    few__free(s.ctx, bytes);
    few_model_free(m);
  }
  scratch_free(&s);
}

/* Models that need version 2 have it and are read back to the bit; other models do not have it. */
static void test_version_2(void **state) {
  (void)state;
  struct scratch s = scratch_new();
  for (int which = 0; which < 4; which++) {
    const bool scales = which & 1, longer = which & 2;
    few_model *m = test_model_new(s.ctx, TEST_UNET), *back;
    put_names(m);
    few__free(s.ctx, m->class_names[2]);
    m->class_names[2] = few__alloc(s.ctx, 300);
    memset(m->class_names[2], 'x', 299);
    m->class_names[2][longer ? 299 : 63] = '\0';
    if (scales) {
      assert_ok(s.ctx, few__model_scales(m->ctx, m, &m->scales));
      for (int64_t k = 0; k < m->spec.c; k++) m->scales[k].scale += 1e-9 * (double)k;
      m->data_mean = m->data_scale = NAN;
    }
    char *text = metadata(m), *read;
    assert_non_null(strstr(text, which ? "\"version\":2" : "\"version\":1"));
    assert_ok(s.ctx, few_model_save(m, s.path));
    assert_ok(s.ctx, few_model_load(&back, s.ctx, s.path));
    assert_true(few__model_same_scale(m, back) && !m->scales == !back->scales);
    assert_string_equal(few_model_class_name(back, 2), m->class_names[2]);
    read = metadata(back);
    assert_string_equal(read, text);
    few_text_free(s.ctx, read);
    few_text_free(s.ctx, text);
    few_model_free(back);
    few_model_free(m);
  }
  scratch_free(&s);
}

/* Labels of augmentation are inputs in training only. Files of networks without them stay as they
 * were. */
static void test_augment(void **state) {
  (void)state;
  struct scratch s = scratch_new();
  few_model *plain = test_model_new(s.ctx, TEST_UNET), *m, *back;
  struct few_net_spec spec = plain->spec;
  struct few_model_info info;
  few_graph *g;
  few_node y;
  spec.augment = 13;
  assert_ok(s.ctx, few__model_create(s.ctx, &m, plain->net, plain->net_opts, &spec, 5));
  assert_int_equal(m->params.n, plain->params.n + 1);
  assert_true(few__params_find(&m->params, "cond.augment.w") >= 0);
  assert_ok(s.ctx, few_graph_create(&g, s.ctx));
  assert_ok(s.ctx, few_model_graph(&y, m, g, 2));
  for (few_node v = 0; v < few_graph_size(g); v++)
    assert_true(!few__node(g, v)->name || !strstr(few__node(g, v)->name, "augment"));
  few_graph_free(g);
  assert_ok(s.ctx, few_model_save(m, s.path));
  assert_ok(s.ctx, few_model_load(&back, s.ctx, s.path));
  assert_same(m, back);
  few_model_info(&info, sizeof info, back);
  assert_int_equal(info.augment, 13);
  char *text = metadata(back), *before = metadata(plain);
  assert_non_null(strstr(text, "\"version\":4"));
  assert_null(strstr(before, "augment"));
  few_text_free(s.ctx, text);
  few_text_free(s.ctx, before);
  few_model_free(back);
  few_model_free(m);
  few_model_free(plain);
  scratch_free(&s);
}

static void test_info(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  few_model *m = test_model_new(ctx, TEST_DIT);
  struct few_model_info info;
  few_model_info(&info, sizeof info, m);
  assert_string_equal(info.net, "dit");
  assert_true(info.guided && info.classes == 4 && info.h == 8 && info.c == 1);
  int64_t sum = 0;
  for (int i = 0; i < few_model_parameter_rows(m); i++) {
    struct few_model_parameter p;
    few_model_parameter(&p, sizeof p, m, i);
    assert_true(p.offset >= sum);
    sum += few_shape_count(p.shape);
  }
  assert_int_equal(sum, info.parameters);
  few_model_free(m);

  /* operations of the mlp: 2 per weight of each linear layer, none for biases */
  m = test_model_new(ctx, TEST_MLP);
  double flops = 0;
  for (int i = 0; i < m->params.n; i++)
    if (m->params.at[i].shape.rank == 2)
      flops += 2 * (double)few_shape_count(m->params.at[i].shape);
  few_model_info(&info, sizeof info, m);
  assert_true(info.flops == flops);
  assert_false(info.step_size);
  few_model_free(m);
  m = test_model_new(ctx, TEST_MAP);
  few_model_info(&info, sizeof info, m);
  assert_true(info.step_size);
  assert_string_equal(info.predicts, "both");
  few_model_free(m);
  few_ctx_free(ctx);
}

/* Returns the bytes of a saved model. *header is the offset at which its tensors begin. */
static char *saved(struct scratch *s, int which, size_t *n, size_t *header) {
  few_model *m = test_model_new(s->ctx, which);
  char *bytes;
  uint64_t length;
  assert_ok(s->ctx, few_model_save(m, s->path));
  assert_ok(s->ctx, few__file_read(s->ctx, &bytes, n, s->path, (size_t)1 << 30));
  memcpy(&length, bytes, sizeof length);
  *header = (size_t)length + 8;
  few_model_free(m);
  return bytes;
}

static few_status load_bytes(struct scratch *s, const char *bytes, size_t n) {
  few_model *m = NULL;
  unlink(s->path); /* so that it is a new file: rewriting an existing one would be flushed */
  FILE *f = fopen(s->path, "wb");
  assert_non_null(f);
  assert_int_equal(fwrite(bytes, 1, n, f), n);
  fclose(f);
  few_status st = few_model_load(&m, s->ctx, s->path);
  assert_true(!st == !!m);
  if (st && !strstr(few_error(s->ctx), s->path))
    fail_msg("the message does not name the file: %s", few_error(s->ctx));
  few_model_free(m);
  return st;
}

static void test_every_truncation(void **state) {
  (void)state;
  struct scratch s = scratch_new();
  size_t n, header;
  char *bytes = saved(&s, TEST_MLP, &n, &header);
  assert_int_equal(load_bytes(&s, bytes, n), FEW_OK);
  for (size_t k = 0; k < n; k += k < header || k + 8 > n ? 1 : 61)
    assert_int_equal(load_bytes(&s, bytes, k), FEW_E_FORMAT);
  few__free(s.ctx, bytes);
  scratch_free(&s);
}

/* A flipped bit of the header may leave a model (a letter of a class name) but never a crash. */
static void test_every_bit_of_the_header(void **state) {
  (void)state;
  struct scratch s = scratch_new();
  size_t n, header;
  char *bytes = saved(&s, TEST_MLP, &n, &header);
  int refused = 0;
  for (size_t k = 0; k < header; k++) {
    for (int bit = 0; bit < 8; bit += 3) {
      bytes[k] = (char)(bytes[k] ^ (1 << bit));
      refused += load_bytes(&s, bytes, n) != FEW_OK;
      bytes[k] = (char)(bytes[k] ^ (1 << bit));
    }
  }
  assert_true((size_t)refused > header); /* of 3 bits tried per byte, most are refused */
  few__free(s.ctx, bytes);
  scratch_free(&s);
}

/* ---- files with one thing wrong ---- */

struct edit {
  const char *find, *put; /* in the description */
  few_status status;
  const char *says;
};

static char *replaced(const char *text, const char *find, const char *put) {
  const char *at = strstr(text, find);
  if (!at) fail_msg("the description has no %s: %s", find, text);
  size_t n = strlen(text) + strlen(put) + 1;
  char *out = test_malloc(n);
  snprintf(out, n, "%.*s%s%s", at ? (int)(at - text) : 0, text, put, at ? at + strlen(find) : "");
  return out;
}

/* Whether the model was trained on rows without a label, from the file or from the recipe in it. */
static void test_unlabelled(void **state) {
  (void)state;
  static const struct {
    const char *recipe;
    enum few_answer in, out;
  } cases[] = {{"", FEW_UNKNOWN, FEW_UNKNOWN},
               {"", FEW_YES, FEW_YES},
               {"label_dropout = 0.5\\n", FEW_NO, FEW_NO},
               {"steps = 5\\nlabel_dropout = 0\\nbatch = 3\\n", FEW_UNKNOWN, FEW_NO},
               {"label_dropout = 0.1", FEW_UNKNOWN, FEW_YES},
               {"label_dropout = 0\\njoint = yes\\n", FEW_UNKNOWN, FEW_YES},
               {"label_dropout = 0\\njoint = no\\n", FEW_UNKNOWN, FEW_NO},
               {"my_label_dropout = 0\\n", FEW_UNKNOWN, FEW_UNKNOWN}};
  struct scratch s = scratch_new();
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    few_model *m = test_model_new(s.ctx, TEST_UNET), *back;
    struct few_model_info info;
    char text[200];
    snprintf(text, sizeof text, "{\"recipe\":\"%s\"}", cases[i].recipe);
    m->provenance = few__strdup(s.ctx, text);
    m->spec.unlabelled = cases[i].in;
    assert_ok(s.ctx, few_model_save(m, s.path));
    assert_ok(s.ctx, few_model_load(&back, s.ctx, s.path));
    few_model_info(&info, sizeof info, back);
    assert_int_equal(back->spec.unlabelled, cases[i].out);
    assert_int_equal(info.unlabelled, cases[i].out);
    few_model_free(back);
    few_model_free(m);
  }
  scratch_free(&s);
}

static void test_wrong_descriptions(void **state) {
  (void)state;
  static const struct edit edits[] = {
      {"\"version\":1", "\"version\":5", FEW_E_UNSUPPORTED, "newer"},
      {"\"version\":1", "\"version\":\"1\"", FEW_E_FORMAT, "version"},
      {"\"unet\"", "\"u-net\"", FEW_E_UNSUPPORTED, "u-net"},
      {"\"blocks\"", "\"bloks\"", FEW_E_FORMAT, "blocks"},
      {"\"channels\":\"4\"", "\"channels\":\"0\"", FEW_E_FORMAT, "channels"},
      {"\"channels\":\"4\"", "\"channels\":4", FEW_E_FORMAT, "string"},
      {"\"channels\":\"4\"", "\"channels\":\"8\"", FEW_E_FORMAT, "another shape"},
      {"\"mults\":\"1, 2\"", "\"mults\":\"1, 2, 2, 2, 2\"", FEW_E_FORMAT, "multiples"},
      {"\"mults\":\"1, 2\"", "\"mults\":\"1, 2, 2\"", FEW_E_FORMAT, "missing"},
      {"\"mults\":\"1, 2\"", "\"mults\":\"1\"", FEW_E_FORMAT, "not known"},
      {"\"trigflow\"", "\"sub-vp\"", FEW_E_UNSUPPORTED, "sub-vp"},
      {"\"trigflow\"", "\"ddpm\",\"betas\":[]", FEW_E_FORMAT, "betas"},
      {"\"trigflow\"", "\"ddpm\",\"betas\":{\"schedule\":\"sine\"}", FEW_E_UNSUPPORTED, "sine"},
      {"\"trigflow\"",
       "\"ddpm\",\"betas\":{\"schedule\":\"linear\",\"start\":0,\"end\":0.5,\"steps\":9,"
       "\"zero_snr\":true}",
       FEW_E_FORMAT, "from above 0"},
      {"\"trigflow\"",
       "\"ddpm\",\"betas\":{\"schedule\":\"linear\",\"start\":0.1,\"end\":0.5,\"steps\":2,"
       "\"zero_snr\":true}",
       FEW_E_FORMAT, "steps"},
      {"\"h\":8", "\"h\":0", FEW_E_FORMAT, "`h`"},
      {"\"h\":8,\"w\":8", "\"h\":1048576,\"w\":1048576", FEW_E_FORMAT, "at most"},
      {"\"classes\":3", "\"classes\":-1", FEW_E_FORMAT, "classes"},
      {"\"classes\":3", "\"classes\":1048576", FEW_E_FORMAT, "label"},
      {"\"classes\":3", "\"classes\":3,\"class_names\":[\"a\"]", FEW_E_FORMAT, "the length of"},
      {"\"classes\":3", "\"classes\":3,\"class_counts\":[1,2]", FEW_E_FORMAT, "the length of"},
      {"\"classes\":3", "\"classes\":3,\"class_counts\":3", FEW_E_FORMAT, "class_counts"},
      {"\"classes\":3", "\"classes\":3,\"class_counts\":[1,-1,2]", FEW_E_FORMAT, "0 to"},
      {"\"classes\":3", "\"classes\":3,\"class_counts\":[1,2147483648,2]", FEW_E_FORMAT, "0 to"},
      {"\"classes\":3", "\"classes\":3,\"class_counts\":[1,1.5,2]", FEW_E_FORMAT, "integer"},
      {"\"classes\":3", "\"classes\":3,\"class_counts\":[0,0,0]", FEW_E_FORMAT, "all"},
      {"\"direction\":", "\"unlabelled\":\"no\",\"direction\":", FEW_E_FORMAT, "unlabelled"},
      {"\"sigma_data\":0.5", "\"sigma_data\":0.0", FEW_E_FORMAT, "sigma_data"},
      {"\"sigma_data\":0.5", "\"sigma_data\":null", FEW_E_FORMAT, "sigma_data"},
      {"\"scale\":", "\"scale\":-", FEW_E_FORMAT, "scale"},
      {"\"scale\":", "\"scale\":[1],\"scales\":", FEW_E_FORMAT, "mean"},
      {"\"mean\":", "\"mean\":[0],\"means\":", FEW_E_FORMAT, "mean"},
      {"\"diffusion\"", "\"diffusion-diffusion-diffusion-diffusion\"", FEW_E_FORMAT, "31"},
      {"\"predicts\":\"F\"", "\"predicts\":\"noise\"", FEW_E_UNSUPPORTED, "noise"},
      {"\"predicts\":\"F\"", "\"predicts\":\"both\"", FEW_E_FORMAT, "another shape"},
      {"\"unit\":\"none\"", "\"unit\":0", FEW_E_FORMAT, "unit"},
      {"\"unit\":\"none\"", "\"unit\":\"parsec\"", FEW_E_UNSUPPORTED, "parsec"},
      {"\"unit\":\"none\"", "\"unit\":\"halvings\"", FEW_E_FORMAT, "steps"},
      {"\"unit\":\"none\"", "\"unit\":\"angle\"", FEW_E_FORMAT, "missing"},
      {"\"direction\":", "\"augment\":-1,\"direction\":", FEW_E_FORMAT, "augment"},
      {"\"direction\":", "\"augment\":4097,\"direction\":", FEW_E_FORMAT, "augment"},
      {"\"direction\":", "\"augment\":13,\"direction\":", FEW_E_FORMAT, "missing"},
      {"\"provenance\":{}", "\"provenance\":[]", FEW_E_FORMAT, "provenance"},
      {"\"direction\":\"both\"", "\"direction\":\"up\"", FEW_E_FORMAT, "direction"},
      {"\"step\":", "\"times\":[],\"step\":", FEW_E_FORMAT, "times"},
      {"\"step\":", "\"times\":[1,\"0\"],\"step\":", FEW_E_FORMAT, "not a number"},
      {"\"step\":", "\"times\":[1,1],\"step\":", FEW_E_FORMAT, "fall strictly"},
      {"\"step\":", "\"times\":[1.6,1],\"step\":", FEW_E_FORMAT, "pi/2"},
      {"\"step\":", "\"times\":[1,0],\"step\":", FEW_E_FORMAT, "above 0"},
      {"\"unknown to us\"", "", FEW_OK, ""},
  };
  struct scratch s = scratch_new();
  few_model *m = test_model_new(s.ctx, TEST_UNET), *back;
  struct few_st file;
  assert_ok(s.ctx, few_model_save(m, s.path));
  assert_ok(s.ctx, few__st_read(s.ctx, &file, s.path, (size_t)1 << 30));
  for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
    const struct edit *e = &edits[i];
    char *text = e->status ? replaced(few__st_meta(&file, "few"), e->find, e->put)
                           : replaced(few__st_meta(&file, "few"), "{", "{\"later\":[1],");
    struct few_st_pair meta = {"few", text};
    assert_ok(s.ctx, few__st_write(s.ctx, s.path, file.at, file.n, &meta, 1));
    few_status st = few_model_load(&back, s.ctx, s.path);
    if (st != e->status || (st && !strstr(few_error(s.ctx), e->says)))
      fail_msg("%s: status %d, %s", e->put, (int)st, few_error(s.ctx));
    if (st) assert_non_null(strstr(few_error(s.ctx), s.path));
    few_model_free(back);
    test_free(text);
  }
  few__st_free(s.ctx, &file);
  few_model_free(m);
  scratch_free(&s);
}

/* A description of a few bytes must not need a table of gigabytes. */
static void test_absurd_sizes(void **state) {
  (void)state;
  struct scratch s = scratch_new();
  few_model *m = test_model_new(s.ctx, TEST_DIT), *back;
  char *whole = metadata(m), *wide = replaced(whole, "\"h\":8,\"w\":8", "\"h\":8192,\"w\":8192");
  char *text = replaced(wide, "\"patch\":\"4\"", "\"patch\":\"1\"");
  struct few_st_pair meta = {"few", text};
  assert_ok(s.ctx, few__st_write(s.ctx, s.path, NULL, 0, &meta, 1));
  assert_int_equal(few_model_load(&back, s.ctx, s.path), FEW_E_FORMAT);
  assert_non_null(strstr(few_error(s.ctx), "positions"));
  few_text_free(s.ctx, whole);
  test_free(wide);
  test_free(text);
  few_model_free(m);
  scratch_free(&s);
}

static void expect(struct scratch *s, struct few_st *file, few_status want, const char *says) {
  few_model *m;
  struct few_st_pair meta = {"few", few__st_meta(file, "few")};
  assert_ok(s->ctx, few__st_write(s->ctx, s->path, file->at, file->n, &meta, 1));
  few_status st = few_model_load(&m, s->ctx, s->path);
  if (st != want || (st && !strstr(few_error(s->ctx), says)))
    fail_msg("wanted \"%s\": status %d, %s", says, (int)st, few_error(s->ctx));
  few_model_free(m);
}

static void test_wrong_tensors(void **state) {
  (void)state;
  struct scratch s = scratch_new();
  few_model *m = test_model_new(s.ctx, TEST_MLP);
  struct few_st file;
  assert_ok(s.ctx, few_model_save(m, s.path));
  assert_ok(s.ctx, few__st_read(s.ctx, &file, s.path, (size_t)1 << 30));
  struct few_st_tensor first = file.at[0];
  expect(&s, &file, FEW_OK, "");
  file.at[0].name = "train/elsewhere"; /* ignored, but then a tensor is missing */
  expect(&s, &file, FEW_E_FORMAT, first.name);
  file.at[0].name = "elsewhere";
  expect(&s, &file, FEW_E_FORMAT, first.name);
  file.at[0] = first;
  file.at[0].rank = 1;
  file.at[0].dim[0] = first.count;
  expect(&s, &file, FEW_E_FORMAT, "shape");
  file.at[0] = first;
  file.at[0].store = FEW_STORE_I32;
  expect(&s, &file, FEW_E_FORMAT, "F32");
  float *values = test_malloc(first.bytes);
  memcpy(values, first.data, first.bytes);
  values[first.count - 1] = NAN;
  file.at[0] = first;
  file.at[0].data = values;
  expect(&s, &file, FEW_E_FORMAT, "not finite");
  test_free(values);
  file.n--;
  file.at[0] = first;
  expect(&s, &file, FEW_E_FORMAT, "missing");
  few__st_free(s.ctx, &file);
  m->values[2] = INFINITY;
  assert_int_equal(few_model_save(m, s.path), FEW_E_INVALID);
  few_model_free(m);
  scratch_free(&s);
}

/* Weights in half precision: values that are exact in half precision are read back to the bit. */
static void test_halves(void **state) {
  (void)state;
  struct scratch s = scratch_new();
  few_model *m = test_model_new(s.ctx, TEST_MLP), *back;
  for (int i = 0; i < m->params.n; i++)
    for (int64_t k = 0; k < few_shape_count(m->params.at[i].shape); k++)
      m->values[m->params.at[i].offset + k] = (float)((i + k) % 37 - 18) / 8;
  struct few_st file;
  assert_ok(s.ctx, few_model_save(m, s.path));
  assert_ok(s.ctx, few__st_read(s.ctx, &file, s.path, (size_t)1 << 30));
  struct few_st_pair meta = {"few", few__st_meta(&file, "few")};
  uint16_t *halves = test_malloc((size_t)m->params.total * sizeof *halves);
  for (int pass = 0; pass < 2; pass++) {
    enum few_store store = pass ? FEW_STORE_BF16 : FEW_STORE_F16;
    few__store_from_f32(store, m->values, m->params.total, halves);
    for (int i = 0; i < file.n; i++) {
      file.at[i].store = store;
      file.at[i].data = halves + m->params.at[i].offset;
    }
    assert_ok(s.ctx, few__st_write(s.ctx, s.path, file.at, file.n, &meta, 1));
    assert_ok(s.ctx, few_model_load(&back, s.ctx, s.path));
    assert_same(m, back);
    /* and are written as halves again */
    assert_int_equal(back->weights, pass ? FEW_WEIGHTS_BF16 : FEW_WEIGHTS_F16);
    few_model_free(back);
  }
  test_free(halves);
  few__st_free(s.ctx, &file);
  few_model_free(m);
  scratch_free(&s);
}

static char *bytes_of(struct scratch *s, size_t *n) {
  char *bytes;
  assert_ok(s->ctx, few__file_read(s->ctx, &bytes, n, s->path, (size_t)1 << 30));
  return bytes;
}

/* The largest size of column k. */
static double column_size(const struct few_param_row *row, const float *w, int64_t k) {
  const int64_t outputs = row->shape.dim[row->shape.rank - 1];
  double most = 0;
  for (int64_t i = k; i < few_shape_count(row->shape); i += outputs)
    most = fmax(most, fabs((double)w[i]));
  return most;
}

/* Each type rounds by no more than it must, and a file that is loaded and saved again is the same
 * file. */
static void test_save_as(void **state) {
  (void)state;
  struct scratch s = scratch_new();
  few_model *m = test_model_new(s.ctx, TEST_UNET), *back;
  size_t size[FEW_WEIGHTS_INT8 + 1], again;
  const int64_t zero = few_shape_count(m->params.at[0].shape) /
                       m->params.at[0].shape.dim[m->params.at[0].shape.rank - 1];
  for (int64_t i = 0; i < zero; i++) /* an output without weights */
    m->values[i * m->params.at[0].shape.dim[m->params.at[0].shape.rank - 1]] = 0;
  for (int type = FEW_WEIGHTS_F32; type <= FEW_WEIGHTS_INT8; type++) {
    assert_ok(s.ctx, few_model_save_as(m, s.path, (enum few_weight_type)type));
    char *first = bytes_of(&s, &size[type]);
    assert_ok(s.ctx, few_model_load(&back, s.ctx, s.path));
    for (int i = 0; i < m->params.n; i++) {
      const struct few_param_row *row = &m->params.at[i];
      const float *a = m->values + row->offset, *b = back->values + row->offset;
      const int64_t outputs = row->shape.dim[row->shape.rank - 1];
      for (int64_t k = 0; k < few_shape_count(row->shape); k++) {
        double most = 0;
        if (type == FEW_WEIGHTS_F16) most = 0x1p-11 * fabs((double)a[k]) + 0x1p-25;
        if (type == FEW_WEIGHTS_BF16) most = 0x1p-8 * fabs((double)a[k]);
        if (type == FEW_WEIGHTS_INT8 && row->shape.rank > 1)
          most = (0.5 / 127 + 0x1p-16) * column_size(row, a, k % outputs);
        assert_close(b[k], a[k], most);
      }
    }
    assert_ok(s.ctx, few_model_save(back, s.path));
    char *second = bytes_of(&s, &again);
    assert_int_equal(again, size[type]);
    assert_memory_equal(first, second, again);
    few__free(s.ctx, first);
    few__free(s.ctx, second);
    few_model_free(back);
  }
  assert_true(size[FEW_WEIGHTS_BF16] < size[FEW_WEIGHTS_F32]);
  assert_int_equal(few_model_save_as(m, s.path, (enum few_weight_type)9), FEW_E_INVALID);
  few_model_free(m);
  scratch_free(&s);
}

/* Whole numbers need scales that fit. */
static void test_wrong_scales(void **state) {
  (void)state;
  struct scratch s = scratch_new();
  few_model *m = test_model_new(s.ctx, TEST_MLP);
  struct few_st file;
  int at = 0;
  assert_ok(s.ctx, few_model_save_as(m, s.path, FEW_WEIGHTS_INT8));
  assert_ok(s.ctx, few__st_read(s.ctx, &file, s.path, (size_t)1 << 30));
  expect(&s, &file, FEW_OK, "");
  while (!strstr(file.at[at].name, "/scale")) at++;
  const struct few_st_tensor scale = file.at[at];
  file.at[at].name = "other/scale";
  expect(&s, &file, FEW_E_FORMAT, "I8 with scales");
  file.at[at] = scale;
  file.at[at].dim[0]--;
  file.at[at].count--;
  expect(&s, &file, FEW_E_FORMAT, "I8 with scales");
  file.at[at] = scale;
  file.at[at].store = FEW_STORE_I32;
  expect(&s, &file, FEW_E_FORMAT, "I8 with scales");
  float *values = test_malloc(scale.bytes);
  memcpy(values, scale.data, scale.bytes);
  values[0] = INFINITY;
  file.at[at] = scale;
  file.at[at].data = values;
  expect(&s, &file, FEW_E_FORMAT, "not finite");
  test_free(values);
  few__st_free(s.ctx, &file);
  few_model_free(m);
  scratch_free(&s);
}

static void test_create_refuses(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  few_model *good = test_model_new(ctx, TEST_UNET), *m = good;
  const struct few_net_spec base = good->spec;
  struct few_net_spec specs[] = {base, base, base, base, base, base, base};
  specs[0].h = 0;
  specs[1].c = -3;
  specs[2].classes = -1;
  specs[3].sigma_data = NAN;
  specs[4].points = true;
  specs[5].h = 7;
  specs[6].augment = -1;
  for (int i = 0; i < FEW_COUNT(specs); i++) {
    assert_int_equal(few__model_create(ctx, &m, good->net, good->net_opts, &specs[i], 0),
                     FEW_E_INVALID);
    assert_null(m);
  }
  few_model_free(good);
  few_model_free(NULL);
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_round_trip),       cmocka_unit_test(test_version_2),
      cmocka_unit_test(test_augment),          cmocka_unit_test(test_info),
      cmocka_unit_test(test_every_truncation), cmocka_unit_test(test_every_bit_of_the_header),
      cmocka_unit_test(test_unlabelled),       cmocka_unit_test(test_wrong_descriptions),
      cmocka_unit_test(test_absurd_sizes),     cmocka_unit_test(test_wrong_tensors),
      cmocka_unit_test(test_halves),           cmocka_unit_test(test_save_as),
      cmocka_unit_test(test_wrong_scales),     cmocka_unit_test(test_create_refuses),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
