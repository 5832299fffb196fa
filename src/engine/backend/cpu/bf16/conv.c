/* conv.c - CONV, CONV_DX and CONV_DW with factors in bf16, without im2col.
 *
 * Images are copied and padded with zeros; a copy is W pixels wide. With stride s and C channels,
 * tap (i,j) of output pixel (y,x) reads C elements of the copy from ((y s + i) W + x s + j) C on.
 * This index is the sum of an offset for the pixel and one for the tap. So the pixels of an output
 * row are rows of A (tile.h), s C elements apart, and the taps are the parts of k.
 *
 *     y    A is the copy of x; B is w, packed by tap.
 *     dx   A is a copy of dy, whose pixels are s apart with zeros between them; B is w, rotated by
 *          180 degrees and with its channels exchanged.
 *     dw   For each tap, the product of x^T, shifted by the tap, and dy, summed over pixels. Pixels
 *          are numbered as in the copy of x, so a shift is an offset. dy is zero at pixels of the
 *          copy that are not output pixels.
 *
 * Tile registers compute groups of 16 rows. Few output rows have a multiple of 16 pixels. So with
 * stride 1 all output rows of an image, with the border between them, are computed as one sequence
 * of pixels, and the results in the border are dropped.
 */
#include "../conv.h"

#include "product.h"
#include "widen.h"

/* Matrix units compute layers of at least LEAST channels on each side and at most MOST_TAPS
 * taps. */
enum { LEAST = 8, MOST_TAPS = 49 };
/* A block of copied images has at most BLOCK_BYTES bytes, but at least one image. A block of dw has
 * at least BLOCK_PIXELS pixels, unless the batch has fewer. */
enum { BLOCK_BYTES = 256 * 1024, BLOCK_PIXELS = 1024 };

/* Copies of images [n,h,w,c]. A copy has H x W pixels of cp channels. Pixel (0,0) of the image is
 * at (top, left) of the copy, and its neighbours are `spread` pixels apart. */
struct copies {
  int64_t h, w, c;
  int64_t H, W, cp, top, left, spread;
};

static int64_t image_elements(const struct copies *s) { return s->H * s->W * s->cp; }

static void copy_image(const struct copies *s, struct from x, uint16_t *to) {
  memset(to, 0, (size_t)image_elements(s) * sizeof *to);
  for (int64_t y = 0; y < s->h; y++) {
    uint16_t *row = to + ((s->top + y * s->spread) * s->W + s->left) * s->cp;
    const struct from from = num_from(x, y * s->w * s->c);
    if (s->spread == 1 && s->cp == s->c) {
      num_copy((struct to){row, true}, from, s->w * s->c);
      continue;
    }
    for (int64_t q = 0; q < s->w; q++)
      num_copy((struct to){row + q * s->spread * s->cp, true}, num_from(from, q * s->c), s->c);
  }
}

static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

/* ---- y and dx ---- */

/* One convolution: copies of its input, its output [n,oh,ow,co], and w as panels. */
struct conv {
  struct copies in;
  int64_t n, oh, ow, co, kh, kw, stride;
  bool turned;
  int64_t block;         /* images in a block */
  size_t panels, images; /* bytes of these parts of the scratch; BF16_M rows of sums follow */
};

static struct conv finish(struct conv s) {
  s.in.cp = round_up(s.in.c, BF16_K);
  s.block = min_of(larger(BLOCK_BYTES / (2 * image_elements(&s.in)), 1), s.n);
  s.panels = bf16_part(round_up(s.co, BF16_N) * s.kh * s.kw * s.in.cp * 2);
  /* The last group of rows may read past the last image. */
  const int64_t behind = BF16_ROWS > 1 ? BF16_M * s.stride * s.in.cp : 0;
  s.images = bf16_part((s.block * image_elements(&s.in) + behind) * 2);
  return s;
}

