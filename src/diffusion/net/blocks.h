/* blocks.h - parts of several networks: residual blocks, transformer blocks, patches as tokens. */
#ifndef FEW_SRC_BLOCKS_H
#define FEW_SRC_BLOCKS_H

#include "net.h"

/* ---- Residual blocks of a U-Net (described in unet.c) ---- */
enum few_filter { FEW_FILTER_BOX, FEW_FILTER_1331 }; /* taps [1,1] and [1,3,3,1] */
struct few_res {
  const struct few_cond_opts *cond;
  few_node emb;
  int64_t groups, group_channels; /* of norms: the most groups, the fewest channels of a group */
  double norm_eps, skip_scale;
  enum few_filter filter; /* for resampling */
  bool resample_proj;     /* a 1x1 convolution beside every block that resamples (EDM's DDPM++) */
  int64_t dropout_side;   /* dropout is used in blocks whose output has at most this side */
};
enum few_resampling { FEW_KEEP, FEW_HALVE, FEW_DOUBLE };

int few__res_groups(const struct few_res *r, int64_t channels);
/* x at half or twice the side, by the filter. */
few_node few__resampled(struct few_nn *nn, const struct few_res *r, few_node x,
                        enum few_resampling how);
few_node few__res_norm_silu(struct few_nn *nn, const struct few_res *r, const char *name,
                            few_node x);
/* [N,H,W,C] -> [N,H',W',out] */
few_node few__res_block(struct few_nn *nn, const struct few_res *r, few_node x, int64_t out,
                        enum few_resampling how);
/* FEW_E_INVALID if dropout acts on no level, because `lowest`, the side of the lowest level, is
 * larger than dropout_side. */
few_status few__res_check_dropout(few_ctx *ctx, const char *net, const struct few_cond_opts *cond,
                                  int64_t dropout_side, int64_t lowest);

/* ---- Transformers (described in dit.c) ---- */
struct few_transformer {
  const struct few_cond_opts *cond;
  int64_t heads, mlp_ratio;
  double mlp_eps; /* of the norm before the MLP */
};
/* [N,T,width] -> [N,T,width] */
few_node few__transformer_block(struct few_nn *nn, const struct few_transformer *o, few_node x,
                                few_node emb);
/* [N,H,W,C] -> [N,tokens,p*p*C], and the reverse for the network's output. */
few_node few__patchify(few_graph *g, few_node x, int64_t p);
few_node few__unpatchify(few_graph *g, few_node x, const struct few_net_spec *spec, int64_t p);
/* Position table [1,tokens,width]: sines and cosines of the column, then those of the row. */
few_node few__positions(struct few_nn *nn, int64_t gh, int64_t gw, int64_t width);

#endif
