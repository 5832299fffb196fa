/* source.h - where pictures come from, as bytes: samples of a model, or a data set. */
#ifndef FEW_SRC_EVAL_SOURCE_H
#define FEW_SRC_EVAL_SOURCE_H

#include "few/data.h"
#include "few/eval.h"
#include "few/model.h"
#include "io/sha256.h"

struct few_source {
  few_ctx *ctx;
  char *spec;
  bool borrowed; /* data and model are others' */
  few_data *data;
  few_model *model;
  struct few_sample_opts sample;
  float *values; /* of a chunk of samples */
  int64_t n, h, w, c;
  int64_t classes; /* 0: no labels */
  int nfe;
  char hash[FEW_SHA256_TEXT];
};

enum { FEW_SOURCE_CHUNK = 512 }; /* pictures of a read, at most */

/* Pictures by what they are named, or what is open already: one of `model` and `data`, borrowed. A
 * model is opened where o is not NULL: it has its options. n 0: all of a data set, 10000 of a
 * model; fewer than all of a data set are chosen at random. */
few_status few__source_open(few_ctx *ctx, struct few_source **out, const char *name, int64_t n,
                            const struct few_eval_opts *o, few_model *model, few_data *data);
void few__source_free(struct few_source *s); /* NULL is fine */

/* Pictures first .. first + n - 1 of a set of samples, or of the data set: bytes [n][h][w][c] and
 * labels [n], -1 for none. first is a multiple of FEW_SOURCE_CHUNK and n at most that. */
few_status few__source_read(struct few_source *s, uint64_t seed, int64_t first, int64_t n,
                            uint8_t *pixels, int32_t *labels);

#endif
