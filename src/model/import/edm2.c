/* edm2.c - the network of EDM2 (Karras et al., arXiv 2312.02696): UNet in Precond.
 *
 *   EDM2 ({S} is a level's side)               few
 *   enc.{S}x{S}_conv                           in
 *   emb_fourier, emb_noise                     cond.freq, cond.time
 *   emb_label                                  cond.label
 *   enc.{S}x{S}_block{B}, _down                down.L.B, down.L.half
 *   dec.{S}x{S}_in0, _in1                      middle.0, middle.1
 *   dec.{S}x{S}_up, _block{B}                  up.L.twice, up.L.B
 *   out_conv, out_gain                         out.conv, out.gain
 *
 * Both normalise a weight where they use it, so weights are copied as they are. EDM2's features of
 * time are sqrt(2) cos(f t + p) with stored phases p, few's sqrt(2) cos(f t) and sqrt(2) sin(f t).
 * A weight w of such a feature becomes w' = sqrt(2) (w cos p, -w sin p) of the two. The rms of all
 * w' of an output is that of all w, since there are twice as many; so is normalize(w'), and the
 * factor 1/sqrt(fan_in), smaller by sqrt(2), is made up for by that in w'.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "mapping.h"

struct edm2 {
  int64_t side, lowest, channels, blocks; /* lowest: the side of the last level */
  struct few_int_list mults;
};

#define NOTHING(key) \
  { key, FEW_KEY_NOTHING, NULL }
#define READ(key) \
  { key, FEW_KEY_READ, NULL }
static const struct few_conf_key keys[] = {
    READ("img_resolution"),
    READ("img_channels"),
    READ("label_dim"),
    NOTHING("use_fp16"),
    READ("sigma_data"),
    NOTHING("logvar_channels"),
    READ("model_channels"),
    READ("channel_mult"),
    READ("channel_mult_noise"),
    READ("channel_mult_emb"),
    READ("num_blocks"),
    READ("attn_resolutions"),
    READ("label_balance"),
    READ("concat_balance"),
    {"resample_filter", FEW_KEY_ONLY, "[1,1]|null"},
    READ("channels_per_head"),
    READ("dropout"),
    READ("res_balance"),
    READ("attn_balance"),
    READ("clip_act"),
};

static bool is(const struct few_origin *s) {
  const json_t *modules = json_object_get(s->net.all, "_modules");
  const char *name = json_string_value(json_object_get(s->net.all, "_class_name"));
  const char *part =
      json_string_value(json_object_get(json_object_get(modules, "unet"), "_class_name"));
  return name && !strcmp(name, "Precond") && (!part || !strcmp(part, "UNet"));
}

/* ---- The configuration ---- */

static few_status config_int(struct few_importer *im, const char *key, int64_t min, int64_t max,
                             int64_t otherwise, int64_t *out) {
  return few__conf_int(im->ctx, &im->source->net, key, min, max, otherwise, out);
}

static few_status read_net(struct few_importer *im, struct edm2 *e) {
  FEW_TRY(config_int(im, "img_resolution", 1, 1 << 14, 0, &e->side));
  if (!e->side) return few__import_refuse(im, "`img_resolution` is missing: fetch it again");
  FEW_TRY(config_int(im, "model_channels", 1, 4096, 192, &e->channels));
  FEW_TRY(config_int(im, "num_blocks", 1, 64, 3, &e->blocks));
  e->mults = (struct few_int_list){4, {1, 2, 3, 4}};
  FEW_TRY(few__conf_ints(im->ctx, &im->source->net, "channel_mult", 1, &e->mults));
  assert(e->mults.n > 0);
  e->lowest = e->side >> (e->mults.n - 1);
  return FEW_OK;
}

static few_status read_data(struct few_importer *im, const struct edm2 *e) {
  FEW_TRY(config_int(im, "img_channels", 1, 4096, 3, &im->spec.c));
  FEW_TRY(config_int(im, "label_dim", 0, 1 << 20, 0, &im->spec.classes));
  FEW_TRY(few__conf_real(im->ctx, &im->source->net, "sigma_data", 0.5, &im->spec.sigma_data));
  if (!(im->spec.sigma_data > 0 && im->spec.sigma_data < 1e6))
    return few__import_refuse(im, "`sigma_data` is %g: fetch it again", im->spec.sigma_data);
  im->spec.h = im->spec.w = e->side;
  if (im->spec.classes) im->spec.unlabelled = FEW_NO;
  im->process = FEW_IMPORT_EDM;
  return FEW_OK;
}

