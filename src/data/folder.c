/* folder.c - a folder of PNG, JPEG and WebP files, or a zip archive of one.
 *
 *   DIR/class/.../x.png   each sub-folder of DIR is a class, with the files at any depth below it
 *   DIR/x.png             if no sub-folder has images, there are no labels
 *   DIR/dataset.json      labels as the tools of EDM write them; folders are not classes
 *   DIR,labels.csv        labels from a table of files and classes; folders are not classes or parts
 *   x.zip                 an archive in place of DIR, read as if it were unpacked
 *   x.png                 an image in place of DIR: only that image
 *
 * layout.c finds DIR: the named folder, the folder in it of the requested part (train, val or
 * test), or its only folder. All parts use the class list of the training part, so a label means
 * the same in all of them.
 *
 * Files are read in bytewise order of their names, so a set has the same order on every machine.
 * Hidden files and files that operating systems add are skipped silently. Other files that are not
 * images are skipped with a note, and images in formats that few does not read with a warning. Each
 * directory is read once, because symbolic links may form loops.
 */
#include <strings.h>

#include "edm.h"
#include "images.h"
#include "io/photo.h"
#include "layout.h"
#include "table.h"
#include "tree.h"

struct scan {
  few_data *d;
  struct few_tree tree;
  struct few_images files;
  struct few_visited entered;
  int64_t others;  /* files that are not images */
  int64_t foreign; /* images in formats that few does not read */
};

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
  if (!few__tree_stat(&s->tree, path, &info)) {
    if (image)
      st = few__data_broken(s->d, s->files.o, 1, "%s cannot be reached (a link to nowhere?)", path);
    else
      skip(s, path);
  } else if (S_ISDIR(info.st_mode)) {
    st = scan_dir(s, path, label);
  } else if (!S_ISREG(info.st_mode) || !image) {
    skip(s, path);
  } else {
    return few__images_add(&s->files, path, label, &info);
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
  bool first;
  FEW_TRY(few__tree_visit(&s->tree, &s->entered, dir, &first));
  if (!first) {
    few__log(ctx, FEW_LOG_WARN, "%s is a link to a folder that was already read: skipped", dir);
    return FEW_OK;
  }
  few_status st = few__tree_list(&s->tree, &names, dir);
  if (!st)
    st = scan_names(s, dir, &names, label);
  else if (st != FEW_E_MEMORY)
    st = few__data_broken(s->d, s->files.o, 1, "%s", few_error(ctx));
  few__names_free(ctx, &names);
  return st;
}

/* Index of a class in a list that is sorted bytewise; FEW_IMAGES_UNKNOWN: not in the
 * list. */
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
  return FEW_IMAGES_UNKNOWN;
}

/* Scans DIR. Without `classes`, no image has a class. Otherwise each folder in DIR is a class, of
 * all images at any depth below it, and images outside these folders have none. */
