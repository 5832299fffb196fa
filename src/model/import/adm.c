/* adm.c - UNetModel of guided-diffusion (Dhariwal and Nichol, arXiv 2105.05233) and of consistency
 * models (Song et al., arXiv 2303.01469): the state dicts of OpenAI's programs.
 *
 *   UNetModel                                  few
 *   time_embed.0, .2, label_emb                cond.time0, cond.time1, cond.label
 *   input_blocks.0.0                           in
 *   input_blocks.N.0, .1                       down.L.B and its attention
 *   input_blocks.N.0 at the end of a level     down.L.half     (.op: a convolution)
 *   middle_block.0, .1, .2                     middle.0, its attention, middle.1
 *   output_blocks.N.0, .1                      up.L.B and its attention
 *   output_blocks.N.1 or .2, at a level's end  up.L.twice      (.conv: a convolution)
 *   out.0, out.2                               out_norm, out
 *
 * The file has no configuration. Widths, levels and classes follow from the tensors: a level has
 * as many output blocks as input blocks with the one that halves, and all but one level double, so
 * the blocks that double give the number of levels. Heads, their order in qkv, and the process do
 * not show; they must be given, unless the program has only one way.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "mapping.h"

struct adm {
  int64_t channels, blocks; /* model_channels, num_res_blocks */
  int n;                    /* levels */
  int64_t width[FEW_INT_LIST_MAX];
  bool attention[FEW_INT_LIST_MAX];
  bool convolutions; /* between levels, in place of residual blocks */
  bool affine;       /* the embedding gives scale and shift */
  bool new_order;    /* of q, k and v */
};

static const struct few_conf_key keys[] = {
    {"image_size", FEW_KEY_READ, NULL},
    {"num_head_channels", FEW_KEY_READ, NULL},
    {"num_heads", FEW_KEY_READ, NULL},
    {"use_new_attention_order", FEW_KEY_READ, NULL},
    {"noise_schedule", FEW_KEY_ONLY, "\"linear\"|\"cosine\""},
    {"diffusion_steps", FEW_KEY_READ, NULL},
    {"rescale_timesteps", FEW_KEY_READ, NULL},
    {"predict_xstart", FEW_KEY_READ, NULL},
    {"dropout", FEW_KEY_READ, NULL},
};

FEW_PRINTF(2, 3)
static const struct few_st_tensor *find(const struct few_origin *s, const char *fmt, ...) {
  char name[80];
  va_list args;
  va_start(args, fmt);
  few__vprint(name, sizeof name, fmt, args);
  va_end(args);
  return few__origin_find(s, name);
}

static bool is(const struct few_origin *s) {
  return few__origin_find(s, "time_embed.0.weight") &&
         few__origin_find(s, "input_blocks.0.0.weight") &&
         few__origin_find(s, "middle_block.0.in_layers.0.weight");
}

/* ---- What the tensors say ---- */

static few_status unlike(struct few_importer *im, const char *what) {
  return few__import_refuse(im,
                            "%s: this is not UNetModel of guided-diffusion or consistency models: "
                            "import a file of these programs",
                            what);
}

/* What follows block i on the way up and doubles the image: .1, or .2 after attention. */
static bool doubles(const struct few_origin *s, int i, bool *convolution, int *part) {
  for (*part = 1; *part <= 2; ++*part) {
    *convolution = find(s, "output_blocks.%d.%d.conv.weight", i, *part) != NULL;
    if (*convolution || find(s, "output_blocks.%d.%d.in_layers.0.weight", i, *part)) return true;
  }
  return false;
}

