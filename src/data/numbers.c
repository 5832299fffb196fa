/* numbers.c - the classes of a set, and parts of a set that have items of all classes.
 *
 * A label is an index into a list of classes, and a network has an embedding for each. A class
 * without items would have an untrained embedding, which sampling would use nevertheless.
 * Files may number their classes from 1 or with gaps. So the numbers that occur are sorted and
 * become classes 0, 1, 2 ..., with these numbers as their names. If they are 0 .. n - 1, nothing
 * changes.
 *
 * A limit keeps items of all classes. Item j of the n items of a class has the key j / n. In the
 * order of keys, the first item of every class comes first, and the class shares of every prefix
 * are those of the set, to within one item. The limit keeps such a prefix, in the set's own order.
 */
#include <stdio.h>
#include <stdlib.h>

#include "numbers.h"
#include "reader.h"

/* ---- numbers to classes ---- */

static int by_number(const void *a, const void *b) {
  const int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
  return (x > y) - (x < y);
}

few_status few__data_numbers(few_ctx *ctx, const int32_t *labels, int64_t n, int32_t **out,
                             int64_t *count) {
  int64_t k = 0;
  assert(n >= 0);
  FEW_TRY(FEW_NEW(ctx, out, n));
  memcpy(*out, labels, (size_t)n * sizeof *labels);
  qsort(*out, (size_t)n, sizeof **out, by_number);
  for (int64_t i = 0; i < n; i++)
    if (!k || (*out)[i] != (*out)[k - 1]) (*out)[k++] = (*out)[i];
  *count = k;
  return FEW_OK;
}

int32_t few__data_class_of(const int32_t *number, int64_t n, int32_t label) {
  assert(n >= 0 && (n < 2 || number[0] < number[n - 1])); /* sorted, each once */
  const int32_t *at = bsearch(&label, number, (size_t)n, sizeof label, by_number);
  return at ? (int32_t)(at - number) : -1;
}

few_status few__data_name_numbers(few_data *d, const int32_t *number, int64_t n) {
  assert(n >= 0 && !d->class_name);
  char(*text)[12] = NULL;
  const char **names = NULL;
  few_status st = FEW_OK;
  if (n > FEW_DATA_MAX_CLASSES)
    return few__fail(d->ctx, FEW_E_FORMAT,
                     "%s has %lld different labels, more than %d: are they classes?", d->spec,
                     (long long)n, FEW_DATA_MAX_CLASSES);
  d->n_classes = (int)n;
  if (n == 0 || number[n - 1] == n - 1) return FEW_OK; /* 0 .. n - 1 */
  few__data_note(d, "its labels, %d to %d, are %d classes, named by these numbers", (int)number[0],
                 (int)number[n - 1], (int)n);
  FEW_GOTO(FEW_NEW(d->ctx, &text, n));
  FEW_GOTO(FEW_NEW(d->ctx, &names, n));
  for (int64_t i = 0; i < n; i++) {
    snprintf(text[i], sizeof text[i], "%d", (int)number[i]);
    names[i] = text[i];
  }
  FEW_GOTO(few__data_name_classes(d, names));
out:
  few__free(d->ctx, text);
  few__free(d->ctx, names);
  return st;
}

/* Is a name a decimal number without a sign and leading zeros? */
static bool is_number(const char *name, int32_t *out) {
  char again[12];
  const size_t n = name ? strlen(name) : 0;
  if (n < 1 || n > 9 || strspn(name, "0123456789") != n) return false;
  *out = (int32_t)strtol(name, NULL, 10);
  snprintf(again, sizeof again, "%d", (int)*out);
  return !strcmp(again, name);
}

few_status few__labels_by_number(few_ctx *ctx, const char *const *names, int64_t n_classes,
                                 int32_t *label, int64_t n) {
  int32_t *number = NULL;
  bool all = names != NULL;
  FEW_TRY(FEW_NEW(ctx, &number, n_classes ? n_classes : 1));
  for (int64_t c = 0; c < n_classes && all; c++) all = is_number(names[c], &number[c]);
  for (int64_t i = 0; i < n && all; i++) {
    assert(label[i] < n_classes);
    if (label[i] >= 0) label[i] = number[label[i]];
  }
  few__free(ctx, number);
  return FEW_OK;
}

