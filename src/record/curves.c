/* curves.c - draws the curves of records: panels in two columns, below the names of the records.
 *
 * Text stays text, so that a drawing can be searched and edited. Colours are those of Okabe and
 * Ito, which colour-blind readers can tell apart, without the yellow, which is too light for lines;
 * more records than colours are dashed. The members of an array, such as mse_by_time, go from dark
 * to light. PNG is left to other programs: each browser shows SVG, and a library that draws pixels
 * and text brings some twenty packages. */
#include <math.h>
#include <stdio.h>

#include "axis.h"
#include "io/file.h"
#include "io/svg.h"
#include "plot.h"

enum { WIDE = 460, HIGH = 250, LEFT = 62, RIGHT = 14, TOP = 40, BOTTOM = 42, LINE = 20 };
enum { POINTS = 600 /* of a curve, above which it is thinned */, MARKED = 30 };

static const char *const colours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                      "#56b4e9", "#e69f00", "#000000"};
static const char *const dashes[] = {"", "6 3", "2 2", "8 3 2 3"};
static const char *const shades[] = {"#3b0f70", "#8c2981", "#de4968", "#f08a2e"};

struct box {
  double x, y, w, h; /* of the area between the axes */
  struct few_axis across, up;
  double unit; /* of x */
};

/* ---- ranges ---- */

/* Whether y, and x, is in the range of an axis. */
static bool drawn(const struct few_plot *p, double y) {
  return fabs(y) <= FEW_AXIS_MOST && (!p->o->log || y >= 1 / FEW_AXIS_MOST);
}
static bool fits(double x) { return fabs(x) <= FEW_AXIS_MOST; }

/* The values of a panel; false: it has none. */
static bool range(const struct few_plot *p, int panel, double x[2], double y[2]) {
  x[0] = y[0] = INFINITY;
  x[1] = y[1] = -INFINITY;
  for (int i = 0; i < p->curves.n; i++) {
    const struct few_curve *c = &p->curves.at[i];
    for (int k = 0; c->panel == panel && k < c->n; k++) {
      const double low = c->y[k] - c->error[k], high = c->y[k] + c->error[k];
      if (!drawn(p, c->y[k]) || !fits(c->x[k])) continue;
      x[0] = fmin(x[0], c->x[k]);
      x[1] = fmax(x[1], c->x[k]);
      y[0] = fmin(y[0], drawn(p, low) && drawn(p, high) ? low : c->y[k]);
      y[1] = fmax(y[1], drawn(p, low) && drawn(p, high) ? high : c->y[k]);
    }
  }
  return x[0] <= x[1];
}

/* The unit and the name of the x axis. */
static const char *unit_of(const struct few_plot *p, double most, double *unit) {
  static const char *const names[] = {"step", "images", "seconds", "network evaluations per image"};
  *unit = 1;
  if (p->o->x != FEW_CURVES_SECONDS || most < 600) return names[p->o->x];
  *unit = most < 7200 ? 60 : 3600;
  return most < 7200 ? "minutes" : "hours";
}

/* ---- curves ---- */

/* The moving average of TensorBoard: exponential, without the bias towards the start. */
static void smooth(double weight, int n, const double *y, double *out) {
  double sum = 0, norm = 0;
  for (int i = 0; i < n; i++) {
    out[i] = y[i];
    if (!isfinite(y[i])) continue;
    sum = weight * sum + (1 - weight) * y[i];
    norm = weight * norm + (1 - weight);
    out[i] = sum / norm;
  }
}

/* Keeps the least and the largest value of each part of a long curve, in their order. */
static int thin(int n, double *x, double *y) {
  if (n <= 2 * POINTS) return n;
  int out = 0;
  for (int part = 0; part < POINTS; part++) {
    const int from = (int)((int64_t)n * part / POINTS),
              to = (int)((int64_t)n * (part + 1) / POINTS);
    int least = from, most = from;
    for (int i = from; i < to; i++) {
      if (y[i] < y[least]) least = i;
      if (y[i] > y[most]) most = i;
    }
    const int pair[2] = {least < most ? least : most, least < most ? most : least};
    for (int k = 0; k < 2; k++) {
      const double at[2] = {x[pair[k]], y[pair[k]]};
      x[out] = at[0];
      y[out++] = at[1];
    }
  }
  return out;
}

