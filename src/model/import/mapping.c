/* mapping.c - runs a layout's tables: first to compare shapes, then to copy values.
 *
 * Before any parameter is allocated, the tensors must fit, so a configuration never costs more
 * memory than the tensors of its source.
 */
#include "back.h"

#include <math.h>
#include <stdio.h>

enum { LISTED = 4, FULL_MAX = 200 };

/* ---- What does not fit ---- */

struct list {
  int n;
  struct few_text text;
};
struct few_differences {
  struct list missing, shaped, typed, left, unset;
};

static void add(few_ctx *ctx, struct list *l, const char *name, const char *more) {
  if (l->n++ < LISTED) few__text_add(ctx, &l->text, "%s%.150s%s", l->n > 1 ? ", " : "", name, more);
}

/* "[64,3,3,3]" */
static const char *dims_text(char out[100], int rank, const int64_t *dim) {
  size_t at = (size_t)snprintf(out, 100, " [");
  for (int i = 0; i < rank && at < 80; i++)
    at += (size_t)snprintf(out + at, 100 - at, "%s%lld", i ? "," : "", (long long)dim[i]);
  snprintf(out + at, 100 - at, "]");
  return out;
}

/* Trailing sides of 1 do not matter: a 1x1 convolution is a linear layer. */
static bool fits(const struct few_st_tensor *t, struct few_shape s) {
  for (int i = 0; i < t->rank || i < s.rank; i++)
    if ((i < t->rank ? t->dim[i] : 1) != (i < s.rank ? s.dim[i] : 1)) return false;
  return true;
}

static bool readable(enum few_store s) {
  return s == FEW_STORE_F32 || s == FEW_STORE_F16 || s == FEW_STORE_BF16 || s == FEW_STORE_F64;
}

/* The tensor PREFIX NAME, marked as used; NULL: there is none. */
static const struct few_st_tensor *take(struct few_importer *im, const char *prefix,
                                        const char *name, char full[FULL_MAX]) {
  snprintf(full, FULL_MAX, "%s%s", prefix, name);
  const struct few_origin *s = im->source;
  const struct few_st_tensor *t = few__origin_find(s, full);
  if (!t) return NULL;
  int lo = 0, hi = s->n - 1; /* its index */
  while (lo < hi) {
    const int mid = (lo + hi) / 2;
    if (strcmp(s->at[mid]->name, full) < 0)
      lo = mid + 1;
    else
      hi = mid;
  }
  im->used[lo] = true;
  return t;
}

void few__map_unused(struct few_importer *im, const char *prefix, const char *name) {
  char full[FULL_MAX];
  (void)take(im, prefix, name, full);
}

static void compare(struct few_importer *im, const char *from, const struct few_map_row *row,
                    struct few_shape to) {
  struct few_differences *d = im->differences;
  char full[FULL_MAX], has[100], want[100], both[230];
  for (int i = 0; i < row->how->n; i++) {
    const struct few_st_tensor *t = take(im, from, row->from[i], full);
    const struct few_shape s = row->how->shape(im, row->how, to, i);
    if (!t) {
      add(im->ctx, &d->missing, full, dims_text(want, s.rank, s.dim));
    } else if (!fits(t, s)) {
      snprintf(both, sizeof both, "%s in place of%s", dims_text(has, t->rank, t->dim),
               dims_text(want, s.rank, s.dim));
      add(im->ctx, &d->shaped, full, both);
    } else if (!readable(t->store)) {
      add(im->ctx, &d->typed, full, "");
    }
  }
}

/* ---- Values ---- */

static few_status copy_values(struct few_importer *im, const char *from,
                              const struct few_map_row *row, struct few_shape to, float *out) {
  float *in[FEW_MAP_SOURCES] = {NULL};
  char full[FULL_MAX];
  few_status st = FEW_OK;
  assert(row->how->n <= FEW_MAP_SOURCES);
  for (int i = 0; i < row->how->n; i++) {
    const struct few_st_tensor *t = take(im, from, row->from[i], full);
    assert(t); /* compared before */
    FEW_GOTO(FEW_NEW(im->ctx, &in[i], t->count));
    few__store_to_f32(t->store, t->data, t->count, in[i]);
    for (int64_t k = 0; k < t->count; k++)
      if (!isfinite(in[i][k])) {
        st = few__fail(im->ctx, FEW_E_FORMAT,
                       "%s: %s has a value that is not finite (element %lld): fetch it again, or "
                       "take weights that are not in F16",
                       im->source->place, full, (long long)k);
        goto out;
      }
  }
  row->how->apply(im, row->how, to, (const float *const *)in, out);
out:
  for (int i = 0; i < row->how->n; i++) few__free(im->ctx, in[i]);
  return st;
}

