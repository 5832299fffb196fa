/* mix.c - see mix.h. */
#include "mix.h"

struct few_loop_mix few__loop_mix(enum few_loop_kind kind, int generation, int64_t n_real,
                                  int64_t n_synthetic) {
  assert(generation >= 1);
  struct few_loop_mix m = {.real = n_real, .synthetic = generation > 1 ? n_synthetic : 0};
  if (kind == FEW_LOOP_FRESH) m.first = (generation - 1) * n_real;
  if (kind == FEW_LOOP_SYNTHETIC && generation > 1) m.real = 0;
  return m;
}
