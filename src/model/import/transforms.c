/* transforms.c - how tensors of other programs become parameters (mapping.h). Sums are in f64. */
#include "mapping.h"

typedef const struct few_importer importer;
typedef const struct few_transform transform;
typedef struct few_shape shape;

static shape same_shape(importer *im, transform *how, shape to, int i) {
  FEW_UNUSED(im);
  FEW_UNUSED(how);
  FEW_UNUSED(i);
  return to;
}

/* out [cols,rows] of in [rows,cols]. */
static void transpose(int64_t rows, int64_t cols, const float *in, int64_t out_stride, float *out) {
  for (int64_t r = 0; r < rows; r++)
    for (int64_t c = 0; c < cols; c++) out[c * out_stride + r] = in[r * cols + c];
}

/* ---- One tensor as it is ---- */

static void zero(importer *im, transform *how, shape to, const float *const *in, float *out) {
  FEW_UNUSED(im);
  FEW_UNUSED(how);
  FEW_UNUSED(in);
  memset(out, 0, (size_t)few_shape_count(to) * sizeof *out);
}
const struct few_transform few__map_zero = {0, same_shape, zero, 0, 0, NULL};

static void copy(importer *im, transform *how, shape to, const float *const *in, float *out) {
  FEW_UNUSED(im);
  FEW_UNUSED(how);
  memcpy(out, in[0], (size_t)few_shape_count(to) * sizeof *out);
}

static void uncopy(importer *im, transform *how, shape to, const float *from, float *const *out) {
  copy(im, how, to, &from, out[0]);
}
const struct few_transform few__map_copy = {1, same_shape, copy, 0, 0, uncopy};

static shape linear_shape(importer *im, transform *how, shape to, int i) {
  FEW_UNUSED(im);
  FEW_UNUSED(how);
  FEW_UNUSED(i);
  return FEW_SHAPE(to.dim[1], to.dim[0]);
}

static void linear(importer *im, transform *how, shape to, const float *const *in, float *out) {
  FEW_UNUSED(im);
  FEW_UNUSED(how);
  transpose(to.dim[1], to.dim[0], in[0], to.dim[1], out);
}

static void unlinear(importer *im, transform *how, shape to, const float *from, float *const *out) {
  FEW_UNUSED(im);
  FEW_UNUSED(how);
  transpose(to.dim[0], to.dim[1], from, to.dim[0], out[0]);
}
const struct few_transform few__map_linear = {1, linear_shape, linear, 0, 0, unlinear};

static void flipped(importer *im, transform *how, shape to, const float *const *in, float *out) {
  const int64_t n = to.dim[0], half = n / 2;
  FEW_UNUSED(im);
  FEW_UNUSED(how);
  for (int64_t r = 0; r < to.dim[1]; r++)
    for (int64_t c = 0; c < n; c++)
      out[(c < half ? c + n - half : c - half) * to.dim[1] + r] = in[0][r * n + c];
}
const struct few_transform few__map_flipped = {1, linear_shape, flipped, 0, 0, NULL};

/* ---- Convolutions ---- */

/* out [pixels,in,out] of the first `out` of in [outs,in,pixels]. */
static void pixels_first(int64_t pixels, int64_t ins, int64_t outs, const float *in, float *out) {
  for (int64_t o = 0; o < outs; o++)
    for (int64_t c = 0; c < ins; c++)
      for (int64_t p = 0; p < pixels; p++)
        out[(p * ins + c) * outs + o] = in[(o * ins + c) * pixels + p];
}

static void pixels_last(int64_t pixels, int64_t ins, int64_t outs, const float *in, float *out) {
  for (int64_t o = 0; o < outs; o++)
    for (int64_t c = 0; c < ins; c++)
      for (int64_t p = 0; p < pixels; p++)
        out[(o * ins + c) * pixels + p] = in[(p * ins + c) * outs + o];
}

static shape conv_shape(importer *im, transform *how, shape to, int i) {
  FEW_UNUSED(im);
  FEW_UNUSED(how);
  FEW_UNUSED(i);
  return FEW_SHAPE(to.dim[3], to.dim[2], to.dim[0], to.dim[1]);
}