static few_status read_levels(struct few_importer *im, struct adm *a) {
  const struct few_origin *s = im->source;
  const struct few_st_tensor *time = few__origin_find(s, "time_embed.0.weight");
  int ins = 1, outs = 0, ups = 0, part;
  bool convolution;
  while (ins < 1000 && (find(s, "input_blocks.%d.0.in_layers.2.weight", ins) ||
                        find(s, "input_blocks.%d.0.op.weight", ins)))
    ins++;
  for (; outs < 1000 && find(s, "output_blocks.%d.0.in_layers.2.weight", outs); outs++)
    if (doubles(s, outs, &convolution, &part)) {
      ups++;
      a->convolutions = convolution;
    }
  a->n = ups + 1;
  if (time->rank != 2 || time->count < 1 || time->dim[0] != 4 * time->dim[1])
    return unlike(im, "the first layer of its time embedding is not [4 C,C]");
  if (a->n > FEW_INT_LIST_MAX || ins != outs || ins % a->n || ins / a->n < 2)
    return unlike(im, "its blocks do not make up levels");
  a->channels = time->dim[1];
  a->blocks = ins / a->n - 1;
  for (int l = 0; l < a->n; l++) {
    const int first = 1 + l * (int)(a->blocks + 1);
    const struct few_st_tensor *conv = find(s, "input_blocks.%d.0.in_layers.2.weight", first);
    const struct few_st_tensor *emb = find(s, "input_blocks.%d.0.emb_layers.1.weight", first);
    if (!conv || !emb || conv->rank != 4 || emb->rank != 2 || conv->count < 1)
      return unlike(im, "a level begins without a residual block");
    a->width[l] = conv->dim[0];
    a->affine = emb->dim[0] == 2 * conv->dim[0];
    a->attention[l] = find(s, "input_blocks.%d.1.qkv.weight", first) != NULL;
  }
  return FEW_OK;
}

static few_status read_data(struct few_importer *im) {
  const struct few_st_tensor *in = few__origin_find(im->source, "input_blocks.0.0.weight"),
                             *out = few__origin_find(im->source, "out.2.weight"),
                             *label = few__origin_find(im->source, "label_emb.weight");
  struct few_net_spec *s = &im->spec;
  int64_t size;
  if (!out || in->rank != 4 || out->rank != 4 || in->count < 1 || out->count < 1 ||
      (out->dim[0] != in->dim[1] && out->dim[0] != 2 * in->dim[1]))
    return unlike(im, "it has other channels out than in");
  s->c = in->dim[1];
  im->outputs = out->dim[0] / in->dim[1];
  s->classes = label && label->rank == 2 && label->count > 0 ? label->dim[0] : 0;
  if (s->classes) s->unlabelled = FEW_NO;
  FEW_TRY(few__conf_int(im->ctx, &im->source->net, "image_size", 1, 1 << 16, im->o->size, &size));
  if (size < 1)
    return few__import_refuse(im, "the file does not say the size of images: give image_size=64");
  if (im->o->size > 0 && im->o->size != size)
    return few__import_refuse(im, "size and image_size differ: give one of them");
  s->h = s->w = size;
  return FEW_OK;
}

/* ---- What must be given ---- */

static few_status read_heads(struct few_importer *im, const struct adm *a, int64_t usual) {
  const struct few_conf *c = &im->source->net;
  int64_t heads, widest = a->width[a->n - 1];
  FEW_TRY(few__conf_int(im->ctx, c, "num_head_channels", 1, 1 << 16, usual, &im->head_channels));
  FEW_TRY(few__conf_int(im->ctx, c, "num_heads", 1, 1 << 10, 0, &heads));
  if (heads && json_object_get(c->all, "num_head_channels"))
    return few__import_refuse(im, "num_heads and num_head_channels: give one of them");
  if (heads) im->head_channels = (widest + heads - 1) / heads;
  if (!im->head_channels)
    return few__import_refuse(im,
                              "the file does not say how many channels an attention head has: give "
                              "num_head_channels=64, or num_heads=4, as in the flags of its "
                              "training");
  for (int l = 0; l < a->n; l++)
    if ((a->attention[l] || l + 1 == a->n) &&
        (a->width[l] % im->head_channels || (heads && a->width[l] != widest)))
      return few__import_refuse(im,
                                "level %d has %" PRId64 " channels, which are not heads of %" PRId64
                                ": few's heads have as many channels on every level",
                                l, a->width[l], im->head_channels);
  return few__import_set(im, "head_channels", "%" PRId64, im->head_channels);
}

