/* npy.c - NumPy's array files.
 *
 *   "\x93NUMPY", major, minor, header length (2 bytes in version 1, 4 in version 2)
 *   {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }   padded with spaces, then \n
 *   the numbers
 *
 * The header is a literal of Python. Only the form that NumPy writes is read: a dictionary with
 * these three keys in any order, whose values are a string, True or False, and a tuple of integers.
 * The whole preamble is a multiple of 64 bytes, so that the numbers can be mapped. See
 * numpy.lib.format.
 */
#include "npy.h"

#include <inttypes.h>

#include "feed.h"
#include "file.h"

enum { MAGIC = 6, HEADER_MAX = 65535, ALIGN = 64 };
static const char magic[] = "\x93NUMPY";

static const struct {
  const char *descr;
  enum few_store store;
} types[] = {{"|b1", FEW_STORE_BOOL}, {"|u1", FEW_STORE_U8},  {"|i1", FEW_STORE_I8},
             {"<i2", FEW_STORE_I16},  {"<i4", FEW_STORE_I32}, {"<i8", FEW_STORE_I64},
             {"<f2", FEW_STORE_F16},  {"<f4", FEW_STORE_F32}, {"<f8", FEW_STORE_F64}};

struct parse {
  few_ctx *ctx;
  const char *place;
  const char *at, *end; /* the rest of the header */
  struct few_npy *out;
  bool fortran;
  unsigned seen; /* bit i is set if key i has been read */
};

static few_status bad(struct parse *p, const char *what) {
  return few__fail(p->ctx, FEW_E_FORMAT, "%s: %s: save the array again with numpy.save", p->place,
                   what);
}

/* ---- the header's literals ---- */

static void skip_blanks(struct parse *p) {
  while (p->at < p->end && (*p->at == ' ' || *p->at == '\n' || *p->at == '\t')) p->at++;
}

static bool take(struct parse *p, char c) {
  skip_blanks(p);
  if (p->at == p->end || *p->at != c) return false;
  p->at++;
  return true;
}

static bool take_word(struct parse *p, const char *word) {
  size_t n = strlen(word);
  skip_blanks(p);
  if ((size_t)(p->end - p->at) < n || memcmp(p->at, word, n) != 0) return false;
  p->at += n;
  return true;
}

/* Reads 'text' or "text" without escapes. It is truncated to the size of out, which is larger than
 * any valid text. */
static bool take_string(struct parse *p, char out[32]) {
  size_t n = 0;
  char quote = take(p, '\'') ? '\'' : '"';
  if (quote == '"' && !take(p, '"')) return false;
  for (; p->at < p->end && *p->at != quote; p->at++)
    if (n < 31) out[n++] = *p->at;
  out[n] = 0;
  return take(p, quote);
}

static bool take_count(struct parse *p, int64_t *out) {
  int64_t x = 0;
  skip_blanks(p);
  const char *start = p->at;
  for (; p->at < p->end && *p->at >= '0' && *p->at <= '9'; p->at++) {
    if (x > (INT64_MAX - 9) / 10) return false;
    x = x * 10 + (*p->at - '0');
  }
  *out = x;
  return p->at > start;
}

static few_status read_descr(struct parse *p) {
  char descr[32];
  if (!take_string(p, descr))
    return few__fail(p->ctx, FEW_E_UNSUPPORTED,
                     "%s: the array has named fields: save one field with numpy.save", p->place);
  if (strcmp(descr, "<u1") == 0 || strcmp(descr, "<i1") == 0 || strcmp(descr, "<b1") == 0)
    descr[0] = '|'; /* one byte has no order */
  for (int i = 0; i < FEW_COUNT(types); i++) {
    if (strcmp(types[i].descr, descr) != 0) continue;
    p->out->store = types[i].store;
    return FEW_OK;
  }
  return few__fail(
      p->ctx, FEW_E_UNSUPPORTED,
      "%s: cannot read numbers of type `%s`: convert with astype('<f4') and save again", p->place,
      descr);
}

