/* bench_math.c - fused pointwise programs, sums, norms, softmax and attention of the CPU backend,
 * on one thread and every instruction set that runs here.
 *
 * GB/s counts each operand and result once; GF/s counts the matrix products only. The result is the
 * fastest of many runs, since on a shared machine the others are disturbed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "engine/backend/cpu/isa.h"

enum { SCRATCH_BYTES = 64 << 20 };

static void *buffer(size_t bytes) {
  void *p = aligned_alloc(64, (bytes + 63) / 64 * 64);
  if (!p) abort();
  return p;
}

static float *numbers(int64_t n) {
  float *x = buffer((size_t)n * sizeof *x);
  for (int64_t i = 0; i < n; i++) x[i] = (float)((i * 7919) % 2001 - 1000) * 1e-3f;
  return x;
}

static double best_time(const struct few_kernel *k, const struct few_call *c) {
  double best = 1e9;
  const double end = few__now() + 0.25;
  while (few__now() < end) {
    const double start = few__now();
    k->run(c);
    const double t = few__now() - start;
    if (t < best) best = t;
  }
  return best;
}

/* A program on an [8,32,32,64] tensor. Operands: x full, c [1,1,1,C], n [N,1,1,C]. */
struct program_case {
  const char *name, *leaves;
  int n_code;
  struct few_instruction code[8];
};

#define STEP(OP, ...)                                               \
  {                                                                 \
    .op = FEW_OP_##OP, .in = {__VA_ARGS__}, .attr.affine = { 1, 1 } \
  }

static const struct program_case programs[] = {
    {"x + x", "xx", 1, {STEP(ADD, 0, 1)}},
    {"silu x", "x", 1, {STEP(SILU, 0)}},
    {"gelu x", "x", 1, {STEP(GELU, 0)}},
    {"sin x", "x", 1, {STEP(SIN, 0)}},
    {"x + c", "xc", 1, {STEP(ADD, 0, 1)}},
    {"silu(x n + n)", "xnn", 3, {STEP(MUL, 0, 1), STEP(ADD, 3, 2), STEP(SILU, 4)}},
    {"silu((x c + c) n + n)",
     "xccnn",
     5,
     {STEP(MUL, 0, 1), STEP(ADD, 5, 2), STEP(MUL, 6, 3), STEP(ADD, 7, 4), STEP(SILU, 8)}},
    {"tangent of silu(x n + n)",
     "xxnn",
     8,
     {STEP(MUL, 0, 2), STEP(ADD, 4, 3), STEP(MUL, 1, 2), STEP(SIGMOID, 5), STEP(MUL, 5, 7),
      STEP(SUB, 5, 8), STEP(AFFINE, 9), STEP(MUL, 10, 6)}},
};

static void bench_program(const struct few_backend *cpu, const struct program_case *p,
                          void *scratch) {
  const struct few_shape whole = FEW_SHAPE(8, 32, 32, 64);
  const int n_leaves = (int)strlen(p->leaves);
  struct few_program prog = {.n_leaves = n_leaves, .n_code = p->n_code, .n_stores = 1};
  prog.store[0] = (int16_t)(n_leaves + p->n_code - 1);
  memcpy(prog.code, p->code, sizeof p->code);
  struct few_call c = {.shape = whole, .n_in = n_leaves, .program = &prog, .scratch = scratch};
  double bytes = (double)few_shape_count(whole) * 4;
  float *in[4 + 1];
  for (int l = 0; l < n_leaves; l++) {
    c.in[l].shape = p->leaves[l] == 'x'   ? whole
                    : p->leaves[l] == 'c' ? FEW_SHAPE(1, 1, 1, 64)
                                          : FEW_SHAPE(8, 1, 1, 64);
    const int64_t n = few_shape_count(c.in[l].shape);
    c.in[l].data = in[l] = numbers(n);
    bytes += (double)n * 4;
  }
  c.outs[0] = numbers(few_shape_count(whole));
  const double s = best_time(&cpu->fused[FEW_F32], &c);
  printf("  %-26s %8.1f us %7.1f GB/s\n", p->name, s * 1e6, bytes / s * 1e-9);
  for (int l = 0; l < n_leaves; l++) free(in[l]);
  free(c.outs[0]);
}

/* A case of one op. */
struct op_case {
  const char *name;
  few_op op;
  struct few_shape out, in[2];
  union few_attr attr;
  double flops; /* 0: report bytes */
};

#define IMAGE            \
  {                      \
    4, { 8, 32, 32, 64 } \
  }
#define ROWS         \
  {                  \
    2, { 4096, 384 } \
  }
#define QKV(N, T, h, D)  \
  {                      \
    5, { N, T, 3, h, D } \
  }
#define ATTENTION_CASES(N, T, h, D)                                                             \
  {"attention " #T "x" #h "x" #D, FEW_OP_ATTENTION,       {4, {N, T, h, D}}, {QKV(N, T, h, D)}, \
   {.attention = {.125}},         4.0 * N * h * T * T * D},                                     \
      {"attention dual " #T "x" #h "x" #D, FEW_OP_ATTENTION_DUAL, {4, {2 * (N), T, h, D}},      \
       {QKV(N, T, h, D), QKV(N, T, h, D)}, {.attention = {.125}}, 12.0 * N * h * T * T * D},    \
  {                                                                                             \
    "attention grad " #T "x" #h "x" #D, FEW_OP_ATTENTION_GRAD, QKV(N, T, h, D),                 \
        {QKV(N, T, h, D), {4, {N, T, h, D}}}, {.attention = {.125}}, 10.0 * N *h *T *T *D       \
  }

