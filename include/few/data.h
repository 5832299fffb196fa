/* few/data.h - data sets of all formats: open a set, read items, draw batches.
 *
 * A data set is named by a spec, "reader" or "reader:where":
 *
 *   fashion-mnist[:test]    Debian's package dataset-fashion-mnist
 *   idx:IMAGES[,LABELS]     IDX files like those of MNIST, plain or .gz
 *   cifar:DIR|FILE[,FILE]   CIFAR-10 binary batches
 *   folder:DIR|ZIP[:PART]   PNG, JPEG and WebP files; a sub-folder is a class, or one of the parts
 *                           train, val, test; or a zip of such a folder, or one image
 *   folder:DIR|ZIP,LABELS.csv   the same with labels from a table of files and classes
 *   webdataset:SHARDS[,MEMBER]   tar archives of KEY.jpg, KEY.cls ...: x-{000..146}.tar, a list or
 *                           a folder; labels from KEY.cls, or from a member of KEY.json
 *   npy:FILE[,LABELS]       uint8 [N,H,W] or [N,H,W,C] images, float [N,D] points
 *   npz:FILE[,VALUES[,LABELS]]   the same in an archive; arr_0 and arr_1 if not named
 *   toy:NAME                points in the plane: mixture, moons, checkerboard, spiral
 *
 * or by its path only: a folder, an image, a .zip, .npy or .npz file. few_data_create makes a set
 * of items in the program's memory, or of items that a callback fills.
 *
 * A set is read whole when it is opened (images as bytes, points as floats), checked, hashed and
 * measured. From then on it does not change, so any number of threads may read it. Paths in lists
 * are separated by commas, so a path cannot have one.
 */
#ifndef FEW_DATA_H
#define FEW_DATA_H

#include "few/base.h"
#include "few/option.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct few_data few_data;

typedef enum few_data_kind { FEW_DATA_IMAGES, FEW_DATA_POINTS } few_data_kind;
typedef enum few_data_split { FEW_DATA_TRAIN, FEW_DATA_TEST } few_data_split;

/* The policy for an item that cannot be used: a broken image, a record cut short, a label that is
 * not a class, an image of another size. Under both policies it is an error if a file named in the
 * spec cannot be read or has another format, or if no item is left. */
typedef enum few_data_on_error {
  FEW_DATA_REFUSE, /* fail, naming the file and the place */
  FEW_DATA_SKIP    /* leave it out, log a warning, count it in few_data_skipped */
} few_data_on_error;

/* Whether decoded images of a folder are kept for the next run. They are written to a file in the
 * same folder, whose name begins with a dot, or to the folder that the environment variable
 * FEW_CACHE names (empty: nowhere). They are used only while the options and the names, sizes and
 * times of all files are the same. */
typedef enum few_data_cache {
  FEW_DATA_CACHE_AUTO, /* if decoding took seconds */
  FEW_DATA_CACHE_NO,
  FEW_DATA_CACHE_YES
} few_data_cache;

/* How an image becomes the square size x size. */
typedef enum few_data_fit {
  FEW_DATA_CROP,   /* its central square is shrunk */
  FEW_DATA_PAD,    /* the whole image is shrunk, centred on the background */
  FEW_DATA_STRETCH /* the whole image is shrunk, each side by itself */
} few_data_fit;

struct few_data_opts {
  int version;          /* FEW_DATA_OPTS_VERSION */
  few_data_split split; /* TEST is an error if the set has no test split and holdout is 0 */
  few_data_on_error on_error;
  int64_t limit;      /* maximum number of items; 0: all (toys: 65536). A set with classes keeps
                         items with the class shares of the set and, if the limit allows, at least
                         one of each; a set without classes keeps its first items */
  int64_t size;       /* image files: make images size x size, as `fit` says, by area; 0: images
                         are taken as they are, all of one size */
  int64_t channels;   /* image files: 1 grey, 3 RGB, 0: grey if all images are, else RGB */
  int64_t background; /* image files: the colour behind transparent pixels and around padded images:
                         a grey level 0..255 or FEW_RGB(r, g, b) */
  uint64_t seed;      /* toys: point i depends only on (seed, split, i) */
  int64_t classes;    /* idx, npy, npz, webdataset: labels are 0 .. classes - 1, even of classes
                         without items; 0: the labels that occur become 0, 1, 2 ... in ascending
                         order, and their numbers become names where these differ */
  double holdout;     /* share of the items, 0 to 0.9, that is the test part and not in the training
                         part; always the same items, with the class shares of the set */
  few_data_cache cache;
  few_data_fit fit; /* image files, with a size */
};
#define FEW_DATA_OPTS_VERSION 3
#define FEW_DATA_OPTS_INIT                                                         \
  {                                                                                \
    FEW_DATA_OPTS_VERSION, FEW_DATA_TRAIN, FEW_DATA_REFUSE, 0, 0, 0, 255, 0, 0, 0, \
        FEW_DATA_CACHE_AUTO, FEW_DATA_CROP                                         \
  }