static struct conv conv_of(const struct few_conv *v) {
  struct conv s = {.in = {v->h, v->w, v->ci, .top = v->pad_h, .left = v->pad_w, .spread = 1},
                   .n = v->n,
                   .oh = v->oh,
                   .ow = v->ow,
                   .co = v->co,
                   .kh = v->kh,
                   .kw = v->kw,
                   .stride = v->stride};
  s.in.H = larger((v->oh - 1) * v->stride + v->kh, v->h + v->pad_h);
  s.in.W = larger((v->ow - 1) * v->stride + v->kw, v->w + v->pad_w);
  return finish(s);
}

static struct conv dx_of(const struct few_conv *v) {
  struct conv s = {.in = {v->oh, v->ow, v->co, .top = v->kh - 1 - v->pad_h,
                          .left = v->kw - 1 - v->pad_w, .spread = v->stride},
                   .n = v->n,
                   .oh = v->h,
                   .ow = v->w,
                   .co = v->ci,
                   .kh = v->kh,
                   .kw = v->kw,
                   .stride = 1,
                   .turned = true};
  s.in.H = larger(v->h - 1 + v->kh, (v->oh - 1) * v->stride + 1 + s.in.top);
  s.in.W = larger(v->w - 1 + v->kw, (v->ow - 1) * v->stride + 1 + s.in.left);
  return finish(s);
}

static size_t conv_bytes(const struct conv *s) {
  return s->panels + s->images + BF16_M * BF16_N * sizeof(float);
}

/* Packs w [kh,kw,c,co], or if turned w [kh,kw,co,c] rotated by 180 degrees, into panels. */
static void pack_weights(const struct conv *s, struct from w, uint16_t *to) {
  const int64_t taps = s->kh * s->kw, c = s->in.c;
  for (int64_t j = 0; j < s->co; j += BF16_N)
    for (int64_t t = 0; t < taps; t++) {
      const int64_t at = s->turned ? ((taps - 1 - t) * s->co + j) * c : t * c * s->co + j;
      to = FEW_ISA(few__bf16_panel)(to, num_from(w, at), s->turned ? c : s->co, s->turned, c,
                                    min_of(BF16_N, s->co - j));
    }
}

/* Where the results of a call go. */
struct results {
  void *out;
  bool bf16;
  float *sums;
};

/* Writes the sums of `count` consecutive pixels, from pixel x of row y of image i on, as output
 * channels j and up. Rows have the width of the copy here; pixels with x >= ow lie in the border
 * and are dropped. */
static void put_pixels(const struct conv *s, const struct results *r, int64_t i, int64_t y,
                       int64_t x, int64_t count, int64_t j) {
  const int64_t n = min_of(BF16_N, s->co - j);
  for (int64_t q = 0; q < count; q++, x++) {
    if (x == s->in.W) x = 0, y++;
    if (x < s->ow)
      bf16_put(r->out, r->bf16, ((i * s->oh + y) * s->ow + x) * s->co + j, r->sums + q * BF16_N, n,
               false);
  }
}

/* Computes the output channels from j on, for rows y .. y + rows - 1 of image i as one sequence of
 * pixels. */
static void stretch(const struct conv *s, const struct few_bf16_tile *from, const struct results *r,
                    int64_t i, int64_t y, int64_t rows, int64_t j) {
  const int64_t pixels = (rows - 1) * s->in.W + s->ow;
  struct few_bf16_tile t = *from;
  t.a += y * s->stride * s->in.W * s->in.cp;
  for (int64_t q = 0; q < pixels; q += t.m, t.a += t.m * t.as) {
    t.m = bf16_tile_rows(pixels - q);
    FEW_ISA(few__bf16_tile)(&t);
    put_pixels(s, r, i, y + q / s->in.W, q % s->in.W, t.m, j);
  }
}

