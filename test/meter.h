/* meter.h - an allocator that counts live blocks and can be made to fail. One thread at a time. */
#ifndef FEW_TEST_METER_H
#define FEW_TEST_METER_H

#include <limits.h>

#include "testing.h"

struct meter {
  long left; /* number of allocations that succeed before one fails */
  long live;
  bool once; /* only one allocation fails, later ones do not */
};

static inline void *meter_alloc(void *user, size_t n) {
  struct meter *m = user;
  long left = m->left--;
  if (left == 0 || (left < 0 && !m->once)) return NULL;
  void *p = malloc(n);
  m->live += p != NULL;
  return p;
}

static inline void meter_release(void *user, void *p) {
  struct meter *m = user;
  m->live--;
  free(p);
}

#endif
