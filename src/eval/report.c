/* report.c - numbers, with everything on which they depend, in memory and as JSON
 * (docs/eval.md). */
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
  r->room = few__metric_count(ctx) * FEW_METRIC_VALUES;
  few_status st = FEW_NEW(ctx, &r->each, (int64_t)r->room * seeds);
  if (!st) st = FEW_NEW(ctx, &r->number, r->room);
  r->public.number = r->number;
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
  few__free(r->ctx, r->number);
  few__free(r->ctx, r->label_counts);
  few__free(r->ctx, r);
}

few_status few__report_text(struct few_report_inside *r, const char **out, const char *text) {
  assert(out && r->n_texts < FEW_REPORT_TEXTS);
  char *copy = few__strdup(r->ctx, text ? text : "");
  if (!copy) return few__fail(r->ctx, FEW_E_MEMORY, "out of memory for the report");
  *out = r->text[r->n_texts++] = copy;
  return FEW_OK;
}

void few__report_add(struct few_report_inside *r, int seed, const struct few_metric_value *v) {
  assert(seed >= 0 && seed < r->seeds && v->name && v->error_of);
  struct few_eval_report *p = &r->public;
  int i = 0;
  while (i < p->n_numbers && strcmp(p->number[i].name, v->name) != 0) i++;
  assert(i < r->room);
  struct few_eval_number *number = &r->number[i];
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
  assert(p->features && p->seeds >= 1 && p->seeds <= r->seeds);
  const bool inception = !strcmp(p->features, "inception");
  for (int i = 0; i < p->n_numbers; i++) {
    struct few_eval_number *number = &r->number[i];
    if (inception && !strcmp(number->name, "fd")) number->name = "fid";
    if (inception && !strcmp(number->name, "sfd")) number->name = "sfid";
    if (p->seeds == 1) continue;
    few__metric_spread(p->seeds, number->each, &number->value, &number->error);
    number->error_of = "seeds";
  }
}

const char *few_eval_labels_text(const char *labels) {
  static const char *const all[][2] = {
      {"reference", "as often as in the reference"},
      {"training data", "as often as in the training data"},
      {"even", "equally often"},
      {"unknown",
       "equally often, because neither reference nor model file has the shares of the classes"}};
  for (int i = 0; i < FEW_COUNT(all); i++)
    if (!strcmp(labels, all[i][0])) return all[i][1];
  return "";
}

/* ---- JSON ---- */

/* NaN, which JSON does not have, is written as null. */
static void put_number(struct few_json *j, const struct few_eval_report *r,
                       const struct few_eval_number *n) {
  few__json_open(j, NULL, '{');
  few__json_put_string(j, "name", n->name);
  few__json_put_real_or_null(j, "value", n->value);
  few__json_put_real_or_null(j, "error", n->error);
  few__json_put_string(j, "error_of", n->error_of);
  few__json_put_int(j, "n", n->n);
  few__json_put_int(j, "n_reference", n->n_reference);
  few__json_put_string(j, "how", n->how);
  few__json_open(j, "each", '[');
  for (int k = 0; k < r->seeds; k++) few__json_put_real_or_null(j, NULL, n->each[k]);
  few__json_close(j);
  few__json_close(j);
}

/* Puts where the shares of the classes come from, and the number of samples of each class. */
static void put_labels(struct few_json *j, const struct few_eval_report *r) {
  few__json_put_string(j, "labels", r->labels);
  few__json_open(j, "label_counts", '[');
  for (int64_t i = 0; i < r->classes; i++) few__json_put_int(j, NULL, r->label_counts[i]);
  few__json_close(j);
}

static void put_sampling(struct few_json *j, const struct few_eval_report *r) {
  char seed[24]; /* written as a string, since readers of JSON may keep fewer than 64 bits */
  snprintf(seed, sizeof seed, "%llu", (unsigned long long)r->seed);
  few__json_open(j, "sampling", '{');
  few__json_put_string(j, "sampler", r->sampler);
  few__json_put_string(j, "settings", r->settings);
  few__json_put_int(j, "steps", r->steps);
  few__json_put_int(j, "nfe", r->nfe);
  few__json_put_real_or_null(j, "flops", r->flops);
  few__json_put_real_or_null(j, "guidance", r->guidance);
  few__json_put_string(j, "seed", seed);
  few__json_put_int(j, "seeds", r->seeds);
  few__json_close(j);
}

static void put_source(struct few_json *j, const struct few_eval_report *r) {
  const int64_t size[] = {r->h, r->w, r->c};
  few__json_open(j, "source", '{');
  few__json_put_string(j, "name", r->source);
  few__json_put_string(j, "kind", r->model ? "model" : r->points ? "points" : "images");
  few__json_put_string(j, "hash", r->source_hash);
  few__json_put_int(j, "n", r->n);
  few__json_open(j, "size", '[');
  for (int i = 0; i < FEW_COUNT(size); i++) few__json_put_int(j, NULL, size[i]);
  few__json_close(j);
  few__json_put_string(j, "rounding", r->rounding);
  if (r->label < 0)
    few__json_put_null(j, "label");
  else
    few__json_put_int(j, "label", r->label);
  if (r->label_name)
    few__json_put_string(j, "label_name", r->label_name);
  else
    few__json_put_null(j, "label_name");
  if (r->model) {
    few__json_put_string(j, "net", r->net);
    few__json_put_string(j, "objective", r->objective);
    few__json_put_int(j, "step", r->trained);
    put_labels(j, r);
    put_sampling(j, r);
  }
  few__json_close(j);
}

static void put_reference(struct few_json *j, const struct few_eval_report *r) {
  if (!r->reference) {
    few__json_put_null(j, "reference");
    return;
  }
  few__json_open(j, "reference", '{');
  few__json_put_string(j, "name", r->reference);
  few__json_put_string(j, "hash", r->reference_hash);
  few__json_put_int(j, "n", r->n_reference);
  few__json_close(j);
}

static void put_features(struct few_json *j, const struct few_eval_report *r) {
  few__json_open(j, "features", '{');
  few__json_put_string(j, "name", r->features);
  few__json_put_string(j, "hash", r->features_hash);
  few__json_put_int(j, "dim", r->dim);
  few__json_put_string(j, "resize", r->resize);
  few__json_put_string(j, "trained_on", r->trained_on);
  few__json_close(j);
}

few_status few_eval_json(char **out, few_ctx *ctx, const struct few_eval_report *r) {
  struct few_text text = {0};
  struct few_json j = few__json_begin(ctx, &text);
  *out = NULL;
  few__json_open(&j, NULL, '{');
  few__json_put_string(&j, "few", few_version());
  put_source(&j, r);
  put_reference(&j, r);
  put_features(&j, r);
  few__json_put_int(&j, "bootstrap", r->bootstrap);
  few__json_open(&j, "numbers", '[');
  for (int i = 0; i < r->n_numbers; i++) put_number(&j, r, &r->number[i]);
  few__json_close(&j);
  few__json_put_real_or_null(&j, "seconds", r->seconds);
  few__json_put_bool(&j, "complete", r->complete);
  few__json_put_string(&j, "missing", r->missing);
  few__json_close(&j);
  few_status st = few__json_end(&j, r->source);
  if (!st)
    *out = text.at;
  else
    few__text_free(ctx, &text);
  return st;
}
