/* diffusers_unet.c - UNet2DModel of diffusers: the U-Nets of ADM and of DDPM.
 *
 * With resnet_time_scale_shift = scale_shift and resampling residual blocks it is ADM, the network
 * of OpenAI's consistency models; with `default` and convolutions DDPM's. A block with an affine
 * norm before its modulation is few's block without one: the norm's scale and shift fold into the
 * layers that give the modulation.
 *
 *   diffusers                      few
 *   conv_in                        in
 *   time_embedding.linear_1, _2    cond.time0, cond.time1
 *   class_embedding                cond.label
 *   down_blocks.L.resnets.B        down.L.B          (attentions.B: its attention)
 *   down_blocks.L.downsamplers.0   down.L.half
 *   mid_block.resnets.0, .1        middle.0, middle.1
 *   up_blocks.U.resnets.B          up.L.B            U counts from the lowest level: L = n - 1 - U
 *   up_blocks.U.upsamplers.0       up.L.twice
 *   conv_norm_out, conv_out        out_norm, out
 */
#include <inttypes.h>
#include <stdio.h>

#include "back.h"
#include "diffusion/net/blocks.h"

enum { LEVELS = 12, HEADS_WHOLE = 1024 };

/* The level's blocks in the configuration. */
struct level {
  int64_t channels;
  bool attention, resampling; /* resampling: residual blocks resample */
};
struct unet {
  int n;
  struct level level[LEVELS];
  int64_t blocks;
};

static const struct few_conf_key keys[] = {
    {"sample_size", FEW_KEY_READ, NULL},
    {"in_channels", FEW_KEY_READ, NULL},
    {"out_channels", FEW_KEY_READ, NULL},
    {"center_input_sample", FEW_KEY_ONLY, "false"},
    {"time_embedding_type", FEW_KEY_ONLY, "\"positional\""},
    {"time_embedding_dim", FEW_KEY_READ, NULL},
    {"freq_shift", FEW_KEY_READ, NULL},
    {"flip_sin_to_cos", FEW_KEY_READ, NULL},
    {"down_block_types", FEW_KEY_READ, NULL},
    {"mid_block_type", FEW_KEY_ONLY, "\"UNetMidBlock2D\""},
    {"up_block_types", FEW_KEY_READ, NULL},
    {"block_out_channels", FEW_KEY_READ, NULL},
    {"layers_per_block", FEW_KEY_READ, NULL},
    {"mid_block_scale_factor", FEW_KEY_ONLY, "1|1.0|null"},
    {"downsample_padding", FEW_KEY_READ, NULL},
    {"downsample_type", FEW_KEY_READ, NULL},
    {"upsample_type", FEW_KEY_READ, NULL},
    {"dropout", FEW_KEY_READ, NULL},
    {"act_fn", FEW_KEY_ONLY, "\"silu\"|\"swish\""},
    {"attention_head_dim", FEW_KEY_READ, NULL},
    {"norm_num_groups", FEW_KEY_READ, NULL},
    {"attn_norm_num_groups", FEW_KEY_READ, NULL},
    {"norm_eps", FEW_KEY_READ, NULL},
    {"resnet_time_scale_shift", FEW_KEY_ONLY, "\"scale_shift\"|\"default\""},
    {"add_attention", FEW_KEY_READ, NULL},
    {"class_embed_type", FEW_KEY_ONLY, "null"},
    {"num_class_embeds", FEW_KEY_READ, NULL},
    {"num_train_timesteps", FEW_KEY_NOTHING, NULL}, /* only of learned time embeddings */
};

static bool is(const struct few_origin *s) {
  const char *name = json_string_value(json_object_get(s->net.all, "_class_name"));
  return name && !strcmp(name, "UNet2DModel");
}

/* ---- The configuration ---- */

static few_status config_int(struct few_importer *im, const char *key, int64_t min, int64_t max,
                             int64_t otherwise, int64_t *out) {
  return few__conf_int(im->ctx, &im->source->net, key, min, max, otherwise, out);
}

