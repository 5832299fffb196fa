/* images.h - reads the image files of a set, in order, into one array. */
#ifndef FEW_SRC_DATA_IMAGES_H
#define FEW_SRC_DATA_IMAGES_H

#include <sys/stat.h>

#include "cache.h"
#include "io/feed.h"
#include "reader.h"

/* Labels of an image that has no class. */
enum {
  FEW_IMAGES_BESIDE = -1, /* it is outside the class folders, or the list lacks it */
  FEW_IMAGES_UNKNOWN = -2 /* its class is not in the list of classes */
};

struct few_images {
  few_data *d;
  const struct few_data_opts *o;
  struct few_images_file {
    char *path;        /* for messages; owned */
    int32_t label;     /* a class, or one of the above */
    struct stat about; /* decides whether a decoded image may be reused */
  } * at;
  int n, cap;

  const char *list; /* what lacks the label of an image BESIDE, for messages: "dataset.json"; NULL:
                       the image is outside the class folders */
  /* Opens file i. Files are opened in order, each at most once. */
  few_status (*open)(void *user, int i, struct few_feed *out);
  void *user;
  const struct few_images_file *first; /* the image that decided the size */
};

/* Adds a file; takes ownership of `path`, even on failure. */
few_status few__images_add(struct few_images *s, char *path, int32_t label,
                           const struct stat *about);

/* Makes classes of the numbers that the labels of the files are now. `of` [n] are the numbers that
 * decide which classes there are; a file with another number becomes UNKNOWN. */
few_status few__images_number(struct few_images *s, const int32_t *of, int64_t n);

/* Makes classes of the labels text[n] of the files, NULL for none. If all are numbers, these are the
 * numbers of classes; o->classes says which there are, 0: those that occur. Otherwise they are
 * names, and classes are in the bytewise order of these. */
few_status few__images_classes(struct few_images *s, const char *const *text);

/* Reads all files into d, or takes the decoded images of an earlier run from the cache, which is
 * begun. d->n_classes is set; 0 means no labels. The first `shared` bytes of the paths are the
 * place of the set, which may be moved. */
few_status few__images_read(struct few_images *s, struct few_cache *cache, size_t shared);
void few__images_free(struct few_images *s);

#endif
