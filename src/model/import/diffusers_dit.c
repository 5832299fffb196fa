/* diffusers_dit.c - DiTTransformer2DModel of diffusers: DiT (Peebles and Xie, arXiv 2212.09748).
 *
 *   diffusers                                   few
 *   pos_embed.proj                              patch
 *   transformer_blocks.B.norm1.emb              cond        a copy in each block, all equal
 *   transformer_blocks.B.norm1.linear           block.B.mod0, gate0, mod1, gate1
 *   transformer_blocks.B.attn1                  block.B.attention
 *   transformer_blocks.B.ff.net.0.proj, net.2   block.B.mlp0, mlp1
 *   proj_out_1, proj_out_2                      out_mod, out
 *
 * The class after the last is "no label". few adds nothing for it, so its row of the table goes
 * into the bias of the embedding and is taken from the other rows. The half of the output that is
 * the learned variance is left out.
 */
#include <inttypes.h>
#include <stdio.h>

#include "back.h"

static const struct few_conf_key keys[] = {
    {"num_attention_heads", FEW_KEY_READ, NULL},
    {"attention_head_dim", FEW_KEY_READ, NULL},
    {"in_channels", FEW_KEY_READ, NULL},
    {"out_channels", FEW_KEY_READ, NULL},
    {"num_layers", FEW_KEY_READ, NULL},
    {"dropout", FEW_KEY_READ, NULL},
    {"attention_bias", FEW_KEY_ONLY, "true"},
    {"sample_size", FEW_KEY_READ, NULL},
    {"patch_size", FEW_KEY_READ, NULL},
    {"activation_fn", FEW_KEY_ONLY, "\"gelu-approximate\""},
    {"num_embeds_ada_norm", FEW_KEY_READ, NULL},
    {"norm_type", FEW_KEY_ONLY, "\"ada_norm_zero\""},
    {"norm_elementwise_affine", FEW_KEY_ONLY, "false"},
    {"norm_eps", FEW_KEY_READ, NULL},
    {"norm_num_groups", FEW_KEY_NOTHING, NULL}, /* of other transformers */
    {"upcast_attention", FEW_KEY_NOTHING, NULL},
    /* Members of the class Transformer2DModel, under which old files of DiT were saved. */
    {"attention_type", FEW_KEY_ONLY, "\"default\""},
    {"caption_channels", FEW_KEY_ONLY, "null"},
    {"cross_attention_dim", FEW_KEY_ONLY, "null"},
    {"double_self_attention", FEW_KEY_ONLY, "false"},
    {"num_vector_embeds", FEW_KEY_ONLY, "null"},
    {"only_cross_attention", FEW_KEY_ONLY, "false"},
    {"use_linear_projection", FEW_KEY_ONLY, "false"},
};

static bool is(const struct few_origin *s) {
  const char *name = json_string_value(json_object_get(s->net.all, "_class_name"));
  if (!name) return false;
  if (!strcmp(name, "DiTTransformer2DModel")) return true;
  const char *norm = json_string_value(json_object_get(s->net.all, "norm_type"));
  return !strcmp(name, "Transformer2DModel") && norm && !strcmp(norm, "ada_norm_zero");
}

/* ---- The configuration ---- */

static few_status config_int(struct few_importer *im, const char *key, int64_t min, int64_t max,
                             int64_t otherwise, int64_t *out) {
  return few__conf_int(im->ctx, &im->source->net, key, min, max, otherwise, out);
}

static few_status read_shape(struct few_importer *im) {
  struct few_net_spec *s = &im->spec;
  int64_t out, size;
  FEW_TRY(config_int(im, "in_channels", 1, 4096, 4, &s->c));
  FEW_TRY(config_int(im, "out_channels", 1, 8192, s->c, &out));
  if (out != s->c && out != 2 * s->c)
    return few__import_refuse(im,
                              "%" PRId64 " channels in and %" PRId64
                              " out: few can import networks with as many out as in, or twice as "
                              "many (learned variances, which are left out)",
                              s->c, out);
  im->outputs = out / s->c;
  FEW_TRY(config_int(im, "sample_size", 1, 1 << 16, 32, &size));
  if (im->o->size > 0 && im->o->size != size)
    return few__import_refuse(im,
                              "size = %" PRId64 ", but sample_size is %" PRId64
                              ", and a DiT has one size: leave the option out",
                              im->o->size, size);
  s->h = s->w = size;
  FEW_TRY(config_int(im, "num_embeds_ada_norm", 1, 1 << 20, 1000, &s->classes));
  s->unlabelled = FEW_YES;
  return FEW_OK;
}