/* A list of n items. */
static few_status list_of(struct few_importer *im, const char *key, size_t n, json_t **out) {
  FEW_TRY(few__json_array(im->ctx, im->source->net.place, im->source->net.all, key, out));
  if (json_array_size(*out) == n) return FEW_OK;
  return few__import_refuse(im,
                            "`%s` has %zu items, but block_out_channels has %zu: fetch it again",
                            key, json_array_size(*out), n);
}

static const struct {
  const char *down, *up;
  bool attention, resampling, either; /* either: downsample_type or upsample_type says */
} block_types[] = {
    {"DownBlock2D", "UpBlock2D", false, false, false},
    {"AttnDownBlock2D", "AttnUpBlock2D", true, false, true},
    {"ResnetDownsampleBlock2D", "ResnetUpsampleBlock2D", false, true, false},
};

static few_status block_type(struct few_importer *im, const char *key, const json_t *word, bool up,
                             bool resnet, struct level *out) {
  const char *name = json_string_value(word);
  for (int i = 0; name && i < FEW_COUNT(block_types); i++)
    if (!strcmp(name, up ? block_types[i].up : block_types[i].down)) {
      out->attention = block_types[i].attention;
      out->resampling = block_types[i].either ? resnet : block_types[i].resampling;
      return FEW_OK;
    }
  return few__import_refuse(im,
                            "`%s` has a `%.60s`: few can import %s, %s and %s: import a model of "
                            "these blocks",
                            key, name ? name : "", up ? block_types[0].up : block_types[0].down,
                            up ? block_types[1].up : block_types[1].down,
                            up ? block_types[2].up : block_types[2].down);
}

/* Is the word of downsample_type or upsample_type `resnet`? */
static few_status resamples(struct few_importer *im, const char *key, bool *out) {
  const char *word;
  FEW_TRY(few__conf_string(im->ctx, &im->source->net, key, "conv", &word));
  *out = !strcmp(word, "resnet");
  if (*out || !strcmp(word, "conv")) return FEW_OK;
  return few__import_refuse(im, "`%s` is `%.60s`: few can import conv and resnet", key, word);
}

static few_status read_levels(struct few_importer *im, struct unet *u) {
  json_t *channels, *down, *up;
  bool resnet[2];
  FEW_TRY(few__json_array(im->ctx, im->source->net.place, im->source->net.all, "block_out_channels",
                          &channels));
  const size_t n = json_array_size(channels);
  if (n < 1 || n > LEVELS)
    return few__import_refuse(im, "%zu levels: few can import 1 to %d", n, LEVELS);
  FEW_TRY(list_of(im, "down_block_types", n, &down));
  FEW_TRY(list_of(im, "up_block_types", n, &up));
  FEW_TRY(resamples(im, "downsample_type", &resnet[0]));
  FEW_TRY(resamples(im, "upsample_type", &resnet[1]));
  u->n = (int)n;
  for (int l = 0; l < u->n; l++) {
    struct level *at = &u->level[l], back = {0};
    at->channels = json_integer_value(json_array_get(channels, (size_t)l));
    if (at->channels < 1 || at->channels > 1 << 18)
      return few__import_refuse(im, "`block_out_channels` has %" PRId64 ": fetch it again",
                                at->channels);
    FEW_TRY(
        block_type(im, "down_block_types", json_array_get(down, (size_t)l), false, resnet[0], at));
    FEW_TRY(block_type(im, "up_block_types", json_array_get(up, n - 1 - (size_t)l), true, resnet[1],
                       &back));
    /* The lowest level is not halved, and the first not doubled. */
    if (at->attention != back.attention)
      return few__import_refuse(
          im, "level %d has attention only on the way %s: few has it on both ways or on none", l,
          at->attention ? "down" : "up");
    const bool halves = l + 1 < u->n ? at->resampling : u->level[0].resampling;
    const bool doubles = l > 0 ? back.resampling : u->level[0].resampling;
    if (halves != u->level[0].resampling || doubles != u->level[0].resampling)
      return few__import_refuse(
          im, "level %d resamples by %s, level 0 by %s: few has one way for all levels", l,
          u->level[0].resampling ? "convolutions" : "residual blocks",
          u->level[0].resampling ? "residual blocks" : "convolutions");
  }
  return FEW_OK;
}

