/* svg.c - see svg.h. */
#include "svg.h"

#include <math.h>

struct few_svg few__svg_begin(few_ctx *ctx, struct few_text *out, double width, double height) {
  few__text_add(ctx, out,
                "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
                "viewBox=\"0 0 %.0f %.0f\" font-family=\"sans-serif\" font-size=\"12\">\n"
                "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
                width, height, width, height);
  return (struct few_svg){ctx, out};
}

void few__svg_end(struct few_svg *s) { few__text_add(s->ctx, s->out, "</svg>\n"); }

void few__svg_open(struct few_svg *s, const char *attributes) {
  few__text_add(s->ctx, s->out, "<g %s>\n", attributes);
}

void few__svg_close(struct few_svg *s) { few__text_add(s->ctx, s->out, "</g>\n"); }

void few__svg_line(struct few_svg *s, double x0, double y0, double x1, double y1) {
  few__text_add(s->ctx, s->out, "<path d=\"M%.2f %.2fL%.2f %.2f\"/>\n", x0, y0, x1, y1);
}

void few__svg_circle(struct few_svg *s, double x, double y, double radius) {
  few__text_add(s->ctx, s->out, "<circle cx=\"%.2f\" cy=\"%.2f\" r=\"%.2f\"/>\n", x, y, radius);
}

void few__svg_path(struct few_svg *s, int n, const double *x, const double *y) {
  bool on = false;
  few__text_add(s->ctx, s->out, "<path d=\"");
  for (int i = 0; i < n; i++) {
    const bool there = isfinite(x[i]) && isfinite(y[i]);
    if (there) few__text_add(s->ctx, s->out, "%c%.2f %.2f", on ? 'L' : 'M', x[i], y[i]);
    on = there;
  }
  few__text_add(s->ctx, s->out, "\"/>\n");
}

static void put_character(struct few_svg *s, const char *at, size_t n) {
  static const struct {
    char is;
    const char *as;
  } names[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}};
  for (int i = 0; i < FEW_COUNT(names); i++)
    if (*at == names[i].is) {
      few__text_add(s->ctx, s->out, "%s", names[i].as);
      return;
    }
  const bool control = (unsigned char)*at < 32 || *at == 127;
  few__text_add(s->ctx, s->out, "%.*s", n && !control ? (int)n : 1, n && !control ? at : "?");
}

void few__svg_text(struct few_svg *s, double x, double y, const char *anchor, const char *text) {
  few__text_add(s->ctx, s->out, "<text x=\"%.2f\" y=\"%.2f\" text-anchor=\"%s\">", x, y, anchor);
  for (size_t left = strlen(text); left > 0;) {
    const size_t n = few__utf8_length(text, left);
    put_character(s, text, n);
    text += n ? n : 1;
    left -= n ? n : 1;
  }
  few__text_add(s->ctx, s->out, "</text>\n");
}
