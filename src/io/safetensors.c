/* safetensors.c - named tensors and a string map in one file.
 *
 *   8 bytes   N, the length of the header, little-endian
 *   N bytes   JSON: {"__metadata__": {"key": "value"}, "name": {"dtype": "F32", "shape": [2, 3],
 *             "data_offsets": [begin, end]}, ...}, padded with spaces
 *   the rest  the numbers, little-endian, row-major; offsets count from here
 *
 * The format (https://github.com/huggingface/safetensors) contains no code, and the file is not
 * trusted. The tensors' data must follow each other without a hole or an overlap and fill the file,
 * and each must have the length that its shape requires. So no bytes can be hidden in a model.
 *
 * The writer pads the header so that the data starts at a multiple of 8. In memory, data starts at
 * a multiple of 64 for every file. Memory for it is allocated only after the header has been read
 * and agrees with the length of the file.
 *
 * In files that few writes, the first entry of the metadata is a digest of the whole file, computed
 * with the digest's own digits as zeros. It has a fixed position. A digest is required if its key
 * or the name of its algorithm is found there, so no single damaged spot can make a file look like
 * one without a digest. Files of other programs have none.
 */
#include "safetensors.h"

#include <inttypes.h>
#include <stdlib.h>

#include "digest.h"
#include "feed.h"
#include "file.h"
#include "json.h"

enum { HEADER_MAX = 100000000 }; /* the limit of the reference implementation */
#define METADATA "__metadata__"
#define DIGEST "few.digest"
/* How the header of a file with a digest begins; the text of the digest follows. */
static const char opening[] = "{\"" METADATA "\":{\"" DIGEST "\":\"";
enum { OPENING = sizeof opening - 1, NAME = sizeof FEW_DIGEST_NAME - 1 };

struct few_st_hold {
  json_t *header; /* owns the names and the metadata */
  char *data;
};

/* The state of a parse. */
struct parse {
  few_ctx *ctx;
  const char *place;
  struct few_st *st;
  struct span {
    uint64_t begin, end;
    int tensor;
  } * spans;
  size_t data_bytes;
  bool digest; /* the metadata has one */
};

/* ---- the header, entry by entry ---- */

static few_status bad(struct parse *p, const char *name, const char *what) {
  return few__fail(p->ctx, FEW_E_FORMAT,
                   "%s: tensor `%.100s`: %s: the file is damaged: fetch or make it again", p->place,
                   name, what);
}

static few_status read_dtype(struct parse *p, struct few_st_tensor *t, const json_t *entry) {
  const char *name = json_string_value(json_object_get(entry, "dtype"));
  if (!name) return bad(p, t->name, "its dtype is not a string");
  if (few__store_from_name(&t->store, name)) return FEW_OK;
  return few__fail(p->ctx, FEW_E_UNSUPPORTED,
                   "%s: tensor `%.100s` has dtype %.20s: convert it to F32, F16 or BF16 first",
                   p->place, t->name, name);
}

static few_status read_shape(struct parse *p, struct few_st_tensor *t, const json_t *entry) {
  const json_t *shape = json_object_get(entry, "shape");
  if (!json_is_array(shape)) return bad(p, t->name, "its shape is not a list");
  if (json_array_size(shape) > FEW_STORE_RANK)
    return few__fail(p->ctx, FEW_E_UNSUPPORTED,
                     "%s: tensor `%.100s` has %zu dimensions: reshape it to %d or fewer", p->place,
                     t->name, json_array_size(shape), FEW_STORE_RANK);
  t->rank = (int)json_array_size(shape);
  for (int i = 0; i < t->rank; i++) {
    const json_t *d = json_array_get(shape, (size_t)i);
    if (!json_is_integer(d) || json_integer_value(d) < 0)
      return bad(p, t->name, "a dimension is not a non-negative integer");
    t->dim[i] = json_integer_value(d);
  }
  if (few__store_count(t->store, t->rank, t->dim, &t->count, &t->bytes)) return FEW_OK;
  return bad(p, t->name, "its shape has too many elements for this machine");
}

