/* unlabelled.c - who may be asked without a label.
 *
 * The label -1 leaves a row without an embedding of its class. A network that saw each row with its
 * label has never been there, and what it gives is anything but the average over classes that
 * classifier-free guidance takes it for.
 */
#include "net.h"

few_status few__net_asks_unlabelled(few_ctx *ctx, const struct few_net_spec *s, const char *who,
                                    const char *why) {
  if (!s->classes || s->unlabelled != FEW_UNLABELLED_NO) return FEW_OK;
  return few__fail(ctx, FEW_E_INVALID,
                   "%s: %s would be asked without a label, and it is trained with the label of "
                   "every row (label_dropout = 0): give labels and guidance 1, or train one with "
                   "label_dropout = 0.1",
                   why, who);
}
