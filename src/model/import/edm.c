/* edm.c - the networks of EDM (Karras et al., arXiv 2206.00364): SongUNet, which is DDPM++ or
 * NCSN++, and DhariwalUNet, which is ADM, in EDMPrecond, VPPrecond, VEPrecond or iDDPMPrecond; and
 * the consistency models of ECT (Geng et al., arXiv 2406.14548), which are these networks in
 * ECMPrecond.
 *
 *   EDM ({S} is a level's side)                few
 *   enc.{S}x{S}_conv                           in
 *   map_noise, map_layer0, map_layer1          cond.freq, cond.time0, cond.time1
 *   map_label                                  cond.label
 *   enc.{S}x{S}_block{B}                       down.L.B
 *   enc.{S}x{S}_down, _aux_residual            down.{L-1}.half, down.{L-1}.half.aux
 *   dec.{S}x{S}_in0, _in1                      middle.0, middle.1
 *   dec.{S}x{S}_up                             up.{L+1}.twice
 *   dec.{S}x{S}_block{B}                       up.L.B
 *   dec.{S}x{S}_aux_norm, _aux_conv            out_norm, out     (Song)
 *   out_norm, out_conv                         out_norm, out     (Dhariwal)
 *
 * DhariwalUNet's norm1 folds into the modulation. SongUNet takes sin before cos, and its labels
 * before the first layer: with l = sqrt(classes) onehot, W0 (e + Wl l + bl) + b0 has the rows of
 * sqrt(classes) W0 Wl for labels and the bias b0 + W0 bl. In the same way the labels of
 * augmentation have the rows of W0 Wa in both. EDM's trainings have 9 of them. A network with
 * another number gets no such input, since their order is not known; its samples, which have zeros
 * there, are the same.
 *
 * VEPrecond's network gives -eps, so the last layer is negated. iDDPMPrecond takes the number M - 1
 * - j of the step, where u_j is the level nearest to sigma; u is sigma/alpha of cosine betas,
 * backwards. few's `ddpm` agrees at these levels, and interpolates between them. The second half of
 * its outputs is a learned variance.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "few/data.h"
#include "mapping.h"

enum { HEADS_WHOLE = 1024, DHARIWAL_HEAD = 64, AUGMENT_MAX = 4096 };

/* EDM's labels of augmentation (its `xflip, yflip, scale, rotate_frac, aniso, translate_frac`). */
static const int augment_labels[] = {
    FEW_AUGMENT_XFLIP,       FEW_AUGMENT_YFLIP,      FEW_AUGMENT_SIZE,
    FEW_AUGMENT_COS,         FEW_AUGMENT_SIN,        FEW_AUGMENT_STRETCH_COS,
    FEW_AUGMENT_STRETCH_SIN, FEW_AUGMENT_MOVE_RIGHT, FEW_AUGMENT_MOVE_DOWN};

struct edm {
  bool song, fourier, residual;
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
    READ("sigma_min"),
    NOTHING("sigma_max"),
    READ("sigma_data"),
    {"beta_d", FEW_KEY_ONLY, "19.9|null"},
    {"beta_min", FEW_KEY_ONLY, "0.1|null"},
    READ("M"),
    {"C_1", FEW_KEY_ONLY, "0.001|null"},
    {"C_2", FEW_KEY_ONLY, "0.008|null"},
    NOTHING("epsilon_t"),
    READ("model_type"),
    READ("augment_dim"),
    READ("model_channels"),
    READ("channel_mult"),
    READ("channel_mult_emb"),
    READ("num_blocks"),
    READ("attn_resolutions"),
    READ("dropout"),
    READ("label_dropout"),
    {"embedding_type", FEW_KEY_ONLY, "\"positional\"|\"fourier\"|null"},
    READ("channel_mult_noise"),
    {"encoder_type", FEW_KEY_ONLY, "\"standard\"|\"residual\"|null"},
    {"decoder_type", FEW_KEY_ONLY, "\"standard\"|null"},
    {"resample_filter", FEW_KEY_ONLY, "[1,1]|[1,3,3,1]|null"},
};

static const char *word_of(const struct few_origin *s, const char *key, const char *otherwise) {
  const char *word = json_string_value(json_object_get(s->net.all, key));
  return word ? word : otherwise;
}

