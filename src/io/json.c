/* json.c - JSON: reading through jansson, with few's errors, and a writer of few's own.
 *
 * Jansson limits the depth of nesting (2048) and checks UTF-8. Refused as well are a key given
 * twice, which readers of JSON treat differently, and a NUL inside a string, which would truncate
 * it.
 *
 * "{}," is three bytes of text and some 300 of memory. So the memory of the values is estimated
 * before they are parsed, and a text that needs more than 128 MB is refused. That is enough for a
 * safetensors header with 70,000 tensors.
 */
#include "json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "file.h"

enum { MEMORY_MAX = 1 << 27, CONTAINER = 256, MEMBER = 96, ITEM = 64 };

/* A rough upper bound on the memory that jansson needs for the values of a text. */
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
  return few__fail(ctx, FEW_E_FORMAT, "%s: invalid JSON at line %d, column %d: %s", place, e.line,
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

static const char *type_name(const json_t *v) {
  static const char *const names[] = {"an object", "an array", "a string", "an integer",
                                      "a real",    "true",     "false",    "null"};
  return v ? names[json_typeof(v)] : "missing";
}

static few_status wrong(few_ctx *ctx, const char *place, const char *key, const json_t *v,
                        const char *wanted) {
  return few__fail(ctx, FEW_E_FORMAT,
                   "%s: `%s` is %s, not %s: the file was made by another program", place, key,
                   type_name(v), wanted);
}

few_status few__json_int(few_ctx *ctx, const char *place, const json_t *object, const char *key,
                         int64_t min, int64_t max, int64_t *out) {
  assert(min <= max);
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

/* ---- writing ---- */

struct few_json few__json_begin(few_ctx *ctx, struct few_text *out) {
  return (struct few_json){.ctx = ctx, .out = out};
}

/* Writes a string in quotes, with escapes for characters that JSON does not allow in it. */
static void put_quoted(struct few_json *j, const char *text) {
  assert(few__utf8_valid(text));
  static const char special[] = "\"\\\b\f\n\r\t", letter[] = "\"\\bfnrt";
  few__text_add(j->ctx, j->out, "\"");
  for (const char *from = text;; text++) {
    const unsigned char c = (unsigned char)*text;
    const char *at = c ? strchr(special, c) : NULL;
    if (c >= 0x20 && !at) continue;
    if (text > from) few__text_add(j->ctx, j->out, "%.*s", (int)(text - from), from);
    from = text + 1;
    if (!c) break;
    if (at)
      few__text_add(j->ctx, j->out, "\\%c", letter[at - special]);
    else
      few__text_add(j->ctx, j->out, "\\u%04X", (unsigned)c);
  }
  few__text_add(j->ctx, j->out, "\"");
}

static bool storable(struct few_json *j, const char *key, const char *text) {
  if (strlen(text) < INT32_MAX && few__utf8_valid(text)) return true;
  if (!j->refused) j->refused = key ? key : "";
  return false;
}

/* Writes the comma and the key that precede a value. */
static void put_key(struct few_json *j, const char *key) {
  assert(!key == (!j->depth || j->closing[j->depth - 1] == ']')); /* members have keys */
  if (j->more) few__text_add(j->ctx, j->out, ",");
  j->more = true;
  if (!key || !storable(j, "a key", key)) return;
  put_quoted(j, key);
  few__text_add(j->ctx, j->out, ":");
}

void few__json_open(struct few_json *j, const char *key, char bracket) {
  assert(j->depth < (int)sizeof j->closing && (bracket == '{' || bracket == '['));
  put_key(j, key);
  few__text_add(j->ctx, j->out, "%c", bracket);
  j->closing[j->depth++] = bracket == '{' ? '}' : ']';
  j->more = false;
}

void few__json_close(struct few_json *j) {
  assert(j->depth > 0);
  few__text_add(j->ctx, j->out, "%c", j->closing[--j->depth]);
  j->more = true;
}

void few__json_put_string(struct few_json *j, const char *key, const char *text) {
  put_key(j, key);
  if (storable(j, key, text)) put_quoted(j, text);
}

void few__json_put_int(struct few_json *j, const char *key, int64_t x) {
  put_key(j, key);
  few__text_add(j->ctx, j->out, "%" PRId64, x);
}

/* Reals have a point or an exponent. Exponents have neither a plus sign nor leading zeros. */
void few__json_put_real(struct few_json *j, const char *key, double x) {
  char text[40];
  put_key(j, key);
  if (!isfinite(x)) {
    if (!j->refused) j->refused = key ? key : "";
    return;
  }
  few__print(text, sizeof text, "%.17g", x);
  char *e = strchr(text, 'e');
  if (e) {
    char *to = e + 1, *from = to;
    if (*from == '-') to = ++from;
    while (*from == '+' || *from == '0') from++;
    memmove(to, from, strlen(from) + 1);
  }
  few__text_add(j->ctx, j->out, strpbrk(text, ".e") ? "%s" : "%s.0", text);
}

void few__json_put_real_or_null(struct few_json *j, const char *key, double x) {
  if (isfinite(x))
    few__json_put_real(j, key, x);
  else
    few__json_put_null(j, key);
}

void few__json_put_bool(struct few_json *j, const char *key, bool x) {
  put_key(j, key);
  few__text_add(j->ctx, j->out, x ? "true" : "false");
}

void few__json_put_null(struct few_json *j, const char *key) {
  put_key(j, key);
  few__text_add(j->ctx, j->out, "null");
}

void few__json_put_raw(struct few_json *j, const char *key, const char *text) {
  put_key(j, key);
  few__text_add(j->ctx, j->out, "%s", text);
}

static void put_members(struct few_json *j, const json_t *object) {
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)(uintptr_t)object, key, value) {
    few__json_put_value(j, key, value);
  }
}

void few__json_put_value(struct few_json *j, const char *key, const json_t *value) {
  const bool object = json_is_object(value), list = json_is_array(value);
  if (object || list) {
    if (j->depth == (int)sizeof j->closing) {
      if (!j->refused) j->refused = key ? key : "";
      return;
    }
    few__json_open(j, key, object ? '{' : '[');
    if (object) put_members(j, value);
    for (size_t i = 0; list && i < json_array_size(value); i++)
      few__json_put_value(j, NULL, json_array_get(value, i));
    few__json_close(j);
  } else if (json_is_string(value)) {
    few__json_put_string(j, key, json_string_value(value));
  } else if (json_is_integer(value)) {
    few__json_put_int(j, key, json_integer_value(value));
  } else if (json_is_real(value)) {
    few__json_put_real(j, key, json_real_value(value));
  } else if (json_is_boolean(value)) {
    few__json_put_bool(j, key, json_is_true(value));
  } else {
    few__json_put_null(j, key);
  }
}

few_status few__json_end(struct few_json *j, const char *place) {
  assert(j->depth == 0);
  if (j->out->failed)
    return few__fail(j->ctx, FEW_E_MEMORY, "%s: out of memory for its text", place);
  if (!j->refused) return FEW_OK;
  return few__fail(j->ctx, FEW_E_INVALID,
                   "%s: `%.100s` cannot be stored: names must be UTF-8 and numbers finite", place,
                   j->refused);
}
