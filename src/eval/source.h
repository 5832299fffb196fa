/* source.h - a source of images (bytes) or points: a model, a data set, or the saved statistics of
 * a set. */
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
  bool borrowed; /* data and runner are not owned */
  const few_data *data;
  few_data *opened;             /* `data`, if it was opened here; owned */
  few_model *loaded;            /* the model, if it was opened here; owned */
  const few_model *model;       /* NULL: not a model */
  few_runner *runner;           /* that samples the model */
  struct few_statistics *saved; /* statistics instead of images */
  struct few_sample_opts sample;
  float *values;     /* a chunk of samples */
  int64_t *index;    /* [available] the items of one class; NULL: all items */
  int label;         /* that class; -1: all */
  int64_t available; /* images from which the n are chosen */
  int64_t requested; /* n of the options; 0: all of a data set, 10000 of a model */
  int64_t n, h, w, c;
  bool points;
  int64_t classes;    /* 0: labels are not used */
  int64_t *counts;    /* [classes] items of the data set; [classes] samples of a set, of a model */
  int64_t *shares;    /* [classes] of a model's samples; NULL: one class, or none */
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
  int64_t n;                     /* 0: all of a data set, 10000 of a model */
  const struct few_eval_opts *o; /* how a model is sampled; NULL: a .safetensors is statistics */
  few_runner *runner;            /* instead of the name, borrowed; NULL: none */
  const few_data *data;          /* instead of the name, borrowed; NULL: none */
};

/* If not all images of a data set are used, they are chosen at random, always in the same way. */
few_status few__source_open(few_ctx *ctx, struct few_source **out,
                            const struct few_source_opts *opts);
/* The classes of the source; n 0: it has no labels. */
struct few_classes few__source_classes(const struct few_source *s);
/* Chooses the images: all (FEW_LABEL_SHARES, FEW_LABEL_EACH), those of one class, or samples
 * without labels (FEW_LABEL_NONE). Must be called once before images are read. `reference` may be
 * NULL. `map` has the model's class for each class of the reference; NULL: the reference's shares
 * are not used. */
few_status few__source_select(struct few_source *s, int label, const struct few_source *reference,
                              const int32_t *map);
void few__source_free(struct few_source *s); /* NULL is fine */
/* Appends the text of few_eval_report.settings. */
few_status few__sampling_text(few_ctx *ctx, const struct few_sample_opts *o, struct few_text *out);
/* The name for reports, borrowed; statistics have the name of their set. */
const char *few__source_name(const struct few_source *s);

/* Reads images first .. first + n - 1 of the samples of a seed, or of the data set: bytes
 * [n][h][w][c], or points [n][c], and labels [n], -1 for none. n is at most FEW_SOURCE_CHUNK. */
few_status few__source_read(struct few_source *s, uint64_t seed, int64_t first, int64_t n,
                            uint8_t *pixels, float *points, int32_t *labels);

#endif
