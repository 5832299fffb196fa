/* statistics.c - statistics of a reference in a safetensors file. Running a large network on 50,000
 * images takes long, and comparisons need only their moments and some rows.
 *
 * The file has the sums of squares, and not the covariance, which is the sums divided by n - 1. So
 * an evaluation with the file gives the same bits as one with the images.
 */
#include "statistics.h"

#include <math.h>

#include "io/file.h"

static const char key[] = "few_statistics";
static const size_t max_bytes = (size_t)1 << 36;
enum { VERSION = 1, MAX_SIDE = 1 << 16, MAX_CLASSES = 1 << 20 };

/* ---- writing ---- */

/* Puts the count of each class and, if all classes have names, the names. */
static void put_classes(struct few_json *j, const struct few_statistics *s) {
  const struct few_classes *c = &s->classes;
  if (!c->n) return;
  few__json_open(j, "class_counts", '[');
  for (int64_t i = 0; i < c->n; i++) few__json_put_int(j, NULL, s->class_counts[i]);
  few__json_close(j);
  few__json_open(j, "class_names", '[');
  for (int64_t i = 0; i < c->n; i++) {
    const char *name = c->name(c->of, i);
    few__json_put_string(j, NULL, name ? name : "");
  }
  few__json_close(j);
}

static few_status head_text(const struct few_statistics *s, const few_eval_set *set,
                            struct few_text *out) {
  struct few_json j = few__json_begin(s->ctx, out);
  const int64_t size[] = {s->h, s->w, s->c};
  few__json_open(&j, NULL, '{');
  few__json_put_int(&j, "version", VERSION);
  few__json_put_string(&j, "reference", s->reference);
  few__json_put_string(&j, "hash", s->hash);
  few__json_put_int(&j, "label", s->label);
  few__json_put_int(&j, "n", set->seen);
  few__json_open(&j, "size", '[');
  for (int i = 0; i < FEW_COUNT(size); i++) few__json_put_int(&j, NULL, size[i]);
  few__json_close(&j);
  few__json_put_bool(&j, "points", s->points);
  few__json_put_string(&j, "features", s->features);
  few__json_put_string(&j, "features_hash", s->features_hash);
  few__json_put_string(&j, "resize", s->resize);
  put_classes(&j, s);
  few__json_close(&j);
  return few__json_end(&j, s->reference);
}

static void add(struct few_st_tensor *t, int *n, const char *name, enum few_store store, int rank,
                int64_t rows, int64_t columns, const void *data) {
  t[(*n)++] = (struct few_st_tensor){
      .name = name, .store = store, .rank = rank, .dim = {rows, columns}, .data = data};
}

few_status few__statistics_write(const struct few_statistics *head, const few_eval_set *set,
                                 const char *path) {
  struct few_text text = {0};
  struct few_st_tensor t[5];
  const int64_t d = set->o.dim, places = set->o.spatial;
  float *rows = NULL;
  int n = 0;
  few_status st = FEW_OK;
  assert(set->moments && set->panels && set->seen == set->o.n);
  FEW_GOTO(head_text(head, set, &text));
  FEW_GOTO(FEW_NEW(head->ctx, &rows, few__mul_size((size_t)set->kept, (size_t)d)));
  for (int64_t i = 0; i < set->kept; i++) few__eval_set_kept(set, i, rows + i * d);
  add(t, &n, "mean", FEW_STORE_F64, 1, d, 0, few__moments_mean(set->moments));
  add(t, &n, "sums", FEW_STORE_F64, 2, d, d, few__moments_sums(set->moments));
  if (set->spatial) {
    add(t, &n, "spatial.mean", FEW_STORE_F64, 1, places, 0, few__moments_mean(set->spatial));
    add(t, &n, "spatial.sums", FEW_STORE_F64, 2, places, places, few__moments_sums(set->spatial));
  }
  add(t, &n, "rows", FEW_STORE_F32, 2, set->kept, d, rows);
  FEW_GOTO(few__st_write(head->ctx, path, t, n, &(struct few_st_pair){key, text.at}, 1));
out:
  few__free(head->ctx, rows);
  few__text_free(head->ctx, &text);
  return st;
}

/* ---- reading ---- */

static few_status read_size(struct few_statistics *s) {
  json_t *size;
  int64_t *to[] = {&s->h, &s->w, &s->c};
  FEW_TRY(few__json_array(s->ctx, s->path, s->head, "size", &size));
  for (size_t i = 0; i < 3; i++) {
    const json_t *x = json_array_get(size, i);
    *to[i] = json_integer_value(x);
    if (json_array_size(size) != 3 || !json_is_integer(x) || *to[i] < 1 || *to[i] > MAX_SIDE)
      return few__fail(s->ctx, FEW_E_FORMAT, "%s: size is not three sides of 1 to %d", s->path,
                       MAX_SIDE);
  }
  return FEW_OK;
}

