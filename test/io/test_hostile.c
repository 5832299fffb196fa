/* Hostile files of weights, which claim too much data, overlap or nest deeply, are refused with
 * little memory and time. */
#include <zip.h>

#include "ceiling.h"
#include "io/file.h"
#include "io/json.h"
#include "io/pth.h"

enum { MIB = 1 << 20 };

struct ask {
  const char *path;
  few_status (*read)(few_ctx *ctx, const char *path);
  const char *part; /* of the sentence */
};

static few_status read_st(few_ctx *ctx, const char *path) {
  struct few_st st;
  few_status status = few__st_read(ctx, &st, path, SIZE_MAX / 2);
  few__st_free(ctx, &st);
  return status;
}

static few_status read_pth(few_ctx *ctx, const char *path) {
  struct few_pth p;
  few_status status = few__pth_read(ctx, &p, path, SIZE_MAX / 2);
  few__pth_free(ctx, &p);
  return status;
}

static few_status read_json(few_ctx *ctx, const char *path) {
  json_t *v;
  few_status status = few__json_read(ctx, &v, path, SIZE_MAX / 2);
  json_decref(v);
  return status;
}

static void refuse(void *user) {
  const struct ask *a = user;
  few_ctx *ctx = test_ctx();
  few_status st = a->read(ctx, a->path);
  if (st != FEW_E_FORMAT || !strstr(few_error(ctx), a->part)) {
    fprintf(stderr, "%s: %s: %s\n", a->path, few_status_name(st), few_error(ctx));
    _exit(1);
  }
  few_ctx_free(ctx);
}

/* Writes a file: a head, a unit repeated n times, a tail, and a hole up to `size` bytes. */
static void write_file(const char *path, const void *head, size_t n_head, const char *unit,
                       size_t n, const char *tail, long size) {
  FILE *f = fopen(path, "wb");
  assert_non_null(f);
  fwrite(head, 1, n_head, f);
  for (size_t i = 0; i < n; i++) fputs(unit, f);
  fputs(tail, f);
  if (size) assert_int_equal(fflush(f) + ftruncate(fileno(f), size), 0);
  assert_int_equal(fclose(f), 0);
}

#define NAME "few_test_hostile"

static void test_holes(void **state) {
  (void)state;
  static const struct {
    const char *head;
    size_t n;
    struct ask ask;
  } cases[] = {
      {"\0\0\0\1\0\0\0\0x", 9, {NAME, read_st, "not a JSON object"}},   /* 16 MB */
      {"\2\0\0\0\0\0\0\0{}", 10, {NAME, read_st, "belong to tensors"}}, /* data without a tensor */
      {"PK\3\4", 4, {NAME, read_pth, "broken zip archive"}},
      {"\x80\2text", 6, {NAME, read_pth, "torch.save did not write"}},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct ask ask = cases[i].ask;
    write_file(NAME, cases[i].head, cases[i].n, "", 0, "", 3l << 30);
    under_ceiling(4 * MIB, refuse, &ask);
  }
  remove(NAME);
}

/* Three bytes of text that take 300 bytes in jansson. */
static void test_json_of_nothing(void **state) {
  (void)state;
  write_file(NAME, "[", 1, "{},", 4 * MIB / 3, "{}]", 0);
  struct ask json = {NAME, read_json, "so many values"};
  under_ceiling(16 * MIB, refuse, &json);
  uint64_t length = 3 * (uint64_t)MIB + 14;
  char head[16];
  memcpy(head, &length, 8);
  memcpy(head + 8, "{\"a\":[", 6);
  write_file(NAME, head, 14, "{},", MIB, "{}]}    ", 0);
  struct ask st = {NAME, read_st, "so many values"};
  under_ceiling(16 * MIB, refuse, &st);
  remove(NAME);
}

/* ---- archives ---- */

static void put32(char *at, uint32_t v) { memcpy(at, &v, 4); }