static double across(const struct box *b, double x) {
  return b->x + b->w * few__axis_at(&b->across, x / b->unit);
}
static double up(const struct box *b, double y) {
  return b->y + b->h * (1 - few__axis_at(&b->up, y));
}

static void draw_line(struct few_svg *svg, const struct few_plot *p, const struct box *b,
                      const struct few_curve *c, const double *values, double *x, double *y) {
  for (int i = 0; i < c->n; i++) {
    x[i] = across(b, c->x[i]);
    y[i] = drawn(p, values[i]) && fits(c->x[i]) ? up(b, values[i]) : NAN;
  }
  few__svg_path(svg, thin(c->n, x, y), x, y);
}

static void draw_points(struct few_svg *svg, const struct few_plot *p, const struct box *b,
                        const struct few_curve *c) {
  for (int i = 0; i < c->n; i++) {
    const double y = c->y[i], e = c->error[i];
    if (!drawn(p, y) || !fits(c->x[i])) continue;
    few__svg_circle(svg, across(b, c->x[i]), up(b, y), 2.5);
    if (drawn(p, y - e) && drawn(p, y + e))
      few__svg_line(svg, across(b, c->x[i]), up(b, y - e), across(b, c->x[i]), up(b, y + e));
  }
}

static const char *colour_of(const struct few_plot *p, const struct few_curve *c) {
  const int n = p->panels.at[c->panel].n_buckets;
  if (c->bucket < 0) return colours[c->label % FEW_COUNT(colours)];
  return shades[n > 1 ? c->bucket * (FEW_COUNT(shades) - 1) / (n - 1) : 0];
}

static const char *dash_of(const struct few_curve *c) {
  return c->bucket < 0 ? dashes[c->label / FEW_COUNT(colours) % FEW_COUNT(dashes)] : "";
}

static few_status draw_curve(struct few_svg *svg, const struct few_plot *p, const struct box *b,
                             const struct few_curve *c) {
  char style[160];
  double *room;
  FEW_TRY(FEW_NEW(p->ctx, &room, 3 * (int64_t)c->n + 1));
  double *x = room + c->n, *y = room + 2 * (int64_t)c->n;
  const bool faint = p->o->smooth > 0;
  few__print(style, sizeof style,
             "fill=\"none\" stroke-linejoin=\"round\" stroke=\"%s\" stroke-dasharray=\"%s\"",
             colour_of(p, c), dash_of(c));
  few__svg_open(svg, style);
  few__svg_open(svg, faint ? "opacity=\"0.3\"" : "stroke-width=\"1.5\"");
  draw_line(svg, p, b, c, c->y, x, y);
  if (c->n <= MARKED) draw_points(svg, p, b, c);
  few__svg_close(svg);
  if (faint) {
    smooth(p->o->smooth, c->n, c->y, room);
    few__svg_open(svg, "stroke-width=\"1.5\"");
    draw_line(svg, p, b, c, room, x, y);
    few__svg_close(svg);
  }
  few__svg_close(svg);
  few__free(p->ctx, room);
  return FEW_OK;
}

/* ---- panels ---- */

/* Evaluations of a network are whole numbers. From one to dozens the axis is logarithmic, because
 * the first few matter most. */
static struct few_axis nfe_axis(double least, double most) {
  const bool log = least >= 1 && most >= 10 * least;
  struct few_axis a = few__axis(log ? least : fmin(least, 0), most, log);
  int n = 0;
  for (int i = 0; i < a.n; i++)
    if (a.tick[i] == round(a.tick[i])) a.tick[n++] = a.tick[i];
  a.n = n;
  return a;
}