static few_status describe(struct few_importer *im) {
  int64_t heads, each, depth, patch;
  double dropout, eps;
  FEW_TRY(few__conf_check(im->ctx, &im->source->net, keys, FEW_COUNT(keys)));
  FEW_TRY(few__import_net(im, "dit"));
  FEW_TRY(read_shape(im));
  FEW_TRY(config_int(im, "num_attention_heads", 1, 1 << 10, 16, &heads));
  FEW_TRY(config_int(im, "attention_head_dim", 1, 1 << 12, 72, &each));
  FEW_TRY(config_int(im, "num_layers", 1, 1 << 10, 28, &depth));
  FEW_TRY(config_int(im, "patch_size", 1, 1 << 10, 2, &patch));
  FEW_TRY(few__conf_real(im->ctx, &im->source->net, "dropout", 0, &dropout));
  FEW_TRY(few__conf_real(im->ctx, &im->source->net, "norm_eps", 1e-5, &eps));
  FEW_TRY(few__import_set(im, "patch", "%" PRId64, patch));
  FEW_TRY(few__import_set(im, "width", "%" PRId64, heads * each));
  FEW_TRY(few__import_set(im, "depth", "%" PRId64, depth));
  FEW_TRY(few__import_set(im, "heads", "%" PRId64, heads));
  FEW_TRY(few__import_set(im, "mlp_eps", "%.17g", eps));
  FEW_TRY(few__import_set(im, "dropout", "%.17g", dropout));
  FEW_TRY(few__import_set(im, "freq_shift", "1"));
  return few__import_set(im, "modulation", "adagn");
}

/* A network without classes is one of one class that adds nothing. */
static void configure(const few_model *m, struct few_json *j) {
  const struct few_net_spec *s = &m->spec;
  const int64_t heads = few__back_int(m, "heads");
  few__json_put_int(j, "num_attention_heads", heads);
  few__json_put_int(j, "attention_head_dim", few__back_int(m, "width") / heads);
  few__json_put_int(j, "in_channels", s->c);
  few__json_put_int(j, "out_channels", s->c);
  few__json_put_int(j, "num_layers", few__back_int(m, "depth"));
  few__json_put_real(j, "dropout", few__back_real(m, "dropout"));
  few__json_put_int(j, "norm_num_groups", 32);
  few__json_put_bool(j, "attention_bias", true);
  few__json_put_int(j, "sample_size", s->h);
  few__json_put_int(j, "patch_size", few__back_int(m, "patch"));
  few__json_put_string(j, "activation_fn", "gelu-approximate");
  few__json_put_int(j, "num_embeds_ada_norm", s->classes ? s->classes : 1);
  few__json_put_bool(j, "upcast_attention", false);
  few__json_put_string(j, "norm_type", "ada_norm_zero");
  few__json_put_bool(j, "norm_elementwise_affine", false);
  few__json_put_real(j, "norm_eps", few__back_real(m, "mlp_eps"));
}

/* ---- Tensors ---- */

static const struct few_map_row embedding[] = {
    {"time0.w", {"timestep_embedder.linear_1.weight"}, &few__map_linear},
    {"time0.b", {"timestep_embedder.linear_1.bias"}, &few__map_copy},
    {"time1.w", {"timestep_embedder.linear_2.weight"}, &few__map_linear},
    {"time1.b",
     {"timestep_embedder.linear_2.bias", "class_embedder.embedding_table.weight"},
     &few__map_null_bias},
    {"label.w", {"class_embedder.embedding_table.weight"}, &few__map_label_rows},
};
static const char *const embedding_names[] = {
    "timestep_embedder.linear_1.weight", "timestep_embedder.linear_1.bias",
    "timestep_embedder.linear_2.weight", "timestep_embedder.linear_2.bias",
    "class_embedder.embedding_table.weight"};

