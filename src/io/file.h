/* file.h - reads and writes whole files; paths and directories. */
#ifndef FEW_SRC_IO_FILE_H
#define FEW_SRC_IO_FILE_H

#include "base/base.h"

/* Reads a file of at most max_bytes. *out is yours (few__free), 64-byte aligned, and followed by a
 * NUL that is not counted in *n. A larger file is FEW_E_FORMAT. Devices are refused, and a pipe may
 * have at most 64 MiB. On failure *out is NULL. */
few_status few__file_read(few_ctx *ctx, char **out, size_t *n, const char *path, size_t max_bytes);

/* FEW_E_IO if a path is not a regular file. For readers that open the file themselves, or twice. */
few_status few__file_check(few_ctx *ctx, const char *path);

/* Writes a file atomically: at any time PATH has either the old content or all of the new content.
 * The bytes are written to a temporary file in the same directory (.few-<random>.tmp), flushed to
 * the disk and read back; then the file is renamed. A replaced file keeps its mode; a new one has
 * the mode of the umask. A symbolic link is followed. A PATH that is not a regular file (a pipe,
 * /dev/stdout) is written directly. Any number of threads and processes may write one path: the
 * last wins. */
typedef struct few_writer few_writer;
few_status few__writer_open(few_ctx *ctx, few_writer **out, const char *path);
/* Errors stick: it is enough to check the result of few__writer_end. */
few_status few__writer_put(few_writer *w, const void *bytes, size_t n);
/* Frees w. If st is FEW_OK, the temporary replaces PATH; otherwise it is removed. Returns st, or
 * the writer's error. If w is NULL, returns st. */
few_status few__writer_end(few_writer *w, few_status st);

few_status few__file_write(few_ctx *ctx, const char *path, const void *bytes, size_t n);

/* ".few-<random>.tmp" in the directory of `path`. *out is yours. */
few_status few__temp_name(few_ctx *ctx, char **out, const char *path);

/* Writes a folder of files (folder.c). The files go to the folder `temp`, by few__file_write and
 * others. At the end it becomes PATH: by one renaming, or, if PATH is an empty folder, by renaming
 * what is in it. After an error PATH is as it was. */
struct few_folder {
  few_ctx *ctx;
  char *path, *temp;
  bool exists; /* PATH is an empty folder; then temp is in it, otherwise beside it */
  int fd;      /* of temp, locked as a writer's temporary */
};
/* FEW_E_INVALID if PATH is a file, or a folder with files. */
few_status few__folder_open(few_ctx *ctx, struct few_folder *out, const char *path);
/* If st is FEW_OK, the files are put in place; otherwise they are removed. Returns st, or the error
 * of this. Also after a few__folder_open that failed. */
few_status few__folder_end(struct few_folder *f, few_status st);
/* Removes the folder `name` in the open directory `dir`, with everything in it. Links are not
 * followed. Errors are ignored. */
void few__remove_tree(int dir, const char *name);

/* Removes temporaries that a killed process left in a directory ("" is the current one), or in the
 * directory of `path`. Temporaries that are being written stay. A directory that cannot be read is
 * left unchanged. */
void few__sweep_dir(const char *dir);
void few__sweep_beside(const char *path);

bool few__path_exists(const char *path);  /* anything at all, links followed */
bool few__path_is_file(const char *path); /* a regular file, links followed */
bool few__path_is_dir(const char *path);
bool few__path_same(const char *a, const char *b); /* both exist and are the same file */
few_status few__file_size(few_ctx *ctx, int64_t *out, const char *path);

/* "dir/name" without a double slash; "name" if dir is "". *out is yours. */
few_status few__path_join(few_ctx *ctx, char **out, const char *dir, const char *name);
const char *few__path_name(const char *path); /* what follows the last slash: borrowed */

/* Creates a directory and those above it. An existing directory is not an error. */
few_status few__mkdirs(few_ctx *ctx, const char *path);

/* The names in a directory except . and .., sorted by bytes, so in the same order on every
 * machine. */
struct few_names {
  char **at;
  int n, cap;
};
few_status few__list_dir(few_ctx *ctx, struct few_names *out, const char *dir);
void few__names_free(few_ctx *ctx, struct few_names *names);

/* FEW_E_IO with "cannot DOING PATH: the system's message: what to try", from an errno. */
few_status few__fail_errno(few_ctx *ctx, const char *doing, const char *path, int err);

#endif