/* A level of fewer channels than a head has no head, and so no attention. */
static few_status set_attention(struct few_importer *im, const struct edm2 *e) {
  struct few_int_list sides = {2, {16, 8}};
  char text[FEW_INT_LIST_MAX * 24] = "1";
  size_t at = 0;
  FEW_TRY(few__conf_ints(im->ctx, &im->source->net, "attn_resolutions", 0, &sides));
  FEW_TRY(config_int(im, "channels_per_head", 1, 1 << 16, 64, &im->head_channels));
  for (int l = 0; l < e->mults.n; l++)
    for (int i = 0; i < sides.n; i++)
      if (sides.at[i] == e->side >> l && e->mults.at[l] * e->channels >= im->head_channels)
        at +=
            (size_t)snprintf(text + at, sizeof text - at, "%s%" PRId64, at ? "," : "", sides.at[i]);
  if (e->mults.at[e->mults.n - 1] * e->channels < im->head_channels)
    return few__import_refuse(im,
                              "the lowest level has fewer channels than `channels_per_head`, and "
                              "so no attention, but few's edm2 has: import a wider model");
  FEW_TRY(few__import_set(im, "attention", "%s", text));
  return few__import_set(im, "head_channels", "%" PRId64, im->head_channels);
}

static few_status set_reals(struct few_importer *im) {
  static const struct {
    const char *from, *to;
    double usual;
  } reals[] = {{"label_balance", "label_balance", 0.5},
               {"concat_balance", "concat_balance", 0.5},
               {"res_balance", "res_balance", 0.3},
               {"attn_balance", "attention_balance", 0.3},
               {"dropout", "dropout", 0},
               {"clip_act", "clip_act", 256}};
  for (int i = 0; i < FEW_COUNT(reals); i++) {
    const json_t *v = json_object_get(im->source->net.all, reals[i].from);
    double x;
    FEW_TRY(few__conf_real(im->ctx, &im->source->net, reals[i].from, reals[i].usual, &x));
    if (json_is_null(v) && !strcmp(reals[i].from, "clip_act")) x = 0; /* None: no limit */
    FEW_TRY(few__import_set(im, reals[i].to, "%.17g", x));
  }
  return FEW_OK;
}

static few_status describe(struct few_importer *im) {
  struct edm2 e = {0};
  char mults[FEW_INT_LIST_MAX * 24];
  int64_t noise, embedding;
  FEW_TRY(few__conf_check(im->ctx, &im->source->net, keys, FEW_COUNT(keys)));
  FEW_TRY(few__import_net(im, "edm2"));
  FEW_TRY(read_net(im, &e));
  FEW_TRY(read_data(im, &e));
  FEW_TRY(config_int(im, "channel_mult_noise", 1, 64, e.mults.at[0], &noise));
  FEW_TRY(config_int(im, "channel_mult_emb", 1, 64, 0, &embedding));
  for (size_t l = 0, at = 0; l < (size_t)e.mults.n; l++)
    at +=
        (size_t)snprintf(mults + at, sizeof mults - at, "%s%" PRId64, l ? "," : "", e.mults.at[l]);
  FEW_TRY(few__import_set(im, "channels", "%" PRId64, e.channels));
  FEW_TRY(few__import_set(im, "mults", "%s", mults));
  FEW_TRY(few__import_set(im, "blocks", "%" PRId64, e.blocks));
  FEW_TRY(few__import_set(im, "time_channels", "%" PRId64, 2 * e.channels * noise));
  FEW_TRY(few__import_set(im, "embedding", "%" PRId64, e.channels * embedding));
  FEW_TRY(few__import_set(im, "time_embedding", "stored"));
  FEW_TRY(few__import_set(im, "modulation", "adagn"));
  FEW_TRY(set_attention(im, &e));
  return set_reals(im);
}

/* ---- Features of time ---- */

typedef const struct few_importer importer;
typedef const struct few_transform transform;
typedef struct few_shape shape;

/* [width,features], and the phases [features]; few has twice as many features. */
static shape time_shape(importer *im, transform *how, shape to, int i) {
  FEW_UNUSED(im);
  FEW_UNUSED(how);
  return i ? FEW_SHAPE(to.dim[0] / 2) : FEW_SHAPE(to.dim[1], to.dim[0] / 2);
}

static void time_weight(importer *im, transform *how, shape to, const float *const *in,
                        float *out) {
  const int64_t half = to.dim[0] / 2, width = to.dim[1];
  FEW_UNUSED(im);
  FEW_UNUSED(how);
  for (int64_t k = 0; k < half; k++) {
    const double c = sqrt(2.0) * cos((double)in[1][k]), s = sqrt(2.0) * sin((double)in[1][k]);
    for (int64_t r = 0; r < width; r++) {
      const double w = (double)in[0][r * half + k];
      out[k * width + r] = (float)(w * c);
      out[(half + k) * width + r] = (float)(-w * s);
    }
  }
}
static const struct few_transform time_linear = {2, time_shape, time_weight, 0, 0, NULL};