/* The rows of an option table (few/option.h) for a struct S with a member of this type: all fields
 * but version and seed. */
/* clang-format off */
#define FEW_DATA_OPTIONS(S, member) \
  FEW_OPT_IN(S, member, split, FEW_OPTION_CHOICE, "train", 0, 0, "train|test", \
             "part of the data set"), \
  FEW_OPT_IN(S, member, on_error, FEW_OPTION_CHOICE, "refuse", 0, 0, "refuse|skip", \
             "what to do with a broken item: fail, or leave it out and count it"), \
  FEW_OPT_IN(S, member, limit, FEW_OPTION_INT, "0", 0, 1099511627775.0, NULL, \
             "use this many items, with the class shares of the data; 0: all"), \
  FEW_OPT_IN(S, member, size, FEW_OPTION_INT, "0", 0, 32768, NULL, \
             "image files: make images square with this side in pixels, by fit; 0: as they are"), \
  FEW_OPT_IN(S, member, fit, FEW_OPTION_CHOICE, "crop", 0, 0, "crop|pad|stretch", \
             "image files, with size: keep the central square, pad to a square, or distort"), \
  FEW_OPT_IN(S, member, channels, FEW_OPTION_INT, "0", 0, 3, NULL, \
             "image files: 1 grey, 3 RGB; 0: grey if all images are"), \
  FEW_OPT_IN(S, member, background, FEW_OPTION_COLOUR, "255", 0, 0, NULL, \
             "image files: colour behind transparent pixels and around padded images"), \
  FEW_OPT_IN(S, member, classes, FEW_OPTION_INT, "0", 0, 65536, NULL, \
             "idx, npy, npz, webdataset: labels are 0 to classes - 1; 0: the labels that occur"), \
  FEW_OPT_IN(S, member, holdout, FEW_OPTION_REAL, "0", 0, 0.9, NULL, \
             "share of each class of the training part to hold out as the test part"), \
  FEW_OPT_IN(S, member, cache, FEW_OPTION_CHOICE, "auto", 0, 0, "auto|no|yes", \
             "image files: keep decoded images for the next run; auto: if decoding took seconds")
/* clang-format on */

/* Sets one field by its name and a text: ("size", "32"), ("on_error", "skip"). All fields except
 * version and seed can be set. On failure *opts is unchanged, and the message lists the allowed
 * values. */
FEW_API FEW_MUST_USE few_status few_data_set_option(struct few_data_opts *opts, few_ctx *ctx,
                                                    const char *key, const char *value);

/* The spec "reader:where" of a set that may be named by its path only; *out is yours: few_text_free
 * (few/base.h). The directory of a training run is refused, because it is not a
 * folder of images. */
FEW_API FEW_MUST_USE few_status few_data_full_spec(char **out, few_ctx *ctx, const char *name);

/* Opens a data set. opts may be NULL. On failure *out is NULL. The context must outlive the set. */
FEW_API FEW_MUST_USE few_status few_data_open(few_data **out, few_ctx *ctx, const char *spec,
                                              const struct few_data_opts *opts);

/* Writes item `index` = 0, 1 .. n - 1 to `values`: h * w * c bytes of an image, or c floats of a
 * point. If the set has classes, also writes its label. If this returns another status than FEW_OK,
 * few_data_create fails with that status. */
typedef few_status (*few_data_item)(void *user, int64_t index, void *values, int32_t *label);

/* A data set in the program's memory. Start from FEW_DATA_MEMORY_INIT, set the shape, and one of
 * pixels, points and item. */
