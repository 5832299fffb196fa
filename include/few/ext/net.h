/* few/ext/net.h - a network of your own: a function that builds its graph, from layers or from ops.
 *
 * A network maps (x, t, label, guidance, step size, labels of augmentation) to F, which has the
 * shape of x; a classifier maps x to logits. x has unit variance (x_t / sigma_d), and t is
 * TrigFlow's time in radians. How the network embeds t is its own choice.
 *
 *   static few_node build(struct few_nn *nn, const struct few_net_spec *spec, const void *opts,
 *                         const struct few_net_input *in);
 *   static const struct few_net_def def = {.version = FEW_NET_DEF_VERSION, .name = "mine",
 *       .help = "...", .options = options, .options_size = sizeof(struct opts), .build = build};
 *   few_ctx_add_net(ctx, &def);
 *
 * Recipes then take net = mine, with its options as keys. A model file stores the name and the
 * options of its network, so a program that loads the model must have added the network as well.
 * How stable this header is: few/ext/common.h.
 */
#ifndef FEW_EXT_NET_H
#define FEW_EXT_NET_H

#include "few/ext/common.h"
#include "few/ext/steps.h"
#include "few/graph.h"
#include "few/option.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- The input and output of a network ---- */

/* A network may have an input for the size of the step from t down to `to`, a number per row; this
 * is the unit of the input. In model files its name is `span`. */
enum few_step_size {
  FEW_STEP_SIZE_NONE,     /* it has no such input */
  FEW_STEP_SIZE_ANGLE,    /* t - to, in radians */
  FEW_STEP_SIZE_SEGMENT,  /* t - to in radians, where `to` is the end of t's segment. There are
                           * max_steps segments of equal size */
  FEW_STEP_SIZE_HALVINGS, /* log2(1/d) for a step of length d in flow matching's time, at most
                           * log2(max_steps), which also means "no step" */
  FEW_STEP_SIZES
};

/* The requirements of the data and the objective on a network. */
struct few_net_spec {
  int64_t h, w, c;              /* of an image; points: h = w = 1, c = dimensions */
  bool points;                  /* x is [N,c] rather than [N,h,w,c] */
  int64_t classes;              /* 0: no labels */
  bool guidance;                /* the guidance scale is an input */
  enum few_step_size step_size; /* the size of the step is an input */
  int64_t max_steps;            /* SEGMENT: number of segments; HALVINGS: largest number of steps */
  int64_t augment;              /* labels of augmentation that are an input; 0: none */
  double sigma_data;            /* standard deviation of the data, sigma_d */
  enum few_prediction predicts; /* what the raw network predicts */
  enum few_answer unlabelled;   /* whether training had rows without their label */
  /* The process whose state the raw network takes: the number of a row of `few list processes`, 0
   * for TrigFlow's. Only networks from other programs have another one. */
  int process;
  struct few_betas betas; /* of the process ddpm; steps 0: FEW_BETAS_INIT */
};

/* The number of images that the raw network outputs, side by side in the channels. */
static inline int64_t few_net_heads(const struct few_net_spec *s) {
  return s->predicts == FEW_PREDICT_BOTH ? 2 : 1;
}

/* Checks that the network can be evaluated without a label, as classifier-free guidance needs:
 * FEW_E_INVALID if every row of its training had a label. Samplers and objectives call this before
 * they evaluate a network without labels. The message begins with `why`, such as "guidance 2", and
 * calls the network `who`, such as "this model". */
FEW_API few_status few_net_check_unconditional(few_ctx *ctx, const struct few_net_spec *s,
                                               const char *who, const char *why);

struct few_net_input {
  few_node x;         /* [N,h,w,c] or [N,c] */
  few_node t;         /* [N], radians */
  few_node label;     /* [N] index, -1 for "no label"; FEW_NONE: no row has one */
  few_node guidance;  /* [N]; FEW_NONE if spec.guidance is false */
  few_node step_size; /* [N] in the unit spec.step_size; FEW_NONE if that is FEW_STEP_SIZE_NONE */
  few_node augment;   /* [N,spec.augment]; FEW_NONE: zeros, as in sampling. A network must give the
                       * same for FEW_NONE and for zeros */
  bool no_dropout;    /* no dropout even in training, because the output is a target */
};

/* The input without guidance, step size and labels of augmentation. */
static inline struct few_net_input few_net_input_of(few_node x, few_node t, few_node label) {
  struct few_net_input in;
  in.x = x;
  in.t = t;
  in.label = label;
  in.guidance = FEW_NONE;
  in.step_size = FEW_NONE;
  in.augment = FEW_NONE;
  in.no_dropout = false;
  return in;
}

