/* model.h - the members of a model, which few_model_load, few_model_create and the trainer fill in.
 */
#ifndef FEW_SRC_MODEL_H
#define FEW_SRC_MODEL_H

#include <stdatomic.h>

#include "data/classes.h"
#include "diffusion/net/net.h"
#include "engine/plan/plan.h"
#include "few/model.h"
#include "labels.h"

enum { FEW_MAX_COMPONENT_NAME = 32 };

const char *few__direction_name(enum few_direction d); /* "both" "decode" "encode" */
const char *few__step_size_name(enum few_step_size s); /* "none" "angle" "segment" "halvings" */
/* FEW_E_UNSUPPORTED if no span has this name. */
few_status few__step_size_find(few_ctx *ctx, enum few_step_size *out, const char *name);

/* Counts of the users of a model. */
struct few_model_users {
  atomic_int runners; /* of this model, in any thread */
  int sharing; /* of a root: models that share its arrays; it counts itself until it is freed */
};

struct few_model {
  few_ctx *ctx;
  struct few_model_users *users; /* owned */
  few_model *root;               /* the model whose arrays these are: itself, or the origin of
                      few_model_with_times. All that is called owned below is the root's, except
                      times */

  const struct few_net_def *net;
  void *net_opts; /* net->options_size bytes; owned */
  struct few_net_spec spec;
  struct few_params params; /* owned */
  float *values;            /* [params.total]; owned; NULL: the model is only declared */
  uint64_t written;         /* counts changes of values, for devices, which keep a copy */

  /* scaled = (raw - mean) scale, of standard deviation sigma_data */
  double data_mean, data_scale;
  struct few_data_scale *scales; /* [spec.c] one per coordinate or channel, and then mean and scale
                                    are NaN; owned; NULL: one of all */
  char **class_names;            /* [spec.classes], each may be NULL; all owned; NULL: no names */
  int64_t *class_counts; /* [spec.classes] training items of each class, not all 0; owned; NULL: not
                            known */

  char objective[FEW_MAX_COMPONENT_NAME], sampler[FEW_MAX_COMPONENT_NAME];
  enum few_direction direction;
  double guidance_min, guidance_max;
  int n_times;
  double *times; /* [n_times] sampling times of its own; owned */
  int64_t step;
  enum few_weight_type weights; /* few_model_save writes this type */
  char *provenance; /* JSON object as few_json writes it: recipe, seed ...; owned; NULL: none */

  double flops; /* of one evaluation of one image */
};

/* ---- Making ---- */

/* A model whose weights are initialised at random from `seed`. `opts` are the network's options,
 * copied. */
few_status few__model_create(few_ctx *ctx, few_model **out, const struct few_net_def *net,
                             const void *opts, const struct few_net_spec *spec, uint64_t seed);
/* The same without values, so that a reader can first compare the table of parameters with its
 * file. */
few_status few__model_declare(few_ctx *ctx, few_model **out, const struct few_net_def *net,
                              const void *opts, const struct few_net_spec *spec);

/* Appends the description that goes into the file (docs/format.md, section 4). */
few_status few__model_describe(const few_model *m, struct few_text *out);
/* A model without values from a description; `place` names it in messages. */
few_status few__model_from_description(few_ctx *ctx, few_model **out, const char *place,
                                       const char *text, size_t n);

/* Only for code that creates a model, and for the trainer, whose student no other model shares and
 * no other thread reads. The model may have a runner, but it must not be running. */
float *few__model_write(few_model *m); /* its values, to be overwritten */
few_status few__model_set_times(few_model *m, int n, const double *times);

/* ---- Data and classes ---- */

/* The scale of value k of an image or point. */
struct few_data_scale few__model_scale(const few_model *m, int64_t k);
/* The scales of all coordinates or channels, [spec.c], in memory of ctx. */
few_status few__model_scales(few_ctx *ctx, const few_model *m, struct few_data_scale **out);
bool few__model_same_scale(const few_model *a, const few_model *b);
/* Gives m the scale of another model. */
few_status few__model_take_scale(few_model *m, const few_model *from);

/* Its classes. `whose` names the model in messages. */
struct few_classes few__model_classes(const few_model *m, const char *whose);
/* few_model_match_data with a context of its own. */
few_status few__model_match(few_ctx *ctx, int32_t *map, const few_model *m,
                            const struct few_data *data);
/* The class shares of samples with FEW_LABEL_SHARES. */
struct few_shares few__model_shares(const few_model *m);

/* ---- The network as a graph ---- */

/* The inputs "x", "t", "label", "guidance" and "step_size" of `rows` rows, as few_model_graph has
 * them; no labels of augmentation. */
struct few_net_input few__model_inputs(const few_model *m, few_graph *g, int64_t rows);
/* The input "augment"; FEW_NONE if the network has none. */
few_node few__model_augment(const few_model *m, few_graph *g, int64_t rows);
/* Adds the network to the graph. The names of its parameters get the prefix, such as "teacher:";
 * `training` turns dropout on. */
few_node few__model_trace(const few_model *m, few_graph *g, const char *prefix, bool training,
                          const struct few_net_input *in);
/* The same; *middle is set to the activations in the middle of the network. */
few_node few__model_trace_middle(const few_model *m, few_graph *g, const char *prefix,
                                 bool training, const struct few_net_input *in, few_node *middle);

/* Whether the model is a classifier, which gives logits [N,classes] instead of F. */
static inline bool few__model_classifies(const few_model *m) { return m->net->features != NULL; }
/* The features [N,d] of a classifier: its logits are a linear layer of them. */
few_node few__model_features(const few_model *m, few_graph *g, const char *prefix,
                             const struct few_net_input *in);

/* Binds each parameter of `plan` whose name starts with `prefix` to these values; NULL: the model's
 * own. */
void few__model_bind(const few_model *m, const few_plan *plan, const char *prefix,
                     const float *values, const void **slots);

/* Sets live[v] for each node on which y depends. live[few_graph_size(g)] is all false before. */
void few__model_reach(const few_graph *g, few_node y, bool *live);

#endif
