/* cli.h - declarations that the commands of the program share.
 *
 * A command is one file, cmd_x.c, that defines `const struct command command_x`, and one row in
 * commands.def. main.c parses the command line by the command's option table, creates a context
 * with log and progress, and calls `run`.
 */
#ifndef FEW_SRC_CLI_CLI_H
#define FEW_SRC_CLI_CLI_H

#include <few.h>
#include <stdarg.h>
#include <stdio.h>

#include "json.h"
#include "opt.h"
#include "progress.h"

enum { CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_STOPPED = 130 };

/* First member of every command's options. */
struct common {
  bool help, quiet, json;
  int64_t workers;
  const char *backend;
  few_precision precision;
};
#define OPT_HELP(S) OPT_FLAG(S, common.help, "help", "print this text")
#define OPT_QUIET(S) OPT_FLAG(S, common.quiet, "quiet", "print no progress and no summary")
#define OPT_JSON(S, what) OPT_FLAG(S, common.json, "json", what)
#define OPT_WORKERS(S)                                    \
  OPT_INT(S, common.workers, "workers", "W", "0", 0, 256, \
          "threads; 0: one per processor. Never changes a result")
#define OPT_BACKEND(S)                                    \
  OPT_TEXT(S, common.backend, "backend", "BACKEND", NULL, \
           "what computes: see few backend list (default: cpu)")
#define OPT_PRECISION(S)                                                        \
  OPT_CHOICE(S, common.precision, "precision", "fp32", "fp32|tf32|bf16",        \
             "number type of the factors in matrix products; bf16 also stores " \
             "activations in bf16; tf32 needs backend cuda")
#define OPT_MACHINE(S) OPT_WORKERS(S), OPT_BACKEND(S), OPT_PRECISION(S)

struct cli {
  few_ctx *ctx;
  const struct command *command;
  int n_operands;
  char **operands;
  struct progress progress;
};

struct command {
  const char *name;
  const char *alias;    /* an older name, which still works; NULL: none */
  const char *operands; /* "RECIPE [KEY=VALUE ...]" */
  const char *help;     /* one line */
  const char *text;     /* remarks and examples, shown after the options; NULL: none */
  int min_operands, max_operands;
  const struct few_option *options; /* read them with cli_options */
  size_t size;                      /* of the struct that the table fills */
  const void *initial; /* the struct before its defaults and options are set; NULL: all zero */
  bool stops;          /* a signal stops it through the progress callback (main.c) */
  int (*run)(struct cli *cli, const void *opts);
};

#define COMMAND(name) extern const struct command command_##name;
#include "commands.def"
#undef COMMAND

/* The options of a command, with OPT_SAMPLING replaced by the rows that it stands for. */
enum { CLI_OPTIONS_MAX = 64 };
struct cli_options {
  struct few_option row[CLI_OPTIONS_MAX];
};
const struct few_option *cli_options(struct cli_options *out, const struct command *c);

/* Prints text that may come from files. Control characters, to which a terminal could react, are
 * printed as ?. */
void cli_say(FILE *out, const char *text);
void cli_vsay(FILE *out, const char *fmt, va_list args);

/* Command i in the order of commands.def; NULL past the last. */
const struct command *cli_command(int i);
/* The command of this name or alias; NULL if there is none. */
const struct command *cli_find(const char *name);
/* Reports that `word` is not a command; CLI_USAGE. */
int cli_no_command(const char *word);
void cli_overview(FILE *out);
void cli_command_help(FILE *out, const struct command *c);

/* "few: sentence" to stderr; returns CLI_USAGE, CLI_FAILED. */
int cli_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int cli_failed(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Prints the context's last error. Returns CLI_STOPPED for FEW_E_CANCELLED, otherwise
 * CLI_FAILED. */
int cli_status(struct cli *cli, few_status status);

/* ---- images.c ---- */
/* Sets *out from "all", "each", "none", the name of a class or its number. `option` is for
 * messages: "sample: --label". */
int cli_label(struct cli *cli, const few_model *m, const char *option, const char *word, int *out);
/* A class that an option names. */
struct cli_class {
  const char *key; /* "label" */
  const few_model *m;
  int label; /* below 0: the option names no single class */
};
/* Prints ", label 5 (sandal)", or nothing if the option names no class. */
void cli_say_class(FILE *out, const struct cli_class *c);
/* Writes "label": 5, "label_name": "sandal", or null if there is none. */
void cli_json_class(struct json *j, const struct cli_class *c);
/* Called before hours of sampling: checks that the output can be written. cli_check_file is for a
 * file, cli_check_out for images in any of their forms. */
int cli_check_file(const char *out);
int cli_check_out(const char *command, const struct few_model_info *info, const char *out);
/* What to do with an output folder that has files already. few eval and few train would read old
 * and new images in one folder as one set. */
enum cli_existing { CLI_REFUSE, CLI_KEEP, CLI_REPLACE };
#define OPT_EXISTING(S)                                                                  \
  OPT_CHOICE(S, existing, "existing", "refuse", "refuse|keep|replace",                   \
             "if --out is a folder with files in it: refuse it, keep the files and add " \
             "to them, or replace the images that few wrote")
bool cli_is_folder(const char *out);
int cli_check_folder(const char *command, const char *out, enum cli_existing existing);
/* For CLI_REPLACE: removes images 000000.png ... from the folder `out`. */
int cli_clear_folder(const char *out, enum cli_existing existing);

/* Images from files, folders, arrays and data sets, for a model. */
struct cli_images {
  int64_t n;
  float *at; /* [n][h*w*c], as few_data_get gives them */
  /* [n] labels of the data for each of two models, by the model's class numbers. -1 if the data or
   * the model have no labels, or if `own` is false. */
  int32_t *label[2];
};
struct cli_labels {
  const few_model *m; /* NULL: none */
  bool own;           /* use the labels of the data */
};
/* Reads images that have the shape of model of[0].m. `most`: read at most so many; 0: all. */
int cli_images(struct cli *cli, struct cli_images *out, const struct cli_labels of[2], int n_words,
               char **words, int64_t most);
void cli_images_free(struct cli_images *p);
/* "own" leaves label[n] as it is. Other words have the same meaning as in cli_label, and fill
 * label[n]. *one is the label that cli_label sets, or FEW_LABEL_EACH for "own". */
int cli_own_label(struct cli *cli, const few_model *m, const char *option, const char *word,
                  int64_t n, int32_t *label, int *one);

double cli_seconds(void); /* a monotonic clock */
/* "0.42 s", "2m10s", "3h05m", "2d04h". */
const char *cli_duration(char out[32], double seconds);

/* How many of n images a job has finished. */
struct cli_made {
  int64_t finished, n;
};
/* Called after a job that keeps finished images. FEW_OK if images are to be written: all of them,
 * or those that were finished before an interrupt. Otherwise st. */
few_status cli_keep(struct cli *cli, few_status st, const struct cli_made *made);
/* Called after writing. If images are missing, reports that and how to make them (`rest`; NULL:
 * nothing to add). Returns CLI_DONE or CLI_STOPPED. */
int cli_interrupted(const char *out, const struct cli_made *made, const char *rest);

/* Printed at the end of a command: a JSON object, or "OUT: N images WHAT in TIME ...". */
struct cli_result {
  const char *out, *what;
  struct cli_made made;
  int nfe;
  double seconds;
  int n_classes; /* entries of `of` */
  struct cli_class of[2];
};
void cli_report(const struct common *c, const struct cli_result *r);

#endif
