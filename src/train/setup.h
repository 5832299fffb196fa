/* setup.h - the recipe of a run, with the data and models that it names, opened. */
#ifndef FEW_SRC_TRAIN_SETUP_H
#define FEW_SRC_TRAIN_SETUP_H

#include "config.h"
#include "few/data.h"
#include "io/sha256.h"
#include "model/model.h"

struct few_setup {
  struct few_config config;
  const struct few_net_def *net;
  void *net_opts;
  struct few_net_spec spec; /* of the student */
  const few_data *data;
  few_data *opened;   /* owned: `data`, if the recipe names it; NULL: it is opts.data, borrowed */
  int32_t *label_map; /* the student's class for each class of the data; NULL: the same numbers */
  const few_model
      *numbered_as;      /* the model whose class numbers and names are used; NULL: the data's */
  int64_t *class_counts; /* [spec.classes] items per class, by the student's numbers; or NULL */
  few_model *teacher;    /* NULL: none */
  few_model *start;      /* the model whose weights the student starts with; NULL: see keys.init */
  few_model *fake;       /* the fake network's architecture; NULL: none is trained */
  char teacher_hash[FEW_SHA256_TEXT]; /* of the teacher's file; "" without one */
  char start_hash[FEW_SHA256_TEXT];   /* of the file of `start` */
  double guidance_min, guidance_max;
};

/* Read, open and check everything: components exist, keys are known, data opens, the teacher fits.
 * *out is zeroed on failure. */
few_status few__setup_open(few_ctx *ctx, struct few_setup *out, const struct few_train_opts *opts);
void few__setup_close(few_ctx *ctx, struct few_setup *setup);

/* The resolved recipe: every key with its value. */
few_status few__setup_text(few_ctx *ctx, const struct few_setup *setup, struct few_text *out);
/* Logs a warning for each given key that has no effect in this run. */
few_status few__setup_warn_ignored(few_ctx *ctx, const struct few_setup *setup);
/* FEW_E_INVALID for options of a new network that would have no effect. */
few_status few__setup_check_net(few_ctx *ctx, const struct few_setup *setup);

/* The feature network with which the run's images are compared: `given`, or a default for the data
 * if that is NULL or "". Weights that come with few are found as models are: by their name, or else
 * beside the recipe's folder. */
enum { FEW_FEATURES_SPEC = 2 * 4096 + 100 };
void few__setup_features(const struct few_setup *setup, const char *given,
                         char spec[FEW_FEATURES_SPEC]);
/* `spec`, or NULL if it is the default "pixels": with NULL, few_eval also uses pixels, and
 * warns. */
const char *few__setup_features_chosen(const char *given, const char *spec);

/* Compares with the run that wrote `path`, a recipe.ini. If a key differs that must not, fails with
 * FEW_E_INVALID and names the first. These may differ: keys that do not change what is learned,
 * `steps`, and the names of data and teacher, whose hashes are compared instead. */
struct few_previous_run {
  int64_t steps; /* 0: there was no run */
  bool moved;    /* the names of data or teacher have changed */
};
few_status few__setup_same_run(few_ctx *ctx, const struct few_setup *setup, const char *path,
                               struct few_previous_run *before);

/* Does each of the teacher's pairs have a guidance scale of its own, which is an input of the
 * student? */
static inline bool few__pairs_drawn(const struct few_setup *setup) {
  return setup->config.needs_pairs && setup->spec.guidance;
}

/* ---- fit.c ---- */

/* Derives from the objectives the student's inputs, the guidance range and the fake network.
 * FEW_E_INVALID for objectives, teacher and student that do not fit together. */
few_status few__setup_fit(few_ctx *ctx, struct few_setup *setup);
/* Stores in the model how the student is used after `step` steps: sampler, times, direction. */
few_status few__setup_use(const struct few_setup *setup, int64_t step, few_model *m);

#endif
