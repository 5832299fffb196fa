/* start.c - see start.h. */
#include "start.h"

#include <stdio.h>

#include "units.h"

/* ---- the student ---- */

/* Copies class numbers and names to the model: those of the teacher, if it has names. */
static few_status describe_classes(few_ctx *ctx, few_model *m, const struct few_setup *setup) {
  const int64_t n = setup->spec.classes;
  if (!n) return FEW_OK;
  FEW_TRY(FEW_NEW(ctx, &m->class_names, n));
  FEW_TRY(FEW_NEW(ctx, &m->class_counts, n));
  memcpy(m->class_counts, setup->class_counts, (size_t)n * sizeof *m->class_counts);
  for (int64_t i = 0; i < n; i++) {
    const char *name = setup->numbered_as ? few_model_class_name(setup->numbered_as, i) : NULL;
    if (!name && !setup->label_map) name = few_data_class_name(setup->data, (int)i);
    m->class_names[i] = name ? few__strdup(ctx, name) : NULL;
    if (name && !m->class_names[i])
      return few__fail(ctx, FEW_E_MEMORY, "out of memory for the names of classes");
  }
  return FEW_OK;
}

/* Refuses a description that a model file cannot store now, and not at the first checkpoint. */
static few_status check_description(const few_model *m) {
  struct few_text text = {0};
  const few_status st = few__model_describe(m, &text);
  few__text_free(m->ctx, &text);
  return st;
}

static few_status describe(few_ctx *ctx, few_model *m, const struct few_setup *setup) {
  const few_model *units = setup->teacher ? setup->teacher : setup->start;
  FEW_TRY(units ? few__model_take_scale(m, units) : few__units_of_data(m, setup));
  if (units) few__units_check(m, setup);
  snprintf(m->objective, sizeof m->objective, "%s", setup->config.objective[0].def->name);
  FEW_TRY(few__setup_use(setup, 0, m));
  m->guidance_min = setup->guidance_min;
  m->guidance_max = setup->guidance_max;
  FEW_TRY(describe_classes(ctx, m, setup));
  return check_description(m);
}

few_status few__start_model(few_ctx *ctx, few_model **out, const struct few_setup *setup) {
  FEW_TRY(few__model_create(ctx, out, setup->net, setup->net_opts, &setup->spec,
                            (uint64_t)setup->config.keys.seed));
  const few_status st = describe(ctx, *out, setup);
  if (!st) return FEW_OK;
  few_model_free(*out);
  *out = NULL;
  return st;
}

/* ---- weights ---- */

/* Copies the tensors whose names and shapes agree, and returns their number. If the two networks
 * predict different things, the last layer is not copied. */
static int copy_weights(const few_model *from, const few_model *to, float *values) {
  const bool last_too = from->spec.predicts == to->spec.predicts;
  int n = 0;
  for (int i = 0; i < from->params.n; i++) {
    const struct few_param_row *a = &from->params.at[i];
    int k = few__params_find(&to->params, a->name);
    if (!last_too && !strncmp(a->name, "out.", 4)) continue;
    if (k < 0 || !few_shape_equal(a->shape, to->params.at[k].shape)) continue;
    memcpy(values + to->params.at[k].offset, from->values + a->offset,
           (size_t)few_shape_count(a->shape) * sizeof(float));
    n++;
  }
  return n;
}

/* The tensors for labels of augmentation that the student has and the model it starts from has not.
 * They have no effect at first. */
static int new_labels(const few_model *from, const few_model *to) {
  int n = 0;
  if (from->spec.augment || !to->spec.augment) return 0;
  for (int i = 0; i < to->params.n; i++)
    n += !strncmp(to->params.at[i].name, "cond.augment.", strlen("cond.augment."));
  return n;
}

/* Copies the student's first weights from the model that `init` names, which must have all of them,
 * or from the teacher. Warns if the teacher has none of them. */