static few_status read_size(struct few_importer *im) {
  const json_t *size = json_object_get(im->source->net.all, "sample_size");
  struct few_net_spec *s = &im->spec;
  int64_t side[2] = {0, 0};
  for (size_t i = 0; i < 2; i++)
    side[i] = json_integer_value(json_is_array(size) ? json_array_get(size, i) : size);
  if (im->o->size > 0) side[0] = side[1] = im->o->size;
  if (side[0] < 1 || side[1] < 1 || side[0] > 1 << 16 || side[1] > 1 << 16)
    return few__import_refuse(im, "`sample_size` does not say the size of images: give size");
  s->h = side[0];
  s->w = side[1];
  return FEW_OK;
}

static few_status read_channels(struct few_importer *im) {
  int64_t in, out;
  FEW_TRY(config_int(im, "in_channels", 1, 4096, 3, &in));
  FEW_TRY(config_int(im, "out_channels", 1, 8192, 3, &out));
  if (out != in && out != 2 * in)
    return few__import_refuse(im,
                              "%" PRId64 " channels in and %" PRId64
                              " out: few can import networks with as many out as in, or twice as "
                              "many (learned variances, which are left out)",
                              in, out);
  im->spec.c = in;
  im->outputs = out / in;
  FEW_TRY(config_int(im, "num_class_embeds", 1, 1 << 20, 0, &im->spec.classes));
  im->spec.unlabelled = im->spec.classes ? FEW_NO : FEW_UNKNOWN;
  return FEW_OK;
}

/* ---- Its options in few ---- */

static int64_t divisor(int64_t a, int64_t b) { return b ? divisor(b, a % b) : a; }

static few_status set_widths(struct few_importer *im, const struct unet *u) {
  char text[LEVELS * 24];
  size_t at = 0;
  int64_t unit = 0, embedding;
  FEW_TRY(config_int(im, "time_embedding_dim", 1, 1 << 20, 4 * u->level[0].channels, &embedding));
  for (int l = 0; l < u->n; l++) unit = divisor(u->level[l].channels, unit);
  unit = divisor(embedding, unit);
  for (int l = 0; l < u->n; l++)
    at += (size_t)snprintf(text + at, sizeof text - at, "%s%" PRId64, l ? "," : "",
                           u->level[l].channels / unit);
  FEW_TRY(few__import_set(im, "channels", "%" PRId64, unit));
  FEW_TRY(few__import_set(im, "mults", "%s", text));
  FEW_TRY(few__import_set(im, "embedding_mult", "%" PRId64, embedding / unit));
  if (u->level[0].channels == unit) return FEW_OK;
  return few__import_set(im, "time_channels", "%" PRId64, u->level[0].channels);
}

static few_status set_attention(struct few_importer *im, const struct unet *u) {
  char text[LEVELS * 24] = "1";
  size_t at = 0;
  int64_t head;
  bool middle;
  FEW_TRY(few__conf_bool(im->ctx, &im->source->net, "add_attention", true, &middle));
  /* Absent: 8. null: one head, as wide as the level. */
  FEW_TRY(config_int(im, "attention_head_dim", 1, 1 << 18, 0, &head));
  if (!json_object_get(im->source->net.all, "attention_head_dim")) head = 8;
  for (int l = 0; l < u->n; l++) {
    const int64_t side = im->spec.h >> l, c = u->level[l].channels;
    const bool uses = u->level[l].attention || (middle && l + 1 == u->n);
    if (!u->level[l].attention && side == 1 && !at)
      return few__import_refuse(im,
                                "level %d has images of one pixel and no attention: few cannot "
                                "describe this: give a larger size",
                                l);
    if (uses && (head ? c % head : c > HEADS_WHOLE))
      return few__import_refuse(im,
                                "attention_head_dim: few cannot divide the %" PRId64
                                " channels of level %d into heads of %" PRId64
                                " channels: import a model whose heads fit",
                                c, l, head ? head : c);
    if (u->level[l].attention)
      at += (size_t)snprintf(text + at, sizeof text - at, "%s%" PRId64, at ? "," : "", side);
  }
  FEW_TRY(few__import_set(im, "attention", "%s", text));
  FEW_TRY(few__import_set(im, "middle_attention", middle ? "yes" : "no"));
  return few__import_set(im, "head_channels", "%" PRId64, head ? head : (int64_t)HEADS_WHOLE);
}

