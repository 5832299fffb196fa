/* loop.c - self-consuming training (Alemohammad et al., arXiv 2307.01850), one generation at a
 * time.
 *
 *   DIR/loop.ini, recipe.ini         the options of the loop
 *   DIR/inputs.ini                   hashes of the data and the teacher
 *   DIR/reference.safetensors        statistics of the real data, for the metrics
 *   DIR/generation-002/data.npy      training data of the generation (mix.h)
 *                      data.labels.npy      their labels, if any
 *                      run/          the directory of its training run
 *                      samples.npy   samples of the trained model
 *                      samples.labels.npy   their labels, if any
 *                      samples.part.npy     the finished samples, if sampling was stopped
 *                      eval.json     distances to the real data; written last
 *   DIR/loop.csv                     one row per generation
 *
 * Each file is written whole or not at all, and a generation that has eval.json is done. So a loop
 * that was stopped can resume. The seed of generation g is the recipe's plus g - 1.
 */
#include "few/loop.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "few/data.h"
#include "few/eval.h"
#include "few/train.h"
#include "io/file.h"
#include "io/npy.h"
#include "mix.h"
#include "model/run/sample.h"
#include "table.h"
#include "train/run_dir.h"
#include "train/setup.h"

enum { EXTRA = 9 }; /* overrides that the loop adds in each generation, and a NULL */

struct loop {
  few_ctx *ctx;
  const struct few_loop_opts *o;
  struct few_setup setup; /* on the real data */
  int64_t n_real, n_synthetic;
  int generation;
  char *data, *samples, *part, *run, *report; /* of this generation */
  char *before;                               /* samples of the previous one; NULL: none */
};

static const char *const kinds[] = {"synthetic", "augment", "fresh"};

static bool labelled(const struct loop *l) { return l->setup.spec.classes > 0; }
static uint64_t seed_of(const struct loop *l) {
  return (uint64_t)(l->setup.config.keys.seed + l->generation - 1);
}

/* ---- places ---- */

static few_status place(const struct loop *l, char **out, int generation, const char *name) {
  char file[64];
  snprintf(file, sizeof file, "generation-%03d/%s", generation, name);
  return few__path_join(l->ctx, out, l->o->run, file);
}

static void leave(struct loop *l) {
  char **const all[] = {&l->data, &l->samples, &l->part, &l->run, &l->report, &l->before};
  for (int i = 0; i < FEW_COUNT(all); i++) {
    few__free(l->ctx, *all[i]);
    *all[i] = NULL;
  }
}

static few_status enter(struct loop *l, int generation) {
  leave(l);
  l->generation = generation;
  FEW_TRY(place(l, &l->data, generation, "data.npy"));
  FEW_TRY(place(l, &l->samples, generation, "samples.npy"));
  FEW_TRY(place(l, &l->part, generation, "samples.part.npy"));
  FEW_TRY(place(l, &l->run, generation, "run"));
  FEW_TRY(place(l, &l->report, generation, "eval.json"));
  if (generation > 1) FEW_TRY(place(l, &l->before, generation - 1, "samples.npy"));
  return few__mkdirs(l->ctx, l->run);
}

/* "a/data.npy" -> "a/data.labels.npy" */
static void labels_name(char out[4096], const char *path) {
  snprintf(out, 4096, "%.*s.labels.npy", (int)(strlen(path) - strlen(".npy")), path);
}

/* "npy:a/data.npy,a/data.labels.npy" */
static void spec_of(const struct loop *l, char out[8300], const char *path) {
  char labels[4096];
  labels_name(labels, path);
  if (labelled(l))
    snprintf(out, 8300, "npy:%s,%s", path, labels);
  else
    snprintf(out, 8300, "npy:%s", path);
}

/* ---- data ---- */

struct rows {
  int64_t n, item;
  bool points;
  void *x; /* [n][item] bytes, or floats of points */
  float *one;
  int32_t *label;
};

/* Copies item `index` of `from` to row `to`. `map` is the setup's label_map for real data; NULL for
 * samples. */
static few_status take(const struct few_data *from, const int32_t *map, int64_t index,
                       struct rows *r, int64_t to) {
  FEW_TRY(few_data_get(r->one, from, index));
  if (r->points)
    memcpy((float *)r->x + to * r->item, r->one, (size_t)r->item * sizeof *r->one);
  else
    few__sample_bytes(r->item, r->one, (uint8_t *)r->x + to * r->item);
  r->label[to] = few_data_label(from, index);
  if (map && r->label[to] >= 0) r->label[to] = map[r->label[to]];
  return FEW_OK;
}

