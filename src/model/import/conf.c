/* conf.c - members of a configuration: known ones only, each with its type and range.
 *
 * A member that few does not know might change what the network computes, so it is refused and not
 * ignored. */
#include <inttypes.h>

#include "layout.h"

#define OTHER "few does not know it: use a newer few, or import a model without it"

/* The value as JSON, without blanks, in few's own way of writing. */
static few_status value_text(few_ctx *ctx, const char *place, const json_t *value,
                             struct few_text *out) {
  struct few_json j = few__json_begin(ctx, out);
  few__json_put_value(&j, NULL, value);
  return few__json_end(&j, place);
}

/* Is `text` one of "a|b|c"? */
static bool one_of(const char *text, const char *values) {
  const size_t n = strlen(text);
  for (const char *at = values; *at; at += *at == '|') {
    const size_t len = strcspn(at, "|");
    if (len == n && !memcmp(at, text, n)) return true;
    at += len;
  }
  return false;
}

static few_status check_value(few_ctx *ctx, const struct few_conf *c, const char *key,
                              const json_t *value, const char *values) {
  struct few_text t = {0};
  few_status st = value_text(ctx, c->place, value, &t);
  if (!st && !one_of(t.at, values))
    st = few__fail(ctx, FEW_E_UNSUPPORTED,
                   "%s: `%s` is %.80s, but few can import only %s: import a model that has this",
                   c->place, key, t.at, values);
  few__text_free(ctx, &t);
  return st;
}

few_status few__conf_check(few_ctx *ctx, const struct few_conf *c, const struct few_conf_key *table,
                           int n) {
  const char *key;
  json_t *value;
  json_object_foreach(c->all, key, value) {
    int i = 0;
    if (key[0] == '_') continue;
    while (i < n && strcmp(table[i].key, key) != 0) i++;
    if (i == n)
      return few__fail(ctx, FEW_E_UNSUPPORTED, "%s: member `%.100s`: " OTHER, c->place, key);
    if (table[i].kind == FEW_KEY_ONLY)
      FEW_TRY(check_value(ctx, c, table[i].key, value, table[i].values));
  }
  return FEW_OK;
}

static bool absent(const struct few_conf *c, const char *key) {
  const json_t *v = json_object_get(c->all, key);
  return !v || json_is_null(v);
}

few_status few__conf_int(few_ctx *ctx, const struct few_conf *c, const char *key, int64_t min,
                         int64_t max, int64_t otherwise, int64_t *out) {
  *out = otherwise;
  if (absent(c, key)) return FEW_OK;
  return few__json_int(ctx, c->place, c->all, key, min, max, out);
}

few_status few__conf_real(few_ctx *ctx, const struct few_conf *c, const char *key, double otherwise,
                          double *out) {
  *out = otherwise;
  if (absent(c, key)) return FEW_OK;
  return few__json_real(ctx, c->place, c->all, key, out);
}

few_status few__conf_bool(few_ctx *ctx, const struct few_conf *c, const char *key, bool otherwise,
                          bool *out) {
  *out = otherwise;
  if (absent(c, key)) return FEW_OK;
  return few__json_bool(ctx, c->place, c->all, key, out);
}

few_status few__conf_string(few_ctx *ctx, const struct few_conf *c, const char *key,
                            const char *otherwise, const char **out) {
  *out = otherwise;
  if (absent(c, key)) return FEW_OK;
  return few__json_string(ctx, c->place, c->all, key, out);
}

few_status few__conf_ints(few_ctx *ctx, const struct few_conf *c, const char *key, int min,
                          struct few_int_list *out) {
  const json_t *list = json_object_get(c->all, key);
  if (absent(c, key)) return FEW_OK;
  const size_t n = json_array_size(list);
  bool fine = json_is_array(list) && n >= (size_t)min && n <= FEW_COUNT(out->at);
  for (size_t i = 0; fine && i < n; i++) {
    out->at[i] = json_integer_value(json_array_get(list, i));
    fine = out->at[i] >= 1 && out->at[i] < 1 << 20;
  }
  out->n = (int)n;
  if (fine) return FEW_OK;
  return few__fail(ctx, FEW_E_FORMAT,
                   "%s: `%s` is not a list of %d to %d integers above 0: fetch it again", c->place,
                   key, min, FEW_COUNT(out->at));
}
