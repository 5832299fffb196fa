/* webdataset.c - shards of WebDataset (Aizman, Maltby and Breuel, 2020, arXiv:2001.01858): tar
 * archives of samples, whose files follow each other.
 *
 *   dir/000017.jpg  dir/000017.cls  dir/000017.json      one sample, with the key dir/000017
 *
 * The key is the name up to the first dot behind the last slash; the rest is the kind of the file.
 * A sample has one image (png, jpg, jpeg, webp). Its label is the integer in its file cls, or a
 * member of the object in its file json, if one is named. Other files are ignored, and a note
 * lists them. Items are in the order of the shards and of the samples in a shard.
 *
 *   webdataset:train-{000000..000146}.tar     a range of shards
 *   webdataset:a.tar,b.tar.gz                 a list
 *   webdataset:DIR                            all .tar, .tar.gz and .tgz files in a folder
 *   webdataset:DIR,label                      labels from the member `label` of json
 *
 * Shards are read in order, twice: first for the keys and labels, because a limit depends on them,
 * then for the images. So a gzipped shard needs no more memory than another.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "images.h"
#include "io/file.h"
#include "io/json.h"
#include "io/photo.h"
#include "io/tar.h"

enum {
  SHARDS_MAX = 1 << 16,
  LABEL_MAX = 1 << 10, /* bytes of a file cls */
  JSON_MAX = 1 << 24,  /* bytes of a file json */
  IMAGE_MAX = 1 << 28, /* bytes of an image */
  KIND_MAX = 24,       /* bytes of a kind in the note */
  KINDS_MAX = 8        /* kinds in the note */
};

/* Where the image of a file is. */
struct sample {
  int shard;
  uint64_t at;  /* in the unpacked archive */
  char *label;  /* NULL: none; owned */
  size_t key;   /* length of the key */
  size_t begin; /* where the key begins in the path of the file */
};

struct set {
  few_data *d;
  struct few_data_paths shards;
  const char *member; /* of json; NULL: labels are in cls */
  struct few_images files;
  struct {
    struct sample *at; /* of the files, in their order */
    int n, cap;
  } samples;
  int64_t labelled;

  /* the sample that is being indexed */
  char *key, *image, *label;
  uint64_t image_at;
  bool broken;
  struct stat about;

  struct {
    char kind[KIND_MAX];
    int64_t n;
  } ignored[KINDS_MAX];
  int64_t more_ignored;

  few_tar *tar; /* of the second reading */
  int open;     /* its shard */
};

/* ---- the list of shards ---- */

static bool ends_in(const char *name, const char *end) {
  const size_t n = strlen(name), k = strlen(end);
  return n > k && !strcmp(name + n - k, end);
}

static bool is_shard(const char *name) {
  return ends_in(name, ".tar") || ends_in(name, ".tar.gz") || ends_in(name, ".tgz");
}

static few_status add_shard(struct set *s, const char *path, size_t n) {
  few_ctx *ctx = s->d->ctx;
  if (s->shards.n == SHARDS_MAX)
    return few__fail(ctx, FEW_E_INVALID, "%s: more than %d shards: name fewer", s->d->spec,
                     SHARDS_MAX);
  FEW_TRY(FEW_GROW(ctx, &s->shards, s->shards.n + 1));
  char *copy = few__alloc(ctx, n + 1);
  if (!copy) return few__fail(ctx, FEW_E_MEMORY, "out of memory for a path of %zu bytes", n);
  memcpy(copy, path, n);
  copy[n] = '\0';
  s->shards.at[s->shards.n++] = copy;
  return FEW_OK;
}

static few_status add_folder(struct set *s, const char *dir) {
  struct few_names names;
  const int before = s->shards.n;
  FEW_TRY(few__list_dir(s->d->ctx, &names, dir));
  few_status st = FEW_OK;
  for (int i = 0; i < names.n && !st; i++) {
    char *path = NULL;
    if (names.at[i][0] == '.' || !is_shard(names.at[i])) continue;
    st = few__path_join(s->d->ctx, &path, dir, names.at[i]);
    if (!st) st = add_shard(s, path, strlen(path));
    few__free(s->d->ctx, path);
  }
  few__names_free(s->d->ctx, &names);
  if (!st && s->shards.n == before)
    st = few__fail(s->d->ctx, FEW_E_FORMAT,
                   "%s: the folder %s has no .tar, .tar.gz or .tgz file: name the folder of shards",
                   s->d->spec, dir);
  return st;
}