/* Copies real items, in the order that the recipe's seed gives, and then samples of the previous
 * generation. */
static few_status gather(const struct loop *l, const struct few_loop_mix *mix, struct rows *r) {
  const few_data *real = l->setup.data;
  const uint64_t seed = (uint64_t)l->setup.config.keys.seed;
  char spec[8300];
  few_data *made = NULL;
  for (int64_t i = 0; i < mix->real; i++)
    FEW_TRY(take(real, l->setup.label_map,
                 few_data_batch_index(few_data_n(real), seed, mix->first + i), r, i));
  if (!mix->synthetic) return FEW_OK;
  spec_of(l, spec, l->before);
  struct few_data_opts o = FEW_DATA_OPTS_INIT;
  o.classes = l->setup.spec.classes; /* some may have no samples */
  FEW_TRY(few_data_open(&made, l->ctx, spec, &o));
  few_status st = FEW_OK;
  for (int64_t i = 0; i < mix->synthetic && !st; i++) st = take(made, NULL, i, r, mix->real + i);
  few_data_free(made);
  return st;
}

static few_status write_rows(const struct loop *l, const struct rows *r) {
  const struct few_net_spec *s = &l->setup.spec;
  const int64_t images[] = {r->n, s->h, s->w, s->c}, points[] = {r->n, s->c};
  char labels[4096];
  labels_name(labels, l->data);
  if (labelled(l)) FEW_TRY(few__npy_write(l->ctx, labels, FEW_STORE_I32, 1, &r->n, r->label));
  return few__npy_write(l->ctx, l->data, r->points ? FEW_STORE_F32 : FEW_STORE_U8,
                        r->points ? 2 : 4, r->points ? points : images, r->x);
}

static few_status make_data(const struct loop *l) {
  const struct few_loop_mix mix =
      few__loop_mix(l->o->kind, l->generation, l->n_real, l->n_synthetic);
  struct rows r = {.n = mix.real + mix.synthetic,
                   .item = few_data_item_size(l->setup.data),
                   .points = l->setup.spec.points};
  few_status st;
  if (few__path_exists(l->data)) return FEW_OK;
  const size_t bytes = few__mul_size((size_t)r.item, r.points ? sizeof(float) : 1);
  FEW_GOTO(few__new(l->ctx, &r.x, (size_t)r.n, bytes));
  FEW_GOTO(FEW_NEW(l->ctx, &r.one, r.item));
  FEW_GOTO(FEW_NEW(l->ctx, &r.label, r.n));
  FEW_GOTO(gather(l, &mix, &r));
  FEW_GOTO(write_rows(l, &r));
out:
  few__free(l->ctx, r.x);
  few__free(l->ctx, r.one);
  few__free(l->ctx, r.label);
  return st;
}

/* ---- a generation ---- */

static few_status train(const struct loop *l) {
  const struct few_loop_opts *o = l->o;
  char spec[8300], data[8320], seed[40], classes[40];
  const char **all;
  spec_of(l, spec, l->data);
  snprintf(data, sizeof data, "data=%s", spec);
  snprintf(seed, sizeof seed, "seed=%" PRIu64, seed_of(l));
  snprintf(classes, sizeof classes, "data_classes=%" PRId64, l->setup.spec.classes);
  const char *const extra[EXTRA] = {
      data,       seed, classes, "data_limit=0", "data_holdout=0", "size=0", "channels_in=0",
      "fit=crop", NULL};
  FEW_TRY(FEW_NEW(l->ctx, &all, o->n_overrides + EXTRA));
  struct few_train_opts t = FEW_TRAIN_OPTS_INIT;
  for (int i = 0; i < o->n_overrides; i++) all[t.n_overrides++] = o->overrides[i];
  for (int i = 0; extra[i]; i++) all[t.n_overrides++] = extra[i];
  t.recipe = o->recipe;
  t.run = l->run;
  t.overrides = all;
  few_status st = few_train(l->ctx, &t);
  few__free(l->ctx, all);
  return st;
}

/* By default samples have the class shares of the real data. If classes were drawn equally often,
 * the shares would change in the first generation, and the loop would measure that change. */