static const struct op_case cases[] = {
    {"sum to [C]", FEW_OP_SUM, {4, {1, 1, 1, 64}}, {IMAGE}, {{0}}, 0},
    {"sum to [N,C]", FEW_OP_SUM, {4, {8, 1, 1, 64}}, {IMAGE}, {{0}}, 0},
    {"sum to [NHW]", FEW_OP_SUM, {4, {8, 32, 32, 1}}, {IMAGE}, {{0}}, 0},
    {"sum to 1", FEW_OP_SUM, {4, {1, 1, 1, 1}}, {IMAGE}, {{0}}, 0},
    {"sum to [3]", FEW_OP_SUM, {4, {1, 1, 1, 3}}, {{4, {64, 32, 32, 3}}}, {{0}}, 0},
    {"transpose heads",
     FEW_OP_TRANSPOSE,
     {4, {8, 6, 256, 64}},
     {{4, {8, 256, 6, 64}}},
     {.transpose = {{0, 2, 1, 3}}},
     0},
    {"transpose 1024x64",
     FEW_OP_TRANSPOSE,
     {3, {8, 64, 1024}},
     {{3, {8, 1024, 64}}},
     {.transpose = {{0, 2, 1}}},
     0},
    {"transpose 64x1024",
     FEW_OP_TRANSPOSE,
     {3, {8, 1024, 64}},
     {{3, {8, 64, 1024}}},
     {.transpose = {{0, 2, 1}}},
     0},
    {"broadcast [N,C]", FEW_OP_BROADCAST, IMAGE, {{4, {8, 1, 1, 64}}}, {{0}}, 0},
    {"group norm 32", FEW_OP_NORM, IMAGE, {IMAGE}, {.norm = {32, 1, 1e-5}}, 0},
    {"group norm 32 tangent",
     FEW_OP_NORM_TANGENT,
     IMAGE,
     {IMAGE, IMAGE},
     {.norm = {32, 1, 1e-5}},
     0},
    {"layer norm 384", FEW_OP_NORM, ROWS, {ROWS}, {.norm = {1, 1, 1e-5}}, 0},
    {"layer norm 384 tangent", FEW_OP_NORM_TANGENT, ROWS, {ROWS, ROWS}, {.norm = {1, 1, 1e-5}}, 0},
    {"softmax 384", FEW_OP_SOFTMAX, ROWS, {ROWS}, {{0}}, 0},
    {"down 2x2", FEW_OP_DOWN, {4, {8, 16, 16, 64}}, {IMAGE}, {.resample = {2, {.5, .5}}}, 0},
    {"up 2x2", FEW_OP_UP, IMAGE, {{4, {8, 16, 16, 64}}}, {.resample = {2, {.5, .5}}}, 0},
    {"randn", FEW_OP_RANDN, {4, {64, 32, 32, 3}}, {{0, {0}}}, {.random = {4}}, 0},
    {"randu", FEW_OP_RANDU, {4, {64, 32, 32, 3}}, {{0, {0}}}, {.random = {4}}, 0},
    ATTENTION_CASES(4, 256, 2, 64),
    ATTENTION_CASES(8, 64, 6, 64),
    ATTENTION_CASES(16, 49, 2, 64),
    ATTENTION_CASES(1, 1024, 2, 64),
};

static void bench_op(const struct few_backend *cpu, const struct op_case *t, void *scratch) {
  struct few_node_data node = {.op = t->op, .shape = t->out, .attr = t->attr, .scope = ""};
  struct few_call c = {.node = &node, .shape = t->out, .scratch = scratch};
  double bytes = (double)few_shape_count(t->out) * 4;
  float *in[2] = {NULL, NULL};
  for (int i = 0; i < 2 && t->in[i].rank > 0; i++) {
    const int64_t n = few_shape_count(t->in[i]);
    c.in[c.n_in++] = (struct few_operand){.data = in[i] = numbers(n), .shape = t->in[i]};
    bytes += (double)n * 4;
  }
  c.out = numbers(few_shape_count(t->out));
  const struct few_kernel *k = &cpu->kernel[FEW_F32][t->op];
  if (k->scratch && k->scratch(&c) > SCRATCH_BYTES) abort();
  const double s = best_time(k, &c);
  const bool by_flops = t->flops > 0;
  printf("  %-26s %8.1f us %7.1f %s\n", t->name, s * 1e6, (by_flops ? t->flops : bytes) / s * 1e-9,
         by_flops ? "GF/s" : "GB/s");
  free(in[0]);
  free(in[1]);
  free(c.out);
}

/* An argument selects the cases whose names begin with it. */
int main(int argc, char **argv) {
  const char *only = argc > 1 ? argv[1] : "";
  void *scratch = buffer(SCRATCH_BYTES);
  for (few_isa isa = 0; isa < FEW_ISA_COUNT; isa++) {
    const struct few_backend *cpu = few__backend_cpu_isa(isa);
    if (!cpu) continue;
    printf("%s\n", few__isa_name(isa));
    for (int t = 0; t < FEW_COUNT(programs); t++)
      if (strncmp(programs[t].name, only, strlen(only)) == 0)
        bench_program(cpu, &programs[t], scratch);
    for (int t = 0; t < FEW_COUNT(cases); t++)
      if (strncmp(cases[t].name, only, strlen(only)) == 0) bench_op(cpu, &cases[t], scratch);
  }
  free(scratch);
  return 0;
}