static const char *class_name(const void *names, int64_t label) {
  return json_string_value(json_array_get(names, (size_t)label));
}

/* Reads class counts and names. Older files have none. */
static few_status read_classes(struct few_statistics *s) {
  json_t *counts, *names;
  if (!json_object_get(s->head, "class_counts")) return FEW_OK;
  FEW_TRY(few__json_array(s->ctx, s->path, s->head, "class_counts", &counts));
  FEW_TRY(few__json_array(s->ctx, s->path, s->head, "class_names", &names));
  const size_t n = json_array_size(counts);
  int64_t sum = 0;
  if (n < 1 || n > MAX_CLASSES || json_array_size(names) != n)
    return few__fail(s->ctx, FEW_E_FORMAT, "%s: class_counts and class_names differ in number",
                     s->path);
  FEW_TRY(FEW_NEW(s->ctx, &s->counts, n));
  for (size_t i = 0; i < n; i++) {
    const json_t *count = json_array_get(counts, i);
    s->counts[i] = json_integer_value(count);
    sum += s->counts[i];
    if (!json_is_integer(count) || s->counts[i] < 0 || s->counts[i] > INT32_MAX ||
        !json_is_string(json_array_get(names, i)))
      return few__fail(s->ctx, FEW_E_FORMAT, "%s: class %zu has no count, or no name", s->path, i);
  }
  if (!sum) return few__fail(s->ctx, FEW_E_FORMAT, "%s: all class_counts are 0", s->path);
  s->classes = (struct few_classes){(int64_t)n, class_name, names, s->path};
  s->class_counts = s->counts;
  return FEW_OK;
}

static few_status read_head(struct few_statistics *s) {
  const char *text = few__st_meta(&s->file, key);
  int64_t version, label;
  if (!text)
    return few__fail(
        s->ctx, FEW_E_INVALID,
        "%s was not written by --save-ref: a reference is such a file, or images, which "
        "few sample makes from a model (an .npy)",
        s->path);
  FEW_TRY(few__json_parse(s->ctx, &s->head, s->path, text, strlen(text)));
  FEW_TRY(few__json_int(s->ctx, s->path, s->head, "version", VERSION, VERSION, &version));
  FEW_TRY(few__json_string(s->ctx, s->path, s->head, "reference", &s->reference));
  FEW_TRY(few__json_string(s->ctx, s->path, s->head, "hash", &s->hash));
  FEW_TRY(few__json_int(s->ctx, s->path, s->head, "label", -1, INT32_MAX, &label));
  FEW_TRY(few__json_int(s->ctx, s->path, s->head, "n", 2, (int64_t)1 << 40, &s->n));
  FEW_TRY(few__json_bool(s->ctx, s->path, s->head, "points", &s->points));
  FEW_TRY(few__json_string(s->ctx, s->path, s->head, "features", &s->features));
  FEW_TRY(few__json_string(s->ctx, s->path, s->head, "features_hash", &s->features_hash));
  FEW_TRY(few__json_string(s->ctx, s->path, s->head, "resize", &s->resize));
  s->label = (int)label;
  FEW_TRY(read_classes(s));
  return read_size(s);
}

/* Finds and checks a tensor of finite numbers. If rows or columns is 0, any number is valid. */
static few_status check_tensor(const struct few_statistics *s, const char *name,
                               enum few_store store, int rank, int64_t rows, int64_t columns,
                               const struct few_st_tensor **out) {
  const struct few_st_tensor *t = *out = few__st_find(&s->file, name);
  if (!t || t->store != store || t->rank != rank || t->count < 1 || (rows && t->dim[0] != rows) ||
      (columns && t->dim[1] != columns))
    return few__fail(s->ctx, FEW_E_FORMAT, "%s: %s is missing or has another shape", s->path, name);
  for (int64_t i = 0; i < t->count; i++) {
    double x;
    few__store_to_f64(store, (const char *)t->data + (size_t)i * few__store_size(store), 1, &x);
    if (!isfinite(x))
      return few__fail(s->ctx, FEW_E_FORMAT, "%s: value %lld of %s is not finite", s->path,
                       (long long)i, name);
  }
  return FEW_OK;
}

static few_status check_moments(struct few_statistics *s, const char *mean, const char *sums,
                                int64_t *d) {
  const struct few_st_tensor *t;
  FEW_TRY(check_tensor(s, mean, FEW_STORE_F64, 1, 0, 0, &t));
  *d = t->dim[0];
  return check_tensor(s, sums, FEW_STORE_F64, 2, *d, *d, &t);
}

static few_status check_tensors(struct few_statistics *s) {
  const struct few_st_tensor *rows;
  FEW_TRY(check_moments(s, "mean", "sums", &s->dim));
  if (few__st_find(&s->file, "spatial.mean"))
    FEW_TRY(check_moments(s, "spatial.mean", "spatial.sums", &s->spatial));
  FEW_TRY(check_tensor(s, "rows", FEW_STORE_F32, 2, 0, s->dim, &rows));
  s->kept = rows->dim[0];
  if (s->kept <= s->n) return FEW_OK;
  return few__fail(s->ctx, FEW_E_FORMAT, "%s: %lld rows of %lld images", s->path,
                   (long long)s->kept, (long long)s->n);
}