static few_status choose_labels(const struct loop *l, int64_t n, int32_t *label) {
  const int64_t classes = l->setup.spec.classes;
  const struct few_shares real = {classes, l->setup.class_counts};
  int64_t *even;
  if (!l->o->even) return few__labels(l->ctx, &real, 0, n, label);
  FEW_TRY(FEW_NEW(l->ctx, &even, classes));
  few__labels_even(&real, even);
  few_status st = few__labels(l->ctx, &(struct few_shares){classes, even}, 0, n, label);
  few__free(l->ctx, even);
  return st;
}

/* Reads the samples that a stopped loop had finished into x, [*had][item]. */
static few_status read_part(const struct loop *l, int64_t n, float *x, int64_t *had) {
  const int64_t item = few_data_item_size(l->setup.data);
  struct few_npy a;
  *had = 0;
  if (!few__path_exists(l->part)) return FEW_OK;
  FEW_TRY(few__npy_read(l->ctx, &a, l->part, SIZE_MAX / 2));
  few_status st = FEW_OK;
  if (a.store != FEW_STORE_F32 || a.rank != 2 || a.dim[0] > n || a.dim[1] != item)
    st = few__fail(l->ctx, FEW_E_FORMAT,
                   "%s does not hold the first samples of this generation: delete the file, and "
                   "few loop makes them again",
                   l->part);
  else
    memcpy(x, a.data, a.bytes);
  *had = a.dim[0];
  few__npy_free(l->ctx, &a);
  return st;
}

/* Draws all->n samples. If it is cancelled, the finished ones are written to samples.part.npy. */
static few_status draw_samples(const struct loop *l, few_runner *r,
                               const struct few_sample_opts *all, float *x, int32_t *label) {
  const int64_t item = few_data_item_size(l->setup.data);
  struct few_sample_opts s = *all;
  int64_t had, finished = 0;
  FEW_TRY(read_part(l, s.n, x, &had));
  if (had == s.n) return FEW_OK;
  s.first = had;
  s.n -= had;
  s.finished = &finished;
  const struct few_sample_path path = {.label = labelled(l) ? label + had : NULL};
  const few_status st = few__sample_run(r, &s, &path, x + had * item, label + had, NULL);
  if (st != FEW_E_CANCELLED || !finished) return st;
  const int64_t dim[2] = {had + finished, item};
  FEW_TRY(few__npy_write(l->ctx, l->part, FEW_STORE_F32, 2, dim, x));
  return few__fail(l->ctx, st, "generation %d: stopped after %" PRId64 " of %" PRId64 " samples",
                   l->generation, had + finished, all->n);
}

static few_status draw(const struct loop *l, few_runner *r) {
  struct few_sample_opts s = FEW_SAMPLE_OPTS_INIT;
  float *x = NULL;
  char labels[4096];
  int32_t *label = NULL;
  few_status st;
  s.n = l->n_synthetic;
  s.steps = l->o->steps;
  s.guidance = l->o->guidance;
  s.seed = seed_of(l);
  FEW_GOTO(FEW_NEW(l->ctx, &x, s.n * few_data_item_size(l->setup.data)));
  FEW_GOTO(FEW_NEW(l->ctx, &label, s.n));
  if (labelled(l)) FEW_GOTO(choose_labels(l, s.n, label));
  FEW_GOTO(draw_samples(l, r, &s, x, label));
  if (labelled(l)) { /* few_sample_write would replace the model's class numbers by the data's */
    labels_name(labels, l->samples);
    FEW_GOTO(few__npy_write(l->ctx, labels, FEW_STORE_I32, 1, &s.n, label));
  }
  FEW_GOTO(few_sample_write(r, l->samples, &s, x, NULL, 0));
  remove(l->part);
out:
  few__free(l->ctx, x);
  few__free(l->ctx, label);
  return st;
}

static few_status sample(const struct loop *l) {
  char *path = NULL;
  few_model *m = NULL;
  few_runner *r = NULL;
  few_status st;
  if (few__path_exists(l->samples)) return FEW_OK;
  FEW_GOTO(few__path_join(l->ctx, &path, l->run, "model.safetensors"));
  FEW_GOTO(few_model_load(&m, l->ctx, path));
  FEW_GOTO(few_runner_create(&r, l->ctx, m));
  FEW_GOTO(draw(l, r));
out:
  few_runner_free(r);
  few_model_free(m);
  few__free(l->ctx, path);
  return st;
}

/* ---- distances ---- */

/* Precision and recall use k = 5 neighbours, as in the paper, and at most as many real items as
 * there are samples. */
