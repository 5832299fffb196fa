/* few/component.h - what there is to choose from: networks, objectives, samplers and so on.
 *
 *   for (int i = 0; few_component(ctx, FEW_COMPONENT_SAMPLER, i).name; i++)
 *     puts(few_component(ctx, FEW_COMPONENT_SAMPLER, i).name);
 *
 * What is returned for built-in components is static.
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
  FEW_COMPONENT_OBJECTIVE, /* what a network is trained for */
  FEW_COMPONENT_SAMPLER,   /* from noise to images */
  FEW_COMPONENT_SCHEDULE,  /* of sampling times */
  FEW_COMPONENT_OPTIMIZER,
  FEW_COMPONENT_PROCESS,    /* from images to noise */
  FEW_COMPONENT_PREDICTION, /* what a network's output stands for */
  FEW_COMPONENT_WEIGHT,     /* of each time in a loss */
  FEW_COMPONENT_BALANCER,   /* of several losses */
  FEW_COMPONENT_READER,     /* of data sets; each has the options of struct few_data_opts */
  FEW_COMPONENT_METRIC,
  FEW_COMPONENT_FEATURES, /* networks in whose features images are compared */
  FEW_COMPONENT_BACKEND,  /* processors and devices; few/backend.h says which of them work here */
  FEW_COMPONENT_TRAINER,  /* one component, "train": the keys of every recipe */
  FEW_COMPONENT_KINDS
};

struct few_component {
  const char *name;                 /* "heun", as recipes and commands write it */
  const char *usage;                /* how it is written with what follows: "idx:IMAGES[,LABELS]" */
  const char *help;                 /* one line */
  const char *source;               /* the paper; "" if there is none */
  const struct few_option *options; /* NULL: it has none */
  int steps;                        /* of a sampler: how many it takes by default; else 0 */
};

/* Component i of a kind, counted from 0: first the built-in ones, then those added to ctx. ctx NULL:
 * only the built-in ones. Past the last one, and for an unknown kind, all members are NULL and 0. */
FEW_API struct few_component few_component(const few_ctx *ctx, enum few_component_kind kind, int i);

/* How many components few_component gives. */
FEW_API int few_component_count(const few_ctx *ctx, enum few_component_kind kind);

/* The component of this name or usage; all members are NULL and 0 if there is none. */
FEW_API struct few_component few_component_find(const few_ctx *ctx, enum few_component_kind kind,
                                                const char *name);

#ifdef __cplusplus
}
#endif
#endif