static const struct wrapper {
  const char *name, *usual; /* usual: its default model_type */
  enum few_import_process process;
} wrappers[] = {
    {"EDMPrecond", "DhariwalUNet", FEW_IMPORT_EDM},
    {"ECMPrecond", "DhariwalUNet", FEW_IMPORT_CONSISTENCY},
    {"VPPrecond", "SongUNet", FEW_IMPORT_VP_LINEAR},
    {"VEPrecond", "SongUNet", FEW_IMPORT_VE},
    {"iDDPMPrecond", "DhariwalUNet", FEW_IMPORT_DDPM},
};

static const struct wrapper *wrapper_of(const struct few_origin *s) {
  for (int i = 0; i < FEW_COUNT(wrappers); i++)
    if (!strcmp(word_of(s, "_class_name", ""), wrappers[i].name)) return &wrappers[i];
  return NULL;
}

static bool is(const struct few_origin *s) { return wrapper_of(s) != NULL; }

/* ---- The configuration ---- */

static few_status config_int(struct few_importer *im, const char *key, int64_t min, int64_t max,
                             int64_t otherwise, int64_t *out) {
  return few__conf_int(im->ctx, &im->source->net, key, min, max, otherwise, out);
}

static few_status read_net(struct few_importer *im, struct edm *e) {
  static const struct few_int_list song = {4, {1, 2, 2, 2}}, dhariwal = {4, {1, 2, 3, 4}};
  const struct few_origin *s = im->source;
  const char *type = word_of(s, "model_type", wrapper_of(s)->usual);
  const json_t *inner = json_object_get(json_object_get(s->net.all, "_modules"), "model");
  const char *made = json_string_value(json_object_get(inner, "_class_name"));
  e->song = !strcmp(type, "SongUNet");
  if ((!e->song && strcmp(type, "DhariwalUNet") != 0) || (made && strcmp(made, type) != 0))
    return few__import_refuse(im,
                              "its network is a `%.60s`: few can import SongUNet and DhariwalUNet: "
                              "import a model of these",
                              made ? made : type);
  e->fourier = !strcmp(word_of(s, "embedding_type", "positional"), "fourier");
  e->residual = !strcmp(word_of(s, "encoder_type", "standard"), "residual");
  FEW_TRY(config_int(im, "img_resolution", 1, 1 << 14, 0, &e->side));
  if (!e->side) return few__import_refuse(im, "`img_resolution` is missing: fetch it again");
  FEW_TRY(config_int(im, "model_channels", 1, 4096, e->song ? 128 : 192, &e->channels));
  FEW_TRY(config_int(im, "num_blocks", 1, 64, e->song ? 4 : 3, &e->blocks));
  e->mults = e->song ? song : dhariwal;
  FEW_TRY(few__conf_ints(im->ctx, &s->net, "channel_mult", 1, &e->mults));
  assert(e->mults.n > 0);
  e->lowest = e->side >> (e->mults.n - 1);
  return FEW_OK;
}

/* The members of a wrapper's process. */
static few_status read_process(struct few_importer *im) {
  int64_t steps;
  im->process = wrapper_of(im->source)->process;
  FEW_TRY(config_int(im, "M", FEW_BETAS_MIN_STEPS, FEW_BETAS_MAX_STEPS, 1000, &steps));
  if (im->process == FEW_IMPORT_CONSISTENCY) im->time_scale = 1;
  if (im->process == FEW_IMPORT_VP_LINEAR && steps != 1000)
    return few__import_refuse(
        im, "`M` is %" PRId64 ": few can import VPPrecond with 1000: import another model", steps);
  if (im->process == FEW_IMPORT_DDPM) {
    im->spec.betas = (struct few_betas)FEW_BETAS_INIT;
    im->spec.betas.schedule = FEW_BETAS_COSINE;
    im->spec.betas.steps = steps;
    im->outputs = 2;
  }
  if (im->process != FEW_IMPORT_VE) return FEW_OK;
  FEW_TRY(few__conf_real(im->ctx, &im->source->net, "sigma_min", 0.02, &im->sigma_min));
  if (im->sigma_min > 0 && im->sigma_min < FEW_SIGMA_MAX) return FEW_OK;
  return few__import_refuse(im, "`sigma_min` is %g: fetch it again", im->sigma_min);
}

