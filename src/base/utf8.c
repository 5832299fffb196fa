/* utf8.c - checks UTF-8 by table 3-7 of Unicode 15: no overlong forms, no surrogates. */
#include "base.h"

size_t few__utf8_length(const void *bytes, size_t n) {
  const unsigned char *p = bytes;
  static const struct {
    unsigned char first, last, low, high, length;
  } rows[] = {
      {0x01, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
      {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
      {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};
  for (int i = 0; i < FEW_COUNT(rows); i++) {
    if (p[0] < rows[i].first || p[0] > rows[i].last) continue;
    size_t length = rows[i].length;
    if (length > n) return 0;
    if (length > 1 && (p[1] < rows[i].low || p[1] > rows[i].high)) return 0;
    for (size_t k = 2; k < length; k++)
      if (p[k] < 0x80 || p[k] > 0xbf) return 0;
    return length;
  }
  return 0;
}

bool few__utf8_valid(const char *text) {
  for (size_t left = strlen(text), k; left; left -= k, text += k)
    if (!(k = few__utf8_length(text, left))) return false;
  return true;
}