static few_status bad_range(const struct set *s, const char *path) {
  return few__fail(s->d->ctx, FEW_E_INVALID,
                   "%s: %s: braces hold a range of numbers, such as {000000..000146}", s->d->spec,
                   path);
}

/* The range at `brace`, "{first..last}"; *end points past it. */
static bool parse_range(const char *brace, int64_t *first, int64_t *last, size_t *width,
                        const char **end) {
  const char *p = brace + 1;
  const size_t n = strspn(p, "0123456789");
  if (!n || n > 12 || strncmp(p + n, "..", 2) != 0) return false;
  const char *q = p + n + 2;
  const size_t k = strspn(q, "0123456789");
  if (!k || k > 12 || q[k] != '}') return false;
  *first = strtoll(p, NULL, 10);
  *last = strtoll(q, NULL, 10);
  *width = *p == '0' ? n : 0; /* zeros in front are kept, as in bash */
  *end = q + k + 1;
  return *first <= *last;
}

/* Adds the shards of a path: with ranges, a folder, or one file. */
static few_status add_path(struct set *s, const char *path) {
  const char *brace = strchr(path, '{'), *end;
  int64_t first, last;
  size_t width;
  if (few__path_is_dir(path)) return add_folder(s, path);
  if (!brace || few__path_exists(path)) return add_shard(s, path, strlen(path));
  if (!parse_range(brace, &first, &last, &width, &end)) return bad_range(s, path);
  few_status st = FEW_OK;
  for (int64_t i = first; i <= last && !st; i++) {
    struct few_text t = {0};
    few__text_add(s->d->ctx, &t, "%.*s%0*lld%s", (int)(brace - path), path, (int)width,
                  (long long)i, end);
    st = t.failed ? few__fail(s->d->ctx, FEW_E_MEMORY, "out of memory for a path")
                  : add_path(s, t.at); /* another range may follow */
    few__text_free(s->d->ctx, &t);
  }
  return st;
}

/* Splits SHARDS[,MEMBER]. `list` keeps the memory of the member's name. */
static few_status find_shards(struct set *s, const struct few_data_paths *list) {
  int n = list->n;
  const char *last = list->at[n - 1];
  if (n > 1 && !is_shard(last) && !few__path_exists(last)) {
    n--;
    s->member = strcmp(last, "cls") != 0 ? last : NULL;
  }
  for (int i = 0; i < n; i++) FEW_TRY(add_path(s, list->at[i]));
  for (int i = 0; i < s->shards.n; i++) FEW_TRY(few__file_check(s->d->ctx, s->shards.at[i]));
  return FEW_OK;
}

/* ---- the first reading: keys and labels ---- */

static void ignore(struct set *s, const char *kind) {
  int i = 0;
  while (i < KINDS_MAX && s->ignored[i].n && strncmp(s->ignored[i].kind, kind, KIND_MAX - 1)) i++;
  if (i == KINDS_MAX) {
    s->more_ignored++;
    return;
  }
  if (!s->ignored[i].n++) snprintf(s->ignored[i].kind, KIND_MAX, "%s", kind);
}

static void forget_sample(struct set *s) {
  few_ctx *ctx = s->d->ctx;
  few__free(ctx, s->key);
  few__free(ctx, s->image);
  few__free(ctx, s->label);
  s->key = s->image = s->label = NULL;
  s->broken = false;
}

FEW_PRINTF(3, 4)
static few_status broken(struct set *s, int shard, const char *fmt, ...) {
  char why[1024];
  va_list args;
  if (s->broken) return FEW_OK; /* a sample counts once */
  s->broken = true;
  va_start(args, fmt);
  few__vprint(why, sizeof why, fmt, args);
  va_end(args);
  return few__data_broken(s->d, s->files.o, 1, "%s: sample %.300s %s", s->shards.at[shard], s->key,
                          why);
}