static struct few_eval_opts eval_opts(const struct loop *l) {
  const struct few_loop_opts *o = l->o;
  const char *data = l->setup.config.keys.data;
  const bool fashion = !strncmp(data, "fashion-mnist", strlen("fashion-mnist"));
  struct few_eval_opts e = FEW_EVAL_OPTS_INIT;
  e.features = o->features ? o->features : fashion ? "fashion" : "pixels";
  e.metrics = o->metrics ? o->metrics : l->setup.spec.points ? "fd,energy,pr" : "fd,pr";
  e.knn = 5;
  if (l->n_synthetic < e.keep) e.keep = l->n_synthetic;
  return e;
}

static few_status evaluate(const struct loop *l) {
  struct few_eval_opts e = eval_opts(l);
  struct few_eval_report *r = NULL;
  char *reference = NULL, *text = NULL, spec[8300], features[FEW_FEATURES_SPEC];
  few_status st;
  few__setup_features(&l->setup, l->o->features, features);
  /* NULL if pixels is only the default, so that few_eval_save_reference warns of it. */
  e.features = few__setup_features_chosen(l->o->features, features);
  FEW_GOTO(few__path_join(l->ctx, &reference, l->o->run, "reference.safetensors"));
  e.reference = l->setup.config.keys.data;
  if (!few__path_exists(reference)) FEW_GOTO(few_eval_save_reference(l->ctx, &e, reference));
  e.features = features;
  spec_of(l, spec, l->samples);
  e.source = spec;
  e.reference = reference;
  FEW_GOTO(few_eval(&r, l->ctx, &e));
  FEW_GOTO(few_eval_json(&text, l->ctx, r));
  FEW_GOTO(few__file_write(l->ctx, l->report, text, strlen(text)));
out:
  few_eval_report_free(r);
  if (text) few_text_free(l->ctx, text);
  few__free(l->ctx, reference);
  return st;
}

static few_status add_row(const struct loop *l, struct few_text *csv) {
  const struct few_loop_row row = {
      l->generation, few__loop_mix(l->o->kind, l->generation, l->n_real, l->n_synthetic),
      1 / l->o->guidance, l->report};
  return few__loop_add_row(l->ctx, &row, csv);
}

static few_status write_table(const struct loop *l, const struct few_text *csv) {
  char *path;
  if (csv->failed) return few__fail(l->ctx, FEW_E_MEMORY, "out of memory: loop.csv");
  FEW_TRY(few__path_join(l->ctx, &path, l->o->run, "loop.csv"));
  few_status st = few__file_write(l->ctx, path, csv->at, csv->len);
  few__free(l->ctx, path);
  return st;
}

static few_status generation(struct loop *l, int g, struct few_text *csv) {
  FEW_TRY(enter(l, g));
  if (!few__path_exists(l->report)) {
    few__log(l->ctx, FEW_LOG_INFO, "generation %d of %d", g, l->o->generations);
    FEW_TRY(make_data(l));
    FEW_TRY(train(l));
    FEW_TRY(sample(l));
    FEW_TRY(evaluate(l));
  }
  FEW_TRY(add_row(l, csv));
  return write_table(l, csv);
}

/* ---- checks before a loop ---- */

/* A class without samples in one generation would be missing in all later ones of a loop of kind
 * synthetic. The other kinds, whose real items still have the class, are checked alike. */
static few_status check_classes(const struct loop *l) {
  const int64_t classes = l->setup.spec.classes, *real = l->setup.class_counts;
  int64_t *seen = NULL, missing = -1;
  int32_t *label = NULL;
  few_status st;
  FEW_GOTO(FEW_NEW(l->ctx, &seen, classes));
  FEW_GOTO(FEW_NEW(l->ctx, &label, l->n_synthetic));
  FEW_GOTO(choose_labels(l, l->n_synthetic, label));
  for (int64_t i = 0; i < l->n_synthetic; i++) seen[label[i]]++;
  for (int64_t k = 0; k < classes; k++)
    if (real[k] && !seen[k]) missing = k;
  if (missing >= 0)
    st = few__fail(l->ctx, FEW_E_INVALID,
                   "loop: none of %lld synthetic items is of class %lld, which is %.2g %% of the "
                   "data: give more items, or draw all classes equally often",
                   (long long)l->n_synthetic, (long long)missing,
                   100 * (double)real[missing] / (double)few_data_n(l->setup.data));
out:
  few__free(l->ctx, seen);
  few__free(l->ctx, label);
  return st;
}

