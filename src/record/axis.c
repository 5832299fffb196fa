/* axis.c - see axis.h. Ticks of a linear axis are multiples of 1, 2 or 5 times a power of ten, of
 * which there are about five. Those of a logarithmic axis are powers of ten, and 2 and 5 times
 * these if there are few of them. */
#include "axis.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/base.h"

static const double room = 0.04; /* of the range, on both sides */

static void linear_ticks(struct few_axis *a) {
  const double raw = (a->high - a->low) / 5, power = pow(10, floor(log10(raw))), f = raw / power;
  const double step = (f < 1.5 ? 1 : f < 3.5 ? 2 : f < 7.5 ? 5 : 10) * power;
  const double first = ceil(a->low / step - 1e-9);
  for (int i = 0; a->n < FEW_AXIS_TICKS; i++) {
    const double tick = (first + i) * step;
    if (tick > a->high + 1e-9 * step) break;
    a->tick[a->n++] = tick + 0.0; /* not -0 */
  }
}

/* Multiples by `factor` of every stride-th power of ten. */
static void powers(struct few_axis *a, double factor, int stride) {
  const int first = (int)floor(log10(a->low)) - 1, last = (int)ceil(log10(a->high));
  for (int k = first; k <= last; k++) {
    const double x = factor * pow(10, k);
    const bool chosen = ((k % stride) + stride) % stride == 0;
    if (chosen && x >= a->low && x <= a->high && a->n < FEW_AXIS_TICKS) a->tick[a->n++] = x;
  }
}

static void log_ticks(struct few_axis *a) {
  const double decades = log10(a->high) - log10(a->low);
  powers(a, 1, 1 + (int)(decades / 7));
  if (decades < 3.5) powers(a, 2, 1);
  if (decades < 3.5) powers(a, 5, 1);
  if (a->n >= 3) return;
  a->n = 0;
  linear_ticks(a);
}

static struct few_axis make(double least, double most, bool log, double around) {
  struct few_axis a = {.log = log, .low = least, .high = most};
  assert(fabs(least) <= FEW_AXIS_MOST && fabs(most) <= FEW_AXIS_MOST && least <= most);
  assert(!log || least >= 1 / FEW_AXIS_MOST);
  if (log) {
    const double factor = pow(10, fmin(fmax(around * (log10(most) - log10(least)), 0.0005), 1));
    a.low /= factor;
    a.high *= factor;
    log_ticks(&a);
    return a;
  }
  const double span = most - least, least_span = 1e-6 * fmax(fabs(most), fabs(least));
  const double more = span > least_span ? around * span : fmax(0.05 * fabs(most), 1e-3);
  a.low = least >= 0 && least < more ? 0 : least - more;
  a.high = most + more;
  linear_ticks(&a);
  return a;
}

struct few_axis few__axis(double least, double most, bool log) {
  return make(least, most, log, room);
}

struct few_axis few__axis_tight(double least, double most) {
  return make(least, most, false, 0);
}

double few__axis_at(const struct few_axis *a, double x) {
  if (a->log) return (log(x) - log(a->low)) / (log(a->high) - log(a->low));
  return (x - a->low) / (a->high - a->low);
}

void few__axis_label(char out[32], double x) {
  static const struct {
    double unit;
    const char *name;
  } units[] = {{1e9, "G"}, {1e6, "M"}, {1e3, "k"}};
  char *e, *digits;
  for (int i = 0; i < FEW_COUNT(units); i++)
    if (fabs(x) >= units[i].unit && fabs(x) >= 1e4 && fabs(x) < 1e12) {
      few__print(out, 32, "%.5g%s", x / units[i].unit, units[i].name);
      return;
    }
  few__print(out, 32, "%.5g", x);
  e = strchr(out, 'e');
  if (!e) return;
  digits = e + 1 + (e[1] == '-' || e[1] == '+'); /* 1e-05 becomes 1e-5, 1e+15 becomes 1e15 */
  char *to = e[1] == '-' ? e + 2 : e + 1;
  while (*digits == '0' && digits[1]) digits++;
  memmove(to, digits, strlen(digits) + 1);
}
