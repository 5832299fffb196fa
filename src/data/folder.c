/* folder.c - a folder of PNG and JPEG files.
 *
 *   DIR/class/.../x.png   the sub-folder of DIR is the class, however deep the file lies
 *   DIR/x.png             no sub-folder holds pictures: no labels
 *   DIR/{train,test}/...  if both are there the split option chooses
 *   x.png                 a file in place of DIR: that picture alone
 *
 * Files are taken in bytewise order of their names, so a set has one order on every machine.
 * Hidden names are passed over; so are files that are neither .png nor .jpg, with a note. Each
 * directory is entered once: symbolic links may form loops.
 */
#include <sys/stat.h>

#include "io/file.h"
#include "io/photo.h"
#include "picture.h"
#include "reader.h"

struct scan {
  few_data *d;
  const struct few_data_opts *o;
  struct entry {
    char *path;
    int32_t label; /* -1: beside the class folders */
  } * at;
  int n, cap;
  struct {
    struct place {
      dev_t device;
      ino_t inode;
    } * at;
    int n, cap;
  } entered;
  int64_t others;            /* files that are no pictures */
  const struct entry *first; /* the picture that decided the size */
};

/* Have we been in this directory? If not, we are now. */
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

static few_status scan_dir(struct scan *s, const char *dir, int32_t label);