static shape first_conv_shape(importer *im, transform *how, shape to, int i) {
  shape s = conv_shape(im, how, to, i);
  s.dim[0] *= im->outputs;
  return s;
}

static void conv(importer *im, transform *how, shape to, const float *const *in, float *out) {
  FEW_UNUSED(im);
  FEW_UNUSED(how);
  pixels_first(to.dim[0] * to.dim[1], to.dim[2], to.dim[3], in[0], out);
}

static void unconv(importer *im, transform *how, shape to, const float *from, float *const *out) {
  FEW_UNUSED(im);
  FEW_UNUSED(how);
  pixels_last(to.dim[0] * to.dim[1], to.dim[2], to.dim[3], from, out[0]);
}
const struct few_transform few__map_conv = {1, conv_shape, conv, 0, 0, unconv};
const struct few_transform few__map_first_conv = {1, first_conv_shape, conv, 0, 0, unconv};

static shape first_b_shape(importer *im, transform *how, shape to, int i) {
  FEW_UNUSED(how);
  FEW_UNUSED(i);
  return FEW_SHAPE(to.dim[0] * im->outputs);
}
const struct few_transform few__map_first_b = {1, first_b_shape, copy, 0, 0, uncopy};

static shape patch_shape(importer *im, transform *how, shape to, int i) {
  const int64_t c = im->spec.c, pixels = to.dim[0] / c;
  int64_t side = 1;
  FEW_UNUSED(how);
  FEW_UNUSED(i);
  while (side * side < pixels) side++;
  return FEW_SHAPE(to.dim[1], c, side, side);
}

static void patch(importer *im, transform *how, shape to, const float *const *in, float *out) {
  FEW_UNUSED(how);
  pixels_first(to.dim[0] / im->spec.c, im->spec.c, to.dim[1], in[0], out);
}

static void unpatch(importer *im, transform *how, shape to, const float *from, float *const *out) {
  FEW_UNUSED(how);
  pixels_last(to.dim[0] / im->spec.c, im->spec.c, to.dim[1], from, out[0]);
}
const struct few_transform few__map_patch = {1, patch_shape, patch, 0, 0, unpatch};

/* Output (pixel, image, channel) of the source; image 0 is kept. */
static int64_t first_row(importer *im, int64_t r) {
  const int64_t c = im->spec.c;
  return r / c * c * im->outputs + r % c;
}

static shape first_patch_shape(importer *im, transform *how, shape to, int i) {
  FEW_UNUSED(how);
  FEW_UNUSED(i);
  return to.rank == 1 ? FEW_SHAPE(to.dim[0] * im->outputs)
                      : FEW_SHAPE(to.dim[1] * im->outputs, to.dim[0]);
}

static void first_patch_w(importer *im, transform *how, shape to, const float *const *in,
                          float *out) {
  FEW_UNUSED(how);
  for (int64_t r = 0; r < to.dim[1]; r++)
    for (int64_t c = 0; c < to.dim[0]; c++)
      out[c * to.dim[1] + r] = in[0][first_row(im, r) * to.dim[0] + c];
}

static void unfirst_patch_w(importer *im, transform *how, shape to, const float *from,
                            float *const *out) {
  FEW_UNUSED(how);
  for (int64_t r = 0; r < to.dim[1]; r++)
    for (int64_t c = 0; c < to.dim[0]; c++)
      out[0][first_row(im, r) * to.dim[0] + c] = from[c * to.dim[1] + r];
}
const struct few_transform few__map_first_patch_w = {1, first_patch_shape, first_patch_w, 0,
                                                     0, unfirst_patch_w};

static void first_patch_b(importer *im, transform *how, shape to, const float *const *in,
                          float *out) {
  FEW_UNUSED(how);
  for (int64_t r = 0; r < to.dim[0]; r++) out[r] = in[0][first_row(im, r)];
}

