/* added.h - the components that a program has added to a context (include/few/ext/).
 *
 * A component is a definition: a struct that begins with its version and its name. The built-in
 * ones are in tables of the modules above; those of a context follow them in every list. The
 * context keeps pointers, so definitions must outlive it. Components are found by name, and names
 * are unique.
 */
#ifndef FEW_SRC_BASE_ADDED_H
#define FEW_SRC_BASE_ADDED_H

#include "option.h"

enum few_added_kind {
  FEW_ADDED_OBJECTIVE,
  FEW_ADDED_NET,
  FEW_ADDED_SAMPLER,
  FEW_ADDED_READER,
  FEW_ADDED_METRIC,
  FEW_ADDED_KINDS
};

enum { FEW_ADDED_NAME_MAX = 31 }; /* bytes: models store names in fields of 32 */

/* A definition to add. Fill it in after few__added_version has succeeded, since the members of
 * another version may differ. */
struct few_addition {
  enum few_added_kind kind;
  const char *type; /* "few_objective_def", for error sentences */
  const void *def;
  const char *name;                 /* its name */
  const char *missing;              /* the name of a required member that is NULL, or NULL */
  bool taken;                       /* a component of this kind has the name already */
  const struct few_option *options; /* the table of its options, or NULL */
  size_t options_size;
};

/* FEW_E_INVALID if `def` is NULL or begins with another version. */
few_status few__added_version(few_ctx *ctx, const char *type, const void *def, int version);
/* FEW_E_INVALID, with a message in few_error, if the name is taken or cannot be written in a
 * recipe, if a member is missing, or if the table of options does not fit its struct. The context
 * is then unchanged. */
few_status few__added_add(few_ctx *ctx, const struct few_addition *a);

/* The number of components added; 0 if ctx is NULL. */
int few__added_count(const few_ctx *ctx, enum few_added_kind kind);
const void *few__added_at(const few_ctx *ctx, enum few_added_kind kind, int i);

#endif