static few_status read_betas(struct few_importer *im) {
  const struct few_conf *c = &im->source->net;
  struct few_betas *b = &im->spec.betas;
  const char *word;
  bool rescale, x0;
  FEW_TRY(few__conf_string(im->ctx, c, "noise_schedule", "", &word));
  FEW_TRY(few__conf_bool(im->ctx, c, "rescale_timesteps", false, &rescale));
  FEW_TRY(few__conf_bool(im->ctx, c, "predict_xstart", false, &x0));
  if (im->source->scheduler.all) return FEW_OK;
  if (!*word)
    return few__import_refuse(im,
                              "the file does not say how noise is added: give "
                              "noise_schedule=linear or noise_schedule=cosine, as in the flags of "
                              "its training");
  *b = (struct few_betas)FEW_BETAS_INIT;
  FEW_TRY(few__conf_int(im->ctx, c, "diffusion_steps", FEW_BETAS_MIN_STEPS, FEW_BETAS_MAX_STEPS,
                        1000, &b->steps));
  b->schedule = strcmp(word, "cosine") ? FEW_BETAS_LINEAR : FEW_BETAS_COSINE;
  b->start = 0.1 / (double)b->steps;
  b->end = 20 / (double)b->steps;
  if (b->end >= 1)
    return few__import_refuse(im, "diffusion_steps = %" PRId64 " is below 21: give more", b->steps);
  im->time_scale = rescale ? 1000 / (double)b->steps : 1;
  im->process = FEW_IMPORT_DDPM;
  im->predicts_x = x0;
  return FEW_OK;
}

/* ---- Its options in few ---- */

static int64_t divisor(int64_t a, int64_t b) { return b ? divisor(b, a % b) : a; }

static few_status set_options(struct few_importer *im, const struct adm *a) {
  char mults[FEW_INT_LIST_MAX * 24], sides[FEW_INT_LIST_MAX * 24] = "1";
  int64_t unit = a->channels;
  double dropout;
  for (int l = 0; l < a->n; l++) unit = divisor(a->width[l], unit);
  for (size_t l = 0, m = 0, s = 0; l < (size_t)a->n; l++) {
    m += (size_t)snprintf(mults + m, sizeof mults - m, "%s%" PRId64, l ? "," : "",
                          a->width[l] / unit);
    if (a->attention[l])
      s += (size_t)snprintf(sides + s, sizeof sides - s, "%s%" PRId64, s ? "," : "",
                            im->spec.h >> l);
  }
  FEW_TRY(few__conf_real(im->ctx, &im->source->net, "dropout", 0, &dropout));
  FEW_TRY(few__import_set(im, "channels", "%" PRId64, unit));
  FEW_TRY(few__import_set(im, "mults", "%s", mults));
  FEW_TRY(few__import_set(im, "attention", "%s", sides));
  FEW_TRY(few__import_set(im, "blocks", "%" PRId64, a->blocks));
  FEW_TRY(few__import_set(im, "embedding_mult", "%" PRId64, 4 * a->channels / unit));
  FEW_TRY(few__import_set(im, "time_channels", "%" PRId64, a->channels));
  FEW_TRY(few__import_set(im, "resample", a->convolutions ? "conv" : "filter"));
  FEW_TRY(few__import_set(im, "groups", "32"));
  FEW_TRY(few__import_set(im, "group_channels", "1"));
  FEW_TRY(few__import_set(im, "skip_scale", "1"));
  FEW_TRY(few__import_set(im, "dropout", "%.17g", dropout));
  return few__import_set(im, "modulation", a->affine ? "adagn" : "add");
}

static few_status describe(struct few_importer *im, struct adm *a) {
  FEW_TRY(few__conf_check(im->ctx, &im->source->net, keys, FEW_COUNT(keys)));
  FEW_TRY(few__import_net(im, "unet"));
  FEW_TRY(read_levels(im, a));
  FEW_TRY(read_data(im));
  return set_options(im, a);
}

