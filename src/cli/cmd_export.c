/* cmd_export.c - few export MODEL --out PATH: a model for programs without few, or with smaller
 * weights. */
#include <string.h>

#include "export_weights.h"
#include "recipes.h"
#include "sampling.h"

struct export_opts {
  struct common common;
  struct few_export_opts export;
  struct few_sample_args sampling;
  struct few_eval_opts eval;
  enum few_weight_type weights;
  const char *label, *out;
};
static const struct export_opts initial = {
    .export = FEW_EXPORT_OPTS_INIT, .sampling = FEW_SAMPLE_ARGS_INIT, .eval = FEW_EVAL_OPTS_INIT};
#define S struct export_opts
static const struct few_option options[] = {
    OPT_NEEDED(S, out, "out", "PATH",
               "NAME.onnx: an ONNX graph; NAME.safetensors: a model of few, with --weights; NAME/: "
               "a folder of diffusers"),
    OPT_CHOICE(S, export.what, "what", "sampler", "sampler|denoiser|network",
               "sampler: images from noise, all steps in one graph; denoiser: EDM's D(x, sigma), "
               "for solvers of other programs; network: F(x, t)"),
    OPT_SAMPLING(S),
    OPT_TEXT(S, label, "label", "LABEL", "input",
             "input: the graph has an input for the class of each image; a class by name or "
             "number: all images are of this class; none: no label"),
    OPT_CHOICE(S, export.pixels, "pixels", "signed", "signed|unit|uint8|rgb",
               "values of images. signed: float, [-1, 1], not clipped; unit: float, [0, 1]; uint8: "
               "0 to 255; rgb: the same with three channels, also of gray images"),
    OPT_FLAG(S, export.flat, "flat",
             "one input [N,D] for the noise of all steps, as of a generator of other programs"),
    OPT_CHOICE(
        S, weights, "weights", "f32", "f32|f16|bf16|int8",
        "number type of the weights in a .safetensors file; int8 has a scale for each output "
        "of a layer"),
    OPT_TEXT(S, eval.reference, "ref", "DATA", NULL,
             "measure samples of MODEL and of the .safetensors file against these images, as few "
             "eval does, with the options of sampling"),
    OPT_TEXT(S, eval.features, "features", "FEATURES", NULL,
             "feature network for --ref: see few list features (default: pixels)"),
    OPT_INT(S, eval.n, "n", "N", "10000", 2, 4e9, "images of each measurement for --ref"),
    OPT_QUIET(S),
    OPT_HELP(S),
    FEW_OPT_END};
#undef S

static const char text[] =
    "An ONNX file has standard operators (opset 18), the weights, and what the options\n"
    "of sampling choose. Batches may have any size. Images are [N,C,H,W], and noise is\n"
    "standard normal. What is written is printed, and is the doc string of the file.\n"
    "A folder of diffusers has a UNet2DModel or DiTTransformer2DModel and a scheduler. Only\n"
    "networks that diffusers can compute, such as imported ones, have this form.\n"
    "\n"
    "  few export student.safetensors --out student.onnx\n"
    "  few export teacher.safetensors --sampler dpmpp --steps 12 --guidance 2 --out t.onnx\n"
    "  few export teacher.safetensors --what denoiser --out denoiser.onnx\n"
    "  few export student.safetensors --out small.safetensors --weights int8 --ref photos\n"
    "  few export student.safetensors --flat --pixels rgb --out generator.onnx\n"
    "  few export student.safetensors --out student-diffusers/\n";

enum form { FORM_GRAPH, FORM_FEW, FORM_FOLDER };

static int export(struct cli *cli, const few_model *m, const struct export_opts *o,
                  struct few_sample_opts *s) {
  struct few_export_opts e = o->export;
  char *about = NULL;
  s->label = FEW_LABEL_EACH;
  int code = strcmp(o->label, "input") ? cli_label(cli, m, "export: --label", o->label, &s->label)
                                       : CLI_DONE;
  if (code) return code;
  e.sampling = s;
  const few_status st = few_export_onnx(&about, cli->ctx, m, o->out, &e);
  if (st) return cli_status(cli, st);
  if (!o->common.quiet) printf("%s:\n%s", o->out, about);
  few_text_free(cli->ctx, about);
  return CLI_DONE;
}