static void conv(const struct conv *s, const struct few_call *c) {
  char *scratch = c->scratch;
  uint16_t *panels = (uint16_t *)(void *)scratch;
  uint16_t *images = (uint16_t *)(void *)(scratch + s->panels);
  const struct results r = {c->out, c->bf16[0], (float *)(void *)(scratch + s->panels + s->images)};
  const int64_t taps = s->kh * s->kw, rows = BF16_ROWS > 1 && s->stride == 1 ? s->oh : 1;
  int64_t offset[MOST_TAPS];
  for (int64_t t = 0; t < taps; t++) offset[t] = (t / s->kw * s->in.W + t % s->kw) * s->in.cp;
  struct few_bf16_tile t = {
      .as = s->stride * s->in.cp, .offset = offset, .parts = taps, .k = s->in.cp, .c = r.sums};
  if (!c->packed) pack_weights(s, num_operand(c, 1), panels);
  FEW_ISA(few__bf16_begin)();
  for (int64_t first = 0; first < s->n; first += s->block) {
    const int64_t count = min_of(s->block, s->n - first);
    for (int64_t i = 0; i < count; i++)
      copy_image(&s->in, num_from(num_operand(c, 0), (first + i) * s->in.h * s->in.w * s->in.c),
                 images + i * image_elements(&s->in));
    for (int64_t j = 0; j < s->co; j += BF16_N) {
      t.b = (c->packed ? (const uint16_t *)c->packed : panels) + j * taps * s->in.cp;
      for (int64_t i = 0; i < count; i++) {
        t.a = images + i * image_elements(&s->in);
        for (int64_t y = 0; y < s->oh; y += rows) stretch(s, &t, &r, first + i, y, rows, j);
      }
    }
  }
  FEW_ISA(few__bf16_end)();
}

/* ---- dw ---- */

/* The copies of x as [ci][pixels] and of dy as panels [pixels / 2][32][2], a block of images at a
 * time. */
struct dw {
  struct copies x, y;
  int64_t n, ci, co, kh, kw, block;
  int64_t rows;   /* ci, rounded up to a multiple of BF16_ROWS */
  int64_t pixels; /* pixels of a block, rounded up to a multiple of BF16_K */
  int64_t length; /* length of a row of x: the pixels, and those after them that taps read */
  size_t copies, turned, panels, sums;
};

static struct dw dw_of(const struct few_conv *v) {
  struct dw s = {.n = v->n, .ci = v->ci, .co = v->co, .kh = v->kh, .kw = v->kw};
  const struct conv c = conv_of(v);
  s.x = c.in;
  s.x.cp = v->ci;
  s.y = (struct copies){v->oh, v->ow, v->co, c.in.H, c.in.W, v->co, 0, 0, v->stride};
  const int64_t image = s.x.H * s.x.W;
  s.block = min_of((BLOCK_PIXELS + image - 1) / image, s.n);
  s.rows = round_up(s.ci, BF16_ROWS);
  s.pixels = round_up(s.block * image, BF16_K);
  s.length = round_up(s.pixels + (s.kh - 1) * s.x.W + s.kw, BF16_K);
  s.copies = bf16_part(s.block * image * larger(s.ci, s.co) * 2);
  s.turned = bf16_part(s.rows * s.length * 2);
  s.panels = bf16_part(round_up(s.co, BF16_N) * s.pixels * 2);
  s.sums = bf16_part(round_up(s.co, BF16_N) * s.kh * s.kw * s.rows * 4);
  return s;
}

static size_t dw_bytes(const struct dw *s) { return s->copies + s->turned + s->panels + s->sums; }

struct dw_scratch {
  uint16_t *copies, *turned, *panels;
  float *sums;
};

/* Copies images first .. first + count - 1 into `turned` and `panels`. */
static void pack_pixels(const struct dw *s, const struct few_call *c, const struct dw_scratch *m,
                        int64_t first, int64_t count) {
  const int64_t image = s->x.H * s->x.W;
  const struct from copies = {m->copies, true};
  for (int64_t i = 0; i < count; i++)
    copy_image(&s->x, num_from(num_operand(c, 0), (first + i) * s->x.h * s->x.w * s->ci),
               m->copies + i * image * s->ci);
  const int64_t whole = round_up(count * image, BF16_K);
  FEW_ISA(few__bf16_rows)(m->turned, s->length, copies, s->ci, true, s->ci, count * image);
  for (int64_t i = 0; i < s->rows; i++)
    memset(m->turned + i * s->length + (i < s->ci ? whole : 0), 0,
           (size_t)(s->length - (i < s->ci ? whole : 0)) * sizeof *m->turned);
  for (int64_t i = 0; i < count; i++)
    copy_image(&s->y, num_from(num_operand(c, 1), (first + i) * s->y.h * s->y.w * s->co),
               m->copies + i * image * s->co);
  uint16_t *to = m->panels;
  for (int64_t j = 0; j < s->co; j += BF16_N)
    to = FEW_ISA(few__bf16_panel)(to, num_from(copies, j), s->co, false, count * image,
                                  min_of(BF16_N, s->co - j));
}

