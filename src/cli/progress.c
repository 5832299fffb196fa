/* progress.c - shows the progress of a long job as text.
 *
 *   training  1234/5000 [=====>              ] 12.3 it/s  loss 0.41  5m06s left
 *
 * The speed is that of the last 10 to 20 seconds, so it is right for a resumed job and for one that
 * slows down. On a narrow terminal the bar is left out first, then the note. If stderr is not a
 * terminal, a line is printed every 5 %, at most one per second, and at least one every 10 seconds
 * (after ten minutes, after each sixtieth of the time so far).
 */
#include "progress.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { STAYS = 10 }; /* the last line of a job of at least so many seconds stays */

void progress_duration(char out[32], double seconds) {
  double capped = seconds > 1e9 ? 1e9 : seconds > 0 ? seconds : 0; /* NaN too */
  long long s = llround(capped);
  if (s < 60)
    snprintf(out, 32, "%llds", s);
  else if (s < 3600)
    snprintf(out, 32, "%lldm%02llds", s / 60, s % 60);
  else if (s < 86400)
    snprintf(out, 32, "%lldh%02lldm", s / 3600, s / 60 % 60);
  else
    snprintf(out, 32, "%lldd%02lldh", s / 86400, s / 3600 % 24);
}

/* The number of UTF-8 characters: bytes that are not continuation bytes. */
static int columns_of(const char *text) {
  int n = 0;
  for (; *text; text++) n += ((unsigned char)*text & 0xC0) != 0x80;
  return n;
}

static void cut(char *text, int width) {
  assert(width > 0);
  for (int n = 0; *text; text++) {
    if (((unsigned char)*text & 0xC0) != 0x80 && n++ == width) break;
    if ((unsigned char)*text < 0x20 || *text == 0x7F) *text = ' ';
  }
  *text = '\0';
}

static void rate_text(char *out, size_t size, double rate) {
  if (!(rate > 0))
    out[0] = '\0';
  else if (rate >= 1)
    snprintf(out, size, rate < 100 ? "  %.1f it/s" : "  %.0f it/s", rate);
  else
    snprintf(out, size, "  %.1f s/it", 1 / rate);
}

void progress_line(char *out, size_t size, int width, bool bar, const struct few_progress *r,
                   double rate) {
  enum { BAR_MIN = 6, BAR_MAX = 30 };
  char head[120], speed[40], note[200] = "", left[48] = "", total[24];
  if (r->total > 0) {
    int digits = snprintf(total, sizeof total, "%lld", (long long)r->total);
    snprintf(head, sizeof head, "%.40s %*lld/%s", r->what, digits, (long long)r->done, total);
  } else {
    snprintf(head, sizeof head, "%.40s %lld", r->what, (long long)r->done);
  }
  rate_text(speed, sizeof speed, rate);
  if (r->note && *r->note) snprintf(note, sizeof note, "  %.190s", r->note);
  if (rate > 0 && r->total > r->done) {
    char time[32];
    progress_duration(time, (double)(r->total - r->done) / rate);
    snprintf(left, sizeof left, "  %s left", time);
  }
  int used = columns_of(head) + columns_of(speed) + columns_of(left);
  if (used + columns_of(note) > width) note[0] = '\0';
  enum { SPEED = 12, LEFT = 13 }; /* columns reserved for these, so that the bar keeps its length */
  int short_by = (SPEED > columns_of(speed) ? SPEED - columns_of(speed) : 0) +
                 (LEFT > columns_of(left) ? LEFT - columns_of(left) : 0);
  int room = width - used - short_by - columns_of(note) - 3;
  char drawn[BAR_MAX + 4] = "";
  if (bar && r->total > 0 && room >= BAR_MIN) {
    int cells = room < BAR_MAX ? room : BAR_MAX;
    int full = (int)((double)cells * (double)r->done / (double)r->total);
    full = full < 0 ? 0 : full > cells ? cells : full;
    assert(full >= 0 && full <= cells && cells + 3 < (int)sizeof drawn);
    snprintf(drawn, sizeof drawn, " [%*s]", cells, "");
    memset(drawn + 2, '=', (size_t)full);
    if (full < cells) drawn[2 + full] = '>';
  }
  snprintf(out, size, "%s%s%s%s%s", head, drawn, speed, note, left);
  cut(out, width);
}

static int terminal_width(void) {
  struct winsize w;
  if (!ioctl(STDERR_FILENO, TIOCGWINSZ, &w) && w.ws_col > 10) return w.ws_col - 1;
  return 79;
}

void progress_begin(struct progress *p, bool quiet, const volatile sig_atomic_t *stop) {
  const char *term = getenv("TERM");
  bool dumb = !term || !strcmp(term, "dumb");
  *p = (struct progress){.quiet = quiet, .terminal = isatty(STDERR_FILENO) && !dumb, .stop = stop};
}

void progress_clear(struct progress *p) {
  if (p->line_open) fputs("\r\033[K", stderr);
  p->line_open = false;
}

static double speed(struct progress *p, struct progress_mark now) {
  if (now.seconds - p->newer.seconds > 10) {
    p->older = p->newer;
    p->newer = now;
  }
  double seconds = now.seconds - p->older.seconds;
  return seconds > 0 ? (double)(now.done - p->older.done) / seconds : 0;
}

static bool due(const struct progress *p, const struct few_progress *r) {
  double since = r->seconds - p->shown.seconds;
  bool last = r->total > 0 && r->done >= r->total;
  if (p->terminal) return last || !p->any_shown || since >= 0.1;
  if (last) return p->any_shown || r->seconds >= 1;
  bool far = r->total > 0 && (double)(r->done - p->shown.done) >= 0.05 * (double)r->total;
  double most = r->seconds > 600 ? r->seconds / 60 : 10;
  return (far && since >= 1) || since >= most;
}

static void show(struct progress *p, const struct few_progress *r, double rate) {
  char line[512];
  bool last = r->total > 0 && r->done >= r->total;
  int width = p->terminal ? terminal_width() : 200;
  progress_line(line, sizeof line, width, p->terminal, r, rate);
  if (p->terminal) {
    bool stays = last && r->seconds >= STAYS;
    fprintf(stderr, "\r%s\033[K%s", line, stays ? "\n" : "");
    p->line_open = !stays;
  } else {
    fprintf(stderr, "%s\n", line);
  }
  fflush(stderr);
  p->shown = (struct progress_mark){r->done, r->seconds};
  p->any_shown = true;
}

int progress_report(struct progress *p, const struct few_progress *r) {
  struct progress_mark now = {r->done, r->seconds};
  assert(r->what && r->done >= 0);
  if (!p->running || strncmp(p->what, r->what, sizeof p->what - 1) || r->done < p->done) {
    progress_clear(p);
    snprintf(p->what, sizeof p->what, "%s", r->what);
    p->older = p->newer = p->shown = now;
    p->running = true;
    p->any_shown = false;
  }
  bool repeated = r->done == p->done && r->total == p->total && r->total > 0 && r->done == r->total;
  p->done = r->done;
  p->total = r->total;
  double rate = speed(p, now);
  if (!p->quiet && !(repeated && p->any_shown) && due(p, r)) show(p, r, rate);
  return p->stop && *p->stop;
}
