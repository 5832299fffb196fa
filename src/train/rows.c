/* rows.c - see rows.h. */
#include "rows.h"

#include "base/rng.h"

/* Each phase has its own seed, so its order of the data and its dropped labels differ. */
static uint64_t seed_of(const struct few_train_keys *k, enum few_phase_id phase) {
  return (uint64_t)k->seed ^ (phase == FEW_PHASE_FAKE ? 0x66616b65u : 0);
}

static void drop_labels(const struct few_train_keys *k, const struct few_rows *rows) {
  struct few_rng r = {.seed = seed_of(k, rows->phase),
                      .step = (uint64_t)rows->update,
                      .purpose = FEW_RNG_LABEL_DROP};
  for (int64_t i = 0; i < rows->rows && k->label_dropout > 0; i++) {
    double u;
    r.row = (uint64_t)(rows->first + i);
    few__rng_uniform_f64(&r, 1, &u);
    if (u < k->label_dropout) rows->label[i] = -1;
  }
}

static few_status fill_from_data(const struct few_row_source *s, int64_t position,
                                 const struct few_rows *rows) {
  const struct few_train_keys *k = &s->setup->config.keys;
  const int32_t *map = s->setup->label_map;
  struct few_data_stream stream = FEW_DATA_STREAM_INIT;
  stream.seed = seed_of(k, rows->phase);
  stream.flip = k->flip;
  stream.augment = k->augment;
  stream.scale = (struct few_data_scale){s->model->data_mean, s->model->data_scale};
  stream.scales = s->model->scales;
  FEW_TRY(few_data_fill(rows->x, rows->label, s->setup->data, &stream, position, rows->rows));
  if (rows->augment)
    FEW_TRY(few_data_fill_augment(rows->augment, s->setup->data, &stream, position, rows->rows));
  for (int64_t i = 0; map && i < rows->rows; i++) rows->label[i] = map[rows->label[i]];
  return FEW_OK;
}

void few__rows_fill(void *source, const struct few_rows *rows) {
  const struct few_row_source *s = source;
  const struct few_train_keys *k = &s->setup->config.keys;
  const int64_t position = rows->update * k->batch + rows->first;
  few_status st = FEW_OK;
  assert(rows->rows > 0 && rows->first >= 0 && rows->first + rows->rows <= k->batch);
  assert(!s->pairs == !rows->pair);
  if (s->pairs)
    few__pairs_fill(s->pairs, seed_of(k, rows->phase), position, rows);
  else
    st = fill_from_data(s, position, rows);
  assert(!st); /* the config limits the rows of a run to what a stream can count */
  FEW_UNUSED(st);
  drop_labels(k, rows);
}