/* Ends the sample that is being indexed. */
static few_status end_sample(struct set *s, int shard) {
  few_ctx *ctx = s->d->ctx;
  struct few_text path = {0};
  few_status st = FEW_OK;
  if (s->key && !s->image) st = broken(s, shard, "has no image (png, jpg, jpeg or webp)");
  if (st || !s->key || s->broken) goto out;
  few__text_add(ctx, &path, "%s/%s", s->shards.at[shard], s->image);
  if (path.failed) FEW_GOTO(few__fail(ctx, FEW_E_MEMORY, "out of memory for a path"));
  FEW_GOTO(FEW_GROW(ctx, &s->samples, s->samples.n + 1));
  s->samples.at[s->samples.n++] = (struct sample){.shard = shard,
                                                  .at = s->image_at,
                                                  .label = s->label,
                                                  .key = strlen(s->key),
                                                  .begin = strlen(s->shards.at[shard]) + 1};
  s->labelled += s->label != NULL;
  s->label = NULL;
  st = few__images_add(&s->files, path.at, FEW_IMAGES_BESIDE, &s->about);
  path.at = NULL;
out:
  few__text_free(ctx, &path);
  forget_sample(s);
  return st;
}

static few_status set_label(struct set *s, const char *text, int shard) {
  if (s->label) return broken(s, shard, "has two labels");
  s->label = few__strdup(s->d->ctx, text);
  return s->label ? FEW_OK : few__fail(s->d->ctx, FEW_E_MEMORY, "out of memory for a label");
}

/* Takes the label from the file cls: digits, with white space around them. */
static few_status take_cls(struct set *s, few_tar *tar, int shard) {
  char *text;
  size_t n;
  FEW_TRY(few__tar_read(tar, &text, &n, LABEL_MAX));
  const char *begin = text + strspn(text, " \t\r\n");
  const size_t digits = strspn(begin, "0123456789");
  const bool number = digits > 0 && !begin[digits + strspn(begin + digits, " \t\r\n")];
  few_status st = FEW_OK;
  text[(size_t)(begin - text) + digits] = '\0';
  if (!number)
    st = broken(s, shard, "has a file cls that is not the number of a class");
  else
    st = set_label(s, begin, shard);
  few__free(s->d->ctx, text);
  return st;
}

/* Takes the label from a member of json: the number or the name of a class. */
static few_status take_json(struct set *s, few_tar *tar, const char *name, int shard) {
  char *text, number[24];
  size_t n;
  json_t *all = NULL;
  FEW_TRY(few__tar_read(tar, &text, &n, JSON_MAX));
  few_status st = few__json_parse(s->d->ctx, &all, name, text, n);
  few__free(s->d->ctx, text);
  if (st == FEW_E_MEMORY) return st;
  if (st) return broken(s, shard, "has a broken json: %.300s", few_error(s->d->ctx));
  const json_t *value = json_object_get(all, s->member);
  snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
  if (json_is_string(value) && *json_string_value(value))
    st = set_label(s, json_string_value(value), shard);
  else if (json_is_integer(value) && json_integer_value(value) >= 0)
    st = set_label(s, number, shard);
  else
    st = broken(s, shard,
                "has no member `%.100s` in its json that is the name or the number of a "
                "class",
                s->member);
  json_decref(all);
  return st;
}

static few_status take_image(struct set *s, const struct few_tar_member *m, int shard) {
  if (s->image) return broken(s, shard, "has two images");
  s->image = few__strdup(s->d->ctx, m->name);
  s->image_at = m->at;
  return s->image ? FEW_OK : few__fail(s->d->ctx, FEW_E_MEMORY, "out of memory for a name");
}

/* Length of the key in a name; 0: the file belongs to no sample. */
static size_t key_length(const char *name) {
  const char *slash = strrchr(name, '/'), *base = slash ? slash + 1 : name;
  const size_t n = strcspn(base, ".");
  if (name[0] == '_' && name[1] == '_') return 0; /* about the shard, by convention */
  return n && base[n] ? (size_t)(base - name) + n : 0;
}