struct few_data_memory {
  int version;           /* FEW_DATA_MEMORY_VERSION */
  const char *name;      /* the result of few_data_spec, for messages; NULL: "memory". Copied */
  int64_t n;             /* items, from 1 */
  int64_t h, w, c;       /* of an item: images up to 32768 x 32768 x 4; points h = w = 1 */
  const uint8_t *pixels; /* images [n][h][w][c], bytes 0 .. 255 */
  const float *points;   /* points [n][c], finite */
  few_data_item item;    /* fills one item at a time; its kind is `kind` */
  void *user;            /* passed to item */
  few_data_kind kind;    /* the kind of items, with `item` */
  const int32_t *labels; /* [n], or NULL: none. Copied. With `item` the callback gives them */
  int64_t n_classes;     /* labels are 0 .. n_classes - 1. 0 with `labels`: as opts.classes says;
                            0 with `item`: no labels */
  const char *const *class_names; /* [n_classes], UTF-8, or NULL. Copied */
  bool borrow; /* true: pixels or points are not copied and must not change until few_data_free.
                  With options that leave out items (limit, holdout, on_error = skip) they are
                  copied all the same. false: they are copied and not needed after the call */
};
#define FEW_DATA_MEMORY_VERSION 1
#define FEW_DATA_MEMORY_INIT                                                                     \
  {                                                                                              \
    FEW_DATA_MEMORY_VERSION, NULL, 0, 1, 1, 1, NULL, NULL, NULL, NULL, FEW_DATA_IMAGES, NULL, 0, \
        NULL, false                                                                              \
  }

/* Makes a data set of items in memory: the same set, with the same hash and the same batches, as
 * few_data_open makes of a file of these items. `item` is called once for each item, in order, from
 * the thread of this call, and not after it returns. opts may be NULL. There is no test split
 * without a holdout, and options for files (background, cache) have no effect. On failure *out is
 * NULL. The context must outlive the set. */
FEW_API FEW_MUST_USE few_status few_data_create(few_data **out, few_ctx *ctx,
                                                const struct few_data_memory *memory,
                                                const struct few_data_opts *opts);

FEW_API void few_data_free(few_data *data); /* NULL is fine */

FEW_API few_data_kind few_data_get_kind(const few_data *data);
FEW_API const char *few_data_spec(const few_data *data); /* in full; borrowed */
FEW_API int64_t few_data_n(const few_data *data);        /* at least 1 */
FEW_API int few_data_h(const few_data *data);            /* 1 for points */
FEW_API int few_data_w(const few_data *data);            /* 1 for points */
FEW_API int few_data_c(const few_data *data);            /* channels, or the dimension of a point */
FEW_API int64_t few_data_item_size(const few_data *data); /* h * w * c */
FEW_API int few_data_n_classes(const few_data *data);     /* 0: no labels */
/* The name of a class; NULL: it has none. Borrowed. */
FEW_API const char *few_data_class_name(const few_data *data, int label);
FEW_API int64_t few_data_skipped(const few_data *data); /* items left out by FEW_DATA_SKIP */
/* The choices that the reader made, such as the part that it read and the numbers of labels. NULL:
 * there was no choice. Borrowed. */
FEW_API const char *few_data_note(const few_data *data);
/* A hash of shape, values and labels. It does not depend on the file format. */
FEW_API uint64_t few_data_hash(const few_data *data);
/* Mean and population standard deviation of all values, in the units of few_data_get. */
FEW_API double few_data_mean(const few_data *data);
FEW_API double few_data_std(const few_data *data);

/* Item `index` as h * w * c floats in the order H, W, C: images in [-1, 1] (byte / 127.5 - 1),
 * points as they are. FEW_E_INVALID if there is no such item; `out` is then untouched. */
FEW_API few_status few_data_get(float *out, const few_data *data, int64_t index);
/* 0 .. n_classes - 1; -1 if the set has no labels or there is no such item. */
FEW_API int32_t few_data_label(const few_data *data, int64_t index);

/* Writes items first .. first + n - 1 to a file, atomically. PATH.png: a grid of images, `columns`
 * per row (0: as square as possible); of points an image of their density. PATH.npy: images uint8
 * [n,h,w,c], points float32 [n,c]; labels, if there are any, go to PATH.labels.npy (without ".npy"
 * twice) as int32 [n]. Classes whose names are numbers are written as these numbers. */
FEW_API FEW_MUST_USE few_status few_data_write(const few_data *data, const char *path,
                                               int64_t first, int64_t n, int64_t columns);
/* The same, but if the set has classes, the n items have its class shares, in the set's
 * order. With first = 0 they are the items that few_data_opts.limit = n keeps. */
FEW_API FEW_MUST_USE few_status few_data_write_spread(const few_data *data, const char *path,
                                                      int64_t first, int64_t n, int64_t columns);

/* Mean and standard deviation of coordinate or channel k = 0 .. c - 1. */
struct few_data_moments {
  double mean, std;
};
FEW_API struct few_data_moments few_data_moments_of(const few_data *data, int k);
/* The standard deviation of all values divided by the smallest standard deviation of a coordinate
 * or channel that is not constant. */
