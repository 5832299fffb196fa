/* program.cu - writes the kernel of a pointwise program, in the common subset of C and CUDA C++.
 *
 *   static __device__ void body(real r0, real r1, real *s0) {   registers
 *     const real r2 = few_mul(r0, r1, (real)0, (real)0, (real)0);            an instruction
 *     *s0 = few_silu(r2, ...);
 *   }
 *   FEW_ENTRY void few_program(struct few_pointers p) { for each i: body(...) }
 *
 * few_mul and the others are functions made from the expressions of few/ops.def. A leaf whose shape
 * is not that of the call is read at an index computed from i. The dims in it are constants, so
 * that the compiler replaces the divisions by multiplications.
 */
#include "program.h"

#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

static const char words[] =
    "#define C(number) ((real)(number))\n"
    "#define EXP(x) exp((real)(x))\n"
    "#define LOG(x) log((real)(x))\n"
    "#define SIN(x) sin((real)(x))\n"
    "#define COS(x) cos((real)(x))\n"
    "#define TANH(x) tanh((real)(x))\n"
    "#define ATAN(x) atan((real)(x))\n"
    "#define SQRT(x) sqrt((real)(x))\n"
    "#define ABS(x) fabs((real)(x))\n"
    "#define FLOOR(x) floor((real)(x))\n"
    "#define MAX(x, y) ((x) > (y) ? (x) : (y))\n"
    "#define MIN(x, y) ((x) < (y) ? (x) : (y))\n"
    "#define SELECT(c, x, y) ((c) ? (x) : (y))\n";

/* The same as few__from_bf16 and few__to_bf16 in cuda.h. */
static const char bf16_text[] =
    "typedef unsigned short bf16;\n"
    "typedef struct __align__(8) { bf16 x, y, z, w; } bf16x4;\n"
    "union few_bits { unsigned bits; float x; };\n"
    "static __device__ inline real few_wide(bf16 h) {\n"
    "  union few_bits u;\n"
    "  u.bits = (unsigned)h << 16;\n"
    "  return u.x;\n"
    "}\n"
    "static __device__ inline bf16 few_narrow(real r) {\n"
    "  union few_bits u;\n"
    "  u.x = r;\n"
    "  if (u.x != u.x) return 0x7fc0;\n"
    "  return (bf16)((u.bits + 0x7fff + (u.bits >> 16 & 1)) >> 16);\n"
    "}\n";

static const char *expression(few_op op) {
  switch (op) {
#define FEW_ROW(ENUM, text) \
  case FEW_OP_##ENUM:       \
    return text;
#define FEW_UNARY(ENUM, name, expression) FEW_ROW(ENUM, #expression)
#define FEW_BINARY(ENUM, name, expression) FEW_ROW(ENUM, #expression)
#define FEW_TERNARY(ENUM, name, expression) FEW_ROW(ENUM, #expression)
#include "few/each_op.h"
    default:
      return nullptr;
  }
}

int few__cuda_arity(few_op op) {
  switch (op) {
#define FEW_ROW_(ENUM, n) \
  case FEW_OP_##ENUM:     \
    return n;
#define FEW_UNARY(ENUM, name, expression) FEW_ROW_(ENUM, 1)
#define FEW_BINARY(ENUM, name, expression) FEW_ROW_(ENUM, 2)
#define FEW_TERNARY(ENUM, name, expression) FEW_ROW_(ENUM, 3)
#include "few/each_op.h"
    default:
      return 0;
  }
}

static void add(std::string *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(std::string *s, const char *format, ...) {
  char line[1024];
  va_list args;
  va_start(args, format);
  /* Prints a decimal point in every locale, as few__vprint does, which this library cannot call. */
  locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0), before = uselocale(plain);
  vsnprintf(line, sizeof line, format, args); /* check-allow: the locale is "C" here */
  uselocale(before);
  freelocale(plain);
  va_end(args);
  *s += line;
}

