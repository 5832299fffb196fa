/* classes.h - matches the classes of two sets by name: of data sets, models, saved references.
 *
 * Labels are numbers, and two sets may number the same classes differently. In one set `dog` may be
 * class 0 and `cat` class 1, in another set the other way round. So code that uses the labels of
 * two sets together calls these functions.
 */
#ifndef FEW_SRC_DATA_CLASSES_H
#define FEW_SRC_DATA_CLASSES_H

#include "few/data.h"

struct few_classes {
  int64_t n;
  const char *(*name)(const void *of, int64_t label); /* NULL: this class has no name */
  const void *of;
  const char *whose; /* for error sentences: "data folder:photos" */
};

/* The classes of a data set. */
struct few_classes few__data_classes(const few_data *data, const char *whose);

/* The class with this name or, if no class has this name, with this number. */
few_status few__class_find(few_ctx *ctx, const struct few_classes *c, const char *word,
                           int32_t *out);

/* *out = the class of `to` that corresponds to class `label` of `from`: by name if all classes of
 * both have names, otherwise by number. FEW_E_INVALID if `to` has no such class; `remedy` is the
 * end of the message. A label that `from` does not have is returned unchanged. */
few_status few__class_same(few_ctx *ctx, const struct few_classes *from, int64_t label,
                           const struct few_classes *to, const char *remedy, int32_t *out);
/* map[from->n]: for each class of `from` the corresponding class of `to`, by name if all classes of
 * both have names, otherwise by number. If one set has no names and all names of the other are
 * numbers, these numbers count. FEW_E_INVALID if `to` lacks a class; `remedy` is the end of the
 * message. */
few_status few__classes_map(few_ctx *ctx, const struct few_classes *from,
                            const struct few_classes *to, const char *remedy, int32_t *map);

/* FEW_E_INVALID unless every number stands for the same class in both sets. One of them may have no
 * classes. */
few_status few__classes_in_order(few_ctx *ctx, const struct few_classes *a,
                                 const struct few_classes *b, const char *remedy);

/* out[classes] = number of items of each class, with class numbers map[label] (NULL: label). */
void few__data_count(const few_data *data, const int32_t *map, int64_t classes, int64_t *out);

#endif
