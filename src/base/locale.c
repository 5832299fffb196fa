/* locale.c - numbers as text, always with a decimal point.
 *
 * The program that uses the library may have set a locale whose decimal point is a comma, or has
 * several bytes. printf and strtod follow it, and a log with "loss":0,954 is not JSON. POSIX lets a
 * thread choose a locale of its own. The C locale takes no memory and cannot be missing.
 */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

#include "base.h"

struct few_locale few__locale_begin(void) {
  struct few_locale l = {newlocale(LC_ALL_MASK, "C", (locale_t)0), (locale_t)0};
  assert(l.plain);
  l.before = uselocale(l.plain);
  return l;
}

void few__locale_end(struct few_locale l) {
  uselocale(l.before);
  freelocale(l.plain);
}

int few__vprint(char *out, size_t size, const char *fmt, va_list args) {
  const struct few_locale l = few__locale_begin();
  const int n = vsnprintf(out, size, fmt, args);
  few__locale_end(l);
  return n;
}

int few__print(char *out, size_t size, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  const int n = few__vprint(out, size, fmt, args);
  va_end(args);
  return n;
}

double few__strtod(const char *text, char **end) {
  const struct few_locale l = few__locale_begin();
  const double x = strtod(text, end);
  few__locale_end(l);
  return x;
}
