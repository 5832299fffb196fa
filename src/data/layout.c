/* layout.c - finds the class folders of a set of images.
 *
 *   DIR/class/.../x.png         folders are classes
 *   DIR/{train,val,test}/...    folders are parts of one set, each with classes or without
 *   DIR/only/...                DIR has one folder and no images: `only` is used in place of DIR
 *
 * Parts are recognised by their names, in upper or lower case. DIR is split into parts if it has a
 * training part and a held-out part. All its other folders are then left out, and a note lists
 * them. DIR is also split if every folder with images has the word of a part in its name (train2017
 * and val2017, seg_train and seg_test). A folder `train` without a held-out part is a class, such
 * as railway trains.
 */
#include "layout.h"

#include "io/photo.h"

enum { WRAPPERS_MAX = 16 };

enum part { NO_PART, TRAIN, VAL, TEST };

static const struct {
  const char *word;
  enum part part;
} words[] = {{"train", TRAIN},    {"training", TRAIN}, {"val", VAL},     {"valid", VAL},
             {"validation", VAL}, {"test", TEST},      {"testing", TEST}};

static const char *const part_names[] = {"", "train", "val", "test"};

/* ---- names ---- */

bool few__layout_junk(const char *name) {
  static const char *const names[] = {"__MACOSX", "@eaDir", "lost+found", "$RECYCLE.BIN",
                                      "System Volume Information"};
  for (int i = 0; i < FEW_COUNT(names); i++)
    if (!strcmp(name, names[i])) return true;
  return name[0] == '.';
}

static char lower(char c) { return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c); }

static bool is_letter(char c) { return lower(c) >= 'a' && lower(c) <= 'z'; }

static enum part part_of_word(const char *word, size_t n) {
  for (int i = 0; i < FEW_COUNT(words); i++) {
    size_t k = 0;
    while (k < n && lower(word[k]) == words[i].word[k]) k++;
    if (k == n && !words[i].word[k]) return words[i].part;
  }
  return NO_PART;
}

/* The part that a name stands for. With `whole` the name must be the word of a part; otherwise it
 * must contain one. */
static enum part part_of(const char *name, bool whole) {
  if (whole) return part_of_word(name, strlen(name));
  for (const char *p = name; *p;) {
    size_t n = 0;
    while (is_letter(p[n])) n++;
    const enum part part = n ? part_of_word(p, n) : NO_PART;
    if (part) return part;
    p += n ? n : 1;
  }
  return NO_PART;
}

/* ---- folders that have images ---- */

static few_status holds_images(const struct few_tree *t, struct few_visited *v, const char *dir,
                               bool *out) {
  struct few_names names = {0};
  bool first;
  *out = false;
  FEW_TRY(few__tree_visit(t, v, dir, &first));
  if (!first || few__tree_list(t, &names, dir)) return FEW_OK; /* the scan reports failures */
  few_status st = FEW_OK;
  for (int i = 0; i < names.n && !*out; i++)
    *out = !few__layout_junk(names.at[i]) && few__photo_named(names.at[i]);
  for (int i = 0; i < names.n && !st && !*out; i++) {
    char *path = NULL;
    if (few__layout_junk(names.at[i])) continue;
    st = few__path_join(t->ctx, &path, dir, names.at[i]);
    if (!st) st = holds_images(t, v, path, out);
    few__free(t->ctx, path);
  }
  few__names_free(t->ctx, &names);
  return st;
}

static few_status look_at(const struct few_tree *t, struct few_names *out, bool *images,
                          const char *dir, const char *name) {
  few_ctx *ctx = t->ctx;
  char *path = NULL;
  bool folder = false;
  if (few__layout_junk(name)) return FEW_OK;
  FEW_TRY(few__path_join(ctx, &path, dir, name));
  few_status st = FEW_OK;
  struct few_visited visited = {0};
  if (few__tree_is_dir(t, path))
    st = holds_images(t, &visited, path, &folder);
  else if (few__photo_named(name))
    *images = true;
  few__free(ctx, visited.at);
  few__free(ctx, path);
  if (st || !folder) return st;
  FEW_TRY(FEW_GROW(ctx, out, out->n + 1));
  char *copy = few__strdup(ctx, name);
  if (!copy) return few__fail(ctx, FEW_E_MEMORY, "%s: out of memory for names", dir);
  out->at[out->n++] = copy;
  return FEW_OK;
}