/* From the file, or from `bytes` if they are not NULL. */
static few_status open_from(few_ctx *ctx, struct few_statistics **out, const char *path,
                            const void *bytes, size_t n) {
  struct few_statistics *s = NULL;
  few_status st = FEW_OK;
  *out = NULL;
  FEW_GOTO(FEW_NEW(ctx, &s, 1));
  s->ctx = ctx;
  s->path = few__strdup(ctx, path);
  if (!s->path) FEW_GOTO(few__fail(ctx, FEW_E_MEMORY, "%s: out of memory", path));
  FEW_GOTO(bytes ? few__st_parse(ctx, &s->file, path, bytes, n)
                 : few__st_read(ctx, &s->file, path, max_bytes));
  FEW_GOTO(read_head(s));
  FEW_GOTO(check_tensors(s));
  *out = s;
out:
  if (st) few__statistics_free(s);
  return st;
}

few_status few__statistics_open(few_ctx *ctx, struct few_statistics **out, const char *path) {
  return open_from(ctx, out, path, NULL, 0);
}

few_status few__statistics_parse(few_ctx *ctx, struct few_statistics **out, const char *place,
                                 const void *bytes, size_t n) {
  return open_from(ctx, out, place, bytes, n);
}

void few__statistics_free(struct few_statistics *s) {
  if (!s) return;
  few__st_free(s->ctx, &s->file);
  json_decref(s->head);
  few__free(s->ctx, s->counts);
  few__free(s->ctx, s->path);
  few__free(s->ctx, s);
}

/* ---- using ---- */

few_status few__statistics_check(const struct few_statistics *s,
                                 const struct few_features_info *info, int64_t keep) {
  if (strcmp(s->features, info->name) != 0 || strcmp(s->features_hash, info->hash) != 0 ||
      strcmp(s->resize, info->resize) != 0)
    return few__fail(s->ctx, FEW_E_INVALID,
                     "%s was made with features %s%s%.16s (images %s), these are %s%s%.16s "
                     "(images %s): use the same, or save it again",
                     s->path, s->features, *s->features_hash ? " " : "", s->features_hash,
                     s->resize, info->name, *info->hash ? " " : "", info->hash, info->resize);
  const int64_t dim = s->points ? s->c : info->dim;
  if (s->dim != dim || s->spatial != info->spatial)
    return few__fail(s->ctx, FEW_E_FORMAT, "%s: rows of %lld and %lld values, and %lld and %lld %s",
                     s->path, (long long)s->dim, (long long)s->spatial, (long long)dim,
                     (long long)info->spatial, "are theirs");
  const int64_t wanted = keep < s->n ? keep : s->n;
  if (s->kept >= wanted) return FEW_OK;
  return few__fail(s->ctx, FEW_E_INVALID,
                   "%s has %lld rows, and %lld are needed: give --keep %lld, or save it again",
                   s->path, (long long)s->kept, (long long)wanted, (long long)s->kept);
}

static few_status restore(const struct few_statistics *s, few_moments *m, const char *mean,
                          const char *sums) {
  const struct few_st_tensor *a = few__st_find(&s->file, mean), *b = few__st_find(&s->file, sums);
  double *x = NULL, *y = NULL; /* aligned */
  few_status st = FEW_NEW(s->ctx, &x, a->count);
  if (!st) st = FEW_NEW(s->ctx, &y, b->count);
  if (!st) {
    few__store_to_f64(a->store, a->data, a->count, x);
    few__store_to_f64(b->store, b->data, b->count, y);
    few__moments_restore(m, s->n, x, y);
  }
  few__free(s->ctx, x);
  few__free(s->ctx, y);
  return st;
}

few_status few__statistics_fill(const struct few_statistics *s, few_eval_set *set) {
  const struct few_st_tensor *rows = few__st_find(&s->file, "rows");
  float *row = NULL;
  assert(set->o.n == s->n && set->o.dim == s->dim && set->kept <= s->kept);
  if (set->moments) FEW_TRY(restore(s, set->moments, "mean", "sums"));
  if (set->spatial) FEW_TRY(restore(s, set->spatial, "spatial.mean", "spatial.sums"));
  FEW_TRY(FEW_NEW(s->ctx, &row, s->dim));
  for (int64_t i = 0; i < set->kept; i++) {
    const char *from = (const char *)rows->data + (size_t)(i * s->dim) * sizeof *row;
    few__store_to_f32(rows->store, from, s->dim, row);
    few__eval_set_keep(set, i, row);
  }
  few__free(s->ctx, row);
  set->seen = s->n;
  return FEW_OK;
}