static few_status read_span(struct parse *p, const struct few_st_tensor *t, struct span *s,
                            const json_t *entry) {
  const json_t *offsets = json_object_get(entry, "data_offsets");
  const json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);
  if (json_array_size(offsets) != 2 || !json_is_integer(begin) || !json_is_integer(end))
    return bad(p, t->name, "its data_offsets are not two integers");
  int64_t b = json_integer_value(begin), e = json_integer_value(end);
  if (b < 0 || e < b) return bad(p, t->name, "its data ends before it begins");
  if ((uint64_t)e > p->data_bytes) return bad(p, t->name, "its data is beyond the end of the file");
  if ((uint64_t)(e - b) != t->bytes)
    return bad(p, t->name, "its data does not have the length of its shape");
  *s = (struct span){(uint64_t)b, (uint64_t)e, p->st->n};
  return FEW_OK;
}

static few_status read_tensor(struct parse *p, const char *name, const json_t *entry) {
  struct few_st_tensor *t = &p->st->at[p->st->n];
  *t = (struct few_st_tensor){.name = name};
  if (!json_is_object(entry)) return bad(p, name, "its entry is not an object");
  if (json_object_size(entry) != 3)
    return bad(p, name, "its entry must be dtype, shape and data_offsets");
  FEW_TRY(read_dtype(p, t, entry));
  FEW_TRY(read_shape(p, t, entry));
  FEW_TRY(read_span(p, t, &p->spans[p->st->n], entry));
  p->st->n++;
  return FEW_OK;
}

static few_status read_metadata(struct parse *p, json_t *map) {
  const char *key;
  json_t *value;
  if (!json_is_object(map))
    return few__fail(p->ctx, FEW_E_FORMAT, "%s: " METADATA " is not an object: the file is damaged",
                     p->place);
  FEW_TRY(FEW_NEW(p->ctx, &p->st->meta, json_object_size(map)));
  json_object_foreach(map, key, value) {
    if (!json_is_string(value))
      return few__fail(p->ctx, FEW_E_FORMAT,
                       "%s: " METADATA " `%.100s` is not a string: the file is damaged", p->place,
                       key);
    if (!strcmp(key, DIGEST))
      p->digest = true; /* belongs to the container, and is not returned as metadata */
    else
      p->st->meta[p->st->n_meta++] = (struct few_st_pair){key, json_string_value(value)};
  }
  return FEW_OK;
}

static int by_offset(const void *a, const void *b) {
  const struct span *x = a, *y = b;
  if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
  if (x->end != y->end) return x->end < y->end ? -1 : 1; /* empty ones first */
  return x->tensor - y->tensor;
}

/* Checks that the spans, in order, fill the data. */
static few_status check_tiling(struct parse *p) {
  uint64_t at = 0;
  if (p->st->n) qsort(p->spans, (size_t)p->st->n, sizeof *p->spans, by_offset);
  for (int i = 0; i < p->st->n; i++) {
    const char *name = p->st->at[p->spans[i].tensor].name;
    if (p->spans[i].begin < at) return bad(p, name, "its data overlaps that of another tensor");
    if (p->spans[i].begin > at) return bad(p, name, "there is a hole before its data");
    at = p->spans[i].end;
  }
  if (at == p->data_bytes) return FEW_OK;
  return few__fail(p->ctx, FEW_E_FORMAT,
                   "%s: %" PRIu64
                   " bytes of data belong to tensors, the file has %zu: it is damaged",
                   p->place, at, p->data_bytes);
}

/* Sorts the tensors by their data and sets the addresses. */
static few_status place_tensors(struct parse *p) {
  struct few_st_tensor *sorted;
  FEW_TRY(FEW_NEW(p->ctx, &sorted, p->st->n));
  for (int i = 0; i < p->st->n; i++) {
    sorted[i] = p->st->at[p->spans[i].tensor];
    sorted[i].data = p->st->hold->data + p->spans[i].begin;
  }
  few__free(p->ctx, p->st->at);
  p->st->at = sorted;
  return FEW_OK;
}

static few_status read_header(struct parse *p, const char *text, size_t n) {
  json_t *entry;
  const char *name;
  FEW_TRY(few__json_parse(p->ctx, &p->st->hold->header, p->place, text, n));
  json_t *header = p->st->hold->header;
  if (!json_is_object(header) || json_object_size(header) > INT32_MAX)
    return few__fail(p->ctx, FEW_E_FORMAT,
                     "%s: the header is not a JSON object: is it a safetensors file?", p->place);
  FEW_TRY(FEW_NEW(p->ctx, &p->st->at, json_object_size(header)));
  FEW_TRY(FEW_NEW(p->ctx, &p->spans, json_object_size(header)));
  json_object_foreach(header, name, entry) {
    if (strcmp(name, METADATA) == 0)
      FEW_TRY(read_metadata(p, entry));
    else
      FEW_TRY(read_tensor(p, name, entry));
  }
  return check_tiling(p);
}