static few_status describe_guided(struct few_importer *im) {
  struct adm a = {0};
  FEW_TRY(describe(im, &a));
  if (!json_object_get(im->source->net.all, "use_new_attention_order"))
    return few__import_refuse(im,
                              "the file does not say the order of q, k and v: give "
                              "use_new_attention_order=false (the default of guided-diffusion) or "
                              "true, as in the flags of its training");
  FEW_TRY(read_betas(im));
  return read_heads(im, &a, 0);
}

static few_status describe_consistency(struct few_importer *im) {
  struct adm a = {0};
  FEW_TRY(describe(im, &a));
  im->process = im->o->process == FEW_IMPORT_EDM ? FEW_IMPORT_EDM : FEW_IMPORT_CONSISTENCY;
  im->time_scale = 1000;
  return read_heads(im, &a, 64);
}

/* ---- Tensors ---- */

static const struct few_map_row conv[] = {
    {"w", {"weight"}, &few__map_conv},
    {"b", {"bias"}, &few__map_copy},
};
static const struct few_map_row norm[] = {
    {"scale", {"weight"}, &few__map_copy},
    {"shift", {"bias"}, &few__map_copy},
};
static const struct few_map_row out[] = {
    {"w", {"weight"}, &few__map_first_conv},
    {"b", {"bias"}, &few__map_first_b},
};
static const struct few_map_row embedding[] = {
    {"time0.w", {"time_embed.0.weight"}, &few__map_linear},
    {"time0.b", {"time_embed.0.bias"}, &few__map_copy},
    {"time1.w", {"time_embed.2.weight"}, &few__map_linear},
    {"time1.b", {"time_embed.2.bias"}, &few__map_copy},
    {"label.w", {"label_emb.weight"}, &few__map_copy},
};
#define BLOCK                                                   \
  {"norm0.scale", {"in_layers.0.weight"}, &few__map_copy},      \
      {"norm0.shift", {"in_layers.0.bias"}, &few__map_copy},    \
      {"conv0.w", {"in_layers.2.weight"}, &few__map_conv},      \
      {"conv0.b", {"in_layers.2.bias"}, &few__map_copy},        \
      {"conv1.w", {"out_layers.3.weight"}, &few__map_conv},     \
      {"conv1.b", {"out_layers.3.bias"}, &few__map_copy},       \
      {"skip.w", {"skip_connection.weight"}, &few__map_conv}, { \
    "skip.b", {"skip_connection.bias"}, &few__map_copy          \
  }
static const struct few_map_row affine_block[] = {
    BLOCK,
    {"mod.scale.w", {"emb_layers.1.weight", "out_layers.0.weight"}, &few__map_fold_scale_w},
    {"mod.scale.b", {"emb_layers.1.bias", "out_layers.0.weight"}, &few__map_fold_scale_b},
    {"mod.shift.w", {"emb_layers.1.weight", "out_layers.0.bias"}, &few__map_fold_shift_w},
    {"mod.shift.b", {"emb_layers.1.bias", "out_layers.0.bias"}, &few__map_fold_shift_b},
};
static const struct few_map_row shift_block[] = {
    BLOCK,
    {"mod.shift.w", {"emb_layers.1.weight"}, &few__map_linear},
    {"mod.shift.b", {"emb_layers.1.bias"}, &few__map_copy},
    {"norm1.scale", {"out_layers.0.weight"}, &few__map_copy},
    {"norm1.shift", {"out_layers.0.bias"}, &few__map_copy},
};

static few_status map_block(struct few_importer *im, const struct adm *a, const char *to,
                            const char *from) {
  if (a->affine) return FEW_MAP(im, to, from, affine_block);
  return FEW_MAP(im, to, from, shift_block);
}

static few_status map_attention(struct few_importer *im, const struct adm *a, const char *to,
                                const char *from) {
  const struct few_map_row rows[] = {
      {"norm2.scale", {"norm.weight"}, &few__map_copy},
      {"norm2.shift", {"norm.bias"}, &few__map_copy},
      {"attention.qkv.w", {"qkv.weight"}, a->new_order ? &few__map_linear : &few__map_qkv_middle},
      {"attention.qkv.b", {"qkv.bias"}, a->new_order ? &few__map_copy : &few__map_qkv_middle},
      {"attention.out.w", {"proj_out.weight"}, &few__map_linear},
      {"attention.out.b", {"proj_out.bias"}, &few__map_copy},
  };
  return few__map(im, to, from, rows, FEW_COUNT(rows));
}

