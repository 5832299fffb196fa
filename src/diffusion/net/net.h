/* net.h - a network architecture: one file, one row in nets.def.
 *
 * A network maps (x, t, label, guidance, step size) to F, shaped like x, or, of a classifier, to logits.
 * x has unit variance (it is x_t / sigma_d); t is TrigFlow's time in radians; what the network
 * makes of t (time transform, embedding) is its own affair and stands in its options.
 */
#ifndef FEW_SRC_NET_H
#define FEW_SRC_NET_H

#include "base/option.h"
#include "diffusion/process/predict.h"
#include "nn.h"

/* What a network takes as its second number per row: the size of the step from t down to `to`
 * (model/run/step.c computes it). Files and graphs call this input "span". */
enum few_step_size {
  FEW_STEP_SIZE_NONE,    /* it has no such input */
  FEW_STEP_SIZE_ANGLE,   /* t - to, in radians */
  FEW_STEP_SIZE_SEGMENT, /* the same; `to` is the end of t's segment, one of max_steps equal ones */
  FEW_STEP_SIZE_HALVINGS, /* log2(1/d) of a step d in flow matching's time, at most
                           * log2(max_steps); that also stands for no step at all */
  FEW_STEP_SIZES
};

/* Was the network trained on rows without their label too? */
enum few_unlabelled { FEW_UNLABELLED_UNKNOWN, FEW_UNLABELLED_NO, FEW_UNLABELLED_YES };

struct few_net_spec { /* what the data and the objective require of a network */
  int64_t h, w, c;    /* an image; points: h = w = 1, c = dimensions */
  bool points;        /* x is [N,c] rather than [N,h,w,c] */
  int64_t classes;    /* 0: no labels */
  bool guidance;      /* the guidance scale is an input */
  union {             /* the size of the step is an input */
    enum few_step_size step_size;
    enum few_step_size span; /* its name before, until all use the new one */
  };
  union {
    int64_t max_steps; /* segment: how many segments; halvings: the most steps */
    int64_t span_steps;
  };
  double sigma_data;
  enum few_prediction predicts;   /* what the raw network predicts */
  enum few_unlabelled unlabelled; /* where it has classes */
};
/* Names before, until all use the new ones. */
#define few_span few_step_size
#define FEW_SPANS FEW_STEP_SIZES
#define FEW_SPAN_NONE FEW_STEP_SIZE_NONE
#define FEW_SPAN_ANGLE FEW_STEP_SIZE_ANGLE
#define FEW_SPAN_SEGMENT FEW_STEP_SIZE_SEGMENT
#define FEW_SPAN_HALVINGS FEW_STEP_SIZE_HALVINGS
#define few__net_asks_unlabelled few__net_check_unconditional

/* Unconditional evaluation, as classifier-free guidance needs it: FEW_E_INVALID for a network that
 * was trained with the label of every row. Samplers and objectives call this before they evaluate a
 * network without labels. `why` begins the sentence: "guidance 2"; `who` is "this model". */
few_status few__net_check_unconditional(few_ctx *ctx, const struct few_net_spec *s, const char *who,
                                        const char *why);

/* Images that come out of it, side by side in the channels. */
static inline int64_t few__net_heads(const struct few_net_spec *s) {
  return s->predicts == FEW_PREDICT_BOTH ? 2 : 1;
}

struct few_net_input {
  few_node x;        /* [N,h,w,c] or [N,c] */
  few_node t;        /* [N], radians */
  few_node label;    /* [N] index, -1 for "no label"; FEW_NONE: no row has one */
  few_node guidance; /* [N]; FEW_NONE where spec.guidance is false */
  union {            /* [N] as spec.step_size says; FEW_NONE where that is none */
    few_node step_size;
    few_node span;
  };
  bool no_dropout; /* even where the network is trained: what it gives is a target */
};

static inline struct few_net_input few__net_input(few_node x, few_node t, few_node label) {
  return (struct few_net_input){x, t, label, FEW_NONE, {FEW_NONE}, false};
}

struct few_net_def {
  const char *name, *source, *help;
  const struct few_option *options; /* fields of the options struct */
  size_t options_size;
  /* Graph of spec->predicts, [.., heads c], by a last layer called "out"; opts is the options
   * struct. Failures stick to the graph. */
  few_node (*build)(struct few_nn *nn, const struct few_net_spec *spec, const void *opts,
                    const struct few_net_input *in);
  /* NULL, or the network is a classifier: `build` gives logits [N,classes], and this the [N,d] that
   * they are a linear map of. Value numbering makes the two share their nodes. */
  few_node (*features)(struct few_nn *nn, const struct few_net_spec *spec, const void *opts,
                       const struct few_net_input *in);
  /* NULL, or options that a new network should not have, as they would do nothing: FEW_E_INVALID.
   * Files may hold them. */
  few_status (*check)(few_ctx *ctx, const struct few_net_spec *spec, const void *opts);
};

int few__net_count(void);
const struct few_net_def *few__net_at(int i);
const struct few_net_def *few__net_find(const char *name); /* NULL: no such network */

/* TrigFlow's F from what the raw network said of `in` (raw.c). */
few_node few__net_F(few_graph *g, const struct few_net_spec *spec, const struct few_net_input *in,
                    few_node raw);

/* ---- Conditioning, shared by all networks: include FEW_COND_OPTIONS in the options table. ---- */
struct few_cond_opts {
  int time_transform; /* index into time.c's table */
  int time_embedding; /* 0 positional, 1 fourier */
  double time_scale;  /* multiplies the angle */
  int modulation;     /* 0 double: pnorm(scale), pnorm(shift); 1 adagn: 1 + scale, shift */
  double dropout;
};
#define FEW_COND_(S, field, type, deflt, min, max, choices, help) \
  FEW_OPT_IN(S, cond, field, type, deflt, min, max, choices, help)
/* clang-format off */
#define FEW_COND_OPTIONS(S) \
  FEW_COND_(S, time_transform, FEW_OPTION_CHOICE, "identity", 0, 0, \
            "identity|log|vp|vp-linear|flow", \
            "what the embedding sees: TrigFlow's t, EDM's ln(sigma)/4, or another process's time"), \
  FEW_COND_(S, time_embedding, FEW_OPTION_CHOICE, "positional", 0, 0, "positional|fourier", \
            "sinusoids of falling frequency, or random Fourier features"), \
  FEW_COND_(S, time_scale, FEW_OPTION_REAL, "1", 1e-6, 1e6, NULL, \
            "multiplies time before the sinusoids"), \
  FEW_COND_(S, modulation, FEW_OPTION_CHOICE, "double", 0, 0, "double|adagn", \
            "adaptive double normalization, or scale 1 + s"), \
  FEW_COND_(S, dropout, FEW_OPTION_REAL, "0", 0, 0.95, NULL, "chance of dropping a value")
/* clang-format on */

/* What the embedding sees in the place of t (time.c). */
few_node few__net_time(few_graph *g, int transform, double sigma_d, few_node t);
/* Embedding of t, label, guidance and step size: [N,width] after a two-layer MLP. `channels`: of the
 * sinusoids. */
few_node few__cond_embed(struct few_nn *nn, const struct few_net_spec *spec,
                         const struct few_cond_opts *o, const struct few_net_input *in,
                         int64_t channels, int64_t width);
/* Modulate x, already normalised, by the embedding: x * scale + shift over its channels. */
few_node few__cond_modulate(struct few_nn *nn, const struct few_cond_opts *o, const char *name,
                            few_node x, few_node emb);

#endif
