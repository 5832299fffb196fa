/* The wire format of ONNX files, read back byte by byte and field by field. */
#include "testing.h"

#include <unistd.h>

#include "io/onnx.h"
#include "oracle/wire.h"

static const char *path(void) {
  static char at[64];
  snprintf(at, sizeof at, "/tmp/few-test-onnx-%d.onnx", (int)getpid());
  return at;
}

static struct few_onnx *create(few_ctx *ctx) {
  struct few_onnx *o;
  assert_ok(ctx, few__onnx_create(ctx, &o));
  return o;
}

/* x -> Relu(axis -1, eps 0.5, mode "a", perm 1 300) -> y, an array w [2] */
static struct few_onnx *small(few_ctx *ctx) {
  struct few_onnx *o = create(ctx);
  const struct few_onnx_attr attr[4] = {
      FEW_ONNX_ATTR_INT("axis", -1), FEW_ONNX_ATTR_REAL("eps", 0.5),
      FEW_ONNX_ATTR_TEXT("mode", "a"), FEW_ONNX_ATTR_INTS("perm", 2, ((const int64_t[]){1, 300}))};
  few__onnx_input(o, "x", FEW_ONNX_FLOAT, 2, (int64_t[]){-1, 2});
  few__onnx_output(o, "y", FEW_ONNX_UINT8, 2, (int64_t[]){-1, 2});
  few__onnx_tensor(o, "w", FEW_ONNX_FLOAT, 1, (int64_t[]){2}, (float[]){1.5F, -2});
  few__onnx_tensor(o, "one", FEW_ONNX_INT64, 0, NULL, (int64_t[]){1});
  few__onnx_node(o, "Relu", "y", 2, (const char *[]){"x", "w"}, 4, attr);
  few__onnx_property(o, "key", "value");
  return o;
}

static void check_node(struct wire node) {
  assert_true(wire_is(wire_part(node, 1, 0), "x") && wire_is(wire_part(node, 1, 1), "w"));
  assert_true(wire_is(wire_part(node, 2, 0), "y") && wire_is(wire_part(node, 4, 0), "Relu"));
  assert_int_equal(wire_count(node, 5), 4);
  const struct wire axis = wire_part(node, 5, 0), perm = wire_part(node, 5, 3);
  assert_true(wire_is(wire_part(axis, 1, 0), "axis"));
  assert_int_equal((int64_t)wire_number(axis, 3, 0), -1);
  assert_int_equal(wire_number(axis, 20, 0), 2);
  struct wire_field f;
  assert_true(wire_find(wire_part(node, 5, 1), 2, 0, &f));
  assert_true(f.real == 0.5F);
  assert_int_equal(wire_number(wire_part(node, 5, 1), 20, 0), 1);
  assert_true(wire_is(wire_part(wire_part(node, 5, 2), 4, 0), "a"));
  assert_int_equal(wire_number(wire_part(node, 5, 2), 20, 0), 3);
  assert_int_equal(wire_number(perm, 8, 0), 1);
  assert_int_equal(wire_number(perm, 8, 1), 300);
  assert_int_equal(wire_number(perm, 20, 0), 7);
}

static void check_graph(struct wire graph) {
  assert_int_equal(wire_check_graph(graph), 1);
  assert_true(wire_is(wire_part(graph, 2, 0), "net"));
  check_node(wire_part(graph, 1, 0));
  const struct wire type = wire_part(wire_part(wire_part(graph, 11, 0), 2, 0), 1, 0);
  const struct wire shape = wire_part(type, 2, 0);
  assert_int_equal(wire_number(type, 1, 0), 1);
  assert_true(wire_is(wire_part(wire_part(shape, 1, 0), 2, 0), "N"));
  assert_int_equal(wire_number(wire_part(shape, 1, 1), 1, 0), 2);
  const struct wire w = wire_part(graph, 5, 0), raw = wire_part(w, 9, 0);
  assert_int_equal(wire_number(w, 2, 0), 1);
  assert_memory_equal(raw.at, ((const unsigned char[]){0, 0, 0xC0, 0x3F, 0, 0, 0, 0xC0}), 8);
  assert_int_equal(wire_count(wire_part(graph, 5, 1), 1), 0); /* a scalar has no dims */
}

static void test_fields(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  struct few_onnx *o = small(ctx);
  unsigned char *bytes;
  assert_ok(ctx, few__onnx_write(o, path(), "net", "what it is"));
  const struct wire model = wire_read(path(), &bytes);
  assert_int_equal(wire_number(model, 1, 0), 8);
  assert_true(wire_is(wire_part(model, 2, 0), "few"));
  assert_true(wire_is(wire_part(model, 3, 0), few_version()));
  assert_true(wire_is(wire_part(model, 6, 0), "what it is"));
  assert_int_equal(wire_number(wire_part(model, 8, 0), 2, 0), 18);
  assert_true(wire_is(wire_part(wire_part(model, 14, 0), 1, 0), "key"));
  assert_true(wire_is(wire_part(wire_part(model, 14, 0), 2, 0), "value"));
  check_graph(wire_part(model, 7, 0));
  free(bytes);
  few__onnx_free(o);
  unlink(path());
  few_ctx_free(ctx);
}

/* More than 2 GB is refused before any of it is copied, and no file is left. */
static void test_large(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  struct few_onnx *o = small(ctx);
  const float one = 1;
  few__onnx_tensor(o, "huge", FEW_ONNX_FLOAT, 2, (int64_t[]){1 << 20, 1 << 10}, &one);
  assert_int_equal(few__onnx_write(o, path(), "net", ""), FEW_E_UNSUPPORTED);
  assert_non_null(strstr(few_error(ctx), "2 GB"));
  assert_int_equal(access(path(), F_OK), -1);
  few__onnx_free(o);
  o = small(ctx);
  assert_int_equal(few__onnx_write(o, "/nowhere/x.onnx", "net", ""), FEW_E_IO);
  few__onnx_free(o);
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_fields), cmocka_unit_test(test_large)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