/* Computes the sums [panel][tap][rows][32] of a block of images. With `add` they are added to those
 * of earlier blocks. */
static void add_block(const struct dw *s, const struct dw_scratch *m, int64_t count, bool add) {
  struct few_bf16_tile t = {.as = s->length,
                            .parts = 1,
                            .k = round_up(count * s->x.H * s->x.W, BF16_K),
                            .b = m->panels,
                            .c = m->sums,
                            .add = add};
  for (int64_t j = 0; j < s->co; j += BF16_N, t.b += t.k * BF16_N)
    for (int64_t tap = 0; tap < s->kh * s->kw; tap++)
      for (int64_t i = 0; i < s->rows; i += t.m, t.c += t.m * BF16_N) {
        t.a = m->turned + i * s->length + tap / s->kw * s->x.W + tap % s->kw;
        t.m = bf16_tile_rows(s->rows - i);
        FEW_ISA(few__bf16_tile)(&t);
      }
}

static void dw(const struct dw *s, const struct few_call *c) {
  char *at = c->scratch;
  const struct dw_scratch m = {(uint16_t *)(void *)at, (uint16_t *)(void *)(at + s->copies),
                               (uint16_t *)(void *)(at + s->copies + s->turned),
                               (float *)(void *)(at + s->copies + s->turned + s->panels)};
  FEW_ISA(few__bf16_begin)();
  for (int64_t first = 0; first < s->n; first += s->block) {
    const int64_t count = min_of(s->block, s->n - first);
    pack_pixels(s, c, &m, first, count);
    add_block(s, &m, count, first > 0);
  }
  FEW_ISA(few__bf16_end)();
  const int64_t taps = s->kh * s->kw;
  for (int64_t j = 0; j < s->co; j += BF16_N)
    for (int64_t tap = 0; tap < taps; tap++)
      for (int64_t i = 0; i < s->ci; i++)
        bf16_put(c->out, c->bf16[0], (tap * s->ci + i) * s->co + j,
                 m.sums + ((j / BF16_N * taps + tap) * s->rows + i) * BF16_N,
                 min_of(BF16_N, s->co - j), false);
}

/* ---- The ops ---- */

/* Whether matrix units compute the layer in bf16; otherwise it is computed in f32. Layers with few
 * channels on one side take little time in f32. For all other layers tile registers are fastest.
 * The dot products of AVX512-BF16 are only twice as fast as f32. So they are not used where f32
 * needs less than half of the products: for 3x3 kernels of stride 1, by Winograd, and for the
 * gradients of strided layers, which in f32 skip the zeros between pixels. */
static bool with_units(const struct few_conv *v, few_op op) {
  if (v->n == 0 || v->oh < 1 || v->ow < 1 || v->h == 0 || v->w == 0) return false;
  if (v->ci < LEAST || v->co < LEAST || v->kh * v->kw > MOST_TAPS) return false;
  if (v->pad_h >= v->kh || v->pad_w >= v->kw) return false;
  if (BF16_UNITS != BF16_PAIRS) return BF16_UNITS == BF16_TILES;
  return v->stride > 1 ? op == FEW_OP_CONV : v->kh != 3 || v->kw != 3;
}

static struct few_conv y_layer(const struct few_call *c) {
  return few__conv_layer(c, c->in[0].shape, c->in[1].shape, c->shape);
}
static struct few_conv dx_layer(const struct few_call *c) {
  return few__conv_layer(c, c->shape, c->in[1].shape, c->in[0].shape);
}
static struct few_conv dw_layer(const struct few_call *c) {
  return few__conv_layer(c, c->in[0].shape, c->shape, c->in[1].shape);
}

