/* source.c - images of a model, a data set or saved statistics.
 *
 * Samples become bytes as in few_sample_write, so that few eval gives the same numbers for a model
 * and for the files that few sample wrote.
 */
#include "source.h"

#include <stdio.h>

#include "base/rng.h"
#include "data/reader.h"
#include "io/file.h"
#include "model/run/sample.h"

enum { SAMPLES = 10000, CHOICE_SEED = 0 }; /* CHOICE_SEED equals FEW_EVAL_CHOICE of internal.h */

static bool ends_with(const char *s, const char *end) {
  size_t n = strlen(s), k = strlen(end);
  return n > k && !strcmp(s + n - k, end);
}

static few_status too_few(const struct few_source *s, int64_t wanted, int64_t there) {
  return few__fail(s->ctx, FEW_E_INVALID, "%s has %lld images, fewer than the %lld requested",
                   s->spec, (long long)there, (long long)wanted);
}

struct few_classes few__source_classes(const struct few_source *s) {
  if (s->model) return few__model_classes(s->model, s->spec);
  return s->saved ? s->saved->classes : few__data_classes(s->data, s->spec);
}

/* Keeps only the items of class s->label. */
static few_status choose_class(struct few_source *s) {
  const int64_t all = few_data_n(s->data);
  if (!s->classes)
    return few__fail(s->ctx, FEW_E_INVALID, "label %d: %s has no labels", s->label, s->spec);
  if (s->label >= s->classes)
    return few__fail(s->ctx, FEW_E_INVALID, "label %d: %s has %lld classes, numbered from 0",
                     s->label, s->spec, (long long)s->classes);
  FEW_TRY(FEW_NEW(s->ctx, &s->index, all));
  s->available = 0;
  for (int64_t i = 0; i < all; i++)
    if (few_data_label(s->data, i) == s->label) s->index[s->available++] = i;
  if (s->available) return FEW_OK;
  return few__fail(s->ctx, FEW_E_INVALID, "%s has no image of label %d", s->spec, s->label);
}

static few_status open_data(struct few_source *s) {
  if (!s->data) FEW_TRY(few_data_open(&s->opened, s->ctx, s->spec, NULL));
  if (!s->data) s->data = s->opened;
  s->available = few_data_n(s->data);
  s->h = few_data_h(s->data);
  s->w = few_data_w(s->data);
  s->c = few_data_c(s->data);
  s->points = few_data_get_kind(s->data) == FEW_DATA_POINTS;
  s->classes = few_data_n_classes(s->data);
  snprintf(s->hash, sizeof s->hash, "%016llx", (unsigned long long)few_data_hash(s->data));
  if (!s->classes) return FEW_OK;
  FEW_TRY(FEW_NEW(s->ctx, &s->counts, s->classes));
  few__data_count(s->data, NULL, s->classes, s->counts);
  return FEW_OK;
}

static few_status select_data(struct few_source *s) {
  if (s->label >= 0) FEW_TRY(choose_class(s));
  if (s->requested > s->available) return too_few(s, s->requested, s->available);
  s->n = s->requested ? s->requested : s->available;
  return FEW_OK;
}

static few_status open_saved(struct few_source *s) {
  FEW_TRY(few__statistics_open(s->ctx, &s->saved, s->spec));
  const struct few_statistics *f = s->saved;
  s->n = s->available = f->n;
  s->h = f->h;
  s->w = f->w;
  s->c = f->c;
  s->points = f->points;
  s->classes = f->classes.n;
  snprintf(s->hash, sizeof s->hash, "%s", f->hash);
  return FEW_OK;
}

static few_status select_saved(const struct few_source *s) {
  const struct few_statistics *f = s->saved;
  if (s->requested && s->requested != f->n)
    return few__fail(s->ctx, FEW_E_INVALID,
                     "%s was made from %lld images, not from %lld: save it again with "
                     "--n-ref %lld",
                     s->spec, (long long)f->n, (long long)s->requested, (long long)s->requested);
  if (f->label == s->label) return FEW_OK;
  if (s->label < 0)
    return few__fail(s->ctx, FEW_E_INVALID,
                     "%s was made from images of label %d only: save it again without --label",
                     s->spec, f->label);
  return few__fail(s->ctx, FEW_E_INVALID,
                   "%s was not made from images of label %d only: save it again with --label %d",
                   s->spec, s->label, s->label);
}