static shape same(importer *im, transform *how, shape to, int i) {
  FEW_UNUSED(im);
  FEW_UNUSED(how);
  FEW_UNUSED(i);
  return to;
}

/* few multiplies frequencies by 2 pi. */
static void cycles(importer *im, transform *how, shape to, const float *const *in, float *out) {
  FEW_UNUSED(im);
  FEW_UNUSED(how);
  for (int64_t i = 0; i < few_shape_count(to); i++)
    out[i] = (float)((double)in[0][i] / 6.283185307179586);
}
static const struct few_transform frequencies = {1, same, cycles, 0, 0, NULL};

/* ---- Tensors ---- */

static const struct few_map_row conv[] = {{"w", {"weight"}, &few__map_conv}};
static const struct few_map_row embedding[] = {
    {"freq", {"emb_fourier.freqs"}, &frequencies},
    {"time.w", {"emb_noise.weight", "emb_fourier.phases"}, &time_linear},
    {"label.w", {"emb_label.weight"}, &few__map_linear},
};
static const struct few_map_row block[] = {
    {"gain", {"emb_gain"}, &few__map_copy},
    {"conv0.w", {"conv_res0.weight"}, &few__map_conv},
    {"scale.w", {"emb_linear.weight"}, &few__map_linear},
    {"conv1.w", {"conv_res1.weight"}, &few__map_conv},
    {"skip.w", {"conv_skip.weight"}, &few__map_conv},
    {"qkv.w", {"attn_qkv.weight"}, &few__map_qkv_last},
    {"proj.w", {"attn_proj.weight"}, &few__map_conv},
};
static const struct few_map_row end[] = {
    {"conv.w", {"out_conv.weight"}, &few__map_conv},
    {"gain", {"out_gain"}, &few__map_copy},
};

static few_status map_block(struct few_importer *im, const char *to, const char *way,
                            long long side, const char *part) {
  char from[80];
  snprintf(from, sizeof from, "unet.%s.%lldx%lld_%s.", way, side, side, part);
  return FEW_MAP(im, to, from, block);
}

static few_status map_level(struct few_importer *im, const struct edm2 *e, int l) {
  const long long side = e->side >> l;
  char to[40], part[40];
  for (int64_t b = 0; b <= e->blocks; b++) {
    snprintf(part, sizeof part, "block%" PRId64, b);
    snprintf(to, sizeof to, "down.%d.%" PRId64 ".", l, b);
    if (b < e->blocks) FEW_TRY(map_block(im, to, "enc", side, part));
    snprintf(to, sizeof to, "up.%d.%" PRId64 ".", l, b);
    FEW_TRY(map_block(im, to, "dec", side, part));
  }
  snprintf(to, sizeof to, "down.%d.half.", l);
  if (l > 0) FEW_TRY(map_block(im, to, "enc", side, "down"));
  snprintf(to, sizeof to, "up.%d.twice.", l);
  return l + 1 < e->mults.n ? map_block(im, to, "dec", side, "up") : FEW_OK;
}

static few_status map(struct few_importer *im) {
  static const char *const unused[] = {"logvar_fourier.freqs", "logvar_fourier.phases",
                                       "logvar_linear.weight"};
  struct edm2 e = {0};
  char from[80];
  FEW_TRY(read_net(im, &e));
  for (int i = 0; i < FEW_COUNT(unused); i++) few__map_unused(im, "", unused[i]);
  snprintf(from, sizeof from, "unet.enc.%lldx%lld_conv.", (long long)e.side, (long long)e.side);
  FEW_TRY(FEW_MAP(im, "in.", from, conv));
  FEW_TRY(FEW_MAP(im, "cond.", "unet.", embedding));
  for (int l = 0; l < e.mults.n; l++) FEW_TRY(map_level(im, &e, l));
  FEW_TRY(map_block(im, "middle.0.", "dec", e.lowest, "in0"));
  FEW_TRY(map_block(im, "middle.1.", "dec", e.lowest, "in1"));
  return FEW_MAP(im, "out.", "unet.", end);
}

const struct few_layout few__layout_edm2 = {
    .name = "Precond",
    .format = "edm2",
    .help = "EDM2's magnitude-preserving UNet: a .pkl",
    .is = is,
    .describe = describe,
    .map = map,
};
