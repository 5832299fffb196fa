/* table.c - see table.h. */
#include "table.h"

#include <inttypes.h>
#include <math.h>

#include "io/json.h"

/* Name and value of number i of a report. False if one of them is missing. */
static bool read_number(const json_t *numbers, size_t i, const char **name, double *value) {
  const json_t *all = json_array_get(numbers, i), *x = json_object_get(all, "value");
  *name = json_string_value(json_object_get(all, "name"));
  *value = json_is_number(x) ? json_number_value(x) : (double)NAN;
  return *name && (json_is_number(x) || json_is_null(x));
}

static few_status add(few_ctx *ctx, const struct few_loop_row *row, const json_t *numbers,
                      struct few_text *csv) {
  const size_t n = json_array_size(numbers);
  const char *name;
  double value;
  for (size_t i = 0; i < n; i++)
    if (!read_number(numbers, i, &name, &value))
      return few__fail(ctx, FEW_E_FORMAT,
                       "%s: number %zu has no name or no value: remove the file, and its "
                       "generation is measured again",
                       row->report, i);
  if (row->generation == 1) {
    few__text_add(ctx, csv, "generation,real,synthetic,bias");
    for (size_t i = 0; i < n && read_number(numbers, i, &name, &value); i++)
      few__text_add(ctx, csv, ",%s", name);
    few__text_add(ctx, csv, "\n");
  }
  few__text_add(ctx, csv, "%d,%" PRId64 ",%" PRId64 ",%.6g", row->generation, row->mix.real,
                row->mix.synthetic, row->bias);
  for (size_t i = 0; i < n && read_number(numbers, i, &name, &value); i++)
    few__text_add(ctx, csv, isnan(value) ? ",nan" : ",%.6g", value);
  few__text_add(ctx, csv, "\n");
  return FEW_OK;
}

few_status few__loop_add_row(few_ctx *ctx, const struct few_loop_row *row, struct few_text *csv) {
  json_t *all, *numbers;
  FEW_TRY(few__json_read(ctx, &all, row->report, (size_t)1 << 24));
  few_status st = few__json_array(ctx, row->report, all, "numbers", &numbers);
  if (!st) st = add(ctx, row, numbers, csv);
  json_decref(all);
  return st;
}