/* Writes a data.pkl of n tensors in n storages "0", "1" ... of `count` bytes each. */
static size_t make_pickle(char *out, int n, uint32_t count) {
  size_t at = (size_t)sprintf(out, "\x80\2}(");
  for (int i = 0; i < n; i++) {
    char key[16];
    int k = sprintf(key, "%d", i);
    at += (size_t)sprintf(out + at, "U%c%sctorch._utils\n_rebuild_tensor_v2\n((", k, key);
    at += (size_t)sprintf(out + at, "U\7storagectorch\nByteStorage\nU%c%sU\3cpuJ", k, key);
    put32(out + at, count);
    at += 4;
    memcpy(out + at, "tQK\0J", 5); /* persistent id; offset; shape (count,); strides (1,) */
    put32(out + at + 5, count);
    memcpy(out + at + 9, "\x85K\1\x85tR", 6);
    at += 15;
  }
  return at + (size_t)sprintf(out + at, "u.");
}

static void add(zip_t *zip, const char *name, const void *bytes, size_t n) {
  zip_source_t *s = zip_source_buffer(zip, bytes, n, 0);
  zip_int64_t i = s ? zip_file_add(zip, name, s, 0) : -1;
  assert_true(i >= 0);
  assert_int_equal(zip_set_file_compression(zip, (zip_uint64_t)i, ZIP_CM_STORE, 0), 0);
}

/* Writes an archive whose directory has n entries for the same bytes. */
static void write_overlapping(const char *path, int n, uint32_t count) {
  char *pickle = malloc((size_t)n * 160 + 64), *data = calloc(count, 1), names[400][32];
  remove(path);
  zip_t *zip = zip_open(path, ZIP_CREATE, NULL);
  assert_true(zip && pickle && data && n <= 400);
  add(zip, "a/data.pkl", pickle, make_pickle(pickle, n, count));
  for (int i = 0; i < n; i++) {
    snprintf(names[i], sizeof names[i], "a/data/%d", i);
    add(zip, names[i], data, i ? 0 : count);
  }
  assert_int_equal(zip_close(zip), 0);
  few_ctx *ctx = test_ctx();
  char *bytes, *first = NULL;
  size_t size;
  assert_ok(ctx, few__file_read(ctx, &bytes, &size, path, 64 * MIB));
  for (size_t i = 0; i + 46 < size; i++) { /* each entry of the directory becomes the first's */
    if (memcmp(bytes + i, "PK\1\2", 4) != 0) continue;
    if (memcmp(bytes + i + 46, "a/data/", 7) != 0) continue;
    if (!first)
      first = bytes + i;
    else {
      memcpy(bytes + i + 16, first + 16, 12); /* CRC, sizes */
      memcpy(bytes + i + 42, first + 42, 4);  /* where */
    }
  }
  assert_ok(ctx, few__file_write(ctx, path, bytes, size));
  few__free(ctx, bytes);
  few_ctx_free(ctx);
  free(pickle);
  free(data);
}

static void test_overlapping_members(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  write_overlapping(NAME, 1, MIB);
  assert_ok(ctx, read_pth(ctx, NAME));
  write_overlapping(NAME, 400, MIB);
  struct ask ask = {NAME, read_pth, "members overlap"};
  under_ceiling(8 * MIB, refuse, &ask);
  remove(NAME);
  few_ctx_free(ctx);
}

/* Many opcodes of one byte that each make a value; and a memo index far above the number of values.
 */
static void test_pickle_of_nothing(void **state) {
  (void)state;
  static const struct {
    const char *unit, *part;
  } cases[] = {{"]", "more values"}, {"(", "more values"}};
  for (int k = 0; k < 2; k++) {
    enum { N = 8 * MIB };
    char *pickle = malloc(N);
    memset(pickle, *cases[k].unit, N);
    memcpy(pickle, "\x80\2", 2);
    remove(NAME);
    zip_t *zip = zip_open(NAME, ZIP_CREATE, NULL);
    assert_non_null(zip);
    add(zip, "a/data.pkl", pickle, N);
    assert_int_equal(zip_close(zip), 0);
    free(pickle);
    struct ask ask = {NAME, read_pth, cases[k].part};
    under_ceiling(192 * MIB, refuse, &ask);
  }
  remove(NAME);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_holes),
      cmocka_unit_test(test_json_of_nothing),
      cmocka_unit_test(test_overlapping_members),
      cmocka_unit_test(test_pickle_of_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