/* Writes a number exactly, infinities and NaN too. */
static void number(std::string *s, double x) {
  if (isfinite(x))
    add(s, "(real)%.17g", x);
  else
    add(s, isnan(x) ? "(real)nan(\"\")" : x > 0 ? "(real)HUGE_VAL" : "(real)-HUGE_VAL");
}

static void functions(std::string *s, const struct few_program *p) {
  bool written[FEW_OP_COUNT] = {};
  for (int k = 0; k < p->n_code; k++) {
    const few_op op = p->code[k].op;
    if (written[op]) continue;
    written[op] = true;
    add(s, "static __device__ inline real op%d(real X, real Y, real Z, real A, real B) {\n",
        (int)op);
    add(s, "  return %s;\n}\n", expression(op));
  }
}

static bool same_shape(struct few_shape a, struct few_shape b) {
  if (a.rank != b.rank) return false;
  for (int k = 0; k < a.rank; k++)
    if (a.dim[k] != b.dim[k]) return false;
  return true;
}

/* The element of a smaller leaf that element i of the call reads: sums of (i / inner % dim) *
 * stride. */
static void add_index(std::string *s, struct few_shape leaf, struct few_shape call) {
  bool any = false;
  for (int k = call.rank - 1; k >= 0 && leaf.rank; k--) {
    if (leaf.dim[k] == 1) continue;
    int64_t dim = leaf.dim[k]; /* merged with the dims before it where that is possible */
    const int64_t inner = inner_of(call, k), stride = inner_of(leaf, k);
    while (k > 0 && leaf.dim[k - 1] == call.dim[k - 1]) dim *= leaf.dim[--k];
    add(s, any ? " + i / %lld %% %lld * %lld" : "i / %lld %% %lld * %lld", (long long)inner,
        (long long)dim, (long long)stride);
    any = true;
  }
  if (!any) *s += "0";
}

static void body(std::string *s, const struct few_program *p) {
  *s += "static __device__ inline void body(";
  for (int k = 0; k < p->n_leaves; k++) add(s, "real r%d, ", k);
  for (int k = 0; k < p->n_stores; k++)
    add(s, "real *s%d%s", k, k + 1 < p->n_stores ? ", " : ") {\n");
  for (int k = 0; k < p->n_code; k++) {
    const struct few_program::few_instruction *c = &p->code[k];
    add(s, "  const real r%d = op%d(", p->n_leaves + k, (int)c->op);
    const int n = few__cuda_arity(c->op);
    for (int j = 0; j < 3; j++)
      if (j < n)
        add(s, "r%d, ", (int)c->in[j]);
      else
        *s += "(real)0, ";
    number(s, c->attr.affine.a);
    *s += ", ";
    number(s, c->attr.affine.b);
    *s += ");\n";
  }
  for (int k = 0; k < p->n_stores; k++) add(s, "  *s%d = r%d;\n", k, (int)p->store[k]);
  *s += "}\n";
}

/* Writes a call of body for element i = at + offset. `lane` is "", or ".x" to ".w" if four numbers
 * were read together. */
static void call_body(std::string *s, const struct few_call *c, const struct few_program *p,
                      const char *lane, int offset) {
  add(s, "    { const index i = at + %d; body(", offset);
  for (int k = 0; k < p->n_leaves; k++) {
    if (same_shape(c->in[k].shape, c->shape) && *lane) {
      add(s, "v%d%s, ", k, lane);
    } else {
      add(s, c->in[k].bf16 ? "few_wide(in%d[" : "(in%d[", k);
      if (same_shape(c->in[k].shape, c->shape))
        *s += "i";
      else
        add_index(s, c->in[k].shape, c->shape);
      *s += "]), ";
    }
  }
  for (int k = 0; k < p->n_stores; k++)
    add(s, "&w%d%s%s", k, lane, k + 1 < p->n_stores ? ", " : "); }\n");
}