/* Takes a file of a shard. */
static few_status take_file(struct set *s, few_tar *tar, const struct few_tar_member *m,
                            int shard) {
  static const char *const images[] = {"png", "jpg", "jpeg", "webp"};
  char kind[KIND_MAX];
  const size_t key = m->file ? key_length(m->name) : 0;
  size_t n = 0;
  if (!key) {
    if (m->file) ignore(s, few__path_name(m->name));
    return FEW_OK;
  }
  for (const char *p = m->name + key + 1; *p && n < KIND_MAX - 1; p++)
    kind[n++] = (char)tolower((unsigned char)*p);
  kind[n] = '\0';
  if (!s->key || strlen(s->key) != key || memcmp(s->key, m->name, key) != 0) {
    FEW_TRY(end_sample(s, shard));
    s->key = few__strdup(s->d->ctx, m->name);
    if (!s->key) return few__fail(s->d->ctx, FEW_E_MEMORY, "out of memory for a key");
    s->key[key] = '\0';
  }
  for (int i = 0; i < FEW_COUNT(images); i++)
    if (!strcmp(kind, images[i])) return take_image(s, m, shard);
  if (!s->member && !strcmp(kind, "cls")) return take_cls(s, tar, shard);
  if (s->member && !strcmp(kind, "json")) return take_json(s, tar, m->name, shard);
  ignore(s, kind);
  return FEW_OK;
}

struct key {
  const char *at;
  size_t n;
};

static int by_key(const void *a, const void *b) {
  const struct key *x = a, *y = b;
  const int order = memcmp(x->at, y->at, x->n < y->n ? x->n : y->n);
  return order ? order : (x->n > y->n) - (x->n < y->n);
}

/* Refuses a shard in which a key comes again after another: files of one sample are apart, because
 * the archive was not sorted. */
static few_status check_keys(struct set *s, int first, int shard) {
  const int n = s->samples.n - first;
  struct key *key;
  FEW_TRY(FEW_NEW(s->d->ctx, &key, n ? n : 1));
  for (int i = 0; i < n; i++)
    key[i] = (struct key){s->files.at[first + i].path + s->samples.at[first + i].begin,
                          s->samples.at[first + i].key};
  if (n) qsort(key, (size_t)n, sizeof *key, by_key);
  few_status st = FEW_OK;
  for (int i = 1; i < n && !st; i++)
    if (!by_key(&key[i - 1], &key[i]))
      st = few__fail(s->d->ctx, FEW_E_FORMAT,
                     "%s: the files of sample %.*s do not follow each other: make the shard from "
                     "a sorted list (tar --sort=name)",
                     s->shards.at[shard], (int)(key[i].n < 300 ? key[i].n : 300), key[i].at);
  few__free(s->d->ctx, key);
  return st;
}

static few_status index_shard(struct set *s, int shard) {
  few_ctx *ctx = s->d->ctx;
  const char *path = s->shards.at[shard];
  const int first = s->samples.n;
  struct few_tar_member m;
  few_tar *tar = NULL;
  bool end;
  few_status st = FEW_OK;
  if (stat(path, &s->about)) return few__fail_errno(ctx, "read", path, errno);
  FEW_GOTO(few__tar_open(ctx, &tar, path));
  FEW_GOTO(few__tar_next(tar, &m, &end));
  while (!end) {
    FEW_GOTO(take_file(s, tar, &m, shard));
    FEW_GOTO(few__tar_next(tar, &m, &end));
  }
  FEW_GOTO(end_sample(s, shard));
  FEW_GOTO(check_keys(s, first, shard));
out:
  few__tar_close(tar);
  return st;
}

static few_status index_all(struct set *s) {
  const double start = few__now();
  for (int i = 0; i < s->shards.n; i++) {
    FEW_TRY(index_shard(s, i));
    FEW_TRY(few__progress(s->d->ctx, &(struct few_progress){"reading shards", i + 1, s->shards.n,
                                                            few__now() - start, NULL}));
  }
  return FEW_OK;
}

/* ---- labels and the note ---- */

static few_status note(struct set *s) {
  struct few_text t = {0};
  for (int i = 0; i < KINDS_MAX && s->ignored[i].n; i++)
    few__text_add(s->d->ctx, &t, "%s%lld %s", i ? ", " : "", (long long)s->ignored[i].n,
                  s->ignored[i].kind);
  if (s->more_ignored) few__text_add(s->d->ctx, &t, ", %lld others", (long long)s->more_ignored);
  few__data_note(s->d, "%d %s", s->shards.n, s->shards.n == 1 ? "shard" : "shards");
  if (s->labelled)
    few__data_note(s->d, "labels come from %s%s", s->member ? "the json member " : "cls",
                   s->member ? s->member : "");
  else
    few__data_note(s->d, "no sample has a label (a file cls, or webdataset:SHARDS,MEMBER of json)");
  if (t.len) few__data_note(s->d, "files that are ignored: %s", t.at);
  const bool failed = t.failed;
  few__text_free(s->d->ctx, &t);
  return failed ? few__fail(s->d->ctx, FEW_E_MEMORY, "out of memory for a note") : FEW_OK;
}