static few_status settings_text(struct few_source *s) {
  struct few_text text = {0};
  few_status st = few__sampling_text(s->ctx, &s->sample, &text);
  if (st) {
    few__text_free(s->ctx, &text);
    return st;
  }
  s->settings = text.at;
  return FEW_OK;
}

static few_status open_model(struct few_source *s, const struct few_eval_opts *o) {
  struct few_model_info info;
  if (!s->runner) {
    FEW_TRY(few_model_load(&s->loaded, s->ctx, s->spec));
    FEW_TRY(few__sha256_file(s->ctx, s->hash, s->spec));
    FEW_TRY(few_runner_create(&s->runner, s->ctx, s->loaded));
  }
  s->model = few_runner_model(s->runner);
  few_model_info(&info, sizeof info, s->model);
  s->points = info.points;
  s->n = s->requested ? s->requested : SAMPLES;
  s->h = info.h;
  s->w = info.w;
  s->c = info.c;
  s->classes = info.classes;
  s->sample = o->sampling;
  s->sample.first = 0;
  s->sample.n = 1; /* n and first are set when chunks are read */
  return s->points ? FEW_OK : FEW_NEW(s->ctx, &s->values, FEW_SOURCE_CHUNK * s->h * s->w * s->c);
}

/* Chooses the class shares. FEW_LABEL_EACH: equal. FEW_LABEL_SHARES: those of the reference, or
 * else of the training data, or else equal. */
static few_status choose_shares(struct few_source *s, const struct few_source *r,
                                const int32_t *map) {
  const struct few_shares own = few__model_shares(s->model);
  const int64_t *of = r && map ? (r->saved ? r->saved->class_counts : r->counts) : NULL;
  const bool even = s->sample.label == FEW_LABEL_EACH || (!of && !own.count);
  s->labels = of ? "reference" : own.count ? "training data" : "unknown";
  if (s->sample.label == FEW_LABEL_EACH) s->labels = "even";
  FEW_TRY(FEW_NEW(s->ctx, &s->shares, s->classes));
  if (even) few__labels_even(&own, s->shares);
  for (int64_t i = 0; !even && !of && i < s->classes; i++) s->shares[i] = own.count[i];
  for (int64_t i = 0; !even && of && i < r->classes; i++) s->shares[map[i]] = of[i];
  for (int64_t i = 0; of && own.count && i < s->classes; i++)
    if (s->shares[i] && !own.count[i])
      few__log(s->ctx, FEW_LOG_WARN,
               "class %lld occurs in %s, but not in the training data of %s: samples of this class "
               "will be poor",
               (long long)i, r->spec, s->spec);
  return FEW_OK;
}

static few_status select_model(struct few_source *s, int label, const struct few_source *reference,
                               const int32_t *map) {
  const bool all = label == FEW_LABEL_SHARES || label == FEW_LABEL_EACH;
  s->sample.label = label;
  if (label == FEW_LABEL_NONE) s->classes = 0;
  s->labels = !s->classes ? "none" : "one class";
  FEW_TRY(few_sample_plan(&s->sampler, &s->steps, s->runner, &s->sample));
  if (all && s->classes) FEW_TRY(choose_shares(s, reference, map));
  FEW_TRY(FEW_NEW(s->ctx, &s->counts, s->classes));
  return settings_text(s);
}

few_status few__source_select(struct few_source *s, int label, const struct few_source *reference,
                              const int32_t *map) {
  s->label = label >= 0 ? label : -1;
  s->labels = "none";
  if (s->model) return select_model(s, label, reference, map);
  return s->saved ? select_saved(s) : select_data(s);
}

