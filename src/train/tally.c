/* tally.c - see tally.h. Numbers of the fake network have `fake_` before their names. */
#include "tally.h"

#include <inttypes.h>
#include <math.h>

void few__tally_add(struct few_tally *t, enum few_phase_id phase, const struct few_step_report *r,
                    double norm) {
  struct few_step_report *sum = &t->sum[phase];
  t->n[phase]++;
  t->norm[phase] += norm;
  sum->loss += r->loss;
  sum->n_terms = r->n_terms;
  sum->n_logs = r->n_logs;
  sum->timed = r->timed;
  for (int i = 0; i < r->n_terms; i++) {
    sum->term_name[i] = r->term_name[i];
    sum->term[i] += r->term[i];
  }
  for (int i = 0; i < r->n_logs; i++) {
    sum->name[i] = r->name[i];
    sum->mean[i] += r->mean[i];
  }
  for (int b = 0; b < FEW_TIME_BUCKETS; b++) {
    sum->by_time[b] += r->by_time[b];
    sum->in_bucket[b] += r->in_bucket[b];
  }
}

void few__tally_balance(struct few_tally *t, int n, const double *factor) {
  t->balanced = true;
  for (int i = 0; i < n; i++) t->factor[i] += factor[i];
}

static void put_phase(few_ctx *ctx, struct few_text *line, const struct few_tally *t, int phase) {
  const struct few_step_report *r = &t->sum[phase];
  const char *before = phase == FEW_PHASE_FAKE ? "fake_" : "";
  const double n = (double)t->n[phase];
  for (int i = 0; i < r->n_terms && r->n_terms > 1; i++)
    few__text_add(ctx, line, ",\"%sloss_%s\":%.9g", before, r->term_name[i], r->term[i] / n);
  for (int i = 0; i < r->n_terms && t->balanced && !phase; i++)
    few__text_add(ctx, line, ",\"factor_%s\":%.9g", r->term_name[i], t->factor[i] / n);
  for (int i = 0; i < r->n_logs; i++)
    few__text_add(ctx, line, ",\"%s%s\":%.9g", before, r->name[i], r->mean[i] / n);
  if (!r->n_logs || !r->timed) return;
  few__text_add(ctx, line, ",\"%s%s_by_time\":[", before, r->name[0]);
  for (int b = 0; b < FEW_TIME_BUCKETS; b++) {
    int64_t in = r->in_bucket[b];
    few__text_add(ctx, line, b ? ",%.6g" : "%.6g", in ? r->by_time[b] / (double)in : 0);
  }
  few__text_add(ctx, line, "]");
}

few_status few__tally_write(few_ctx *ctx, const struct few_tally *t, struct few_journal *journal,
                            int64_t step, int64_t batch, double lr, double seconds) {
  struct few_text line = {0};
  const double n = (double)t->n[FEW_PHASE_STUDENT], now = few__now();
  if (n == 0) return FEW_OK;
  few__text_add(ctx, &line, "{\"step\":%" PRId64 ",\"loss\":%.9g,\"grad_norm\":%.9g,\"lr\":%.9g",
                step, t->sum[0].loss / n, t->norm[0] / n, lr);
  if (t->gauged && isfinite(t->to_teacher))
    few__text_add(ctx, &line, ",\"to_teacher\":%.6g", t->to_teacher);
  put_phase(ctx, &line, t, FEW_PHASE_STUDENT);
  if (t->n[FEW_PHASE_FAKE]) {
    const double m = (double)t->n[FEW_PHASE_FAKE];
    few__text_add(ctx, &line, ",\"fake_loss\":%.9g,\"fake_grad_norm\":%.9g",
                  t->sum[FEW_PHASE_FAKE].loss / m, t->norm[FEW_PHASE_FAKE] / m);
    put_phase(ctx, &line, t, FEW_PHASE_FAKE);
  }
  few__text_add(ctx, &line, ",\"rows_per_second\":%.4g,\"seconds\":%.3f}",
                n * (double)batch / (now - t->logged_at), seconds);
  few_status st = line.failed ? few__fail(ctx, FEW_E_MEMORY, "out of memory: log")
                              : few__journal_line(ctx, journal, line.at);
  few__text_free(ctx, &line);
  return st;
}

void few__tally_clear(struct few_tally *t) { *t = (struct few_tally){.logged_at = few__now()}; }
