/* tree.h - the folders and files of a set: those of the disk, or the members of a zip archive as if
 * it were unpacked.
 *
 * Paths inside an archive begin with its own path: "sets/a.zip/cats/1.png". Functions that take a
 * path work on the disk if the tree has no archive.
 */
#ifndef FEW_SRC_DATA_TREE_H
#define FEW_SRC_DATA_TREE_H

#include <sys/stat.h>

#include "io/feed.h"
#include "io/file.h"
#include "io/zip.h"

struct few_tree {
  few_ctx *ctx;
  few_zip *zip;      /* NULL: the disk */
  char *root;        /* the path of the archive */
  struct stat about; /* of the archive */
  struct few_tree_member {
    const char *name; /* borrowed from the archive */
    uint64_t size;
    int64_t place; /* in the archive */
  } * at;          /* its files, sorted by name */
  int n, cap;
};

enum { FEW_TREE_FILE_MAX = 1 << 28 }; /* bytes of a member of an archive: it is read whole */

/* Opens `where`, which may be PATH or PATH:PART. If PATH is a zip archive the tree is that archive,
 * otherwise it is the disk. FEW_E_FORMAT if the archive is damaged, its members overlap or two have
 * one name, or if a name is not a plain relative path. Close the tree even after a failure. */
few_status few__tree_open(few_ctx *ctx, struct few_tree *t, const char *where);
void few__tree_close(struct few_tree *t);

bool few__tree_exists(const struct few_tree *t, const char *path);
bool few__tree_is_dir(const struct few_tree *t, const char *path);
/* As stat(2); a member has the times of its archive. Returns false if there is no such path. */
bool few__tree_stat(const struct few_tree *t, const char *path, struct stat *out);
/* The names in a folder, as few__list_dir. */
few_status few__tree_list(const struct few_tree *t, struct few_names *out, const char *dir);

/* Opens a file. `path` is borrowed until few__feed_close. */
few_status few__tree_feed(const struct few_tree *t, struct few_feed *out, const char *path);
/* Reads a whole file of at most max_bytes, as few__file_read. */
few_status few__tree_read(const struct few_tree *t, char **out, size_t *n, const char *path,
                          size_t max_bytes);

/* The folders that a walk has entered: symbolic links may form loops. */
struct few_visited {
  struct few_visited_place {
    dev_t device;
    ino_t inode;
  } * at;
  int n, cap;
};
/* Records a visit of a folder. *first is false if the folder was visited before or vanished. Free
 * v->at. */
few_status few__tree_visit(const struct few_tree *t, struct few_visited *v, const char *dir,
                           bool *first);

#endif