/* ---- the digest ---- */

/* Adds 8 bytes of length and the header; the data follows. */
static void add_header(few_digest *d, uint64_t length, const char *header) {
  static const char zeros[FEW_DIGEST_DIGITS + 1] = "00000000000000000000000000000000";
  const size_t digits = OPENING + NAME, after = digits + FEW_DIGEST_DIGITS;
  assert(length >= after);
  few__digest_add(d, &length, sizeof length);
  few__digest_add(d, header, digits);
  few__digest_add(d, zeros, FEW_DIGEST_DIGITS);
  few__digest_add(d, header + after, (size_t)length - after);
}

/* Computes the digest. The data is in memory, or still in the feed. */
static few_status digest_of(struct parse *p, struct few_feed *from, char out[FEW_DIGEST_TEXT],
                            const char *header, size_t length) {
  few_digest *d;
  const uint8_t *piece;
  size_t n = 1;
  few_status st = FEW_OK;
  FEW_TRY(few__digest_start(p->ctx, &d));
  add_header(d, length, header);
  if (p->st->hold->data) few__digest_add(d, p->st->hold->data, p->data_bytes);
  while (!st && n && !p->st->hold->data) {
    st = few__feed_next(from, &piece, &n);
    if (!st) few__digest_add(d, piece, n);
  }
  few__digest_text(d, out);
  few__digest_free(p->ctx, d);
  return st;
}

static few_status check_digest(struct parse *p, struct few_feed *from, const char *header,
                               size_t length) {
  char text[FEW_DIGEST_TEXT];
  const bool keyed = length >= OPENING && !memcmp(header, opening, OPENING);
  const bool named = length >= OPENING + NAME && !memcmp(header + OPENING, FEW_DIGEST_NAME, NAME);
  if (!keyed && !named) return FEW_OK;
  if (keyed && length >= OPENING + FEW_DIGEST_TEXT) {
    FEW_TRY(digest_of(p, from, text, header, length));
    if (!memcmp(header + OPENING, text, FEW_DIGEST_TEXT - 1)) return FEW_OK;
  }
  return few__fail(p->ctx, FEW_E_FORMAT,
                   "%s: its content does not match its digest: the file is damaged, or another "
                   "program changed it: fetch or make it again",
                   p->place);
}

/* A digest at another position was copied by a program that wrote the file again. */
static few_status refuse_copied_digest(struct parse *p, const char *header) {
  if (!p->digest || !memcmp(header, opening, OPENING)) return FEW_OK;
  return few__fail(p->ctx, FEW_E_FORMAT,
                   "%s: another program wrote this file and kept the digest of the one before: "
                   "write it again without `" DIGEST "` in its metadata",
                   p->place);
}

/* ---- the file ---- */

static few_status header_length(struct few_feed *from, size_t *out) {
  uint64_t length = 0;
  const uint8_t *head;
  size_t n;
  FEW_TRY(few__feed_peek(from, &head, &n));
  if (n < 8)
    return few__fail(from->ctx, FEW_E_FORMAT, "%s: %zu bytes are too few for a safetensors file",
                     from->place, n);
  memcpy(&length, head, 8);
  if (length > from->size - 8 || length > HEADER_MAX)
    return few__fail(from->ctx, FEW_E_FORMAT,
                     "%s: a header of %" PRIu64 " bytes in a file of %" PRIu64
                     ": it is truncated or not a safetensors file",
                     from->place, length, from->size);
  if (length < 2 || head[8] != '{')
    return few__fail(from->ctx, FEW_E_FORMAT,
                     "%s: the header is not a JSON object: is it a safetensors file?", from->place);
  *out = (size_t)length;
  return FEW_OK;
}

static few_status take_header(struct parse *p, struct few_feed *from, char **text, size_t *n) {
  FEW_TRY(header_length(from, n));
  p->data_bytes = (size_t)from->size - 8 - *n;
  FEW_TRY(few__new(p->ctx, text, *n + 8, 1));
  return few__feed_read(from, *text, *n + 8);
}

