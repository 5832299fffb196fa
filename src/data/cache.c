/* cache.c - keeps decoded images of a folder from one run to the next.
 *
 * Decoding and shrinking photographs takes minutes, and each run would do it again. So if it took
 * more than a few seconds, the decoded images are written to .few-cache-<options> in the folder
 * itself, whose hidden files are never read as images, or to the folder FEW_CACHE (empty: nowhere).
 *
 * The decoded images depend on the options and on the files. The header has the SHA-256 of the
 * options and of the names, sizes and times of all files; a cache with another hash is stale. The
 * time used is that of the last change of a file or its attributes (ctime), which programs cannot
 * set back. A file that changed within the resolution of clocks may change again at the same time,
 * so then nothing is cached.
 *
 *   8 bytes   "FEWPIX01"        64 bytes  the hash, hexadecimal
 *   40 bytes  n, h, w, c, skipped: 64 bits each, in the machine's byte order
 *   4 n       for each image, the index of its file
 *   n h w c   pixels            8 bytes   FNV-1a of everything before
 *
 * Labels are not cached: they come from folders and lists, which are read anyway.
 */
#include "cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "io/feed.h"
#include "io/file.h"

enum { SECONDS = 3, GRAIN = 2, NUMBERS = 5 };
static const char magic[] = "FEWPIX01";

struct head {
  char magic[8], key[FEW_SHA256_TEXT - 1];
  int64_t n, h, w, c, skipped;
};
_Static_assert(sizeof(struct head) == 8 + FEW_SHA256_TEXT - 1 + NUMBERS * 8, "no padding");

static void add(struct few_cache *c, const void *bytes, size_t n) {
  few__sha256_add(&c->sum, bytes, n);
}

/* FEW_CACHE/folder-<folder, options> or DIR/.few-cache-<options>; NULL: no cache. */
static few_status place(few_ctx *ctx, struct few_cache *c, const char *dir, const char *set,
                        const char *options) {
  const char *own = getenv("FEW_CACHE");
  const uint64_t of = few__hash(set, strlen(set), few__hash(options, strlen(options), 0));
  struct few_text name = {0};
  struct stat s;
  if ((own && !*own) || stat(*dir ? dir : ".", &s)) return FEW_OK;
  if (own) {
    const uint64_t where[2] = {(uint64_t)s.st_dev, (uint64_t)s.st_ino};
    few__text_add(ctx, &name, "folder-%016llx",
                  (unsigned long long)few__hash(where, sizeof where, of));
  } else {
    few__text_add(ctx, &name, ".few-cache-%016llx", (unsigned long long)of);
  }
  few_status st = name.failed ? few__fail(ctx, FEW_E_MEMORY, "out of memory for a file's name")
                              : few__path_join(ctx, &c->path, own ? own : dir, name.at);
  few__text_free(ctx, &name);
  c->used = !st;
  return st;
}

static double seconds_of(const struct timespec *t) {
  return (double)t->tv_sec + 1e-9 * (double)t->tv_nsec;
}

few_status few__cache_begin(few_ctx *ctx, struct few_cache *c, const char *dir, const char *name,
                            const struct few_data_opts *o) {
  char options[200];
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  *c = (struct few_cache){.began = seconds_of(&now)};
  if (o->cache == FEW_DATA_CACHE_NO) return FEW_OK;
  snprintf(options, sizeof options, "%s %lld %d %lld %lld %lld %d", few_version(),
           (long long)o->size, (int)o->fit, (long long)o->channels, (long long)o->background,
           (long long)o->limit, o->on_error);
  few__sha256_start(&c->sum);
  add(c, magic, sizeof magic);
  add(c, options, strlen(options) + 1);
  return place(ctx, c, dir, name, options);
}

void few__cache_add(struct few_cache *c, const char *path, int32_t label, const struct stat *s) {
  if (!c->used) return;
  const double changed = seconds_of(&s->st_ctim);
  const int64_t about[] = {label,
                           (int64_t)s->st_size,
                           (int64_t)s->st_mtim.tv_sec,
                           s->st_mtim.tv_nsec,
                           (int64_t)s->st_ctim.tv_sec,
                           s->st_ctim.tv_nsec};
  add(c, path, strlen(path) + 1);
  add(c, about, sizeof about);
  if (changed > c->newest) c->newest = changed;
}

/* ---- reading ---- */

/* Number of bytes after the header; SIZE_MAX: it is not the header of these images. */
static size_t body_of(const struct few_cache *c, const struct head *h, int files) {
  const bool known = !memcmp(h->magic, magic, sizeof h->magic) &&
                     !memcmp(h->key, c->key, sizeof h->key) && h->n >= 1 && h->n <= files &&
                     h->h >= 1 && h->h <= FEW_DATA_MAX_SIDE && h->w >= 1 &&
                     h->w <= FEW_DATA_MAX_SIDE && (h->c == 1 || h->c == 3) && h->skipped >= 0 &&
                     h->skipped <= files;
  if (!known) return SIZE_MAX;
  const size_t pixels = few__mul_size((size_t)h->n, (size_t)(h->h * h->w * h->c));
  return pixels < SIZE_MAX / 2 ? pixels + (size_t)h->n * sizeof(int32_t) : SIZE_MAX;
}

