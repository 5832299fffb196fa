/* cmd_check.c - few check MODEL: are the derivatives of this very network right? How straight are
 * its paths? And few check --init RECIPE: how large are activations and gradients, block by block,
 * before anything is learned? */
#include <string.h>

#include "cli.h"
#include "recipes.h"

enum { MAX_OPERANDS = 256 };

struct check_opts {
  struct common common;
  bool straightness, init, fill;
  int64_t n, steps, rows;
  double guidance, std;
  uint64_t seed;
};
#define S struct check_opts
static const struct opt options[] = {
    OPT_FLAG(S, straightness, "straightness",
             "in place of derivatives: how straight the paths from noise to images are"),
    OPT_INT(S, n, "n", "N", "256", 1, 1e6, "of so many paths"),
    OPT_INT(S, steps, "steps", "K", "64", 1, 10000, "along so many steps"),
    OPT_REAL(S, guidance, "guidance", "G", "1", 0, 100, "of the paths; 1: none"),
    OPT_FLAG(S, init, "init", "of a RECIPE's network at initialisation: activations, gradients"),
    OPT_REAL(S, std, "std", "S", "0", 0, 100,
             "--init: of all weights; 0: as the network draws them"),
    OPT_FLAG(S, fill, "fill", "--init: draw the weights too that begin at zero"),
    OPT_INT(S, rows, "rows", "N", "16", 1, 65536, "--init: rows of noise that are fed"),
    OPT_SEED(S, seed, "seed", "S", "1", "--init: of weights and noise"),
    OPT_WORKERS(S),
    OPT_BACKEND(S),
    OPT_JSON(S, "an array of JSON objects; of straightness, an object"),
    OPT_HELP(S),
    OPT_END};
#undef S

static const char text[] =
    "On the model's own weights, in f64: central differences against the derivative that\n"
    "few builds, and the adjoint test <w, Jd> = <J'w, d>. Each sees mistakes that the\n"
    "other misses. Exit code 1 where a number is over its bound.\n"
    "\n"
    "Straightness is the mean square of the velocity less the line from end to end, per\n"
    "value, in flow matching's time: 0 where one step is enough (arXiv 2209.03003). It falls\n"
    "with each reflow.\n"
    "\n"
    "With --init, root mean squares of what each block gives and of the gradient there, 1 at\n"
    "the output; KEY=VALUE as for few train. Layers that begin at zero give and pass none:\n"
    "--fill shows the rest.\n"
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
  struct few_sample_opts s = FEW_SAMPLE_OPTS_INIT;
  double value = 0;
  s.n = o->n;
  s.steps = (int)o->steps;
  s.guidance = o->guidance;
  s.label = FEW_LABEL_SHARES;
  few_status st = few_model_straightness(m, &s, &value);
  progress_clear(&cli->progress);
  if (st) return cli_status(cli, st);
  if (o->common.json) {
    struct json j = {.out = stdout};
    json_open(&j, NULL, '{');
    json_number(&j, "straightness", value);
    json_int(&j, "n", o->n);
    json_int(&j, "steps", o->steps);
    json_close(&j);
  } else {
    printf("straightness %.4g a value, over %d paths of %d steps\n", value, (int)o->n,
           (int)o->steps);
  }
  return CLI_DONE;
}

/* ---- at initialisation ---- */

struct listing {
  bool as_json, zeros;
  struct json json;
};

static void tell_layer(void *user, const struct few_signal_layer *l) {
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
  struct few_signal_opts s = FEW_SIGNAL_OPTS_INIT;
  struct listing listing = {.as_json = o->common.json, .json = {.out = stdout}};
  few_model *m = NULL;
  t.recipe = cli_find_recipe(path, cli->operands[0]);
  t.overrides = overrides;
  for (int i = 1; i < cli->n_operands; i++) overrides[t.n_overrides++] = cli->operands[i];
  few_status st = few_train_model(&m, cli->ctx, &t);
  if (st) return cli_status(cli, st);
  s.std = o->std;
  s.fill = o->fill;
  s.rows = o->rows;
  s.seed = o->seed;
  s.layer = tell_layer;
  s.user = &listing;
  if (o->common.json)
    json_open(&listing.json, NULL, '[');
  else
    printf("%-24s %-20s %12s %12s\n", "block", "shape", "activation", "gradient");
  st = few_model_signal(m, &s);
  if (o->common.json) json_close(&listing.json);
  if (!st && !o->common.json && listing.zeros && !o->fill)
    opt_wrap(
        stdout, 0, 0,
        "0 is as it should be: some layers begin at zero, the last among them, so they give 0 and "
        "pass no gradient to the blocks before them. --fill draws these weights too, and shows "
        "what the blocks do once they have grown.");
  few_model_free(m);
  return cli_status(cli, st);
}

static int run(struct cli *cli, const void *opts) {
  const struct check_opts *o = opts;
  if (o->init && o->straightness)
    return cli_usage("check: --init and --straightness at once; give one of the two");
  if (o->init) return check_init(cli, o);
  if (o->fill || o->std > 0) return cli_usage("check: --fill and --std are for --init RECIPE");
  if (cli->n_operands > 1)
    return cli_usage("check takes one MODEL; \"%.60s\" is too much", cli->operands[1]);
  few_model *m = NULL;
  few_status st = few_model_load(cli->ctx, &m, cli->operands[0]);
  if (st) return cli_status(cli, st);
  if (o->straightness) {
    int code = straightness(cli, m, o);
    few_model_free(m);
    return code;
  }
  struct few_model_check check[FEW_MODEL_CHECKS];
  st = few_model_check(m, check);
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
    .help = "Check the derivatives of a model's network, its paths, or its beginning.",
    .text = text,
    .min_operands = 1,
    .max_operands = MAX_OPERANDS,
    .options = options,
    .size = sizeof(struct check_opts),
    .run = run};
