/* data.c - the content of an open data set. This file refers to no reader, so a program that links
 * the static library and opens no data set does not contain the readers.
 */
#include "reader.h"

size_t few__data_item_bytes(const few_data *d) {
  return (size_t)few_data_item_size(d) * (d->kind == FEW_DATA_IMAGES ? 1 : sizeof(float));
}

struct few_data_moments few_data_moments_of(const few_data *d, int k) {
  assert(k >= 0 && k < d->c);
  return d->each[k];
}

double few_data_unevenness(const few_data *d) {
  double least = 0;
  for (int c = 0; c < d->c; c++)
    if (d->each[c].std > 0 && (least == 0 || d->each[c].std < least)) least = d->each[c].std;
  return least > 0 ? d->std / least : 1;
}

void few_data_free(few_data *d) {
  if (!d) return;
  few_ctx *ctx = d->ctx;
  for (int i = 0; d->class_name && i < d->n_classes; i++) few__free(ctx, d->class_name[i]);
  few__free(ctx, d->class_name);
  few__text_free(ctx, &d->note);
  few__free(ctx, d->each);
  few__free(ctx, d->labels);
  few__free(ctx, d->borrowed ? NULL : d->points);
  few__free(ctx, d->borrowed ? NULL : d->pixels);
  few__free(ctx, d->spec);
  few__free(ctx, d);
}

few_data_kind few_data_get_kind(const few_data *d) { return d->kind; }
const char *few_data_spec(const few_data *d) { return d->spec; }
int64_t few_data_n(const few_data *d) { return d->n; }
int few_data_h(const few_data *d) { return d->h; }
int few_data_w(const few_data *d) { return d->w; }
int few_data_c(const few_data *d) { return d->c; }
int64_t few_data_item_size(const few_data *d) { return (int64_t)d->h * d->w * d->c; }
int few_data_n_classes(const few_data *d) { return d->n_classes; }
const char *few_data_note(const few_data *d) { return d->note.len ? d->note.at : NULL; }
int64_t few_data_skipped(const few_data *d) { return d->skipped; }
uint64_t few_data_hash(const few_data *d) { return d->hash; }
double few_data_mean(const few_data *d) { return d->mean; }
double few_data_std(const few_data *d) { return d->std; }

const char *few_data_class_name(const few_data *d, int label) {
  return d->class_name && label >= 0 && label < d->n_classes ? d->class_name[label] : NULL;
}

int32_t few_data_label(const few_data *d, int64_t index) {
  return d->labels && index >= 0 && index < d->n ? d->labels[index] : -1;
}
