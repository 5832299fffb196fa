/* json.c - prints JSON (RFC 8259). */
#include "json.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>

static void quoted(FILE *out, const char *text) {
  fputc('"', out);
  for (; *text; text++) {
    unsigned char c = (unsigned char)*text;
    if (c == '"' || c == '\\')
      fprintf(out, "\\%c", c);
    else if (c < 0x20)
      fprintf(out, "\\u%04x", c);
    else
      fputc(c, out);
  }
  fputc('"', out);
}

static void begin(struct json *j, const char *key) {
  assert(!key == (!j->depth || j->at[j->depth - 1].close == ']')); /* members have keys */
  if (j->depth > 0) {
    if (j->at[j->depth - 1].some) fputs(", ", j->out);
    j->at[j->depth - 1].some = true;
  }
  if (!key) return;
  quoted(j->out, key);
  fputs(": ", j->out);
}

void json_open(struct json *j, const char *key, char bracket) {
  assert(j->depth < JSON_DEPTH && (bracket == '{' || bracket == '['));
  begin(j, key);
  fputc(bracket, j->out);
  j->at[j->depth].close = bracket == '{' ? '}' : ']';
  j->at[j->depth++].some = false;
}

void json_close(struct json *j) {
  assert(j->depth > 0);
  fputc(j->at[--j->depth].close, j->out);
  if (j->depth == 0) fputc('\n', j->out);
}

void json_text(struct json *j, const char *key, const char *value) {
  begin(j, key);
  if (value)
    quoted(j->out, value);
  else
    fputs("null", j->out);
}

void json_int(struct json *j, const char *key, int64_t value) {
  begin(j, key);
  fprintf(j->out, "%" PRId64, value);
}

void json_seed(struct json *j, const char *key, uint64_t value) {
  begin(j, key);
  fprintf(j->out, "%" PRIu64, value);
}

void json_number(struct json *j, const char *key, double value) {
  begin(j, key);
  if (isfinite(value))
    fprintf(j->out, "%.9g", value);
  else
    fputs("null", j->out);
}

void json_bool(struct json *j, const char *key, bool value) {
  begin(j, key);
  fputs(value ? "true" : "false", j->out);
}
