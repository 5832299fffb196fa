/* olss_file.c - the file of a fitted schedule (docs/format.md, section 8). A file is not
 * trusted. */
#include "olss_file.h"

#include <inttypes.h>

#include "io/file.h"
#include "io/json.h"

enum { VERSION = 1, MAX_BYTES = 64 << 20 };

static void put_numbers(struct few_json *j, const char *key, int n, const double *x) {
  few__json_open(j, key, '[');
  for (int i = 0; i < n; i++) few__json_put_real(j, NULL, x[i]);
  few__json_close(j);
}

static void put_rows(struct few_json *j, const struct few_olss *o) {
  few__json_open(j, "F", '[');
  for (int k = 0; k < o->steps; k++) put_numbers(j, NULL, k + 1, o->F + (int64_t)k * o->steps);
  few__json_close(j);
}

static void put_fitted(struct few_json *j, const struct few_olss *o, const struct few_olss_opts *of,
                       int64_t n) {
  few__json_open(j, "fitted", '{');
  few__json_put_string(j, "sampler", of->sampler);
  few__json_put_int(j, "steps", of->full);
  few__json_put_int(j, "n", n);
  few__json_put_real(j, "guidance", of->guidance);
  few__json_put_real(j, "rms", o->rms[o->steps - 1]);
  few__json_put_real(j, "ddim_rms", o->ddim_rms[o->steps - 1]);
  few__json_close(j);
}

static few_status bad(few_ctx *ctx, const char *path, const char *what) {
  return few__fail(ctx, FEW_E_FORMAT, "%s: %s: make it again with few olss", path, what);
}

/* Reads a list of n numbers. */
static few_status take(few_ctx *ctx, const char *path, const json_t *list, int n, double *out) {
  if (!json_is_array(list) || json_array_size(list) != (size_t)n)
    return bad(ctx, path, "a list is missing or has another length");
  for (int i = 0; i < n; i++) {
    const json_t *x = json_array_get(list, (size_t)i);
    if (!json_is_number(x)) return bad(ctx, path, "an element of a list is not a number");
    out[i] = json_number_value(x);
  }
  return FEW_OK;
}

static few_status read_all(few_ctx *ctx, struct few_olss **out, const char *path,
                           const json_t *all) {
  json_t *times, *rows;
  int64_t version;
  double sigma_d;
  FEW_TRY(few__json_int(ctx, path, all, "version", 1, INT64_MAX, &version));
  if (version != VERSION)
    return few__fail(ctx, FEW_E_UNSUPPORTED,
                     "%s: version %" PRId64 ", but this program reads up to %d: use a newer few",
                     path, version, VERSION);
  FEW_TRY(few__json_real(ctx, path, all, "sigma_data", &sigma_d));
  FEW_TRY(few__json_array(ctx, path, all, "times", &times));
  FEW_TRY(few__json_array(ctx, path, all, "F", &rows));
  const int n = json_array_size(times) > FEW_OLSS_MAX_STEPS ? 0 : (int)json_array_size(times);
  if (n < 1 || json_array_size(rows) != (size_t)n || !(sigma_d > 0))
    return bad(ctx, path, "it has no steps, over 1000, or different numbers of times and rows");
  FEW_TRY(few__olss_new(ctx, out, n, sigma_d));
  struct few_olss *o = *out;
  FEW_TRY(take(ctx, path, times, n, o->t));
  FEW_TRY(take(ctx, path, json_object_get(all, "x"), n, o->x));
  for (int k = 0; k < n; k++)
    FEW_TRY(take(ctx, path, json_array_get(rows, (size_t)k), k + 1, o->F + (int64_t)k * n));
  for (int k = 0; k < n; k++)
    if (!(o->t[k] > 0 && o->t[k] <= FEW_PI_2) || (k && o->t[k] >= o->t[k - 1]))
      return bad(ctx, path, "its times do not fall from pi/2 to above 0");
  return FEW_OK;
}

few_status few__olss_parse(few_ctx *ctx, struct few_olss **out, const char *place, const char *text,
                           size_t n) {
  json_t *all;
  *out = NULL;
  FEW_TRY(few__json_parse(ctx, &all, place, text, n));
  few_status st = read_all(ctx, out, place, all);
  json_decref(all);
  if (st) {
    few__olss_free(ctx, *out);
    *out = NULL;
  }
  return st;
}

few_status few__olss_read(few_ctx *ctx, struct few_olss **out, const char *path) {
  char *text;
  size_t n;
  *out = NULL;
  FEW_TRY(few__file_read(ctx, &text, &n, path, MAX_BYTES));
  few_status st = few__olss_parse(ctx, out, path, text, n);
  few__free(ctx, text);
  return st;
}

few_status few__olss_write(few_ctx *ctx, const struct few_olss *o, const struct few_olss_opts *of,
                           int64_t n, const char *path) {
  struct few_text text = {0};
  struct few_json j = few__json_begin(ctx, &text);
  few__json_open(&j, NULL, '{');
  few__json_put_int(&j, "version", VERSION);
  few__json_put_real(&j, "sigma_data", o->sigma_d);
  put_numbers(&j, "times", o->steps, o->t);
  put_numbers(&j, "x", o->steps, o->x);
  put_rows(&j, o);
  put_fitted(&j, o, of, n);
  few__json_close(&j);
  few__text_add(ctx, &text, "\n");
  few_status st = few__json_end(&j, path);
  if (!st) st = few__file_write(ctx, path, text.at, text.len);
  few__text_free(ctx, &text);
  return st;
}
