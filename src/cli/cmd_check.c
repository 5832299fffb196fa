/* cmd_check.c - few check MODEL: checks the derivatives of a network, or measures how straight its
 * paths are. few check --init RECIPE: prints the size of activations and gradients, block by block,
 * before training. */
#include <string.h>

#include "cli.h"
#include "recipes.h"

enum { MAX_OPERANDS = 256 };

struct check_opts {
  struct common common;
  struct few_sample_opts paths;
  struct few_signal_opts signal;
  bool straightness, init;
};
static const struct check_opts initial = {.paths = FEW_SAMPLE_OPTS_INIT,
                                          .signal = FEW_SIGNAL_OPTS_INIT};
#define S struct check_opts
static const struct few_option options[] = {
    OPT_FLAG(
        S, straightness, "straightness",
        "measure how straight the paths from noise to images are; derivatives are not checked"),
    OPT_INT(S, paths.n, "n", "N", "256", 1, 1e6, "--straightness: number of paths"),
    OPT_INT(S, paths.steps, "steps", "K", "64", 1, 10000, "--straightness: steps along each path"),
    OPT_REAL(S, paths.guidance, "guidance", "G", "1", 0, 100,
             "--straightness: guidance scale; 1: no guidance"),
    OPT_FLAG(S, init, "init",
             "print the size of activations and gradients of a recipe's network at initialisation"),
    OPT_REAL(S, signal.std, "std", "S", "0", 0, 100,
             "--init: standard deviation of all weights; 0: as the network initialises them"),
    OPT_FLAG(S, signal.fill, "fill",
             "--init: also give random values to the weights that begin at zero"),
    OPT_INT(S, signal.rows, "rows", "N", "16", 1, 65536, "--init: rows of noise in the batch"),
    OPT_SEED(S, signal.seed, "seed", "S", "1", "--init: seed of weights and noise"),
    OPT_WORKERS(S),
    OPT_BACKEND(S),
    OPT_JSON(S, "print an array of JSON objects; with --straightness, one object"),
    OPT_HELP(S),
    FEW_OPT_END};
#undef S

static const char text[] =
    "Derivatives are checked on the model's own weights, in f64: by central differences, and\n"
    "by the adjoint test <w, Jd> = <J'w, d>. Each finds errors that the other misses. The\n"
    "exit code is 1 if a number exceeds its bound.\n"
    "\n"
    "Straightness is the mean square, per value, of the velocity minus its mean along the\n"
    "path, in flow matching's time. It is 0 if one step is enough, and falls with each reflow\n"
    "(arXiv 2209.03003).\n"
    "\n"
    "For each block, --init prints the root mean square of its output, and of the gradient\n"
    "with respect to its output. At the network's output the gradient has root mean square\n"
    "1. KEY=VALUE are as in few train. Layers whose weights start at zero give 0 and stop the\n"
    "gradient; --fill shows the layers before them.\n"
    "\n"
    "  few check --init toy-teacher layers=16 --fill\n"
    "  few check --init fashion-teacher --std 0.02 --json\n";

static void print_json(const struct few_model_check *check) {
  struct json j = {.out = stdout};
  json_open(&j, NULL, '[');
  for (int i = 0; i < FEW_MODEL_CHECKS; i++) {
    json_open(&j, NULL, '{');
    json_text(&j, "what", check[i].what);
    json_number(&j, "difference", check[i].difference);
    json_number(&j, "difference_bound", check[i].difference_bound);
    json_number(&j, "adjoint", check[i].adjoint);
    json_number(&j, "adjoint_bound", check[i].adjoint_bound);
    json_bool(&j, "ok", check[i].ok);
    json_close(&j);
  }
  json_close(&j);
}

static void print_table(const struct few_model_check *check) {
  printf("%-36s %10s %8s %10s %8s\n", "derivative", "difference", "bound", "adjoint", "bound");
  for (int i = 0; i < FEW_MODEL_CHECKS; i++)
    printf("%-36s %10.2e %8.0e %10.2e %8.0e  %s\n", check[i].what, check[i].difference,
           check[i].difference_bound, check[i].adjoint, check[i].adjoint_bound,
           check[i].ok ? "ok" : "WRONG");
}