static few_status set_norms(struct few_importer *im, bool folds) {
  int64_t groups, own;
  double eps;
  FEW_TRY(config_int(im, "norm_num_groups", 1, 1024, 32, &groups));
  FEW_TRY(config_int(im, "attn_norm_num_groups", 1, 1024, folds ? 0 : groups, &own));
  FEW_TRY(few__conf_real(im->ctx, &im->source->net, "norm_eps", 1e-5, &eps));
  bool middle;
  FEW_TRY(few__conf_bool(im->ctx, &im->source->net, "add_attention", true, &middle));
  if (middle && own != groups)
    return few__import_refuse(im,
                              "attn_norm_num_groups is %s%" PRId64
                              ", but few's norms all have %" PRId64
                              " groups (norm_num_groups): import a model where the two are equal",
                              own ? "" : "absent or ", own, groups);
  FEW_TRY(few__import_set(im, "groups", "%" PRId64, groups));
  FEW_TRY(few__import_set(im, "group_channels", "1"));
  return few__import_set(im, "norm_eps", "%.17g", eps);
}

static few_status set_rest(struct few_importer *im, const struct unet *u) {
  int64_t shift, padding;
  double dropout;
  FEW_TRY(config_int(im, "freq_shift", 0, 1, 0, &shift));
  FEW_TRY(config_int(im, "downsample_padding", 0, 1, 1, &padding));
  FEW_TRY(few__conf_real(im->ctx, &im->source->net, "dropout", 0, &dropout));
  FEW_TRY(few__import_set(im, "blocks", "%" PRId64, u->blocks));
  FEW_TRY(few__import_set(im, "freq_shift", "%" PRId64, shift));
  FEW_TRY(few__import_set(im, "dropout", "%.17g", dropout));
  FEW_TRY(few__import_set(im, "skip_scale", "1"));
  FEW_TRY(few__import_set(im, "resample", u->level[0].resampling ? "filter" : "conv"));
  return few__import_set(im, "pad", padding ? "both" : "end");
}

/* Does resnet_time_scale_shift say scale and shift, or (DDPM) only a shift? */
static bool folds(const struct few_importer *im) {
  const char *word =
      json_string_value(json_object_get(im->source->net.all, "resnet_time_scale_shift"));
  return word && !strcmp(word, "scale_shift");
}

static few_status describe(struct few_importer *im) {
  struct unet u = {0};
  FEW_TRY(few__conf_check(im->ctx, &im->source->net, keys, FEW_COUNT(keys)));
  FEW_TRY(few__import_net(im, "unet"));
  FEW_TRY(read_levels(im, &u));
  FEW_TRY(config_int(im, "layers_per_block", 1, 64, 2, &u.blocks));
  FEW_TRY(read_size(im));
  FEW_TRY(read_channels(im));
  FEW_TRY(set_widths(im, &u));
  FEW_TRY(set_attention(im, &u));
  FEW_TRY(set_norms(im, folds(im)));
  FEW_TRY(few__import_set(im, "modulation", folds(im) ? "adagn" : "add"));
  return set_rest(im, &u);
}

/* ---- The way back ---- */

static bool attends(const few_model *m, int l) {
  const struct few_int_list *sides = few__back_ints(m, "attention");
  for (int i = 0; i < sides->n; i++)
    if (sides->at[i] == m->spec.h >> l) return true;
  return false;
}

