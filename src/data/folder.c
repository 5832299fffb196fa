/* folder.c - a folder of PNG, JPEG and WebP files.
 *
 *   DIR/class/.../x.png   each sub-folder of DIR is a class, with the files at any depth below it
 *   DIR/x.png             if no sub-folder has images, there are no labels
 *   DIR/dataset.json      labels as the tools of EDM write them; folders are not classes
 *   x.png                 a file in place of DIR: only that image
 *
 * layout.c finds DIR: the named folder, a part of it, or a folder inside it. All parts use the
 * class list of the training part, so a label means the same in all of them.
 *
 * Files are read in bytewise order of their names, so a set has the same order on every machine.
 * Hidden files and files that operating systems add are skipped silently. Other files that are not
 * images are skipped with a note, and images in formats that few does not read with a warning. Each
 * directory is read once, because symbolic links may form loops.
 */
#include <sys/stat.h>

#include "cache.h"
#include "edm.h"
#include "image.h"
#include "io/file.h"
#include "io/photo.h"
#include "layout.h"
#include "reader.h"

enum { BESIDE = -1, UNKNOWN = -2 };

struct scan {
  few_data *d;
  const struct few_data_opts *o;
  struct entry {
    char *path;
    int32_t label; /* a class; BESIDE: outside the class folders; UNKNOWN: a class not listed */
    struct stat about;
  } * at;
  int n, cap;
  struct {
    struct place {
      dev_t device;
      ino_t inode;
    } * at;
    int n, cap;
  } entered;
  int64_t others;            /* files that are not images */
  int64_t foreign;           /* images in formats that few does not read */
  bool listed;               /* labels come from dataset.json */
  const struct entry *first; /* the image that decided the size */
};

/* Sets *again to true if the directory was visited before; otherwise records the visit. */
static few_status enter(struct scan *s, const struct stat *st, bool *again) {
  *again = false;
  for (int i = 0; i < s->entered.n; i++)
    if (s->entered.at[i].device == st->st_dev && s->entered.at[i].inode == st->st_ino)
      *again = true;
  if (*again) return FEW_OK;
  FEW_TRY(FEW_GROW(s->d->ctx, &s->entered, s->entered.n + 1));
  s->entered.at[s->entered.n++] = (struct place){st->st_dev, st->st_ino};
  return FEW_OK;
}

/* Counts a file that is not read. The first of each kind is named in the log. */
static void skip(struct scan *s, const char *path) {
  few_ctx *ctx = s->d->ctx;
  if (few__photo_foreign(path)) {
    if (!s->foreign++)
      few__log(ctx, FEW_LOG_WARN,
               "%s: few reads only PNG, JPEG and WebP, and skips other images: convert them", path);
  } else if (!s->others++) {
    few__log(ctx, FEW_LOG_INFO, "%s is not an image: skipped", path);
  }
}

static void report_skipped(const struct scan *s, const char *dir) {
  if (s->foreign > 1)
    few__log(s->d->ctx, FEW_LOG_INFO, "%s: %lld images that are neither PNG, JPEG nor WebP skipped",
             dir, (long long)s->foreign);
  if (s->others > 1)
    few__log(s->d->ctx, FEW_LOG_INFO, "%s: %lld files that are not images skipped", dir,
             (long long)s->others);
}

static few_status scan_dir(struct scan *s, const char *dir, int32_t label);

/* Scans a path below DIR: a directory, an image, or a file to skip. Takes ownership of `path`. */
static few_status scan_path(struct scan *s, char *path, int32_t label) {
  few_ctx *ctx = s->d->ctx;
  few_status st = FEW_OK;
  struct stat info;
  bool image = few__photo_named(path);
  if (stat(path, &info)) {
    if (image)
      st = few__data_broken(s->d, s->o, 1, "%s cannot be reached (a link to nowhere?)", path);
    else
      skip(s, path);
  } else if (S_ISDIR(info.st_mode)) {
    st = scan_dir(s, path, label);
  } else if (!S_ISREG(info.st_mode) || !image) {
    skip(s, path);
  } else {
    st = FEW_GROW(ctx, s, s->n + 1);
    if (!st) {
      s->at[s->n++] = (struct entry){path, label, info};
      return FEW_OK;
    }
  }
  few__free(ctx, path);
  return st;
}

