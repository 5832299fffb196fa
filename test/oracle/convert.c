/* convert.c - networks of other processes in TrigFlow's terms (Lu and Song, arXiv 2410.11081, eq.
 * 29).
 *
 * TrigFlow's state cos(t) x0 + sigma_d sin(t) eps has the direction of the other
 * process's (alpha', sigma') at t' = time(cos t, sigma_d sin t), and x'_t' = k x_t with
 *
 *   k = sqrt((alpha' sigma_d)^2 + sigma'^2)/sigma_d.
 *
 * The output is p x0 + q eps with (p, q) taken at (alpha', sigma'); with TrigFlow's own
 * state as the second mix, predict.h gives F. For EDM this collapses to skip = 0, out = -1.
 */
#include "convert.h"

#include <math.h>

#include "precond.h"

struct to_trig to_trig(const struct few_process *p, enum few_prediction predicts, double sigma_d,
                       double t) {
  struct few_mix state = few__process_trigflow.at(sigma_d, t);
  struct to_trig c = {.t = p->time(sigma_d, state)};
  struct few_mix foreign = p->at(sigma_d, c.t);
  c.state = hypot(foreign.x0, foreign.eps / sigma_d);
  c.in_scale = c.state * p->net_scale(sigma_d, c.t);
  c.net_time = p->net_time(sigma_d, c.t);
  struct few_line f = predict_convert(state, few__predict_mix(predicts, sigma_d, foreign),
                                      few__predict_mix(FEW_PREDICT_F, sigma_d, state));
  c.skip = f.x;
  c.out = f.y;
  return c;
}