static few_status start_student(few_ctx *ctx, const struct few_networks *w, float *values) {
  const struct few_setup *setup = w->setup;
  const few_model *m = w->student, *from = setup->start ? setup->start : setup->teacher;
  const bool begins = setup->start || setup->config.objective[0].def->starts_as_teacher;
  if (!strcmp(setup->config.keys.init, "fresh") || !from || !begins) return FEW_OK;
  const int n = copy_weights(from, m, values);
  if (setup->start && from->spec.predicts != m->spec.predicts)
    return few__fail(
        ctx, FEW_E_INVALID,
        "init = %s: it predicts %s and the student %s, so that the last layer does not "
        "fit: give prediction = %s",
        setup->config.keys.init, few__predict_name(from->spec.predicts),
        few__predict_name(m->spec.predicts), few__predict_name(from->spec.predicts));
  if (setup->start && n + new_labels(from, m) < m->params.n)
    return few__fail(ctx, FEW_E_INVALID,
                     "init = %s: the student has %d tensors, and this model has %d of them: give a "
                     "model of the same net, with the same options",
                     setup->config.keys.init, m->params.n, n);
  if (!n)
    few__log(ctx, FEW_LOG_WARN,
             "%s: the student shares no weights with teacher %s and begins with random ones "
             "(init = fresh does the same without this warning)",
             setup->config.recipe.place, setup->config.keys.teacher);
  return FEW_OK;
}

static void start_fake(const struct few_networks *w, float *param) {
  const struct few_setup *setup = w->setup;
  const uint64_t seed = (uint64_t)setup->config.keys.seed;
  if (!setup->fake) return;
  float *values = param + few__fake_base(w);
  few__params_init(&setup->fake->params, seed, values);
  copy_weights(setup->teacher, setup->fake, values);
  few__params_init(w->fake_head, seed, values + setup->fake->params.total);
}

few_status few__start_state(struct few_run_state *out, const struct few_networks *w,
                            const struct few_arrays *arrays) {
  const struct few_config *c = &w->setup->config;
  const struct few_params *p = &w->student->params;
  const struct few_state_shape shape = {.n_model = p->total,
                                        .n = few__parameters(w),
                                        .n_moments = c->optim->states,
                                        .ema = c->keys.ema > 0 || c->keys.ema_power > 0,
                                        .target = c->target != FEW_TARGET_NONE,
                                        .history = c->keys.snapshot_every > 0};
  assert(shape.n >= shape.n_model);
  FEW_TRY(few__state_create(out, &shape, arrays));
  const struct few_state_arrays *a = &out->here;
  const size_t bytes = (size_t)p->total * sizeof(float);
  memcpy(a->param, w->student->values, bytes);
  few__params_init(w->head, (uint64_t)c->keys.seed, a->param + p->total);
  FEW_TRY(start_student(arrays->ctx, w, a->param));
  start_fake(w, a->param);
  if (a->ema) memcpy(a->ema, a->param, bytes);
  if (a->target) memcpy(a->target, a->param, bytes);
  for (int i = 0; i < FEW_HISTORIES; i++)
    if (a->history[i]) memcpy(a->history[i], a->param, bytes);
  few__state_put(out);
  return FEW_OK;
}

/* ---- identity ---- */

static uint64_t layout_of(const struct few_params *p, uint64_t h) {
  for (int i = 0; i < p->n; i++) {
    h = few__hash(p->at[i].name, strlen(p->at[i].name), h);
    h = few__hash(p->at[i].shape.dim, sizeof(int64_t) * (size_t)p->at[i].shape.rank, h);
  }
  return h;
}

struct few_run_identity few__start_identity(const struct few_networks *w) {
  const char *teacher = w->setup->teacher_hash;
  return (struct few_run_identity){
      .layout = layout_of(w->fake_head, layout_of(w->head, layout_of(&w->student->params, 0))),
      .data = few_data_hash(w->setup->data),
      .teacher = *teacher ? few__hash(teacher, strlen(teacher), 0) : 0};
}
