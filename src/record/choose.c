/* choose.c - which numbers of the records are drawn, and in which panel. A panel has one key; the
 * members of an array share one, and have one for each record if there are several. Metrics of
 * different spaces never share a panel. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "plot.h"

enum { WORDS = 64, KEY = 160 };

/* ---- keys ---- */

struct words {
  int n;
  struct {
    const char *at;
    size_t n;
    bool used;
  } word[WORDS];
};

static few_status split(few_ctx *ctx, const char *keys, struct words *out) {
  *out = (struct words){0};
  for (const char *at = keys; at && *at;) {
    const size_t n = strcspn(at, ",");
    if (out->n == WORDS) return few__fail(ctx, FEW_E_INVALID, "at most %d keys: give fewer", WORDS);
    if (n) out->word[out->n].at = at;
    if (n) out->word[out->n++].n = n;
    at += n + (at[n] == ',');
  }
  return FEW_OK;
}

static bool begins(const char *key, const char *word, size_t n) {
  return !strncmp(key, word, n) && (!key[n] || key[n] == '/');
}

/* Without words everything is chosen but what shows the machine. */
static bool chosen(struct words *words, const char *key) {
  static const char *const others[] = {"rows_per_second", "seconds", "lr_factor"};
  const char *metric = strncmp(key, "eval/", 5) ? NULL : key + 5;
  bool found = false;
  for (int i = 0; i < FEW_COUNT(others) && !words->n; i++)
    if (!strcmp(key, others[i])) return false;
  for (int i = 0; i < words->n; i++) {
    const bool is = begins(key, words->word[i].at, words->word[i].n) ||
                    (metric && begins(metric, words->word[i].at, words->word[i].n));
    words->word[i].used |= is;
    found |= is;
  }
  return found || !words->n;
}

/* Adds each key, or group of keys, once. */
static void add_name(few_ctx *ctx, struct few_text *t, const char *key) {
  char name[KEY + 2];
  snprintf(name, sizeof name, " %.*s,", (int)(strcspn(key, "/") < KEY ? strcspn(key, "/") : KEY),
           key);
  if (!strncmp(key, "eval/", 5)) snprintf(name, sizeof name, " %.150s,", key);
  if (!t->at || !strstr(t->at, name)) few__text_add(ctx, t, "%s", name);
}

static few_status check_words(const struct few_plot *p, const struct words *words) {
  struct few_text t = {0};
  int i = 0;
  while (i < words->n && words->word[i].used) i++;
  if (i == words->n) return FEW_OK;
  for (int k = 0; k < p->o->n; k++) {
    struct few_record_info info;
    few_record_info(&info, sizeof info, p->o->record[k]);
    for (int j = 0; j < info.n_series; j++) {
      struct few_record_series s;
      few_record_series(&s, sizeof s, p->o->record[k], j);
      add_name(p->ctx, &t, s.key);
    }
    for (int j = 0; j < info.n_evals; j++) {
      struct few_record_eval e;
      char name[KEY];
      few_record_eval(&e, sizeof e, p->o->record[k], j);
      for (int m = 0; m < e.n_numbers; m++) {
        snprintf(name, sizeof name, "eval/%.140s", e.number[m].name);
        add_name(p->ctx, &t, name);
      }
    }
  }
  if (t.len) t.at[t.len - 1] = 0;
  const few_status st = few__fail(p->ctx, FEW_E_INVALID, "no record has the key %.*s; there are%s",
                                  (int)(words->word[i].n < 60 ? words->word[i].n : 60),
                                  words->word[i].at, t.at ? t.at : " none");
  few__text_free(p->ctx, &t);
  return st;
}

/* ---- panels, labels and curves ---- */

static few_status find_label(struct few_plot *p, const char *label, int *out) {
  for (*out = 0; *out < p->labels.n; ++*out)
    if (!strcmp(p->labels.at[*out], label)) return FEW_OK;
  FEW_TRY(FEW_GROW(p->ctx, &p->labels, p->labels.n + 1));
  p->labels.at[p->labels.n++] = label;
  return FEW_OK;
}

