/* unconditional.c - checks whether a network can be evaluated without labels.
 *
 * A row with the label -1 gets no class embedding. For such a row classifier-free guidance needs
 * the prediction averaged over classes. A network learns it from rows whose label was dropped in
 * training. If every row of its training had a label, it has not learned it.
 */
#include "net.h"

few_status few_net_check_unconditional(few_ctx *ctx, const struct few_net_spec *s, const char *who,
                                       const char *why) {
  if (!s->classes || s->unlabelled != FEW_NO) return FEW_OK;
  return few__fail(
      ctx, FEW_E_INVALID,
      "%s: %s would be evaluated without a label, but was trained with the label of "
      "every row (label_dropout = 0): give labels and guidance 1, or train a model with "
      "label_dropout = 0.1",
      why, who);
}
