/* cmd_eval.c - few eval MODEL|IMAGES --ref DATA: measures how close images are to a reference, and
 * prints everything on which the numbers depend.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "recipes.h"
#include "sampling.h"

struct eval_opts {
  struct common common;
  struct few_sample_args sampling;
  struct few_eval_opts eval;
  const char *label, *save_ref;
  enum class_shares labels;
};
static const struct eval_opts initial = {.sampling = FEW_SAMPLE_ARGS_INIT,
                                         .eval = FEW_EVAL_OPTS_INIT};
#define S struct eval_opts
static const struct few_option options[] = {
    OPT_TEXT(S, eval.reference, "ref", "DATA", NULL,
             "the reference: images to compare with, given in the same ways as IMAGES"),
    OPT_TEXT(S, save_ref, "save-ref", "FILE.safetensors", NULL,
             "write the statistics of --ref to this file, which may be given as --ref later"),
    OPT_TEXT(S, eval.features, "features", "FEATURES", NULL,
             "feature network with which images are compared: see few list features; NAME=FILE "
             "gives its weights (default: pixels, which rate blurred images too well)"),
    OPT_TEXT(S, eval.metrics, "metrics", "METRICS", NULL,
             "metrics, separated by commas: see few list metrics (default: all that the features "
             "and the reference allow)"),
    OPT_INT(S, eval.n, "n", "N", "0", 0, 4e9,
            "images to measure; 0: 10000 of a model, all of a data set"),
    OPT_INT(S, eval.n_reference, "n-ref", "N", "0", 0, 4e9,
            "images of the reference, chosen at random; 0: all"),
    OPT_TEXT(S, label, "label", "LABEL", "all",
             "measure only one class, by name or number, of both sets; all: every class; none: "
             "samples without a label"),
    OPT_LABELS(S, labels),
    OPT_SAMPLING(S),
    OPT_SEED(S, eval.seed, "seed", "S", "0", "seed of the first set of samples"),
    OPT_INT(S, eval.seeds, "seeds", "K", "1", 1, 1000,
            "number of sets of samples, with seeds S, S+1 ...; with 2 or more, errors are "
            "estimated from the sets"),
    OPT_INT(S, eval.bootstrap, "bootstrap", "B", "0", 0, 1048576,
            "estimate errors from B random halves of one set of samples; 30 is enough"),
    OPT_INT(S, eval.keep, "keep", "N", "10000", 2, 16777216,
            "most images of each set that kid, pr, dc and energy use; their time grows with its "
            "square"),
    OPT_INT(S, eval.knn, "knn", "K", "0", 0, 64, "neighbours in pr and dc; 0: 3 in pr, 5 in dc"),
    OPT_CHOICE(S, eval.ball, "ball", "own", "own|closed|open",
               "whether the balls of pr and dc include their surface; own: as in the papers, that "
               "is, closed in pr and open in dc"),
    OPT_INT(S, eval.subsets, "subsets", "K", "100", 1, 1048576,
            "subsets over which metric kid is averaged"),
    OPT_INT(S, eval.subset_size, "subset-size", "N", "1000", 2, 1048576,
            "images in a subset of kid"),
    OPT_INT(S, eval.splits, "splits", "K", "10", 1, 1000,
            "splits over which the Inception score (metric is) is averaged"),
    OPT_MACHINE(S),
    OPT_QUIET(S),
    OPT_JSON(S, "print a JSON object in place of the table"),
    OPT_HELP(S),
    FEW_OPT_END};
#undef S

static const char text[] =
    "MODEL is a .safetensors file. IMAGES are a folder, an .npy or .npz file of uint8\n"
    "[N,H,W,C], or a data set (few list data). Two results can be compared only if\n"
    "everything else that is printed with them is the same.\n"
    "\n"
    "  few eval student.safetensors --ref fashion-mnist --steps 1 --n 10000\n"
    "  few eval student.safetensors --ref fashion-mnist:test --metrics fd,kid --seeds 3\n"
    "  few eval samples.npy --ref folder:photos --json\n"
    "  few eval --ref folder:photos --features inception=FILE --save-ref photos.safetensors\n"
    "  few eval samples.npy --ref photos.safetensors --features inception=FILE\n";

static void print_labels(const struct few_eval_report *r) {
  enum { SHOWN = 12 };
  if (!r->classes || r->label >= 0) return;
  printf("labels     ");
  for (int64_t i = 0; i < r->classes && i < SHOWN; i++)
    printf("%s%" PRId64, i ? ", " : "", r->label_counts[i]);
  if (r->classes > SHOWN) printf(" ... (%" PRId64 " classes)", r->classes);
  printf(": %s\n", few_eval_labels_text(r->labels));
}

static void print_head(const struct few_eval_report *r) {
  printf("source     %s, %.16s\n", r->source, r->source_hash);
  if (r->points)
    printf("           %" PRId64 " points of %" PRId64 " dimensions", r->n, r->c);
  else
    printf("           %" PRId64 " images of %" PRId64 "x%" PRId64 "x%" PRId64 "; %s", r->n, r->w,
           r->h, r->c, r->rounding);
  if (r->label >= 0) {
    printf("; label %d", r->label);
    if (r->label_name) printf(" (");
    cli_say(stdout, r->label_name ? r->label_name : "");
    printf("%s only", r->label_name ? ")" : "");
  }
  printf("\n");
  if (r->model) {
    printf("sampling   %s, %d step%s, guidance %g, seed %" PRIu64, r->sampler, r->steps,
           r->steps == 1 ? "" : "s", r->guidance, r->seed);
    if (r->seeds > 1) printf(" to %" PRIu64, r->seed + (uint64_t)r->seeds - 1);
    if (*r->settings) printf("\n           %s", r->settings);
    printf("\n           %d evaluation%s, %.4g GFLOP per image\n", r->nfe, r->nfe == 1 ? "" : "s",
           r->flops * 1e-9);
    print_labels(r);
  }
  if (r->reference)
    printf("reference  %s, %s, %" PRId64 " %s\n", r->reference, r->reference_hash, r->n_reference,
           r->points ? "points" : "images");
  printf("features   %s%s%.16s, %" PRId64 " values%s%s; %s %s\n", r->features,
         *r->features_hash ? ", " : "", r->features_hash, r->dim,
         *r->trained_on ? ", trained on " : "", r->trained_on, r->points ? "points" : "images",
         r->resize);
}

static void print_numbers(const struct few_eval_report *r) {
  printf("\n%-10s %12s %9s %-9s %8s %8s\n", "number", "value", "+-", "over", "n", "n ref");
  for (int i = 0; i < r->n_numbers; i++) {
    const struct few_eval_number *n = &r->number[i];
    char error[32] = "", reference[32] = "";
    if (isfinite(n->error)) snprintf(error, sizeof error, "%.3g", n->error);
    if (n->n_reference) snprintf(reference, sizeof reference, "%" PRId64, n->n_reference);
    printf("%-10s %12.6g %9s %-9s %8" PRId64 " %8s  %s\n", n->name, n->value, error, n->error_of,
           n->n, reference, n->how);
  }
}

static struct few_eval_opts options_of(const struct cli *cli, const struct eval_opts *o) {
  struct few_eval_opts e = o->eval;
  e.source = cli->n_operands ? cli->operands[0] : NULL;
  e.label = o->labels == SHARES_EVEN ? FEW_LABEL_EACH : FEW_LABEL_SHARES;
  if (!strcmp(o->label, "none"))
    e.label = FEW_LABEL_NONE;
  else if (strcmp(o->label, "all") != 0 && strcmp(o->label, "-1") != 0)
    e.label_word = o->label;
  return e;
}

static int evaluate(struct cli *cli, const struct few_eval_opts *e, const struct eval_opts *o) {
  struct few_eval_report *r = NULL;
  few_status st = few_eval(&r, cli->ctx, e);
  progress_clear(&cli->progress);
  char *json = NULL;
  const int code = cli_status(cli, st);
  if (r && o->common.json) st = few_eval_json(&json, cli->ctx, r);
  if (json) {
    printf("%s\n", json);
  } else if (r && !o->common.json) {
    print_head(r);
    print_numbers(r);
    if (!r->complete) printf("\nmissing    %s (interrupted)\n", r->missing);
  }
  const int written = r && o->common.json ? cli_status(cli, st) : CLI_DONE;
  few_text_free(cli->ctx, json);
  few_eval_report_free(r);
  return code ? code : written;
}

static int run(struct cli *cli, const void *opts) {
  const struct eval_opts *o = opts;
  char features[RECIPE_PATH];
  struct few_sample_args args = o->sampling;
  struct few_eval_opts e = options_of(cli, o);
  e.features = cli_find_features(features, o->eval.features);
  if (!e.source && !o->save_ref) return cli_usage("eval needs MODEL|IMAGES: few help eval");
  if (o->labels == SHARES_EVEN && strcmp(o->label, "all") != 0 && strcmp(o->label, "-1") != 0)
    return cli_usage(
        "eval: --labels applies to all classes, and --label is %.60s; leave out one of the two",
        o->label);
  if (o->save_ref && !o->eval.reference)
    return cli_usage("eval: --save-ref needs --ref: few help eval");
  int code = o->save_ref ? cli_check_file(o->save_ref) : CLI_DONE;
  if (!code) code = sampling_open(cli, &args);
  e.sampling = args.opts;
  if (!code && o->save_ref) {
    few_status st = few_eval_save_reference(cli->ctx, &e, o->save_ref);
    progress_clear(&cli->progress);
    code = cli_status(cli, st);
    e.reference = o->save_ref;
    e.n_reference = 0;
  }
  if (!code && e.source) code = evaluate(cli, &e, o);
  few_sample_args_close(&args);
  return code;
}

const struct command command_eval = {.name = "eval",
                                     .operands = "[MODEL|IMAGES]",
                                     .help = "Measure how close images are to a reference.",
                                     .text = text,
                                     .min_operands = 0,
                                     .max_operands = 1,
                                     .options = options,
                                     .size = sizeof(struct eval_opts),
                                     .initial = &initial,
                                     .stops = true,
                                     .run = run};
