/* cases.h - graphs with inputs and few's values, in files, for compare.py. */
#ifndef FEW_TEST_EXPORT_CASES_H
#define FEW_TEST_EXPORT_CASES_H

#include <unistd.h>

#include "io/npy.h"
#include "testing.h"
#include "wire.h"

struct cases {
  few_ctx *ctx;
  const char *python; /* "python3" */
  bool compares;      /* Python has what compare.py needs; otherwise arrays are not written */
  char dir[32];
  int n;
};

static inline struct cases cases_begin(void) {
  struct cases c = {.ctx = test_ctx(), .dir = "/tmp/few-test-export-XXXXXX"};
  char command[300];
  c.python = getenv("PYTHON") ? getenv("PYTHON") : "python3";
  snprintf(command, sizeof command, "%s -c 'import numpy, onnx, onnxruntime' 2>/dev/null",
           c.python);
  c.compares = system(command) == 0;
  assert_non_null(mkdtemp(c.dir));
  return c;
}

/* "/tmp/few-test-export-x/NAME" and the end */
static inline const char *case_path(const struct cases *c, char out[200], const char *name,
                                    const char *end) {
  snprintf(out, 200, "%s/%s%s", c->dir, name, end);
  return out;
}

static inline void case_add(struct cases *c, const char *name, double tolerance,
                            const char *runtimes) {
  char path[200];
  unsigned char *bytes;
  FILE *f = fopen(case_path(c, path, "cases", ""), "a");
  assert_non_null(f);
  fprintf(f, "%s %g %s\n", name, tolerance, runtimes);
  fclose(f);
  const struct wire model = wire_read(case_path(c, path, name, ".onnx"), &bytes);
  wire_check_graph(wire_part(model, 7, 0));
  free(bytes);
  c->n++;
}

/* An array of float, or of int64 where `label` is given instead of x. If images is true, arrays of
 * rank 4 are written as [N,C,H,W]. `end`: ".in.x" or ".out". */
static inline void case_array(struct cases *c, const char *name, const char *end, int rank,
                              const int64_t *dim, const float *x, const int32_t *label,
                              bool images) {
  char path[200], file[64];
  int64_t count = 1, shape[6];
  if (!c->compares) return;
  for (int k = 0; k < rank; k++) count *= shape[k] = dim[k];
  int64_t *whole = calloc((size_t)count, sizeof *whole);
  float *out = calloc((size_t)count, sizeof *out);
  assert_true(whole && out);
  const int at = rank - 4; /* [K,N,H,W,C] too */
  const int64_t C = rank >= 4 ? dim[rank - 1] : 1, P = rank >= 4 ? dim[at + 1] * dim[at + 2] : 1;
  for (int64_t i = 0; i < count; i++) {
    const bool swap = images && rank >= 4;
    const int64_t from = swap ? i / (C * P) * C * P + i % P * C + i / P % C : i;
    if (x)
      out[i] = x[from];
    else
      whole[i] = label[i];
  }
  if (images && rank >= 4) {
    shape[at + 1] = C;
    shape[at + 2] = dim[at + 1];
    shape[at + 3] = dim[at + 2];
  }
  snprintf(file, sizeof file, "%s.npy", end);
  assert_ok(c->ctx, few__npy_write(c->ctx, case_path(c, path, name, file),
                                   x ? FEW_STORE_F32 : FEW_STORE_I64, rank, shape,
                                   x ? (const void *)out : (const void *)whole));
  free(whole);
  free(out);
}

/* Runs compare.py, if Python has its modules. */
static inline void cases_end(struct cases *c) {
  char command[600];
  snprintf(command, sizeof command, "%s %s/model/export/compare.py %s", c->python, FEW_TEST_DIR,
           c->dir);
  const int code = c->compares ? system(command) : 0;
  snprintf(command, sizeof command, "rm -r %s", c->dir);
  assert_int_equal(system(command), 0);
  few_ctx_free(c->ctx);
  assert_int_equal(code, 0);
  assert_true(c->n > 0);
  if (c->compares) return;
  print_message(
      "%s has no numpy, onnx and onnxruntime: values are not compared (PYTHON=... names "
      "another one)\n",
      c->python);
  skip();
}

#endif
