/* qkv.c - the outputs of a layer that gives q, k and v of all heads, in few's order: (q k v, head,
 * channel). Other programs have (head, channel, q k v) or (head, q k v, channel). */
#include "mapping.h"

static struct few_shape qkv_shape(const struct few_importer *im, const struct few_transform *how,
                                  struct few_shape to, int i) {
  FEW_UNUSED(im);
  FEW_UNUSED(how);
  FEW_UNUSED(i);
  if (to.rank == 1) return to;
  return FEW_SHAPE(to.dim[to.rank - 1], few_shape_count(to) / to.dim[to.rank - 1]);
}

/* A bias [3 c], a linear layer [c,3 c], or a 1x1 convolution [1,1,c,3 c]. */
static void reorder(const struct few_importer *im, const struct few_transform *how,
                    struct few_shape to, const float *const *in, float *out) {
  const int64_t n = to.dim[to.rank - 1], c = n / 3, ins = few_shape_count(to) / n;
  const int64_t heads = c > im->head_channels ? c / im->head_channels : 1, each = c / heads;
  for (int64_t r = 0; r < n; r++) {
    const int64_t k = r / c, h = r % c / each, d = r % each;
    const int64_t from = how->part ? (h * 3 + k) * each + d : (h * each + d) * 3 + k;
    for (int64_t i = 0; i < ins; i++) out[i * n + r] = in[0][from * ins + i];
  }
}

const struct few_transform few__map_qkv_last = {1, qkv_shape, reorder, 0, 0, NULL};
const struct few_transform few__map_qkv_middle = {1, qkv_shape, reorder, 1, 0, NULL};
