/* mapping.h - tensors of a source as parameters of a network, by tables.
 *
 *   static const struct few_map_row conv[] = {
 *       {"w", {"weight"}, &few__map_conv},
 *       {"b", {"bias"}, &few__map_copy}};
 *   few__map(im, "down.0.0.conv0.", "down_blocks.0.resnets.0.conv1.", conv, 2);
 *
 * A layout's `map` runs twice: first shapes are compared, and what does not fit is collected; then
 * values are copied. A transform knows the shapes that it takes for a parameter's shape, and
 * computes the parameter. With im->back the same tables run backwards: they make the tensors.
 */
#ifndef FEW_SRC_IMPORT_MAPPING_H
#define FEW_SRC_IMPORT_MAPPING_H

#include "layout.h"

enum { FEW_MAP_SOURCES = 4 };

struct few_transform {
  int n; /* tensors that it takes */
  /* The shape of tensor i for a parameter of the shape `to`. */
  struct few_shape (*shape)(const struct few_importer *im, const struct few_transform *how,
                            struct few_shape to, int i);
  /* in[i] has that shape. */
  void (*apply)(const struct few_importer *im, const struct few_transform *how, struct few_shape to,
                const float *const *in, float *out);
  int part, parts; /* of transforms that take one of several parts */
  /* The way back (back.h): writes tensors of which `apply` gives `from`, to the bit. out[i] has the
   * shape of tensor i, and zeros where no row has written. NULL: no layout with a way back uses it.
   */
  void (*undo)(const struct few_importer *im, const struct few_transform *how, struct few_shape to,
               const float *from, float *const *out);
};

/* `to` and `from` follow the prefixes. */
struct few_map_row {
  const char *to, *from[FEW_MAP_SOURCES];
  const struct few_transform *how;
};
few_status few__map(struct few_importer *im, const char *to, const char *from,
                    const struct few_map_row *rows, int n);
#define FEW_MAP(im, to, from, rows) few__map((im), (to), (from), (rows), FEW_COUNT(rows))
/* The tensor has no effect on what the network computes, if it is there. */
void few__map_unused(struct few_importer *im, const char *prefix, const char *name);
/* Whether the network has the parameter TO NAME. */
bool few__map_has(const struct few_importer *im, const char *to, const char *name);
/* The tensors [n] must be bitwise equal to the tensors of the same names with the prefix `like`. */
few_status few__map_same(struct few_importer *im, const char *prefix, const char *like,
                         const char *const *names, int n);

/* Compare, declare and copy: gives the model its values. */
few_status few__map_all(struct few_importer *im);

/* ---- Transforms (transforms.c) ---- */

extern const struct few_transform few__map_zero;   /* 0 */
extern const struct few_transform few__map_copy;   /* the same shape */
extern const struct few_transform few__map_linear; /* [in,out] of [out,in] */
extern const struct few_transform few__map_conv;   /* [h,w,in,out] of [out,in,h,w] */
/* [p p in,out] of [out,in,p,p]: a convolution of patches as a linear layer */
extern const struct few_transform few__map_patch;
/* [in,out] of [out,in] with the halves of `in` exchanged: sin, cos to cos, sin */
extern const struct few_transform few__map_flipped;
/* [in,3 out] or [3 out] of three [out,in] or [out]: q, k, v */
extern const struct few_transform few__map_join_w, few__map_join_b;
/* q, k and v of the order (head, channel, q k v), and of (head, q k v, channel): the weight or bias
 * of a layer with heads of im->head_channels (qkv.c) */
extern const struct few_transform few__map_qkv_last, few__map_qkv_middle;
/* Part i of the outputs of a linear layer, [out,in] or [out] */
extern const struct few_transform few__map_half_w[2], few__map_half_b[2];
extern const struct few_transform few__map_sixth_w[6], few__map_sixth_b[6];
/* Modulation after an affine norm x g + b: a linear layer [2 out,in] that gives scale and shift,
 * with g and b [out], becomes layers that give g (1 + scale) - 1 and b (1 + scale) + shift.
 * Tensors: {weight, g}, {bias, g}, {weight, b}, {bias, b}. */
extern const struct few_transform few__map_fold_scale_w, few__map_fold_scale_b,
    few__map_fold_shift_w, few__map_fold_shift_b;
/* A table [classes + 1,width] whose last row is that of no label: the rows minus the last, and
 * {bias, table}: a bias plus the last row */
extern const struct few_transform few__map_label_rows, few__map_null_bias;
/* The first of im->outputs images side by side in the channels: of a convolution and of its bias;
 * of a linear layer that gives patches, whose channels vary fastest, and of its bias */
extern const struct few_transform few__map_first_conv, few__map_first_b, few__map_first_patch_w,
    few__map_first_patch_b;

#endif