static void draw_axes(struct few_svg *svg, const struct box *b, const char *name) {
  char text[32];
  few__svg_open(svg, "stroke=\"#e4e4e4\" fill=\"none\"");
  for (int i = 0; i < b->up.n; i++)
    few__svg_line(svg, b->x, up(b, b->up.tick[i]), b->x + b->w, up(b, b->up.tick[i]));
  few__svg_close(svg);
  few__svg_open(svg, "stroke=\"#444\" fill=\"none\"");
  few__svg_line(svg, b->x, b->y + b->h, b->x + b->w, b->y + b->h);
  few__svg_line(svg, b->x, b->y, b->x, b->y + b->h);
  for (int i = 0; i < b->across.n; i++) {
    const double x = across(b, b->across.tick[i] * b->unit);
    few__svg_line(svg, x, b->y + b->h, x, b->y + b->h + 4);
  }
  few__svg_close(svg);
  few__svg_open(svg, "fill=\"#222\" font-size=\"11\"");
  for (int i = 0; i < b->up.n; i++) {
    few__axis_label(text, b->up.tick[i]);
    few__svg_text(svg, b->x - 6, up(b, b->up.tick[i]) + 4, "end", text);
  }
  for (int i = 0; i < b->across.n; i++) {
    few__axis_label(text, b->across.tick[i]);
    few__svg_text(svg, across(b, b->across.tick[i] * b->unit), b->y + b->h + 17, "middle", text);
  }
  few__svg_text(svg, b->x + b->w / 2, b->y + b->h + 32, "middle", name);
  few__svg_close(svg);
}

/* At most `most` bytes of a text, with the end left out. */
static void short_text(struct few_svg *svg, double x, double y, const char *text, size_t most) {
  char part[256];
  size_t n = 0, k;
  const size_t whole = strlen(text);
  while (n < whole && (k = few__utf8_length(text + n, whole - n)) > 0 && n + k <= most) n += k;
  snprintf(part, sizeof part, "%.*s%s", (int)n, text, n < whole ? "..." : "");
  few__svg_text(svg, x, y, "start", part);
}

static void draw_titles(struct few_svg *svg, const struct box *b, const struct few_panel *panel) {
  few__svg_open(svg, "fill=\"#000\" font-weight=\"bold\"");
  short_text(svg, b->x, b->y - 24, panel->title, 30);
  few__svg_close(svg);
  few__svg_open(svg, "fill=\"#666\" font-size=\"11\"");
  short_text(svg, b->x, b->y - 9, panel->about, 62);
  few__svg_close(svg);
  for (int i = 0; i < panel->n_buckets && panel->n_buckets <= 8; i++) {
    char text[40], fill[40];
    const double t = FEW_PI_2 * (i + 1) / panel->n_buckets;
    const int n = panel->n_buckets;
    few__print(text, sizeof text, panel->by_time ? "%st < %.2f" : "%s%.0f", "",
               panel->by_time ? t : (double)i);
    snprintf(fill, sizeof fill, "fill=\"%s\" font-size=\"11\"",
             shades[n > 1 ? i * (FEW_COUNT(shades) - 1) / (n - 1) : 0]);
    few__svg_open(svg, fill);
    few__svg_text(svg, b->x + b->w - 54 * (n - 1 - i), b->y - 24, "end", text);
    few__svg_close(svg);
  }
}