static few_status read_body(few_data *d, struct few_feed *f, const struct head *h, int files,
                            int32_t **kept, bool *whole) {
  const size_t pixels = (size_t)(h->n * h->h * h->w * h->c);
  const size_t list = (size_t)h->n * sizeof(int32_t);
  uint64_t stored, sum = few__hash(h, sizeof *h, 0);
  assert(!d->pixels && !*kept && h->n >= 1 && h->n <= files);
  FEW_TRY(FEW_NEW(d->ctx, kept, h->n));
  FEW_TRY(few__new(d->ctx, &d->pixels, pixels, 1));
  FEW_TRY(few__feed_read(f, *kept, list));
  FEW_TRY(few__feed_read(f, d->pixels, pixels));
  FEW_TRY(few__feed_read(f, &stored, sizeof stored));
  sum = few__hash(d->pixels, pixels, few__hash(*kept, list, sum));
  *whole = sum == stored;
  for (int64_t i = 0; i < h->n && *whole; i++) *whole = (*kept)[i] >= 0 && (*kept)[i] < files;
  return FEW_OK;
}

static few_status load(few_data *d, struct few_cache *c, struct few_feed *f, int files,
                       int32_t **kept, bool *hit) {
  struct head h;
  FEW_TRY(few__feed_read(f, &h, sizeof h));
  const size_t body = body_of(c, &h, files);
  if (body == SIZE_MAX || f->size != sizeof h + body + sizeof(uint64_t)) return FEW_OK;
  FEW_TRY(read_body(d, f, &h, files, kept, hit));
  if (!*hit) return FEW_OK;
  d->kind = FEW_DATA_IMAGES;
  d->n = h.n;
  d->h = (int)h.h;
  d->w = (int)h.w;
  d->c = (int)h.c;
  d->skipped += h.skipped;
  return FEW_OK;
}

few_status few__cache_load(few_data *d, struct few_cache *c, int files, int32_t **kept, bool *hit) {
  struct few_feed f;
  *kept = NULL;
  *hit = false;
  if (!c->used) return FEW_OK;
  few__sha256_end(&c->sum, c->key);
  if (!few__path_is_file(c->path) || few__feed_open(d->ctx, &f, c->path)) return FEW_OK;
  few_status st = load(d, c, &f, files, kept, hit);
  few__feed_close(&f);
  if (*hit) {
    few__data_note(d, "its images were decoded before and are read from %s", c->path);
    return FEW_OK;
  }
  few__free(d->ctx, *kept);
  few__free(d->ctx, d->pixels);
  *kept = NULL;
  d->pixels = NULL;
  return st == FEW_E_MEMORY ? st : FEW_OK;
}

/* ---- writing ---- */

static few_status write(few_data *d, const struct few_cache *c, const int32_t *kept,
                        int64_t skipped) {
  struct head h = {.n = d->n, .h = d->h, .w = d->w, .c = d->c, .skipped = skipped};
  assert(c->used && c->path && d->pixels && skipped >= 0);
  const size_t list = (size_t)d->n * sizeof *kept, pixels = (size_t)d->n * few__data_item_bytes(d);
  few_writer *w;
  memcpy(h.magic, magic, sizeof h.magic);
  memcpy(h.key, c->key, sizeof h.key);
  const uint64_t sum =
      few__hash(d->pixels, pixels, few__hash(kept, list, few__hash(&h, sizeof h, 0)));
  const char *own = getenv("FEW_CACHE");
  if (own && *own) FEW_TRY(few__mkdirs(d->ctx, own));
  FEW_TRY(few__writer_open(d->ctx, &w, c->path));
  few__writer_put(w, &h, sizeof h);
  few__writer_put(w, kept, list);
  few__writer_put(w, d->pixels, pixels);
  return few__writer_end(w, few__writer_put(w, &sum, sizeof sum));
}

void few__cache_store(few_data *d, struct few_cache *c, const int32_t *kept, int64_t skipped,
                      double seconds, const struct few_data_opts *o) {
  if (!c->used || d->n == 0 || c->newest + GRAIN > c->began) return;
  if (seconds < SECONDS && o->cache != FEW_DATA_CACHE_YES) return;
  if (!write(d, c, kept, skipped))
    few__log(d->ctx, FEW_LOG_INFO,
             "%s: decoding took %.0f s; its images are stored in %s for the next run (set "
             "FEW_CACHE to another folder, or to nothing for no cache)",
             d->spec, seconds, c->path);
  else
    few__log(d->ctx, FEW_LOG_INFO,
             "%s: decoding took %.0f s, and its images cannot be stored for the next run: set "
             "FEW_CACHE to a folder (%s)",
             d->spec, seconds, few_error(d->ctx));
}

void few__cache_free(few_ctx *ctx, struct few_cache *c) { few__free(ctx, c->path); }
