/* report.c - numbers with all that they depend on, in memory and as JSON (docs/eval.md). */
#include "report.h"

#include <math.h>
#include <stdio.h>

#include "io/json.h"

few_status few__report_create(few_ctx *ctx, struct few_report_inside **out, int seeds) {
  struct few_report_inside *r = NULL;
  *out = NULL;
  FEW_TRY(FEW_NEW(ctx, &r, 1));
  r->ctx = ctx;
  r->seeds = seeds;
  r->public.inside = r;
  few_status st = FEW_NEW(ctx, &r->each, FEW_EVAL_NUMBERS * seeds);
  if (st) {
    few_eval_report_free(&r->public);
    return st;
  }
  *out = r;
  return FEW_OK;
}

void few_eval_report_free(struct few_eval_report *report) {
  if (!report) return;
  struct few_report_inside *r = report->inside;
  for (int i = 0; i < r->n_texts; i++) few__free(r->ctx, r->text[i]);
  few__free(r->ctx, r->each);
  few__free(r->ctx, r->label_counts);
  few__free(r->ctx, r);
}

few_status few__report_text(struct few_report_inside *r, const char **out, const char *text) {
  assert(r->n_texts < FEW_REPORT_TEXTS);
  char *copy = few__strdup(r->ctx, text ? text : "");
  if (!copy) return few__fail(r->ctx, FEW_E_MEMORY, "out of memory for the report");
  *out = r->text[r->n_texts++] = copy;
  return FEW_OK;
}

void few__report_add(struct few_report_inside *r, int seed, const struct few_metric_value *v) {
  struct few_eval_report *p = &r->public;
  int i = 0;
  while (i < p->n_numbers && strcmp(p->number[i].name, v->name) != 0) i++;
  assert(i < FEW_EVAL_NUMBERS);
  struct few_eval_number *number = &p->number[i];
  double *each = r->each + (int64_t)i * r->seeds;
  if (i == p->n_numbers) p->n_numbers++;
  each[seed] = v->value;
  *number = (struct few_eval_number){.name = v->name,
                                     .value = v->value,
                                     .error = v->error,
                                     .error_of = v->error_of,
                                     .n = v->n,
                                     .n_reference = v->n_ref,
                                     .each = each};
  snprintf(number->how, sizeof number->how, "%s", v->how);
}

void few__report_end(struct few_report_inside *r) {
  struct few_eval_report *p = &r->public;
  const bool inception = !strcmp(p->features, "inception");
  for (int i = 0; i < p->n_numbers; i++) {
    struct few_eval_number *number = &p->number[i];
    if (inception && !strcmp(number->name, "fd")) number->name = "fid";
    if (inception && !strcmp(number->name, "sfd")) number->name = "sfid";
    if (p->seeds == 1) continue;
    few__metric_spread(p->seeds, number->each, &number->value, &number->error);
    number->error_of = "seeds";
  }
}

/* ---- JSON ---- */

/* A NaN, which JSON has not, is null. */
static json_t *real(double x) { return isfinite(x) ? json_real(x) : json_null(); }

static json_t *number_json(const struct few_eval_report *r, const struct few_eval_number *n) {
  json_t *each = json_array();
  for (int k = 0; each && k < r->seeds; k++) json_array_append_new(each, real(n->each[k]));
  return json_pack("{s:s, s:o, s:o, s:s, s:I, s:I, s:s, s:o}", "name", n->name, "value",
                   real(n->value), "error", real(n->error), "error_of", n->error_of, "n",
                   (json_int_t)n->n, "n_reference", (json_int_t)n->n_reference, "how", n->how,
                   "each", each);
}

/* Of samples: whose shares of the classes they have, and how many of each there are. */
static int add_labels(const struct few_eval_report *r, json_t *source) {
  json_t *counts = json_array();
  int failed = !counts;
  for (int64_t i = 0; i < r->classes && !failed; i++)
    failed |= json_array_append_new(counts, json_integer(r->label_counts[i]));
  return failed | json_object_set_new(source, "labels", json_string(r->labels)) |
         json_object_set_new(source, "label_counts", counts);
}

static json_t *source_json(const struct few_eval_report *r) {
  const char *kind = r->model ? "model" : r->points ? "points" : "pictures";
  json_t *s =
      json_pack("{s:s, s:s, s:s, s:I, s:[I,I,I], s:s, s:o, s:s?}", "name", r->source, "kind", kind,
                "hash", r->source_hash, "n", (json_int_t)r->n, "size", (json_int_t)r->h,
                (json_int_t)r->w, (json_int_t)r->c, "rounding", r->rounding, "label",
                r->label < 0 ? json_null() : json_integer(r->label), "label_name", r->label_name);
  if (!s || !r->model) return s;
  if (add_labels(r, s)) {
    json_decref(s);
    return NULL;
  }
  char seed[24]; /* 64 bits are more than JSON's readers keep */
  snprintf(seed, sizeof seed, "%llu", (unsigned long long)r->seed);
  json_t *sampling =
      json_pack("{s:s, s:s, s:i, s:i, s:o, s:o, s:s, s:i}", "sampler", r->sampler, "settings",
                r->settings, "steps", r->steps, "nfe", r->nfe, "flops", real(r->flops), "guidance",
                real(r->guidance), "seed", seed, "seeds", r->seeds);
  if (json_object_set_new(s, "sampling", sampling)) {
    json_decref(s);
    return NULL;
  }
  return s;
}

static json_t *report_json(const struct few_eval_report *r) {
  char version[32];
  snprintf(version, sizeof version, "%d.%d.%d", FEW_VERSION_MAJOR, FEW_VERSION_MINOR,
           FEW_VERSION_PATCH);
  json_t *numbers = json_array();
  for (int i = 0; numbers && i < r->n_numbers; i++)
    json_array_append_new(numbers, number_json(r, &r->number[i]));
  json_t *reference = r->reference ? json_pack("{s:s, s:s, s:I}", "name", r->reference, "hash",
                                               r->reference_hash, "n", (json_int_t)r->n_reference)
                                   : json_null();
  return json_pack("{s:s, s:o, s:o, s:{s:s, s:s, s:I, s:s, s:s}, s:i, s:o, s:o, s:b, s:s}", "few",
                   version, "source", source_json(r), "reference", reference, "features", "name",
                   r->features, "hash", r->features_hash, "dim", (json_int_t)r->dim, "resize",
                   r->resize, "trained_on", r->trained_on, "bootstrap", r->bootstrap, "numbers",
                   numbers, "seconds", real(r->seconds), "complete", r->complete, "missing",
                   r->missing);
}

few_status few_eval_json(few_ctx *ctx, const struct few_eval_report *r, char **out) {
  struct few_text text = {0};
  json_t *j = report_json(r);
  *out = NULL;
  if (!j || json_array_size(json_object_get(j, "numbers")) != (size_t)r->n_numbers) {
    json_decref(j);
    return few__fail(ctx, FEW_E_MEMORY, "no JSON of the report: out of memory, or no UTF-8 in %s",
                     r->source);
  }
  few_status st = few__json_text(ctx, j, &text);
  json_decref(j);
  if (!st && text.failed) st = few__fail(ctx, FEW_E_MEMORY, "out of memory for the report");
  if (st) {
    few__text_free(ctx, &text);
    return st;
  }
  *out = text.at;
  return FEW_OK;
}
