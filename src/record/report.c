/* report.c - reads a report of few eval --json (docs/eval.md). */
#include <math.h>

#include "record.h"

static few_status text(few_record *r, const char **out, const json_t *object, const char *key) {
  return few__record_text(r, out, few__record_string(object, key));
}

static few_status read_source(few_record *r, const json_t *source, struct few_record_eval *e) {
  const json_t *sampling = json_object_get(source, "sampling");
  FEW_TRY(text(r, &r->info.source, source, "name"));
  FEW_TRY(text(r, &r->info.net, source, "net"));
  FEW_TRY(text(r, &r->info.objective, source, "objective"));
  r->info.step = e->step = few__record_number(source, "step");
  e->n = few__record_number(source, "n");
  FEW_TRY(text(r, &e->sampler, sampling, "sampler"));
  e->steps = few__record_number(sampling, "steps");
  e->nfe = few__record_number(sampling, "nfe");
  e->guidance = few__record_number(sampling, "guidance");
  return FEW_OK;
}

static few_status read_space(few_record *r, const json_t *report, struct few_record_eval *e) {
  const json_t *features = json_object_get(report, "features");
  const json_t *reference = json_object_get(report, "reference");
  FEW_TRY(text(r, &e->features, features, "name"));
  FEW_TRY(text(r, &e->reference, reference, "name"));
  e->n_reference = few__record_number(reference, "n");
  return few__record_space(r, e, few__record_string(features, "hash"),
                           few__record_string(reference, "hash"));
}

few_status few__record_report(few_record *r, const char *place, const json_t *report) {
  json_t *numbers, *source;
  if (few__json_array(r->ctx, place, report, "numbers", &numbers) ||
      few__json_object(r->ctx, place, report, "source", &source))
    return few__fail(r->ctx, FEW_E_FORMAT,
                     "%s is no report of few eval --json: give one, a run, or a log (.jsonl)",
                     place);
  FEW_TRY(FEW_GROW(r->ctx, &r->evals, 1));
  struct few_record_item *item = &r->evals.at[r->evals.n++];
  *item = (struct few_record_item){.public = {.complete = true}};
  struct few_record_eval *e = &item->public;
  r->info.report = true;
  FEW_TRY(read_source(r, source, e));
  FEW_TRY(read_space(r, report, e));
  e->seconds = few__record_number(report, "seconds");
  e->complete = !json_is_false(json_object_get(report, "complete"));
  FEW_TRY(FEW_NEW(r->ctx, &item->number, json_array_size(numbers) + 1));
  e->number = item->number;
  for (size_t i = 0; i < json_array_size(numbers); i++) {
    const json_t *x = json_array_get(numbers, i);
    if (!*few__record_string(x, "name")) continue;
    struct few_record_number *to = &item->number[e->n_numbers++];
    *to = (struct few_record_number){NULL, few__record_number(x, "value"),
                                     few__record_number(x, "error")};
    FEW_TRY(text(r, &to->name, x, "name"));
  }
  return FEW_OK;
}