static few_status read_data(struct few_importer *im, const struct edm *e) {
  double label_dropout;
  int64_t augment;
  FEW_TRY(config_int(im, "augment_dim", 0, AUGMENT_MAX, 0, &augment));
  im->spec.augment = augment == FEW_COUNT(augment_labels) ? FEW_AUGMENT_LABELS : 0;
  FEW_TRY(config_int(im, "img_channels", 1, 4096, 3, &im->spec.c));
  FEW_TRY(config_int(im, "label_dim", 0, 1 << 20, 0, &im->spec.classes));
  FEW_TRY(few__conf_real(im->ctx, &im->source->net, "sigma_data", 0.5, &im->spec.sigma_data));
  FEW_TRY(few__conf_real(im->ctx, &im->source->net, "label_dropout", 0, &label_dropout));
  if (!(im->spec.sigma_data > 0 && im->spec.sigma_data < 1e6))
    return few__import_refuse(im, "`sigma_data` is %g: fetch it again", im->spec.sigma_data);
  im->spec.h = im->spec.w = e->side;
  if (im->spec.classes) im->spec.unlabelled = label_dropout > 0 ? FEW_YES : FEW_NO;
  return read_process(im);
}

/* A level of fewer than 64 channels has no head in DhariwalUNet, and so no attention. */
static bool attends(const struct edm *e, int l) {
  return e->song || e->mults.at[l] * e->channels >= DHARIWAL_HEAD;
}

static few_status set_attention(struct few_importer *im, const struct edm *e) {
  struct few_int_list sides = {3, {32, 16, 8}};
  char text[FEW_INT_LIST_MAX * 24] = "1";
  size_t at = 0;
  if (e->song) sides = (struct few_int_list){1, {16}};
  FEW_TRY(few__conf_ints(im->ctx, &im->source->net, "attn_resolutions", 0, &sides));
  for (int l = 0; l < e->mults.n; l++) {
    bool listed = false;
    for (int i = 0; i < sides.n; i++) listed = listed || sides.at[i] == e->side >> l;
    if (listed && attends(e, l))
      at +=
          (size_t)snprintf(text + at, sizeof text - at, "%s%" PRId64, at ? "," : "", e->side >> l);
    if (e->song && (listed || l + 1 == e->mults.n) && e->mults.at[l] * e->channels > HEADS_WHOLE)
      return few__import_refuse(im,
                                "level %d has attention of one head with %" PRId64
                                " channels: few's heads have at most %d: import a narrower model",
                                l, e->mults.at[l] * e->channels, HEADS_WHOLE);
  }
  im->head_channels = e->song ? HEADS_WHOLE : DHARIWAL_HEAD;
  FEW_TRY(few__import_set(im, "attention", "%s", text));
  FEW_TRY(few__import_set(im, "attention_up", e->song ? "last" : "all"));
  FEW_TRY(few__import_set(im, "middle_attention", attends(e, e->mults.n - 1) ? "yes" : "no"));
  return few__import_set(im, "head_channels", "%" PRId64, im->head_channels);
}

static few_status set_song(struct few_importer *im, const struct edm *e) {
  struct few_int_list taps = {2, {1, 1}};
  int64_t noise;
  FEW_TRY(config_int(im, "channel_mult_noise", 1, 64, 1, &noise));
  FEW_TRY(few__conf_ints(im->ctx, &im->source->net, "resample_filter", 1, &taps));
  FEW_TRY(few__import_set(im, "in_channels", "%" PRId64, e->channels));
  FEW_TRY(few__import_set(im, "time_channels", "%" PRId64, e->channels * noise));
  FEW_TRY(few__import_set(im, "time_embedding", e->fourier ? "stored" : "positional"));
  FEW_TRY(few__import_set(im, "freq_shift", e->fourier ? "0" : "1"));
  FEW_TRY(few__import_set(im, "label_place", "hidden"));
  FEW_TRY(few__import_set(im, "modulation", "add"));
  FEW_TRY(few__import_set(im, "resample_proj", "yes"));
  FEW_TRY(few__import_set(im, "encoder", e->residual ? "residual" : "standard"));
  FEW_TRY(few__import_set(im, "filter", taps.n == 4 ? "1331" : "box"));
  return few__import_set(im, "norm_eps", "1e-6");
}

