/* few/component.h - lists the components: networks, objectives, samplers and so on.
 *
 *   struct few_component c;
 *   for (int i = 0; few_component(&c, sizeof c, ctx, FEW_COMPONENT_SAMPLER, i); i++) puts(c.name);
 *
 * Texts and tables of built-in components are static; those of others belong to their definitions.
 */
#ifndef FEW_COMPONENT_H
#define FEW_COMPONENT_H

#include "few/base.h"
#include "few/option.h"

#ifdef __cplusplus
extern "C" {
#endif

enum few_component_kind {
  FEW_COMPONENT_NETWORK,
  FEW_COMPONENT_OBJECTIVE, /* losses that a network is trained with */
  FEW_COMPONENT_SAMPLER,   /* methods that lead from noise to images */
  FEW_COMPONENT_SCHEDULE,  /* sequences of sampling times */
  FEW_COMPONENT_OPTIMIZER,
  FEW_COMPONENT_PROCESS,    /* processes that turn an image into noise */
  FEW_COMPONENT_PREDICTION, /* meanings of a network's output */
  FEW_COMPONENT_WEIGHT,     /* weights of the times in a loss */
  FEW_COMPONENT_BALANCER,   /* ways to add several losses */
  FEW_COMPONENT_READER,     /* formats of data sets; all have the options of few_data_opts */
  FEW_COMPONENT_METRIC,
  FEW_COMPONENT_FEATURES, /* networks in whose features images are compared */
  FEW_COMPONENT_BACKEND,  /* processors and devices; few/backend.h tests which of them work here */
  FEW_COMPONENT_TRAINER,  /* one component, "train": the keys of every recipe */
  FEW_COMPONENT_LAYOUT,   /* networks of other programs that few_import knows */
  FEW_COMPONENT_KINDS
};

struct few_component {
  const char *name;                 /* "heun", as recipes and commands write it */
  const char *usage;                /* the name and its arguments: "idx:IMAGES[,LABELS]" */
  const char *help;                 /* one line */
  const char *source;               /* the paper; "" if there is none */
  const struct few_option *options; /* NULL: it has none */
  int steps;                        /* of a sampler: its default number of steps; else 0 */
};

/* Component i of a kind, counted from 0: first the built-in ones, then those added to ctx. ctx
 * NULL: only the built-in ones. `size` is sizeof *out. False past the last one, and for an unknown
 * kind. */
FEW_API bool few_component(struct few_component *out, size_t size, const few_ctx *ctx,
                           enum few_component_kind kind, int i);

/* The number of components of a kind. */
FEW_API int few_component_count(const few_ctx *ctx, enum few_component_kind kind);

/* The component of this name or usage; false if there is none. */
FEW_API bool few_component_find(struct few_component *out, size_t size, const few_ctx *ctx,
                                enum few_component_kind kind, const char *name);

#ifdef __cplusplus
}
#endif
#endif
