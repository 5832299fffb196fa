/* main.c - the program few: finds the command, reads its arguments, creates a context, runs it.
 *
 * Exit codes: 0 done, 1 failed, 2 usage, 130 stopped by a signal in a state that can be resumed.
 * Results go to stdout; errors, warnings and progress go to stderr.
 */
#include <assert.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

static const struct command *const commands[] = {
#define COMMAND(name) &command_##name,
#include "commands.def"
#undef COMMAND
};
enum { N_COMMANDS = sizeof commands / sizeof *commands };

static volatile sig_atomic_t stop;
static struct cli cli;

/* ---- Functions for all commands ---- */
const struct command *cli_command(int i) { return i >= 0 && i < N_COMMANDS ? commands[i] : NULL; }

const struct command *cli_find(const char *name) {
  for (int i = 0; i < N_COMMANDS; i++) {
    const struct command *c = commands[i];
    if (!strcmp(c->name, name) || (c->alias && !strcmp(c->alias, name))) return c;
  }
  return NULL;
}

static void complain(const char *fmt, va_list args) {
  progress_clear(&cli.progress);
  fflush(stdout); /* keep the order of what is printed */
  fputs("few: ", stderr);
  cli_vsay(stderr, fmt, args);
  fputc('\n', stderr);
}

int cli_usage(const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  complain(fmt, args);
  va_end(args);
  return CLI_USAGE;
}

int cli_failed(const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  complain(fmt, args);
  va_end(args);
  return CLI_FAILED;
}

int cli_status(struct cli *c, few_status status) {
  if (status == FEW_OK) return CLI_DONE;
  const char *sentence = few_error(c->ctx);
  cli_failed("%s", *sentence ? sentence : few_status_name(status));
  return status == FEW_E_CANCELLED ? CLI_STOPPED : CLI_FAILED;
}

double cli_seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

const char *cli_duration(char out[32], double seconds) {
  if (seconds < 10)
    snprintf(out, 32, "%.2f s", seconds);
  else if (seconds < 100)
    snprintf(out, 32, "%.1f s", seconds);
  else
    progress_duration(out, seconds);
  return out;
}

static const char *command_name(const void *unused, int i) {
  (void)unused;
  return i < N_COMMANDS ? commands[i]->name : NULL;
}

int cli_no_command(const char *word) {
  const char *near = opt_nearest(word, command_name, NULL);
  if (near) return cli_usage("there is no command %.60s; did you mean %s?", word, near);
  return cli_usage("there is no command %.60s; few help lists them", word);
}

/* ---- Help ---- */
void cli_overview(FILE *out) {
  fputs(
      "few - few-step diffusion: train, shorten to a few steps, sample, measure\n\n"
      "Usage: few COMMAND ...\n\n",
      out);
  for (int i = 0; i < N_COMMANDS; i++)
    opt_wrap(out, fprintf(out, "  %s", commands[i]->name), 12, commands[i]->help);
  fputs("\nfew help COMMAND explains one.\n", out);
}

void cli_command_help(FILE *out, const struct command *c) {
  struct cli_options all;
  fprintf(out, "Usage: few %s%s%s [options]\n\n", c->name, *c->operands ? " " : "", c->operands);
  opt_wrap(out, 0, 0, c->help);
  fputc('\n', out);
  opt_help(out, cli_options(&all, c));
  if (c->text) fprintf(out, "\n%s", c->text);
}

/* ---- Running one ---- */
static void on_log(void *user, few_log_level level, const char *message) {
  struct cli *c = user;
  bool shown = level == FEW_LOG_WARN || (level == FEW_LOG_INFO && c->command->stops);
  if (!shown || (level == FEW_LOG_INFO && c->progress.quiet)) return;
  progress_clear(&c->progress);
  fprintf(stderr, "few: %s", level == FEW_LOG_WARN ? "warning: " : "");
  cli_say(stderr, message);
  fputc('\n', stderr);
}

static int on_progress(void *user, const struct few_progress *p) {
  return progress_report(&((struct cli *)user)->progress, p);
}

static void on_signal(int number) {
  (void)number;
  stop = 1;
}

/* The first SIGINT or SIGTERM requests a stop and removes its handler, so a second one ends the
 * program. SIGHUP and SIGPIPE mean that a terminal or a reader is gone. They come again when
 * something is printed, so their handlers stay. Under nohup, SIGHUP stays ignored. */
static void catch_signals(void) {
  static const struct {
    int number, flags;
  } signals[] = {
      {SIGINT, (int)SA_RESETHAND}, {SIGTERM, (int)SA_RESETHAND}, {SIGHUP, 0}, {SIGPIPE, 0}};
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = signals[i].flags}, was;
    const int number = signals[i].number;
    sigemptyset(&action.sa_mask);
    if (number == SIGHUP && !sigaction(number, NULL, &was) && was.sa_handler == SIG_IGN) continue;
    sigaction(number, &action, NULL);
  }
}

