/* model.h - the inside of a model. The trainer fills one in; few_model_load does from a file. */
#ifndef FEW_SRC_MODEL_H
#define FEW_SRC_MODEL_H

#include "base/watch.h"
#include "base/workers.h"
#include "data/classes.h"
#include "diffusion/net/net.h"
#include "diffusion/sampler/sampler.h"
#include "engine/plan/plan.h"
#include "few/model.h"
#include "io/image.h"
#include "labels.h"

enum { FEW_MAX_COMPONENT_NAME = 32 };

/* Where a model leads: most know the field of the flow and go both ways, distilled steps go one. */
enum few_direction { FEW_BOTH_WAYS, FEW_DECODES, FEW_ENCODES, FEW_DIRECTIONS };
const char *few__direction_name(enum few_direction d); /* "both" "decode" "encode" */

/* What the public calls lend lives as long as the model: times and texts of before are kept. */
struct few_lent {
  void **at;
  int n, cap;
  const char *metadata; /* the last of few_model_metadata, one of `at`; NULL: not asked yet */
};

struct few_model {
  few_ctx *ctx;
  const struct few_net_def *net;
  void *net_opts; /* net->options_size bytes; owned */
  struct few_net_spec spec;
  struct few_params params;
  float *values;    /* params.total; owned */
  uint64_t written; /* how often they may have changed: a device keeps what it was given */

  /* raw image = x / scale + mean, x with standard deviation sigma_data */
  double data_mean, data_scale;
  struct few_data_scale *scales; /* [spec.c] in their place, which are then NaN: each coordinate or
                                    channel has its own; owned, may be NULL */
  char **class_names;            /* [spec.classes], NULL for one without; all owned, may be NULL */
  int64_t *class_counts; /* [spec.classes] items of the training data, not all 0; owned; NULL: not
                            known */

  char objective[FEW_MAX_COMPONENT_NAME], sampler[FEW_MAX_COMPONENT_NAME];
  enum few_direction direction;
  double guidance_min, guidance_max;
  int n_times;
  double *times; /* its own sampling times; of `lent` */
  int64_t step;
  bool half;        /* few_model_save writes F16 */
  char *provenance; /* JSON object as few_json writes it: recipe, seed ...; owned, may be NULL */

  double flops;                 /* of the network on one image */
  struct few_lent *lent;        /* owned */
  struct few_model_runner *run; /* plans and arenas of few_model_eval, made when first needed */
};

/* A model with `values` at the network's initial values for `seed`. opts is copied. */
few_status few__model_create(few_ctx *ctx, few_model **out, const struct few_net_def *net,
                             const void *opts, const struct few_net_spec *spec, uint64_t seed);

/* The same without values (NULL): for a reader, which compares the table with its file first. */
few_status few__model_declare(few_ctx *ctx, few_model **out, const struct few_net_def *net,
                              const void *opts, const struct few_net_spec *spec);

/* Its classes. `whose` names the model in messages. */
struct few_classes few__model_classes(const few_model *m, const char *whose);
/* How often samples of FEW_LABEL_SHARES have each class. */
struct few_shares few__model_shares(const few_model *m);

/* A trace of the model's network with this prefix ("teacher:") on graph names. Inputs as in
 * few_net_input; `training` switches dropout on. */
few_node few__model_trace(const few_model *m, few_graph *g, const char *prefix, bool training,
                          const struct few_net_input *in);
/* The same, and the network's activations half way through it. */
few_node few__model_trace_middle(const few_model *m, few_graph *g, const char *prefix,
                                 bool training, const struct few_net_input *in, few_node *middle);

/* Networks that give logits [N,classes] in place of F; what those are a linear map of, [N,d]. */
static inline bool few__model_classifies(const few_model *m) { return m->net->features != NULL; }
few_node few__model_features(const few_model *m, few_graph *g, const char *prefix,
                             const struct few_net_input *in);

/* Bind every param slot of `plan` that starts with `prefix` to the model's values. */
void few__model_bind(const few_model *m, const few_plan *plan, const char *prefix,
                     const float *values, const void **slots);

/* The inputs "x", "t", "label", "guidance" and "span" of `rows` rows, as few_model_graph names
 * them. */
struct few_net_input few__model_inputs(const few_model *m, few_graph *g, int64_t rows);

/* live[v] (zeroed, few_graph_size(g) of them) for each node that y is made of. */
void few__model_reach(const few_graph *g, few_node y, bool *live);

/* Append the description that goes into the file (docs/format.md, section 4). */
few_status few__model_describe(const few_model *m, struct few_text *out);
/* A model without values from such a text; `place` names it in messages. */
few_status few__model_from_description(few_ctx *ctx, few_model **out, const char *place,
                                       const char *text, size_t n);