static void put_blocks(const few_model *m, struct few_json *j, bool up) {
  const int n = few__back_ints(m, "mults")->n;
  const bool resamples = few__back_is(m, "resample", "filter");
  few__json_open(j, up ? "up_block_types" : "down_block_types", '[');
  for (int i = 0; i < n; i++) {
    const int k = attends(m, up ? n - 1 - i : i) ? 1 : resamples ? 2 : 0;
    few__json_put_string(j, NULL, up ? block_types[k].up : block_types[k].down);
  }
  few__json_close(j);
}

/* 0: one head at each level that has attention. */
static int64_t head_width(const few_model *m) {
  const struct few_int_list *mults = few__back_ints(m, "mults");
  const int64_t head = few__back_int(m, "head_channels");
  int64_t widest = 0;
  bool divides = true;
  for (int l = 0; l < mults->n; l++) {
    const int64_t c = few__back_int(m, "channels") * mults->at[l];
    if (!attends(m, l) && !(l + 1 == mults->n && few__back_is(m, "middle_attention", "yes")))
      continue;
    divides = divides && c % head == 0;
    if (c > widest) widest = c;
  }
  return divides || widest > head ? head : 0;
}

static void put_attention(const few_model *m, struct few_json *j) {
  const int64_t head = head_width(m);
  few__json_put_bool(j, "add_attention", few__back_is(m, "middle_attention", "yes"));
  if (head)
    few__json_put_int(j, "attention_head_dim", head);
  else
    few__json_put_null(j, "attention_head_dim");
}

/* Norms have as many groups at all levels, or `describe` gives another network. */
static void put_norms(const few_model *m, struct few_json *j) {
  const struct few_res r = {.groups = few__back_int(m, "groups"),
                            .group_channels = few__back_int(m, "group_channels")};
  const int groups =
      few__res_groups(&r, few__back_int(m, "channels") * few__back_ints(m, "mults")->at[0]);
  few__json_put_int(j, "norm_num_groups", groups);
  few__json_put_int(j, "attn_norm_num_groups", groups);
  few__json_put_real(j, "norm_eps", few__back_real(m, "norm_eps"));
}

static void put_size(const few_model *m, struct few_json *j) {
  const struct few_net_spec *s = &m->spec;
  if (s->h == s->w) {
    few__json_put_int(j, "sample_size", s->h);
  } else {
    few__json_open(j, "sample_size", '[');
    few__json_put_int(j, NULL, s->h);
    few__json_put_int(j, NULL, s->w);
    few__json_close(j);
  }
  few__json_put_int(j, "in_channels", s->c);
  few__json_put_int(j, "out_channels", s->c);
  if (s->classes)
    few__json_put_int(j, "num_class_embeds", s->classes);
  else
    few__json_put_null(j, "num_class_embeds");
}

static void configure(const few_model *m, struct few_json *j) {
  const struct few_int_list *mults = few__back_ints(m, "mults");
  const int64_t unit = few__back_int(m, "channels");
  const char *resampling = few__back_is(m, "resample", "filter") ? "resnet" : "conv";
  put_size(m, j);
  few__json_put_string(j, "time_embedding_type", "positional");
  few__json_put_int(j, "time_embedding_dim", unit * few__back_int(m, "embedding_mult"));
  few__json_put_int(j, "freq_shift", few__back_int(m, "freq_shift"));
  few__json_put_bool(j, "flip_sin_to_cos", true);
  few__json_open(j, "block_out_channels", '[');
  for (int l = 0; l < mults->n; l++) few__json_put_int(j, NULL, unit * mults->at[l]);
  few__json_close(j);
  put_blocks(m, j, false);
  put_blocks(m, j, true);
  few__json_put_int(j, "layers_per_block", few__back_int(m, "blocks"));
  few__json_put_string(j, "downsample_type", resampling);
  few__json_put_string(j, "upsample_type", resampling);
  few__json_put_int(j, "downsample_padding", few__back_is(m, "pad", "both"));
  few__json_put_real(j, "dropout", few__back_real(m, "dropout"));
  few__json_put_string(j, "act_fn", "silu");
  put_attention(m, j);
  put_norms(m, j);
  few__json_put_string(j, "resnet_time_scale_shift",
                       few__back_is(m, "modulation", "add") ? "default" : "scale_shift");
}

