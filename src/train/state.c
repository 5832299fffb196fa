/* state.c - see state.h. */
#include "state.h"

#include <math.h>

static few_status make_arrays(const struct few_arrays *arrays, const struct few_state_shape *shape,
                              struct few_state_arrays *a) {
  FEW_TRY(few__arrays_new(arrays, &a->param, shape->n));
  for (int i = 0; i < shape->n_moments; i++)
    FEW_TRY(few__arrays_new(arrays, &a->moment[i], shape->n));
  if (shape->ema) FEW_TRY(few__arrays_new(arrays, &a->ema, shape->n_model));
  for (int i = 0; i < FEW_HISTORIES && shape->history; i++)
    FEW_TRY(few__arrays_new(arrays, &a->history[i], shape->n_model));
  return shape->target ? few__arrays_new(arrays, &a->target, shape->n_model) : FEW_OK;
}

static void free_arrays(const struct few_arrays *arrays, struct few_state_arrays *a) {
  few__arrays_free(arrays, a->param);
  for (int i = 0; i < FEW_OPTIM_MAX_STATES; i++) few__arrays_free(arrays, a->moment[i]);
  few__arrays_free(arrays, a->ema);
  few__arrays_free(arrays, a->target);
  for (int i = 0; i < FEW_HISTORIES; i++) few__arrays_free(arrays, a->history[i]);
}

few_status few__state_create(struct few_run_state *s, const struct few_state_shape *shape,
                             const struct few_arrays *arrays) {
  const struct few_arrays host = {.ctx = arrays->ctx};
  assert(shape->n_model >= 0 && shape->n >= shape->n_model);
  assert(shape->n_moments >= 0 && shape->n_moments <= FEW_OPTIM_MAX_STATES);
  *s = (struct few_run_state){.n = shape->n,
                              .n_model = shape->n_model,
                              .arrays = arrays,
                              .lr_factor = 1,
                              .stretch = 1,
                              .rolled_to = -1};
  FEW_TRY(make_arrays(&host, shape, &s->here));
  if (arrays->device) return make_arrays(arrays, shape, &s->there);
  s->there = s->here;
  return FEW_OK;
}

void few__state_free(struct few_run_state *s) {
  if (!s->arrays) return;
  const struct few_arrays host = {.ctx = s->arrays->ctx};
  if (s->arrays->device) free_arrays(s->arrays, &s->there);
  free_arrays(&host, &s->here);
  *s = (struct few_run_state){0};
}

int few__state_arrays(const struct few_run_state *s, struct few_state_array out[FEW_STATE_ARRAYS]) {
  static const char *const moments[] = {"moment.0", "moment.1"};
  static const char *const histories[] = {"history.0", "history.1"};
  int n = 0;
  const struct few_state_arrays *h = &s->here, *t = &s->there;
  out[n++] = (struct few_state_array){"param", h->param, t->param, s->n};
  for (int i = 0; i < FEW_OPTIM_MAX_STATES; i++)
    if (h->moment[i])
      out[n++] = (struct few_state_array){moments[i], h->moment[i], t->moment[i], s->n};
  if (h->ema) out[n++] = (struct few_state_array){"ema", h->ema, t->ema, s->n_model};
  if (h->target) out[n++] = (struct few_state_array){"target", h->target, t->target, s->n_model};
  for (int i = 0; i < FEW_HISTORIES; i++)
    if (h->history[i])
      out[n++] = (struct few_state_array){histories[i], h->history[i], t->history[i], s->n_model};
  return n;
}

void few__state_put(struct few_run_state *s) {
  struct few_state_array a[FEW_STATE_ARRAYS];
  const int n = s->arrays->device ? few__state_arrays(s, a) : 0;
  for (int i = 0; i < n; i++) few__arrays_put(s->arrays, a[i].there, a[i].at, a[i].n);
}

few_status few__state_get(const struct few_run_state *s) {
  struct few_state_array a[FEW_STATE_ARRAYS];
  const int n = s->arrays->device ? few__state_arrays(s, a) : 0;
  for (int i = 0; i < n; i++) FEW_TRY(few__arrays_get(s->arrays, a[i].at, a[i].there, a[i].n));
  return FEW_OK;
}

few_status few__state_student(const struct few_run_state *s, float *values) {
  const struct few_state_arrays *t = &s->there;
  return few__arrays_get(s->arrays, values, t->ema ? t->ema : t->param, s->n_model);
}

static bool finite_array(const float *x, int64_t n) {
  bool finite = true;
  for (int64_t i = 0; i < n; i++) finite &= isfinite(x[i]) != 0;
  return finite;
}

bool few__state_finite(const struct few_run_state *s) {
  struct few_state_array a[FEW_STATE_ARRAYS];
  const int n = few__state_arrays(s, a);
  for (int i = 0; i < n; i++)
    if (!finite_array(a[i].at, a[i].n)) return false;
  return true;
}
