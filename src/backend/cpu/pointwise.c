/* pointwise.c - pointwise ops and fused programs of them, a tile at a time.
 *
 * The sweep (pointwise.h) is cut into tiles of some hundred elements: a piece of a row, or several
 * short rows. Every register of the program is an array of one tile, so intermediate results stay
 * in the first-level cache and memory is read and written once, however long the program. An
 * instruction is one call a tile of a loop that the expression in ops.def expands to.
 *
 * A leaf that lies in memory as the tile does is read where it is. A leaf that repeats is spread
 * into a tile of its own, again only when the part it comes from changes: once a call for a scalar
 * or [1,1,1,C], once an image for [N,1,1,C].
 *
 * The last instruction to touch a stored register writes straight to the output, unless that output
 * is the memory of a leaf that is read later in the tile; then it is copied when the tile is done.
 */
#include "backend/cpu/pointwise.h"

#include "backend/cpu/vmath.h"

/* 512 elements are 2 KiB: a dozen live registers fit 32 KiB. */
enum { TILE = 512, DIRECT_TILE = 1 << 14, REGISTERS = FEW_PROGRAM_LEAVES + FEW_PROGRAM_MAX };

typedef void (*loop_fn)(float *out, const float *const in[3], float a, float b, int64_t n);

#define C(number) vf_set((float)(number))
#define EXP vf_exp
#define LOG vf_log
#define SIN vf_sin
#define COS vf_cos
#define TANH vf_tanh
#define ATAN vf_atan
#define SQRT vf_sqrt
#define ABS vf_abs
#define MAX vf_max
#define MIN vf_min
#define SELECT vf_select

#define LOOP(name, expression, load_y, load_z)                                                    \
  static void name##_loop(float *out, const float *const in[3], float a, float b, int64_t n) {    \
    const vf A = vf_set(a), B = vf_set(b);                                                        \
    const float *px = in[0], *py = in[1], *pz = in[2];                                            \
    (void)A, (void)B, (void)py, (void)pz;                                                         \
    int64_t i = 0;                                                                                \
    for (; i + VF_W <= n; i += VF_W) {                                                            \
      const vf X = vf_load(px + i);                                                               \
      load_y(const vf Y = vf_load(py + i);) load_z(const vf Z = vf_load(pz + i);)                 \
          vf_store(out + i, expression);                                                          \
    }                                                                                             \
    if (i == n) return;                                                                           \
    const vf X = vf_load_n(px + i, n - i);                                                        \
    load_y(const vf Y = vf_load_n(py + i, n - i);) load_z(const vf Z = vf_load_n(pz + i, n - i);) \
        vf_store_n(out + i, expression, n - i);                                                   \
  }
#define YES(x) x
#define NO(x)

#define FEW_OP(ENUM, name, arity)
#define FEW_UNARY(ENUM, name, expression) LOOP(name, expression, NO, NO)
#define FEW_BINARY(ENUM, name, expression) LOOP(name, expression, YES, NO)
#define FEW_TERNARY(ENUM, name, expression) LOOP(name, expression, YES, YES)
#include "few/ops.def"
LOOP(product_sum, vf_fma(X, Y, Z), YES, YES)

static const struct pointwise {
  loop_fn loop;
  int arity;
} ops[FEW_OP_COUNT] = {
#define FEW_OP(ENUM, name, arity)
#define FEW_UNARY(ENUM, name, expression) [FEW_OP_##ENUM] = {name##_loop, 1},
#define FEW_BINARY(ENUM, name, expression) [FEW_OP_##ENUM] = {name##_loop, 2},
#define FEW_TERNARY(ENUM, name, expression) [FEW_OP_##ENUM] = {name##_loop, 3},
#include "few/ops.def"
};

/* A register lives in a leaf's memory, in a slot of the scratch, or in an output. */
enum place { LEAF, SLOT, OUT };
struct reg {
  enum place place;
  int index;      /* of the leaf, slot or output */
  int last_use;   /* step that reads it last, -1 none; n_steps: when the tile is done */
  int64_t origin; /* repeated leaf: the offset that its slot now shows, -1 none */
  int64_t held;   /* and how many elements of it */
};

