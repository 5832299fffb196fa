/* zip.c - reads zip archives through libzip, which checks sizes and CRCs.
 *
 * Archives come from strangers. A member of more than 16 MB that is packed more than 64 to 1 is
 * refused, as in gzip.c. An archive whose members are all read may also overlap them, so that each
 * byte of the file is unpacked many times (Fifield, "A better zip bomb", 2019). So the packed sizes
 * of all members must fit into the file, and their unpacked sizes have the same limit together.
 */
#include "io/zip.h"

#include <zip.h>

#include "file.h"

static few_status open_archive(few_ctx *ctx, zip_t **out, const char *path) {
  int code = 0;
  FEW_TRY(few__file_check(ctx, path));
  *out = zip_open(path, ZIP_RDONLY, &code);
  if (*out) return FEW_OK;
  zip_error_t error;
  zip_error_init_with_code(&error, code);
  bool system = zip_error_system_type(&error) == ZIP_ET_SYS;
  few_status st = few__fail(ctx, system || code == ZIP_ER_NOENT ? FEW_E_IO : FEW_E_FORMAT,
                            "%s: cannot be read as a zip archive: %s: check the file", path,
                            zip_error_strerror(&error));
  zip_error_fini(&error);
  return st;
}

/* Finds the member. */
static few_status find(few_ctx *ctx, zip_t *archive, const char *path, const char *name,
                       zip_int64_t *out) {
  enum { LISTED = 20 };
  const zip_int64_t count = zip_get_num_entries(archive, 0);
  *out = name ? zip_name_locate(archive, name, 0) : count == 1 ? 0 : -1;
  if (*out >= 0) return FEW_OK;
  struct few_text names = {0};
  for (zip_int64_t i = 0; i < count && i < LISTED; i++) {
    const char *member = zip_get_name(archive, (zip_uint64_t)i, 0);
    few__text_add(ctx, &names, "%s%s", i ? ", " : "", member ? member : "?");
  }
  few_status st = few__fail(
      ctx, FEW_E_INVALID, "%s has no %s: it contains %.600s%s", path, name ? name : "single member",
      names.at && !names.failed ? names.at : "nothing", count > LISTED ? " ..." : "");
  few__text_free(ctx, &names);
  return st;
}

static few_status damaged(few_ctx *ctx, const char *path, const char *member, const char *what) {
  return few__fail(ctx, FEW_E_FORMAT, "%s: %s cannot be read: %s: fetch or save the archive again",
                   path, member, what);
}

enum { RATIO_MAX = 64, FREE = 1 << 24 };

/* Refuses a member that is too long, or too long for its compressed size. */
static few_status check_size(few_ctx *ctx, const zip_stat_t *about, const char *path,
                             const char *member, size_t max_bytes) {
  int64_t file;
  FEW_TRY(few__file_size(ctx, &file, path));
  if (about->size > max_bytes)
    return few__fail(ctx, FEW_E_FORMAT, "%s: %s would have %llu bytes, more than %zu", path, member,
                     (unsigned long long)about->size, max_bytes);
  zip_uint64_t packed = about->valid & ZIP_STAT_COMP_SIZE ? about->comp_size : (zip_uint64_t)file;
  if (packed > (zip_uint64_t)file) packed = (zip_uint64_t)file;
  if (about->size <= FREE || about->size / RATIO_MAX <= packed) return FEW_OK;
  return few__fail(ctx, FEW_E_FORMAT,
                   "%s: %s is packed more than %d to 1: if you trust it, unpack it first", path,
                   member, RATIO_MAX);
}

static few_status read_member(few_ctx *ctx, zip_t *archive, zip_uint64_t i, const char *path,
                              size_t max_bytes, char **out, size_t *n) {
  zip_stat_t about;
  zip_stat_init(&about);
  if (zip_stat_index(archive, i, 0, &about) || !(about.valid & ZIP_STAT_SIZE))
    return damaged(ctx, path, "a member", zip_strerror(archive));
  const char *member = about.valid & ZIP_STAT_NAME ? about.name : "a member";
  FEW_TRY(check_size(ctx, &about, path, member, max_bytes));
  zip_file_t *file = zip_fopen_index(archive, i, 0);
  if (!file) return damaged(ctx, path, member, zip_strerror(archive));
  char *bytes = few__alloc(ctx, (size_t)about.size + 1);
  few_status st = FEW_OK;
  if (!bytes)
    st = few__fail(ctx, FEW_E_MEMORY, "%s: out of memory for the %llu bytes of %s", path,
                   (unsigned long long)about.size, member);
  zip_uint64_t done = 0;
  while (!st && done < about.size) {
    zip_int64_t got = zip_fread(file, bytes + done, about.size - done);
    if (got <= 0) st = damaged(ctx, path, member, got ? zip_file_strerror(file) : "it ends early");
    if (got > 0) done += (zip_uint64_t)got;
  }
  /* libzip verifies the checksum when the end is read. */
  char more;
  if (!st && zip_fread(file, &more, 1) != 0)
    st = damaged(ctx, path, member, zip_file_strerror(file));
  zip_fclose(file);
  assert(st || done == about.size);
  if (st) {
    few__free(ctx, bytes);
    return st;
  }
  bytes[done] = 0;
  *out = bytes;
  *n = (size_t)done;
  return FEW_OK;
}