static few_status take_data(struct parse *p, struct few_feed *from) {
  char *data = few__alloc(p->ctx, p->data_bytes ? p->data_bytes : 1);
  if (!data)
    return few__fail(p->ctx, FEW_E_MEMORY, "%s: out of memory: %zu bytes requested", p->place,
                     p->data_bytes);
  p->st->hold->data = data;
  FEW_TRY(few__feed_read(from, data, p->data_bytes));
  return place_tensors(p);
}

/* An error in the header may come from a damaged byte, so the digest is checked in this case
 * too. */
static few_status take_file(struct parse *p, struct few_feed *from, char **text) {
  size_t n = 0;
  FEW_TRY(take_header(p, from, text, &n));
  const char *header = *text + 8;
  few_status st = read_header(p, header, n);
  if (!st) st = refuse_copied_digest(p, header);
  if (!st) st = take_data(p, from);
  if (st && st != FEW_E_FORMAT && st != FEW_E_UNSUPPORTED) return st;
  few_status digest = check_digest(p, from, header, n);
  return digest ? digest : st;
}

static few_status parse(few_ctx *ctx, struct few_st *out, struct few_feed *from) {
  struct few_st st = {0};
  struct parse p = {.ctx = ctx, .place = from->place, .st = &st};
  char *text = NULL;
  few_status status = FEW_NEW(ctx, &st.hold, 1);
  if (!status) status = take_file(&p, from, &text);
  few__free(ctx, text);
  few__free(ctx, p.spans);
  if (status) few__st_free(ctx, &st);
  *out = st;
  return status;
}

few_status few__st_parse(few_ctx *ctx, struct few_st *out, const char *place, const void *bytes,
                         size_t n) {
  struct few_feed from;
  few__feed_memory(ctx, &from, place, bytes, n);
  return parse(ctx, out, &from);
}

few_status few__st_read(few_ctx *ctx, struct few_st *out, const char *path, size_t max_bytes) {
  struct few_feed from;
  *out = (struct few_st){0};
  FEW_TRY(few__feed_open(ctx, &from, path));
  few_status st = few__feed_limit(&from, max_bytes);
  if (!st) st = parse(ctx, out, &from);
  few__feed_close(&from);
  return st;
}

void few__st_free(few_ctx *ctx, struct few_st *st) {
  if (st->hold) {
    json_decref(st->hold->header);
    few__free(ctx, st->hold->data);
  }
  few__free(ctx, st->hold);
  few__free(ctx, st->at);
  few__free(ctx, st->meta);
  *st = (struct few_st){0};
}

const struct few_st_tensor *few__st_find(const struct few_st *st, const char *name) {
  for (int i = 0; i < st->n; i++)
    if (strcmp(st->at[i].name, name) == 0) return &st->at[i];
  return NULL;
}

const char *few__st_meta(const struct few_st *st, const char *key) {
  for (int i = 0; i < st->n_meta; i++)
    if (strcmp(st->meta[i].key, key) == 0) return st->meta[i].value;
  return NULL;
}

/* ---- writing ---- */

static few_status given_twice(few_ctx *ctx, const char *what, const char *name) {
  return few__fail(ctx, FEW_E_INVALID, "%s `%.100s` is given twice: name each once", what, name);
}

static few_status check_names(few_ctx *ctx, const struct few_st_tensor *tensors, int n,
                              const struct few_st_pair *meta, int n_meta) {
  for (int i = 0; i < n; i++) {
    if (!strcmp(tensors[i].name, METADATA))
      return few__fail(ctx, FEW_E_INVALID, "a tensor cannot be called " METADATA ": rename it");
    for (int k = 0; k < i; k++)
      if (!strcmp(tensors[i].name, tensors[k].name))
        return given_twice(ctx, "tensor", tensors[i].name);
  }
  for (int i = 0; i < n_meta; i++)
    for (int k = -1; k < i; k++)
      if (!strcmp(meta[i].key, k < 0 ? DIGEST : meta[k].key))
        return given_twice(ctx, "metadata", meta[i].key);
  return FEW_OK;
}