static void pointers(std::string *s, const struct few_call *c, const struct few_program *p) {
  for (int k = 0; k < p->n_leaves; k++) {
    const char *type = c->in[k].bf16 ? "bf16" : "real";
    add(s, "  const %s *const in%d = (const %s *)p.in[%d];\n", type, k, type, k);
  }
  for (int k = 0; k < p->n_stores; k++) {
    const char *type = c->bf16[k] ? "bf16" : "real";
    add(s, "  %s *const out%d = (%s *)p.out[%d];\n", type, k, type, k);
  }
}

static void narrow_loop(std::string *s, const struct few_call *c, const struct few_program *p,
                        int64_t n) {
  add(s, "  for (index at = FEW_FIRST; at < %lld; at += FEW_STEP) {\n", (long long)n);
  for (int k = 0; k < p->n_stores; k++) add(s, "    real w%d;\n", k);
  call_body(s, c, p, "", 0);
  for (int k = 0; k < p->n_stores; k++)
    add(s, c->bf16[k] ? "    out%d[at] = few_narrow(w%d);\n" : "    out%d[at] = w%d;\n", k, k);
  *s += "  }\n";
}

static void wide_loop(std::string *s, const struct few_call *c, const struct few_program *p,
                      int64_t n) {
  static const char *const lanes[] = {".x", ".y", ".z", ".w"};
  add(s, "  for (index q = FEW_FIRST; q < %lld; q += FEW_STEP) {\n    const index at = 4 * q;\n",
      (long long)n / 4);
  for (int k = 0; k < p->n_leaves; k++) {
    if (!same_shape(c->in[k].shape, c->shape)) continue;
    if (!c->in[k].bf16) {
      add(s, "    const real4 v%d = ((const real4 *)in%d)[q];\n", k, k);
      continue;
    }
    add(s, "    const bf16x4 h%d = ((const bf16x4 *)in%d)[q];\n", k, k);
    add(s,
        "    const real4 v%d = {few_wide(h%d.x), few_wide(h%d.y), few_wide(h%d.z), "
        "few_wide(h%d.w)};\n",
        k, k, k, k, k);
  }
  for (int k = 0; k < p->n_stores; k++) add(s, "    real4 w%d;\n", k);
  for (int j = 0; j < 4; j++) call_body(s, c, p, lanes[j], j);
  for (int k = 0; k < p->n_stores; k++) {
    if (!c->bf16[k]) {
      add(s, "    ((real4 *)out%d)[q] = w%d;\n", k, k);
      continue;
    }
    add(s,
        "    const bf16x4 n%d = {few_narrow(w%d.x), few_narrow(w%d.y), few_narrow(w%d.z), "
        "few_narrow(w%d.w)};\n",
        k, k, k, k, k);
    add(s, "    ((bf16x4 *)out%d)[q] = n%d;\n", k, k);
  }
  *s += "  }\n";
}

static bool has_bf16(const struct few_call *c, const struct few_program *p) {
  for (int k = 0; k < p->n_leaves; k++)
    if (c->in[k].bf16) return true;
  for (int k = 0; k < p->n_stores; k++)
    if (c->bf16[k]) return true;
  return false;
}

std::string few__program_text(const struct few_call *c, const struct few_program *p,
                              const char *real, bool wide) {
  std::string s;
  const int64_t n = count_of(c->shape);
  add(&s, "typedef %s real;\ntypedef struct __align__(16) { real x, y, z, w; } real4;\n", real);
  add(&s, "struct few_pointers { const void *in[%d]; void *out[%d]; };\n", FEW_PROGRAM_LEAVES,
      FEW_PROGRAM_STORES);
  add(&s, "typedef %s index;\n", n < INT32_MAX / 2 ? "int" : "long long");
  if (has_bf16(c, p)) s += bf16_text;
  s += words;
  functions(&s, p);
  body(&s, p);
  s += "FEW_ENTRY void few_program(struct few_pointers p) {\n";
  pointers(&s, c, p);
  if (wide)
    wide_loop(&s, c, p, n);
  else
    narrow_loop(&s, c, p, n);
  s += "}\n";
  return s;
}
