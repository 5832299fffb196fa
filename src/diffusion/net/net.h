/* net.h - a network architecture: one file, one row in nets.def.
 *
 * A network maps (x, t, label, guidance, span) to F, shaped like x, or, of a classifier, to logits.
 * x has unit variance (it is x_t / sigma_d); t is TrigFlow's time in radians; what the network
 * makes of t (time transform, embedding) is its own affair and stands in its options.
 */
#ifndef FEW_SRC_NET_H
#define FEW_SRC_NET_H

#include "base/option.h"
#include "diffusion/process/predict.h"
#include "nn.h"

/* How a network is told where a step leads, from t down to `to` (model/run/step.c). */
enum few_span {
  FEW_SPAN_NONE,     /* not at all */
  FEW_SPAN_ANGLE,    /* t - to, in radians */
  FEW_SPAN_SEGMENT,  /* the same; `to` is the end of t's segment, of span_steps equal ones */
  FEW_SPAN_HALVINGS, /* log2(1/d) of a step d in flow matching's time; the largest,
                      * log2(span_steps), also where there is no step */
  FEW_SPANS
};

/* Did the network see rows without their label in training? */
enum few_unlabelled { FEW_UNLABELLED_UNKNOWN, FEW_UNLABELLED_NO, FEW_UNLABELLED_YES };

struct few_net_spec { /* what the data and the objective ask of a network */
  int64_t h, w, c;    /* an image; points: h = w = 1, c = dimensions */
  bool points;        /* x is [N,c] rather than [N,h,w,c] */
  int64_t classes;    /* 0: no labels */
  bool guidance;      /* a scalar guidance strength is an input */
  enum few_span span; /* so is how far a step goes */
  int64_t span_steps; /* segment, halvings */
  double sigma_data;
  enum few_prediction predicts;   /* what comes out of the raw network */
  enum few_unlabelled unlabelled; /* where it has classes */
};

/* Whoever asks a network without labels, a sampler or an objective, asks this first. FEW_E_INVALID
 * where it has never seen that. `why` begins the sentence: "guidance 2"; `who`: "this model". */
few_status few__net_asks_unlabelled(few_ctx *ctx, const struct few_net_spec *s, const char *who,
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
  few_node span;     /* [N] how far the step goes, as spec.span says; FEW_NONE where it is none */
  bool no_dropout;   /* even where the network is trained: what it gives is a target */
};

static inline struct few_net_input few__net_input(few_node x, few_node t, few_node label) {
  return (struct few_net_input){x, t, label, FEW_NONE, FEW_NONE, false};
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
#define FEW_COND_(S, field, type, deflt, min, max, choices, help)                                  \
  {                                                                                                \
#field, type, offsetof(S, cond.field), sizeof(((S *)0)->cond.field), deflt, min, max, choices, \
        help                                                                                       \
  }
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
/* Embedding of t, label, guidance and span: [N,width] after a two-layer MLP. `channels`: of the
 * sinusoids. */
few_node few__cond_embed(struct few_nn *nn, const struct few_net_spec *spec,
                         const struct few_cond_opts *o, const struct few_net_input *in,
                         int64_t channels, int64_t width);
/* Modulate x, already normalised, by the embedding: x * scale + shift over its channels. */
few_node few__cond_modulate(struct few_nn *nn, const struct few_cond_opts *o, const char *name,
                            few_node x, few_node emb);

#endif