static few_status read_order(struct parse *p) {
  if (take_word(p, "True"))
    p->fortran = true;
  else if (!take_word(p, "False"))
    return bad(p, "fortran_order is neither True nor False");
  return FEW_OK;
}

static few_status read_shape(struct parse *p) {
  if (!take(p, '(')) return bad(p, "the shape is not a tuple");
  while (!take(p, ')')) {
    if (p->out->rank == FEW_STORE_RANK)
      return few__fail(p->ctx, FEW_E_UNSUPPORTED,
                       "%s: the array has more than %d dimensions: reshape it", p->place,
                       FEW_STORE_RANK);
    if (!take_count(p, &p->out->dim[p->out->rank++]))
      return bad(p, "a dimension is not a non-negative integer");
    if (take(p, ',')) continue;
    if (!take(p, ')')) return bad(p, "the shape is not closed");
    break;
  }
  return FEW_OK;
}

static few_status read_member(struct parse *p) {
  static const struct {
    const char *key;
    few_status (*read)(struct parse *p);
  } members[] = {{"descr", read_descr}, {"fortran_order", read_order}, {"shape", read_shape}};
  char key[32];
  if (!take_string(p, key) || !take(p, ':')) return bad(p, "the header is not a dictionary");
  for (int i = 0; i < FEW_COUNT(members); i++) {
    if (strcmp(key, members[i].key) != 0) continue;
    if (p->seen & 1u << i) return bad(p, "the header has a key twice");
    p->seen |= 1u << i;
    return members[i].read(p);
  }
  return bad(p, "the header has an unknown key");
}

static few_status read_header(struct parse *p) {
  if (!take(p, '{')) return bad(p, "the header is not a dictionary");
  while (!take(p, '}')) {
    FEW_TRY(read_member(p));
    if (take(p, ',')) continue;
    if (!take(p, '}')) return bad(p, "the header is not closed");
    break;
  }
  skip_blanks(p);
  if (p->at != p->end) return bad(p, "there is text after the header");
  if (p->seen != 7) return bad(p, "the header lacks descr, fortran_order or shape");
  if (p->fortran && p->out->rank > 1)
    return few__fail(p->ctx, FEW_E_UNSUPPORTED,
                     "%s: the array is column-major: save numpy.ascontiguousarray(x) instead",
                     p->place);
  return FEW_OK;
}

/* ---- the file ---- */

/* Reads the header; p->at to p->end is its text. *text is yours. */
static few_status read_preamble(struct parse *p, struct few_feed *from, char **text) {
  unsigned char b[MAGIC + 6];
  uint32_t length = 0;
  if (from->size < MAGIC + 4) return bad(p, "this is not a .npy file");
  FEW_TRY(few__feed_read(from, b, MAGIC + 4));
  if (memcmp(b, magic, MAGIC) != 0) return bad(p, "this is not a .npy file");
  if ((b[6] != 1 && b[6] != 2) || b[7] != 0)
    return few__fail(p->ctx, FEW_E_UNSUPPORTED,
                     "%s: version %d.%d of the npy format: save a plain array with numpy.save",
                     p->place, b[6], b[7]);
  const size_t more = b[6] == 1 ? 0 : 2; /* the length has four bytes in version 2 */
  if (from->size - from->taken < more) return bad(p, "the file is truncated");
  FEW_TRY(few__feed_read(from, b + MAGIC + 4, more));
  memcpy(&length, b + MAGIC + 2, 2 + more);
  if (length > HEADER_MAX) return bad(p, "the header is too long");
  if (length > from->size - from->taken) return bad(p, "the file is truncated");
  FEW_TRY(few__new(p->ctx, text, length + 1, 1));
  p->at = *text;
  p->end = p->at + length;
  return few__feed_read(from, *text, length);
}

