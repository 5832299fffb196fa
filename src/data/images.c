/* images.c - see images.h.
 *
 * A limit keeps the class shares of the set, and a broken image is replaced by the next one of its
 * class, so labels are known before any image is decoded. The first good image decides the size.
 * Decoded images may come from the cache instead.
 */
#include "images.h"

#include <stdlib.h>

#include "image.h"

few_status few__images_add(struct few_images *s, char *path, int32_t label,
                           const struct stat *about) {
  few_status st = path ? FEW_GROW(s->d->ctx, s, s->n + 1)
                       : few__fail(s->d->ctx, FEW_E_MEMORY, "out of memory for a path");
  if (st)
    few__free(s->d->ctx, path);
  else
    s->at[s->n++] = (struct few_images_file){path, label, *about};
  return st;
}

/* ---- classes ---- */

few_status few__images_number(struct few_images *s, const int32_t *of, int64_t n) {
  int32_t *number = NULL;
  int64_t classes = 0;
  FEW_TRY(few__data_numbers(s->d->ctx, of, n, &number, &classes));
  for (int i = 0; i < s->n; i++) {
    if (s->at[i].label < 0) continue;
    s->at[i].label = few__data_class_of(number, classes, s->at[i].label);
    if (s->at[i].label < 0) s->at[i].label = FEW_IMAGES_UNKNOWN;
  }
  few_status st = few__data_name_numbers(s->d, number, classes);
  few__free(s->d->ctx, number);
  return st;
}

/* The number that a text is, below 2^31 - 1; -1: it is none. */
static int32_t number_of(const char *text) {
  const size_t n = strspn(text, "0123456789");
  const long long x = n && n < 12 && !text[n] ? strtoll(text, NULL, 10) : -1;
  return x < INT32_MAX ? (int32_t)x : -1;
}

/* Files whose labels are numbers. */
static few_status number_texts(struct few_images *s, const char *const *text) {
  const int64_t classes = s->o->classes;
  int32_t *of;
  int64_t n = 0;
  FEW_TRY(FEW_NEW(s->d->ctx, &of, (classes > s->n ? classes : s->n) + 1));
  for (int i = 0; i < s->n; i++) {
    s->at[i].label = text[i] ? number_of(text[i]) : FEW_IMAGES_BESIDE;
    if (text[i] && !classes) of[n++] = s->at[i].label;
  }
  for (; n < classes; n++) of[n] = (int32_t)n;
  few_status st = few__images_number(s, of, n);
  few__free(s->d->ctx, of);
  return st;
}

