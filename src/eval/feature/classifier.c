/* classifier - any classifier of images that few trained (objective classifier). A row is the input
 * of its last layer.
 *
 * The features of a classifier of a data set suit that set; features of photographs may not. The
 * classifier should not have been trained on the images of the reference.
 */
#include <stdio.h>

#include "io/json.h"
#include "net.h"

/* Reads from the file on which data set the classifier was trained. */
static few_status read_source(struct few_feature_net *net) {
  json_t *root;
  const char *text = net->model->provenance;
  if (!text) return FEW_OK;
  FEW_TRY(few__json_parse(net->ctx, &root, "provenance", text, strlen(text)));
  const char *source = json_string_value(json_object_get(json_object_get(root, "data"), "source"));
  if (source) snprintf(net->trained_on, sizeof net->trained_on, "%s", source);
  json_decref(root);
  return FEW_OK;
}

few_status few__classifier_open(struct few_feature_net *net, const char *path) {
  FEW_TRY(few_model_load(&net->model, net->ctx, path));
  FEW_TRY(few__sha256_file(net->ctx, net->hash, path));
  const struct few_net_spec *s = &net->model->spec;
  if (!few__model_classifies(net->model) || s->points)
    return few__fail(net->ctx, FEW_E_INVALID,
                     "%s: net %s makes images: features need a classifier of images", path,
                     net->model->net->name);
  net->h = s->h;
  net->w = s->w;
  net->c = s->c;
  snprintf(net->resize, sizeof net->resize, "as they are, %lldx%lldx%lld", (long long)s->h,
           (long long)s->w, (long long)s->c);
  return read_source(net);
}

void few__classifier_prepare(const struct few_feature_net *net, int64_t h, int64_t w, int64_t c,
                             const uint8_t *image, float *x) {
  const few_model *m = net->model;
  for (int64_t k = 0; k < net->c; k++) {
    const struct few_data_scale s = few__model_scale(m, k);
    const double a = s.scale / m->spec.sigma_data;
    const float scale = (float)(a / 127.5), shift = (float)(-a * (1 + s.mean));
    for (int64_t i = 0; i < h * w; i++)
      x[i * net->c + k] = scale * (float)image[i * c + (c == net->c ? k : 0)] + shift;
  }
}

void few__classifier_build(struct few_feature_net *net, few_node x, few_node out[3]) {
  const struct few_net_input in = few_net_input_of(x, FEW_NONE, FEW_NONE);
  out[0] = few__model_features(net->model, net->g, "", &in);
  out[1] = few__model_trace(net->model, net->g, "", false, &in);
}

const struct few_feature_def few__feature_classifier = {
    .name = "classifier",
    .help = "a classifier that few trained: classifier=FILE",
    .resize = "",
    .trained_on = "",
    .weights = "",
    .fixed = true,
    .rows = 8,
    .open = few__classifier_open,
    .prepare = few__classifier_prepare,
    .build = few__classifier_build,
};
