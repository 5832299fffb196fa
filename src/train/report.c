/* report.c - see report.h. Metrics are named as in log.jsonl. */
#include "report.h"

#include <math.h>
#include <stdio.h>

void few__report_begin(struct few_trainer_report *r, int64_t step, int64_t steps, double seconds) {
  assert(step >= 0 && seconds >= 0);
  r->public = (struct few_train_report){.step = step,
                                        .steps = steps,
                                        .loss = NAN,
                                        .grad_norm = NAN,
                                        .lr = NAN,
                                        .seconds = seconds,
                                        .metrics = r->metric};
}

static void add(struct few_trainer_report *r, double value, const char *before, const char *name) {
  const int i = r->public.n_metrics++;
  assert(i < FEW_REPORT_METRICS);
  snprintf(r->name[i], sizeof r->name[i], "%s%s", before, name);
  r->metric[i] = (struct few_train_metric){r->name[i], value};
}

static void add_phase(struct few_trainer_report *r, enum few_phase_id phase,
                      const struct few_step_report *s) {
  const bool fake = phase == FEW_PHASE_FAKE;
  if (fake) add(r, s->loss, "fake_", "loss");
  for (int i = 0; i < s->n_terms && s->n_terms > 1; i++)
    add(r, s->term[i], fake ? "fake_loss_" : "loss_", s->term_name[i]);
  for (int i = 0; i < s->n_logs; i++) add(r, s->mean[i], fake ? "fake_" : "", s->name[i]);
}

void few__report_step(struct few_trainer_report *r, const struct few_step *step) {
  static const enum few_phase_id order[] = {FEW_PHASE_FAKE, FEW_PHASE_STUDENT};
  r->public.lr = step->lr;
  r->public.loss = step->loss;
  r->public.grad_norm = step->norm;
  for (int i = 0; i < FEW_COUNT(order); i++)
    if (step->reached[order[i]]) add_phase(r, order[i], &step->report[order[i]]);
}

void few__report_event(struct few_trainer_report *r, const char *event, const char *why) {
  assert(event && why);
  snprintf(r->why, sizeof r->why, "%s", why);
  r->public.event = event;
  r->public.why = r->why;
}