FEW_API double few_data_unevenness(const few_data *data);
#define FEW_DATA_UNEVEN 4.0 /* more than this: one scale for all hides a coordinate or channel */

/* x = (raw - mean) * scale, where raw is in the units of few_data_get. */
struct few_data_scale {
  double mean, scale;
};
#define FEW_DATA_SCALE_NONE \
  { 0.0, 1.0 }
/* The scale that gives the whole set mean 0 and standard deviation sigma (a constant set keeps
 * scale 1). */
FEW_API struct few_data_scale few_data_scale_to(const few_data *data, double sigma);

/* The same for each coordinate or channel separately, scales[c]; a constant one takes the largest
 * scale of the others. */
FEW_API void few_data_scales_to(struct few_data_scale *scales, const few_data *data, double sigma);

/* The item at place `position` = 0, 1, 2 ... of the endless shuffled stream over n items. Each
 * epoch of n places has every item once. No state: a resumed run sees the same order.
 * n >= 1; 0 <= position < 2^40; otherwise -1. */
FEW_API int64_t few_data_batch_index(int64_t n, uint64_t seed, int64_t position);

/* EDM's augmentation of images (Karras et al., arXiv 2206.00364, appendix F.2): each transformation
 * is done to a row with the probability min(1, p times its factor). Its parameters are also labels
 * of the row. A network that gets the labels learns to tell augmented images from others, and makes
 * only images that are not augmented if all labels are 0. */
struct few_augment_opts {
  double p;                          /* 0: no augmentation; at most 1 */
  double xflip, yflip;               /* factors: mirror half of the images */
  double rotate_int, translate_int;  /* factors: turn by 90 degrees; shift by whole pixels */
  double scale, rotate_frac, aniso;  /* factors: change the size; turn; stretch in one direction */
  double translate_frac;             /* factor: shift */
  double translate_int_max;          /* longest shift by whole pixels, as a share of the side */
  double scale_std, rotate_frac_max; /* deviation of log2 of the size; largest turn / pi */
  double aniso_std;                  /* deviation of log2 of the stretch */
  double aniso_rotate_prob;          /* share of stretches that are not along the axes */
  double translate_frac_std;         /* deviation of a shift, as a share of the side */
};
#define FEW_AUGMENT_ALWAYS 1e8 /* the largest factor */
/* No augmentation; with p = 0.12 EDM's for CIFAR-10. */
#define FEW_AUGMENT_OPTS_INIT \
  { 0, FEW_AUGMENT_ALWAYS, 1, 0, 0, 1, 1, 1, 1, 0.125, 0.2, 1, 0.2, 0.5, 0.125 }

/* The rows of an option table for a struct S with a member of this type. */
/* clang-format off */
#define FEW_AUGMENT_OPTION(S, field, name, deflt, most, help) \
  FEW_OPT_ROW(S, field, name, FEW_OPTION_REAL, NULL, deflt, 0, most, NULL, help, false)
#define FEW_AUGMENT_OPTIONS(S, member) \
  FEW_AUGMENT_OPTION(S, member.p, "augment", "0", 1, \
                     "augment images: probability p of each transformation, times its factor " \
                     "(EDM: 0.12); 0: none"), \
  FEW_AUGMENT_OPTION(S, member.xflip, "augment_xflip", "1e8", 1e8, \
                     "factor of p for mirroring half of the images left to right; 1e8: always"), \
  FEW_AUGMENT_OPTION(S, member.yflip, "augment_yflip", "1", 1e8, \
                     "factor of p for mirroring half of the images top to bottom"), \
  FEW_AUGMENT_OPTION(S, member.rotate_int, "augment_rotate_int", "0", 1e8, \
                     "factor of p for turning by 0, 90, 180 or 270 degrees"), \
  FEW_AUGMENT_OPTION(S, member.translate_int, "augment_translate_int", "0", 1e8, \
                     "factor of p for shifting by whole pixels"), \
  FEW_AUGMENT_OPTION(S, member.scale, "augment_scale", "1", 1e8, \
                     "factor of p for changing the size"), \
  FEW_AUGMENT_OPTION(S, member.rotate_frac, "augment_rotate_frac", "1", 1e8, \
                     "factor of p for turning by any angle"), \
  FEW_AUGMENT_OPTION(S, member.aniso, "augment_aniso", "1", 1e8, \
                     "factor of p for stretching in one direction"), \
  FEW_AUGMENT_OPTION(S, member.translate_frac, "augment_translate_frac", "1", 1e8, \
                     "factor of p for shifting by parts of pixels"), \
  FEW_AUGMENT_OPTION(S, member.translate_int_max, "augment_translate_int_max", "0.125", 1, \
                     "longest shift by whole pixels, as a share of the side"), \
  FEW_AUGMENT_OPTION(S, member.scale_std, "augment_scale_std", "0.2", 1, \
                     "standard deviation of log2 of the size"), \
  FEW_AUGMENT_OPTION(S, member.rotate_frac_max, "augment_rotate_frac_max", "1", 1, \
                     "largest angle, as a share of 180 degrees"), \
  FEW_AUGMENT_OPTION(S, member.aniso_std, "augment_aniso_std", "0.2", 1, \
                     "standard deviation of log2 of the stretch"), \
  FEW_AUGMENT_OPTION(S, member.aniso_rotate_prob, "augment_aniso_rotate_prob", "0.5", 1, \
                     "share of stretches in any direction; the others are along an axis"), \
  FEW_AUGMENT_OPTION(S, member.translate_frac_std, "augment_translate_frac_std", "0.125", 1, \
                     "standard deviation of a shift, as a share of the side")