struct step {
  loop_fn loop;
  int in[3], n_in, to;
  float a, b;
};

struct plan {
  int n_leaves, n_steps, n_slots, n_copies;
  int64_t rows, cols; /* of a tile, at most */
  struct sweep sweep;
  struct reg reg[REGISTERS];
  struct step step[FEW_PROGRAM_MAX];
  struct copy {
    int reg, out;
  } copy[FEW_PROGRAM_STORES];
  const float *leaf[FEW_PROGRAM_LEAVES];
  float *out[FEW_PROGRAM_STORES], *scratch;
};

/* ---- Planning: once a call ---- */

static void plan_leaves(struct plan *p, const struct few_call *call) {
  p->n_leaves = p->sweep.n = call->n_in;
  for (int l = 0; l < call->n_in; l++) {
    p->leaf[l] = call->in[l].data;
    p->reg[l] = (struct reg){LEAF, l, -1, -1, 0};
    sweep_broadcast(p->sweep.stride[l], call->in[l].shape, call->shape);
  }
  sweep_merge(&p->sweep, call->shape);
}

/* For each sum, the product that only it reads, or -1: the two become one step x y + z. */
static void find_products(const struct few_program *prog, int product_of[], bool absorbed[]) {
  int reads[REGISTERS] = {0};
  for (int k = 0; k < prog->n_code; k++)
    for (int i = 0; i < ops[prog->code[k].op].arity; i++) reads[prog->code[k].in[i]]++;
  for (int j = 0; j < prog->n_stores; j++) reads[prog->store[j]]++;
  for (int k = 0; k < prog->n_code; k++) {
    product_of[k] = -1;
    absorbed[k] = false;
    if (prog->code[k].op != FEW_OP_ADD) continue;
    for (int i = 0; i < 2 && product_of[k] < 0; i++) {
      const int m = prog->code[k].in[i] - prog->n_leaves;
      if (m < 0 || prog->code[m].op != FEW_OP_MUL || reads[prog->code[k].in[i]] != 1) continue;
      product_of[k] = m;
      absorbed[m] = true;
    }
  }
}

static void plan_steps(struct plan *p, const struct few_program *prog) {
  int product_of[FEW_PROGRAM_MAX];
  bool absorbed[FEW_PROGRAM_MAX];
  find_products(prog, product_of, absorbed);
  for (int k = 0; k < prog->n_code; k++) {
    const struct few_instruction *code = &prog->code[k];
    if (absorbed[k]) continue;
    struct step *s = &p->step[p->n_steps];
    *s = (struct step){ops[code->op].loop,     {0, 0, 0},
                       ops[code->op].arity,    prog->n_leaves + k,
                       (float)code->attr.f[0], (float)code->attr.f[1]};
    for (int i = 0; i < s->n_in; i++) s->in[i] = code->in[i];
    if (product_of[k] >= 0) {
      const struct few_instruction *mul = &prog->code[product_of[k]];
      const int other = code->in[0] == prog->n_leaves + product_of[k] ? code->in[1] : code->in[0];
      s->loop = product_sum_loop;
      s->n_in = 3;
      s->in[0] = mul->in[0];
      s->in[1] = mul->in[1];
      s->in[2] = other;
    }
    p->reg[s->to] = (struct reg){SLOT, -1, -1, -1, 0};
    for (int i = 0; i < s->n_in; i++) p->reg[s->in[i]].last_use = p->n_steps;
    p->n_steps++;
  }
}

/* The output that step s may write its result to at once, or -1. */
static int direct_out(const struct plan *p, const struct few_program *prog, int s) {
  for (int j = 0; j < prog->n_stores; j++) {
    if (prog->store[j] != p->step[s].to) continue;
    for (int l = 0; l < p->n_leaves; l++)
      if (p->leaf[l] == p->out[j] && p->reg[l].last_use > s) return -1;
    return j;
  }
  return -1;
}

