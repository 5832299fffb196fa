/* ignored.c - warnings about keys of a recipe that do nothing in this run.
 *
 * A key at its default gives no warning, since a resolved recipe has every key.
 */
#include "phase.h"

static bool has_fake(const struct few_setup *setup) { return few__has_fake(setup); }
static bool has_pairs(const struct few_setup *setup) { return setup->config.needs_pairs; }
static bool lr_ends(const struct few_setup *setup) {
  return setup->config.keys.lr_shape == FEW_LR_LINEAR ||
         setup->config.keys.lr_shape == FEW_LR_COSINE;
}
static bool lr_is_invsqrt(const struct few_setup *setup) {
  return setup->config.keys.lr_shape == FEW_LR_INVSQRT;
}
static bool no_ema_power(const struct few_setup *setup) {
  return !(setup->config.keys.ema_power > 0);
}
static bool plain_ema(const struct few_setup *setup) {
  return no_ema_power(setup) && setup->config.keys.ema > 0;
}
/* A recipe that gives preview_every, even as 0, may have the other preview_* keys without a
 * warning. The same holds for eval_every. */
static bool previews(const struct few_setup *setup) {
  return few__recipe_value(&setup->config.recipe, "preview_every") != NULL;
}
static bool evaluations(const struct few_setup *setup) {
  return few__recipe_value(&setup->config.recipe, "eval_every") != NULL;
}
static bool has_labels(const struct few_setup *setup) { return setup->spec.classes > 0; }
static bool images(const struct few_setup *setup) { return !setup->spec.points; }

static bool augments(const struct few_setup *setup) { return setup->spec.augment > 0; }

#define AUGMENT(key) \
  { "augment_" key, augments, "there is no augmentation: give augment" }
static const struct {
  const char *key;
  bool (*used)(const struct few_setup *setup);
  const char *why;
} rules[] = {
    {"fake_updates", has_fake, "no objective of this run has a fake network"},
    {"fake_lr", has_fake, "no objective of this run has a fake network"},
    {"pairs", has_pairs, "no objective of this run learns from pairs"},
    {"pairs_steps", has_pairs, "no objective of this run learns from pairs"},
    {"pairs_guidance", has_pairs, "no objective of this run learns from pairs"},
    {"lr_floor", lr_ends, "only lr_shape = linear or cosine use it"},
    {"lr_reference", lr_is_invsqrt, "only lr_shape = invsqrt uses it"},
    {"ema", no_ema_power, "ema_power replaces it: leave one of the two out"},
    {"ema_ramp", plain_ema, "only ema uses it"},
    {"preview_n", previews, "there are no previews: give preview_every"},
    {"preview_steps", previews, "there are no previews: give preview_every"},
    {"preview_guidance", previews, "there are no previews: give preview_every"},
    {"eval_n", evaluations, "there are no evaluations: give eval_every"},
    {"eval_ref", evaluations, "there are no evaluations: give eval_every"},
    {"eval_features", evaluations, "there are no evaluations: give eval_every"},
    {"eval_metrics", evaluations, "there are no evaluations: give eval_every"},
    {"eval_steps", evaluations, "there are no evaluations: give eval_every"},
    {"eval_guidance", evaluations, "there are no evaluations: give eval_every"},
    {"eval_labels", evaluations, "there are no evaluations: give eval_every"},
    {"label_dropout", has_labels, "the student is trained without labels"},
    {"flip", images, "the data are points, which are not mirrored"},
    AUGMENT("xflip"),
    AUGMENT("yflip"),
    AUGMENT("rotate_int"),
    AUGMENT("translate_int"),
    AUGMENT("scale"),
    AUGMENT("rotate_frac"),
    AUGMENT("aniso"),
    AUGMENT("translate_frac"),
    AUGMENT("translate_int_max"),
    AUGMENT("scale_std"),
    AUGMENT("rotate_frac_max"),
    AUGMENT("aniso_std"),
    AUGMENT("aniso_rotate_prob"),
    AUGMENT("translate_frac_std"),
};

few_status few__setup_warn_ignored(few_ctx *ctx, const struct few_setup *setup) {
  struct few_train_keys defaults;
  FEW_TRY(few_options_default(&defaults, ctx, few__train_options()));
  few_status st = FEW_OK;
  for (int i = 0; i < FEW_COUNT(rules) && !st; i++) {
    const struct few_option *o = few_option_find(few__train_options(), rules[i].key);
    struct few_text is = {0}, was = {0};
    assert(o);
    const char *given = few__recipe_value(&setup->config.recipe, o->key);
    if (!given || rules[i].used(setup)) continue;
    few__option_format(ctx, o, &setup->config.keys, &is);
    few__option_format(ctx, o, &defaults, &was);
    if (is.failed || was.failed) st = few__fail(ctx, FEW_E_MEMORY, "out of memory: options");
    if (!st && strcmp(is.at, was.at) != 0)
      few__log(ctx, FEW_LOG_WARN, "%s: %s = %s does nothing: %s", setup->config.recipe.place,
               o->key, given, rules[i].why);
    few__text_free(ctx, &is);
    few__text_free(ctx, &was);
  }
  return st;
}
