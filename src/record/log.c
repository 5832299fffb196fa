/* log.c - reads the log of a run (docs/guide.md). Numbers of each line become points of series; an
 * evaluation is kept whole as well. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "io/file.h"
#include "record.h"

static const size_t most_log = (size_t)1 << 30;

struct line {
  few_record *r;
  const char *place; /* "log.jsonl line 7" */
  double step, seconds;
  const char *space, *id; /* of an evaluation */
};

/* ---- series ---- */

static few_status add_series(const struct line *l, const char *key, struct few_series **out) {
  few_record *r = l->r;
  for (int i = 0; i < r->series.n; i++) {
    *out = &r->series.at[i];
    if (!strcmp((*out)->key, key) && !strcmp((*out)->id, l->id)) return FEW_OK;
  }
  if (r->series.n >= FEW_RECORD_KEYS)
    return few__fail(r->ctx, FEW_E_FORMAT, "%s: more than %d keys: this is no log of few", l->place,
                     FEW_RECORD_KEYS);
  FEW_TRY(FEW_GROW(r->ctx, &r->series, r->series.n + 1));
  struct few_series s = {.key = few__strdup(r->ctx, key),
                         .space = few__strdup(r->ctx, l->space),
                         .id = few__strdup(r->ctx, l->id)};
  *out = &r->series.at[r->series.n++];
  **out = s;
  if (!s.key || !s.space || !s.id) return few__fail(r->ctx, FEW_E_MEMORY, "out of memory: log");
  return FEW_OK;
}

static few_status add_point(const struct line *l, const char *key, double value) {
  struct few_series *s;
  few_ctx *ctx = l->r->ctx;
  FEW_TRY(add_series(l, key, &s));
  int cap[3] = {s->cap, s->cap, s->cap};
  FEW_TRY(few__grow(ctx, &s->step, &cap[0], s->n + 1, sizeof *s->step));
  FEW_TRY(few__grow(ctx, &s->seconds, &cap[1], s->n + 1, sizeof *s->seconds));
  FEW_TRY(few__grow(ctx, &s->value, &cap[2], s->n + 1, sizeof *s->value));
  s->cap = cap[0];
  s->step[s->n] = l->step;
  s->seconds[s->n] = l->seconds;
  s->value[s->n++] = value;
  return FEW_OK;
}

static few_status add_value(const struct line *l, const char *key, const json_t *value) {
  char name[160];
  if (json_is_number(value)) return add_point(l, key, json_number_value(value));
  if (json_array_size(value) > FEW_RECORD_ARRAY)
    return few__fail(l->r->ctx, FEW_E_FORMAT, "%s: %.60s has more than %d numbers", l->place, key,
                     FEW_RECORD_ARRAY);
  for (size_t i = 0; i < json_array_size(value); i++) {
    snprintf(name, sizeof name, "%.120s/%zu", key, i);
    const json_t *x = json_array_get(value, i);
    if (json_is_number(x)) FEW_TRY(add_point(l, name, json_number_value(x)));
  }
  return FEW_OK;
}

/* ---- evaluations ---- */

/* Members of an evaluation that are not metrics. */
static bool describes(const char *key) {
  static const char *const keys[] = {"n", "n_reference", "steps", "nfe", "guidance", "seconds"};
  for (int i = 0; i < FEW_COUNT(keys); i++)
    if (!strcmp(key, keys[i])) return true;
  return false;
}

static few_status add_numbers(struct line *l, const json_t *eval, struct few_record_item *item) {
  few_record *r = l->r;
  const char *key;
  const json_t *value;
  char name[160];
  FEW_TRY(FEW_NEW(r->ctx, &item->number, json_object_size(eval) + 1));
  item->public.number = item->number;
  json_object_foreach((json_t *)eval, key, value) { /* which does not change it */
    if (!json_is_number(value) || describes(key)) continue;
    struct few_record_number *to = &item->number[item->public.n_numbers++];
    *to = (struct few_record_number){NULL, json_number_value(value), NAN};
    FEW_TRY(few__record_text(r, &to->name, key));
    snprintf(name, sizeof name, "eval/%.120s", key);
    FEW_TRY(add_point(l, name, to->value));
  }
  return FEW_OK;
}

static few_status add_eval(struct line *l, const json_t *eval) {
  few_record *r = l->r;
  FEW_TRY(FEW_GROW(r->ctx, &r->evals, r->evals.n + 1));
  struct few_record_item *item = &r->evals.at[r->evals.n++];
  *item = (struct few_record_item){.public = {.step = l->step, .complete = true}};
  struct few_record_eval *e = &item->public;
  FEW_TRY(few__record_text(r, &e->features, few__record_string(eval, "features")));
  FEW_TRY(few__record_text(r, &e->reference, few__record_string(eval, "reference")));
  FEW_TRY(few__record_text(r, &e->sampler, few__record_string(eval, "sampler")));
  e->n = few__record_number(eval, "n");
  e->n_reference = few__record_number(eval, "n_reference");
  e->steps = few__record_number(eval, "steps");
  e->nfe = few__record_number(eval, "nfe");
  e->guidance = few__record_number(eval, "guidance");
  e->seconds = few__record_number(eval, "seconds");
  FEW_TRY(few__record_space(r, e, few__record_string(eval, "features_hash"),
                            few__record_string(eval, "reference_hash")));
  l->space = e->space;
  l->id = e->space_id;
  return add_numbers(l, eval, item);
}

/* ---- lines ---- */

/* `seconds` starts again when a run is resumed. */
static void take_time(few_record *r, const json_t *object) {
  const double seconds = few__record_number(object, "seconds");
  if (!isfinite(seconds)) return;
  if (seconds < r->last) r->before += r->last;
  r->last = seconds;
  r->info.seconds = r->before + seconds;
}

static few_status add_line(struct line *l, const json_t *object) {
  few_record *r = l->r;
  const char *key;
  const json_t *value;
  int64_t step;
  FEW_TRY(few__json_int(r->ctx, l->place, object, "step", 0, INT64_MAX, &step));
  take_time(r, object);
  l->step = r->info.step = (double)step;
  l->seconds = r->before + r->last;
  const json_t *eval = json_object_get(object, "eval");
  if (json_is_object(eval)) return add_eval(l, eval);
  if (json_object_get(object, "event")) return FEW_OK;
  json_object_foreach((json_t *)object, key, value) { /* which does not change it */
    if (strcmp(key, "step") != 0) FEW_TRY(add_value(l, key, value));
  }
  return FEW_OK;
}

few_status few__record_lines(few_record *r, const char *place, const char *text, size_t n) {
  const char *end = text + n, *nl;
  few_status st = FEW_OK;
  int64_t count = 0;
  for (const char *at = text; !st && (nl = memchr(at, '\n', (size_t)(end - at))); at = nl + 1) {
    char name[4200];
    json_t *object;
    snprintf(name, sizeof name, "%s line %" PRId64, place, ++count);
    struct line line = {.r = r, .place = name, .space = "", .id = ""};
    st = few__json_parse(r->ctx, &object, name, at, (size_t)(nl - at));
    if (st) break;
    st = add_line(&line, object);
    json_decref(object);
  }
  return st;
}

few_status few__record_log(few_record *r, const char *path) {
  char *text;
  size_t n;
  FEW_TRY(few__file_read(r->ctx, &text, &n, path, most_log));
  const few_status st = few__record_lines(r, path, text, n);
  few__free(r->ctx, text);
  return st;
}
