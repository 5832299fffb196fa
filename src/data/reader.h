/* reader.h - the inside of a data set, and what a reader has to do.
 *
 * A reader is one file, src/data/x.c, with one row in readers.def. Its function
 *
 *   few_status few__data_open_x(few_data *d, const char *where, const struct few_data_opts *o);
 *
 * gets the part of the spec after the colon ("" if there is none), sets the shape, allocates and
 * fills pixels or points, and labels and class names where there are any. It may leave out items
 * that few__data_limit would. On an error it just returns: few_data_open frees what hangs off d.
 * Limit, hash and statistics are common to all and done there. Sizes found in files are compared
 * with the bytes of the file before memory is allocated by them.
 */
#ifndef FEW_SRC_DATA_READER_H
#define FEW_SRC_DATA_READER_H

#include "base/base.h"
#include "few/data.h"
#include "few/ext/reader.h"

enum {
  FEW_DATA_MAX_SIDE = 1 << 15,   /* pixels along an edge, dimensions of a point */
  FEW_DATA_MAX_CHANNELS = 4,     /* more is taken for an axis out of place */
  FEW_DATA_MAX_CLASSES = 1 << 16 /* more is taken for a broken label */
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
  bool borrowed;     /* pixels or points are the program's: not written to, not freed */
  int32_t *labels;   /* [n] or NULL */
  char **class_name; /* [n_classes] or NULL */
  /* The classes are those that items have: labels may be any numbers >= 0, and n_classes is set
   * when the reader is done. */
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
/* What the reader `name`, which is not ours, has filled in: FEW_E_FORMAT, or broken items by the
 * policy of `o`. */
few_status few__reader_check(few_data *d, const char *name, const struct few_data_opts *o);

/* FEW_E_INVALID for options outside their ranges. */
few_status few__data_check_opts(few_ctx *ctx, const struct few_data_opts *o);
/* What every set gets once its items are read: holdout, limit, hash, statistics. */
few_status few__data_finish(few_data *d, const struct few_data_opts *o);

/* Bytes of an item's values in memory. */
size_t few__data_item_bytes(const few_data *d);

/* `items` items cannot be used, for the reason in the sentence. Under FEW_DATA_REFUSE the failure
 * to return; under FEW_DATA_SKIP they are counted, a warning is logged, and FEW_OK says go on. */
FEW_PRINTF(4, 5)
few_status few__data_broken(few_data *d, const struct few_data_opts *o, int64_t items,
                            const char *fmt, ...);

/* Copy item `from` over item `to` <= from, to close the gaps that broken items leave. */
void few__data_move(few_data *d, int64_t from, int64_t to);

/* Drop items whose label is outside 0 .. n_classes - 1 and set n_classes; n_classes 0 stands for
 * o->classes, and if that is 0 too for the classes that occur. `file` is where the labels came
 * from. */
few_status few__data_check_labels(few_data *d, const struct few_data_opts *o, const char *file,
                                  int n_classes);

/* Add a sentence about how the set was read to few_data_note. */
FEW_PRINTF(2, 3)
void few__data_note(few_data *d, const char *fmt, ...);

/* ---- numbers.c ---- */
/* The different numbers among n labels, sorted; *out is yours. */
few_status few__data_numbers(few_ctx *ctx, const int32_t *labels, int64_t n, int32_t **out,
                             int64_t *count);
/* The place of a label in such a list, -1 where it is not in it. */
int32_t few__data_class_of(const int32_t *number, int64_t n, int32_t label);
/* Have n classes, called by their numbers where those are not 0 .. n - 1. */
few_status few__data_name_numbers(few_data *d, const int32_t *number, int64_t n);
/* Where the classes are as found: number them, and leave out those without items. */
few_status few__data_settle_classes(few_data *d);
/* The items in an order of which every beginning has all classes in proportion, as far as it
 * reaches. labels[n] are below n_classes, -1 for none. */
few_status few__data_spread(few_ctx *ctx, const int32_t *labels, int64_t n, int n_classes,
                            int64_t *order);
/* Keep `limit` items (0: all): of all classes in proportion; the first where there are none. */
few_status few__data_limit(few_data *d, int64_t limit);
/* Keep the part of o->holdout that o->split says. */
few_status few__data_hold_out(few_data *d, const struct few_data_opts *o);
/* Warn of classes to train without items. */
few_status few__data_check_classes(few_data *d, const struct few_data_opts *o);

/* FEW_E_UNSUPPORTED for o->split = FEW_DATA_TEST: for readers without a test split. */
few_status few__data_no_split(few_data *d, const struct few_data_opts *o);

/* Copy n_classes names, which must be UTF-8. */
few_status few__data_name_classes(few_data *d, const char *const *names);

/* A comma-separated list of paths, each non-empty. */
struct few_data_paths {
  char **at;
  int n, cap;
};
few_status few__data_split_paths(few_data *d, const char *list, struct few_data_paths *out);
void few__data_free_paths(few_ctx *ctx, struct few_data_paths *p);

/* The whole of a file, plain or gzipped; *out is yours. */
few_status few__data_read_bytes(few_data *d, const char *path, uint8_t **out, size_t *n);

/* Read a pair of IDX files into d; labels may be NULL. n_classes as in few__data_check_labels. */
few_status few__data_read_idx(few_data *d, const char *images, const char *labels, int n_classes,
                              const struct few_data_opts *o);

#endif