/* Block i of a way, with its attention. */
static few_status map_pair(struct few_importer *im, const struct adm *a, const char *to,
                           const char *way, int i) {
  char from[60];
  snprintf(from, sizeof from, "%s.%d.0.", way, i);
  FEW_TRY(map_block(im, a, to, from));
  snprintf(from, sizeof from, "%s.%d.1.", way, i);
  return few__map_has(im, to, "norm2.scale") ? map_attention(im, a, to, from) : FEW_OK;
}

static few_status map_up(struct few_importer *im, const struct adm *a, int l, int i) {
  char to[40], from[60];
  bool convolution;
  int part;
  if (!doubles(im->source, i, &convolution, &part)) return FEW_OK;
  snprintf(to, sizeof to, "up.%d.twice.%s", l, a->convolutions ? "conv." : "");
  snprintf(from, sizeof from, "output_blocks.%d.%d.%s", i, part, a->convolutions ? "conv." : "");
  return a->convolutions ? FEW_MAP(im, to, from, conv) : map_block(im, a, to, from);
}

static few_status map_level(struct few_importer *im, const struct adm *a, int l) {
  const int each = (int)a->blocks + 1, down = 1 + l * each, up = (a->n - 1 - l) * each;
  char to[40], from[60];
  for (int b = 0; b < each; b++) {
    snprintf(to, sizeof to, "down.%d.%d.", l, b);
    if (b < each - 1) FEW_TRY(map_pair(im, a, to, "input_blocks", down + b));
    snprintf(to, sizeof to, "up.%d.%d.", l, b);
    FEW_TRY(map_pair(im, a, to, "output_blocks", up + b));
  }
  if (l > 0) FEW_TRY(map_up(im, a, l, up + each - 1));
  if (l + 1 == a->n) return FEW_OK;
  snprintf(to, sizeof to, "down.%d.half.%s", l, a->convolutions ? "conv." : "");
  snprintf(from, sizeof from, "input_blocks.%d.0.%s", down + each - 1,
           a->convolutions ? "op." : "");
  return a->convolutions ? FEW_MAP(im, to, from, conv) : map_block(im, a, to, from);
}

static few_status map_all(struct few_importer *im, bool new_order) {
  struct adm a = {.new_order = new_order};
  FEW_TRY(read_levels(im, &a));
  FEW_TRY(FEW_MAP(im, "cond.", "", embedding));
  FEW_TRY(FEW_MAP(im, "in.", "input_blocks.0.0.", conv));
  for (int l = 0; l < a.n; l++) FEW_TRY(map_level(im, &a, l));
  FEW_TRY(map_block(im, &a, "middle.0.", "middle_block.0."));
  FEW_TRY(map_attention(im, &a, "middle.0.", "middle_block.1."));
  FEW_TRY(map_block(im, &a, "middle.1.", "middle_block.2."));
  FEW_TRY(FEW_MAP(im, "out_norm.", "out.0.", norm));
  return FEW_MAP(im, "out.", "out.2.", out);
}

static few_status map_guided(struct few_importer *im) {
  bool new_order;
  FEW_TRY(few__conf_bool(im->ctx, &im->source->net, "use_new_attention_order", false, &new_order));
  return map_all(im, new_order);
}

static few_status map_consistency(struct few_importer *im) { return map_all(im, true); }

const struct few_layout few__layout_guided_diffusion = {
    .name = "UNetModel",
    .format = "guided-diffusion",
    .help = "ADM: a state dict; give num_head_channels, use_new_attention_order, noise_schedule",
    .is = is,
    .describe = describe_guided,
    .map = map_guided,
};

const struct few_layout few__layout_consistency_models = {
    .name = "KarrasDenoiser",
    .format = "consistency-models",
    .help = "OpenAI's consistency models, and with --process edm their teachers: a state dict",
    .is = is,
    .describe = describe_consistency,
    .map = map_consistency,
};