static few_status describe(struct few_importer *im) {
  struct edm e = {0};
  char mults[FEW_INT_LIST_MAX * 24];
  int64_t embedding;
  double dropout;
  FEW_TRY(few__conf_check(im->ctx, &im->source->net, keys, FEW_COUNT(keys)));
  FEW_TRY(few__import_net(im, "unet"));
  FEW_TRY(read_net(im, &e));
  FEW_TRY(read_data(im, &e));
  FEW_TRY(config_int(im, "channel_mult_emb", 1, 64, 4, &embedding));
  FEW_TRY(few__conf_real(im->ctx, &im->source->net, "dropout", 0.1, &dropout));
  for (size_t l = 0, at = 0; l < (size_t)e.mults.n; l++)
    at +=
        (size_t)snprintf(mults + at, sizeof mults - at, "%s%" PRId64, l ? "," : "", e.mults.at[l]);
  FEW_TRY(few__import_set(im, "channels", "%" PRId64, e.channels));
  FEW_TRY(few__import_set(im, "mults", "%s", mults));
  FEW_TRY(few__import_set(im, "blocks", "%" PRId64, e.blocks));
  FEW_TRY(few__import_set(im, "embedding_mult", "%" PRId64, embedding));
  FEW_TRY(few__import_set(im, "dropout", "%.17g", dropout));
  FEW_TRY(set_attention(im, &e));
  if (e.song) return set_song(im, &e);
  FEW_TRY(few__import_set(im, "modulation", "adagn"));
  return few__import_set(im, "skip_scale", "1");
}

/* ---- The embedding ---- */

typedef const struct few_importer importer;
typedef const struct few_transform transform;
typedef struct few_shape shape;

static int64_t noise_channels(importer *im) {
  const int i = few__params_find(&im->model->params, "cond.time0.w");
  return im->model->params.at[i].shape.dim[0];
}

/* Labels [noise,classes], first layer [width,noise]. */
static shape label_shape(importer *im, transform *how, shape to, int i) {
  FEW_UNUSED(how);
  return i ? FEW_SHAPE(to.dim[1], noise_channels(im)) : FEW_SHAPE(noise_channels(im), to.dim[0]);
}

static void label_rows(importer *im, transform *how, shape to, const float *const *in, float *out) {
  const int64_t classes = to.dim[0], width = to.dim[1], noise = noise_channels(im);
  FEW_UNUSED(how);
  for (int64_t r = 0; r < classes; r++)
    for (int64_t c = 0; c < width; c++) {
      double sum = 0;
      for (int64_t k = 0; k < noise; k++)
        sum += (double)in[1][c * noise + k] * (double)in[0][k * classes + r];
      out[r * width + c] = (float)(sqrt((double)classes) * sum);
    }
}
static const struct few_transform hidden_labels = {2, label_shape, label_rows, 0, 0, NULL};

/* Labels of augmentation [noise,9], first layer [width,noise]; labels that EDM does not have are 0.
 */
static shape augment_shape(importer *im, transform *how, shape to, int i) {
  FEW_UNUSED(how);
  return i ? FEW_SHAPE(to.dim[1], noise_channels(im))
           : FEW_SHAPE(noise_channels(im), FEW_COUNT(augment_labels));
}

static void augment_rows(importer *im, transform *how, shape to, const float *const *in,
                         float *out) {
  const int64_t n = FEW_COUNT(augment_labels), width = to.dim[1], noise = noise_channels(im);
  FEW_UNUSED(how);
  memset(out, 0, (size_t)few_shape_count(to) * sizeof *out);
  for (int64_t r = 0; r < n; r++)
    for (int64_t c = 0; c < width; c++) {
      double sum = 0;
      for (int64_t k = 0; k < noise; k++)
        sum += (double)in[1][c * noise + k] * (double)in[0][k * n + r];
      out[augment_labels[r] * width + c] = (float)sum;
    }
}
static const struct few_transform augment_map = {2, augment_shape, augment_rows, 0, 0, NULL};

/* b0 [width], W0 [width,noise], bl [noise]. */
static shape bias_shape(importer *im, transform *how, shape to, int i) {
  FEW_UNUSED(how);
  if (i == 0) return to;
  return i == 1 ? FEW_SHAPE(to.dim[0], noise_channels(im)) : FEW_SHAPE(noise_channels(im));
}

static void bias(importer *im, transform *how, shape to, const float *const *in, float *out) {
  const int64_t noise = noise_channels(im);
  FEW_UNUSED(how);
  for (int64_t c = 0; c < to.dim[0]; c++) {
    double sum = (double)in[0][c];
    for (int64_t k = 0; k < noise; k++) sum += (double)in[1][c * noise + k] * (double)in[2][k];
    out[c] = (float)sum;
  }
}
static const struct few_transform hidden_bias = {3, bias_shape, bias, 0, 0, NULL};