static few_status choose_numbers(struct loop *l) {
  const struct few_loop_opts *o = l->o;
  const int64_t n = few_data_n(l->setup.data);

  const int64_t most = o->kind == FEW_LOOP_FRESH ? n / o->generations : n;
  l->n_real = o->n_real ? o->n_real : most;
  l->n_synthetic = o->n_synthetic ? o->n_synthetic : l->n_real;
  if (l->n_real < 2 || l->n_synthetic < 2)
    return few__fail(l->ctx, FEW_E_INVALID,
                     "loop: %lld real and %lld synthetic items are too few: give more",
                     (long long)l->n_real, (long long)l->n_synthetic);
  if (l->n_real > most)
    return few__fail(l->ctx, FEW_E_INVALID,
                     "loop: %lld real items per generation are too many: %s has %lld in all, so "
                     "give at most %lld",
                     (long long)l->n_real, l->setup.config.keys.data, (long long)n,
                     (long long)most);
  if (!labelled(l) && o->even)
    return few__fail(l->ctx, FEW_E_INVALID,
                     "loop: %s has no labels, so they cannot be drawn equally often: leave out "
                     "labels = even",
                     l->setup.config.keys.data);
  return labelled(l) ? check_classes(l) : FEW_OK;
}

/* FEW_E_INVALID if the model could not be sampled with the options of the loop. It is called before
 * the first training. */
static few_status check_sampling(const struct loop *l) {
  const struct few_setup *setup = &l->setup;
  struct few_sample_opts s = FEW_SAMPLE_OPTS_INIT;
  few_model *m;
  s.steps = l->o->steps;
  s.guidance = l->o->guidance;
  FEW_TRY(few__model_declare(l->ctx, &m, setup->net, setup->net_opts, &setup->spec));
  m->guidance_min = setup->guidance_min;
  m->guidance_max = setup->guidance_max;
  few_status st = few__setup_use(setup, setup->config.keys.steps, m);
  if (!st) st = few__sample_plan(l->ctx, m, &s, NULL, NULL);
  few_model_free(m);
  return st ? few__fail_in(l->ctx, st, "loop") : FEW_OK;
}

/* Writes the text to the file, or checks that the file already has it. */
static few_status same_text(const struct loop *l, const char *name, const struct few_text *text,
                            const char *difference) {
  char *path, *was = NULL;
  size_t n;
  if (text->failed) return few__fail(l->ctx, FEW_E_MEMORY, "out of memory: %s", name);
  FEW_TRY(few__path_join(l->ctx, &path, l->o->run, name));
  few_status st = FEW_OK;
  if (!few__path_exists(path)) {
    st = few__file_write(l->ctx, path, text->at, text->len);
  } else {
    st = few__file_read(l->ctx, &was, &n, path, (size_t)1 << 20);
    if (!st && (n != text->len || memcmp(was, text->at, n) != 0))
      st = few__fail(l->ctx, FEW_E_INVALID, "%s %s:\n%sThis loop is:\n%sTake another directory",
                     path, difference, was, text->at);
  }
  few__free(l->ctx, was);
  few__free(l->ctx, path);
  return st;
}

/* Compares the hashes of the data and the teacher, not their names. So a loop resumes after these
 * files were moved, but not with other files. */
static few_status same_inputs(const struct loop *l) {
  const struct few_setup *setup = &l->setup;
  struct few_text text = {0};
  few__text_add(l->ctx, &text, "data = %016" PRIx64 "\n", few_data_hash(setup->data));
  if (setup->teacher) few__text_add(l->ctx, &text, "teacher = %s\n", setup->teacher_hash);
  few_status st =
      same_text(l, "inputs.ini", &text, "was written for other data or another teacher");
  few__text_free(l->ctx, &text);
  return st;
}

/* A single run may be made longer, but all generations of a loop have the same number of steps. If
 * the data or the teacher have another name, their hashes must be compared (same_inputs). Loops of
 * older versions have no hashes; with them another name is an error. */
static few_status same_steps(const struct loop *l, const char *path, bool hashed) {
  struct few_previous_run before;
  FEW_TRY(few__setup_same_run(l->ctx, &l->setup, path, &before));
  if (before.moved && !hashed)
    return few__fail(
        l->ctx, FEW_E_INVALID,
        "%s names other data or another teacher, and there is no inputs.ini to compare "
        "them with: take another directory, or the old name",
        path);
  if (before.steps == l->setup.config.keys.steps) return FEW_OK;
  return few__fail(l->ctx, FEW_E_INVALID,
                   "%s was run with steps = %" PRId64 ", now it is %" PRId64
                   ": take another directory, or the old value",
                   path, before.steps, l->setup.config.keys.steps);
}