static few_status scan_root(struct scan *s, const struct few_layout *l,
                            const struct few_names *classes) {
  few_ctx *ctx = s->d->ctx;
  struct few_names names = {0};
  bool first;
  few_status st = FEW_OK;
  FEW_GOTO(few__tree_list(&s->tree, &names, l->dir));
  FEW_GOTO(few__tree_visit(&s->tree, &s->entered, l->dir, &first));
  for (int i = 0; i < names.n; i++) {
    char *path = NULL;
    if (few__layout_junk(names.at[i])) continue;
    FEW_GOTO(few__path_join(ctx, &path, l->dir, names.at[i]));
    const bool class = classes->n && few__tree_is_dir(&s->tree, path);
    FEW_GOTO(scan_path(s, path, class ? class_of(classes, names.at[i]) : FEW_IMAGES_BESIDE));
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
static bool looks_cut(const struct few_images *s, const struct few_names *folders) {
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
  if (looks_cut(&s->files, classes))
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
  int32_t *label;
  FEW_TRY(FEW_NEW(s->d->ctx, &label, of->n ? of->n : 1));
  for (int i = 0; i < of->n; i++) label[i] = of->at[i].label;
  few_status st = few__images_number(&s->files, label, of->n);
  few__free(s->d->ctx, label);
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
  for (int i = 0; i < s->files.n; i++) {
    const char *path = s->files.at[i].path + strlen(l->dir);
    s->files.at[i].label = few__edm_label(list, path + strspn(path, "/"));
  }
  if (l->train) FEW_TRY(few__edm_read(&s->tree, &train, l->train));
  few_status st = number_entries(s, train.kind == FEW_EDM_LABELLED ? &train : list);
  few__edm_free(s->d->ctx, &train);
  s->files.list = "dataset.json";
  return st;
}

/* Scans a part that has no dataset.json, while the training part of the same set has one. Folders
 * are not classes in either. */
static few_status scan_unlisted(struct scan *s, const struct few_layout *l) {
  const struct few_names none = {0};
  few__data_note(s->d, "the training part has a dataset.json and this part has none, so no labels");
  return scan_root(s, l, &none);
}

static few_status scan_layout(struct scan *s, const struct few_layout *l) {
  struct few_edm list, train = {.kind = FEW_EDM_NONE};
  few_status st = few__edm_read(&s->tree, &list, l->dir);
  if (!st && l->train && !list.kind) st = few__edm_read(&s->tree, &train, l->train);
  if (!st)
    st = list.kind    ? scan_listed(s, l, &list)
         : train.kind ? scan_unlisted(s, l)
                      : scan_classes(s, l);
  few__edm_free(s->d->ctx, &train);
  few__edm_free(s->d->ctx, &list);
  return st;
}

/* Labels files by their rows. A row without a file, and a file without a row, are broken items. */
static few_status take_rows(struct scan *s, struct few_table *t, const char *dir, const char *csv) {
  const char **text;
  few_status st = FEW_OK;
  FEW_TRY(FEW_NEW(s->d->ctx, &text, s->files.n ? s->files.n : 1));
  for (int i = 0; i < s->files.n; i++) {
    const char *path = s->files.at[i].path + strlen(dir);
    struct few_table_row *row = few__table_find(t, path + strspn(path, "/"));
    if (row && row->used)
      FEW_GOTO(few__fail(s->d->ctx, FEW_E_FORMAT,
                         "%s, line %d: \"%.300s\" is %.300s and another image too: write its "
                         "ending",
                         csv, row->line, row->file, s->files.at[i].path));
    if (row) row->used = true;
    text[i] = row ? row->label : NULL;
  }
  for (int i = 0; i < t->n; i++)
    if (!t->at[i].used)
      FEW_GOTO(few__data_broken(s->d, s->files.o, 1, "%s, line %d: %.300s is not an image in %s",
                                csv, t->at[i].line, t->at[i].file, dir));
  st = few__images_classes(&s->files, text);
out:
  few__free(s->d->ctx, text);
  return st;
}

/* Reads a table: a path or, if there is no such file, a path in `dir`. */
static few_status read_table(const struct scan *s, struct few_table *out, const char *dir,
                             const char *csv) {
  static const size_t max_bytes = (size_t)256 << 20;
  few_ctx *ctx = s->d->ctx;
  char *text = NULL, *path = NULL;
  size_t n;
  FEW_TRY(few__path_join(ctx, &path, dir, csv));
  few_status st = few__path_exists(csv) || !few__tree_exists(&s->tree, path)
                      ? few__file_read(ctx, &text, &n, csv, max_bytes)
                      : few__tree_read(&s->tree, &text, &n, path, max_bytes);
  if (!st) st = few__table_parse(ctx, out, csv, text, n);
  few__free(ctx, text);
  few__free(ctx, path);
  return st;
}

/* Scans a folder whose labels are in a table. */
static few_status scan_table(struct scan *s, const struct few_layout *l, const char *csv) {
  const struct few_names none = {0};
  struct few_table table = {0};
  FEW_TRY(read_table(s, &table, l->dir, csv));
  few_status st = scan_root(s, l, &none);
  if (!st) st = take_rows(s, &table, l->dir, csv);
  few__table_free(s->d->ctx, &table);
  few__data_note(s->d, "labels come from %s, so folders are not classes", csv);
  s->files.list = csv;
  return st;
}

/* Splits "DIR,TABLE.csv" at its last comma, unless a folder has this whole name. *csv NULL: there
 * is no table. The caller frees *dir; *csv points into it. */
static few_status split_table(few_ctx *ctx, const char *where, char **dir, char **csv) {
  const size_t n = strlen(where);
  *csv = NULL;
  *dir = few__strdup(ctx, where);
  if (!*dir) return few__fail(ctx, FEW_E_MEMORY, "out of memory for a path");
  char *comma = strrchr(*dir, ',');
  if (!comma || few__path_exists(where) || n < 5 || strcasecmp(where + n - 4, ".csv") != 0)
    return FEW_OK;
  *comma = '\0';
  *csv = comma + 1;
  return FEW_OK;
}

/* A folder with a table is read as it is: it has neither parts nor folders to look through. */
static few_status take_folder(struct scan *s, struct few_layout *out, const char *dir) {
  few_ctx *ctx = s->d->ctx;
  FEW_TRY(few__data_no_split(s->d, s->files.o));
  if (!few__tree_is_dir(&s->tree, s->tree.zip ? s->tree.root : dir))
    return few__fail(
        ctx, FEW_E_IO,
        "%s: \"%s\" is neither a folder nor a zip archive: write folder:DIR,LABELS.csv", s->d->spec,
        dir);
  out->dir = few__strdup(ctx, dir);
  return out->dir ? FEW_OK : few__fail(ctx, FEW_E_MEMORY, "out of memory for a path");
}

/* Scans a single image file in place of DIR. */
static few_status scan_file(struct scan *s, const char *where) {
  char *path = few__strdup(s->d->ctx, where);
  if (!path) return few__fail(s->d->ctx, FEW_E_MEMORY, "out of memory for a path");
  return scan_path(s, path, FEW_IMAGES_BESIDE);
}

static few_status open_file(void *user, int i, struct few_feed *out) {
  const struct scan *s = user;
  return few__tree_feed(&s->tree, out, s->files.at[i].path);
}

/* The cache of a folder is in the folder, that of an archive beside it. */
static few_status begin_cache(const struct scan *s, struct few_cache *cache, const char *dir) {
  few_ctx *ctx = s->d->ctx;
  if (!s->tree.zip) return few__cache_begin(ctx, cache, dir, "", s->files.o);
  char *beside = few__strdup(ctx, s->tree.root);
  if (!beside) return few__fail(ctx, FEW_E_MEMORY, "out of memory for a path");
  const size_t n = (size_t)(few__path_name(beside) - beside);
  beside[n > 1 ? n - 1 : n] = '\0'; /* keep the slash of "/x.zip" */
  few_status st = few__cache_begin(ctx, cache, beside, dir + n, s->files.o);
  few__free(ctx, beside);
  return st;
}

few_status few__data_open_folder(few_data *d, const char *where, const struct few_data_opts *o) {
  struct scan s = {.d = d, .files = {.d = d, .o = o, .open = open_file, .user = &s}};
  struct few_layout layout = {0};
  struct few_cache cache = {0};
  char *dir = NULL, *csv = NULL;
  few_status st = FEW_OK;
  s.tree.ctx = d->ctx;
  FEW_GOTO(split_table(d->ctx, where, &dir, &csv));
  if (few__path_is_file(where) && few__photo_named(where)) {
    FEW_GOTO(few__data_no_split(d, o));
    FEW_GOTO(scan_file(&s, where));
  } else {
    FEW_GOTO(few__tree_open(d->ctx, &s.tree, dir));
    FEW_GOTO(csv ? take_folder(&s, &layout, dir) : few__layout_find(d, &s.tree, &layout, where, o));
    FEW_GOTO(begin_cache(&s, &cache, layout.dir));
    FEW_GOTO(csv ? scan_table(&s, &layout, csv) : scan_layout(&s, &layout));
  }
  if (s.files.n == 0 && !d->skipped)
    FEW_GOTO(few__fail(d->ctx, FEW_E_FORMAT,
                       "%s has no .png, .jpg or .webp file; name a folder with images",
                       layout.dir));
  FEW_GOTO(few__images_read(&s.files, &cache, layout.dir ? strlen(layout.dir) : 0));
out:
  few__images_free(&s.files);
  few__free(d->ctx, s.entered.at);
  few__tree_close(&s.tree);
  few__layout_free(d->ctx, &layout);
  few__cache_free(d->ctx, &cache);
  few__free(d->ctx, dir);
  return st;
}
