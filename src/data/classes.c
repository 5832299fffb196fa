/* classes.c - see classes.h. */
#include "classes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/base.h"

static const char *data_name(const void *of, int64_t label) {
  return few_data_class_name(of, (int)label);
}

struct few_classes few__data_classes(const few_data *data, const char *whose) {
  return (struct few_classes){few_data_n_classes(data), data_name, data, whose};
}

static const char *name_of(const struct few_classes *c, int64_t label) {
  assert(label >= 0 && label < c->n);
  const char *name = c->name ? c->name(c->of, label) : NULL;
  return name && *name ? name : NULL;
}

/* The index of the class with this name; -1: there is none. */
static int64_t find_name(const struct few_classes *c, const char *word) {
  for (int64_t i = 0; i < c->n; i++) {
    const char *name = name_of(c, i);
    if (name && !strcmp(name, word)) return i;
  }
  return -1;
}

static bool digits(const char *word) { return *word && !word[strspn(word, "0123456789")]; }

/* The number that a word spells; -1: it is not one of 0 .. n - 1. */
static int32_t number_below(const char *word, int64_t n) {
  errno = 0;
  const long long number = digits(word) ? strtoll(word, NULL, 10) : -1;
  return errno || number >= n ? -1 : (int32_t)number;
}

static void add_name(char *list, size_t size, const struct few_classes *c, int64_t label) {
  const size_t n = strlen(list);
  const char *name = name_of(c, label);
  if (name)
    snprintf(list + n, size - n, "%s%.30s", n ? ", " : "", name);
  else
    snprintf(list + n, size - n, "%s%lld", n ? ", " : "", (long long)label);
}

enum { LISTED = 12, LIST = LISTED * 40 };

/* "cat, dog, ..." */
static void list_names(char list[LIST], const struct few_classes *c) {
  *list = 0;
  for (int64_t i = 0; i < c->n && i < LISTED; i++) add_name(list, LIST, c, i);
  const size_t n = strlen(list);
  if (c->n > LISTED) snprintf(list + n, LIST - n, ", ...");
}

static bool all_named(const struct few_classes *c) {
  for (int64_t i = 0; i < c->n; i++)
    if (!name_of(c, i)) return false;
  return c->n > 0;
}

static bool all_numbers(const struct few_classes *c) {
  for (int64_t i = 0; i < c->n; i++)
    if (!digits(name_of(c, i))) return false;
  return true;
}

/* Are the names of all classes numbers? Then a number is a name and not an index: with names 1, 2
 * and 3 there is no class 0. */
static bool numbered(const struct few_classes *c) { return all_named(c) && all_numbers(c); }

few_status few__class_find(few_ctx *ctx, const struct few_classes *c, const char *word,
                           int32_t *out) {
  char list[LIST];
  *out = (int32_t)find_name(c, word);
  if (*out < 0 && !numbered(c)) *out = number_below(word, c->n);
  assert(*out < c->n || !c->n);
  if (*out >= 0) return FEW_OK;
  if (!c->n)
    return few__fail(ctx, FEW_E_INVALID, "label %.60s: %s has no classes: give no label", word,
                     c->whose);
  list_names(list, c);
  if (numbered(c))
    return few__fail(ctx, FEW_E_INVALID,
                     "label %.60s is not a class of %s, whose classes are %s: give one of them",
                     word, c->whose, list);
  return few__fail(
      ctx, FEW_E_INVALID,
      "label %.60s is not a class of %s: give a name or a number from 0 to %lld; it has %s", word,
      c->whose, (long long)(c->n - 1), list);
}

/* How two sets are compared. If labels in a file are not 0 .. n - 1, their numbers are the names of
 * the classes. If the other set has no names, its class numbers are compared with these. */
enum by { BY_PLACE, BY_NAME, BY_NUMBER };

static enum by way(const struct few_classes *a, const struct few_classes *b) {
  const bool named[] = {all_named(a), all_named(b)};
  if (named[0] && named[1]) return BY_NAME;
  return numbered(a) || numbered(b) ? BY_NUMBER : BY_PLACE;
}

/* The class of `to` that corresponds to a class of `from`; -1: there is none. */
static int32_t same_class(const struct few_classes *from, int64_t label,
                          const struct few_classes *to, enum by by) {
  char number[24];
  const char *name = name_of(from, label);
  snprintf(number, sizeof number, "%lld", (long long)label);
  if (by == BY_PLACE) return label < to->n ? (int32_t)label : -1;
  if (by == BY_NUMBER && !all_named(to)) return number_below(name ? name : number, to->n);
  if (!name) name = number;
  if (label < to->n && !strcmp(name, name_of(to, label))) return (int32_t)label;
  return (int32_t)find_name(to, name);
}

static few_status differ(few_ctx *ctx, const struct few_classes *from, const struct few_classes *to,
                         enum by by, const char *remedy) {
  char have[LIST], needed[LIST];
  list_names(have, from);
  list_names(needed, to);
  if (by == BY_PLACE)
    return few__fail(ctx, FEW_E_INVALID, "%s has %lld classes and %s has %lld: %s", from->whose,
                     (long long)from->n, to->whose, (long long)to->n, remedy);
  return few__fail(ctx, FEW_E_INVALID, "the classes of %s (%s) are not those of %s (%s): %s",
                   from->whose, have, to->whose, needed, remedy);
}

few_status few__class_same(few_ctx *ctx, const struct few_classes *from, int64_t label,
                           const struct few_classes *to, const char *remedy, int32_t *out) {
  const enum by by = way(from, to);
  assert(label >= 0);
  *out = label < from->n ? same_class(from, label, to, by) : (int32_t)label;
  return *out >= 0 ? FEW_OK : differ(ctx, from, to, by, remedy);
}

few_status few__classes_map(few_ctx *ctx, const struct few_classes *from,
                            const struct few_classes *to, const char *remedy, int32_t *map) {
  const enum by by = way(from, to);
  for (int64_t i = 0; i < from->n; i++) {
    map[i] = same_class(from, i, to, by);
    if (map[i] < 0) return differ(ctx, from, to, by, remedy);
  }
  return FEW_OK;
}

few_status few__classes_in_order(few_ctx *ctx, const struct few_classes *a,
                                 const struct few_classes *b, const char *remedy) {
  const enum by by = way(a, b);
  if (!a->n || !b->n) return FEW_OK;
  for (int64_t i = 0; i < a->n || i < b->n; i++) {
    if (i < a->n && i < b->n && same_class(a, i, b, by) == i) continue;
    return differ(ctx, a, b, by, remedy);
  }
  return FEW_OK;
}

void few__data_count(const few_data *data, const int32_t *map, int64_t classes, int64_t *out) {
  assert(classes >= 0);
  memset(out, 0, (size_t)classes * sizeof *out);
  for (int64_t i = 0; i < few_data_n(data); i++) {
    const int32_t label = few_data_label(data, i);
    const int32_t to = label >= 0 && map ? map[label] : label;
    if (to >= 0 && to < classes && out[to] < INT32_MAX) out[to]++;
  }
}
