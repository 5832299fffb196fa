/* safetensors: round trips, every kind of damage, half precision. */
#include <unistd.h>

#include "corpus.h"
#include "io/digest.h"
#include "io/safetensors.h"

static const char path[] = "few_test.safetensors";

static few_status parse_and_free(few_ctx *ctx, const char *place, const void *bytes, size_t n) {
  struct few_st st;
  few_status status = few__st_parse(ctx, &st, place, bytes, n);
  few__st_free(ctx, &st);
  return status;
}

static const float weights[6] = {1, -2, 3.5f, 0, 1e-30f, INFINITY};
static const uint8_t bytes3[3] = {0, 1, 255};
static const double scalar = 0.1;
static const struct few_st_tensor tensors[] = {
    {.name = "time.scale", .store = FEW_STORE_F64, .rank = 0, .data = &scalar},
    {.name = "in.weight", .store = FEW_STORE_F32, .rank = 2, .dim = {2, 3}, .data = weights},
    {.name = "caf\xc3\xa9 \"x\"", .store = FEW_STORE_U8, .rank = 1, .dim = {3}, .data = bytes3},
    {.name = "none", .store = FEW_STORE_F32, .rank = 3, .dim = {2, 0, 5}, .data = NULL},
    {.name = "odd", .store = FEW_STORE_F32, .rank = 1, .dim = {2}, .data = weights},
};
static const struct few_st_pair meta[] = {{"few", "{\"version\":1}"}, {"note", "a\nb\"c"}};

static void write_sample(few_ctx *ctx) {
  assert_ok(ctx, few__st_write(ctx, path, tensors, FEW_COUNT(tensors), meta, FEW_COUNT(meta)));
}

static void test_round_trip(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  struct few_st st;
  write_sample(ctx);
  assert_ok(ctx, few__st_read(ctx, &st, path, 1 << 20));
  assert_int_equal(st.n, FEW_COUNT(tensors));
  for (int i = 0; i < FEW_COUNT(tensors); i++) {
    const struct few_st_tensor *a = &tensors[i], *b = few__st_find(&st, a->name);
    assert_non_null(b);
    assert_true(a->store == b->store && a->rank == b->rank);
    for (int k = 0; k < a->rank; k++) assert_int_equal(a->dim[k], b->dim[k]);
    assert_int_equal(b->bytes, (size_t)b->count * few__store_size(b->store));
    if (b->bytes) assert_memory_equal(a->data, b->data, b->bytes);
  }
  assert_int_equal((uintptr_t)st.at[0].data % 64, 0);
  assert_int_equal(st.n_meta, 2);
  assert_string_equal(few__st_meta(&st, "few"), meta[0].value);
  assert_string_equal(few__st_meta(&st, "note"), meta[1].value);
  assert_null(few__st_meta(&st, "x"));
  assert_null(few__st_find(&st, "x"));
  float odd[2];
  few__store_to_f32(FEW_STORE_F32, few__st_find(&st, "odd")->data, 2, odd); /* unaligned */
  assert_true(odd[0] == 1 && odd[1] == -2);
  few__st_free(ctx, &st);
  few_ctx_free(ctx);
}

static void test_empty(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  struct few_st st;
  assert_ok(ctx, few__st_write(ctx, path, NULL, 0, NULL, 0));
  assert_ok(ctx, few__st_read(ctx, &st, path, 100));
  assert_true(st.n == 0 && st.n_meta == 0);
  few__st_free(ctx, &st);
  assert_int_equal(few__st_read(ctx, &st, path, 8), FEW_E_FORMAT);
  few_ctx_free(ctx);
}

static void test_damage(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  char *bytes;
  size_t n;
  write_sample(ctx);
  assert_ok(ctx, few__file_read(ctx, &bytes, &n, path, 1 << 20));
  uint64_t header;
  memcpy(&header, bytes, 8);
  assert_int_equal(header % 8, 0);
  corpus_truncate(ctx, parse_and_free, bytes, n);
  corpus_flip(ctx, parse_and_free, bytes, n);
  few__free(ctx, bytes);
  corpus_check(ctx, "safetensors", parse_and_free);
  unlink(path);
  few_ctx_free(ctx);
}

/* A change of any single bit is detected. The status is FEW_E_FORMAT, after which a run tries the
 * checkpoint before. */
static void test_every_bit(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  char *bytes;
  size_t n;
  write_sample(ctx);
  assert_ok(ctx, few__file_read(ctx, &bytes, &n, path, 1 << 20));
  for (size_t i = 0; i < 8 * n; i++) {
    bytes[i / 8] = (char)(bytes[i / 8] ^ 1 << i % 8);
    few_status st = parse_and_free(ctx, "m", bytes, n);
    if (st != FEW_E_FORMAT) fail_msg("bit %zu of byte %zu: %s", i % 8, i / 8, few_status_name(st));
    bytes[i / 8] = (char)(bytes[i / 8] ^ 1 << i % 8);
  }
  assert_ok(ctx, parse_and_free(ctx, "m", bytes, n));
  few__free(ctx, bytes);
  unlink(path);
  few_ctx_free(ctx);
}

static size_t pack(char *out, const char *header) {
  uint64_t length = strlen(header);
  memcpy(out, &length, 8);
  memcpy(out + 8, header, (size_t)length);
  return 8 + (size_t)length;
}

/* Files of other programs have no digest and are read. A digest copied into another file is
 * refused. */
