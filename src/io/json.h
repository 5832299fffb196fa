/* json.h - reads JSON through jansson, with few's errors, and writes JSON without it.
 *
 * `place` names the text in error sentences ("model.safetensors: net"). Strings and values that are
 * read are borrowed from the object. Text is not trusted: depth and duplicate keys are checked.
 */
#ifndef FEW_SRC_IO_JSON_H
#define FEW_SRC_IO_JSON_H

#include <jansson.h>

#include "base/base.h"

/* *out is yours (json_decref), NULL on failure. */
few_status few__json_parse(few_ctx *ctx, json_t **out, const char *place, const char *text,
                           size_t n);
few_status few__json_read(few_ctx *ctx, json_t **out, const char *path, size_t max_bytes);
/* Members of an object. FEW_E_FORMAT, with a message, if the member is missing, has another type or
 * is out of range. `object` itself may have any type or be NULL. */
few_status few__json_int(few_ctx *ctx, const char *place, const json_t *object, const char *key,
                         int64_t min, int64_t max, int64_t *out);
few_status few__json_real(few_ctx *ctx, const char *place, const json_t *object, const char *key,
                          double *out);
few_status few__json_bool(few_ctx *ctx, const char *place, const json_t *object, const char *key,
                          bool *out);
few_status few__json_string(few_ctx *ctx, const char *place, const json_t *object, const char *key,
                            const char **out);
few_status few__json_object(few_ctx *ctx, const char *place, const json_t *object, const char *key,
                            json_t **out);
few_status few__json_array(few_ctx *ctx, const char *place, const json_t *object, const char *key,
                           json_t **out);

/* ---- writing ----
 *
 * Each call appends to a text. The value is on one line, without blanks. The writer keeps its first
 * error, so a member cannot be missing unnoticed. Keys are NULL in an array and at the top level.
 * Reals keep all their bits. */
struct few_json {
  few_ctx *ctx;
  struct few_text *out;
  int depth;
  char closing[64];    /* the closing brackets of the open objects and arrays */
  bool more;           /* the next value needs a comma */
  const char *refused; /* key of a value that JSON cannot represent; "": it has no key */
};
struct few_json few__json_begin(few_ctx *ctx, struct few_text *out);
void few__json_open(struct few_json *j, const char *key, char bracket); /* '{' or '[' */
void few__json_close(struct few_json *j);
void few__json_put_string(struct few_json *j, const char *key, const char *text); /* UTF-8 */
void few__json_put_int(struct few_json *j, const char *key, int64_t x);
void few__json_put_real(struct few_json *j, const char *key, double x); /* finite */
void few__json_put_real_or_null(struct few_json *j, const char *key, double x);
void few__json_put_bool(struct few_json *j, const char *key, bool x);
void few__json_put_null(struct few_json *j, const char *key);
/* `text` is JSON that this writer made. */
void few__json_put_raw(struct few_json *j, const char *key, const char *text);
void few__json_put_value(struct few_json *j, const char *key, const json_t *value);
/* Call after every bracket is closed. FEW_E_INVALID for a text that is not UTF-8 or a real that is
 * not finite; FEW_E_MEMORY. The message begins with `place`. */
few_status few__json_end(struct few_json *j, const char *place);

#endif
