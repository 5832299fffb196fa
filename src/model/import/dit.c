/* dit.c - DiT (Peebles and Xie, arXiv 2212.09748) and SiT (Ma et al., arXiv 2401.08740): the state
 * dicts of their programs, which have the same tensors.
 *
 *   DiT, SiT                          few
 *   x_embedder.proj                   patch
 *   t_embedder.mlp.0, .2              cond.time0, cond.time1
 *   y_embedder.embedding_table        cond.label     (its last row is "no label")
 *   blocks.B.adaLN_modulation.1       block.B.mod0, gate0, mod1, gate1
 *   blocks.B.attn, .mlp.fc1, .fc2     block.B.attention, mlp0, mlp1
 *   final_layer                       out_mod, out
 *
 * pos_embed is a fixed table, which few computes. Learned variances are left out. Sizes follow from
 * the tensors, the number of heads does not: it is that of the published networks of this width, or
 * must be given.
 *
 * SiT's time runs from noise (0) to data (1), and it predicts x0 - eps: with few's time of flow
 * matching u = 1 - t and its eps - x0, the output layer changes its sign. With angles f t = f - f u
 *
 *   cos f t = cos f cos f u + sin f sin f u,   sin f t = sin f cos f u - cos f sin f u
 *
 * a rotation of each pair of inputs of the first layer.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "mapping.h"

enum { DEPTH_MAX = 128 };

static const struct few_conf_key keys[] = {
    {"num_heads", FEW_KEY_READ, NULL},
};

static bool is(const struct few_origin *s) {
  return few__origin_find(s, "x_embedder.proj.weight") &&
         few__origin_find(s, "t_embedder.mlp.0.weight") &&
         few__origin_find(s, "y_embedder.embedding_table.weight");
}

/* ---- What the tensors say ---- */

static const struct few_st_tensor *of_rank(const struct few_origin *s, const char *name, int rank) {
  const struct few_st_tensor *t = few__origin_find(s, name);
  for (int i = 0; t && i < t->rank; i++)
    if (t->dim[i] < 1) return NULL;
  return t && t->rank == rank ? t : NULL;
}

static int64_t depth_of(const struct few_origin *s) {
  char name[60];
  int64_t depth = 0;
  for (; depth <= DEPTH_MAX; depth++) {
    snprintf(name, sizeof name, "blocks.%" PRId64 ".attn.qkv.weight", depth);
    if (!few__origin_find(s, name)) break;
  }
  return depth;
}

static few_status unlike(struct few_importer *im) {
  return few__import_refuse(im,
                            "its tensors do not have the shapes of a DiT: import a file of DiT or "
                            "SiT");
}

static few_status read_data(struct few_importer *im, int64_t patch) {
  const struct few_origin *s = im->source;
  const struct few_st_tensor *table = of_rank(s, "pos_embed", 3);
  const struct few_st_tensor *out = of_rank(s, "final_layer.linear.weight", 2);
  const struct few_st_tensor *label = of_rank(s, "y_embedder.embedding_table.weight", 2);
  const int64_t c = of_rank(s, "x_embedder.proj.weight", 4)->dim[1];
  int64_t tokens = table ? table->dim[1] : 0, side = 0;
  if (im->o->size > 0) tokens = im->o->size / patch * (im->o->size / patch);
  while (side * side < tokens && side < 1 << 14) side++;
  if (!tokens)
    return few__import_refuse(im,
                              "without pos_embed the file does not say the size of images: give "
                              "--size");
  if (side * side != tokens || (table && table->dim[1] != tokens) || !label || !out)
    return unlike(im);
  im->outputs = out->dim[0] / (patch * patch * c);
  if ((im->outputs != 1 && im->outputs != 2) || out->dim[0] != im->outputs * patch * patch * c)
    return unlike(im);
  im->spec.h = im->spec.w = side * patch;
  im->spec.c = c;
  im->spec.classes = label->dim[0] - 1;
  im->spec.unlabelled = FEW_YES;
  return FEW_OK;
}