/* Outputs straight from a step where that is safe; slots for the rest, used again once free. */
static void plan_places(struct plan *p, const struct few_program *prog) {
  int free_slot[FEW_PROGRAM_MAX], n_free = 0;
  bool written[FEW_PROGRAM_STORES] = {false};
  for (int j = 0; j < prog->n_stores; j++)
    if (prog->store[j] < p->n_leaves) p->reg[prog->store[j]].last_use = p->n_steps;
  for (int s = 0; s < p->n_steps; s++) {
    struct reg *to = &p->reg[p->step[s].to];
    const int out = direct_out(p, prog, s);
    for (int i = 0; i < p->step[s].n_in; i++) {
      struct reg *r = &p->reg[p->step[s].in[i]];
      if (r->place != SLOT || r->last_use != s) continue;
      free_slot[n_free++] = r->index;
      r->last_use = -1; /* x * x frees its slot once */
    }
    if (out >= 0) {
      written[out] = true;
      to->place = OUT;
      to->index = out;
      continue;
    }
    for (int j = 0; j < prog->n_stores; j++)
      if (prog->store[j] == p->step[s].to) to->last_use = p->n_steps;
    to->index = n_free > 0 ? free_slot[--n_free] : p->n_slots++;
  }
  for (int j = 0; j < prog->n_stores; j++)
    if (!written[j]) p->copy[p->n_copies++] = (struct copy){prog->store[j], j};
}

/* Do `rows` rows of the leaf lie in memory as those of a tile do? */
static bool lies_plain(const struct sweep *w, int leaf, int64_t rows) {
  const int64_t *stride = w->stride[leaf], len = w->dim[w->rank - 1];
  return stride[w->rank - 1] == 1 && (rows == 1 || stride[w->rank - 2] == len);
}

static bool cut_tiles(struct plan *p, int64_t tile) {
  const struct sweep *w = &p->sweep;
  const int64_t len = w->dim[w->rank - 1];
  p->cols = len < tile ? len : tile;
  p->rows = w->rank > 1 && len < tile ? tile / len : 1;
  if (p->rows > 1 && p->rows > w->dim[w->rank - 2]) p->rows = w->dim[w->rank - 2];
  bool plain = true;
  for (int l = 0; l < p->n_leaves; l++) plain = plain && lies_plain(w, l, p->rows);
  return plain;
}

/* A single step on plain leaves needs no scratch, so its tile can be long. */
static void plan_tiles(struct plan *p) {
  if (p->n_steps == 1 && p->n_slots == 0 && cut_tiles(p, DIRECT_TILE)) return;
  cut_tiles(p, TILE);
  for (int l = 0; l < p->n_leaves; l++)
    if (!lies_plain(&p->sweep, l, p->rows)) {
      p->reg[l].place = SLOT;
      p->reg[l].index = p->n_slots++;
    }
}

/* ---- Running: once a tile ---- */

static void fill(float *to, float value, int64_t n) {
  for (int64_t i = 0; i < n; i++) to[i] = value;
}

static void spread_leaf(struct plan *p, int leaf, int64_t offset, int64_t rows, int64_t cols) {
  const struct sweep *w = &p->sweep;
  struct reg *r = &p->reg[leaf];
  const int64_t down = rows > 1 ? w->stride[leaf][w->rank - 2] : 0;
  const int64_t along = w->stride[leaf][w->rank - 1];
  assert(along == 0 || along == 1);
  if (down == 0 && r->origin == offset && r->held >= rows * cols) return;
  r->origin = offset;
  r->held = down == 0 ? rows * cols : 0;
  const float *from = p->leaf[leaf] + offset;
  float *to = p->scratch + r->index * TILE;
  if (down == 0 && along == 0) {
    fill(to, *from, rows * cols);
    return;
  }
  for (int64_t i = 0; i < rows; i++, from += down, to += cols) {
    if (along == 0)
      fill(to, *from, cols);
    else
      memcpy(to, from, (size_t)cols * sizeof *to);
  }
}

