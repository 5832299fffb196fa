/* reader.h - the members of a data set, and what a reader must do.
 *
 * A reader is one file, src/data/x.c, with one row in readers.def. Its function
 *
 *   few_status few__data_open_x(few_data *d, const char *where, const struct few_data_opts *o);
 *
 * gets the part of the spec after the colon ("" if there is none). It sets the shape, and allocates
 * and fills pixels or points, and labels and class names if there are any. It may leave out items
 * that few__data_limit would leave out. After an error it only returns: few_data_open frees the
 * members of d, and it also applies the limit and computes hash and statistics. A reader must
 * compare sizes that it finds in a file with the size of the file before it allocates memory for
 * them.
 */
#ifndef FEW_SRC_DATA_READER_H
#define FEW_SRC_DATA_READER_H

#include "base/base.h"
#include "few/data.h"
#include "few/ext/reader.h"

enum {
  FEW_DATA_MAX_SIDE = 1 << 15,   /* pixels along an edge, dimensions of a point */
  FEW_DATA_MAX_CHANNELS = 4,     /* more means that the axes are in another order */
  FEW_DATA_MAX_CLASSES = 1 << 16 /* a larger label counts as broken */
};

#define FEW_DATA_MAX_BYTES ((size_t)1 << 36) /* of one file */

struct few_data {
  few_ctx *ctx;
  char *spec;
  few_data_kind kind;
  int64_t n, skipped;
  int h, w, c, n_classes;
  uint8_t *pixels;   /* [n][h][w][c], images */
  float *points;     /* [n][c], points */
  bool borrowed;     /* the program owns pixels or points: they are not written to and not freed */
  int32_t *labels;   /* [n] or NULL */
  char **class_name; /* [n_classes] or NULL */
  /* The classes are the labels that occur. Then labels may be any numbers >= 0, and n_classes is
   * set after the reader returns. */
  bool classes_as_found;
  struct few_text note; /* few_data_note */
  uint64_t hash;
  double mean, std;
  struct few_data_moments *each; /* [c] */
};

#define READER(symbol, name, usage, help) \
  few_status few__data_open_##symbol(few_data *d, const char *where, const struct few_data_opts *o);
#include "readers.def"
#undef READER

/* ---- open.c ---- */
/* The readers: the built-in ones, then those of the context. ctx NULL: only the built-in ones. */
int few__reader_count(const few_ctx *ctx);
const struct few_reader_def *few__reader_at(const few_ctx *ctx, int i);

/* ---- added.c ---- */
/* Checks the result of an added reader `name`. FEW_E_FORMAT, or broken items by the policy of `o`.
 */
few_status few__reader_check(few_data *d, const char *name, const struct few_data_opts *o);

/* FEW_E_INVALID for options outside their ranges. */
few_status few__data_check_opts(few_ctx *ctx, const struct few_data_opts *o);
/* The last steps for every set, after its items are read: holdout, limit, hash, statistics. */
few_status few__data_finish(few_data *d, const struct few_data_opts *o);

/* Bytes of the values of an item. */
size_t few__data_item_bytes(const few_data *d);

/* Reports that `items` items cannot be used, for the reason in the message. Under FEW_DATA_REFUSE
 * it returns a failure, which the reader returns too. Under FEW_DATA_SKIP it counts the items, logs
 * a warning and returns FEW_OK, and the reader continues. */
FEW_PRINTF(4, 5)
few_status few__data_broken(few_data *d, const struct few_data_opts *o, int64_t items,
                            const char *fmt, ...);

/* Copies item `from` over item `to` <= from, to close the gaps that broken items leave. */
void few__data_move(few_data *d, int64_t from, int64_t to);

/* Drops items whose label is outside 0 .. n_classes - 1, and sets n_classes of d. n_classes 0 means
 * o->classes; if that is 0 too, the labels that occur. `file` names the source of the labels in
 * messages. */
few_status few__data_check_labels(few_data *d, const struct few_data_opts *o, const char *file,
                                  int n_classes);

/* Adds a sentence about how the set was read to few_data_note. */
FEW_PRINTF(2, 3)
void few__data_note(few_data *d, const char *fmt, ...);

/* ---- numbers.c ---- */
/* The distinct numbers among n labels, sorted. The caller frees *out. */
few_status few__data_numbers(few_ctx *ctx, const int32_t *labels, int64_t n, int32_t **out,
                             int64_t *count);
/* The index of a label in a list of few__data_numbers; -1: it is not in the list. */
int32_t few__data_class_of(const int32_t *number, int64_t n, int32_t label);
/* Sets n classes. If their numbers are not 0 .. n - 1, these become the names. */
few_status few__data_name_numbers(few_data *d, const int32_t *number, int64_t n);
/* If d->classes_as_found: numbers the classes, and leaves out classes without items. */
few_status few__data_settle_classes(few_data *d);
/* Orders the items so that every prefix has the class shares of the whole. labels[n] are below
 * n_classes; -1: none. */
few_status few__data_spread(few_ctx *ctx, const int32_t *labels, int64_t n, int n_classes,
                            int64_t *order);
/* Keeps `limit` items (0: all) with the class shares of the set; the first ones if there are no
 * classes. */
few_status few__data_limit(few_data *d, int64_t limit);
/* Keeps only the part o->split of a set that is divided by o->holdout. */
few_status few__data_hold_out(few_data *d, const struct few_data_opts *o);
/* Logs a warning if a training set has classes without items. */
few_status few__data_check_classes(few_data *d, const struct few_data_opts *o);

/* FEW_E_UNSUPPORTED for o->split = FEW_DATA_TEST: for readers without a test split. */
few_status few__data_no_split(few_data *d, const struct few_data_opts *o);

/* Copies n_classes names, which must be UTF-8. */
few_status few__data_name_classes(few_data *d, const char *const *names);

/* A comma-separated list of paths, each non-empty. */
struct few_data_paths {
  char **at;
  int n, cap;
};
few_status few__data_split_paths(few_data *d, const char *list, struct few_data_paths *out);
void few__data_free_paths(few_ctx *ctx, struct few_data_paths *p);

/* Reads a whole file, plain or gzipped. The caller frees *out. */
few_status few__data_read_bytes(few_data *d, const char *path, uint8_t **out, size_t *n);

/* Reads a pair of IDX files into d; labels may be NULL. n_classes is as in
 * few__data_check_labels. */
few_status few__data_read_idx(few_data *d, const char *images, const char *labels, int n_classes,
                              const struct few_data_opts *o);

#endif
