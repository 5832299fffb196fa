/* data.c - opening a set: find its reader, then what is common to all: limit, hash, statistics.
 *
 * The statistics of images come from a histogram of the 256 byte values, so they are exact sums of
 * integers and independent of the order of items. Those of points take two passes in f64.
 */
#include <math.h>
#include <stdio.h>

#include "base/added.h"
#include "io/gzip.h"
#include "reader.h"

static const struct few_reader_def readers[] = {
#define READER(symbol, name, usage, help) \
  {FEW_READER_DEF_VERSION, name, usage, help, few__data_open_##symbol},
#include "readers.def"
#undef READER
};

int few_data_list_count(const few_ctx *ctx) {
  return FEW_COUNT(readers) + few__added_count(ctx, FEW_ADDED_READER);
}

/* Built-in readers, then those of the context. */
static const struct few_reader_def *reader_at(const few_ctx *ctx, int i) {
  if (i < FEW_COUNT(readers)) return &readers[i];
  return few__added_at(ctx, FEW_ADDED_READER, i - FEW_COUNT(readers));
}

struct few_data_reader_info few_data_list(const few_ctx *ctx, int i) {
  if (i < 0 || i >= few_data_list_count(ctx))
    return (struct few_data_reader_info){NULL, NULL, NULL};
  const struct few_reader_def *r = reader_at(ctx, i);
  return (struct few_data_reader_info){r->name, r->usage, r->help};
}

/* The reader whose name is the first `length` bytes; NULL: none. */
static const struct few_reader_def *find(const few_ctx *ctx, const char *name, size_t length) {
  for (int i = 0; i < few_data_list_count(ctx); i++) {
    const struct few_reader_def *r = reader_at(ctx, i);
    if (strlen(r->name) == length && !memcmp(r->name, name, length)) return r;
  }
  return NULL;
}

few_status few_ctx_add_reader(few_ctx *ctx, const struct few_reader_def *def) {
  static const char type[] = "few_reader_def";
  FEW_TRY(few__added_version(ctx, type, def, FEW_READER_DEF_VERSION));
  return few__added_add(
      ctx, &(struct few_addition){.kind = FEW_ADDED_READER,
                                  .type = type,
                                  .def = def,
                                  .name = def->name,
                                  .missing = !def->usage  ? "usage"
                                             : !def->help ? "help"
                                             : !def->open ? "open"
                                                          : NULL,
                                  .taken = def->name && find(ctx, def->name, strlen(def->name))});
}

size_t few__data_item_bytes(const few_data *d) {
  return (size_t)few_data_item_size(d) * (d->kind == FEW_DATA_IMAGES ? 1 : sizeof(float));
}

few_status few__data_broken(few_data *d, const struct few_data_opts *o, int64_t items,
                            const char *fmt, ...) {
  enum { LISTED = 50 };
  char why[8192]; /* a path may be long */
  va_list args;
  va_start(args, fmt);
  few__vprint(why, sizeof why, fmt, args);
  va_end(args);
  if (o->on_error == FEW_DATA_REFUSE)
    return few__fail(
        d->ctx, FEW_E_FORMAT,
        "%s; mend it, or leave it out with on_error (in a recipe data_on_error) = skip", why);
  if (d->skipped < LISTED) few__log(d->ctx, FEW_LOG_WARN, "skipped: %s", why);
  if (d->skipped < LISTED && d->skipped + items >= LISTED)
    few__log(d->ctx, FEW_LOG_WARN, "skipped: further broken items of %s are only counted", d->spec);
  d->skipped += items;
  return FEW_OK;
}

void few__data_move(few_data *d, int64_t from, int64_t to) {
  assert(0 <= to && to <= from);
  if (from == to) return;
  size_t size = few__data_item_bytes(d);
  char *base = d->kind == FEW_DATA_IMAGES ? (char *)d->pixels : (char *)d->points;
  memcpy(base + (size_t)to * size, base + (size_t)from * size, size);
  if (d->labels) d->labels[to] = d->labels[from];
}

few_status few__data_check_labels(few_data *d, const struct few_data_opts *o, const char *file,
                                  int n_classes) {
  const int classes = n_classes ? n_classes : o->classes ? (int)o->classes : INT32_MAX;
  int64_t kept = 0;
  for (int64_t i = 0; i < d->n; i++) {
    int32_t label = d->labels[i];
    if (label < 0 || label >= classes) {
      FEW_TRY(few__data_broken(d, o, 1, "%s: label %d of item %lld is outside 0..%d", file,
                               (int)label, (long long)i, classes - 1));
      continue;
    }
    few__data_move(d, i, kept++);
  }
  d->n = kept;
  d->classes_as_found = classes == INT32_MAX;
  d->n_classes = d->classes_as_found ? 1 : classes;
  return FEW_OK;
}

few_status few__data_no_split(few_data *d, const struct few_data_opts *o) {
  if (o->split == FEW_DATA_TRAIN) return FEW_OK;
  return few__fail(
      d->ctx, FEW_E_UNSUPPORTED,
      "%s has no test split; name the test files in the spec instead, or keep a part of "
      "it out of the training (data_holdout = 0.1, --holdout 0.1)",
      d->spec);
}

void few__data_note(few_data *d, const char *fmt, ...) {
  char text[8192];
  va_list args;
  va_start(args, fmt);
  few__vprint(text, sizeof text, fmt, args);
  va_end(args);
  few__text_add(d->ctx, &d->note, "%s%s", d->note.len ? "; " : "", text);
}

/* A byte of a name for a message: what is no letter of ASCII as \\xNN. */
static few_status refuse_name(few_data *d, const char *name) {
  char shown[256];
  size_t n = 0;
  for (; *name && n + 5 < sizeof shown; name++)
    n += (size_t)snprintf(shown + n, sizeof shown - n,
                          (unsigned char)*name < 0x80 ? "%c" : "\\x%02x", (unsigned char)*name);
  return few__fail(d->ctx, FEW_E_FORMAT,
                   "%s: the name of class %s is not UTF-8, so no model could store it: rename it",
                   d->spec, shown);
}

few_status few__data_name_classes(few_data *d, const char *const *names) {
  for (int i = 0; i < d->n_classes; i++)
    if (!few__utf8_valid(names[i])) return refuse_name(d, names[i]);
  FEW_TRY(FEW_NEW(d->ctx, &d->class_name, d->n_classes));
  for (int i = 0; i < d->n_classes; i++) {
    d->class_name[i] = few__strdup(d->ctx, names[i]);
    if (!d->class_name[i])
      return few__fail(d->ctx, FEW_E_MEMORY, "out of memory for the names of classes");
  }
  return FEW_OK;
}

few_status few__data_split_paths(few_data *d, const char *list, struct few_data_paths *out) {
  for (const char *p = list;;) {
    size_t len = strcspn(p, ",");
    if (len == 0)
      return few__fail(d->ctx, FEW_E_INVALID, "%s: a path in the list is empty; %s", d->spec,
                       "write FILE or FILE,FILE after the colon");
    FEW_TRY(FEW_GROW(d->ctx, out, out->n + 1));
    char *s = few__alloc(d->ctx, len + 1);
    if (!s) return few__fail(d->ctx, FEW_E_MEMORY, "out of memory for a path of %zu bytes", len);
    memcpy(s, p, len);
    s[len] = '\0';
    out->at[out->n++] = s;
    if (!p[len]) return FEW_OK;
    p += len + 1;
  }
}

void few__data_free_paths(few_ctx *ctx, struct few_data_paths *p) {
  for (int i = 0; i < p->n; i++) few__free(ctx, p->at[i]);
  few__free(ctx, p->at);
  *p = (struct few_data_paths){0};
}

few_status few__data_read_bytes(few_data *d, const char *path, uint8_t **out, size_t *n) {
  char *text = NULL;
  FEW_TRY(few__gzip_read(d->ctx, &text, n, path, FEW_DATA_MAX_BYTES));
  *out = (uint8_t *)text;
  return FEW_OK;
}

/* Of a histogram of bytes. */
static struct few_data_moments byte_moments(const int64_t hist[256]) {
  int64_t total = 0, sum = 0;
  for (int v = 0; v < 256; v++) total += hist[v], sum += v * hist[v];
  double mean = (double)sum / (double)total, var = 0;
  for (int v = 0; v < 256; v++) var += (double)hist[v] * (v - mean) * (v - mean);
  return (struct few_data_moments){mean / 127.5 - 1, sqrt(var / (double)total) / 127.5};
}

static void image_stats(few_data *d) {
  int64_t hist[FEW_DATA_MAX_CHANNELS][256] = {{0}}, all[256] = {0};
  const int64_t total = d->n * few_data_item_size(d);
  for (int64_t i = 0; i < total; i += d->c)
    for (int c = 0; c < d->c; c++) hist[c][d->pixels[i + c]]++;
  for (int c = 0; c < d->c; c++) {
    d->each[c] = byte_moments(hist[c]);
    for (int v = 0; v < 256; v++) all[v] += hist[c][v];
  }
  const struct few_data_moments m = byte_moments(all);
  d->mean = m.mean;
  d->std = m.std;
}

/* The mean and deviation of every step-th value from `from` on. */
static struct few_data_moments float_moments(const float *x, int64_t n, int step) {
  double sum = 0, var = 0;
  for (int64_t i = 0; i < n; i++) sum += x[i * step];
  const double mean = sum / (double)n;
  for (int64_t i = 0; i < n; i++) {
    const double y = x[i * step] - mean;
    var += y * y;
  }
  return (struct few_data_moments){mean, sqrt(var / (double)n)};
}

static void point_stats(few_data *d) {
  const struct few_data_moments m = float_moments(d->points, d->n * d->c, 1);
  d->mean = m.mean;
  d->std = m.std;
  for (int c = 0; c < d->c; c++) d->each[c] = float_moments(d->points + c, d->n, d->c);
}

struct few_data_moments few_data_moments_of(const few_data *d, int k) {
  assert(k >= 0 && k < d->c);
  return d->each[k];
}

double few_data_unevenness(const few_data *d) {
  double least = 0;
  for (int c = 0; c < d->c; c++)
    if (d->each[c].std > 0 && (least == 0 || d->each[c].std < least)) least = d->each[c].std;
  return least > 0 ? d->std / least : 1;
}

static uint64_t content_hash(const few_data *d) {
  char shape[128];
  int len = snprintf(shape, sizeof shape, "%d %lld %d %d %d %d", (int)d->kind, (long long)d->n,
                     d->h, d->w, d->c, d->labels ? 1 : 0);
  uint64_t h = few__hash(shape, (size_t)len, 0);
  const void *values = d->kind == FEW_DATA_IMAGES ? (const void *)d->pixels : d->points;
  h = few__hash(values, (size_t)d->n * few__data_item_bytes(d), h);
  return d->labels ? few__hash(d->labels, (size_t)d->n * sizeof *d->labels, h) : h;
}

/* Only a folder's images are brought to what was asked for; others have it, or it was not meant.
 */
static few_status check_asked(const few_data *d, const struct few_data_opts *o) {
  if (o->size && (d->h != o->size || d->w != o->size))
    return few__fail(d->ctx, FEW_E_INVALID,
                     "%s: size = %lld, and its %s are %dx%d: size is for folders of images; "
                     "leave it out",
                     d->spec, (long long)o->size, d->kind == FEW_DATA_IMAGES ? "images" : "points",
                     d->w, d->h);
  if (!o->channels || d->c == o->channels) return FEW_OK;
  return few__fail(d->ctx, FEW_E_INVALID,
                   "%s: %lld channels are asked for, and it has %d: they are chosen for folders of "
                   "images only; leave that out",
                   d->spec, (long long)o->channels, d->c);
}

/* What every set gets once its reader is done. */
static few_status finish(few_data *d, const struct few_data_opts *o) {
  FEW_TRY(few__data_settle_classes(d));
  FEW_TRY(few__data_limit(d, o->limit));
  FEW_TRY(few__data_hold_out(d, o));
  if (d->skipped)
    few__log(d->ctx, FEW_LOG_WARN, "%s: %lld broken items left out, %lld kept", d->spec,
             (long long)d->skipped, (long long)d->n);
  if (d->n == 0)
    return few__fail(d->ctx, FEW_E_FORMAT, "%s holds no usable item%s", d->spec,
                     d->skipped ? ": all are broken; the warnings in the log say why"
                                : "; name a set that has some");
  if (o->classes && o->classes != d->n_classes)
    return few__fail(d->ctx, FEW_E_INVALID, "%s has %d classes, not %lld: leave out `classes`",
                     d->spec, d->n_classes, (long long)o->classes);
  FEW_TRY(few__data_check_classes(d, o));
  FEW_TRY(check_asked(d, o));
  assert(d->h > 0 && d->w > 0 && d->c > 0 && (d->n_classes > 0) == (d->labels != NULL));
  assert(d->kind == FEW_DATA_IMAGES ? d->pixels != NULL : d->points != NULL);
  FEW_TRY(FEW_NEW(d->ctx, &d->each, d->c));
  d->hash = content_hash(d);
  if (d->kind == FEW_DATA_IMAGES)
    image_stats(d);
  else
    point_stats(d);
  if (d->note.failed) return few__fail(d->ctx, FEW_E_MEMORY, "%s: out of memory", d->spec);
  if (d->note.len) few__log(d->ctx, FEW_LOG_INFO, "%s: %s", d->spec, d->note.at);
  few__log(d->ctx, FEW_LOG_INFO, "%s: %lld %s %dx%dx%d, %d classes, hash %016llx", d->spec,
           (long long)d->n, d->kind == FEW_DATA_IMAGES ? "images" : "points", d->h, d->w, d->c,
           d->n_classes, (unsigned long long)d->hash);
  return FEW_OK;
}

static few_status check_range(few_ctx *ctx, const char *key, int64_t x, int64_t min, int64_t max) {
  if (x >= min && x <= max) return FEW_OK;
  return few__fail(ctx, FEW_E_INVALID, "data: %s is %lld; use %lld to %lld", key, (long long)x,
                   (long long)min, (long long)max);
}

static few_status check_opts(few_ctx *ctx, const struct few_data_opts *o) {
  FEW_TRY(few__opts_check(ctx, "few_data_opts", o, FEW_DATA_OPTS_VERSION));
  FEW_TRY(check_range(ctx, "split", o->split, FEW_DATA_TRAIN, FEW_DATA_TEST));
  FEW_TRY(check_range(ctx, "on_error", o->on_error, FEW_DATA_REFUSE, FEW_DATA_SKIP));
  FEW_TRY(check_range(ctx, "limit", o->limit, 0, ((int64_t)1 << 40) - 1));
  FEW_TRY(check_range(ctx, "size", o->size, 0, FEW_DATA_MAX_SIDE));
  FEW_TRY(check_range(ctx, "classes", o->classes, 0, FEW_DATA_MAX_CLASSES));
  FEW_TRY(check_range(ctx, "cache", o->cache, FEW_DATA_CACHE_AUTO, FEW_DATA_CACHE_YES));
  FEW_TRY(check_range(ctx, "background", o->background, 0, 255));
  if (!(o->holdout >= 0 && o->holdout <= 0.9))
    return few__fail(ctx, FEW_E_INVALID, "data: holdout is %g; use 0 to 0.9", o->holdout);
  if (o->channels != 0 && o->channels != 1 && o->channels != 3)
    return few__fail(ctx, FEW_E_INVALID, "data: channels is %lld; use 1 (grey), 3 (RGB) or 0 (%s)",
                     (long long)o->channels, "as the images are");
  return FEW_OK;
}

/* Open a spec in full with its reader. */
static few_status read_with(few_data *d, const struct few_data_opts *o) {
  const size_t length = strcspn(d->spec, ":");
  const struct few_reader_def *r = find(d->ctx, d->spec, length);
  assert(r); /* few_data_full_spec */
  FEW_TRY(r->open(d, d->spec + length + (d->spec[length] == ':'), o));
  const bool built_in = r >= readers && r < readers + FEW_COUNT(readers);
  return built_in ? FEW_OK : few__reader_check(d, r->name, o);
}

few_status few_data_open(few_ctx *ctx, few_data **out, const char *spec,
                         const struct few_data_opts *opts) {
  struct few_data_opts o = FEW_DATA_OPTS_INIT;
  if (opts) o = *opts;
  *out = NULL;
  few_status st = FEW_OK;
  few_data *d = NULL;
  FEW_GOTO(check_opts(ctx, &o));
  FEW_GOTO(FEW_NEW(ctx, &d, 1));
  d->ctx = ctx;
  FEW_GOTO(few_data_full_spec(ctx, &d->spec, spec));
  struct few_data_opts whole = o;
  if (o.holdout > 0) whole.split = FEW_DATA_TRAIN; /* the parts are made of that */
  FEW_GOTO(read_with(d, &whole));
  FEW_GOTO(finish(d, &o));
  *out = d;
out:
  if (st) few_data_free(d);
  return st;
}

void few_data_free(few_data *d) {
  if (!d) return;
  few_ctx *ctx = d->ctx;
  for (int i = 0; d->class_name && i < d->n_classes; i++) few__free(ctx, d->class_name[i]);
  few__free(ctx, d->class_name);
  few__text_free(ctx, &d->note);
  few__free(ctx, d->each);
  few__free(ctx, d->labels);
  few__free(ctx, d->points);
  few__free(ctx, d->pixels);
  few__free(ctx, d->spec);
  few__free(ctx, d);
}

few_data_kind few_data_get_kind(const few_data *d) { return d->kind; }
const char *few_data_spec(const few_data *d) { return d->spec; }
int64_t few_data_n(const few_data *d) { return d->n; }
int few_data_h(const few_data *d) { return d->h; }
int few_data_w(const few_data *d) { return d->w; }
int few_data_c(const few_data *d) { return d->c; }
int64_t few_data_item_size(const few_data *d) { return (int64_t)d->h * d->w * d->c; }
int few_data_n_classes(const few_data *d) { return d->n_classes; }
const char *few_data_note(const few_data *d) { return d->note.len ? d->note.at : NULL; }
int64_t few_data_skipped(const few_data *d) { return d->skipped; }
uint64_t few_data_hash(const few_data *d) { return d->hash; }
double few_data_mean(const few_data *d) { return d->mean; }
double few_data_std(const few_data *d) { return d->std; }

const char *few_data_class_name(const few_data *d, int label) {
  return d->class_name && label >= 0 && label < d->n_classes ? d->class_name[label] : NULL;
}

int32_t few_data_label(const few_data *d, int64_t index) {
  return d->labels && index >= 0 && index < d->n ? d->labels[index] : -1;
}