static void unfirst_patch_b(importer *im, transform *how, shape to, const float *from,
                            float *const *out) {
  FEW_UNUSED(how);
  for (int64_t r = 0; r < to.dim[0]; r++) out[0][first_row(im, r)] = from[r];
}
const struct few_transform few__map_first_patch_b = {1, first_patch_shape, first_patch_b, 0,
                                                     0, unfirst_patch_b};

/* ---- Several layers as one, one layer as several ---- */

static shape join_shape(importer *im, transform *how, shape to, int i) {
  FEW_UNUSED(im);
  FEW_UNUSED(i);
  return to.rank == 1 ? FEW_SHAPE(to.dim[0] / how->n) : FEW_SHAPE(to.dim[1] / how->n, to.dim[0]);
}

static void join_w(importer *im, transform *how, shape to, const float *const *in, float *out) {
  const int64_t each = to.dim[1] / how->n;
  FEW_UNUSED(im);
  for (int i = 0; i < how->n; i++) transpose(each, to.dim[0], in[i], to.dim[1], out + i * each);
}

static void unjoin_w(importer *im, transform *how, shape to, const float *from, float *const *out) {
  const int64_t each = to.dim[1] / how->n;
  FEW_UNUSED(im);
  for (int64_t c = 0; c < to.dim[0]; c++)
    for (int64_t r = 0; r < to.dim[1]; r++)
      out[r / each][r % each * to.dim[0] + c] = from[c * to.dim[1] + r];
}
const struct few_transform few__map_join_w = {3, join_shape, join_w, 0, 0, unjoin_w};

static void join_b(importer *im, transform *how, shape to, const float *const *in, float *out) {
  const int64_t each = to.dim[0] / how->n;
  FEW_UNUSED(im);
  for (int i = 0; i < how->n; i++) memcpy(out + i * each, in[i], (size_t)each * sizeof *out);
}

static void unjoin_b(importer *im, transform *how, shape to, const float *from, float *const *out) {
  const int64_t each = to.dim[0] / how->n;
  FEW_UNUSED(im);
  for (int i = 0; i < how->n; i++) memcpy(out[i], from + i * each, (size_t)each * sizeof *from);
}
const struct few_transform few__map_join_b = {3, join_shape, join_b, 0, 0, unjoin_b};

static shape parts_shape(importer *im, transform *how, shape to, int i) {
  FEW_UNUSED(im);
  if (i > 0) return FEW_SHAPE(to.rank == 1 ? to.dim[0] : to.dim[1]); /* scale or shift of a norm */
  return to.rank == 1 ? FEW_SHAPE(to.dim[0] * how->parts)
                      : FEW_SHAPE(to.dim[1] * how->parts, to.dim[0]);
}

static void part_w(importer *im, transform *how, shape to, const float *const *in, float *out) {
  FEW_UNUSED(im);
  transpose(to.dim[1], to.dim[0], in[0] + how->part * to.dim[1] * to.dim[0], to.dim[1], out);
}

static void part_b(importer *im, transform *how, shape to, const float *const *in, float *out) {
  FEW_UNUSED(im);
  memcpy(out, in[0] + how->part * to.dim[0], (size_t)to.dim[0] * sizeof *out);
}

static void unpart_w(importer *im, transform *how, shape to, const float *from, float *const *out) {
  FEW_UNUSED(im);
  transpose(to.dim[0], to.dim[1], from, to.dim[0], out[0] + how->part * to.dim[1] * to.dim[0]);
}

static void unpart_b(importer *im, transform *how, shape to, const float *from, float *const *out) {
  FEW_UNUSED(im);
  memcpy(out[0] + how->part * to.dim[0], from, (size_t)to.dim[0] * sizeof *from);
}