static const struct few_map_row patches[] = {
    {"w", {"weight"}, &few__map_patch},
    {"b", {"bias"}, &few__map_copy},
};
static const struct few_map_row block[] = {
    {"mod0.shift.w", {"norm1.linear.weight"}, &few__map_sixth_w[0]},
    {"mod0.shift.b", {"norm1.linear.bias"}, &few__map_sixth_b[0]},
    {"mod0.scale.w", {"norm1.linear.weight"}, &few__map_sixth_w[1]},
    {"mod0.scale.b", {"norm1.linear.bias"}, &few__map_sixth_b[1]},
    {"gate0.w", {"norm1.linear.weight"}, &few__map_sixth_w[2]},
    {"gate0.b", {"norm1.linear.bias"}, &few__map_sixth_b[2]},
    {"mod1.shift.w", {"norm1.linear.weight"}, &few__map_sixth_w[3]},
    {"mod1.shift.b", {"norm1.linear.bias"}, &few__map_sixth_b[3]},
    {"mod1.scale.w", {"norm1.linear.weight"}, &few__map_sixth_w[4]},
    {"mod1.scale.b", {"norm1.linear.bias"}, &few__map_sixth_b[4]},
    {"gate1.w", {"norm1.linear.weight"}, &few__map_sixth_w[5]},
    {"gate1.b", {"norm1.linear.bias"}, &few__map_sixth_b[5]},
    {"attention.qkv.w",
     {"attn1.to_q.weight", "attn1.to_k.weight", "attn1.to_v.weight"},
     &few__map_join_w},
    {"attention.qkv.b",
     {"attn1.to_q.bias", "attn1.to_k.bias", "attn1.to_v.bias"},
     &few__map_join_b},
    {"attention.out.w", {"attn1.to_out.0.weight"}, &few__map_linear},
    {"attention.out.b", {"attn1.to_out.0.bias"}, &few__map_copy},
    {"mlp0.w", {"ff.net.0.proj.weight"}, &few__map_linear},
    {"mlp0.b", {"ff.net.0.proj.bias"}, &few__map_copy},
    {"mlp1.w", {"ff.net.2.weight"}, &few__map_linear},
    {"mlp1.b", {"ff.net.2.bias"}, &few__map_copy},
};
static const struct few_map_row out[] = {
    {"out_mod.shift.w", {"proj_out_1.weight"}, &few__map_half_w[0]},
    {"out_mod.shift.b", {"proj_out_1.bias"}, &few__map_half_b[0]},
    {"out_mod.scale.w", {"proj_out_1.weight"}, &few__map_half_w[1]},
    {"out_mod.scale.b", {"proj_out_1.bias"}, &few__map_half_b[1]},
    {"out.w", {"proj_out_2.weight"}, &few__map_first_patch_w},
    {"out.b", {"proj_out_2.bias"}, &few__map_first_patch_b},
};

static few_status map(struct few_importer *im) {
  static const char first[] = "transformer_blocks.0.norm1.emb.";
  int64_t depth;
  FEW_TRY(config_int(im, "num_layers", 1, 1 << 10, 28, &depth));
  FEW_TRY(FEW_MAP(im, "patch.", "pos_embed.proj.", patches));
  FEW_TRY(FEW_MAP(im, "cond.", first, embedding));
  for (int64_t b = 0; b < depth; b++) {
    char to[40], from[60], emb[80];
    snprintf(to, sizeof to, "block.%" PRId64 ".", b);
    snprintf(from, sizeof from, "transformer_blocks.%" PRId64 ".", b);
    snprintf(emb, sizeof emb, "%snorm1.emb.", from);
    FEW_TRY(FEW_MAP(im, to, from, block));
    FEW_TRY(few__map_same(im, emb, first, embedding_names, FEW_COUNT(embedding_names)));
  }
  return FEW_MAP(im, "", "", out);
}

const struct few_layout few__layout_diffusers_dit = {
    .name = "DiTTransformer2DModel",
    .format = "diffusers",
    .help = "DiT: a folder of a model or pipeline",
    .is = is,
    .describe = describe,
    .map = map,
    .net = "dit",
    .folder = "transformer",
    .configure = configure,
};
