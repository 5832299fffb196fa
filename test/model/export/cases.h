/* cases.h - graphs with inputs and few's values. Small graphs are run by test/oracle/onnx.c. All of
 * them are written for compare.py, which is called if Python has what it needs. */
#ifndef FEW_TEST_EXPORT_CASES_H
#define FEW_TEST_EXPORT_CASES_H

#include <unistd.h>

#include "io/npy.h"
#include "oracle/onnx.h"
#include "testing.h"

struct cases {
  few_ctx *ctx;
  const char *python; /* "python3" */
  bool compares;      /* Python has what compare.py needs; otherwise no arrays are written */
  char dir[32];
  int n;
  int n_arrays; /* of the current case */
  struct case_array {
    char end[40];
    bool bytes; /* uint8 */
    struct onnx_array a;
  } array[8];
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

/* An array of the case: of float, or of int64 where `label` is given instead of x. If images is
 * true, arrays of rank 4 and 5 are [..,N,C,H,W] in the file. `end`: ".in.x" or ".out". */
static inline void case_array(struct cases *c, const char *end, int rank, const int64_t *dim,
                              const float *x, const int32_t *label, bool images) {
  assert_in_range(c->n_arrays, 0, 7);
  struct case_array *to = &c->array[c->n_arrays++];
  const int at = rank - 4; /* where the dims of images begin */
  const bool swap = images && rank >= 4;
  const int64_t C = swap ? dim[rank - 1] : 1, P = swap ? dim[at + 1] * dim[at + 2] : 1;
  int64_t count = 1;
  *to = (struct case_array){.a.rank = rank};
  snprintf(to->end, sizeof to->end, "%s", end);
  for (int k = 0; k < rank; k++) count *= to->a.dim[k] = dim[k];
  if (swap) {
    to->a.dim[at + 1] = C;
    to->a.dim[at + 2] = dim[at + 1];
    to->a.dim[at + 3] = dim[at + 2];
  }
  to->a.x = calloc((size_t)count + 1, sizeof *to->a.x);
  assert_non_null(to->a.x);
  for (int64_t i = 0; i < count; i++) {
    const int64_t from = swap ? i / (C * P) * C * P + i % P * C + i / P % C : i;
    to->a.x[i] = x ? (double)x[from] : (double)label[i];
  }
}

static inline int64_t case_count(const struct onnx_array *a) {
  int64_t count = 1;
  for (int k = 0; k < a->rank; k++) count *= a->dim[k];
  return count;
}

/* The array as a file of compare.py. Labels are int64. */
static inline void case_write(const struct cases *c, const char *name,
                              const struct case_array *from) {
  char path[200], file[64];
  const int64_t n = case_count(&from->a);
  const bool label = !strcmp(from->end, ".in.label");
  const enum few_store store = label ? FEW_STORE_I64 : from->bytes ? FEW_STORE_U8 : FEW_STORE_F32;
  char *out = calloc((size_t)n + 1, sizeof(int64_t));
  assert_non_null(out);
  for (int64_t i = 0; i < n; i++)
    if (label)
      ((int64_t *)(void *)out)[i] = (int64_t)from->a.x[i];
    else if (from->bytes)
      ((uint8_t *)out)[i] = (uint8_t)from->a.x[i];
    else
      ((float *)(void *)out)[i] = (float)from->a.x[i];
  snprintf(file, sizeof file, "%s.npy", from->end);
  assert_ok(c->ctx, few__npy_write(c->ctx, case_path(c, path, name, file), store, from->a.rank,
                                   from->a.dim, out));
  free(out);
}

/* ---- Run by test/oracle/onnx.c ---- */

/* The first rows of an array, along the dim of the port that is symbolic; all if none is. */
static inline struct onnx_array case_rows(const struct onnx_array *a, struct wire port,
                                          int64_t rows) {
  const struct wire shape = wire_part(wire_part(wire_part(port, 2, 0), 1, 0), 2, 0);
  struct onnx_array out = *a;
  int64_t inner = 1, outer = 1, all = 1;
  for (int k = 0; k < a->rank; k++) {
    const bool symbol = wire_count(wire_part(shape, 1, k), 2) > 0;
    if (!symbol) continue;
    out.dim[k] = rows;
    all = a->dim[k];
    for (int j = 0; j < a->rank; j++) *(j < k ? &outer : &inner) *= j == k ? 1 : a->dim[j];
  }
  if (all == 1) rows = 1; /* no dim is symbolic */
  out.x = malloc((size_t)case_count(&out) * sizeof *out.x + 8);
  assert_non_null(out.x);
  if (all == 1) memcpy(out.x, a->x, (size_t)case_count(a) * sizeof *out.x);
  for (int64_t o = 0; all > 1 && o < outer; o++)
    memcpy(out.x + o * rows * inner, a->x + o * all * inner,
           (size_t)(rows * inner) * sizeof *out.x);
  return out;
}

static inline const struct onnx_array *case_find(const struct cases *c, const char *end) {
  for (int i = 0; i < c->n_arrays; i++)
    if (!strcmp(c->array[i].end, end)) return &c->array[i].a;
  fail_msg("no array %s", end);
  return NULL;
}

/* Runs the graph for some rows, and compares. */
static inline void case_run(const struct cases *c, const char *name, struct wire model,
                            int64_t rows, double tolerance) {
  const struct wire graph = wire_part(model, 7, 0);
  const int n = wire_count(graph, 11);
  struct onnx_array in[8], want, got;
  double largest = 1;
  assert_in_range(n, 1, 8);
  for (int k = 0; k < n; k++) {
    const struct wire port = wire_part(graph, 11, k);
    const struct wire own = wire_part(port, 1, 0);
    char end[40];
    snprintf(end, sizeof end, ".in.%.*s", (int)(own.end - own.at), (const char *)own.at);
    in[k] = case_rows(case_find(c, end), port, rows);
    in[k].name = own;
  }
  want = case_rows(case_find(c, ".out"), wire_part(graph, 12, 0), rows);
  got = onnx_run(model, n, in);
  assert_int_equal(got.rank, want.rank);
  for (int k = 0; k < got.rank; k++) assert_int_equal(got.dim[k], want.dim[k]);
  for (int64_t i = 0; i < case_count(&want); i++) largest = fmax(largest, fabs(want.x[i]));
  for (int64_t i = 0; i < case_count(&want); i++)
    if (!(fabs(got.x[i] - want.x[i]) <= tolerance * largest))
      fail_msg("%s, %d rows, element %d: %g, not %g", name, (int)rows, (int)i, got.x[i], want.x[i]);
  for (int k = 0; k < n; k++) free(in[k].x);
  free(want.x);
  free(got.x);
}

/* ---- Cases ---- */

enum { CASE_ROWS = 8 };

/* The case is complete. `runtimes`: "own" for test/oracle/onnx.c, "ort" for ONNX Runtime,
 * "reference" for ONNX's reference implementation, separated by commas. */
static inline void case_add(struct cases *c, const char *name, double tolerance,
                            const char *runtimes) {
  char path[200];
  unsigned char *bytes;
  const struct wire model = wire_read(case_path(c, path, name, ".onnx"), &bytes);
  wire_check_graph(wire_part(model, 7, 0));
  if (strstr(runtimes, "own")) {
    case_run(c, name, model, 3, tolerance);
    case_run(c, name, model, CASE_ROWS, tolerance);
  }
  free(bytes);
  for (int i = 0; i < c->n_arrays; i++) {
    if (c->compares) case_write(c, name, &c->array[i]);
    free(c->array[i].a.x);
  }
  c->n_arrays = 0;
  c->n++;
  FILE *f = fopen(case_path(c, path, "cases", ""), "a");
  assert_non_null(f);
  fprintf(f, "%s %g %s\n", name, tolerance, runtimes);
  fclose(f);
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
  if (!c->compares)
    print_message(
        "%s has no numpy, onnx and onnxruntime: graphs are not run by these (PYTHON=... "
        "names another one)\n",
        c->python);
}

#endif
