/* reading.c - functions for all readers: broken items, labels, notes, names of classes, lists of
 * paths.
 */
#include <stdio.h>

#include "io/gzip.h"
#include "reader.h"

few_status few__data_broken(few_data *d, const struct few_data_opts *o, int64_t items,
                            const char *fmt, ...) {
  enum { LISTED = 50 };
  char why[8192]; /* a path may be long */
  assert(items > 0);
  va_list args;
  va_start(args, fmt);
  few__vprint(why, sizeof why, fmt, args);
  va_end(args);
  if (o->on_error == FEW_DATA_REFUSE)
    return few__fail(d->ctx, FEW_E_FORMAT,
                     "%s; fix it, or leave it out with on_error (in a recipe data_on_error) = skip",
                     why);
  if (d->skipped < LISTED) few__log(d->ctx, FEW_LOG_WARN, "skipped: %s", why);
  if (d->skipped < LISTED && d->skipped + items >= LISTED)
    few__log(d->ctx, FEW_LOG_WARN, "skipped: further broken items of %s are counted but not listed",
             d->spec);
  d->skipped += items;
  return FEW_OK;
}

void few__data_move(few_data *d, int64_t from, int64_t to) {
  assert(0 <= to && to <= from);
  assert(from == to || !d->borrowed);
  if (from == to) return;
  size_t size = few__data_item_bytes(d);
  char *base = d->kind == FEW_DATA_IMAGES ? (char *)d->pixels : (char *)d->points;
  memcpy(base + (size_t)to * size, base + (size_t)from * size, size);
  if (d->labels) d->labels[to] = d->labels[from];
}

few_status few__data_check_labels(few_data *d, const struct few_data_opts *o, const char *file,
                                  int n_classes) {
  const int classes = n_classes ? n_classes : o->classes ? (int)o->classes : INT32_MAX;
  int64_t kept = 0;
  for (int64_t i = 0; i < d->n; i++) {
    int32_t label = d->labels[i];
    if (label < 0 || label >= classes) {
      FEW_TRY(few__data_broken(d, o, 1, "%s: label %d of item %lld is outside 0..%d", file,
                               (int)label, (long long)i, classes - 1));
      continue;
    }
    few__data_move(d, i, kept++);
  }
  d->n = kept;
  d->classes_as_found = classes == INT32_MAX;
  d->n_classes = d->classes_as_found ? 1 : classes;
  return FEW_OK;
}

few_status few__data_no_split(few_data *d, const struct few_data_opts *o) {
  if (o->split == FEW_DATA_TRAIN) return FEW_OK;
  return few__fail(
      d->ctx, FEW_E_UNSUPPORTED,
      "%s has no test split; name the test files in the spec instead, or hold a part of "
      "it out of training (data_holdout = 0.1, --holdout 0.1)",
      d->spec);
}

void few__data_note(few_data *d, const char *fmt, ...) {
  char text[8192];
  va_list args;
  va_start(args, fmt);
  few__vprint(text, sizeof text, fmt, args);
  va_end(args);
  few__text_add(d->ctx, &d->note, "%s%s", d->note.len ? "; " : "", text);
}

/* The sentence shows bytes of the name that are not ASCII as \xNN. */
static few_status refuse_name(few_data *d, const char *name) {
  char shown[256];
  size_t n = 0;
  for (; *name && n + 5 < sizeof shown; name++)
    n += (size_t)snprintf(shown + n, sizeof shown - n,
                          (unsigned char)*name < 0x80 ? "%c" : "\\x%02x", (unsigned char)*name);
  return few__fail(d->ctx, FEW_E_FORMAT,
                   "%s: the name of class %s is not UTF-8, so no model could store it: rename it",
                   d->spec, shown);
}

few_status few__data_name_classes(few_data *d, const char *const *names) {
  for (int i = 0; i < d->n_classes; i++)
    if (!few__utf8_valid(names[i])) return refuse_name(d, names[i]);
  FEW_TRY(FEW_NEW(d->ctx, &d->class_name, d->n_classes));
  for (int i = 0; i < d->n_classes; i++) {
    d->class_name[i] = few__strdup(d->ctx, names[i]);
    if (!d->class_name[i])
      return few__fail(d->ctx, FEW_E_MEMORY, "out of memory for the names of classes");
  }
  return FEW_OK;
}

few_status few__data_split_paths(few_data *d, const char *list, struct few_data_paths *out) {
  for (const char *p = list;;) {
    size_t len = strcspn(p, ",");
    if (len == 0)
      return few__fail(d->ctx, FEW_E_INVALID, "%s: a path in the list is empty; %s", d->spec,
                       "write FILE or FILE,FILE after the colon");
    FEW_TRY(FEW_GROW(d->ctx, out, out->n + 1));
    char *s = few__alloc(d->ctx, len + 1);
    if (!s) return few__fail(d->ctx, FEW_E_MEMORY, "out of memory for a path of %zu bytes", len);
    memcpy(s, p, len);
    s[len] = '\0';
    out->at[out->n++] = s;
    if (!p[len]) return FEW_OK;
    p += len + 1;
  }
}

void few__data_free_paths(few_ctx *ctx, struct few_data_paths *p) {
  for (int i = 0; i < p->n; i++) few__free(ctx, p->at[i]);
  few__free(ctx, p->at);
  *p = (struct few_data_paths){0};
}

few_status few__data_read_bytes(few_data *d, const char *path, uint8_t **out, size_t *n) {
  char *text = NULL;
  FEW_TRY(few__gzip_read(d->ctx, &text, n, path, FEW_DATA_MAX_BYTES));
  *out = (uint8_t *)text;
  return FEW_OK;
}
