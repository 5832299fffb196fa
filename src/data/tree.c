/* tree.c - see tree.h.
 *
 * The files of an archive are one list, sorted bytewise by name. A folder is a range of this list:
 * all names that begin with its path and a slash. Entries of folders themselves are ignored, as
 * empty folders are on the disk.
 *
 * Names in an archive come from strangers. A name must be a relative path without "..", which no
 * tool would unpack either, and the same name or a file in the place of a folder would be
 * overwritten. Lengths and depths have limits, as on the disk, so that walks take bounded time and
 * stack.
 */
#define _XOPEN_SOURCE 700
#include "tree.h"

#include <errno.h>
#include <stdlib.h>

enum { NAME_MAX_BYTES = 4096, DEPTH_MAX = 64, MEMBERS_MAX = 1 << 26 };

/* ---- names of an archive ---- */

static int by_name(const void *a, const void *b) {
  return strcmp(((const struct few_tree_member *)a)->name,
                ((const struct few_tree_member *)b)->name);
}

/* The first member whose name is not before `name`[0 .. n). */
static int lower_bound(const struct few_tree *t, const char *name, size_t n) {
  int low = 0, high = t->n;
  while (low < high) {
    const int middle = low + (high - low) / 2;
    if (strncmp(t->at[middle].name, name, n) < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/* Is member i below the folder `dir`[0 .. n)? All are below "". */
static bool below(const struct few_tree *t, int i, const char *dir, size_t n) {
  return i < t->n && !strncmp(t->at[i].name, dir, n) && (!n || t->at[i].name[n] == '/');
}

/* The first member below the folder; t->n or another member: there is none. */
static int first_below(const struct few_tree *t, const char *dir, size_t n) {
  char path[NAME_MAX_BYTES + 2];
  if (!n || n > NAME_MAX_BYTES) return n ? t->n : 0;
  memcpy(path, dir, n);
  path[n] = '/';
  return lower_bound(t, path, n + 1);
}

/* What is wrong with a name; NULL: nothing. */
static const char *fault(const char *name) {
  int depth = 0;
  if (!*name || strlen(name) > NAME_MAX_BYTES) return "is empty or has more than 4096 bytes";
  if (*name == '/') return "is an absolute path";
  if (strchr(name, '\\')) return "has a backslash";
  for (const char *p = name; *p;) {
    const size_t n = strcspn(p, "/");
    if (!n || (n == 1 && *p == '.') || (n == 2 && !memcmp(p, "..", 2)))
      return "has an empty part, \".\" or \"..\"";
    if (++depth > DEPTH_MAX) return "is more than 64 folders deep";
    p += n + (p[n] == '/');
  }
  return NULL;
}

static few_status refuse(const struct few_tree *t, const char *name, const char *why) {
  return few__fail(t->ctx, FEW_E_FORMAT, "%s: the member \"%.300s\" %s: make the archive again",
                   t->root, name, why);
}

static few_status add_member(struct few_tree *t, int64_t i) {
  uint64_t size;
  const char *name = few__zip_member(t->zip, i, &size);
  if (name[0] == '.' && name[1] == '/') name += 2; /* "zip -r a.zip ." and other tools */
  if (!*name) return FEW_OK;
  const char *why = fault(name);
  if (why) return refuse(t, name, why);
  if (name[strlen(name) - 1] == '/') return FEW_OK;
  FEW_TRY(FEW_GROW(t->ctx, t, t->n + 1));
  t->at[t->n++] = (struct few_tree_member){name, size, i};
  return FEW_OK;
}

static few_status read_names(struct few_tree *t) {
  const int64_t count = few__zip_count(t->zip);
  if (count > MEMBERS_MAX)
    return few__fail(t->ctx, FEW_E_UNSUPPORTED, "%s has more than %d members: unpack it", t->root,
                     MEMBERS_MAX);
  for (int64_t i = 0; i < count; i++) FEW_TRY(add_member(t, i));
  if (t->n) qsort(t->at, (size_t)t->n, sizeof *t->at, by_name);
  for (int i = 0; i < t->n; i++) {
    const char *name = t->at[i].name;
    const size_t n = strlen(name);
    if (i && !strcmp(t->at[i - 1].name, name)) return refuse(t, name, "is there twice");
    if (below(t, first_below(t, name, n), name, n))
      return refuse(t, name, "is both a file and a folder");
  }
  return FEW_OK;
}

/* ---- opening ---- */

/* The archive that `where` names, with a part behind a colon or without; NULL: none. The caller
 * frees *out. */
static few_status archive_of(few_ctx *ctx, const char *where, char **out) {
  char *path = few__strdup(ctx, where);
  char *colon = path && !few__path_exists(path) ? strrchr(path, ':') : NULL;
  struct few_feed f;
  const uint8_t *head = NULL;
  size_t n = 0;
  *out = NULL;
  if (!path) return few__fail(ctx, FEW_E_MEMORY, "out of memory for a path");
  if (colon) *colon = '\0';
  bool zip = false;
  few_status st = FEW_OK;
  if (few__path_is_file(path)) {
    st = few__feed_open(ctx, &f, path);
    if (!st) st = few__feed_peek(&f, &head, &n);
    zip = !st && few__zip_is(head, n);
    few__feed_close(&f);
  }
  if (zip)
    *out = path;
  else
    few__free(ctx, path);
  return st;
}

few_status few__tree_open(few_ctx *ctx, struct few_tree *t, const char *where) {
  *t = (struct few_tree){.ctx = ctx};
  FEW_TRY(archive_of(ctx, where, &t->root));
  if (!t->root) return FEW_OK;
  if (stat(t->root, &t->about)) return few__fail_errno(ctx, "read", t->root, errno);
  FEW_TRY(few__zip_open(ctx, &t->zip, t->root));
  return read_names(t);
}

void few__tree_close(struct few_tree *t) {
  few__zip_close(t->zip);
  few__free(t->ctx, t->root);
  few__free(t->ctx, t->at);
  *t = (struct few_tree){0};
}

/* ---- paths ---- */

/* The path of a file or folder inside the archive. */
static const char *inside(const struct few_tree *t, const char *path) {
  const size_t n = strlen(t->root);
  assert(!strncmp(path, t->root, n) && (!path[n] || path[n] == '/'));
  path += n;
  return path + strspn(path, "/");
}

/* The member with this path, or NULL. */
static const struct few_tree_member *find(const struct few_tree *t, const char *path) {
  const char *name = inside(t, path);
  const int i = lower_bound(t, name, strlen(name) + 1);
  return i < t->n && !strcmp(t->at[i].name, name) ? &t->at[i] : NULL;
}

bool few__tree_is_dir(const struct few_tree *t, const char *path) {
  if (!t->zip) return few__path_is_dir(path);
  const char *name = inside(t, path);
  const size_t n = strlen(name);
  return !n || below(t, first_below(t, name, n), name, n);
}

bool few__tree_exists(const struct few_tree *t, const char *path) {
  return t->zip ? find(t, path) || few__tree_is_dir(t, path) : few__path_exists(path);
}

bool few__tree_stat(const struct few_tree *t, const char *path, struct stat *out) {
  if (!t->zip) return !stat(path, out);
  const struct few_tree_member *m = find(t, path);
  *out = t->about;
  if (m) out->st_size = (off_t)m->size;
  if (m) return true;
  out->st_mode = S_IFDIR;
  return few__tree_is_dir(t, path);
}

static int by_text(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Members below a folder whose next parts are equal follow each other. But "a-b" comes before
 * "a/c", so the parts are sorted afterwards. */
static few_status list_members(const struct few_tree *t, struct few_names *out, const char *dir) {
  const char *name = inside(t, dir);
  const size_t n = strlen(name);
  for (int i = first_below(t, name, n); below(t, i, name, n); i++) {
    const char *part = t->at[i].name + n + (n > 0);
    const size_t length = strcspn(part, "/");
    const char *last = out->n ? out->at[out->n - 1] : NULL;
    if (last && strlen(last) == length && !memcmp(last, part, length)) continue;
    FEW_TRY(FEW_GROW(t->ctx, out, out->n + 1));
    char *copy = few__alloc(t->ctx, length + 1);
    if (!copy) return few__fail(t->ctx, FEW_E_MEMORY, "%s: out of memory for names", dir);
    memcpy(copy, part, length);
    copy[length] = '\0';
    out->at[out->n++] = copy;
  }
  if (out->n) qsort(out->at, (size_t)out->n, sizeof *out->at, by_text);
  return FEW_OK;
}

few_status few__tree_list(const struct few_tree *t, struct few_names *out, const char *dir) {
  if (!t->zip) return few__list_dir(t->ctx, out, dir);
  *out = (struct few_names){0};
  few_status st = list_members(t, out, dir);
  if (st) few__names_free(t->ctx, out);
  return st;
}

few_status few__tree_visit(const struct few_tree *t, struct few_visited *v, const char *dir,
                           bool *first) {
  struct stat s;
  if (t->zip) {
    *first = true;
    return FEW_OK;
  }
  *first = !stat(dir, &s) && S_ISDIR(s.st_mode);
  for (int i = 0; i < v->n && *first; i++)
    *first = v->at[i].device != s.st_dev || v->at[i].inode != s.st_ino;
  if (!*first) return FEW_OK;
  FEW_TRY(FEW_GROW(t->ctx, v, v->n + 1));
  v->at[v->n++] = (struct few_visited_place){s.st_dev, s.st_ino};
  return FEW_OK;
}

/* ---- contents ---- */

few_status few__tree_read(const struct few_tree *t, char **out, size_t *n, const char *path,
                          size_t max_bytes) {
  if (!t->zip) return few__file_read(t->ctx, out, n, path, max_bytes);
  const struct few_tree_member *m = find(t, path);
  *out = NULL;
  if (!m) return few__fail(t->ctx, FEW_E_IO, "%s is not in the archive: check the name", path);
  return few__zip_get(t->zip, m->place, out, n, max_bytes);
}

few_status few__tree_feed(const struct few_tree *t, struct few_feed *out, const char *path) {
  char *bytes;
  size_t n;
  if (!t->zip) return few__feed_open(t->ctx, out, path);
  *out = (struct few_feed){.ctx = t->ctx, .fd = -1};
  FEW_TRY(few__tree_read(t, &bytes, &n, path, FEW_TREE_FILE_MAX));
  few__feed_memory(t->ctx, out, path, bytes, n);
  out->buffer = (uint8_t *)bytes; /* few__feed_close frees it */
  return FEW_OK;
}
