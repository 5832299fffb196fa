/* Every component of every kind can be listed, found by name, and has texts and options that hold. */
#include "few/component.h"

#include "base/option.h"
#include "testing.h"

static void check(const struct few_component *c, enum few_component_kind kind) {
  assert_true(*c->name && *c->usage && *c->help);
  assert_non_null(c->source);
  assert_string_equal(few_component_find(NULL, kind, c->name).name, c->name);
  assert_string_equal(few_component_find(NULL, kind, c->usage).name, c->name);
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
    int n = 0;
    for (struct few_component c; (c = few_component(NULL, kind, n)).name; n++) check(&c, kind);
    assert_true(n > 0);
  }
}

static void test_known(void **state) {
  (void)state;
  const struct few_component heun = few_component_find(NULL, FEW_COMPONENT_SAMPLER, "heun");
  assert_true(heun.steps > 0 && few_option_find(heun.options, "churn"));
  assert_non_null(strstr(heun.source, "2206.00364"));
  const struct few_component unet = few_component_find(NULL, FEW_COMPONENT_NETWORK, "unet");
  assert_non_null(few_option_find(unet.options, "channels"));
  const struct few_component train = few_component(NULL, FEW_COMPONENT_TRAINER, 0);
  assert_non_null(few_option_find(train.options, "steps"));
  const struct few_component idx = few_component_find(NULL, FEW_COMPONENT_READER, "idx");
  assert_string_equal(idx.usage, "idx:IMAGES[,LABELS]");
}

static void test_none(void **state) {
  (void)state;
  const int none[] = {-1, 1000, INT32_MAX, INT32_MIN};
  for (int i = 0; i < FEW_COUNT(none); i++) {
    assert_null(few_component(NULL, FEW_COMPONENT_NETWORK, none[i]).name);
    assert_null(few_component(NULL, (enum few_component_kind)none[i], 0).name);
  }
  assert_null(few_component_find(NULL, FEW_COMPONENT_NETWORK, "no such network").name);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_all), cmocka_unit_test(test_known),
                                     cmocka_unit_test(test_none)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
