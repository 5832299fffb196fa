/* multistep.c - see multistep.h. */
#include "multistep.h"

few_status few__multistep(few_ctx *ctx, struct few_sampling *s, const struct few_multistep *m) {
  float *scratch = NULL;
  few_status st = FEW_OK;
  int64_t n = s->rows * s->dims;
  FEW_TRY(FEW_NEW(ctx, &scratch, 3 * n));
  float *F = scratch, *q = scratch + n, *q_before = scratch + 2 * n;
  for (int k = 0; k < s->steps; k++) {
    double from = s->t[k], to = s->t[k + 1];
    FEW_GOTO(s->eval(s->user, s->x, from, from, F));
    few_sampling_line(q, s, m->q(s->sigma_d, from), s->x, F);
    few_sampling_line(s->x, s, few_step_ddim(s->sigma_d, from, to), s->x, F);
    if (k > 0) {
      double w = m->weight(s->t[k - 1], from, to);
      few_sampling_line(q_before, s, (struct few_line){w, -w}, q_before, q);
      few_sampling_line(s->x, s, (struct few_line){1, 1}, s->x, q_before);
    }
    float *swap = q;
    q = q_before;
    q_before = swap;
  }
out:
  few__free(ctx, scratch);
  return st;
}