static few_status set_heads(struct few_importer *im, int64_t width) {
  static const int64_t published[][2] = {{384, 6}, {768, 12}, {1024, 16}, {1152, 16}};
  int64_t heads = 0;
  for (int i = 0; i < FEW_COUNT(published); i++)
    if (published[i][0] == width) heads = published[i][1];
  FEW_TRY(few__conf_int(im->ctx, &im->source->net, "num_heads", 1, 1024, heads, &heads));
  if (heads) return few__import_set(im, "heads", "%" PRId64, heads);
  return few__import_refuse(im,
                            "no published network has the width %" PRId64
                            ", and the file does not say the number of heads: give num_heads=N",
                            width);
}

static few_status describe(struct few_importer *im) {
  const struct few_origin *s = im->source;
  const struct few_st_tensor *proj = of_rank(s, "x_embedder.proj.weight", 4);
  const struct few_st_tensor *time = of_rank(s, "t_embedder.mlp.0.weight", 2);
  const struct few_st_tensor *mlp = of_rank(s, "blocks.0.mlp.fc1.weight", 2);
  FEW_TRY(few__conf_check(im->ctx, &s->net, keys, FEW_COUNT(keys)));
  FEW_TRY(few__import_net(im, "dit"));
  if (!proj || !time || !mlp || mlp->dim[0] % proj->dim[0]) return unlike(im);
  FEW_TRY(read_data(im, proj->dim[2]));
  FEW_TRY(few__import_set(im, "patch", "%" PRId64, proj->dim[2]));
  FEW_TRY(few__import_set(im, "width", "%" PRId64, proj->dim[0]));
  FEW_TRY(few__import_set(im, "depth", "%" PRId64, depth_of(s)));
  FEW_TRY(few__import_set(im, "mlp_ratio", "%" PRId64, mlp->dim[0] / proj->dim[0]));
  FEW_TRY(few__import_set(im, "embedding", "%" PRId64, time->dim[1]));
  FEW_TRY(set_heads(im, proj->dim[0]));
  return few__import_set(im, "modulation", "adagn");
}

static few_status describe_dit(struct few_importer *im) {
  FEW_TRY(describe(im));
  if (!im->source->scheduler.all && !im->o->process) im->process = FEW_IMPORT_DDPM;
  return FEW_OK;
}

static few_status describe_sit(struct few_importer *im) {
  FEW_TRY(describe(im));
  im->process = FEW_IMPORT_FLOW;
  im->time_scale = 1;
  return FEW_OK;
}

/* ---- SiT's time and sign ---- */

typedef const struct few_importer importer;
typedef const struct few_transform transform;
typedef struct few_shape shape;

static shape linear_shape(importer *im, transform *how, shape to, int i) {
  FEW_UNUSED(im);
  FEW_UNUSED(how);
  FEW_UNUSED(i);
  return FEW_SHAPE(to.dim[1], to.dim[0]);
}

static void reverse(importer *im, transform *how, shape to, const float *const *in, float *out) {
  const int64_t n = to.dim[0], half = n / 2, width = to.dim[1];
  FEW_UNUSED(im);
  FEW_UNUSED(how);
  for (int64_t k = 0; k < half; k++) {
    const double f = pow(10000.0, -(double)k / (double)half), c = cos(f), s = sin(f);
    for (int64_t r = 0; r < width; r++) {
      const double a = (double)in[0][r * n + k], b = (double)in[0][r * n + half + k];
      out[k * width + r] = (float)(a * c + b * s);
      out[(half + k) * width + r] = (float)(a * s - b * c);
    }
  }
}
static const struct few_transform reversed = {1, linear_shape, reverse, 0, 0, NULL};

static shape first_shape(importer *im, transform *how, shape to, int i) {
  return few__map_first_patch_w.shape(im, how, to, i);
}

static void negate(importer *im, transform *how, shape to, const float *const *in, float *out) {
  transform *first = to.rank == 1 ? &few__map_first_patch_b : &few__map_first_patch_w;
  first->apply(im, how, to, in, out);
  for (int64_t i = 0; i < few_shape_count(to); i++) out[i] = -out[i];
}
static const struct few_transform negated = {1, first_shape, negate, 0, 0, NULL};