/* Leaves out classes without items. Their items may have been broken. */
static few_status drop_empty(few_data *d, const int32_t *used, int n) {
  assert(n >= 1 && n <= d->n_classes && used[n - 1] < d->n_classes);
  if (n == d->n_classes) return FEW_OK;
  int first = 0, kept = 0;
  while (first < n && used[first] == first) first++;
  few__log(d->ctx, FEW_LOG_WARN, "%s: class %s%s no usable item and %s left out", d->spec,
           d->class_name[first], d->n_classes - n > 1 ? " and others have" : " has",
           d->n_classes - n > 1 ? "are" : "is");
  for (int64_t i = 0; i < d->n; i++) d->labels[i] = few__data_class_of(used, n, d->labels[i]);
  for (int i = 0; i < d->n_classes; i++) {
    if (kept < n && used[kept] == i) {
      char *name = d->class_name[kept];
      d->class_name[kept++] = d->class_name[i];
      d->class_name[i] = name;
    }
  }
  assert(kept == n);
  for (int i = n; i < d->n_classes; i++) few__free(d->ctx, d->class_name[i]);
  d->n_classes = n;
  return FEW_OK;
}

few_status few__data_settle_classes(few_data *d) {
  int32_t *number = NULL;
  int64_t n = 0;
  if (!d->labels || !d->classes_as_found || d->n == 0) return FEW_OK;
  few_status st = few__data_numbers(d->ctx, d->labels, d->n, &number, &n);
  if (!st && d->class_name) {
    st = drop_empty(d, number, (int)n);
  } else if (!st) {
    st = few__data_name_numbers(d, number, n);
    for (int64_t i = 0; i < d->n; i++) d->labels[i] = few__data_class_of(number, n, d->labels[i]);
  }
  few__free(d->ctx, number);
  return st;
}

/* ---- a part that has items of all classes ---- */

struct place {
  double key;
  int64_t item;
};

static int by_key(const void *a, const void *b) {
  const struct place *x = a, *y = b;
  if (x->key != y->key) return x->key < y->key ? -1 : 1;
  return (x->item > y->item) - (x->item < y->item);
}

few_status few__data_spread(few_ctx *ctx, const int32_t *labels, int64_t n, int n_classes,
                            int64_t *order) {
  int64_t *count = NULL, *seen = NULL;
  struct place *place = NULL;
  few_status st = FEW_OK;
  FEW_GOTO(FEW_NEW(ctx, &count, n_classes + 1)); /* the last is for items without a class */
  FEW_GOTO(FEW_NEW(ctx, &seen, n_classes + 1));
  FEW_GOTO(FEW_NEW(ctx, &place, n));
  for (int64_t i = 0; i < n; i++) {
    assert(labels[i] < n_classes);
    count[labels[i] < 0 ? n_classes : labels[i]]++;
  }
  for (int64_t i = 0; i < n; i++) {
    const int c = labels[i] < 0 ? n_classes : labels[i];
    place[i] = (struct place){(double)seen[c]++ / (double)count[c], i};
  }
  qsort(place, (size_t)n, sizeof *place, by_key);
  for (int64_t i = 0; i < n; i++) order[i] = place[i].item;
out:
  few__free(ctx, count);
  few__free(ctx, seen);
  few__free(ctx, place);
  return st;
}

static int by_item(const void *a, const void *b) {
  const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

few_status few__data_limit(few_data *d, int64_t limit) {
  assert(limit >= 0);
  int64_t *order = NULL;
  if (!limit || d->n <= limit) return FEW_OK;
  if (d->labels) {
    few_status st = FEW_NEW(d->ctx, &order, d->n);
    if (!st) st = few__data_spread(d->ctx, d->labels, d->n, d->n_classes, order);
    if (!st) qsort(order, (size_t)limit, sizeof *order, by_item);
    for (int64_t i = 0; !st && i < limit; i++) few__data_move(d, order[i], i);
    few__free(d->ctx, order);
    FEW_TRY(st);
  }
  d->n = limit;
  return FEW_OK;
}

/* A model can be sampled by class, so each class needs training items. Test sets may lack some. */
few_status few__data_check_classes(few_data *d, const struct few_data_opts *o) {
  int64_t *count = NULL;
  int empty = 0, first = -1;
  if (!d->n_classes || o->split != FEW_DATA_TRAIN) return FEW_OK;
  FEW_TRY(FEW_NEW(d->ctx, &count, d->n_classes));
  for (int64_t i = 0; i < d->n; i++) count[d->labels[i]]++;
  for (int c = d->n_classes - 1; c >= 0; c--)
    if (!count[c]) empty++, first = c;
  few__free(d->ctx, count);
  if (!empty) return FEW_OK;
  const char *name = few_data_class_name(d, first);
  few__log(
      d->ctx, FEW_LOG_WARN,
      "%s: %d of %d classes have no item, the first is %d%s%s%s: a model would sample classes "
      "without training on them; %s",
      d->spec, empty, d->n_classes, first, name ? " (" : "", name ? name : "", name ? ")" : "",
      o->limit && o->limit < d->n_classes ? "give a higher limit" : "give items of all classes");
  return FEW_OK;
}
