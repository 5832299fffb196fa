/* classes.h - classes by name: those of a data set, of a model, of a reference that was saved.
 *
 * Labels are numbers, and two sets may number the same classes differently: folders `a_dog` and
 * `b_cat` are 0 and 1, `cat` and `dog` as well. So whatever brings two sets of labels together goes
 * through here.
 */
#ifndef FEW_SRC_DATA_CLASSES_H
#define FEW_SRC_DATA_CLASSES_H

#include "few/data.h"

struct few_classes {
  int64_t n;
  const char *(*name)(const void *of, int64_t label); /* NULL: that one has no name */
  const void *of;
  const char *whose; /* for messages: "data folder:photos" */
};

/* Those of a data set. */
struct few_classes few__data_classes(const few_data *data, const char *whose);

/* The class that a word stands for: its name or, where no class has this name, its number. */
few_status few__class_find(few_ctx *ctx, const struct few_classes *c, const char *word,
                           int32_t *out);

/* The class of `to` that class `label` of `from` is: by name where all classes of both have one,
 * otherwise the same number. FEW_E_INVALID where `to` lacks it: `remedy` ends the sentence. A label
 * that `from` lacks comes back as it is. */
few_status few__class_same(few_ctx *ctx, const struct few_classes *from, int64_t label,
                           const struct few_classes *to, const char *remedy, int32_t *out);
/* map[from->n]: the class of `to` that each class of `from` is. By name where all classes of both
 * have one, otherwise number by number; names that are all numbers are such. FEW_E_INVALID where
 * `to` lacks one of them: `remedy` ends the sentence. */
few_status few__classes_map(few_ctx *ctx, const struct few_classes *from,
                            const struct few_classes *to, const char *remedy, int32_t *map);

/* FEW_E_INVALID unless every number is the same class in both; one of them may have no classes. */
few_status few__classes_in_order(few_ctx *ctx, const struct few_classes *a,
                                 const struct few_classes *b, const char *remedy);

/* out[classes], zeroed first: the items of each class, as numbered by map (NULL: by the data). */
void few__data_count(const few_data *data, const int32_t *map, int64_t classes, int64_t *out);

#endif