static few_status same_recipe(const struct loop *l) {
  struct few_text text = {0};
  char *path, *inputs = NULL;
  few_status st;
  FEW_TRY(few__path_join(l->ctx, &path, l->o->run, "recipe.ini"));
  FEW_GOTO(few__path_join(l->ctx, &inputs, l->o->run, "inputs.ini"));
  if (few__path_exists(path)) FEW_GOTO(same_steps(l, path, few__path_exists(inputs)));
  FEW_GOTO(same_inputs(l));
  FEW_GOTO(few__setup_text(l->ctx, &l->setup, &text));
  FEW_GOTO(few__file_write(l->ctx, path, text.at, text.len)); /* with the new names */
out:
  few__text_free(l->ctx, &text);
  few__free(l->ctx, inputs);
  few__free(l->ctx, path);
  return st;
}

/* True if the classes differ in size. Only then do the two ways to draw labels differ. */
static bool uneven(const struct loop *l) {
  int64_t least = INT64_MAX, most = 0;
  for (int64_t k = 0; k < l->setup.spec.classes; k++) {
    const int64_t n = l->setup.class_counts[k];
    if (n && n < least) least = n;
    if (n > most) most = n;
  }
  return most > least;
}

static few_status same_loop(const struct loop *l) {
  const struct few_eval_opts e = eval_opts(l);
  struct few_text text = {0};
  few__text_add(l->ctx, &text,
                "kind = %s\nreal = %" PRId64 "\nsynthetic = %" PRId64
                "\nguidance = %.17g\nsteps = %d\nfeatures = %s\nmetrics = %s\n",
                kinds[l->o->kind], l->n_real, l->n_synthetic, l->o->guidance, l->o->steps,
                e.features, e.metrics);
  if (uneven(l)) few__text_add(l->ctx, &text, "labels = %s\n", l->o->even ? "even" : "shares");
  few_status st = same_text(l, "loop.ini", &text, "belongs to another loop");
  few__text_free(l->ctx, &text);
  return st ? st : same_recipe(l);
}

static few_status check(few_ctx *ctx, const struct few_loop_opts *o) {
  FEW_TRY(few__opts_check(ctx, "few_loop_opts", o, FEW_LOOP_OPTS_VERSION));
  if (!o->recipe || !o->run)
    return few__fail(ctx, FEW_E_INVALID, "loop: name a recipe and a directory");
  if (strchr(o->run, ','))
    return few__fail(ctx, FEW_E_INVALID,
                     "loop: %s: choose a directory without a comma, since it becomes part of a "
                     "data set's name",
                     o->run);
  FEW_TRY(few__opts_range(ctx, "loop: generations", o->generations, 1, 999));
  FEW_TRY(few__opts_range(ctx, "loop: kind", o->kind, 0, FEW_COUNT(kinds) - 1));
  FEW_TRY(few__opts_range(ctx, "loop: steps", o->steps, 0, INT32_MAX));
  FEW_TRY(few__opts_range(ctx, "loop: real items", (double)o->n_real, 0, (double)INT32_MAX));
  FEW_TRY(few__opts_range(ctx, "loop: synthetic items", (double)o->n_synthetic, 0, INT32_MAX));
  return o->guidance > 0 && isfinite(o->guidance)
             ? FEW_OK
             : few__fail(ctx, FEW_E_INVALID, "loop: guidance %g: give more than 0", o->guidance);
}

few_status few_loop(few_ctx *ctx, const struct few_loop_opts *o) {
  struct loop l = {.ctx = ctx, .o = o};
  struct few_text csv = {0};
  int lock = -1;
  few_status st;
  FEW_TRY(check(ctx, o));
  struct few_train_opts t = FEW_TRAIN_OPTS_INIT;
  t.recipe = o->recipe;
  t.n_overrides = o->n_overrides;
  t.overrides = o->overrides;
  FEW_TRY(few__setup_open(ctx, &l.setup, &t));
  FEW_GOTO(choose_numbers(&l));
  FEW_GOTO(check_sampling(&l));
  FEW_GOTO(few__run_dir_open(ctx, o->run, &lock));
  FEW_GOTO(same_loop(&l));
  for (int g = 1; g <= o->generations; g++) FEW_GOTO(generation(&l, g, &csv));
out:
  leave(&l);
  few__text_free(ctx, &csv);
  few__run_dir_close(lock);
  few__setup_close(ctx, &l.setup);
  return st;
}