static bool ends(const char *name, const char *with) {
  const size_t n = strlen(name), k = strlen(with);
  return n > k && !strcmp(name + n - k, with);
}

static int export_few(struct cli *cli, const few_model *m, const struct export_opts *o,
                      const struct few_sample_opts *s) {
  char features[RECIPE_PATH];
  struct weights_export w = {cli->operands[0], o->out, o->weights, o->eval, o->common.quiet};
  w.eval.features = cli_find_features(features, o->eval.features);
  w.eval.sampling = *s;
  return cli_export_weights(cli, m, &w);
}

static int export_folder(struct cli *cli, const few_model *m, const struct export_opts *o) {
  char *about = NULL;
  const few_status st = few_export_diffusers(&about, cli->ctx, m, o->out);
  if (st) return cli_status(cli, st);
  if (!o->common.quiet) printf("%s:\n%s", o->out, about);
  few_text_free(cli->ctx, about);
  return CLI_DONE;
}

/* The first option of sampling that has not its default; NULL: all have. */
static const char *set_sampling(struct cli *cli, const struct few_sample_args *args) {
  static const struct few_sample_args usual = FEW_SAMPLE_ARGS_INIT;
  for (const struct few_option *o = few_sample_options(); o->key; o++) {
    char *a, *b;
    if (few_option_text(&a, cli->ctx, o, args)) continue;
    const bool same = !few_option_text(&b, cli->ctx, o, &usual) && !strcmp(a, b);
    few_text_free(cli->ctx, b);
    few_text_free(cli->ctx, a);
    if (!same) return o->key;
  }
  return NULL;
}

/* Options that the kind of file does not have. */
static int check(struct cli *cli, const struct export_opts *o, enum form form) {
  const char *key = form == FORM_FOLDER ? set_sampling(cli, &o->sampling) : NULL;
  if (form != FORM_FEW && o->weights != FEW_WEIGHTS_F32)
    return cli_usage("export: --weights is for .safetensors files; others have float32");
  if (form != FORM_FEW && (o->eval.reference || o->eval.features))
    return cli_usage("export: --ref and --features are for .safetensors files; leave them out");
  if (form != FORM_GRAPH && (o->export.what || o->export.pixels || o->export.flat))
    return cli_usage("export: --what, --pixels and --flat are for .onnx files; leave them out");
  if (form == FORM_FOLDER && (key || strcmp(o->label, "input") != 0))
    return cli_usage("export: --%s cannot be a part of a folder of diffusers; leave it out",
                     key ? key : "label");
  return CLI_DONE;
}

static bool form_of(const char *out, enum form *form) {
  *form = ends(out, ".onnx") ? FORM_GRAPH : ends(out, ".safetensors") ? FORM_FEW : FORM_FOLDER;
  return *form != FORM_FOLDER || out[strlen(out) - 1] == '/';
}

static int run(struct cli *cli, const void *opts) {
  const struct export_opts *o = opts;
  struct few_sample_args args = o->sampling;
  few_model *m = NULL;
  enum form form;
  if (!form_of(o->out, &form))
    return cli_usage(
        "export: --out %.200s: give a name that ends in .onnx or .safetensors, or in "
        "/ for a folder of diffusers",
        o->out);
  int code = check(cli, o, form);
  if (!code && form != FORM_FOLDER) code = cli_check_file(o->out);
  if (code) return code;
  code = sampling_open(cli, &args);
  if (!code) code = cli_status(cli, few_model_load(&m, cli->ctx, cli->operands[0]));
  if (!code && form == FORM_GRAPH) code = export(cli, m, o, &args.opts);
  if (!code && form == FORM_FEW) code = export_few(cli, m, o, &args.opts);
  if (!code && form == FORM_FOLDER) code = export_folder(cli, m, o);
  few_sample_args_close(&args);
  few_model_free(m);
  return code;
}

const struct command command_export = {
    .name = "export",
    .operands = "MODEL",
    .help = "Write a model as an ONNX file, for diffusers, or with smaller weights.",
    .text = text,
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .size = sizeof(struct export_opts),
    .initial = &initial,
    .run = run};
