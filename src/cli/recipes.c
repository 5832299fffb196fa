/* recipes.c - see recipes.h. */
#include "recipes.h"

#include <assert.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where recipes and models are besides the current folder, relative to the program's folder: the
 * first in a build, the second after installation. */
static const char *const shares[] = {"share/few", "../share/few"};
enum { N_SHARES = sizeof shares / sizeof *shares };

/* Folder i for KIND (recipes, models), with a slash at its end; false past the last. */
static bool place(char path[RECIPE_PATH], const char *kind, int i) {
  char program[RECIPE_PATH];
  if (i == 0) return snprintf(path, RECIPE_PATH, "%s/", kind) < RECIPE_PATH;
  ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
  while (n > 0 && program[n - 1] != '/') n--;
  return n > 0 && i <= N_SHARES &&
         snprintf(path, RECIPE_PATH, "%.*s%s/%s/", (int)n, program, shares[i - 1], kind) <
             RECIPE_PATH;
}

/* The file in the first folder that has it; false if none does. */
static bool find(char path[RECIPE_PATH], const char *kind, const char *name, const char *end) {
  struct stat s;
  for (int i = 0; place(path, kind, i); i++) {
    size_t n = strlen(path);
    if (snprintf(path + n, RECIPE_PATH - n, "%s%s", name, end) < (int)(RECIPE_PATH - n) &&
        !stat(path, &s))
      return true;
  }
  return false;
}

const char *cli_find_recipe(char path[RECIPE_PATH], const char *word) {
  struct stat s;
  return strchr(word, '/') || !stat(word, &s) || !find(path, "recipes", word, ".ini") ? word : path;
}

const char *cli_find_features(char spec[RECIPE_PATH], const char *word) {
  char path[RECIPE_PATH];
  if (!word || strpbrk(word, "=/") || !find(path, "models", word, "-features.safetensors"))
    return word;
  return snprintf(spec, RECIPE_PATH, "%s=%s", word, path) < RECIPE_PATH ? spec : word;
}

/* ---- the list ---- */

enum { MOST = 256 };
static struct recipe_row rows[MOST];
static int n_rows = -1;

/* The first sentence of the comment at the top of the file. */
static void read_help(const char *path, char *help, size_t size) {
  assert(size > 1);
  FILE *file = fopen(path, "r");
  char line[256];
  size_t n = 0;
  help[0] = '\0';
  while (file && fgets(line, sizeof line, file) && line[0] == '#') {
    const char *text = line + 1 + strspn(line + 1, " ");
    n += (size_t)snprintf(help + n, size - n, "%s%.*s", n ? " " : "", (int)strcspn(text, "\n"),
                          text);
    if (n >= size) n = size - 1;
    char *end = strstr(help, ". ");
    if (end) *end = '\0';
    if (end || n == size - 1) break;
  }
  n = strlen(help);
  if (n && help[n - 1] == '.') help[n - 1] = '\0';
  if (file) fclose(file);
}

static int by_name(const void *a, const void *b) {
  return strcmp(((const struct recipe_row *)a)->name, ((const struct recipe_row *)b)->name);
}

static bool is_listed(const char *name) {
  for (int i = 0; i < n_rows; i++)
    if (!strcmp(rows[i].name, name)) return true;
  return false;
}

static void read_folder(const char *folder) {
  DIR *dir = opendir(folder);
  char path[RECIPE_PATH], name[sizeof rows->name];
  for (struct dirent *e; dir && n_rows < MOST && (e = readdir(dir));) {
    size_t n = strlen(e->d_name);
    if (n < 5 || n >= sizeof name || strcmp(e->d_name + n - 4, ".ini") != 0) continue;
    snprintf(name, sizeof name, "%.*s", (int)n - 4, e->d_name);
    if (is_listed(name)) continue; /* a recipe of this name in an earlier folder is used */
    if (snprintf(path, sizeof path, "%s%s", folder, e->d_name) >= (int)sizeof path) continue;
    struct recipe_row *r = &rows[n_rows++];
    memcpy(r->name, name, sizeof name);
    read_help(path, r->help, sizeof r->help);
  }
  if (dir) closedir(dir);
}

int cli_recipe_count(void) {
  char folder[RECIPE_PATH];
  if (n_rows >= 0) return n_rows;
  n_rows = 0;
  for (int i = 0; place(folder, "recipes", i); i++) read_folder(folder);
  qsort(rows, (size_t)n_rows, sizeof *rows, by_name);
  return n_rows;
}

void cli_recipe_places(char *out, size_t size) {
  char folder[RECIPE_PATH];
  size_t n = 0;
  for (int i = 0; place(folder, "recipes", i) && n < size; i++)
    n += (size_t)snprintf(out + n, size - n, "%s%s", i ? ", " : "", folder);
}

const struct recipe_row *cli_recipe(int i) { return &rows[i]; }

void cli_overrides(struct recipe_overrides *out, const struct cli *cli, const struct common *c) {
  out->n = 0;
  for (int i = 1; i < cli->n_operands; i++) out->at[out->n++] = cli->operands[i];
  if (c->workers) {
    snprintf(out->workers, sizeof out->workers, "workers=%d", (int)c->workers);
    out->at[out->n++] = out->workers;
  }
  if (c->backend) {
    snprintf(out->backend, sizeof out->backend, "backend=%s", c->backend);
    out->at[out->n++] = out->backend;
  }
}