static few_status scan_names(struct scan *s, const char *dir, const struct few_names *names,
                             int32_t label) {
  for (int i = 0; i < names->n; i++) {
    char *path = NULL;
    if (few__layout_junk(names->at[i])) continue;
    FEW_TRY(few__path_join(s->d->ctx, &path, dir, names->at[i]));
    FEW_TRY(scan_path(s, path, label));
  }
  return FEW_OK;
}

static few_status scan_dir(struct scan *s, const char *dir, int32_t label) {
  few_ctx *ctx = s->d->ctx;
  struct few_names names = {0};
  struct stat info;
  bool again = false;
  if (stat(dir, &info)) return few__fail(ctx, FEW_E_IO, "%s vanished; try again", dir);
  FEW_TRY(enter(s, &info, &again));
  if (again) {
    few__log(ctx, FEW_LOG_WARN, "%s is a link to a folder that was already read: skipped", dir);
    return FEW_OK;
  }
  few_status st = few__list_dir(ctx, &names, dir);
  if (!st)
    st = scan_names(s, dir, &names, label);
  else if (st != FEW_E_MEMORY)
    st = few__data_broken(s->d, s->o, 1, "%s", few_error(ctx));
  few__names_free(ctx, &names);
  return st;
}

/* Index of a class in a list that is sorted bytewise; UNKNOWN: not in the list. */
static int32_t class_of(const struct few_names *classes, const char *name) {
  assert(classes->n < 2 || strcmp(classes->at[0], classes->at[1]) < 0); /* sorted */
  for (int low = 0, high = classes->n; low < high;) {
    const int middle = low + (high - low) / 2, order = strcmp(classes->at[middle], name);
    if (!order) return middle;
    if (order < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return UNKNOWN;
}

/* Scans DIR. Without `classes`, no image has a class. Otherwise each folder in DIR is a class, of
 * all images at any depth below it, and images outside these folders have none. */
static few_status scan_root(struct scan *s, const struct few_layout *l,
                            const struct few_names *classes) {
  few_ctx *ctx = s->d->ctx;
  struct few_names names = {0};
  struct stat info;
  bool again;
  few_status st = FEW_OK;
  FEW_GOTO(few__list_dir(ctx, &names, l->dir));
  if (stat(l->dir, &info)) FEW_GOTO(few__fail(ctx, FEW_E_IO, "%s vanished; try again", l->dir));
  FEW_GOTO(enter(s, &info, &again));
  for (int i = 0; i < names.n; i++) {
    char *path = NULL;
    if (few__layout_junk(names.at[i])) continue;
    FEW_GOTO(few__path_join(ctx, &path, l->dir, names.at[i]));
    const bool class = classes->n && few__path_is_dir(path);
    FEW_GOTO(scan_path(s, path, class ? class_of(classes, names.at[i]) : BESIDE));
  }
  report_skipped(s, l->dir);
out:
  few__names_free(ctx, &names);
  return st;
}

/* The number at the end of a file's name: 17 for "a/img00000017.png"; -1: there is none. */
static int64_t number_of(const char *path) {
  const char *dot = strrchr(path, '.'), *p = dot;
  int64_t number = 0, unit = 1;
  while (p > path && p[-1] >= '0' && p[-1] <= '9' && dot - p < 15) {
    number += unit * (*--p - '0');
    unit *= 10;
  }
  return p == dot ? -1 : number;
}

/* True if the folders are probably not classes, but pieces of one sequence: they have numbers as
 * names and equally many files (the last may have fewer), and the numbers of the files continue
 * from folder to folder. */
static bool looks_cut(const struct scan *s, const struct few_names *folders) {
  int64_t each = 0;
  for (int i = 0; i < folders->n; i++)
    if (strspn(folders->at[i], "0123456789") != strlen(folders->at[i])) return false;
  while (each < s->n && s->at[each].label == 0) each++;
  if (folders->n < 2 || each < 2) return false;
  const int64_t first = number_of(s->at[0].path);
  for (int i = 0; i < s->n; i++)
    if (s->at[i].label != i / each || number_of(s->at[i].path) != first + i) return false;
  return first >= 0;
}

/* Scans a set whose folders are classes. The training part, if there is one, has the list of
 * classes. */
static few_status scan_classes(struct scan *s, const struct few_layout *l) {
  few_data *d = s->d;
  /* a part without class folders has no labels, even if the training part has some */
  const struct few_names *classes = l->train && l->folders.n ? &l->classes : &l->folders;
  if (l->train && l->classes.n && !l->folders.n)
    few__data_note(d, "this part has no class folders, so no labels");
  if (classes->n > FEW_DATA_MAX_CLASSES)
    return few__fail(d->ctx, FEW_E_INVALID, "%s has more than %d class folders; merge some", l->dir,
                     FEW_DATA_MAX_CLASSES);
  FEW_TRY(scan_root(s, l, classes));
  if (looks_cut(s, classes))
    few__log(d->ctx, FEW_LOG_WARN,
             "%s: its folders %s, %s ... look like pieces of one sequence, but are read as "
             "classes. If they are not classes, set labels = no or write labels to a dataset.json",
             d->spec, classes->at[0], classes->at[1]);
  d->n_classes = classes->n;
  d->classes_as_found = !l->train;
  return classes->n ? few__data_name_classes(d, (const char *const *)classes->at) : FEW_OK;
}

/* Makes classes of the numbers in dataset.json. `of` is the list that decides which classes there
 * are: that of the training part if it has labels, otherwise that of this part. */
static few_status number_entries(struct scan *s, const struct few_edm *of) {
  int32_t *label = NULL, *number = NULL;
  int64_t n = 0;
  few_status st = FEW_OK;
  FEW_GOTO(FEW_NEW(s->d->ctx, &label, of->n ? of->n : 1));
  for (int i = 0; i < of->n; i++) label[i] = of->at[i].label;
  FEW_GOTO(few__data_numbers(s->d->ctx, label, of->n, &number, &n));
  for (int i = 0; i < s->n; i++) {
    if (s->at[i].label < 0) continue;
    s->at[i].label = few__data_class_of(number, n, s->at[i].label);
    if (s->at[i].label < 0) s->at[i].label = UNKNOWN;
  }
  FEW_GOTO(few__data_name_numbers(s->d, number, n));
out:
  few__free(s->d->ctx, label);
  few__free(s->d->ctx, number);
  return st;
}

/* Scans a set with a dataset.json. Labels, if any, come from it, and folders are not classes. */
static few_status scan_listed(struct scan *s, const struct few_layout *l,
                              const struct few_edm *list) {
  const struct few_names none = {0};
  struct few_edm train = {0};
  FEW_TRY(scan_root(s, l, &none));
  few__data_note(s->d, list->kind == FEW_EDM_LABELLED
                           ? "labels come from dataset.json, so folders are not classes"
                           : "dataset.json has no labels, and folders are not classes");
  if (list->kind != FEW_EDM_LABELLED) return FEW_OK;
  for (int i = 0; i < s->n; i++) {
    const char *path = s->at[i].path + strlen(l->dir);
    s->at[i].label = few__edm_label(list, path + strspn(path, "/"));
  }
  if (l->train) FEW_TRY(few__edm_read(s->d->ctx, &train, l->train));
  few_status st = number_entries(s, train.kind == FEW_EDM_LABELLED ? &train : list);
  few__edm_free(s->d->ctx, &train);
  s->listed = true;
  return st;
}

/* Scans a part without a dataset.json whose training part has one. Folders are not classes in
 * either. */
static few_status scan_unlisted(struct scan *s, const struct few_layout *l) {
  const struct few_names none = {0};
  few__data_note(s->d, "the training part has a dataset.json and this part has none, so no labels");
  return scan_root(s, l, &none);
}

static few_status scan_layout(struct scan *s, const struct few_layout *l) {
  struct few_edm list, train = {.kind = FEW_EDM_NONE};
  few_status st = few__edm_read(s->d->ctx, &list, l->dir);
  if (!st && l->train && !list.kind) st = few__edm_read(s->d->ctx, &train, l->train);
  if (!st)
    st = list.kind    ? scan_listed(s, l, &list)
         : train.kind ? scan_unlisted(s, l)
                      : scan_classes(s, l);
  few__edm_free(s->d->ctx, &train);
  few__edm_free(s->d->ctx, &list);
  return st;
}

/* Reads a single image. */
static few_status scan_file(struct scan *s, const char *where) {
  char *path = few__strdup(s->d->ctx, where);
  if (!path) return few__fail(s->d->ctx, FEW_E_MEMORY, "out of memory for a path");
  return scan_path(s, path, BESIDE);
}

static few_status decode(struct scan *s, const char *path, struct few_image *out) {
  const struct few_image_opts o = {.size = (int)s->o->size,
                                   .c = s->o->channels ? (int)s->o->channels : 3,
                                   .background = (uint8_t)s->o->background,
                                   .max_side = FEW_DATA_MAX_SIDE};
  return few__image_read(s->d->ctx, out, path, &o);
}

/* The first good image decides the size and makes room for the others. */
static few_status begin(struct scan *s, const struct entry *e, const struct few_image *p) {
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

static few_status add(struct scan *s, const struct entry *e) {
  few_data *d = s->d;
  struct few_image p = {0};
  if (e->label < 0 && d->labels)
    return few__data_broken(d, s->o, 1, "%s %s", e->path,
                            e->label == UNKNOWN ? "has a class that the training part lacks"
                            : s->listed         ? "has no label in dataset.json"
                                        : "is outside the class folders, so it has no class");
  few_status st = decode(s, e->path, &p);
  if (st == FEW_E_MEMORY) return st;
  if (st) return few__data_broken(d, s->o, 1, "%s", few_error(d->ctx));
  if (!s->first) FEW_GOTO(begin(s, e, &p));
  if (p.h != d->h || p.w != d->w) {
    st = few__data_broken(d, s->o, 1,
                          "%s is %dx%d, but %s is %dx%d (give size = N to crop and shrink all)",
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
static few_status share(const struct scan *s, int64_t *left) {
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
static few_status read_shares(struct scan *s, int64_t *left, int32_t *kept) {
  enum { REPORT_EVERY = 256 };
  few_data *d = s->d;
  const double start = few__now();
  for (int i = 0; i < s->n; i++) {
    const int64_t before = d->n;
    const int class = s->at[i].label < 0 ? d->n_classes : s->at[i].label;
    if (!left[class]) continue;
    FEW_TRY(add(s, &s->at[i]));
    left[class] -= d->n - before;
    assert(left[class] >= 0);
    if (d->n > before) kept[before] = i;
    if (i % REPORT_EVERY) continue;
    FEW_TRY(few__progress(
        d->ctx, &(struct few_progress){"reading images", i, s->n, few__now() - start, NULL}));
  }
  return FEW_OK;
}

static few_status read_all(struct scan *s, int32_t *kept) {
  few_data *d = s->d;
  int64_t *left = NULL;
  FEW_TRY(FEW_NEW(d->ctx, &left, d->n_classes + 1));
  few_status st = share(s, left);
  if (!st) st = read_shares(s, left, kept);
  few__free(d->ctx, left);
  if (!st && d->n && !s->o->channels) drop_colours_if_grey(d);
  return st;
}

static few_status decode_all(struct scan *s, struct few_cache *cache) {
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
static few_status take_images(struct scan *s, struct few_cache *cache, const char *dir) {
  few_data *d = s->d;
  int32_t *kept = NULL;
  bool hit = false;
  for (int i = 0; i < s->n; i++)
    few__cache_add(cache, s->at[i].path + strlen(dir), s->at[i].label, &s->at[i].about);
  if (d->n_classes) FEW_TRY(FEW_NEW(d->ctx, &d->labels, s->n));
  FEW_TRY(few__cache_load(d, cache, s->n, &kept, &hit));
  for (int64_t i = 0; hit && d->labels && i < d->n; i++) {
    assert(s->at && kept[i] < s->n);
    d->labels[i] = s->at[kept[i]].label;
  }
  few__free(d->ctx, kept);
  return hit ? FEW_OK : decode_all(s, cache);
}

few_status few__data_open_folder(few_data *d, const char *where, const struct few_data_opts *o) {
  struct scan s = {.d = d, .o = o};
  struct few_layout layout = {0};
  struct few_cache cache = {0};
  few_status st = FEW_OK;
  if (few__path_is_file(where) && few__photo_named(where)) {
    FEW_GOTO(few__data_no_split(d, o));
    FEW_GOTO(scan_file(&s, where));
  } else {
    FEW_GOTO(few__layout_find(d, &layout, where, o));
    FEW_GOTO(few__cache_begin(d->ctx, &cache, layout.dir, o));
    FEW_GOTO(scan_layout(&s, &layout));
  }
  if (s.n == 0 && !d->skipped)
    FEW_GOTO(few__fail(d->ctx, FEW_E_FORMAT,
                       "%s has no .png or .jpg file; name a folder with images", layout.dir));
  FEW_GOTO(take_images(&s, &cache, layout.dir ? layout.dir : ""));
out:
  for (int i = 0; i < s.n; i++) few__free(d->ctx, s.at[i].path);
  few__free(d->ctx, s.at);
  few__free(d->ctx, s.entered.at);
  few__layout_free(d->ctx, &layout);
  few__cache_free(d->ctx, &cache);
  return st;
}
