/* images.c - functions for the commands that read or make images: classes by name, checks of
 * outputs, and images from files and data sets. */
#include <assert.h>
#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

struct names {
  const few_model *m;
  int64_t n;
};
static const char *class_name(const void *user, int i) {
  const struct names *names = user;
  if (i >= names->n) return NULL;
  const char *name = few_model_class_name(names->m, i);
  return name ? name : "";
}

int cli_label(struct cli *cli, const few_model *m, const char *option, const char *word, int *out) {
  struct few_model_info info;
  static const struct {
    const char *word;
    int label;
  } words[] = {{"all", FEW_LABEL_SHARES}, {"each", FEW_LABEL_EACH}, {"none", FEW_LABEL_NONE}};
  few_model_info(&info, sizeof info, m);
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    *out = words[i].label;
    if (!strcmp(word, words[i].word)) return CLI_DONE;
  }
  if (!few_model_find_class(out, m, word)) return CLI_DONE;
  struct names names = {m, info.classes};
  const char *near = opt_nearest(word, class_name, &names);
  if (near && *near)
    return cli_usage("%s %.60s is not a class; did you mean \"%s\"?", option, word, near);
  return cli_usage("%s: %s", option, few_error(cli->ctx));
}

void cli_say_class(FILE *out, const struct cli_class *c) {
  if (c->label < 0) return;
  const char *name = few_model_class_name(c->m, c->label);
  fprintf(out, ", %s %d", c->key, c->label);
  if (!name) return;
  fputs(" (", out);
  cli_say(out, name);
  fputc(')', out);
}

void cli_json_class(struct json *j, const struct cli_class *c) {
  char key[32];
  snprintf(key, sizeof key, "%s_name", c->key);
  if (c->label < 0)
    json_text(j, c->key, NULL);
  else
    json_int(j, c->key, c->label);
  json_text(j, key, c->label < 0 ? NULL : few_model_class_name(c->m, c->label));
}

static bool ends_with(const char *s, const char *end) {
  size_t n = strlen(s), k = strlen(end);
  return n > k && !strcmp(s + n - k, end);
}

/* The ending of a file's name, such as ".jpg", which would otherwise be taken for a folder's name.
 * NULL for the name of a folder. */
static const char *foreign_ending(const char *out) {
  static const char *const endings[] = {".png", ".npy",  ".jpg", ".jpeg", ".gif",
                                        ".bmp", ".webp", ".ppm", ".npz",  ".pt"};
  for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
    size_t n = strlen(out), k = strlen(endings[i]);
    if (n > k && !strcasecmp(out + n - k, endings[i])) return out + n - k;
  }
  return NULL;
}

int cli_check_file(const char *out) {
  struct stat s;
  const bool there = !stat(out, &s);
  if (there && S_ISDIR(s.st_mode)) return cli_failed("%s is a folder: name a file in it", out);
  if (there && access(out, W_OK))
    return cli_failed("%s cannot be written: check the permissions", out);
  if (there) return CLI_DONE;
  const char *slash = strrchr(out, '/');
  char folder[4096] = ".";
  if (slash) snprintf(folder, sizeof folder, "%.*s", (int)(slash - out) + 1, out);
  if (!access(folder, W_OK | X_OK)) return CLI_DONE;
  return cli_failed("%s cannot be made: check that the folder is there and its permissions", out);
}

int cli_check_out(const char *command, const struct few_model_info *info, const char *out) {
  struct stat s;
  bool there = !stat(out, &s), file = ends_with(out, ".png") || ends_with(out, ".npy");
  if (!file && !there && foreign_ending(out))
    return cli_usage("%s: --out %s: few writes .png and .npy, not %s", command, out,
                     foreign_ending(out));
  if (!file && info->points)
    return cli_failed(
        "%s: points cannot be written as images: give a name that ends in .npy or .png", out);
  if (!file && there && !S_ISDIR(s.st_mode))
    return cli_failed("%s is not a folder: give a folder, or a name that ends in .png or .npy",
                      out);
  if (file) return cli_check_file(out);
  if (there && access(out, W_OK))
    return cli_failed("%s cannot be written: check the permissions", out);
  return CLI_DONE;
}

/* ---- an output folder with files in it ---- */