size_t FEW_ISA(few__bf16_conv_scratch)(const struct few_call *c) {
  const struct few_conv v = y_layer(c);
  if (!c->in[0].bf16 || !with_units(&v, FEW_OP_CONV))
    return widened_scratch(c, FEW_F32_SET(few__cpu_conv_scratch));
  const struct conv s = conv_of(&v);
  return conv_bytes(&s);
}
void FEW_ISA(few__bf16_conv)(const struct few_call *c) {
  const struct few_conv v = y_layer(c);
  if (!c->in[0].bf16 || !with_units(&v, FEW_OP_CONV)) {
    widened_run(c, FEW_F32_SET(few__cpu_conv));
    return;
  }
  const struct conv s = conv_of(&v);
  conv(&s, c);
}

size_t FEW_ISA(few__bf16_conv_dx_scratch)(const struct few_call *c) {
  const struct few_conv v = dx_layer(c);
  if (!c->in[0].bf16 || !with_units(&v, FEW_OP_CONV_DX))
    return widened_scratch(c, FEW_F32_SET(few__cpu_conv_dx_scratch));
  const struct conv s = dx_of(&v);
  return conv_bytes(&s);
}
void FEW_ISA(few__bf16_conv_dx)(const struct few_call *c) {
  const struct few_conv v = dx_layer(c);
  if (!c->in[0].bf16 || !with_units(&v, FEW_OP_CONV_DX)) {
    widened_run(c, FEW_F32_SET(few__cpu_conv_dx));
    return;
  }
  const struct conv s = dx_of(&v);
  conv(&s, c);
}

static size_t packed_bytes(const struct conv *s) {
  return s->n * s->oh * s->ow > BF16_KEEP_ROWS ? 0 : s->panels;
}

size_t FEW_ISA(few__bf16_conv_packed)(const struct few_call *c) {
  const struct few_conv v = y_layer(c);
  if (!c->in[0].bf16 || c->in[1].bf16 || !with_units(&v, FEW_OP_CONV)) return 0;
  const struct conv s = conv_of(&v);
  return packed_bytes(&s);
}
void FEW_ISA(few__bf16_conv_pack)(const struct few_call *c, void *to) {
  const struct few_conv v = y_layer(c);
  const struct conv s = conv_of(&v);
  pack_weights(&s, num_operand(c, 1), to);
}
size_t FEW_ISA(few__bf16_conv_dx_packed)(const struct few_call *c) {
  const struct few_conv v = dx_layer(c);
  if (!c->in[0].bf16 || c->in[1].bf16 || !with_units(&v, FEW_OP_CONV_DX)) return 0;
  const struct conv s = dx_of(&v);
  return packed_bytes(&s);
}
void FEW_ISA(few__bf16_conv_dx_pack)(const struct few_call *c, void *to) {
  const struct few_conv v = dx_layer(c);
  const struct conv s = dx_of(&v);
  pack_weights(&s, num_operand(c, 1), to);
}

size_t FEW_ISA(few__bf16_conv_dw_scratch)(const struct few_call *c) {
  const struct few_conv v = dw_layer(c);
  if (!c->in[0].bf16 || !c->in[1].bf16 || !with_units(&v, FEW_OP_CONV_DW))
    return widened_scratch(c, FEW_F32_SET(few__cpu_conv_dw_scratch));
  const struct dw s = dw_of(&v);
  return dw_bytes(&s);
}
void FEW_ISA(few__bf16_conv_dw)(const struct few_call *c) {
  const struct few_conv v = dw_layer(c);
  if (!c->in[0].bf16 || !c->in[1].bf16 || !with_units(&v, FEW_OP_CONV_DW)) {
    widened_run(c, FEW_F32_SET(few__cpu_conv_dw));
    return;
  }
  const struct dw s = dw_of(&v);
  dw(&s, c);
}