static few_status take_labels(struct set *s) {
  const char **text;
  if (!s->labelled) return FEW_OK;
  s->files.list = s->member ? "its json" : "a file cls";
  FEW_TRY(FEW_NEW(s->d->ctx, &text, s->files.n));
  assert(s->samples.at && s->samples.n == s->files.n);
  for (int i = 0; i < s->files.n; i++) text[i] = s->samples.at[i].label;
  few_status st = few__images_classes(&s->files, text);
  few__free(s->d->ctx, text);
  return st;
}

/* ---- the second reading: images ---- */

/* Opens the image of file i. It is behind those that were opened before. */
static few_status open_image(void *user, int i, struct few_feed *out) {
  struct set *s = user;
  const struct sample *sample = &s->samples.at[i];
  const char *path = s->files.at[i].path;
  struct few_tar_member m = {0};
  char *bytes;
  size_t n;
  bool end = false;
  if (!s->tar || s->open != sample->shard) {
    few__tar_close(s->tar);
    s->tar = NULL;
    s->open = sample->shard;
    FEW_TRY(few__tar_open(s->d->ctx, &s->tar, s->shards.at[s->open]));
  }
  while (!end && m.at < sample->at) FEW_TRY(few__tar_next(s->tar, &m, &end));
  if (end || m.at != sample->at)
    return few__fail(s->d->ctx, FEW_E_IO, "%s changed while it was read: try again",
                     s->shards.at[s->open]);
  FEW_TRY(few__tar_read(s->tar, &bytes, &n, IMAGE_MAX));
  few__feed_memory(s->d->ctx, out, path, bytes, n);
  out->buffer = (uint8_t *)bytes; /* few__feed_close frees it */
  return FEW_OK;
}

/* The cache is beside the first shard. */
static few_status begin_cache(const struct set *s, struct few_cache *cache, const char *where) {
  assert(s->shards.n > 0 && s->shards.at);
  char *dir = few__strdup(s->d->ctx, s->shards.at[0]);
  if (!dir) return few__fail(s->d->ctx, FEW_E_MEMORY, "out of memory for a path");
  const size_t n = (size_t)(few__path_name(dir) - dir);
  dir[n > 1 ? n - 1 : n] = '\0'; /* keep the slash of "/x.tar" */
  few_status st = few__cache_begin(s->d->ctx, cache, dir, where, s->files.o);
  few__free(s->d->ctx, dir);
  return st;
}

static void free_set(struct set *s) {
  few_ctx *ctx = s->d->ctx;
  forget_sample(s);
  few__tar_close(s->tar);
  few__images_free(&s->files);
  for (int i = 0; i < s->samples.n; i++) few__free(ctx, s->samples.at[i].label);
  few__free(ctx, s->samples.at);
  few__data_free_paths(ctx, &s->shards);
}

few_status few__data_open_webdataset(few_data *d, const char *where,
                                     const struct few_data_opts *o) {
  struct set s = {.d = d, .files = {.d = d, .o = o, .open = open_image, .user = &s}};
  struct few_data_paths list = {0};
  struct few_cache cache = {0};
  few_status st = FEW_OK;
  FEW_GOTO(few__data_no_split(d, o));
  FEW_GOTO(few__data_split_paths(d, where, &list));
  FEW_GOTO(find_shards(&s, &list));
  FEW_GOTO(begin_cache(&s, &cache, where));
  FEW_GOTO(index_all(&s));
  if (s.files.n == 0 && !d->skipped)
    FEW_GOTO(few__fail(d->ctx, FEW_E_FORMAT,
                       "%s has no sample: its files must be called KEY.png, KEY.jpg or KEY.webp",
                       s.shards.at[0]));
  FEW_GOTO(take_labels(&s));
  FEW_GOTO(note(&s));
  FEW_GOTO(few__images_read(&s.files, &cache, 0));
out:
  free_set(&s);
  few__data_free_paths(d->ctx, &list);
  few__cache_free(d->ctx, &cache);
  return st;
}