/* ---- Layers: graph builders over a table of parameters ----
 *
 * Tracing a network declares its parameters: the first time that a layer uses the name
 * "enc.0.conv.w", the table gets a row (shape, initial values, place in one flat array); later
 * traces find the row. Errors stick to nn->g, as those of few/graph.h do. */

enum few_init_kind { FEW_INIT_ZERO, FEW_INIT_ONE, FEW_INIT_NORMAL, FEW_INIT_UNIFORM };
struct few_init {
  enum few_init_kind kind;
  double scale; /* NORMAL: standard deviation; UNIFORM: half the width */
};

struct few_params;
enum { FEW_NN_DEPTH = 16 };

/* One trace of one network. A builder reads g and training, and sets dropout and middle; the other
 * members are the library's. */
struct few_nn {
  few_graph *g;
  struct few_params *params;
  const char *prefix; /* of names in the graph: "student:", "teacher:"; "" */
  bool training;      /* dropout is on */
  double dropout;     /* probability of dropping a value, for few_nn_dropout */
  int n_dropouts;     /* layers traced so far: each has a mask of its own */
  few_node middle;    /* activations half way through the network, for a discriminator; optional */
  char path[96];
  int depth;                   /* of few_nn_push */
  size_t length[FEW_NN_DEPTH]; /* of path before each push */
};

/* Prefixes the names of parameters with "part." until the pop; at most FEW_NN_DEPTH levels. */
FEW_API void few_nn_push(struct few_nn *nn, const char *fmt, ...) FEW_PRINTF(2, 3);
FEW_API void few_nn_pop(struct few_nn *nn);
/* A learned array. Names have at most 95 bytes, prefixes included. */
FEW_API few_node few_nn_param(struct few_nn *nn, const char *name, struct few_shape shape,
                              struct few_init init);

/* Layers. `gain` scales the initial weights: 1 keeps the variance (standard deviation
 * 1/sqrt(fan_in)), 0 starts at zero. Biases start at zero. */
FEW_API few_node few_nn_linear(struct few_nn *nn, const char *name, few_node x, int64_t out,
                               double gain, bool bias); /* [..,C] -> [..,out] */
FEW_API few_node few_nn_conv(struct few_nn *nn, const char *name, few_node x, int64_t out,
                             int kernel, int stride, double gain); /* padding kernel/2, with bias */
/* Group norm with learned scale and shift per channel. */
FEW_API few_node few_nn_group_norm(struct few_nn *nn, const char *name, few_node x, int groups,
                                   double eps);
/* Normalises each position's channel vector: layer norm (center) or RMS norm; no parameters. */
FEW_API few_node few_nn_channel_norm(struct few_nn *nn, few_node x, bool center, double eps);
/* pnorm(a) = a / sqrt(mean_c a^2 + 1e-8) of rows [N,C] (sCM, arXiv 2410.11081, section 4.1). */
FEW_API few_node few_nn_pnorm(struct few_nn *nn, few_node x);
FEW_API few_node few_nn_dropout(struct few_nn *nn, few_node x);
/* Sinusoids of t [N]: [cos(scale t f_i), sin(scale t f_i)], f_i = 10000^(-i/(C/2)): [N,C]. */
FEW_API few_node few_nn_positional(struct few_nn *nn, few_node t, int64_t channels, double scale);
/* sqrt(2) cos, sin (2 pi (scale t w_i)), w_i ~ N(0,1) fixed by index (EDM's NCSN++ embedding). */
FEW_API few_node few_nn_fourier(struct few_nn *nn, few_node t, int64_t channels, double scale);
/* Self-attention over positions of [N,H,W,C] or [N,T,C]: qkv and output projections; no residual.
 */
FEW_API few_node few_nn_attention(struct few_nn *nn, const char *name, few_node x, int64_t heads,
                                  double out_gain);
/* Rows [N,C] as [N,1,..,1,C] of the given rank. */
FEW_API few_node few_nn_rows(struct few_nn *nn, few_node x, int rank);

/* ---- Conditioning: put FEW_COND_OPTIONS(struct opts) into a table of options, and a member
 * `struct few_cond_opts cond` into the struct ---- */

/* One per process, "|identity|log|..": an option's choices begin after the first bar. */
FEW_API extern const char few_time_transform_choices[];