/* Word k, from 0, of a usage such as "MODEL [KEY=VALUE ...]". */
static void operand_name(char out[32], const char *operands, int k) {
  assert(k >= 0 && *operands);
  for (; k > 0; k--) operands += strcspn(operands, " ") + 1;
  snprintf(out, 32, "%.*s", (int)strcspn(operands, " "), operands);
}

static int check_operands(const struct command *c, int n, char **operands) {
  char name[32];
  if (n < c->min_operands) {
    operand_name(name, c->operands, n);
    return cli_usage("%s needs %s: few %s %s; see few help %s", c->name, name, c->name, c->operands,
                     c->name);
  }
  if (n > c->max_operands)
    return cli_usage("%s does not take \"%s\"; few help %s shows what it takes", c->name,
                     operands[c->max_operands], c->name);
  return CLI_DONE;
}

static bool asks_help(int n, char **words) {
  for (int i = 0; i < n && strcmp(words[i], "--"); i++)
    if (!strcmp(words[i], "--help") || !strcmp(words[i], "-h")) return true;
  return false;
}

static few_status create_context(const struct command *c) {
  struct few_ctx_opts o = FEW_CTX_OPTS_INIT;
  cli.command = c;
  o.user = &cli;
  o.log = on_log;
  o.progress = on_progress;
  return few_ctx_create(&cli.ctx, &o);
}

/* Reads the words of the command into *opts. */
static int read_words(const struct command *c, struct common *opts, int n, char **words) {
  struct cli_options all;
  char error[OPT_ERROR_MAX];
  assert(c->size >= sizeof *opts && c->min_operands <= c->max_operands);
  if (c->initial) memcpy(opts, c->initial, c->size);
  cli.operands = words;
  cli.n_operands = opt_parse(cli.ctx, cli_options(&all, c), opts, n, words, error);
  if (cli.n_operands >= 0) return check_operands(c, cli.n_operands, words);
  const bool keys = strchr(c->operands, '=') && strstr(error, "no option --");
  return cli_usage("%s: %s%s; see few help %s", c->name, error,
                   keys ? " (keys of a recipe are written key=value)" : "", c->name);
}

static int run(const struct command *c, int n, char **words) {
  if (asks_help(n, words)) {
    cli_command_help(stdout, c);
    return CLI_DONE;
  }
  struct common *opts = calloc(1, c->size);
  if (!opts) return cli_failed("out of memory");
  few_status st = create_context(c);
  int code = st ? cli_failed("cannot begin: %s", few_status_name(st)) : CLI_DONE;
  if (!code) code = read_words(c, opts, n, words);
  if (!code) {
    progress_begin(&cli.progress, opts->quiet, &stop);
    few_ctx_set_workers(cli.ctx, (int)opts->workers);
    if (c->stops) catch_signals();
    if (opts->backend) st = few_ctx_set_backend(cli.ctx, opts->backend);
    if (!st) st = few_ctx_set_precision(cli.ctx, opts->precision);
    code = st ? cli_status(&cli, st) : c->run(&cli, opts);
    progress_clear(&cli.progress);
  }
  few_ctx_free(cli.ctx);
  free(opts);
  return code;
}

static int dispatch(int argc, char **argv) {
  if (argc < 2) {
    cli_overview(stderr);
    return CLI_USAGE;
  }
  const char *word = argv[1], *isa = getenv("FEW_CPU_ISA");
  if (isa && strcmp(isa, few_cpu_isa()))
    return cli_usage(
        "FEW_CPU_ISA=%s: this processor or this build has no such kernels; without the variable, "
        "few uses %s",
        isa, few_cpu_isa());
  if (!strcmp(word, "--help") || !strcmp(word, "-h")) word = "help";
  if (!strcmp(word, "--version")) word = "version";
  const struct command *c = cli_find(word);
  if (c) return run(c, argc - 2, argv + 2);
  return cli_no_command(word);
}

/* If a standard stream is closed, the next file that is opened would get its number, and messages
 * would go into a model or a log. So open /dev/null there, in a mode in which use fails as on a
 * closed stream. */
static void fill_closed_streams(void) {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
    if (fcntl(fd, F_GETFD) < 0) (void)!open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

int main(int argc, char **argv) {
  fill_closed_streams();
  signal(SIGXFSZ, SIG_IGN); /* a file over the limit makes write() fail, with a message */
  int code = dispatch(argc, argv);
  if (fflush(stdout) || ferror(stdout)) {
    cli_failed("cannot write to the standard output");
    return code ? code : CLI_FAILED;
  }
  return code;
}
