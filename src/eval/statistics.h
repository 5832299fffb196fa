/* statistics.h - statistics of a reference in a file. docs/eval.md has the format. */
#ifndef FEW_SRC_EVAL_STATISTICS_H
#define FEW_SRC_EVAL_STATISTICS_H

#include "data/classes.h"
#include "eval/feature/feature.h"
#include "eval/metric/set.h"
#include "io/json.h"
#include "io/safetensors.h"

struct few_statistics {
  few_ctx *ctx;
  const char *reference, *hash; /* name and hash of the set */
  int label;                    /* the only class of the images; -1: all */
  struct few_classes classes;   /* of the set; n 0: no labels, or they are not known */
  const int64_t *class_counts;  /* [classes.n] items of the set */
  int64_t n, h, w, c;
  bool points;
  const char *features, *features_hash, *resize;
  int64_t dim, spatial, kept; /* values of a row, spatial 0: none; rows kept */
  /* For statistics that were opened from a file. The texts above point into these. */
  char *path;
  json_t *head;
  int64_t *counts;
  struct few_st file;
};

/* Writes the file, whole or not at all. n, dim, spatial, kept and the contents come from the set,
 * which must have moments and rows; the other members from `head`. */
few_status few__statistics_write(const struct few_statistics *head, const few_eval_set *set,
                                 const char *path);

/* FEW_E_FORMAT, or FEW_E_INVALID for a model, with a sentence. On failure *out is NULL. */
few_status few__statistics_open(few_ctx *ctx, struct few_statistics **out, const char *path);
/* The same from memory, which is copied. */
few_status few__statistics_parse(few_ctx *ctx, struct few_statistics **out, const char *place,
                                 const void *bytes, size_t n);
void few__statistics_free(struct few_statistics *s); /* NULL is fine */

/* FEW_E_INVALID if the features differ, or if fewer rows were kept than `keep`. */
few_status few__statistics_check(const struct few_statistics *s,
                                 const struct few_features_info *info, int64_t keep);
/* Fills a new set, which was created with the n, dim and spatial of the statistics. */
few_status few__statistics_fill(const struct few_statistics *s, few_eval_set *set);

#endif
