/* source.h - where images (bytes) or points come from: samples of a model, a data set, or the
 * statistics of a set that were saved. */
#ifndef FEW_SRC_EVAL_SOURCE_H
#define FEW_SRC_EVAL_SOURCE_H

#include "few/data.h"
#include "few/eval.h"
#include "few/model.h"
#include "io/sha256.h"
#include "statistics.h"

struct few_source {
  few_ctx *ctx;
  char *spec;
  bool borrowed; /* data and runner are others' */
  const few_data *data;
  few_data *opened;             /* `data`, where it was opened here */
  few_model *loaded;            /* the model, if it was opened here; owned */
  const few_model *model;       /* NULL: not a model */
  few_runner *runner;           /* of it */
  struct few_statistics *saved; /* in place of images */
  struct few_sample_opts sample;
  float *values;     /* of a chunk of samples */
  int64_t *index;    /* [n there] the items of a class, where one was asked for */
  int label;         /* it; -1: all */
  int64_t available; /* images that n are chosen of */
  int64_t requested; /* n as it was asked for; 0: all of a data set, 10000 of a model */
  int64_t n, h, w, c;
  bool points;
  int64_t classes;    /* whose labels are looked at; 0: none */
  int64_t *counts;    /* [classes] items of the data set; [classes] samples of a set, of a model */
  int64_t *shares;    /* of a model's samples, [classes]; NULL: they have one class, or none */
  const char *labels; /* few_eval_report.labels */
  int nfe;
  const char *sampler; /* of a model; static */
  char *settings;      /* few__sampling_text */
  int steps;
  char hash[FEW_SHA256_TEXT];
};

enum { FEW_SOURCE_CHUNK = 512 }; /* images of a read, at most */

struct few_source_opts {
  const char *name;
  int64_t n; /* 0: all of a data set, 10000 of a model */
  const struct few_eval_opts
      *o;             /* how a model is sampled; NULL: not a model, but maybe statistics */
  few_runner *runner; /* open already, as is data: borrowed */
  const few_data *data;
};

/* Fewer than all images of a data set are chosen at random, always the same. */
few_status few__source_open(few_ctx *ctx, struct few_source **out,
                            const struct few_source_opts *opts);
/* Its classes; n 0: it has no labels. */
struct few_classes few__source_classes(const struct few_source *s);
/* Which images: FEW_LABEL_SHARES or FEW_LABEL_EACH all, of one class alone, FEW_LABEL_NONE. Must
 * be called once before images are read. `reference` may be NULL; `map` says which of a model's
 * classes each of the reference's is, and may be NULL where the reference's are not looked at. */
few_status few__source_select(struct few_source *s, int label, const struct few_source *reference,
                              const int32_t *map);
void few__source_free(struct few_source *s); /* NULL is fine */
/* What few_eval_report.settings says. */
few_status few__sampling_text(few_ctx *ctx, const struct few_sample_opts *o, struct few_text *out);
/* What it was made of, borrowed: a file of statistics has its set's name. */
const char *few__source_name(const struct few_source *s);

/* Images first .. first + n - 1 of a set of samples, or of the data set: bytes [n][h][w][c], or
 * points [n][c], and labels [n], -1 for none. n is at most FEW_SOURCE_CHUNK. */
few_status few__source_read(struct few_source *s, uint64_t seed, int64_t first, int64_t n,
                            uint8_t *pixels, float *points, int32_t *labels);

#endif
