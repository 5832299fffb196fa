/* json.h - jansson with our errors: parse, fetch a typed member or say what is wrong, print.
 *
 * `place` names the text in messages ("model.safetensors: net"). Fetched strings and values are
 * borrowed from the object. Text is never trusted: depth and duplicate keys are checked.
 */
#ifndef FEW_SRC_IO_JSON_H
#define FEW_SRC_IO_JSON_H

#include <jansson.h>

#include "base/base.h"

/* *out is yours (json_decref), NULL on failure. */
few_status few__json_parse(few_ctx *ctx, json_t **out, const char *place, const char *text,
                           size_t n);
few_status few__json_read(few_ctx *ctx, json_t **out, const char *path, size_t max_bytes);
/* Append the text of a value on one line; members stay in order, reals keep all their bits. */
few_status few__json_text(few_ctx *ctx, const json_t *value, struct few_text *out);

/* Members of an object. A missing one, one of another type or out of range is FEW_E_FORMAT with a
 * sentence. `object` itself may be of any type or NULL. */
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

#endif
