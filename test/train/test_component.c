/* Every component of every kind can be listed and found by name, and has texts and valid
 * options. */
#include "few/component.h"

#include "base/option.h"
#include "few/backend.h"
#include "testing.h"

static struct few_component named(enum few_component_kind kind, const char *name) {
  struct few_component c;
  if (!few_component_find(&c, sizeof c, NULL, kind, name)) fail_msg("there is no %s", name);
  return c;
}

static void check(const struct few_component *c, enum few_component_kind kind) {
  assert_true(*c->name && *c->usage && *c->help);
  assert_non_null(c->source);
  assert_string_equal(named(kind, c->name).name, c->name);
  assert_string_equal(named(kind, c->usage).name, c->name);
  if (kind != FEW_COMPONENT_SAMPLER) assert_int_equal(c->steps, 0);
  for (const struct few_option *o = c->options; o && o->key; o++) {
    if (!o->help || strlen(o->help) < 4) fail_msg("%s: %s has no help", c->name, o->key);
    assert_true(o->deflt || o->needed);
    assert_ptr_equal(few_option_find(c->options, o->key), o); /* no key twice */
  }
}

static void test_all(void **state) {
  (void)state;
  for (int k = 0; k < FEW_COMPONENT_KINDS; k++) {
    const enum few_component_kind kind = (enum few_component_kind)k;
    struct few_component c;
    int n = 0;
    for (; few_component(&c, sizeof c, NULL, kind, n); n++) check(&c, kind);
    assert_true(n > 0 && n == few_component_count(NULL, kind));
  }
}

static void test_known(void **state) {
  (void)state;
  const struct few_component heun = named(FEW_COMPONENT_SAMPLER, "heun");
  assert_true(heun.steps > 0 && few_option_find(heun.options, "churn"));
  assert_non_null(strstr(heun.source, "2206.00364"));
  const struct few_component unet = named(FEW_COMPONENT_NETWORK, "unet");
  assert_non_null(few_option_find(unet.options, "channels"));
  const struct few_component train = named(FEW_COMPONENT_TRAINER, "train");
  assert_non_null(few_option_find(train.options, "steps"));
  const struct few_component idx = named(FEW_COMPONENT_READER, "idx");
  assert_string_equal(idx.usage, "idx:IMAGES[,LABELS]");
}

static void test_none(void **state) {
  (void)state;
  const int none[] = {-1, 1000, INT32_MAX, INT32_MIN};
  struct few_component c;
  for (int i = 0; i < FEW_COUNT(none); i++) {
    assert_false(few_component(&c, sizeof c, NULL, FEW_COMPONENT_NETWORK, none[i]));
    assert_false(few_component(&c, sizeof c, NULL, (enum few_component_kind)none[i], 0));
  }
  assert_false(few_component_find(&c, sizeof c, NULL, FEW_COMPONENT_NETWORK, "no such network"));
}

/* Each backend that few list backends shows can be inspected. */
static void test_backends(void **state) {
  (void)state;
  struct few_component c;
  struct few_backend_info b;
  for (int i = 0; few_component(&c, sizeof c, NULL, FEW_COMPONENT_BACKEND, i); i++) {
    assert_true(few_backend_info(&b, sizeof b, c.name));
    assert_string_equal(b.name, c.name);
    for (int f64 = 0; f64 < 2; f64++) {
      int lacks = 0;
      while (few_backend_lacks(c.name, f64, lacks)) lacks++;
      assert_int_equal(lacks, b.ops - b.kernels[f64]);
    }
  }
  assert_false(few_backend_info(&b, sizeof b, "abacus"));
  assert_null(few_backend_lacks("abacus", false, 0));
}

/* A program that was compiled with an older header gets the members of that header. With a newer
 * header it gets zeros in the additional members. */
static void test_sizes(void **state) {
  (void)state;
  struct {
    struct few_component c;
    void *newer;
  } more;
  union {
    struct few_component c;
    unsigned char byte[sizeof(struct few_component)];
  } less;
  const size_t known = offsetof(struct few_component, source);
  more.newer = &more;
  assert_true(few_component_find(&more.c, sizeof more, NULL, FEW_COMPONENT_SAMPLER, "heun"));
  assert_true(more.c.steps > 0 && !more.newer);
  memset(less.byte, 0xAB, sizeof less);
  assert_true(few_component_find(&less.c, known, NULL, FEW_COMPONENT_SAMPLER, "heun"));
  assert_string_equal(less.c.help, more.c.help);
  for (size_t i = known; i < sizeof less; i++) assert_int_equal(less.byte[i], 0xAB);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_all), cmocka_unit_test(test_known),
                                     cmocka_unit_test(test_none), cmocka_unit_test(test_backends),
                                     cmocka_unit_test(test_sizes)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
