/* json.c - jansson with our errors.
 *
 * Jansson bounds the depth of nesting (2048) and checks UTF-8; we also refuse a key given twice,
 * which readers of JSON disagree about, and a NUL inside a string, which would cut it short.
 *
 * "{}," are three bytes of text and some 300 of memory. So the values are counted before they are
 * made, and a text whose values would fill more than 128 MB is refused: a header of safetensors
 * with 70,000 tensors has room in that.
 */
#include "io/json.h"

#include <inttypes.h>

#include "io/file.h"

enum { MEMORY_MAX = 1 << 27, CONTAINER = 256, MEMBER = 96, ITEM = 64 };

/* What jansson takes for the values of a text, roughly and from above. */
static size_t memory_of(const char *text, size_t n) {
  size_t sum = n;
  bool inside = false; /* a string */
  for (size_t i = 0; i < n; i++) {
    const char c = text[i];
    if (c == '"') inside = !inside;
    if (inside) {
      if (c == '\\') i++;
    } else {
      sum += c == '{' || c == '[' ? CONTAINER : c == ':' ? MEMBER : c == ',' ? ITEM : 0;
    }
  }
  return sum;
}

few_status few__json_parse(few_ctx *ctx, json_t **out, const char *place, const char *text,
                           size_t n) {
  json_error_t e;
  *out = NULL;
  const size_t memory = memory_of(text, n);
  if (memory > MEMORY_MAX)
    return few__fail(
        ctx, FEW_E_FORMAT,
        "%s: its JSON has so many values that they would fill %zu MB, more than %d: is "
        "it the file you meant?",
        place, memory >> 20, MEMORY_MAX >> 20);
  const struct few_locale l = few__locale_begin();
  *out = json_loadb(text, n, JSON_REJECT_DUPLICATES, &e);
  few__locale_end(l);
  if (*out) return FEW_OK;
  if (json_error_code(&e) == json_error_out_of_memory)
    return few__fail(ctx, FEW_E_MEMORY, "%s: out of memory", place);
  return few__fail(ctx, FEW_E_FORMAT, "%s: no valid JSON at line %d, column %d: %s", place, e.line,
                   e.column, e.text);
}

few_status few__json_read(few_ctx *ctx, json_t **out, const char *path, size_t max_bytes) {
  char *text;
  size_t n;
  *out = NULL;
  FEW_TRY(few__file_read(ctx, &text, &n, path, max_bytes));
  few_status st = few__json_parse(ctx, out, path, text, n);
  few__free(ctx, text);
  return st;
}

struct sink {
  few_ctx *ctx;
  struct few_text *out;
};

static int add(const char *bytes, size_t n, void *user) {
  struct sink *s = user;
  if (n > INT32_MAX) return -1;
  few__text_add(s->ctx, s->out, "%.*s", (int)n, bytes);
  return s->out->failed ? -1 : 0;
}

few_status few__json_text(few_ctx *ctx, const json_t *value, struct few_text *out) {
  struct sink s = {ctx, out};
  const struct few_locale l = few__locale_begin();
  const int failed = json_dump_callback(value, add, &s, JSON_COMPACT | JSON_ENCODE_ANY);
  few__locale_end(l);
  if (!failed) return FEW_OK;
  return few__fail(ctx, FEW_E_MEMORY, "out of memory for the text of a JSON value");
}

static const char *type_name(const json_t *v) {
  static const char *const names[] = {"an object", "an array", "a string", "an integer",
                                      "a real",    "true",     "false",    "null"};
  return v ? names[json_typeof(v)] : "missing";
}

static few_status wrong(few_ctx *ctx, const char *place, const char *key, const json_t *v,
                        const char *wanted) {
  return few__fail(ctx, FEW_E_FORMAT, "%s: `%s` is %s, not %s: the file was made by something else",
                   place, key, type_name(v), wanted);
}

few_status few__json_int(few_ctx *ctx, const char *place, const json_t *object, const char *key,
                         int64_t min, int64_t max, int64_t *out) {
  const json_t *v = json_object_get(object, key);
  if (!json_is_integer(v)) return wrong(ctx, place, key, v, "an integer");
  int64_t x = json_integer_value(v);
  if (x < min || x > max)
    return few__fail(ctx, FEW_E_FORMAT,
                     "%s: `%s` is %" PRId64 ", not from %" PRId64 " to %" PRId64
                     ": the file is damaged or newer than this program",
                     place, key, x, min, max);
  *out = x;
  return FEW_OK;
}

few_status few__json_real(few_ctx *ctx, const char *place, const json_t *object, const char *key,
                          double *out) {
  const json_t *v = json_object_get(object, key);
  if (!json_is_number(v)) return wrong(ctx, place, key, v, "a number");
  *out = json_number_value(v);
  return FEW_OK;
}

few_status few__json_bool(few_ctx *ctx, const char *place, const json_t *object, const char *key,
                          bool *out) {
  const json_t *v = json_object_get(object, key);
  if (!json_is_boolean(v)) return wrong(ctx, place, key, v, "true or false");
  *out = json_is_true(v);
  return FEW_OK;
}

few_status few__json_string(few_ctx *ctx, const char *place, const json_t *object, const char *key,
                            const char **out) {
  const json_t *v = json_object_get(object, key);
  if (!json_is_string(v)) return wrong(ctx, place, key, v, "a string");
  *out = json_string_value(v);
  return FEW_OK;
}

few_status few__json_object(few_ctx *ctx, const char *place, const json_t *object, const char *key,
                            json_t **out) {
  json_t *v = json_object_get(object, key);
  if (!json_is_object(v)) return wrong(ctx, place, key, v, "an object");
  *out = v;
  return FEW_OK;
}

few_status few__json_array(few_ctx *ctx, const char *place, const json_t *object, const char *key,
                           json_t **out) {
  json_t *v = json_object_get(object, key);
  if (!json_is_array(v)) return wrong(ctx, place, key, v, "an array");
  *out = v;
  return FEW_OK;
}
