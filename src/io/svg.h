/* svg.h - writes drawings as SVG 1.1: lines, paths, circles and text, with a point as (x, y) in
 * pixels from the upper left corner. Texts are escaped, and bytes that are not UTF-8 replaced. */
#ifndef FEW_SRC_IO_SVG_H
#define FEW_SRC_IO_SVG_H

#include "base/base.h"

struct few_svg {
  few_ctx *ctx;
  struct few_text *out; /* grows; `failed` sticks */
};

struct few_svg few__svg_begin(few_ctx *ctx, struct few_text *out, double width, double height);
void few__svg_end(struct few_svg *s);

/* Attributes of what follows, until few__svg_close: "stroke=\"#444\" fill=\"none\"". */
void few__svg_open(struct few_svg *s, const char *attributes);
void few__svg_close(struct few_svg *s);

void few__svg_line(struct few_svg *s, double x0, double y0, double x1, double y1);
void few__svg_circle(struct few_svg *s, double x, double y, double radius);
/* A line through n points; it is broken where one is not finite. */
void few__svg_path(struct few_svg *s, int n, const double *x, const double *y);
/* `anchor`: "start", "middle" or "end" of the text is at x; y is its base line. */
void few__svg_text(struct few_svg *s, double x, double y, const char *anchor, const char *text);

#endif