static int straightness(struct cli *cli, few_model *m, const struct check_opts *o) {
  struct few_sample_opts s = o->paths;
  double value = 0;
  s.label = FEW_LABEL_SHARES;
  few_runner *runner = NULL;
  few_status st = few_runner_create(&runner, cli->ctx, m);
  if (!st) st = few_model_straightness(&value, runner, &s);
  few_runner_free(runner);
  progress_clear(&cli->progress);
  if (st) return cli_status(cli, st);
  if (o->common.json) {
    struct json j = {.out = stdout};
    json_open(&j, NULL, '{');
    json_number(&j, "straightness", value);
    json_int(&j, "n", s.n);
    json_int(&j, "steps", s.steps);
    json_close(&j);
  } else {
    printf("straightness %.4g per value, over %d paths of %d steps\n", value, (int)s.n, s.steps);
  }
  return CLI_DONE;
}

/* ---- at initialisation ---- */

struct listing {
  bool as_json, zeros;
  struct json json;
};

static void print_layer(void *user, const struct few_signal_layer *l) {
  struct listing *t = user;
  char shape[96] = "";
  for (int k = 0; k < l->shape.rank; k++) {
    const size_t n = strlen(shape);
    snprintf(shape + n, sizeof shape - n, k ? "x%lld" : "%lld", (long long)l->shape.dim[k]);
  }
  t->zeros |= l->activation == 0 || l->gradient == 0;
  if (!t->as_json) {
    printf("%-24s %-20s %12.4g %12.4g\n", l->name, shape, l->activation, l->gradient);
    return;
  }
  json_open(&t->json, NULL, '{');
  json_text(&t->json, "block", l->name);
  json_text(&t->json, "shape", shape);
  json_number(&t->json, "activation", l->activation);
  json_number(&t->json, "gradient", l->gradient);
  json_close(&t->json);
}

static int check_init(struct cli *cli, const struct check_opts *o) {
  char path[RECIPE_PATH];
  const char *overrides[MAX_OPERANDS];
  struct few_train_opts t = FEW_TRAIN_OPTS_INIT;
  struct few_signal_opts s = o->signal;
  struct listing listing = {.as_json = o->common.json, .json = {.out = stdout}};
  few_model *m = NULL;
  t.recipe = cli_find_recipe(path, cli->operands[0]);
  t.overrides = overrides;
  for (int i = 1; i < cli->n_operands; i++) overrides[t.n_overrides++] = cli->operands[i];
  few_status st = few_train_model(&m, cli->ctx, &t);
  if (st) return cli_status(cli, st);
  s.layer = print_layer;
  s.user = &listing;
  if (o->common.json)
    json_open(&listing.json, NULL, '[');
  else
    printf("%-24s %-20s %12s %12s\n", "block", "shape", "activation", "gradient");
  st = few_model_signal(m, &s);
  if (o->common.json) json_close(&listing.json);
  if (!st && !o->common.json && listing.zeros && !s.fill)
    opt_wrap(
        stdout, 0, 0,
        "Zeros are normal here: in some layers, such as the last, all weights begin at zero, so "
        "they output 0 and pass no gradient to the blocks before them. --fill also gives these "
        "weights random values, and shows what the blocks do later.");
  few_model_free(m);
  return cli_status(cli, st);
}

static int run(struct cli *cli, const void *opts) {
  const struct check_opts *o = opts;
  if (o->init && o->straightness)
    return cli_usage(
        "check: --init and --straightness exclude each other; give only one of the two");
  if (o->init) return check_init(cli, o);
  if (o->signal.fill || o->signal.std > 0)
    return cli_usage("check: --fill and --std are for --init RECIPE");
  if (cli->n_operands > 1)
    return cli_usage("check takes one MODEL; \"%.60s\" is one too many", cli->operands[1]);
  few_model *m = NULL;
  few_status st = few_model_load(&m, cli->ctx, cli->operands[0]);
  if (st) return cli_status(cli, st);
  if (o->straightness) {
    int code = straightness(cli, m, o);
    few_model_free(m);
    return code;
  }
  struct few_model_check check[FEW_MODEL_CHECKS];
  st = few_model_check(check, sizeof *check, m);
  progress_clear(&cli->progress);
  few_model_free(m);
  if (st) return cli_status(cli, st);
  if (o->common.json)
    print_json(check);
  else
    print_table(check);
  for (int i = 0; i < FEW_MODEL_CHECKS; i++)
    if (!check[i].ok) return cli_failed("%s: a derivative is wrong", cli->operands[0]);
  return CLI_DONE;
}

const struct command command_check = {
    .name = "check",
    .operands = "MODEL | --init RECIPE [KEY=VALUE ...]",
    .help = "Check a model's derivatives, its paths, or a network's initialisation.",
    .text = text,
    .min_operands = 1,
    .max_operands = MAX_OPERANDS,
    .options = options,
    .size = sizeof(struct check_opts),
    .initial = &initial,
    .run = run};