/* ---- Tensors ---- */

static const struct few_map_row conv[] = {
    {"w", {"weight"}, &few__map_conv},
    {"b", {"bias"}, &few__map_copy},
};
static const struct few_map_row linear[] = {
    {"w", {"weight"}, &few__map_linear},
    {"b", {"bias"}, &few__map_copy},
};
static const struct few_map_row flipped[] = {
    {"w", {"weight"}, &few__map_flipped},
    {"b", {"bias"}, &few__map_copy},
};
static const struct few_map_row label[] = {
    {"label.w", {"weight"}, &few__map_copy},
};
static const struct few_map_row norm[] = {
    {"scale", {"weight"}, &few__map_copy},
    {"shift", {"bias"}, &few__map_copy},
};
static const struct few_map_row out[] = {
    {"w", {"weight"}, &few__map_first_conv},
    {"b", {"bias"}, &few__map_first_b},
};
static const struct few_map_row block[] = {
    {"norm0.scale", {"norm1.weight"}, &few__map_copy},
    {"norm0.shift", {"norm1.bias"}, &few__map_copy},
    {"conv0.w", {"conv1.weight"}, &few__map_conv},
    {"conv0.b", {"conv1.bias"}, &few__map_copy},
    {"conv1.w", {"conv2.weight"}, &few__map_conv},
    {"conv1.b", {"conv2.bias"}, &few__map_copy},
    {"skip.w", {"conv_shortcut.weight"}, &few__map_conv},
    {"skip.b", {"conv_shortcut.bias"}, &few__map_copy},
};
static const struct few_map_row scale_shift[] = {
    {"mod.scale.w", {"time_emb_proj.weight", "norm2.weight"}, &few__map_fold_scale_w},
    {"mod.scale.b", {"time_emb_proj.bias", "norm2.weight"}, &few__map_fold_scale_b},
    {"mod.shift.w", {"time_emb_proj.weight", "norm2.bias"}, &few__map_fold_shift_w},
    {"mod.shift.b", {"time_emb_proj.bias", "norm2.bias"}, &few__map_fold_shift_b},
};
static const struct few_map_row shift[] = {
    {"mod.shift.w", {"time_emb_proj.weight"}, &few__map_linear},
    {"mod.shift.b", {"time_emb_proj.bias"}, &few__map_copy},
    {"norm1.scale", {"norm2.weight"}, &few__map_copy},
    {"norm1.shift", {"norm2.bias"}, &few__map_copy},
};
static const struct few_map_row attention[] = {
    {"norm2.scale", {"group_norm.weight"}, &few__map_copy},
    {"norm2.shift", {"group_norm.bias"}, &few__map_copy},
    {"attention.qkv.w", {"to_q.weight", "to_k.weight", "to_v.weight"}, &few__map_join_w},
    {"attention.qkv.b", {"to_q.bias", "to_k.bias", "to_v.bias"}, &few__map_join_b},
    {"attention.out.w", {"to_out.0.weight"}, &few__map_linear},
    {"attention.out.b", {"to_out.0.bias"}, &few__map_copy},
};
/* The names before diffusers 0.17. */
static const struct few_map_row old_attention[] = {
    {"norm2.scale", {"group_norm.weight"}, &few__map_copy},
    {"norm2.shift", {"group_norm.bias"}, &few__map_copy},
    {"attention.qkv.w", {"query.weight", "key.weight", "value.weight"}, &few__map_join_w},
    {"attention.qkv.b", {"query.bias", "key.bias", "value.bias"}, &few__map_join_b},
    {"attention.out.w", {"proj_attn.weight"}, &few__map_linear},
    {"attention.out.b", {"proj_attn.bias"}, &few__map_copy},
};

static few_status map_block(struct few_importer *im, const char *to, const char *from) {
  FEW_TRY(FEW_MAP(im, to, from, block));
  return folds(im) ? FEW_MAP(im, to, from, scale_shift) : FEW_MAP(im, to, from, shift);
}

