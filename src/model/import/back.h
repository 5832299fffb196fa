/* back.h - a model as the tensors and the configurations of another program: a layout backwards.
 *
 * The layout writes a configuration for the model's network, and its own `describe` reads it back.
 * The network that this gives must be the model's: the two are traced into one graph, where equal
 * nodes are one node. So nothing is exported that an import would not compute in the same way. Then
 * the layout's `map` runs with `undo` in place of `apply`.
 */
#ifndef FEW_SRC_IMPORT_BACK_H
#define FEW_SRC_IMPORT_BACK_H

#include "mapping.h"

/* The first version of diffusers that has all names that are written. */
#define FEW_BACK_VERSION "0.30.0"

struct few_back_tensor {
  char *name;
  struct few_shape shape;
  float *values;
};

struct few_back {
  const few_model *from;
  const struct few_layout *layout;
  const char *scheduler;               /* its class */
  struct few_text net_text, time_text; /* the configurations of network and scheduler: JSON */
  struct few_back_tensor *at;
  int n, cap;
};

/* FEW_E_UNSUPPORTED, naming the differences, if the other program has no such network. Free *out
 * also after a failure. */
few_status few__back_open(few_ctx *ctx, struct few_back *out, const few_model *m);
void few__back_close(few_ctx *ctx, struct few_back *b);

/* ---- For `map` ---- */

/* The tensors of a row, for the parameter p. */
few_status few__back_put(struct few_importer *im, const char *from, const struct few_map_row *row,
                         const struct few_param_row *p);
/* The tensors PREFIX NAME as copies of LIKE NAME. */
few_status few__back_repeat(struct few_importer *im, const char *prefix, const char *like,
                            const char *const *names, int n);

/* ---- For `configure`: options of the network ---- */

int64_t few__back_int(const few_model *m, const char *key);
double few__back_real(const few_model *m, const char *key);
const struct few_int_list *few__back_ints(const few_model *m, const char *key);
/* Whether a choice is this word, or a yes-or-no is "yes". */
bool few__back_is(const few_model *m, const char *key, const char *word);

#endif