few_status few__map(struct few_importer *im, const char *to, const char *from,
                    const struct few_map_row *rows, int n) {
  const struct few_params *p = &im->model->params;
  for (int i = 0; i < n; i++) {
    char full[FULL_MAX];
    snprintf(full, sizeof full, "%s%s", to, rows[i].to);
    const int k = few__params_find(p, full);
    if (k < 0) continue; /* the tensor, if there is one, is left over */
    assert(!im->set[k]);
    im->set[k] = true;
    if (im->back)
      FEW_TRY(few__back_put(im, from, &rows[i], &p->at[k]));
    else if (im->differences)
      compare(im, from, &rows[i], p->at[k].shape);
    else
      FEW_TRY(copy_values(im, from, &rows[i], p->at[k].shape, im->model->values + p->at[k].offset));
  }
  return FEW_OK;
}

bool few__map_has(const struct few_importer *im, const char *to, const char *name) {
  char full[FULL_MAX];
  snprintf(full, sizeof full, "%s%s", to, name);
  return few__params_find(&im->model->params, full) >= 0;
}

few_status few__map_same(struct few_importer *im, const char *prefix, const char *like,
                         const char *const *names, int n) {
  char full[FULL_MAX], other[FULL_MAX], want[100];
  if (im->back) return few__back_repeat(im, prefix, like, names, n);
  for (int i = 0; i < n; i++) {
    const struct few_st_tensor *t = take(im, prefix, names[i], full);
    const struct few_st_tensor *u = take(im, like, names[i], other);
    if (!u) continue; /* missed by the row that reads it */
    if (!t) {
      if (im->differences)
        add(im->ctx, &im->differences->missing, full, dims_text(want, u->rank, u->dim));
    } else if (t->store != u->store || t->bytes != u->bytes ||
               (t->bytes && memcmp(t->data, u->data, t->bytes) != 0)) {
      return few__import_refuse(
          im,
          "%s differs from %s, but few has one such layer for all blocks: import a model in "
          "which they are equal",
          full, other);
    }
  }
  return FEW_OK;
}

/* ---- The two runs ---- */

static void collect_rest(struct few_importer *im) {
  struct few_differences *d = im->differences;
  char text[100];
  for (int i = 0; i < im->source->n; i++) {
    const struct few_st_tensor *t = im->source->at[i];
    if (!im->used[i]) add(im->ctx, &d->left, t->name, dims_text(text, t->rank, t->dim));
  }
  for (int i = 0; i < im->model->params.n; i++) {
    const struct few_param_row *row = &im->model->params.at[i];
    if (!im->set[i])
      add(im->ctx, &d->unset, row->name, dims_text(text, row->shape.rank, row->shape.dim));
  }
}

static void put(few_ctx *ctx, struct few_text *out, const struct list *l, const char *what) {
  if (!l->n) return;
  few__text_add(ctx, out, "%s%d %s: %s", out->len ? "; " : "", l->n, what,
                l->text.at ? l->text.at : "");
  if (l->n > LISTED) few__text_add(ctx, out, " and %d more", l->n - LISTED);
}

static few_status report(struct few_importer *im) {
  struct few_differences *d = im->differences;
  struct few_text t = {0};
  few_ctx *ctx = im->ctx;
  put(ctx, &t, &d->missing, "missing");
  put(ctx, &t, &d->shaped, "of another shape");
  put(ctx, &t, &d->typed, "not of real numbers");
  put(ctx, &t, &d->left, "left over");
  put(ctx, &t, &d->unset, "in few's network only");
  few_status st = FEW_OK;
  if (t.len)
    st = few__fail(ctx, FEW_E_FORMAT,
                   "%s: its tensors are not those of %s with this configuration: %s: take weights "
                   "and configuration from one model",
                   im->source->place, im->layout->name, t.at);
  few__text_free(ctx, &t);
  return st;
}

static few_status run(struct few_importer *im, struct few_differences *d) {
  memset(im->used, 0, (size_t)im->source->n);
  memset(im->set, 0, (size_t)im->model->params.n);
  im->differences = d;
  return im->layout->map(im);
}

few_status few__map_all(struct few_importer *im) {
  struct few_differences d = {0};
  struct list *lists[] = {&d.missing, &d.shaped, &d.typed, &d.left, &d.unset};
  few_status st;
  FEW_TRY(FEW_NEW(im->ctx, &im->used, im->source->n + 1));
  FEW_TRY(FEW_NEW(im->ctx, &im->set, im->model->params.n + 1));
  st = run(im, &d);
  if (!st) {
    collect_rest(im);
    st = report(im);
  }
  im->differences = NULL;
  for (int i = 0; i < FEW_COUNT(lists); i++) few__text_free(im->ctx, &lists[i]->text);
  FEW_TRY(st);
  FEW_TRY(FEW_NEW(im->ctx, &im->model->values, im->model->params.total));
  return run(im, NULL);
}