/* ---- an archive of which many members are read ---- */

struct few_zip {
  few_ctx *ctx;
  zip_t *archive;
  char *path;
};

/* Bytes of a member in the file besides its data and its name, which is there twice: the headers
 * before the data and in the directory at the end. */
enum { HEADERS = 30 + 46 };

static few_status check_all(const few_zip *z) {
  zip_uint64_t packed = 0, size = 0;
  int64_t file;
  FEW_TRY(few__file_size(z->ctx, &file, z->path));
  for (int64_t i = 0; i < few__zip_count(z); i++) {
    zip_stat_t about;
    zip_stat_init(&about);
    if (zip_stat_index(z->archive, (zip_uint64_t)i, 0, &about) ||
        ~about.valid & (ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE))
      return damaged(z->ctx, z->path, "a member", zip_strerror(z->archive));
    const zip_uint64_t most = UINT64_MAX / 4;
    packed += about.comp_size < most - packed ? about.comp_size : most - packed;
    size += about.size < most - size ? about.size : most - size;
    packed += HEADERS + 2 * strlen(about.name);
    if (packed > (zip_uint64_t)file)
      return damaged(z->ctx, z->path, about.name, "the members do not fit into the file");
  }
  if (size <= FREE || size / RATIO_MAX <= (zip_uint64_t)file) return FEW_OK;
  return few__fail(z->ctx, FEW_E_FORMAT,
                   "%s: its members are packed more than %d to 1: if you trust it, unpack it first",
                   z->path, RATIO_MAX);
}

few_status few__zip_open(few_ctx *ctx, few_zip **out, const char *path) {
  few_zip *z;
  *out = NULL;
  FEW_TRY(FEW_NEW(ctx, &z, 1));
  z->ctx = ctx;
  z->path = few__strdup(ctx, path);
  few_status st = z->path ? open_archive(ctx, &z->archive, path)
                          : few__fail(ctx, FEW_E_MEMORY, "out of memory for a path");
  if (!st) st = check_all(z);
  if (st)
    few__zip_close(z);
  else
    *out = z;
  return st;
}

void few__zip_close(few_zip *z) {
  if (!z) return;
  if (z->archive) zip_discard(z->archive);
  few__free(z->ctx, z->path);
  few__free(z->ctx, z);
}

int64_t few__zip_count(const few_zip *z) { return zip_get_num_entries(z->archive, 0); }

const char *few__zip_member(const few_zip *z, int64_t i, uint64_t *size) {
  zip_stat_t about;
  zip_stat_init(&about);
  const int failed = zip_stat_index(z->archive, (zip_uint64_t)i, 0, &about);
  assert(!failed && about.valid & ZIP_STAT_NAME && about.valid & ZIP_STAT_SIZE); /* check_all */
  *size = failed ? 0 : about.size;
  return failed ? "" : about.name;
}

few_status few__zip_get(const few_zip *z, int64_t i, char **out, size_t *n, size_t max_bytes) {
  assert(i >= 0 && i < few__zip_count(z));
  *out = NULL;
  *n = 0;
  return read_member(z->ctx, z->archive, (zip_uint64_t)i, z->path, max_bytes, out, n);
}

/* ---- one member ---- */

few_status few__zip_read(few_ctx *ctx, char **out, size_t *n, const char *path, const char *name,
                         size_t max_bytes) {
  zip_t *archive;
  zip_int64_t i;
  *out = NULL;
  *n = 0;
  FEW_TRY(open_archive(ctx, &archive, path));
  few_status st = find(ctx, archive, path, name, &i);
  if (!st) st = read_member(ctx, archive, (zip_uint64_t)i, path, max_bytes, out, n);
  zip_discard(archive);
  return st;
}

bool few__zip_has(const char *path, const char *name) {
  zip_t *archive = few__path_is_file(path) ? zip_open(path, ZIP_RDONLY, NULL) : NULL;
  if (!archive) return false;
  bool there = zip_name_locate(archive, name, 0) >= 0;
  zip_discard(archive);
  return there;
}
