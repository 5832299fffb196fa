/* cmd_data.c - few data SPEC: describes a data set before training on it. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

struct data_opts {
  struct common common;
  struct few_data_opts data;
  const char *out;
  int64_t n, first, columns, seed;
  bool skip_errors;
  struct few_augment_opts augment;
};
static const struct data_opts initial = {.data = FEW_DATA_OPTS_INIT};
#define S struct data_opts
static const struct few_option options[] = {
    FEW_DATA_OPTIONS(S, data),
    OPT_FLAG(S, skip_errors, "skip-errors", "the same as --on-error skip"),
    OPT_TEXT(S, out, "out", "FILE", NULL,
             "write items: NAME.png: a grid (of points: their density); NAME.npy: an array, with "
             "labels in a second file"),
    OPT_INT(S, n, "n", "N", "64", 1, 1e9,
            "--out: how many items to write, with the class shares of the data"),
    OPT_INT(S, first, "first", "I", "0", 0, 1e12, "--out: index of the first item to write"),
    OPT_INT(S, columns, "columns", "C", "0", 0, 10000,
            "--out: columns of a .png grid; 0: as square as possible"),
    FEW_AUGMENT_OPTIONS(S, augment),
    OPT_INT(S, seed, "seed", "SEED", "1", 0, 1e18,
            "--augment: write rows of this seed's stream of shuffled items, as training has them"),
    OPT_JSON(S, "print a JSON object in place of the table"),
    OPT_HELP(S),
    FEW_OPT_END};
#undef S

static const char text[] =
    "SPEC is READER or READER:WHERE; few list data shows the readers. A folder or a file may\n"
    "also be given by its path.\n"
    "\n"
    "  few data fashion-mnist --out fashion.png\n"
    "  few data folder:photos --size 64 --skip-errors\n"
    "  few data folder:photos --size 64 --holdout 0.1 --split test --n 100000 --out held.npy\n"
    "  few data fashion-mnist --augment 0.12 --out augmented.png\n"
    "  few data toy:moons --n 4096 --out moons.png\n"
    "  few data idx:train-images-idx3-ubyte.gz,train-labels-idx1-ubyte.gz\n";

/* Items of each class; NULL if the set has no labels or memory ran out. */
static int64_t *count_classes(const few_data *d) {
  int classes = few_data_n_classes(d);
  int64_t *count = classes ? calloc((size_t)classes, sizeof *count) : NULL;
  for (int64_t i = 0; count && i < few_data_n(d); i++) {
    int32_t label = few_data_label(d, i);
    if (label >= 0) count[label]++;
  }
  return count;
}

static void print_json(const few_data *d, const int64_t *count) {
  bool images = few_data_get_kind(d) == FEW_DATA_IMAGES;
  char hash[20];
  snprintf(hash, sizeof hash, "%016" PRIx64, few_data_hash(d));
  struct json j = {.out = stdout};
  json_open(&j, NULL, '{');
  json_text(&j, "data", few_data_spec(d));
  json_text(&j, "kind", images ? "images" : "points");
  json_int(&j, "n", few_data_n(d));
  json_int(&j, "skipped", few_data_skipped(d));
  json_int(&j, "h", few_data_h(d));
  json_int(&j, "w", few_data_w(d));
  json_int(&j, "c", few_data_c(d));
  json_number(&j, "mean", few_data_mean(d));
  json_number(&j, "std", few_data_std(d));
  json_text(&j, "hash", hash);
  json_text(&j, "note", few_data_note(d));
  json_open(&j, "classes", '[');
  for (int i = 0; count && i < few_data_n_classes(d); i++) {
    json_open(&j, NULL, '{');
    json_int(&j, "label", i);
    json_text(&j, "name", few_data_class_name(d, i));
    json_int(&j, "n", count[i]);
    json_close(&j);
  }
  json_close(&j);
  json_close(&j);
}

static void print_classes(const few_data *d, const int64_t *count) {
  enum { SHOWN = 40 };
  int classes = few_data_n_classes(d);
  for (int i = 0; i < classes && i < SHOWN; i++) {
    const char *name = few_data_class_name(d, i);
    printf("%10d  %8" PRId64 "%s", i, count[i], name ? "  " : "");
    cli_say(stdout, name ? name : "");
    putchar('\n');
  }
  if (classes > SHOWN) printf("%10s  and %d more\n", "...", classes - SHOWN);
}

