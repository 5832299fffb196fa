/* testing.h - included by every test: cmocka with its headers in order, and a context. */
#ifndef FEW_TESTING_H
#define FEW_TESTING_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "few/base.h"

static inline few_ctx *test_ctx(void) {
  few_ctx *ctx = NULL;
  if (few_ctx_create(&ctx, NULL)) abort();
  return ctx;
}

/* Asserts that a call succeeds; otherwise prints the library's sentence. */
#define assert_ok(ctx, call)                                                      \
  do {                                                                            \
    few_status st_ = (call);                                                      \
    if (st_) fail_msg("%s: %s: %s", #call, few_status_name(st_), few_error(ctx)); \
  } while (0)

/* |a - b| <= tol, with both numbers in the message. */
#define assert_close(a, b, tol)                                                                 \
  do {                                                                                          \
    double a_ = (double)(a), b_ = (double)(b), tol_ = (double)(tol);                            \
    if (!(fabs(a_ - b_) <= tol_))                                                               \
      fail_msg("%s = %.17g, %s = %.17g: differ by %.3g > %.3g", #a, a_, #b, b_, a_ - b_, tol_); \
  } while (0)

#endif