/* few's Fourier features have the factor sqrt(2), and cos before sin. */
static shape linear_shape(importer *im, transform *how, shape to, int i) {
  FEW_UNUSED(im);
  FEW_UNUSED(how);
  FEW_UNUSED(i);
  return FEW_SHAPE(to.dim[1], to.dim[0]);
}

static void fourier(importer *im, transform *how, shape to, const float *const *in, float *out) {
  few__map_flipped.apply(im, how, to, in, out);
  for (int64_t i = 0; i < few_shape_count(to); i++) out[i] = (float)((double)out[i] / sqrt(2.0));
}
static const struct few_transform fourier_linear = {1, linear_shape, fourier, 0, 0, NULL};

/* ---- The last layer ---- */

static shape same_shape(importer *im, transform *how, shape to, int i) {
  return (to.rank == 1 ? &few__map_copy : &few__map_conv)->shape(im, how, to, i);
}

static void negate(importer *im, transform *how, shape to, const float *const *in, float *out) {
  (to.rank == 1 ? &few__map_copy : &few__map_conv)->apply(im, how, to, in, out);
  for (int64_t i = 0; i < few_shape_count(to); i++) out[i] = -out[i];
}
static const struct few_transform negated = {1, same_shape, negate, 0, 0, NULL};

/* ---- Tensors ---- */

static const struct few_map_row conv[] = {
    {"w", {"weight"}, &few__map_conv},
    {"b", {"bias"}, &few__map_copy},
};
static const struct few_map_row last[] = {
    {"w", {"weight"}, &few__map_first_conv},
    {"b", {"bias"}, &few__map_first_b},
};
static const struct few_map_row last_negated[] = {
    {"w", {"weight"}, &negated},
    {"b", {"bias"}, &negated},
};
static const struct few_map_row norm[] = {
    {"scale", {"weight"}, &few__map_copy},
    {"shift", {"bias"}, &few__map_copy},
};
#define BLOCK                                                                                     \
  {"norm0.scale", {"norm0.weight"}, &few__map_copy},                                              \
      {"norm0.shift", {"norm0.bias"}, &few__map_copy},                                            \
      {"conv0.w", {"conv0.weight"}, &few__map_conv}, {"conv0.b", {"conv0.bias"}, &few__map_copy}, \
      {"conv1.w", {"conv1.weight"}, &few__map_conv}, {"conv1.b", {"conv1.bias"}, &few__map_copy}, \
      {"skip.w", {"skip.weight"}, &few__map_conv}, {"skip.b", {"skip.bias"}, &few__map_copy},     \
      {"norm2.scale", {"norm2.weight"}, &few__map_copy},                                          \
      {"norm2.shift", {"norm2.bias"}, &few__map_copy},                                            \
      {"attention.qkv.w", {"qkv.weight"}, &few__map_qkv_last},                                    \
      {"attention.qkv.b", {"qkv.bias"}, &few__map_qkv_last},                                      \
      {"attention.out.w", {"proj.weight"}, &few__map_linear}, {                                   \
    "attention.out.b", {"proj.bias"}, &few__map_copy                                              \
  }
static const struct few_map_row song_block[] = {
    BLOCK,
    {"mod.shift.w", {"affine.weight"}, &few__map_linear},
    {"mod.shift.b", {"affine.bias"}, &few__map_copy},
    {"norm1.scale", {"norm1.weight"}, &few__map_copy},
    {"norm1.shift", {"norm1.bias"}, &few__map_copy},
};
static const struct few_map_row dhariwal_block[] = {
    BLOCK,
    {"mod.scale.w", {"affine.weight", "norm1.weight"}, &few__map_fold_scale_w},
    {"mod.scale.b", {"affine.bias", "norm1.weight"}, &few__map_fold_scale_b},
    {"mod.shift.w", {"affine.weight", "norm1.bias"}, &few__map_fold_shift_w},
    {"mod.shift.b", {"affine.bias", "norm1.bias"}, &few__map_fold_shift_b},
};

static few_status map_block(struct few_importer *im, const struct edm *e, const char *to,
                            const char *from) {
  few__map_unused(im, from, "conv0.resample_filter");
  few__map_unused(im, from, "skip.resample_filter");
  if (e->song) return FEW_MAP(im, to, from, song_block);
  return FEW_MAP(im, to, from, dhariwal_block);
}

