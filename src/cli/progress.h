/* progress.h - shows how far a long job is: on a terminal by one line that is rewritten, in a file
 * by a line from time to time.
 */
#ifndef FEW_SRC_CLI_PROGRESS_H
#define FEW_SRC_CLI_PROGRESS_H

#include <few/base.h>
#include <signal.h>

struct progress {
  bool quiet, terminal;
  const volatile sig_atomic_t *stop; /* non-zero: the job should end; may be NULL */
  /* The job that is running, and the speed over its last 10 to 20 seconds. */
  char what[40];
  struct progress_mark {
    int64_t done;
    double seconds;
  } older, newer, shown;
  bool running, any_shown, line_open;
  int64_t done, total; /* of the last report */
};

void progress_begin(struct progress *p, bool quiet, const volatile sig_atomic_t *stop);
/* A context's progress callback: non-zero if *stop is. */
int progress_report(struct progress *p, const struct few_progress *report);
/* Moves the cursor to the start of an empty line. Call it before printing anything else. */
void progress_clear(struct progress *p);

/* Formats a report for `width` columns. `rate` is in items per second; 0: not known. With `bar`, it
 * has a bar if there is room. */
void progress_line(char *out, size_t size, int width, bool bar, const struct few_progress *report,
                   double rate);
/* "12s", "2m10s", "3h05m", "2d04h". */
void progress_duration(char out[32], double seconds);

#endif