/* A path below DIR: a directory, a picture, or something to pass over. Takes `path`. */
static few_status scan_path(struct scan *s, char *path, int32_t label) {
  few_ctx *ctx = s->d->ctx;
  few_status st = FEW_OK;
  struct stat info;
  bool picture = few__photo_named(path);
  if (stat(path, &info)) {
    if (picture)
      st = few__data_broken(s->d, s->o, 1, "%s cannot be reached (a link to nowhere?)", path);
    else
      s->others++;
  } else if (S_ISDIR(info.st_mode)) {
    st = scan_dir(s, path, label);
  } else if (!S_ISREG(info.st_mode) || !picture) {
    if (!s->others++) few__log(ctx, FEW_LOG_INFO, "%s is no PNG or JPEG: passed over", path);
  } else {
    st = FEW_GROW(ctx, s, s->n + 1);
    if (!st) {
      s->at[s->n++] = (struct entry){path, label};
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
    if (names->at[i][0] == '.') continue;
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
    few__log(ctx, FEW_LOG_WARN, "%s is a link to a folder that was read already: passed over", dir);
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

/* The names of DIR itself: its folders are the classes, those without pictures left out. */
static few_status scan_classes(struct scan *s, const char *dir, const struct few_names *names,
                               struct few_names *classes) {
  few_ctx *ctx = s->d->ctx;
  for (int i = 0; i < names->n; i++) {
    char *path = NULL;
    if (names->at[i][0] == '.') continue;
    FEW_TRY(few__path_join(ctx, &path, dir, names->at[i]));
    bool folder = few__path_is_dir(path);
    int before = s->n;
    FEW_TRY(scan_path(s, path, folder ? (int32_t)classes->n : -1));
    if (!folder || s->n == before) continue;
    if (classes->n == FEW_DATA_MAX_CLASSES)
      return few__fail(ctx, FEW_E_INVALID, "%s has more than %d class folders; merge some", dir,
                       FEW_DATA_MAX_CLASSES);
    FEW_TRY(FEW_GROW(ctx, classes, classes->n + 1));
    char *name = few__strdup(ctx, names->at[i]);
    if (!name) return few__fail(ctx, FEW_E_MEMORY, "out of memory for the name of a class");
    classes->at[classes->n++] = name;
  }
  return FEW_OK;
}

static few_status scan_root(struct scan *s, const char *dir) {
  few_data *d = s->d;
  few_ctx *ctx = d->ctx;
  struct few_names names = {0}, classes = {0};
  struct stat info;
  bool again;
  few_status st = FEW_OK;
  FEW_GOTO(few__list_dir(ctx, &names, dir));
  if (stat(dir, &info)) FEW_GOTO(few__fail(ctx, FEW_E_IO, "%s vanished; try again", dir));
  FEW_GOTO(enter(s, &info, &again));
  FEW_GOTO(scan_classes(s, dir, &names, &classes));
  d->n_classes = classes.n;
  if (classes.n) FEW_GOTO(few__data_name_classes(d, (const char *const *)classes.at));
  if (s->others > 1)
    few__log(ctx, FEW_LOG_INFO, "%s: %lld files that are no PNG or JPEG passed over", dir,
             (long long)s->others);
out:
  few__names_free(ctx, &names);
  few__names_free(ctx, &classes);
  return st;
}

/* A picture alone. */
static few_status scan_file(struct scan *s, const char *where) {
  char *path = few__strdup(s->d->ctx, where);
  if (!path) return few__fail(s->d->ctx, FEW_E_MEMORY, "out of memory for a path");
  return scan_path(s, path, -1);
}

/* Where the items of the split lie: DIR/train or DIR/test if both are there. */
static few_status find_split(few_data *d, const char *dir, const struct few_data_opts *o,
                             char **out) {
  few_ctx *ctx = d->ctx;
  char *train = NULL, *test = NULL;
  few_status st = FEW_OK;
  FEW_GOTO(few__path_join(ctx, &train, dir, "train"));
  FEW_GOTO(few__path_join(ctx, &test, dir, "test"));
  bool split = few__path_is_dir(train) && few__path_is_dir(test);
  if (!split) FEW_GOTO(few__data_no_split(d, o));
  *out = few__strdup(ctx, !split ? dir : o->split == FEW_DATA_TEST ? test : train);
  if (!*out) st = few__fail(ctx, FEW_E_MEMORY, "out of memory for a path");
out:
  few__free(ctx, train);
  few__free(ctx, test);
  return st;
}

static few_status decode(struct scan *s, const char *path, struct few_image *out) {
  const struct few_picture_opts o = {.size = (int)s->o->size,
                                     .c = s->o->channels ? (int)s->o->channels : 3,
                                     .background = (uint8_t)s->o->background,
                                     .max_side = FEW_DATA_MAX_SIDE};
  return few__picture_read(s->d->ctx, out, path, &o);
}

/* The first good picture decides the size and makes room for the others. */
static few_status begin(struct scan *s, const struct entry *e, const struct few_image *p) {
  few_data *d = s->d;
  s->first = e;
  d->kind = FEW_DATA_IMAGES;
  d->h = p->h;
  d->w = p->w;
  d->c = p->c;
  size_t n = (size_t)(s->o->limit && s->o->limit < s->n ? s->o->limit : s->n);
  d->pixels = few__alloc(d->ctx, few__mul_size(n, few__data_item_bytes(d)));
  if (d->pixels) return FEW_OK;
  return few__fail(d->ctx, FEW_E_MEMORY,
                   "out of memory for %zu pictures of %dx%dx%d; set a limit or a smaller size", n,
                   d->h, d->w, d->c);
}

static few_status add(struct scan *s, const struct entry *e) {
  few_data *d = s->d;
  struct few_image p = {0};
  if (e->label < 0 && d->labels)
    return few__data_broken(d, s->o, 1, "%s lies beside the class folders, so it has no class",
                            e->path);
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
  memcpy(d->pixels + d->n * few_data_item_size(d), p.at, few__data_item_bytes(d));
  if (d->labels) d->labels[d->n] = e->label;
  d->n++;
out:
  few__image_free(d->ctx, &p);
  return st;
}

/* A set without any colour needs one channel only. */
static void drop_colours_if_grey(few_data *d) {
  int64_t pixels = d->n * d->h * d->w;
  for (int64_t i = 0; i < pixels; i++) {
    const uint8_t *p = d->pixels + 3 * i;
    if (p[0] != p[1] || p[1] != p[2]) return;
  }
  for (int64_t i = 0; i < pixels; i++) d->pixels[i] = d->pixels[3 * i];
  d->c = 1;
}

static few_status read_all(struct scan *s) {
  enum { REPORT_EVERY = 256 };
  few_data *d = s->d;
  double start = few__now();
  if (d->n_classes) FEW_TRY(FEW_NEW(d->ctx, &d->labels, s->n));
  for (int i = 0; i < s->n; i++) {
    if (s->o->limit && d->n >= s->o->limit) break;
    FEW_TRY(add(s, &s->at[i]));
    if (i % REPORT_EVERY) continue;
    FEW_TRY(few__progress(
        d->ctx, &(struct few_progress){"reading pictures", i, s->n, few__now() - start, NULL}));
  }
  if (d->n && !s->o->channels) drop_colours_if_grey(d);
  return FEW_OK;
}

few_status few__data_open_folder(few_data *d, const char *where, const struct few_data_opts *o) {
  struct scan s = {.d = d, .o = o};
  char *dir = NULL;
  few_status st = FEW_OK;
  const bool folder = few__path_is_dir(where);
  if (!folder && !(few__path_exists(where) && few__photo_named(where)))
    FEW_GOTO(few__fail(d->ctx, FEW_E_IO, "%s: \"%s\" is no folder and no picture; write folder:DIR",
                       d->spec, where));
  if (folder) {
    FEW_GOTO(find_split(d, where, o, &dir));
    FEW_GOTO(scan_root(&s, dir));
  } else {
    FEW_GOTO(few__data_no_split(d, o));
    FEW_GOTO(scan_file(&s, where));
  }
  if (s.n == 0 && !d->skipped)
    FEW_GOTO(few__fail(d->ctx, FEW_E_FORMAT, "%s holds no .png or .jpg file; name a folder %s", dir,
                       "that does"));
  FEW_GOTO(read_all(&s));
out:
  for (int i = 0; i < s.n; i++) few__free(d->ctx, s.at[i].path);
  few__free(d->ctx, s.at);
  few__free(d->ctx, s.entered.at);
  few__free(d->ctx, dir);
  return st;
}