#define PART(f, i, n) \
  { 1, parts_shape, f, i, n, un##f }
#define SIXTHS(f) \
  { PART(f, 0, 6), PART(f, 1, 6), PART(f, 2, 6), PART(f, 3, 6), PART(f, 4, 6), PART(f, 5, 6) }
const struct few_transform few__map_half_w[2] = {PART(part_w, 0, 2), PART(part_w, 1, 2)};
const struct few_transform few__map_half_b[2] = {PART(part_b, 0, 2), PART(part_b, 1, 2)};
const struct few_transform few__map_sixth_w[6] = SIXTHS(part_w);
const struct few_transform few__map_sixth_b[6] = SIXTHS(part_b);

/* ---- A norm's scale g and shift b folded into the modulation after it ----
 *
 * On the way back g is 1 and b is 0. */

/* g scale - in w, part 0 - or shift + b scale, part 1. */
static void fold_w(importer *im, transform *how, shape to, const float *const *in, float *out) {
  const int64_t n = to.dim[1], m = to.dim[0];
  FEW_UNUSED(im);
  for (int64_t r = 0; r < n; r++)
    for (int64_t c = 0; c < m; c++) {
      const double scaled = (double)in[1][r] * (double)in[0][r * m + c];
      const double shift = how->part ? (double)in[0][(n + r) * m + c] : 0;
      out[c * n + r] = (float)(shift + scaled);
    }
}

/* g, of part 0, or b, of part 1. */
static void plain_norm(transform *how, int64_t n, float *out) {
  for (int64_t i = 0; i < n; i++) out[i] = how->part ? 0 : 1;
}

static void unfold_w(importer *im, transform *how, shape to, const float *from, float *const *out) {
  unpart_w(im, how, to, from, out);
  plain_norm(how, to.dim[1], out[1]);
}
const struct few_transform few__map_fold_scale_w = {2, parts_shape, fold_w, 0, 2, unfold_w};
const struct few_transform few__map_fold_shift_w = {2, parts_shape, fold_w, 1, 2, unfold_w};

static void fold_b(importer *im, transform *how, shape to, const float *const *in, float *out) {
  const int64_t n = to.dim[0];
  FEW_UNUSED(im);
  for (int64_t r = 0; r < n; r++) {
    const double g = (double)in[1][r], scaled = g * (double)in[0][r];
    out[r] = (float)(how->part ? g + scaled + (double)in[0][n + r] : g - 1 + scaled);
  }
}

static void unfold_b(importer *im, transform *how, shape to, const float *from, float *const *out) {
  unpart_b(im, how, to, from, out);
  plain_norm(how, to.dim[0], out[1]);
}
const struct few_transform few__map_fold_scale_b = {2, parts_shape, fold_b, 0, 2, unfold_b};
const struct few_transform few__map_fold_shift_b = {2, parts_shape, fold_b, 1, 2, unfold_b};

/* ---- No label as a class: on the way back its row is 0 ---- */

static shape label_rows_shape(importer *im, transform *how, shape to, int i) {
  FEW_UNUSED(im);
  FEW_UNUSED(how);
  FEW_UNUSED(i);
  return FEW_SHAPE(to.dim[0] + 1, to.dim[1]);
}

static void label_rows(importer *im, transform *how, shape to, const float *const *in, float *out) {
  const int64_t n = to.dim[0], width = to.dim[1];
  FEW_UNUSED(im);
  FEW_UNUSED(how);
  for (int64_t i = 0; i < n * width; i++)
    out[i] = (float)((double)in[0][i] - (double)in[0][n * width + i % width]);
}

static void unlabel_rows(importer *im, transform *how, shape to, const float *from,
                         float *const *out) {
  copy(im, how, to, &from, out[0]);
}
const struct few_transform few__map_label_rows = {1, label_rows_shape, label_rows, 0,
                                                  0, unlabel_rows};

static shape null_bias_shape(importer *im, transform *how, shape to, int i) {
  FEW_UNUSED(how);
  return i ? FEW_SHAPE(im->spec.classes + 1, to.dim[0]) : to;
}

static void null_bias(importer *im, transform *how, shape to, const float *const *in, float *out) {
  FEW_UNUSED(how);
  for (int64_t i = 0; i < to.dim[0]; i++)
    out[i] = (float)((double)in[0][i] + (double)in[1][im->spec.classes * to.dim[0] + i]);
}
const struct few_transform few__map_null_bias = {2, null_bias_shape, null_bias, 0, 0, uncopy};
