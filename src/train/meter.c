/* meter.c - see meter.h. Metrics of the fake network have the prefix `fake_`. */
#include "meter.h"

#include <inttypes.h>
#include <math.h>

void few__meter_add(struct few_meter *m, enum few_phase_id phase, const struct few_step_report *r,
                    double norm) {
  struct few_step_report *sum = &m->sum[phase];
  assert(phase < FEW_PHASES && r->n_terms <= FEW_MAX_TERMS && r->n_logs <= FEW_MAX_LOGS);
  m->n[phase]++;
  m->norm[phase] += norm;
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

void few__meter_balance(struct few_meter *m, int n, const double *factor) {
  assert(n > 1 && n <= FEW_MAX_TERMS);
  m->balanced = true;
  for (int i = 0; i < n; i++) m->factor[i] += factor[i];
}

static void put_phase(few_ctx *ctx, struct few_text *line, const struct few_meter *m, int phase) {
  const struct few_step_report *r = &m->sum[phase];
  const char *before = phase == FEW_PHASE_FAKE ? "fake_" : "";
  const double n = (double)m->n[phase];
  for (int i = 0; i < r->n_terms && r->n_terms > 1; i++)
    few__text_add(ctx, line, ",\"%sloss_%s\":%.9g", before, r->term_name[i], r->term[i] / n);
  for (int i = 0; i < r->n_terms && m->balanced && !phase; i++)
    few__text_add(ctx, line, ",\"factor_%s\":%.9g", r->term_name[i], m->factor[i] / n);
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

few_status few__meter_write(few_ctx *ctx, const struct few_meter *m, struct few_run_log *log,
                            int64_t step, int64_t batch, double lr, double seconds) {
  struct few_text line = {0};
  const double n = (double)m->n[FEW_PHASE_STUDENT], now = few__now();
  if (n == 0) return FEW_OK;
  few__text_add(ctx, &line, "{\"step\":%" PRId64 ",\"loss\":%.9g,\"grad_norm\":%.9g,\"lr\":%.9g",
                step, m->sum[0].loss / n, m->norm[0] / n, lr);
  if (m->gauged && isfinite(m->to_teacher))
    few__text_add(ctx, &line, ",\"to_teacher\":%.6g", m->to_teacher);
  put_phase(ctx, &line, m, FEW_PHASE_STUDENT);
  if (m->n[FEW_PHASE_FAKE]) {
    const double fakes = (double)m->n[FEW_PHASE_FAKE];
    few__text_add(ctx, &line, ",\"fake_loss\":%.9g,\"fake_grad_norm\":%.9g",
                  m->sum[FEW_PHASE_FAKE].loss / fakes, m->norm[FEW_PHASE_FAKE] / fakes);
    put_phase(ctx, &line, m, FEW_PHASE_FAKE);
  }
  few__text_add(ctx, &line, ",\"rows_per_second\":%.4g,\"seconds\":%.3f}",
                n * (double)batch / (now - m->logged_at), seconds);
  few_status st = line.failed ? few__fail(ctx, FEW_E_MEMORY, "out of memory: log")
                              : few__run_log_line(ctx, log, line.at);
  few__text_free(ctx, &line);
  return st;
}

void few__meter_clear(struct few_meter *m) { *m = (struct few_meter){.logged_at = few__now()}; }