/* Values in [-1, 1] as few_sample_write has them: the byte nearest to (x + 1) 127.5, clipped. */
/* Which of n samples of `dims` values hold one that is not finite: how many, and the first `most`
 * of them in list[]. */
int64_t few__samples_broken(int64_t n, int64_t dims, const float *x, int64_t *list, int64_t most);
/* FEW_E_DIVERGED where there are any, with how many and which; `what` begins the sentence. */
few_status few__samples_check(const few_model *m, const char *what, int64_t first, int64_t n,
                              const float *x);

void few__sample_bytes(int64_t count, const float *samples, uint8_t *out);

/* A call of the network: few_model_eval with what is the same for all rows given once. */
struct few_eval {
  int64_t n;
  const float *x;
  float x_scale; /* the network is fed x * x_scale */
  const float *t;
  float time;           /* of all rows where t is NULL */
  const int32_t *label; /* NULL: none */
  const float *guidance;
  float strength;       /* of all rows where guidance is NULL */
  bool classifier_free; /* F_u + guidance (F_c - F_u), of a model with classes */
  float *out;
  const float *span;       /* read where spec.span */
  float span_of_all;       /* of all rows where span is NULL */
  struct few_watch *watch; /* stops it; NULL: nobody */
};
few_status few__model_run(few_model *m, const struct few_eval *e);
/* FEW_E_INVALID where what the network predicts says nothing of F at t: pure noise times no number
 * is an image, and a clean image holds no noise (diffusion/net/raw.c). */
few_status few__model_knows(const few_model *m, double t);
void few__model_runner_free(few_model *m);
/* The least rows of a call that keep every worker, or the device, busy. */
int64_t few__model_portion(const few_model *m);

/* The scale of value k of an image or point, and of all of them, [spec.c] for a stream. */
struct few_data_scale few__model_scale(const few_model *m, int64_t k);
few_status few__model_scales(const few_model *m, struct few_data_scale **out);
bool few__model_same_scale(const few_model *a, const few_model *b);
/* Have the scale of another model. */
few_status few__model_take_scale(few_model *m, const few_model *from);

/* "none", "angle", "segment", "halvings". */
const char *few__span_name(enum few_span s);

/* ---- choose.c: what few_sample_opts come to ---- */
struct few_sample_choice {
  const struct few_sampler_def *sampler;
  struct few_times_opts times;
  char *settings;        /* the sampler's options; owned */
  struct few_olss *olss; /* of a file; owned */
};
/* Checks all of the options; `encode`: for the way from images to noise. */
few_status few__sample_choose(const few_model *m, const struct few_sample_opts *o, bool encode,
                              struct few_sample_choice *out);
void few__sample_choice_free(const few_model *m, struct few_sample_choice *c);

/* Is F the field of a flow at every time? Not that of a student that knows jumps alone. */
bool few__model_has_field(const few_model *m);
/* FEW_E_INVALID if not, with what was asked for: "a fitted schedule". */
few_status few__model_needs_field(const few_model *m, const char *what);
/* Evaluations of the network that few_sample takes for an image. */
few_status few__sample_evals(const few_model *m, const struct few_sample_opts *o, int *out);

/* ---- sample.c ---- */
/* An evaluation on the way: x_t and F [rows][dims] of images first .. first + rows - 1, for the
 * step from t to `to`; with F NULL, what was left at the end. Rows before the first image that
 * was asked for are seen too. */
struct few_sample_view {
  int64_t first, rows;
  double t, to;
  const float *x, *F;
};
/* few_sample from noise that is given, or back to it, or with somebody looking on. */
struct few_sample_path {
  bool encode;           /* from images to noise */
  const float *start;    /* [n][dims]: unit noise, or images; NULL: noise is drawn */
  const int32_t *label;  /* [n], -1 for none; NULL: opts->label */
  const float *guidance; /* [n], strengths of a model that takes one; NULL: opts->guidance */
  void (*see)(void *user, const struct few_sample_view *view); /* NULL: nobody does */
  void *user;
};
/* out[n][dims]: images, or unit noise. */
few_status few__sample_run(few_model *m, const struct few_sample_opts *opts,
                           const struct few_sample_path *path, float *out, int32_t *labels,
                           int *nfe);

/* ---- olss.c: files of fitted schedules ---- */
few_status few__olss_read(few_ctx *ctx, struct few_olss **out, const char *path);
/* `place` names the text in messages. */
few_status few__olss_parse(few_ctx *ctx, struct few_olss **out, const char *place, const char *text,
                           size_t n);

#endif