static void test_digests_of_others(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  char bytes[300];
  size_t n = pack(bytes, "{\"__metadata__\":{\"format\":\"pt\"}}");
  assert_ok(ctx, parse_and_free(ctx, "m", bytes, n));
  n = pack(bytes, "{\"__metadata__\": {\"format\": \"pt\", \"few.digest\": \"xxh3-128:00\"}}");
  assert_int_equal(parse_and_free(ctx, "m", bytes, n), FEW_E_FORMAT);
  assert_non_null(strstr(few_error(ctx), "without `few.digest`"));
  n = pack(bytes, "{\"__metadata__\":{\"few.digest\":\"blake9:00\"}}");
  assert_int_equal(parse_and_free(ctx, "m", bytes, n), FEW_E_FORMAT);
  few_ctx_free(ctx);
}

/* The values of xxhsum -H2. */
static void test_digest(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  few_digest *d;
  char text[FEW_DIGEST_TEXT], one[2] = "a";
  assert_ok(ctx, few__digest_start(ctx, &d));
  few__digest_text(d, text);
  assert_string_equal(text, "xxh3-128:99aa06d3014798d86001c324468d497f");
  few__digest_add(d, one, 1);
  few__digest_text(d, text);
  assert_string_equal(text, "xxh3-128:a96faf705af16834e6c632b61e964e1f");
  few__digest_free(ctx, d);
  few_ctx_free(ctx);
}

static void test_bad_writes(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  struct few_st_tensor t[2] = {tensors[1], tensors[1]};
  struct few_st_pair m[2] = {meta[0], meta[0]};
  assert_int_equal(few__st_write(ctx, path, t, 2, NULL, 0), FEW_E_INVALID);
  assert_non_null(strstr(few_error(ctx), "in.weight"));
  assert_int_equal(few__st_write(ctx, path, t, 1, m, 2), FEW_E_INVALID);
  t[0].name = "\xff";
  assert_int_equal(few__st_write(ctx, path, t, 1, NULL, 0), FEW_E_INVALID);
  t[0].name = "__metadata__";
  assert_int_equal(few__st_write(ctx, path, t, 1, NULL, 0), FEW_E_INVALID);
  t[0] = tensors[1];
  t[0].dim[0] = -1;
  assert_int_equal(few__st_write(ctx, path, t, 1, NULL, 0), FEW_E_INVALID);
  t[0].dim[0] = INT64_MAX;
  assert_int_equal(few__st_write(ctx, path, t, 1, NULL, 0), FEW_E_INVALID);
  assert_false(few__path_exists(path));
  assert_int_equal(few__st_write(ctx, "/dev/full", tensors, 1, NULL, 0), FEW_E_IO);
  few_ctx_free(ctx);
}

/* Every half converts to a float and back to itself; floats round to the nearest half. */
static void test_halves(void **state) {
  (void)state;
  static const enum few_store kinds[] = {FEW_STORE_F16, FEW_STORE_BF16};
  for (int k = 0; k < 2; k++) {
    float last = -1;
    for (uint32_t u = 0; u < 0x10000; u++) {
      uint16_t h = (uint16_t)u, back;
      float x;
      double d;
      few__store_to_f32(kinds[k], &h, 1, &x);
      few__store_to_f64(kinds[k], &h, 1, &d);
      few__store_from_f32(kinds[k], &x, 1, &back);
      assert_true(isnan(x) ? isnan(d) : (double)x == d);
      if (isnan(x)) continue;
      assert_int_equal(back, h);
      if (u == 0 || u >= 0x8000 || isinf(x)) continue;
      /* Between two adjacent halves: below the middle rounds down, above it up, the middle to
       * even. */
      uint16_t below = (uint16_t)(u - 1), got;
      few__store_to_f32(kinds[k], &below, 1, &last);
      float middle = last + (x - last) / 2, up = nextafterf(middle, INFINITY),
            down = nextafterf(middle, 0);
      if (middle == last || middle == x) continue; /* no float between: bf16 subnormal ends */
      few__store_from_f32(kinds[k], &middle, 1, &got);
      assert_int_equal(got, u % 2 ? below : h);
      few__store_from_f32(kinds[k], &up, 1, &got);
      assert_int_equal(got, h);
      few__store_from_f32(kinds[k], &down, 1, &got);
      assert_int_equal(got, below);
    }
  }
  float big[] = {65519.996f, 65520, -1e9f, NAN, 0x1p-25f, 0x1.8p-25f, 3.4e38f};
  uint16_t h[7];
  few__store_from_f32(FEW_STORE_F16, big, 7, h);
  assert_int_equal(h[0], 0x7bff);
  assert_int_equal(h[1], 0x7c00);
  assert_int_equal(h[2], 0xfc00);
  assert_true((h[3] & 0x7fff) > 0x7c00);
  assert_int_equal(h[4], 0);
  assert_int_equal(h[5], 1);
}

static void test_integers(void **state) {
  (void)state;
  int64_t wide[2] = {-5, (int64_t)1 << 40};
  int8_t narrow = -7;
  uint8_t flag = 2;
  double d[2];
  float f;
  few__store_to_f64(FEW_STORE_I64, wide, 2, d);
  assert_true(d[0] == -5 && d[1] == 0x1p40);
  few__store_to_f32(FEW_STORE_I8, &narrow, 1, &f);
  assert_true(f == -7);
  few__store_to_f32(FEW_STORE_BOOL, &flag, 1, &f);
  assert_true(f == 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_round_trip), cmocka_unit_test(test_empty),
      cmocka_unit_test(test_damage),     cmocka_unit_test(test_bad_writes),
      cmocka_unit_test(test_halves),     cmocka_unit_test(test_integers),
      cmocka_unit_test(test_every_bit),  cmocka_unit_test(test_digests_of_others),
      cmocka_unit_test(test_digest),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
