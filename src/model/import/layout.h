/* layout.h - layouts: how the networks of one kind of source become those of few.
 *
 * A layout is one file and one row in layouts.def. `describe` reads the configuration and chooses
 * the network, its options and the shape of the data; `map` names for each parameter the tensors
 * that it comes from, row by row (mapping.h). What the layout does not know in a configuration it
 * refuses.
 */
#ifndef FEW_SRC_IMPORT_LAYOUT_H
#define FEW_SRC_IMPORT_LAYOUT_H

#include "few/import.h"
#include "model/model.h"
#include "origin.h"

struct few_importer;
struct few_back;

struct few_layout {
  const char *name;   /* "UNet2DModel": the source's name for such networks */
  const char *format; /* "diffusers": the first operand of few import */
  const char *help;
  bool (*is)(const struct few_origin *s);
  few_status (*describe)(struct few_importer *im);
  few_status (*map)(struct few_importer *im);
  /* The way back (back.h), for layouts that few can write; NULL: none. */
  const char *net, *folder; /* few's network; the network's folder in that of a pipeline */
  /* The configuration of such a network, as members of an open object. What cannot be said in it
   * need not be noticed: `describe` reads it back, and the networks are compared. */
  void (*configure)(const few_model *m, struct few_json *j);
};

#define FEW_LAYOUT(name) extern const struct few_layout few__layout_##name;
#include "layouts.def"
#undef FEW_LAYOUT

int few__layout_count(void);
const struct few_layout *few__layout_at(int i);

/* An import under way. */
struct few_importer {
  few_ctx *ctx;
  const struct few_import_opts *o;
  struct few_origin *source;
  const struct few_layout *layout;

  /* ---- Set by `describe` ---- */
  const struct few_net_def *net; /* few__import_net */
  void *net_opts;                /* few__import_set; owned */
  struct few_net_spec spec;      /* shape and classes; the scheduler sets the rest */
  int64_t outputs; /* images that the source's network outputs, side by side in the channels; few
                      keeps the first (learned variances are the second) */
  enum few_import_process process; /* of a source that has no scheduler but is of one process; then
                                      spec.sigma_data is its own too */
  double time_scale;               /* 0: that of the process */
  double sigma_min;                /* of ve: the least noise of the network's training; 0: 0.02 */
  bool predicts_x;                 /* of ddpm: the network gives x0 in place of eps */
  int64_t head_channels;           /* channels of an attention head, for few__map_qkv_* */
  char **class_names;              /* [spec.classes]; owned; NULL: none */

  /* ---- Set by the scheduler ---- */
  const char *sampler, *objective;
  int n_times;
  double times[64]; /* the sampler's times in radians */

  /* ---- While tensors are mapped ---- */
  few_model *model;
  struct few_differences *differences; /* collects them; NULL: values are copied */
  bool *set, *used;                    /* [parameters], [tensors] */
  struct few_back *back;               /* makes the tensors from a model; NULL: import */
};

/* ---- For `describe` ---- */

few_status few__import_net(struct few_importer *im, const char *net);
/* Set an option of the network from text. */
FEW_PRINTF(3, 4)
few_status few__import_set(struct few_importer *im, const char *key, const char *fmt, ...);
/* FEW_E_UNSUPPORTED: "PLACE: what". The sentence ends with what to try. */
FEW_PRINTF(2, 3) few_status few__import_refuse(struct few_importer *im, const char *fmt, ...);

/* Members of a configuration. Each that occurs must be in the table. */
enum few_key_kind {
  FEW_KEY_READ,    /* the layout reads it */
  FEW_KEY_NOTHING, /* has no effect on what the network computes */
  FEW_KEY_ONLY     /* must have one of the values */
};
struct few_conf_key {
  const char *key;
  enum few_key_kind kind;
  const char *values; /* ONLY: JSON values separated by bars: "false|null" */
};
/* FEW_E_UNSUPPORTED for a member that is not in the table [n], or has another value. Members that
 * begin with an underscore are notes of the library. */
few_status few__conf_check(few_ctx *ctx, const struct few_conf *c, const struct few_conf_key *table,
                           int n);
/* A member, or its default if it is missing or null. FEW_E_FORMAT for another type or range. */
few_status few__conf_int(few_ctx *ctx, const struct few_conf *c, const char *key, int64_t min,
                         int64_t max, int64_t otherwise, int64_t *out);
few_status few__conf_real(few_ctx *ctx, const struct few_conf *c, const char *key, double otherwise,
                          double *out);
few_status few__conf_bool(few_ctx *ctx, const struct few_conf *c, const char *key, bool otherwise,
                          bool *out);
few_status few__conf_string(few_ctx *ctx, const struct few_conf *c, const char *key,
                            const char *otherwise, const char **out);

/* A list of integers from 1, with at least `min` of them; *out is the default before the call. */
few_status few__conf_ints(few_ctx *ctx, const struct few_conf *c, const char *key, int min,
                          struct few_int_list *out);

/* Notes that few writes into the configuration of a network, and reads: the mean and scale of the
 * data (docs/format.md). */
#define FEW_BACK_MEAN "_few_mean"
#define FEW_BACK_SCALE "_few_scale"

/* ---- The process (scheduler.c) ---- */

/* Sets spec.process, betas, predicts and sigma_data, the options of time, and how to sample. */
few_status few__import_process(struct few_importer *im);
/* The configuration of a scheduler for m's network, as members of an open object, and its name. The
 * scheduler may have another process: few__import_process reads it back. FEW_E_UNSUPPORTED if
 * diffusers has none. */
few_status few__export_process(few_ctx *ctx, const few_model *m, struct few_json *j,
                               const char **name);

/* ---- The whole, for tests: the source is borrowed ---- */

few_status few__import_source(few_model **out, struct few_origin *source,
                              const struct few_import_opts *opts);

#endif