static few_status find_panel(struct few_plot *p, const char *id, const char *title,
                             const char *about, int *out) {
  for (*out = 0; *out < p->panels.n; ++*out)
    if (!strcmp(p->panels.at[*out].id, id)) return FEW_OK;
  FEW_TRY(FEW_GROW(p->ctx, &p->panels, p->panels.n + 1));
  struct few_panel *panel = &p->panels.at[p->panels.n++];
  const size_t n = strlen(title);
  *panel = (struct few_panel){.id = few__strdup(p->ctx, id),
                              .title = few__strdup(p->ctx, title),
                              .about = few__strdup(p->ctx, about),
                              .by_time = n > 8 && !strcmp(title + n - 8, "_by_time")};
  if (panel->id && panel->title && panel->about) return FEW_OK;
  return few__fail(p->ctx, FEW_E_MEMORY, "out of memory for a plot");
}

static few_status add_curve(struct few_plot *p, int panel, int label, int bucket,
                            struct few_curve **out) {
  FEW_TRY(FEW_GROW(p->ctx, &p->curves, p->curves.n + 1));
  *out = &p->curves.at[p->curves.n++];
  **out = (struct few_curve){.panel = panel, .label = label, .bucket = bucket};
  if (bucket >= p->panels.at[panel].n_buckets) p->panels.at[panel].n_buckets = bucket + 1;
  return FEW_OK;
}

static few_status add_point(few_ctx *ctx, struct few_curve *c, double x, double y, double error) {
  int cap[3] = {c->cap, c->cap, c->cap};
  FEW_TRY(few__grow(ctx, &c->x, &cap[0], c->n + 1, sizeof *c->x));
  FEW_TRY(few__grow(ctx, &c->y, &cap[1], c->n + 1, sizeof *c->y));
  FEW_TRY(few__grow(ctx, &c->error, &cap[2], c->n + 1, sizeof *c->error));
  c->cap = cap[0];
  c->x[c->n] = x;
  c->y[c->n] = y;
  c->error[c->n++] = error;
  return FEW_OK;
}

/* Moves the last point to its place by x, since reports may be given in any order. */
static void sort_last(struct few_curve *c) {
  double *const all[] = {c->x, c->y, c->error};
  for (int k = c->n - 1; k > 0 && c->x[k - 1] > c->x[k]; k--)
    for (int i = 0; i < FEW_COUNT(all); i++) {
      const double swap = all[i][k];
      all[i][k] = all[i][k - 1];
      all[i][k - 1] = swap;
    }
}

/* ---- runs ---- */

/* "mse_by_time/3": 3, and the length of the key before it. -1: no member of an array. */
static int bucket_of(const char *key, size_t *group) {
  const char *slash = strrchr(key, '/');
  *group = strlen(key);
  const size_t digits = slash ? strspn(slash + 1, "0123456789") : 0;
  if (!digits || slash[1 + digits] || digits > 2) return -1;
  *group = (size_t)(slash - key);
  return (int)strtol(slash + 1, NULL, 10);
}

static few_status add_series(struct few_plot *p, const few_record *r,
                             const struct few_record_series *s) {
  struct few_record_info info;
  char group[KEY], id[1024];
  size_t n;
  int label, panel;
  struct few_curve *c;
  few_record_info(&info, sizeof info, r);
  const int bucket = bucket_of(s->key, &n);
  const bool own = bucket >= 0 && p->o->n > 1; /* a panel for this record only */
  snprintf(group, sizeof group, "%.*s", (int)n, s->key);
  snprintf(id, sizeof id, "%s|%.500s|%.300s", group, s->space_id, own ? info.name : "");
  FEW_TRY(find_label(p, info.name, &label));
  FEW_TRY(find_panel(p, id, group, own ? info.name : s->space, &panel));
  FEW_TRY(add_curve(p, panel, label, bucket, &c));
  for (int i = 0; i < s->n; i++) {
    const double x = p->o->x == FEW_CURVES_SECONDS  ? s->seconds[i]
                     : p->o->x == FEW_CURVES_IMAGES ? s->step[i] * info.batch
                                                    : s->step[i];
    FEW_TRY(add_point(p->ctx, c, x, s->value[i], NAN));
  }
  return FEW_OK;
}