static few_status map_level(struct few_importer *im, const struct edm *e, int l) {
  const long long side = e->side >> l;
  char to[40], from[80];
  for (int64_t b = 0; b <= e->blocks; b++) {
    snprintf(to, sizeof to, "down.%d.%" PRId64 ".", l, b);
    snprintf(from, sizeof from, "model.enc.%lldx%lld_block%" PRId64 ".", side, side, b);
    if (b < e->blocks) FEW_TRY(map_block(im, e, to, from));
    snprintf(to, sizeof to, "up.%d.%" PRId64 ".", l, b);
    snprintf(from, sizeof from, "model.dec.%lldx%lld_block%" PRId64 ".", side, side, b);
    FEW_TRY(map_block(im, e, to, from));
  }
  if (l == 0) return FEW_OK;
  snprintf(to, sizeof to, "down.%d.half.", l - 1);
  snprintf(from, sizeof from, "model.enc.%lldx%lld_down.", side, side);
  FEW_TRY(map_block(im, e, to, from));
  if (e->residual) {
    snprintf(to, sizeof to, "down.%d.half.aux.", l - 1);
    snprintf(from, sizeof from, "model.enc.%lldx%lld_aux_residual.", side, side);
    few__map_unused(im, from, "resample_filter");
    FEW_TRY(FEW_MAP(im, to, from, conv));
  }
  snprintf(to, sizeof to, "up.%d.twice.", l);
  snprintf(from, sizeof from, "model.dec.%lldx%lld_up.", 2 * side, 2 * side);
  return map_block(im, e, to, from);
}

static few_status map_embedding(struct few_importer *im, const struct edm *e) {
  const bool labels = im->spec.classes > 0;
  const struct few_map_row rows[] = {
      {"freq", {"map_noise.freqs"}, &few__map_copy},
      {"time0.w",
       {"map_layer0.weight"},
       !e->song     ? &few__map_linear
       : e->fourier ? &fourier_linear
                    : &few__map_flipped},
      {"time0.b",
       {"map_layer0.bias", "map_layer0.weight", "map_label.bias"},
       e->song && labels ? &hidden_bias : &few__map_copy},
      {"time1.w", {"map_layer1.weight"}, &few__map_linear},
      {"time1.b", {"map_layer1.bias"}, &few__map_copy},
      {"label.w",
       {"map_label.weight", "map_layer0.weight"},
       e->song ? &hidden_labels : &few__map_linear},
      {"augment.w", {"map_augment.weight", "map_layer0.weight"}, &augment_map},
  };
  if (!im->spec.augment) few__map_unused(im, "model.", "map_augment.weight");
  return few__map(im, "cond.", "model.", rows, FEW_COUNT(rows));
}

static few_status map(struct few_importer *im) {
  struct edm e = {0};
  char from[80];
  FEW_TRY(read_net(im, &e));
  FEW_TRY(map_embedding(im, &e));
  snprintf(from, sizeof from, "model.enc.%lldx%lld_conv.", (long long)e.side, (long long)e.side);
  FEW_TRY(FEW_MAP(im, "in.", from, conv));
  for (int l = 0; l < e.mults.n; l++) FEW_TRY(map_level(im, &e, l));
  for (int i = 0; i < 2; i++) {
    char to[40];
    const long long side = e.lowest;
    snprintf(to, sizeof to, "middle.%d.", i);
    snprintf(from, sizeof from, "model.dec.%lldx%lld_in%d.", side, side, i);
    FEW_TRY(map_block(im, &e, to, from));
  }
  snprintf(from, sizeof from, "model.dec.%lldx%lld_aux_norm.", (long long)e.side,
           (long long)e.side);
  FEW_TRY(FEW_MAP(im, "out_norm.", e.song ? from : "model.out_norm.", norm));
  snprintf(from, sizeof from, "model.dec.%lldx%lld_aux_conv.", (long long)e.side,
           (long long)e.side);
  if (!e.song) snprintf(from, sizeof from, "model.out_conv.");
  few__map_unused(im, "", "u");
  if (im->process == FEW_IMPORT_VE) return FEW_MAP(im, "out.", from, last_negated);
  return FEW_MAP(im, "out.", from, last);
}

const struct few_layout few__layout_edm = {
    .name = "EDMPrecond",
    .format = "edm",
    .help =
        "EDM's SongUNet (DDPM++, NCSN++) and DhariwalUNet (ADM), in all of its preconditionings, "
        "and ECT's models: a .pkl",
    .is = is,
    .describe = describe,
    .map = map,
};
