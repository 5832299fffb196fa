/* few/ext/reader.h - a reader of your own, for data that few cannot read by itself.
 *
 *   static few_status open(few_data *d, const char *where, const struct few_data_opts *opts);
 *   static const struct few_reader_def def = {.version = FEW_READER_DEF_VERSION, .name = "mine",
 *       .usage = "mine:FILE", .help = "...", .open = open};
 *   few_ctx_add_reader(ctx, &def);
 *
 * From then on "mine:FILE" is a data set wherever one is named: few_data_open, the key `data` of
 * recipes, the reference of an evaluation. A set is read whole when it is opened, and does not
 * change afterwards. How stable this header is: few/ext/common.h.
 */
#ifndef FEW_EXT_READER_H
#define FEW_EXT_READER_H

#include "few/data.h"
#include "few/ext/common.h"

#ifdef __cplusplus
extern "C" {
#endif

#define FEW_READER_DEF_VERSION 1
struct few_reader_def {
  int version;       /* FEW_READER_DEF_VERSION */
  const char *name;  /* "npy": the part of a spec before the colon */
  const char *usage; /* "npy:FILE[,LABELS]" */
  const char *help;  /* one line */
  /* Fills the data set `d`, by the calls below. `where` is the part of the spec after the colon;
   * "": there is no colon. `opts` is complete, with defaults for options that the caller left out.
   * The library applies limit and holdout, and checks size and channels. Report a failure by
   * few_ctx_fail. */
  few_status (*open)(few_data *d, const char *where, const struct few_data_opts *opts);
};

/* FEW_E_INVALID, with a message in few_error, if def is NULL, has another version or lacks a
 * member, or if its name is taken. */
FEW_API FEW_MUST_USE few_status few_ctx_add_reader(few_ctx *ctx, const struct few_reader_def *def);

/* ---- For open() ---- */

FEW_API few_ctx *few_reader_ctx(const few_data *d);

/* Allocates the items; the reader then fills them. Either n images of h x w pixels with c channels,
 * 1 to 4: (*pixels)[n][h][w][c]. Or n points of `dims` dimensions: (*points)[n][dims], each number
 * finite. Call one of the two, once. FEW_E_INVALID for n < 1 and sides above 32768;
 * FEW_E_MEMORY. */
FEW_API FEW_MUST_USE few_status few_reader_images(uint8_t **pixels, few_data *d, int64_t n, int h,
                                                  int w, int c);
FEW_API FEW_MUST_USE few_status few_reader_points(float **points, few_data *d, int64_t n, int dims);

/* Allocates labels, after the items: (*labels)[n], each 0 .. classes - 1. `names` are the names of
 * the classes, in UTF-8 and copied; NULL: they have none. */
FEW_API FEW_MUST_USE few_status few_reader_labels(int32_t **labels, few_data *d, int classes,
                                                  const char *const *names);

/* For a reader without a test split: FEW_E_UNSUPPORTED if opts request one. */
FEW_API FEW_MUST_USE few_status few_reader_no_split(few_data *d, const struct few_data_opts *opts);

#ifdef __cplusplus
}
#endif
#endif