/* "000017.png": of six digits or more. */
static bool is_sample(const char *name) {
  const size_t n = strspn(name, "0123456789");
  return n >= 6 && !strcmp(name + n, ".png");
}

/* NULL if the folder does not exist or `out` is a file; neither has files in it. */
static DIR *open_folder(const char *out) {
  return ends_with(out, ".png") || ends_with(out, ".npy") ? NULL : opendir(out);
}

bool cli_is_folder(const char *out) {
  struct stat s;
  return !stat(out, &s) && S_ISDIR(s.st_mode);
}

int cli_check_folder(const char *command, const char *out, enum cli_existing existing) {
  DIR *dir = existing == CLI_KEEP ? NULL : open_folder(out);
  char found[256] = "";
  for (struct dirent *e; dir && !*found && (e = readdir(dir));)
    if (e->d_name[0] != '.' && !(existing == CLI_REPLACE && is_sample(e->d_name)))
      snprintf(found, sizeof found, "%s", e->d_name);
  if (dir) closedir(dir);
  if (!*found) return CLI_DONE;
  if (existing == CLI_REPLACE)
    return cli_failed("%s has %s in it, which few did not write: name another folder", out, found);
  return cli_failed(
      "%s: %s is not empty, and its files would count as new images: name another folder, or "
      "give --existing replace or --existing keep",
      command, out);
}

int cli_clear_folder(const char *out, enum cli_existing existing) {
  DIR *dir = existing == CLI_REPLACE ? open_folder(out) : NULL;
  int code = CLI_DONE;
  for (struct dirent *e; dir && !code && (e = readdir(dir));)
    if (is_sample(e->d_name) && unlinkat(dirfd(dir), e->d_name, 0))
      code = cli_failed("%s/%s cannot be removed: check the permissions", out, e->d_name);
  if (dir) closedir(dir);
  return code;
}

/* ---- images ---- */

static int grow(struct cli_images *p, int64_t more, size_t item) {
  const size_t n = (size_t)(p->n + more);
  float *at = n <= SIZE_MAX / sizeof *at / item ? realloc(p->at, n * item * sizeof *at) : NULL;
  if (at) p->at = at;
  bool fits = at != NULL;
  for (int k = 0; k < 2; k++) {
    int32_t *label = realloc(p->label[k], n * sizeof *label);
    if (label) p->label[k] = label;
    fits &= label != NULL;
  }
  return fits ? CLI_DONE : cli_failed("%zu images do not fit in memory; take fewer", n);
}

/* Labels of the images of one data set, by the model's class numbers. */
static int take_labels(struct cli *cli, const few_data *d, const struct cli_labels *of,
                       int32_t *label) {
  const int64_t n = few_data_n(d), classes = few_data_n_classes(d);
  struct few_model_info info = {0};
  if (of->m) few_model_info(&info, sizeof info, of->m);
  for (int64_t i = 0; i < n; i++) label[i] = -1;
  if (!of->own || !info.classes || !classes) return CLI_DONE;
  int32_t *map = malloc((size_t)classes * sizeof *map);
  if (!map) return cli_failed("out of memory for %" PRId64 " classes", classes);
  int code = cli_status(cli, few_model_match_data(map, of->m, d));
  for (int64_t i = 0; !code && i < n; i++) label[i] = map[few_data_label(d, i)];
  free(map);
  return code;
}

