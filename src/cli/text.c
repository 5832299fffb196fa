/* text.c - prints text from files safely on a terminal. */
#include <stdarg.h>
#include <stdlib.h>

#include "cli.h"

/* Is this a control character: of ASCII, or one of the second set (C2 80 to C2 9F in UTF-8)? */
static bool controls(const unsigned char *s) {
  if (s[0] == 0xc2) return s[1] >= 0x80 && s[1] < 0xa0;
  return (s[0] < 0x20 && s[0] != '\n') || s[0] == 0x7f;
}

void cli_say(FILE *out, const char *text) {
  for (const unsigned char *s = (const unsigned char *)text; *s; s++) {
    if (!controls(s)) {
      fputc(*s, out);
      continue;
    }
    fputc('?', out);
    s += *s == 0xc2;
  }
}

void cli_vsay(FILE *out, const char *fmt, va_list args) {
  va_list again;
  va_copy(again, args);
  int n = vsnprintf(NULL, 0, fmt, again);
  va_end(again);
  char *text = n < 0 ? NULL : malloc((size_t)n + 1);
  if (text && vsnprintf(text, (size_t)n + 1, fmt, args) == n)
    cli_say(out, text);
  else
    cli_say(out, "out of memory for a message");
  free(text);
}
