/* axis.h - an axis of a plot: its range, and ticks at round numbers. */
#ifndef FEW_SRC_RECORD_AXIS_H
#define FEW_SRC_RECORD_AXIS_H

#include <stdbool.h>
#include <stddef.h>

enum { FEW_AXIS_TICKS = 16 };
#define FEW_AXIS_MOST 1e300 /* so that differences are finite */
struct few_axis {
  bool log;
  double low, high; /* low < high; positive if log */
  int n;
  double tick[FEW_AXIS_TICKS];
};

/* The range of values from `least` to `most`, with some room around them. They are at most
 * FEW_AXIS_MOST in size and, if log, at least its inverse. */
struct few_axis few__axis(double least, double most, bool log);
/* The same without room: the range ends at the values. */
struct few_axis few__axis_tight(double least, double most);
/* 0 at low, 1 at high. */
double few__axis_at(const struct few_axis *a, double x);
/* "0.5", "20k", "1e-5". */
void few__axis_label(char out[32], double x);

#endif