few_status few__source_open(few_ctx *ctx, struct few_source **out,
                            const struct few_source_opts *opts) {
  struct few_source *s = NULL;
  few_status st = FEW_OK;
  const bool file = !opts->runner && !opts->data && ends_with(opts->name, ".safetensors");
  *out = NULL;
  FEW_GOTO(FEW_NEW(ctx, &s, 1));
  *s = (struct few_source){.ctx = ctx,
                           .borrowed = opts->runner || opts->data,
                           .runner = opts->runner,
                           .data = opts->data,
                           .requested = opts->n,
                           .label = -1};
  if (s->borrowed || file) {
    s->spec = few__strdup(ctx, opts->name);
    if (!s->spec) FEW_GOTO(few__fail(ctx, FEW_E_MEMORY, "%s: out of memory", opts->name));
  } else {
    FEW_GOTO(few_data_full_spec(&s->spec, ctx, opts->name));
  }
  if (s->runner || (file && opts->o))
    FEW_GOTO(open_model(s, opts->o));
  else
    FEW_GOTO(file ? open_saved(s) : open_data(s));
  *out = s;
out:
  if (st) few__source_free(s);
  return st;
}

const char *few__source_name(const struct few_source *s) {
  return s->saved ? s->saved->reference : s->spec;
}

void few__source_free(struct few_source *s) {
  if (!s) return;
  few_data_free(s->opened);
  if (!s->borrowed) {
    few_runner_free(s->runner);
    few_model_free(s->loaded);
  }
  few__statistics_free(s->saved);
  few__free(s->ctx, s->values);
  few__free(s->ctx, s->index);
  few__free(s->ctx, s->counts);
  few__free(s->ctx, s->shares);
  few__free(s->ctx, s->settings);
  few__free(s->ctx, s->spec);
  few__free(s->ctx, s);
}

static few_status read_model(struct few_source *s, uint64_t seed, int64_t first, int64_t n,
                             uint8_t *pixels, float *points, int32_t *labels) {
  s->sample.seed = seed;
  s->sample.first = first;
  s->sample.n = n;
  if (s->shares) {
    const struct few_shares shares = {s->classes, s->shares};
    FEW_TRY(few__labels(s->ctx, &shares, first, n, labels));
  }
  const struct few_sample_path path = {.label = s->shares ? labels : NULL};
  FEW_TRY(few__sample_run(s->runner, &s->sample, &path, s->points ? points : s->values, labels,
                          &s->nfe));
  FEW_TRY(few__samples_check(s->ctx, s->model, s->spec, first, n, s->points ? points : s->values));
  if (!first && s->classes) memset(s->counts, 0, (size_t)s->classes * sizeof *s->counts);
  for (int64_t i = 0; s->classes && i < n; i++) s->counts[labels[i]]++;
  if (!s->points) few__sample_bytes(n * s->h * s->w * s->c, s->values, pixels);
  return FEW_OK;
}

static void read_data(const struct few_source *s, int64_t first, int64_t n, uint8_t *pixels,
                      float *points, int32_t *labels) {
  const int64_t size = few_data_item_size(s->data);
  for (int64_t i = 0; i < n; i++) {
    int64_t item = first + i;
    if (s->n < s->available) item = few__rng_permute(CHOICE_SEED, 0, item, s->available);
    if (s->index) item = s->index[item];
    if (s->points)
      memcpy(points + i * size, s->data->points + item * size, (size_t)size * sizeof *points);
    else
      memcpy(pixels + i * size, s->data->pixels + item * size, (size_t)size);
    labels[i] = few_data_label(s->data, item);
  }
}

few_status few__source_read(struct few_source *s, uint64_t seed, int64_t first, int64_t n,
                            uint8_t *pixels, float *points, int32_t *labels) {
  assert(n <= FEW_SOURCE_CHUNK && first + n <= s->n && !s->saved);
  if (s->model) return read_model(s, seed, first, n, pixels, points, labels);
  read_data(s, first, n, pixels, points, labels);
  return FEW_OK;
}
