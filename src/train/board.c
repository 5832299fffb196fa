/* board.c - see board.h. Lines of the log are read as JSON, so whatever is added to the log is in
 * TensorBoard as well. */
#include "board.h"

#include <stdio.h>

#include "io/events.h"
#include "io/file.h"
#include "io/json.h"
#include "io/png.h"

enum { TAG = 128 };

/* Members of a line that say what was measured, and are the same at each step. */
static bool describes(const char *key) {
  static const char *const keys[] = {"step", "steps", "n", "n_reference", "nfe", "guidance"};
  for (int i = 0; i < FEW_COUNT(keys); i++)
    if (!strcmp(key, keys[i])) return true;
  return false;
}

static void put_members(struct few_events *e, const char *before, const json_t *object);

/* A number as TAG, the numbers of an array as TAG/0, TAG/1 ..., and those of an object as
 * TAG/KEY. */
static void put_value(struct few_events *e, const char *tag, const json_t *value) {
  if (json_is_number(value)) few__events_number(e, tag, json_number_value(value));
  if (json_is_object(value)) put_members(e, tag, value);
  for (size_t i = 0; json_is_array(value) && i < json_array_size(value); i++) {
    char name[TAG];
    snprintf(name, sizeof name, "%.100s/%zu", tag, i);
    if (json_is_number(json_array_get(value, i)))
      few__events_number(e, name, json_number_value(json_array_get(value, i)));
  }
}

static void put_members(struct few_events *e, const char *before, const json_t *object) {
  const char *key;
  const json_t *value;
  json_object_foreach((json_t *)object, key, value) { /* which does not change it */
    char tag[TAG];
    snprintf(tag, sizeof tag, "%s%s%.80s", before, *before ? "/" : "", key);
    if (!describes(key)) put_value(e, tag, value);
  }
}

static few_status put_line(few_ctx *ctx, struct few_events *e, const char *line, size_t n,
                           int64_t after) {
  json_t *object;
  int64_t step;
  FEW_TRY(few__json_parse(ctx, &object, "log.jsonl", line, n));
  few_status st = few__json_int(ctx, "log.jsonl", object, "step", 0, INT64_MAX, &step);
  if (!st && step > after) {
    few__events_begin(e, step);
    put_members(e, "", object);
    st = few__events_end(e);
  }
  json_decref(object);
  return st;
}

/* A line that is not JSON, such as one with a number that is not finite, is left out: it is no
 * reason to stop a run. */
static few_status add_line(few_ctx *ctx, struct few_events *e, const char *line, size_t n,
                           int64_t after) {
  const few_status st = put_line(ctx, e, line, n, after);
  if (st != FEW_E_FORMAT) return st;
  few__log(ctx, FEW_LOG_WARN, "a line is left out of TensorBoard's events: %s", few_error(ctx));
  return FEW_OK;
}

few_status few__board_line(few_ctx *ctx, struct few_events *e, const char *line, size_t n) {
  return add_line(ctx, e, line, n, -1);
}

/* Adds the lines of steps after `last`: the run had no TensorBoard until now, or was killed between
 * a line and its event. */
static few_status add_lines(few_ctx *ctx, struct few_events *e, const char *path, int64_t last) {
  char *text;
  size_t n;
  FEW_TRY(few__file_read(ctx, &text, &n, path, SIZE_MAX / 4));
  few_status st = FEW_OK;
  for (const char *line = text, *end; !st && (end = strchr(line, '\n')); line = end + 1)
    st = add_line(ctx, e, line, (size_t)(end - line), last);
  few__free(ctx, text);
  return st;
}

few_status few__board_open(few_ctx *ctx, struct few_events **out, const char *dir,
                           const char *log_path, int64_t step) {
  int64_t last;
  char *path;
  FEW_TRY(few__path_join(ctx, &path, dir, "events.out.tfevents.few"));
  few_status st = few__events_open(ctx, out, path, step, &last);
  few__free(ctx, path);
  if (!st && few__path_exists(log_path)) st = add_lines(ctx, *out, log_path, last);
  if (!st) return FEW_OK;
  few__events_close(*out);
  *out = NULL;
  return st;
}

few_status few__board_preview(few_ctx *ctx, struct few_events *e, int64_t step, const char *path) {
  char *png;
  size_t n;
  FEW_TRY(few__file_read(ctx, &png, &n, path, SIZE_MAX / 4));
  few_status st = FEW_OK;
  if (few__png_is(png, n)) {
    few__events_begin(e, step);
    few__events_png(e, "preview", png, n);
    st = few__events_end(e);
  } else {
    st = few__fail(ctx, FEW_E_FORMAT, "%s is not a PNG any more: did something replace it?", path);
  }
  few__free(ctx, png);
  return st;
}