struct tile {
  int64_t out;                         /* offset in the outputs */
  int64_t leaf[FEW_PROGRAM_LEAVES], n; /* offsets in the leaves; elements */
};

static float *address(const struct plan *p, const struct tile *t, int reg) {
  const struct reg *r = &p->reg[reg];
  return r->place == SLOT ? p->scratch + r->index * TILE : p->out[r->index] + t->out;
}
static const float *source(const struct plan *p, const struct tile *t, int reg) {
  return p->reg[reg].place == LEAF ? p->leaf[reg] + t->leaf[reg] : address(p, t, reg);
}

static void run_tile(const struct plan *p, const struct tile *t) {
  for (int s = 0; s < p->n_steps; s++) {
    const struct step *step = &p->step[s];
    const float *in[3] = {NULL, NULL, NULL};
    for (int i = 0; i < step->n_in; i++) in[i] = source(p, t, step->in[i]);
    step->loop(address(p, t, step->to), in, step->a, step->b, t->n);
  }
  for (int k = 0; k < p->n_copies; k++)
    memmove(p->out[p->copy[k].out] + t->out, source(p, t, p->copy[k].reg),
            (size_t)t->n * sizeof(float));
}

static void run_tiles(struct plan *p) {
  const struct sweep *w = &p->sweep;
  const int last = w->rank - 1, outer = last > 0 ? last - 1 : 0;
  const int64_t len = w->dim[last], height = last > 0 ? w->dim[last - 1] : 1;
  const int64_t n_outer = sweep_count(w, outer);
  for (int64_t o = 0; o < n_outer; o++) {
    int64_t base[FEW_PROGRAM_LEAVES] = {0};
    for (int l = 0; l < p->n_leaves; l++) base[l] = sweep_at(w, l, outer, o);
    for (int64_t row = 0; row < height; row += p->rows)
      for (int64_t col = 0; col < len; col += p->cols) {
        const int64_t rows = height - row < p->rows ? height - row : p->rows;
        const int64_t cols = len - col < p->cols ? len - col : p->cols;
        struct tile t = {.out = (o * height + row) * len + col, .n = rows * cols};
        for (int l = 0; l < p->n_leaves; l++) {
          t.leaf[l] = base[l] + col * w->stride[l][last];
          if (last > 0) t.leaf[l] += row * w->stride[l][last - 1];
          if (p->reg[l].place == SLOT) spread_leaf(p, l, t.leaf[l], rows, cols);
        }
        run_tile(p, &t);
      }
  }
}

static void run_program(const struct few_call *call, const struct few_program *prog) {
  struct plan p = {.scratch = call->scratch};
  if (sweep_empty(call->shape)) return;
  for (int j = 0; j < prog->n_stores; j++) p.out[j] = call->node ? call->out : call->outs[j];
  plan_leaves(&p, call);
  plan_steps(&p, prog);
  plan_places(&p, prog);
  plan_tiles(&p);
  run_tiles(&p);
}

void FEW_ISA(few__cpu_fused)(const struct few_call *call) { run_program(call, call->program); }

/* A slot for each leaf and instruction at most. */
size_t FEW_ISA(few__cpu_fused_scratch)(const struct few_call *call) {
  return (size_t)(call->n_in + call->program->n_code) * TILE * sizeof(float);
}

/* One op: a program of one instruction. */
void FEW_ISA(few__cpu_pointwise)(const struct few_call *call) {
  struct few_program prog = {.n_leaves = call->n_in, .n_code = 1, .n_stores = 1};
  prog.code[0].op = call->node->op;
  prog.code[0].attr = call->node->attr;
  for (int i = 0; i < 3; i++) prog.code[0].in[i] = (int16_t)i;
  prog.store[0] = (int16_t)call->n_in;
  run_program(call, &prog);
}

size_t FEW_ISA(few__cpu_pointwise_scratch)(const struct few_call *call) {
  return (size_t)call->n_in * TILE * sizeof(float);
}