static few_status add_run(struct few_plot *p, const few_record *r, struct words *words) {
  struct few_record_info info;
  few_record_info(&info, sizeof info, r);
  if (info.report)
    return few__fail(p->ctx, FEW_E_INVALID,
                     "%s is the report of one evaluation: draw reports over nfe, and runs apart "
                     "from them",
                     info.name);
  if (p->o->x == FEW_CURVES_IMAGES && !(info.batch > 0))
    return few__fail(p->ctx, FEW_E_INVALID,
                     "%s: images per step are in the run's recipe.ini, which is not there: draw "
                     "over steps",
                     info.name);
  for (int i = 0; i < info.n_series; i++) {
    struct few_record_series s;
    few_record_series(&s, sizeof s, r, i);
    if (chosen(words, s.key)) FEW_TRY(add_series(p, r, &s));
  }
  return FEW_OK;
}

/* ---- reports ---- */

static few_status add_number(struct few_plot *p, const struct few_record_info *info,
                             const struct few_record_eval *e, const struct few_record_number *x) {
  char id[1024];
  int label, panel, i = 0;
  snprintf(id, sizeof id, "%.150s|%.800s", x->name, e->space_id);
  FEW_TRY(find_label(p, info->report ? info->source : info->name, &label));
  FEW_TRY(find_panel(p, id, x->name, e->space, &panel));
  while (i < p->curves.n && (p->curves.at[i].panel != panel || p->curves.at[i].label != label)) i++;
  struct few_curve *c = i < p->curves.n ? &p->curves.at[i] : NULL;
  if (!c) FEW_TRY(add_curve(p, panel, label, -1, &c));
  FEW_TRY(add_point(p->ctx, c, e->nfe, x->value, x->error));
  sort_last(c);
  return FEW_OK;
}

static few_status add_report(struct few_plot *p, const few_record *r, struct words *words) {
  struct few_record_info info;
  char key[KEY];
  few_record_info(&info, sizeof info, r);
  if (!info.report)
    return few__fail(p->ctx, FEW_E_INVALID,
                     "%s is a run: only reports of few eval --json can be drawn over nfe",
                     info.name);
  for (int i = 0; i < info.n_evals; i++) {
    struct few_record_eval e;
    few_record_eval(&e, sizeof e, r, i);
    if (!isfinite(e.nfe))
      return few__fail(p->ctx, FEW_E_INVALID,
                       "%s measured images, not a model, so it has no evaluations of a network: "
                       "leave it out",
                       info.name);
    for (int k = 0; k < e.n_numbers; k++) {
      snprintf(key, sizeof key, "eval/%.140s", e.number[k].name);
      if (chosen(words, key)) FEW_TRY(add_number(p, &info, &e, &e.number[k]));
    }
  }
  return FEW_OK;
}

few_status few__plot_choose(struct few_plot *p) {
  struct words words;
  FEW_TRY(split(p->ctx, p->o->keys, &words));
  for (int i = 0; i < p->o->n; i++)
    FEW_TRY(p->o->x == FEW_CURVES_NFE ? add_report(p, p->o->record[i], &words)
                                      : add_run(p, p->o->record[i], &words));
  FEW_TRY(check_words(p, &words));
  if (p->panels.n) return FEW_OK;
  return few__fail(p->ctx, FEW_E_INVALID, "nothing to draw: the records have no numbers yet");
}

void few__plot_free(struct few_plot *p) {
  for (int i = 0; i < p->curves.n; i++) {
    few__free(p->ctx, p->curves.at[i].x);
    few__free(p->ctx, p->curves.at[i].y);
    few__free(p->ctx, p->curves.at[i].error);
  }
  for (int i = 0; i < p->panels.n; i++) {
    few__free(p->ctx, p->panels.at[i].id);
    few__free(p->ctx, p->panels.at[i].title);
    few__free(p->ctx, p->panels.at[i].about);
  }
  few__free(p->ctx, p->curves.at);
  few__free(p->ctx, p->panels.at);
  few__free(p->ctx, p->labels.at);
}