/* ---- Tensors ---- */

static const struct few_map_row patches[] = {
    {"w", {"weight"}, &few__map_patch},
    {"b", {"bias"}, &few__map_copy},
};
#define SIXTH(to, i)                                                \
  {to ".w", {"adaLN_modulation.1.weight"}, &few__map_sixth_w[i]}, { \
    to ".b", {"adaLN_modulation.1.bias"}, &few__map_sixth_b[i]      \
  }
static const struct few_map_row block[] = {
    SIXTH("mod0.shift", 0),
    SIXTH("mod0.scale", 1),
    SIXTH("gate0", 2),
    SIXTH("mod1.shift", 3),
    SIXTH("mod1.scale", 4),
    SIXTH("gate1", 5),
    {"attention.qkv.w", {"attn.qkv.weight"}, &few__map_linear},
    {"attention.qkv.b", {"attn.qkv.bias"}, &few__map_copy},
    {"attention.out.w", {"attn.proj.weight"}, &few__map_linear},
    {"attention.out.b", {"attn.proj.bias"}, &few__map_copy},
    {"mlp0.w", {"mlp.fc1.weight"}, &few__map_linear},
    {"mlp0.b", {"mlp.fc1.bias"}, &few__map_copy},
    {"mlp1.w", {"mlp.fc2.weight"}, &few__map_linear},
    {"mlp1.b", {"mlp.fc2.bias"}, &few__map_copy},
};

static few_status map_ends(struct few_importer *im, bool sit) {
  const struct few_map_row rows[] = {
      {"cond.time0.w", {"t_embedder.mlp.0.weight"}, sit ? &reversed : &few__map_linear},
      {"cond.time0.b", {"t_embedder.mlp.0.bias"}, &few__map_copy},
      {"cond.time1.w", {"t_embedder.mlp.2.weight"}, &few__map_linear},
      {"cond.time1.b",
       {"t_embedder.mlp.2.bias", "y_embedder.embedding_table.weight"},
       &few__map_null_bias},
      {"cond.label.w", {"y_embedder.embedding_table.weight"}, &few__map_label_rows},
      {"out_mod.shift.w", {"final_layer.adaLN_modulation.1.weight"}, &few__map_half_w[0]},
      {"out_mod.shift.b", {"final_layer.adaLN_modulation.1.bias"}, &few__map_half_b[0]},
      {"out_mod.scale.w", {"final_layer.adaLN_modulation.1.weight"}, &few__map_half_w[1]},
      {"out_mod.scale.b", {"final_layer.adaLN_modulation.1.bias"}, &few__map_half_b[1]},
      {"out.w", {"final_layer.linear.weight"}, sit ? &negated : &few__map_first_patch_w},
      {"out.b", {"final_layer.linear.bias"}, sit ? &negated : &few__map_first_patch_b},
  };
  return few__map(im, "", "", rows, FEW_COUNT(rows));
}

static few_status map_all(struct few_importer *im, bool sit) {
  char to[40], from[40];
  few__map_unused(im, "", "pos_embed");
  FEW_TRY(FEW_MAP(im, "patch.", "x_embedder.proj.", patches));
  FEW_TRY(map_ends(im, sit));
  for (int64_t b = 0; b < depth_of(im->source); b++) {
    snprintf(to, sizeof to, "block.%" PRId64 ".", b);
    snprintf(from, sizeof from, "blocks.%" PRId64 ".", b);
    FEW_TRY(FEW_MAP(im, to, from, block));
  }
  return FEW_OK;
}

static few_status map_dit(struct few_importer *im) { return map_all(im, false); }

static few_status map_sit(struct few_importer *im) { return map_all(im, true); }

const struct few_layout few__layout_dit = {
    .name = "DiT",
    .format = "dit",
    .help = "DiT of facebookresearch: a state dict",
    .is = is,
    .describe = describe_dit,
    .map = map_dit,
};

const struct few_layout few__layout_sit = {
    .name = "SiT",
    .format = "sit",
    .help = "SiT, trained on the linear path with velocity: a state dict",
    .is = is,
    .describe = describe_sit,
    .map = map_sit,
};
