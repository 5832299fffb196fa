/* recipes.c - see recipes.h. */
#include "recipes.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* PREFIX/share/few/KIND of the running program. */
static bool installed(char path[RECIPE_PATH], const char *kind) {
  char here[RECIPE_PATH];
  ssize_t n = readlink("/proc/self/exe", here, sizeof here - 1);
  if (n < 0) return false;
  here[n] = '\0';
  char *slash = strrchr(here, '/');
  if (!slash) return false;
  *slash = '\0';
  return snprintf(path, RECIPE_PATH, "%s/../share/few/%s", here, kind) < RECIPE_PATH;
}

const char *cli_find_recipe(char path[RECIPE_PATH], const char *word) {
  struct stat s;
  char folder[RECIPE_PATH], here[RECIPE_PATH];
  snprintf(here, sizeof here, "recipes/%s.ini", word);
  if (strchr(word, '/') || !stat(word, &s) || !stat(here, &s) || !installed(folder, "recipes"))
    return word;
  int length = snprintf(path, RECIPE_PATH, "%.4000s/%.60s.ini", folder, word);
  return length < RECIPE_PATH && !stat(path, &s) ? path : word;
}

const char *cli_find_features(char spec[RECIPE_PATH], const char *word) {
  struct stat s;
  char folder[RECIPE_PATH], path[RECIPE_PATH];
  snprintf(path, sizeof path, "models/%.60s-features.safetensors", word);
  if (!word || strpbrk(word, "=/") || !stat(path, &s) || !installed(folder, "models")) return word;
  snprintf(path, sizeof path, "%.3900s/%.60s-features.safetensors", folder, word);
  int length = snprintf(spec, RECIPE_PATH, "%.60s=%.4000s", word, path);
  return length < RECIPE_PATH && !stat(path, &s) ? spec : word;
}

/* ---- the list ---- */

enum { MOST = 256 };
static struct recipe_row rows[MOST];
static int n_rows = -1;

/* The remark at the top of the file up to the end of its first sentence. */
static void read_help(const char *path, char *help, size_t size) {
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

static void read_folder(const char *folder) {
  DIR *dir = opendir(folder);
  char path[RECIPE_PATH];
  for (struct dirent *e; dir && n_rows < MOST && (e = readdir(dir));) {
    size_t n = strlen(e->d_name);
    if (n < 5 || n > 60 || strcmp(e->d_name + n - 4, ".ini") != 0) continue;
    struct recipe_row *r = &rows[n_rows++];
    snprintf(r->name, sizeof r->name, "%.*s", (int)n - 4, e->d_name);
    snprintf(path, sizeof path, "%.4000s/%.60s", folder, e->d_name);
    read_help(path, r->help, sizeof r->help);
  }
  if (dir) closedir(dir);
  qsort(rows, (size_t)n_rows, sizeof *rows, by_name);
}

int cli_recipe_count(void) {
  char folder[RECIPE_PATH];
  if (n_rows >= 0) return n_rows;
  n_rows = 0;
  read_folder("recipes");
  if (!n_rows && installed(folder, "recipes")) read_folder(folder);
  return n_rows;
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