static int take(struct cli *cli, struct cli_images *p, const struct cli_labels of[2],
                const char *word, int64_t most) {
  struct few_data_opts o = FEW_DATA_OPTS_INIT;
  struct few_model_info about, *info = &about;
  few_data *d = NULL;
  char *spec;
  few_model_info(info, sizeof *info, of[0].m);
  const size_t item = (size_t)(info->h * info->w * info->c);
  assert(item > 0 && most >= 0 && p->n >= 0);
  few_status st = few_data_full_spec(&spec, cli->ctx, word);
  if (st) return cli_status(cli, st);
  o.limit = most;
  const bool files = !strncmp(spec, "folder:", 7) || !strncmp(spec, "webdataset:", 11);
  if (files) o.size = info->h == info->w ? info->h : 0;
  if (files) o.channels = info->c == 1 || info->c == 3 ? info->c : 0;
  st = few_data_open(&d, cli->ctx, spec, &o);
  few_text_free(cli->ctx, spec);
  progress_clear(&cli->progress);
  if (st) return cli_status(cli, st);
  int code = CLI_DONE;
  if (few_data_h(d) != info->h || few_data_w(d) != info->w || few_data_c(d) != info->c)
    code =
        cli_failed("%s: images of %dx%dx%d, but the model takes %" PRId64 "x%" PRId64 "x%" PRId64,
                   word, few_data_h(d), few_data_w(d), few_data_c(d), info->h, info->w, info->c);
  if (!code) code = grow(p, few_data_n(d), item);
  for (int64_t i = 0; !code && i < few_data_n(d); i++)
    code = cli_status(cli, few_data_get(p->at + (size_t)(p->n + i) * item, d, i));
  for (int k = 0; !code && k < 2; k++) code = take_labels(cli, d, &of[k], p->label[k] + p->n);
  if (!code) p->n += few_data_n(d);
  few_data_free(d);
  return code;
}

int cli_images(struct cli *cli, struct cli_images *out, const struct cli_labels of[2], int n_words,
               char **words, int64_t most) {
  *out = (struct cli_images){0};
  int code = CLI_DONE;
  for (int i = 0; i < n_words && !code && (!most || out->n < most); i++)
    code = take(cli, out, of, words[i], most ? most - out->n : 0);
  return code;
}

void cli_images_free(struct cli_images *p) {
  free(p->at);
  free(p->label[0]);
  free(p->label[1]);
}

int cli_own_label(struct cli *cli, const few_model *m, const char *option, const char *word,
                  int64_t n, int32_t *label, int *one) {
  assert(n >= 0 && (label || !n));
  *one = FEW_LABEL_EACH;
  if (!strcmp(word, "own")) return CLI_DONE;
  int code = cli_label(cli, m, option, word, one);
  if (!code && *one == FEW_LABEL_SHARES)
    code = cli_usage(
        "%s all is for sampling, and these images exist already; give own, a class or none",
        option);
  if (code) return code;
  struct few_model_info info;
  few_model_info(&info, sizeof info, m);
  for (int64_t i = 0; i < n; i++)
    label[i] = *one == FEW_LABEL_NONE || !info.classes ? -1
               : *one == FEW_LABEL_EACH                ? (int32_t)(i % info.classes)
                                                       : *one;
  return CLI_DONE;
}

few_status cli_keep(struct cli *cli, few_status st, const struct cli_made *made) {
  assert(made->finished >= 0 && made->finished <= made->n);
  if (st != FEW_E_CANCELLED) return st;
  if (!made->finished) {
    cli_failed("interrupted before the first of %" PRId64 " was finished: nothing is written",
               made->n);
    return st;
  }
  cli->progress.stop = NULL; /* the same signal must not interrupt the writing */
  return FEW_OK;
}

int cli_interrupted(const char *out, const struct cli_made *made, const char *rest) {
  assert(made->finished >= 0 && made->finished <= made->n);
  if (made->finished == made->n) return CLI_DONE;
  cli_failed("interrupted: %s has the first %" PRId64 " of %" PRId64 "%s%s", out, made->finished,
             made->n, rest ? "; " : "", rest ? rest : "");
  return CLI_STOPPED;
}

void cli_report(const struct common *c, const struct cli_result *r) {
  const int64_t n = r->made.finished;
  if (c->json) {
    struct json j = {.out = stdout};
    json_open(&j, NULL, '{');
    json_int(&j, "n", n);
    json_int(&j, "nfe", r->nfe);
    json_number(&j, "seconds", r->seconds);
    json_text(&j, "out", r->out);
    for (int i = 0; i < r->n_classes; i++) cli_json_class(&j, &r->of[i]);
    json_bool(&j, "complete", n == r->made.n);
    json_close(&j);
  } else if (!c->quiet) {
    char time[32];
    printf("%s: %" PRId64 " image%s %s", r->out, n, n == 1 ? "" : "s", r->what);
    for (int i = 0; i < r->n_classes; i++) cli_say_class(stdout, &r->of[i]);
    printf(" in %s, %d evaluation%s of a network each\n", cli_duration(time, r->seconds), r->nfe,
           r->nfe == 1 ? "" : "s");
  }
}