/* Block `to` with its attention; PART.resnets.B and PART.attentions.B. */
static few_status map_attending(struct few_importer *im, const char *to, const char *part,
                                int64_t b) {
  char from[80], old[100];
  snprintf(from, sizeof from, "%s.resnets.%" PRId64 ".", part, b);
  FEW_TRY(map_block(im, to, from));
  if (!few__map_has(im, to, "attention.qkv.w")) return FEW_OK;
  snprintf(from, sizeof from, "%s.attentions.%" PRId64 ".", part, b);
  snprintf(old, sizeof old, "%squery.weight", from);
  if (few__origin_find(im->source, old)) return FEW_MAP(im, to, from, old_attention);
  return FEW_MAP(im, to, from, attention);
}

/* Between levels: a residual block, or a convolution. */
static few_status map_resampling(struct few_importer *im, const char *to, const char *from) {
  char to_conv[40], from_conv[80];
  if (!few__map_has(im, to, "conv.w")) return map_block(im, to, from);
  snprintf(to_conv, sizeof to_conv, "%sconv.", to);
  snprintf(from_conv, sizeof from_conv, "%sconv.", from);
  return FEW_MAP(im, to_conv, from_conv, conv);
}

static few_status map_level(struct few_importer *im, const struct unet *u, int l) {
  char to[40], part[40], from[80];
  snprintf(part, sizeof part, "down_blocks.%d", l);
  for (int64_t b = 0; b < u->blocks; b++) {
    snprintf(to, sizeof to, "down.%d.%" PRId64 ".", l, b);
    FEW_TRY(map_attending(im, to, part, b));
  }
  snprintf(to, sizeof to, "down.%d.half.", l);
  snprintf(from, sizeof from, "%s.downsamplers.0.", part);
  if (l + 1 < u->n) FEW_TRY(map_resampling(im, to, from));
  snprintf(part, sizeof part, "up_blocks.%d", u->n - 1 - l);
  for (int64_t b = 0; b <= u->blocks; b++) {
    snprintf(to, sizeof to, "up.%d.%" PRId64 ".", l, b);
    FEW_TRY(map_attending(im, to, part, b));
  }
  snprintf(to, sizeof to, "up.%d.twice.", l);
  snprintf(from, sizeof from, "%s.upsamplers.0.", part);
  return l > 0 ? map_resampling(im, to, from) : FEW_OK;
}

static few_status map_embedding(struct few_importer *im) {
  bool cos_first;
  FEW_TRY(few__conf_bool(im->ctx, &im->source->net, "flip_sin_to_cos", true, &cos_first));
  const struct few_map_row *first = cos_first ? linear : flipped;
  FEW_TRY(few__map(im, "cond.time0.", "time_embedding.linear_1.", first, FEW_COUNT(linear)));
  FEW_TRY(FEW_MAP(im, "cond.time1.", "time_embedding.linear_2.", linear));
  return FEW_MAP(im, "cond.", "class_embedding.", label);
}

static few_status map(struct few_importer *im) {
  struct unet u = {0};
  FEW_TRY(read_levels(im, &u));
  FEW_TRY(config_int(im, "layers_per_block", 1, 64, 2, &u.blocks));
  FEW_TRY(FEW_MAP(im, "in.", "conv_in.", conv));
  FEW_TRY(map_embedding(im));
  for (int l = 0; l < u.n; l++) FEW_TRY(map_level(im, &u, l));
  FEW_TRY(map_attending(im, "middle.0.", "mid_block", 0));
  FEW_TRY(map_attending(im, "middle.1.", "mid_block", 1));
  FEW_TRY(FEW_MAP(im, "out_norm.", "conv_norm_out.", norm));
  return FEW_MAP(im, "out.", "conv_out.", out);
}

const struct few_layout few__layout_diffusers_unet = {
    .name = "UNet2DModel",
    .format = "diffusers",
    .help = "U-Nets of ADM (OpenAI's consistency models) and DDPM: a folder of a model or pipeline",
    .is = is,
    .describe = describe,
    .map = map,
    .net = "unet",
    .folder = "unet",
    .configure = configure,
};