/* clang-format on */

struct few_data_stream {
  int version;   /* FEW_DATA_STREAM_VERSION */
  uint64_t seed; /* of the shuffle, the flips and the augmentation */
  bool shuffle;  /* false: place p holds item p mod n */
  bool flip;     /* mirror images left to right with probability 1/2, drawn from (seed, position) */
  struct few_data_scale scale;
  const struct few_data_scale *scales; /* [c] of each coordinate or channel, in place of `scale`;
                                          NULL: none. Borrowed */
  struct few_augment_opts augment;     /* after the flip */
};
#define FEW_DATA_STREAM_VERSION 3
#define FEW_DATA_STREAM_INIT \
  { FEW_DATA_STREAM_VERSION, 0, true, false, FEW_DATA_SCALE_NONE, NULL, FEW_AUGMENT_OPTS_INIT }

/* Fills x[count][h][w][c] and labels[count] (may be NULL) with places first_position ... of the
 * stream. Row i depends only on (data, stream, first_position + i). FEW_E_INVALID, with nothing
 * written, if a place is outside 0 .. 2^40 - 1. */
FEW_API FEW_MUST_USE few_status few_data_fill(float *x, int32_t *labels, const few_data *data,
                                              const struct few_data_stream *stream,
                                              int64_t first_position, int64_t count);

/* The labels of augmentation of such a row; all are 0 if nothing is done to it. */
enum {
  FEW_AUGMENT_XFLIP,       /* 1: mirrored left to right */
  FEW_AUGMENT_YFLIP,       /* 1: mirrored top to bottom */
  FEW_AUGMENT_TURN_X,      /* 1: turned by 90 or 180 degrees counter-clockwise */
  FEW_AUGMENT_TURN_Y,      /* 1: by 180 or 270 */
  FEW_AUGMENT_SHIFT_RIGHT, /* whole pixels, as a share of the longest shift */
  FEW_AUGMENT_SHIFT_UP,    /* the same */
  FEW_AUGMENT_SIZE,        /* log2 of the size, in standard deviations */
  FEW_AUGMENT_COS,         /* cos a - 1, for a turn by a counter-clockwise */
  FEW_AUGMENT_SIN,         /* sin a */
  FEW_AUGMENT_STRETCH_COS, /* z cos r: log2 of the stretch in direction r is z deviations */
  FEW_AUGMENT_STRETCH_SIN, /* z sin r */
  FEW_AUGMENT_MOVE_RIGHT,  /* a shift in standard deviations */
  FEW_AUGMENT_MOVE_DOWN,   /* the same */
  FEW_AUGMENT_LABELS
};
/* Fills out[count][FEW_AUGMENT_LABELS] for the rows that few_data_fill gives with the same
 * arguments. */
FEW_API FEW_MUST_USE few_status few_data_fill_augment(float *out, const few_data *data,
                                                      const struct few_data_stream *stream,
                                                      int64_t first_position, int64_t count);

/* A mixture of k isotropic Gaussians in d dimensions: sum_i weight[i] N(mean[i], std[i]^2 I). */
struct few_data_gaussians {
  int k, d;
  const double *weight; /* [k], sum 1 */
  const double *mean;   /* [k][d] */
  const double *std;    /* [k] */
};
/* The distribution of toy:mixture, for exact scores and distances. Static. */
FEW_API const struct few_data_gaussians *few_data_mixture(void);

#ifdef __cplusplus
}
#endif
#endif
