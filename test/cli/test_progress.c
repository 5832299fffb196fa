/* Progress as text is never wider than the terminal, and has the correct speed and remaining time.
 */
#include "cli/progress.c" /* the program's own, not part of the library */
#include "testing.h"

static const struct few_progress training = {"training", 1234, 5000, 100, "loss 0.41"};

static void test_line(void **state) {
  (void)state;
  char line[512];
  progress_line(line, sizeof line, 200, false, &training, 12.34);
  assert_string_equal(line, "training 1234/5000  12.3 it/s  loss 0.41  5m05s left");
  progress_line(line, sizeof line, 90, true, &training, 12.34);
  assert_string_equal(line,
                      "training 1234/5000 [=======>                      ]  12.3 it/s"
                      "  loss 0.41  5m05s left");
  struct few_progress p = {"reading", 7, 0, 1, NULL};
  progress_line(line, sizeof line, 80, true, &p, 0.25);
  assert_string_equal(line, "reading 7  4.0 s/it");
}

/* At every width, the text fits and no character is cut in two. */
static void test_width(void **state) {
  (void)state;
  struct few_progress p = training;
  p.note = "verlust 0,41 \xc3\xa4\xc3\xb6\xc3\xbc \t\033[31m";
  for (int width = 1; width < 120; width++) {
    for (int done = 0; done <= 5000; done += 1250) {
      char line[512];
      p.done = done;
      progress_line(line, sizeof line, width, true, &p, 3);
      assert_true(columns_of(line) <= width);
      for (const char *c = line; *c; c++) {
        assert_true((unsigned char)*c >= 0x20);
        if ((unsigned char)*c == 0xc3) assert_true(((unsigned char)c[1] & 0xc0) == 0x80);
      }
    }
  }
}

static void test_duration(void **state) {
  (void)state;
  static const struct {
    double seconds;
    const char *text;
  } rows[] = {{0, "0s"},       {59.4, "59s"},          {59.6, "1m00s"},   {130, "2m10s"},
              {3600, "1h00m"}, {11105, "3h05m"},       {187200, "2d04h"}, {-1, "0s"},
              {NAN, "0s"},     {INFINITY, "11574d01h"}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char out[32];
    progress_duration(out, rows[i].seconds);
    assert_string_equal(out, rows[i].text);
  }
}

/* The speed of a resumed job does not count earlier items, and follows a job that slows down. */
static void test_speed(void **state) {
  (void)state;
  struct progress p = {.quiet = true};
  double rate = 0;
  for (int i = 0; i <= 300; i++) {
    struct few_progress r = {"training", 100000 + 2 * i, 1 << 20, i, NULL};
    assert_int_equal(progress_report(&p, &r), 0);
    rate = speed(&p, (struct progress_mark){r.done, r.seconds});
  }
  assert_close(rate, 2, 1e-9);
  for (int i = 1; i <= 30; i++) {
    struct few_progress r = {"training", 100600 + i, 1 << 20, 300 + i, NULL};
    assert_int_equal(progress_report(&p, &r), 0);
    rate = speed(&p, (struct progress_mark){r.done, r.seconds});
  }
  assert_close(rate, 1, 1e-9);
}

static void test_stop(void **state) {
  (void)state;
  volatile sig_atomic_t stop = 0;
  struct progress p = {.quiet = true, .stop = &stop};
  assert_int_equal(progress_report(&p, &training), 0);
  stop = 1;
  assert_int_not_equal(progress_report(&p, &training), 0);
}

/* If stderr is a file, lines are printed every 5 %, but not twice a second, and every 10
 * seconds. */
static void test_lines(void **state) {
  (void)state;
  struct progress p = {.running = true};
  struct few_progress r = {"training", 0, 1000, 0, NULL};
  p.shown = (struct progress_mark){0, 0};
  r.done = 60, r.seconds = 0.5;
  assert_false(due(&p, &r));
  r.seconds = 1.5;
  assert_true(due(&p, &r));
  r.done = 1;
  assert_false(due(&p, &r));
  r.seconds = 10;
  assert_true(due(&p, &r));
  p.shown.seconds = 6000;
  r.seconds = 6090;
  assert_false(due(&p, &r));
  r.seconds = 6110;
  assert_true(due(&p, &r));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_line),     cmocka_unit_test(test_width),
                                     cmocka_unit_test(test_duration), cmocka_unit_test(test_speed),
                                     cmocka_unit_test(test_stop),     cmocka_unit_test(test_lines)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