/* Lists the folders in `dir` that have images at any depth. *images: `dir` itself has images. */
static few_status list_folders(const struct few_tree *t, struct few_names *out, bool *images,
                               const char *dir) {
  struct few_names names = {0};
  few_status st = FEW_OK;
  *out = (struct few_names){0};
  *images = false;
  FEW_TRY(few__tree_list(t, &names, dir));
  for (int i = 0; i < names.n && !st; i++) st = look_at(t, out, images, dir, names.at[i]);
  few__names_free(t->ctx, &names);
  if (st) few__names_free(t->ctx, out);
  return st;
}

/* ---- parts ---- */

struct split {
  const char *name[4]; /* the folder of each part; borrowed */
  bool twice[4];       /* more than one folder has this part's name */
  int named;           /* folders with the name of a part */
};

static struct split find_split(const struct few_names *folders, bool whole) {
  struct split s = {0};
  for (int i = 0; i < folders->n; i++) {
    const enum part part = part_of(folders->at[i], whole);
    if (!part) continue;
    s.twice[part] = s.name[part] != NULL;
    s.name[part] = folders->at[i];
    s.named++;
  }
  return s;
}

static bool is_split(const struct few_names *folders, struct split *s) {
  *s = find_split(folders, true);
  if (s->name[TRAIN] && (s->name[VAL] || s->name[TEST])) return true;
  *s = find_split(folders, false);
  if (s->named != folders->n) return false;
  return (s->name[TRAIN] != NULL) + (s->name[VAL] != NULL) + (s->name[TEST] != NULL) >= 2;
}

/* The requested part: the one named in the specification, or else by the option `split`. */
static few_status choose(few_data *d, const struct split *s, const char *dir, enum part asked,
                         const struct few_data_opts *o, enum part *out) {
  const bool held_out = o->split == FEW_DATA_TEST;
  if (held_out && asked && asked != TRAIN)
    return few__fail(d->ctx, FEW_E_UNSUPPORTED, "%s names its part already: leave out split = test",
                     d->spec);
  *out = !held_out ? asked ? asked : TRAIN : s->name[TEST] ? TEST : VAL;
  if (!s->name[*out])
    return few__fail(d->ctx, FEW_E_UNSUPPORTED, "%s has parts, but not %s: write folder:%s:%s",
                     d->spec, part_names[*out], dir,
                     part_names[s->name[TRAIN]  ? TRAIN
                                : s->name[TEST] ? TEST
                                                : VAL]);
  if (s->twice[*out])
    return few__fail(d->ctx, FEW_E_INVALID,
                     "%s: more than one folder is called %s: name the one you mean, folder:%s/%s",
                     d->spec, part_names[*out], dir, s->name[*out]);
  return FEW_OK;
}

static void note_parts(few_data *d, const struct few_names *folders, enum part chosen,
                       const char *name) {
  struct few_text list = {0};
  for (int i = 0; i < folders->n; i++)
    few__text_add(d->ctx, &list, "%s%s", i ? ", " : "", folders->at[i]);
  few__data_note(d, "%.300s are parts of one set, and %s is used (folder:DIR:%s)",
                 list.failed ? "folders" : list.at, name, part_names[chosen]);
  few__text_free(d->ctx, &list);
}

/* ---- from the named folder to the part ---- */

static few_status go_down(few_ctx *ctx, char **dir, const char *name) {
  char *path = NULL;
  FEW_TRY(few__path_join(ctx, &path, *dir, name));
  few__free(ctx, *dir);
  *dir = path;
  return FEW_OK;
}

static few_status has_labels(const struct few_tree *t, const char *dir, bool *out) {
  char *path = NULL;
  FEW_TRY(few__path_join(t->ctx, &path, dir, "dataset.json"));
  *out = few__tree_exists(t, path);
  few__free(t->ctx, path);
  return FEW_OK;
}