static few_status draw_panel(struct few_svg *svg, const struct few_plot *p, int panel, double left,
                             double top) {
  double x[2], y[2];
  struct box b = {left + LEFT, top + TOP, WIDE - LEFT - RIGHT, HIGH - TOP - BOTTOM, {0}, {0}, 1};
  draw_titles(svg, &b, &p->panels.at[panel]);
  if (!range(p, panel, x, y)) {
    few__svg_text(svg, b.x + b.w / 2, b.y + b.h / 2, "middle",
                  p->o->log ? "no values above 0" : "no values");
    return FEW_OK;
  }
  const char *name = unit_of(p, x[1], &b.unit);
  const double start = fmin(x[0], 0);
  b.across = p->o->x == FEW_CURVES_NFE ? nfe_axis(x[0], x[1])
                                       : few__axis_tight(start / b.unit, x[1] / b.unit);
  b.up = few__axis(y[0], y[1], p->o->log);
  draw_axes(svg, &b, name);
  for (int i = 0; i < p->curves.n; i++)
    if (p->curves.at[i].panel == panel) FEW_TRY(draw_curve(svg, p, &b, &p->curves.at[i]));
  return FEW_OK;
}

/* ---- the drawing ---- */

/* The names of the records, in rows. Draws nothing if svg is NULL. Returns the height. */
static double legend(struct few_svg *svg, const struct few_plot *p, double wide) {
  double x = 12, y = LINE;
  for (int i = 0; i < p->labels.n; i++) {
    const double room = 44 + 6.8 * (double)strlen(p->labels.at[i]); /* of usual fonts */
    char style[120];
    if (x > 12 && x + room > wide) {
      x = 12;
      y += LINE;
    }
    snprintf(style, sizeof style, "stroke=\"%s\" stroke-width=\"2\" stroke-dasharray=\"%s\"",
             colours[i % FEW_COUNT(colours)], dashes[i / FEW_COUNT(colours) % FEW_COUNT(dashes)]);
    if (svg) {
      few__svg_open(svg, style);
      few__svg_line(svg, x, y - 4, x + 22, y - 4);
      few__svg_close(svg);
      few__svg_text(svg, x + 28, y, "start", p->labels.at[i]);
    }
    x += room;
  }
  return y + 8;
}

static few_status draw(const struct few_plot *p, struct few_text *out) {
  const int columns = p->panels.n > 1 ? 2 : 1, rows = (p->panels.n + columns - 1) / columns;
  const double wide = columns * WIDE, top = legend(NULL, p, wide);
  struct few_svg svg = few__svg_begin(p->ctx, out, wide, top + rows * HIGH);
  few_status st = FEW_OK;
  legend(&svg, p, wide);
  for (int i = 0; !st && i < p->panels.n; i++) {
    const int row = i / columns;
    st = draw_panel(&svg, p, i, (i % columns) * WIDE, top + row * HIGH);
  }
  few__svg_end(&svg);
  if (!st && out->failed) st = few__fail(p->ctx, FEW_E_MEMORY, "out of memory for a plot");
  return st;
}

few_status few_curves_svg(char **out, few_ctx *ctx, const struct few_curves_opts *opts) {
  struct few_plot p = {.ctx = ctx, .o = opts};
  struct few_text text = {0};
  *out = NULL;
  FEW_TRY(few__opts_check(ctx, "few_curves_opts", opts, FEW_CURVES_OPTS_VERSION));
  FEW_TRY(few__opts_range(ctx, "smooth", opts->smooth, 0, 0.9999));
  FEW_TRY(few__opts_range(ctx, "x", opts->x, FEW_CURVES_STEP, FEW_CURVES_NFE));
  if (opts->n < 1 || !opts->record)
    return few__fail(ctx, FEW_E_INVALID, "curves: give at least one record");
  few_status st = few__plot_choose(&p);
  if (!st) st = draw(&p, &text);
  few__plot_free(&p);
  if (st)
    few__text_free(ctx, &text);
  else
    *out = text.at;
  return st;
}

few_status few_curves_write(few_ctx *ctx, const char *path, const struct few_curves_opts *opts) {
  char *text;
  if (!path) return few__fail(ctx, FEW_E_INVALID, "curves: give a path");
  FEW_TRY(few_curves_svg(&text, ctx, opts));
  const few_status st = few__file_write(ctx, path, text, strlen(text));
  few_text_free(ctx, text);
  return st;
}