/* Writes the tensor's entry and moves *offset past its data. */
static few_status put_tensor(few_ctx *ctx, struct few_json *j, const struct few_st_tensor *t,
                             uint64_t *offset) {
  int64_t count;
  size_t bytes;
  if (t->rank < 0 || t->rank > FEW_STORE_RANK ||
      !few__store_count(t->store, t->rank, t->dim, &count, &bytes) || bytes > INT64_MAX / 2 ||
      *offset + bytes > INT64_MAX / 2)
    return few__fail(ctx, FEW_E_INVALID, "the shape of tensor `%.100s` cannot be stored in a file",
                     t->name);
  few__json_open(j, t->name, '{');
  few__json_put_string(j, "dtype", few__store_name(t->store));
  few__json_open(j, "shape", '[');
  for (int i = 0; i < t->rank; i++) few__json_put_int(j, NULL, t->dim[i]);
  few__json_close(j);
  few__json_open(j, "data_offsets", '[');
  few__json_put_int(j, NULL, (int64_t)*offset);
  few__json_put_int(j, NULL, (int64_t)(*offset += bytes));
  few__json_close(j);
  few__json_close(j);
  return FEW_OK;
}

static few_status build_header(few_ctx *ctx, struct few_text *out,
                               const struct few_st_tensor *tensors, int n,
                               const struct few_st_pair *meta, int n_meta) {
  uint64_t offset = 0;
  assert(n >= 0 && n_meta >= 0 && !out->len);
  struct few_json j = few__json_begin(ctx, out);
  FEW_TRY(check_names(ctx, tensors, n, meta, n_meta));
  few__json_open(&j, NULL, '{');
  few__json_open(&j, METADATA, '{');
  few__json_put_string(&j, DIGEST, FEW_DIGEST_NAME "00000000000000000000000000000000");
  for (int i = 0; i < n_meta; i++) few__json_put_string(&j, meta[i].key, meta[i].value);
  few__json_close(&j);
  for (int i = 0; i < n; i++) FEW_TRY(put_tensor(ctx, &j, &tensors[i], &offset));
  few__json_close(&j);
  few__text_add(ctx, out, "%*s", (int)((8 - out->len % 8) % 8), "");
  FEW_TRY(few__json_end(&j, "a file's header"));
  if (out->len <= HEADER_MAX) return FEW_OK;
  return few__fail(ctx, FEW_E_INVALID,
                   "a header of %zu bytes is too long: readers accept at most %d", out->len,
                   HEADER_MAX);
}

static size_t bytes_of(const struct few_st_tensor *t) {
  int64_t count;
  size_t bytes = 0;
  few__store_count(t->store, t->rank, t->dim, &count, &bytes);
  return bytes;
}

/* Writes the digest of header and data into the header. */
static few_status set_digest(few_ctx *ctx, struct few_text *header,
                             const struct few_st_tensor *tensors, int n) {
  few_digest *d;
  char text[FEW_DIGEST_TEXT];
  assert(n >= 0 && header->len % 8 == 0); /* so that data are aligned */
  assert(!memcmp(header->at, opening, OPENING));
  FEW_TRY(few__digest_start(ctx, &d));
  add_header(d, header->len, header->at);
  for (int i = 0; i < n; i++) few__digest_add(d, tensors[i].data, bytes_of(&tensors[i]));
  few__digest_text(d, text);
  memcpy(header->at + OPENING, text, FEW_DIGEST_TEXT - 1);
  few__digest_free(ctx, d);
  return FEW_OK;
}

few_status few__st_write(few_ctx *ctx, const char *path, const struct few_st_tensor *tensors, int n,
                         const struct few_st_pair *meta, int n_meta) {
  struct few_text header = {0};
  few_writer *w = NULL;
  few_status st;
  FEW_GOTO(build_header(ctx, &header, tensors, n, meta, n_meta));
  FEW_GOTO(set_digest(ctx, &header, tensors, n));
  few__sweep_beside(path);
  FEW_GOTO(few__writer_open(ctx, &w, path));
  uint64_t length = header.len;
  few__writer_put(w, &length, sizeof length);
  few__writer_put(w, header.at, header.len);
  for (int i = 0; i < n; i++) few__writer_put(w, tensors[i].data, bytes_of(&tensors[i]));
out:
  few__text_free(ctx, &header);
  return few__writer_end(w, st);
}