static bool in(const struct few_names *names, const char *name) {
  for (int i = 0; i < names->n; i++)
    if (!strcmp(names->at[i], name)) return true;
  return false;
}

/* While *dir has only one folder and neither images nor labels, goes into that folder, unless its
 * name is in `known`. *folders is the list of folders at the end. */
static few_status look_through(few_data *d, const struct few_tree *t, char **dir,
                               struct few_names *folders, const struct few_names *known) {
  few_ctx *ctx = d->ctx;
  for (int i = 0;; i++) {
    bool images, labels;
    FEW_TRY(list_folders(t, folders, &images, *dir));
    FEW_TRY(has_labels(t, *dir, &labels));
    if (images || labels || folders->n != 1 || i == WRAPPERS_MAX) return FEW_OK;
    if (in(known, folders->at[0])) return FEW_OK;
    few__data_note(d, "%s is the only folder with images, so it is not a class", folders->at[0]);
    FEW_TRY(go_down(ctx, dir, folders->at[0]));
    few__names_free(ctx, folders);
  }
}

static few_status take_part(few_data *d, const struct few_tree *t, struct few_layout *l,
                            enum part asked, const struct few_data_opts *o) {
  few_ctx *ctx = d->ctx;
  const struct few_names none = {0};
  struct split s;
  enum part part = NO_PART;
  if (!is_split(&l->folders, &s)) {
    if (!asked) return few__data_no_split(d, o);
    return few__fail(ctx, FEW_E_UNSUPPORTED, "%s: %s has no parts called train, val or test",
                     d->spec, l->dir);
  }
  FEW_TRY(choose(d, &s, l->dir, asked, o, &part));
  note_parts(d, &l->folders, part, s.name[part]);
  if (part != TRAIN && s.name[TRAIN]) {
    FEW_TRY(few__path_join(ctx, &l->train, l->dir, s.name[TRAIN]));
    FEW_TRY(look_through(d, t, &l->train, &l->classes, &none));
  }
  FEW_TRY(go_down(ctx, &l->dir, s.name[part]));
  few__names_free(ctx, &l->folders);
  return look_through(d, t, &l->dir, &l->folders, &l->classes);
}

/* Is this the archive or, on the disk, a folder? */
static bool is_root(const struct few_tree *t, const char *path) {
  return t->root ? !strcmp(path, t->root) : few__path_is_dir(path);
}

/* Splits "DIR:part" into both, unless a folder has this whole name. */
static few_status split_spec(const struct few_tree *t, const char *where, char **dir,
                             enum part *asked) {
  const char *colon = strrchr(where, ':');
  *asked = NO_PART;
  *dir = few__strdup(t->ctx, where);
  if (!*dir) return few__fail(t->ctx, FEW_E_MEMORY, "out of memory for a path");
  if (!colon || few__path_exists(where)) return FEW_OK;
  (*dir)[colon - where] = '\0';
  *asked = is_root(t, *dir) ? part_of(colon + 1, true) : NO_PART;
  if (!*asked) (*dir)[colon - where] = ':';
  return FEW_OK;
}

few_status few__layout_find(few_data *d, const struct few_tree *tree, struct few_layout *out,
                            const char *where, const struct few_data_opts *o) {
  enum part asked;
  few_status st = FEW_OK;
  *out = (struct few_layout){0};
  FEW_GOTO(split_spec(tree, where, &out->dir, &asked));
  if (!is_root(tree, out->dir))
    FEW_GOTO(few__fail(d->ctx, FEW_E_IO,
                       "%s: \"%s\" is neither a folder, a zip archive nor an image; write "
                       "folder:DIR",
                       d->spec, where));
  FEW_GOTO(look_through(d, tree, &out->dir, &out->folders, &out->classes));
  FEW_GOTO(take_part(d, tree, out, asked, o));
out:
  if (st) few__layout_free(d->ctx, out);
  return st;
}

void few__layout_free(few_ctx *ctx, struct few_layout *l) {
  few__free(ctx, l->dir);
  few__free(ctx, l->train);
  few__names_free(ctx, &l->folders);
  few__names_free(ctx, &l->classes);
  *l = (struct few_layout){0};
}