enum few_time_embedding { FEW_TIME_POSITIONAL, FEW_TIME_FOURIER, FEW_TIME_STORED };
enum few_modulation {
  FEW_MODULATION_DOUBLE, /* x * pnorm(scale) + pnorm(shift) */
  FEW_MODULATION_ADAGN,  /* x * (1 + scale) + shift */
  FEW_MODULATION_ADD     /* x + shift; before the second norm of a residual block, which then has a
                          * learned scale and shift of its own */
};
enum few_label_place {
  FEW_LABELS_OUTPUT, /* rows of labels are added to the output of the embedding's MLP */
  FEW_LABELS_HIDDEN  /* or to the input of its nonlinearity, as in EDM */
};
struct few_cond_opts {
  int time_transform; /* the function of time that is embedded: an index into these choices */
  enum few_time_embedding time_embedding;
  double time_scale; /* multiplies the angle */
  int64_t freq_shift;
  enum few_label_place label_place;
  enum few_modulation modulation;
  double dropout;        /* probability of dropping a value */
  double step_size_gain; /* multiplies the sinusoids of the step size */
};
/* clang-format off */
#define FEW_COND_OPTIONS(S) \
  FEW_OPT_IN(S, cond, time_transform, FEW_OPTION_CHOICE, "identity", 0, 0, \
             few_time_transform_choices + 1, \
             "the time that is embedded: identity: TrigFlow's t; log: EDM's ln(sigma)/4; others: " \
             "the time of that process"), \
  FEW_OPT_IN(S, cond, time_embedding, FEW_OPTION_CHOICE, "positional", 0, 0, \
             "positional|fourier|stored", \
             "positional: sinusoids of falling frequency; fourier: random Fourier features; " \
             "stored: Fourier features whose frequencies are in the model file"), \
  FEW_OPT_IN(S, cond, time_scale, FEW_OPTION_REAL, "1", 1e-6, 1e6, NULL, \
             "factor on the time before the sinusoids"), \
  FEW_OPT_IN(S, cond, freq_shift, FEW_OPTION_INT, "0", 0, 1, NULL, \
             "positional: frequencies fall to 1/10000 as 10000^(-i/(n - freq_shift)), i < n"), \
  FEW_OPT_IN(S, cond, label_place, FEW_OPTION_CHOICE, "output", 0, 0, "output|hidden", \
             "where labels are added: output: to the output of the embedding's two layers; " \
             "hidden: between them"), \
  FEW_OPT_IN(S, cond, modulation, FEW_OPTION_CHOICE, "double", 0, 0, "double|adagn|add", \
             "double: adaptive double normalization; adagn: a scale 1 + s and a shift; add: a " \
             "shift (DDPM)"), \
  FEW_OPT_IN(S, cond, dropout, FEW_OPTION_REAL, "0", 0, 0.95, NULL, \
             "probability of dropping a value"), \
  FEW_OPT_IN(S, cond, step_size_gain, FEW_OPTION_REAL, "1", 1e-3, 1e3, NULL, \
             "factor on the sinusoids of the step size, whose weights begin at 0: above 1 they " \
             "learn faster")
/* clang-format on */

/* Embedding of t and of the inputs besides x: [N,width] after a two-layer MLP. `channels`: of
 * the sinusoids. */
FEW_API few_node few_cond_embed(struct few_nn *nn, const struct few_net_spec *spec,
                                const struct few_cond_opts *o, const struct few_net_input *in,
                                int64_t channels, int64_t width);
/* Modulates x, already normalised, by the embedding: x * scale + shift over its channels. */
FEW_API few_node few_cond_modulate(struct few_nn *nn, const struct few_cond_opts *o,
                                   const char *name, few_node x, few_node emb);

/* ---- The definition ---- */

#define FEW_NET_DEF_VERSION 1
struct few_net_def {
  int version; /* FEW_NET_DEF_VERSION */
  const char *name, *source, *help;
  const struct few_option *options; /* fields of the options struct; an empty table: none */
  size_t options_size;
  /* Builds the graph of spec->predicts, [.., few_net_heads(spec) c]. Its last layer is called
   * "out". `opts` is the options struct. Failures stick to the graph. */
  few_node (*build)(struct few_nn *nn, const struct few_net_spec *spec, const void *opts,
                    const struct few_net_input *in);
  /* For a classifier; otherwise NULL. `build` then gives logits [N,classes], and `features` the
   * features [N,d], of which the logits are a linear map. Value numbering makes the two share their
   * nodes. */
  few_node (*features)(struct few_nn *nn, const struct few_net_spec *spec, const void *opts,
                       const struct few_net_input *in);
  /* Checks the options of a new network; may be NULL. FEW_E_INVALID, with a message in few_error,
   * for options that would have no effect. It is not called for a network from a file. */
  few_status (*check)(few_ctx *ctx, const struct few_net_spec *spec, const void *opts);
};

/* FEW_E_INVALID, with a message in few_error, if def is NULL, has another version or lacks a
 * member, or if its name is taken. */
FEW_API FEW_MUST_USE few_status few_ctx_add_net(few_ctx *ctx, const struct few_net_def *def);

#ifdef __cplusplus
}
#endif
#endif