static few_status read_array(struct parse *p, struct few_feed *from) {
  struct few_npy *a = p->out;
  char *text = NULL;
  few_status st = read_preamble(p, from, &text);
  if (!st) st = read_header(p);
  few__free(p->ctx, text);
  FEW_TRY(st);
  if (!few__store_count(a->store, a->rank, a->dim, &a->count, &a->bytes))
    return bad(p, "the shape has too many elements for this machine");
  const uint64_t rest = from->size - from->taken;
  if (rest != a->bytes)
    return few__fail(p->ctx, FEW_E_FORMAT,
                     "%s: %" PRIu64 " bytes of numbers, but the shape needs %zu: save it again",
                     p->place, rest, a->bytes);
  FEW_TRY(few__new(p->ctx, &a->data, a->bytes, 1));
  return few__feed_read(from, a->data, a->bytes);
}

static few_status parse(few_ctx *ctx, struct few_npy *out, struct few_feed *from) {
  struct parse p = {.ctx = ctx, .place = from->place, .out = out};
  *out = (struct few_npy){0};
  few_status st = read_array(&p, from);
  assert(st || (out->rank <= FEW_STORE_RANK && out->count >= 0));
  if (st) few__npy_free(ctx, out);
  return st;
}

few_status few__npy_parse(few_ctx *ctx, struct few_npy *out, const char *place, const void *bytes,
                          size_t n) {
  struct few_feed from;
  few__feed_memory(ctx, &from, place, bytes, n);
  return parse(ctx, out, &from);
}

few_status few__npy_read(few_ctx *ctx, struct few_npy *out, const char *path, size_t max_bytes) {
  struct few_feed from;
  *out = (struct few_npy){0};
  FEW_TRY(few__feed_open(ctx, &from, path));
  few_status st = few__feed_limit(&from, max_bytes);
  if (!st) st = parse(ctx, out, &from);
  few__feed_close(&from);
  return st;
}

void few__npy_free(few_ctx *ctx, struct few_npy *a) {
  few__free(ctx, a->data);
  *a = (struct few_npy){0};
}

/* ---- writing ---- */

static void put_header(few_ctx *ctx, struct few_text *t, const char *descr, int rank,
                       const int64_t *dim) {
  assert(rank >= 0 && rank <= FEW_STORE_RANK && !t->len);
  few__text_add(ctx, t, "{'descr': '%s', 'fortran_order': False, 'shape': (", descr);
  for (int i = 0; i < rank; i++)
    few__text_add(ctx, t, i ? " %" PRId64 "%s" : "%" PRId64 "%s", dim[i],
                  i < rank - 1 || rank == 1 ? "," : "");
  few__text_add(ctx, t, "), }");
  size_t used = (MAGIC + 4 + t->len + 1) % ALIGN;
  few__text_add(ctx, t, "%*s\n", used ? ALIGN - (int)used : 0, "");
  assert(t->failed || (MAGIC + 4 + t->len) % ALIGN == 0);
}

static const char *descr_of(enum few_store store) {
  for (int i = 0; i < FEW_COUNT(types); i++)
    if (types[i].store == store) return types[i].descr;
  return NULL;
}

few_status few__npy_write(few_ctx *ctx, const char *path, enum few_store store, int rank,
                          const int64_t *dim, const void *data) {
  struct few_text t = {0};
  few_writer *w = NULL;
  int64_t count;
  size_t bytes;
  const char *descr = descr_of(store);
  if (!descr || rank < 0 || rank > FEW_STORE_RANK ||
      !few__store_count(store, rank, dim, &count, &bytes))
    return few__fail(ctx, FEW_E_INVALID, "%s: the npy format cannot store this array", path);
  put_header(ctx, &t, descr, rank, dim);
  few_status st = t.failed ? few__fail(ctx, FEW_E_MEMORY, "%s: out of memory", path) : FEW_OK;
  few__sweep_beside(path);
  if (!st) st = few__writer_open(ctx, &w, path);
  if (!st) {
    unsigned char preamble[4] = {1, 0, (unsigned char)(t.len & 255), (unsigned char)(t.len >> 8)};
    few__writer_put(w, magic, MAGIC);
    few__writer_put(w, preamble, sizeof preamble);
    few__writer_put(w, t.at, t.len);
    few__writer_put(w, data, bytes);
  }
  few__text_free(ctx, &t);
  return few__writer_end(w, st);
}