static int by_text(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Files whose labels are names. */
static few_status name_texts(struct few_images *s, const char *const *text) {
  few_data *d = s->d;
  const char **name;
  int64_t n = 0, kept = 0;
  few_status st = FEW_OK;
  FEW_TRY(FEW_NEW(d->ctx, &name, s->n ? s->n : 1));
  for (int i = 0; i < s->n; i++)
    if (text[i]) name[n++] = text[i];
  qsort(name, (size_t)n, sizeof *name, by_text);
  for (int64_t i = 0; i < n; i++)
    if (!kept || strcmp(name[kept - 1], name[i]) != 0) name[kept++] = name[i];
  if (kept > FEW_DATA_MAX_CLASSES)
    FEW_GOTO(few__fail(d->ctx, FEW_E_INVALID, "%s has more than %d classes; merge some", d->spec,
                       FEW_DATA_MAX_CLASSES));
  for (int i = 0; i < s->n; i++) {
    const char **at = text[i] ? bsearch(&text[i], name, (size_t)kept, sizeof *name, by_text) : NULL;
    s->at[i].label = at ? (int32_t)(at - name) : FEW_IMAGES_BESIDE;
  }
  d->n_classes = (int)kept;
  d->classes_as_found = true;
  FEW_GOTO(few__data_name_classes(d, name));
out:
  few__free(d->ctx, name);
  return st;
}

few_status few__images_classes(struct few_images *s, const char *const *text) {
  bool numbers = true;
  for (int i = 0; i < s->n && numbers; i++) numbers = !text[i] || number_of(text[i]) >= 0;
  return numbers ? number_texts(s, text) : name_texts(s, text);
}

/* ---- images ---- */

static few_status decode(struct few_images *s, int i, struct few_image *out) {
  struct few_feed from;
  const struct few_image_opts o = {.size = (int)s->o->size,
                                   .c = s->o->channels ? (int)s->o->channels : 3,
                                   .fit = s->o->fit,
                                   .background = s->o->background,
                                   .max_side = FEW_DATA_MAX_SIDE};
  *out = (struct few_image){0};
  FEW_TRY(s->open(s->user, i, &from));
  few_status st = few__image_decode(s->d->ctx, out, &from, &o);
  few__feed_close(&from);
  return st;
}

/* The first good image decides the size and makes room for the others. */
static few_status begin(struct few_images *s, const struct few_images_file *e,
                        const struct few_image *p) {
  few_data *d = s->d;
  assert(!s->first && !d->pixels && d->n == 0);
  s->first = e;
  d->kind = FEW_DATA_IMAGES;
  d->h = p->h;
  d->w = p->w;
  d->c = p->c;
  size_t n = (size_t)(s->o->limit && s->o->limit < s->n ? s->o->limit : s->n);
  d->pixels = few__alloc(d->ctx, few__mul_size(n, few__data_item_bytes(d)));
  if (d->pixels) return FEW_OK;
  return few__fail(d->ctx, FEW_E_MEMORY,
                   "out of memory for %zu images of %dx%dx%d; set a limit or a smaller size", n,
                   d->w, d->h, d->c);
}

/* Why a file has no class. */
static const char *no_class(const struct few_images *s, const struct few_images_file *e) {
  if (e->label == FEW_IMAGES_UNKNOWN && s->o->classes)
    return "has a label that is not below the number of `classes`";
  return e->label == FEW_IMAGES_UNKNOWN ? "has a class that the training part lacks"
         : s->list                      ? "has no label in "
                                        : "is outside the class folders, so it has no class";
}

static few_status add(struct few_images *s, int i) {
  few_data *d = s->d;
  const struct few_images_file *e = &s->at[i];
  struct few_image p = {0};
  if (e->label < 0 && d->labels)
    return few__data_broken(d, s->o, 1, "%s %s%s", e->path, no_class(s, e),
                            e->label == FEW_IMAGES_BESIDE && s->list ? s->list : "");
  few_status st = decode(s, i, &p);
  if (st == FEW_E_MEMORY) return st;
  if (st) return few__data_broken(d, s->o, 1, "%s", few_error(d->ctx));
  if (!s->first) FEW_GOTO(begin(s, e, &p));
  if (p.h != d->h || p.w != d->w) {
    st = few__data_broken(d, s->o, 1,
                          "%s is %dx%d, but %s is %dx%d (give size = N to make all square)",
                          e->path, p.w, p.h, s->first->path, d->w, d->h);
    goto out;
  }
  assert(p.c == d->c && e->label < (d->labels ? d->n_classes : INT32_MAX));
  memcpy(d->pixels + d->n * few_data_item_size(d), p.at, few__data_item_bytes(d));
  if (d->labels) d->labels[d->n] = e->label;
  d->n++;
out:
  few__image_free(d->ctx, &p);
  return st;
}

/* One channel is enough if all images are grey. */
static void drop_colours_if_grey(few_data *d) {
  int64_t pixels = d->n * d->h * d->w;
  assert(d->c == 3);
  for (int64_t i = 0; i < pixels; i++) {
    const uint8_t *p = d->pixels + 3 * i;
    if (p[0] != p[1] || p[1] != p[2]) return;
  }
  for (int64_t i = 0; i < pixels; i++) d->pixels[i] = d->pixels[3 * i];
  d->c = 1;
}

/* Sets left[k] to the number of images of class k that the limit allows. The last entry is for
 * images without a class. */
static few_status share(const struct few_images *s, int64_t *left) {
  const int classes = s->d->n_classes;
  int32_t *label = NULL;
  int64_t *order = NULL;
  few_status st = FEW_OK;
  FEW_GOTO(FEW_NEW(s->d->ctx, &label, s->n));
  FEW_GOTO(FEW_NEW(s->d->ctx, &order, s->n));
  for (int i = 0; i < s->n; i++) label[i] = s->at[i].label < 0 ? -1 : s->at[i].label;
  FEW_GOTO(few__data_spread(s->d->ctx, label, s->n, classes, order));
  for (int64_t i = 0; i < s->n && (!s->o->limit || i < s->o->limit); i++) {
    const int32_t class = label[order[i]];
    left[class < 0 ? classes : class]++;
  }
out:
  few__free(s->d->ctx, label);
  few__free(s->d->ctx, order);
  return st;
}

/* Reads images in order until each class has its share. A broken image is replaced by the next one
 * of its class. */
static few_status read_shares(struct few_images *s, int64_t *left, int32_t *kept) {
  enum { REPORT_EVERY = 256 };
  few_data *d = s->d;
  const double start = few__now();
  for (int i = 0; i < s->n; i++) {
    const int64_t before = d->n;
    const int class = s->at[i].label < 0 ? d->n_classes : s->at[i].label;
    if (!left[class]) continue;
    FEW_TRY(add(s, i));
    left[class] -= d->n - before;
    assert(left[class] >= 0);
    if (d->n > before) kept[before] = i;
    if (i % REPORT_EVERY) continue;
    FEW_TRY(few__progress(
        d->ctx, &(struct few_progress){"reading images", i, s->n, few__now() - start, NULL}));
  }
  return FEW_OK;
}

static few_status read_all(struct few_images *s, int32_t *kept) {
  few_data *d = s->d;
  int64_t *left = NULL;
  FEW_TRY(FEW_NEW(d->ctx, &left, d->n_classes + 1));
  few_status st = share(s, left);
  if (!st) st = read_shares(s, left, kept);
  few__free(d->ctx, left);
  if (!st && d->n && !s->o->channels) drop_colours_if_grey(d);
  return st;
}

static few_status decode_all(struct few_images *s, struct few_cache *cache) {
  few_data *d = s->d;
  const int64_t skipped = d->skipped;
  const double start = few__now();
  int32_t *kept;
  FEW_TRY(FEW_NEW(d->ctx, &kept, s->n ? s->n : 1));
  few_status st = read_all(s, kept);
  if (!st) few__cache_store(d, cache, kept, d->skipped - skipped, few__now() - start, s->o);
  few__free(d->ctx, kept);
  return st;
}

/* Images from the cache get the labels that their files have now. */
few_status few__images_read(struct few_images *s, struct few_cache *cache, size_t shared) {
  few_data *d = s->d;
  int32_t *kept = NULL;
  bool hit = false;
  for (int i = 0; i < s->n; i++)
    few__cache_add(cache, s->at[i].path + shared, s->at[i].label, &s->at[i].about);
  if (d->n_classes) FEW_TRY(FEW_NEW(d->ctx, &d->labels, s->n));
  FEW_TRY(few__cache_load(d, cache, s->n, &kept, &hit));
  for (int64_t i = 0; hit && d->labels && i < d->n; i++) {
    assert(s->at && kept[i] < s->n);
    d->labels[i] = s->at[kept[i]].label;
  }
  few__free(d->ctx, kept);
  return hit ? FEW_OK : decode_all(s, cache);
}

void few__images_free(struct few_images *s) {
  for (int i = 0; i < s->n; i++) few__free(s->d->ctx, s->at[i].path);
  few__free(s->d->ctx, s->at);
}