static void print_table(const few_data *d, const int64_t *count) {
  bool images = few_data_get_kind(d) == FEW_DATA_IMAGES;
  printf("data      %s\n", few_data_spec(d));
  printf("items     %" PRId64 " %s", few_data_n(d), images ? "images" : "points");
  if (images)
    printf(" of %d x %d, %d channel%s\n", few_data_w(d), few_data_h(d), few_data_c(d),
           few_data_c(d) == 1 ? "" : "s");
  else
    printf(" in %d dimensions\n", few_data_c(d));
  if (few_data_note(d)) {
    printf("note      ");
    cli_say(stdout, few_data_note(d));
    putchar('\n');
  }
  if (few_data_skipped(d)) printf("skipped   %" PRId64 " broken items\n", few_data_skipped(d));
  printf("values    mean %.6f, standard deviation %.6f%s\n", few_data_mean(d), few_data_std(d),
         images ? "  (bytes as -1 .. 1)" : "");
  if (few_data_unevenness(d) > FEW_DATA_UNEVEN)
    printf("spread    smallest deviation of a %s: %.3g times smaller than that of all values\n",
           images ? "channel" : "coordinate", few_data_unevenness(d));
  printf("hash      %016" PRIx64 "\n", few_data_hash(d));
  if (few_data_n_classes(d) == 0) {
    printf("classes   none\n");
  } else {
    printf("classes   %d\n", few_data_n_classes(d));
    if (count) print_classes(d, count);
  }
}

/* ---- Augmented images, as a set in memory ---- */

struct augmented {
  const few_data *from;
  struct few_data_stream stream;
  int64_t first;
  float *x; /* one image */
};

static few_status augmented_item(void *user, int64_t index, void *values, int32_t *label) {
  const struct augmented *a = user;
  uint8_t *bytes = values;
  few_status st = few_data_fill(a->x, label, a->from, &a->stream, a->first + index, 1);
  for (int64_t i = 0; !st && i < few_data_item_size(a->from); i++) {
    const long v = lrint((a->x[i] + 1) * 127.5);
    bytes[i] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
  }
  return st;
}

/* A set of n rows. `names` has room for the names of the classes. */
static few_status augment(few_data **out, struct cli *cli, struct augmented *a, const char **names,
                          int64_t n) {
  const int classes = few_data_n_classes(a->from);
  struct few_data_memory m = FEW_DATA_MEMORY_INIT;
  for (int i = 0; i < classes; i++) names[i] = few_data_class_name(a->from, i);
  m.name = few_data_spec(a->from);
  m.n = n;
  m.h = few_data_h(a->from);
  m.w = few_data_w(a->from);
  m.c = few_data_c(a->from);
  m.item = augmented_item;
  m.user = a;
  m.n_classes = classes;
  if (classes && names[0]) m.class_names = names;
  return few_data_create(out, cli->ctx, &m, NULL);
}

static int write_augmented(struct cli *cli, const few_data *d, const struct data_opts *o) {
  const char **names = calloc((size_t)few_data_n_classes(d) + 1, sizeof *names);
  struct augmented a = {d, FEW_DATA_STREAM_INIT, o->first,
                        calloc((size_t)few_data_item_size(d), sizeof *a.x)};
  few_data *rows = NULL;
  int code = CLI_FAILED;
  a.stream.seed = (uint64_t)o->seed;
  a.stream.augment = o->augment;
  if (names && a.x) {
    few_status st = few_data_fill(NULL, NULL, d, &a.stream, o->first, 0); /* checks the options */
    if (!st) st = augment(&rows, cli, &a, names, o->n);
    if (!st) st = few_data_write(rows, o->out, 0, o->n, o->columns);
    if (!st && !o->common.json) printf("written   %s: %" PRId64 " augmented rows\n", o->out, o->n);
    code = cli_status(cli, st);
  } else {
    cli_failed("out of memory for %" PRId64 " rows", o->n);
  }
  few_data_free(rows);
  free(names);
  free(a.x);
  return code;
}

static int write_items(struct cli *cli, const few_data *d, const struct data_opts *o) {
  int64_t left = few_data_n(d) - o->first;
  if (o->augment.p > 0) return write_augmented(cli, d, o);
  if (left < 1)
    return cli_failed("--first %" PRId64 ": %s has %" PRId64 " items", o->first, few_data_spec(d),
                      few_data_n(d));
  int64_t n = o->n < left ? o->n : left;
  few_status st = few_data_write_spread(d, o->out, o->first, n, o->columns);
  if (!st && !o->common.json) printf("written   %s: %" PRId64 " items\n", o->out, n);
  return cli_status(cli, st);
}

static int run(struct cli *cli, const void *opts) {
  const struct data_opts *o = opts;
  struct few_data_opts d_opts = o->data;
  if (o->skip_errors) d_opts.on_error = FEW_DATA_SKIP;
  few_data *d = NULL;
  few_status st = few_data_open(&d, cli->ctx, cli->operands[0], &d_opts);
  if (st) {
    int failed = cli_status(cli, st);
    if (strstr(few_error(cli->ctx), "on_error"))
      cli_failed("--on-error skip leaves out broken items");
    return failed;
  }
  int64_t *count = count_classes(d);
  if (o->common.json)
    print_json(d, count);
  else
    print_table(d, count);
  int code = o->out ? write_items(cli, d, o) : CLI_DONE;
  free(count);
  few_data_free(d);
  return code;
}

const struct command command_data = {
    .name = "data",
    .operands = "SPEC",
    .help = "Describe a data set: size, classes, mean, hash, images.",
    .text = text,
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .size = sizeof(struct data_opts),
    .initial = &initial,
    .run = run};
