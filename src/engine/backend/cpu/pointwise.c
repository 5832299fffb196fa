/* pointwise.c - pointwise ops and fused programs of them, a tile at a time.
 *
 * The sweep (pointwise.h) is cut into tiles of some hundred elements: a part of a row, or several
 * short rows. Every register of the program is an array of one tile. So intermediate results stay
 * in the first-level cache, and memory is read and written once, however long the program is. Each
 * instruction has a loop over arrays, expanded from its expression in ops.def, which is called once
 * per tile.
 *
 * A leaf whose elements for a tile are contiguous is read in place. A leaf that repeats is expanded
 * into a tile of its own. It is expanded again only when the part that it comes from changes: once
 * per call for a scalar or [1,1,1,C], once per image for [N,1,1,C].
 *
 * A leaf stored in bf16 is also converted into a tile of its own. An output in bf16 is converted
 * from such a tile when the tile is finished.
 *
 * The instruction that computes a stored register writes directly to the output. But if the output
 * shares the memory of a leaf that is read later in the tile, the register is copied when the tile
 * is finished.
 *
 * A norm in a program reads leaves only. When the sweep reaches an image, the image's statistics
 * are computed (norm.h) and become factors by channel. The norm is then two or three steps that
 * read the factors as leaves of shape [1,..,C]. The image is then in the cache for the sweep, and
 * the normalised values and their tangents are never written to memory.
 */
#include "pointwise.h"

#include "norm.h"
#include "pointwise_loops.h"

/* 512 elements are 2 KiB: a dozen live registers fit 32 KiB. */
enum { TILE = 512, DIRECT_TILE = 1 << 14 };
/* Registers of a norm: its factors, x - high, and the first part of the tangent (d scale + add). */
enum { NORM_CENTERED = NORM_FACTORS, NORM_HALF, NORM_REGISTERS };
enum {
  REGISTERS = FEW_PROGRAM_LEAVES + FEW_PROGRAM_MAX + FEW_PROGRAM_NORMS * NORM_REGISTERS,
  STEPS = FEW_PROGRAM_MAX + FEW_PROGRAM_NORMS * 2
};

/* A register is stored in the memory of a leaf, in a slot of the scratch, or in an output. */
enum place { LEAF, SLOT, OUT };
struct reg {
  enum place place;
  int index;      /* of the leaf, slot or output */
  int last_use;   /* the last step that reads it; -1: none; n_steps: the copy at the tile's end */
  int64_t origin; /* repeated leaf: the offset that its slot was expanded from; -1: none */
  int64_t held;   /* repeated leaf: how many elements of the slot are expanded */
};

struct step {
  loop_fn loop;
  int in[3], n_in, to;
  float a, b;
};

/* A norm. Norms and norm tangents of the same x, and the same d if any, share one. */
struct normed {
  struct norm norm;
  int x, d;      /* leaves; d is -1 if there is none */
  int first;     /* its first register */
  bool centered; /* the step for x - high exists */
  float *factor;
};

struct plan {
  int n_leaves, n_steps, n_slots, n_copies, n_norms;
  int64_t rows, cols; /* largest size of a tile */
  struct sweep sweep;
  struct reg reg[REGISTERS];
  struct step step[STEPS];
  struct copy {
    int reg, out;
  } copy[FEW_PROGRAM_STORES];
  struct from leaf[FEW_PROGRAM_LEAVES];
  struct to out[FEW_PROGRAM_STORES];
  float *scratch;
  struct normed norm[FEW_PROGRAM_NORMS];
  int norm_of[FEW_PROGRAM_MAX]; /* index in norm[], for instructions that are norms */
  int64_t spread_col, spread_n; /* columns that the slots of factors hold */
  void *sums;
};

/* ---- Planning: once per call ---- */

static void plan_leaves(struct plan *p, const struct few_call *call) {
  p->n_leaves = p->sweep.n = call->n_in;
  for (int l = 0; l < call->n_in; l++) {
    p->leaf[l] = num_operand(call, l);
    p->reg[l] = (struct reg){LEAF, l, -1, -1, 0};
    sweep_broadcast(p->sweep.stride[l], call->in[l].shape, call->shape);
  }
  if (p->n_norms) { /* an operand that keeps images and channels from being merged with others */
    struct few_shape by_channel = call->shape;
    for (int k = 1; k < by_channel.rank - 1; k++) by_channel.dim[k] = 1;
    sweep_broadcast(p->sweep.stride[p->sweep.n++], by_channel, call->shape);
  }
  sweep_merge(&p->sweep, call->shape);
}

static bool is_norm(few_op op) { return op == FEW_OP_NORM || op == FEW_OP_NORM_TANGENT; }

/* The norm of x (and d) with these attributes: an existing one, or a new one. */
static int find_norm(struct plan *p, const struct few_call *call, int x, int d,
                     const struct few_attr_norm *attr) {
  const struct norm n = norm_of(call->shape, attr);
  int i = 0;
  for (; i < p->n_norms; i++) {
    const struct normed *m = &p->norm[i];
    if (m->x == x && (m->d == d || m->d < 0 || d < 0) && m->norm.groups == n.groups &&
        m->norm.center == n.center && !(m->norm.eps < n.eps || m->norm.eps > n.eps))
      break;
  }
  if (i == p->n_norms) {
    assert(p->n_norms < FEW_PROGRAM_NORMS);
    p->norm[p->n_norms++] = (struct normed){.norm = n, .x = x, .d = d};
  }
  if (d >= 0) p->norm[i].d = d;
  return i;
}

/* Floats, rounded up to a multiple of 64 bytes. */
static int64_t aligned(int64_t floats) { return (floats + 15) / 16 * 16; }

static void plan_norms(struct plan *p, const struct few_call *call,
                       const struct few_program *prog) {
  for (int k = 0; k < prog->n_code; k++) {
    const struct few_instruction *c = &prog->code[k];
    if (!is_norm(c->op)) continue;
    const int d = c->op == FEW_OP_NORM_TANGENT ? c->in[1] : -1;
    assert(c->in[0] < prog->n_leaves && d < prog->n_leaves);
    p->norm_of[k] = find_norm(p, call, c->in[0], d, &c->attr.norm);
  }
  const int64_t C = p->n_norms ? p->norm[0].norm.C : 0;
  for (int i = 0; i < p->n_norms; i++) {
    struct normed *m = &p->norm[i];
    m->norm.x = num_operand(call, m->x);
    m->norm.d = m->d < 0 ? num_f32(NULL) : num_operand(call, m->d);
    m->factor = p->scratch;
    m->first = prog->n_leaves + prog->n_code + i * NORM_REGISTERS;
    p->scratch += aligned(NORM_FACTORS * C);
    for (int k = 0; k < NORM_FACTORS; k++) p->reg[m->first + k] = (struct reg){LEAF, -1, -1, -1, 0};
  }
  if (!p->n_norms) return;
  p->sums = p->scratch;
  p->scratch += aligned((int64_t)(norm_sums_bytes(C) / sizeof(float)));
}

/* For each ADD, a product that nothing else reads, or -1. The two become one step x y + z. */
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

static void add_step(struct plan *p, struct step s) {
  p->reg[s.to] = (struct reg){SLOT, -1, -1, -1, 0};
  for (int i = 0; i < s.n_in; i++) p->reg[s.in[i]].last_use = p->n_steps;
  p->step[p->n_steps++] = s;
}

static void add_product_sum(struct plan *p, int to, int x, int y, int z) {
  add_step(p, (struct step){product_sum_loop, {x, y, z}, 3, to, 0, 0});
}

static void add_norm(struct plan *p, int to, struct normed *m, bool tangent) {
  const int r = m->first;
  if (!m->centered)
    add_step(
        p, (struct step){ops[FEW_OP_SUB].loop, {m->x, r + NORM_HIGH}, 2, r + NORM_CENTERED, 0, 0});
  m->centered = true;
  if (tangent) add_product_sum(p, r + NORM_HALF, m->d, r + NORM_SCALE, r + NORM_ADD);
  if (tangent)
    add_product_sum(p, to, r + NORM_CENTERED, r + NORM_SLOPE, r + NORM_HALF);
  else
    add_product_sum(p, to, r + NORM_CENTERED, r + NORM_SCALE, r + NORM_BASE);
}

static void plan_steps(struct plan *p, const struct few_program *prog) {
  int product_of[FEW_PROGRAM_MAX];
  bool absorbed[FEW_PROGRAM_MAX];
  find_products(prog, product_of, absorbed);
  for (int k = 0; k < prog->n_code; k++) {
    const struct few_instruction *code = &prog->code[k];
    const int to = prog->n_leaves + k, m = product_of[k];
    if (absorbed[k]) continue;
    if (is_norm(code->op)) {
      add_norm(p, to, &p->norm[p->norm_of[k]], code->op == FEW_OP_NORM_TANGENT);
    } else if (m >= 0) {
      const int16_t *factor = prog->code[m].in;
      add_product_sum(p, to, factor[0], factor[1], code->in[code->in[0] == prog->n_leaves + m]);
    } else {
      add_step(p, (struct step){ops[code->op].loop,
                                {code->in[0], code->in[1], code->in[2]},
                                ops[code->op].arity,
                                to,
                                (float)code->attr.affine.a,
                                (float)code->attr.affine.b});
    }
  }
}

/* The output that step s may write its result to directly, or -1. */
static int direct_out(const struct plan *p, const struct few_program *prog, int s) {
  for (int j = 0; j < prog->n_stores; j++) {
    if (prog->store[j] != p->step[s].to || p->out[j].bf16) continue;
    for (int l = 0; l < p->n_leaves; l++)
      if (p->leaf[l].at == p->out[j].at && p->reg[l].last_use > s) return -1;
    return j;
  }
  return -1;
}

/* Decides where each step writes: directly to an output where that is safe, else to a slot. Slots
 * are reused when they are free. */
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

/* Whether `rows` rows of the leaf are contiguous, as those of a tile are. */
static bool is_dense(const struct sweep *w, int leaf, int64_t rows) {
  const int64_t *stride = w->stride[leaf], len = w->dim[w->rank - 1];
  return stride[w->rank - 1] == 1 && (rows == 1 || stride[w->rank - 2] == len);
}

/* Whether steps can read the leaf in place. */
static bool lies_plain(const struct plan *p, int leaf) {
  return !p->leaf[leaf].bf16 && is_dense(&p->sweep, leaf, p->rows);
}

static bool cut_tiles(struct plan *p, int64_t tile) {
  const struct sweep *w = &p->sweep;
  const int64_t len = w->dim[w->rank - 1];
  p->cols = len < tile ? len : tile;
  p->rows = w->rank > 1 && len < tile ? tile / len : 1;
  if (p->rows > 1 && p->rows > w->dim[w->rank - 2]) p->rows = w->dim[w->rank - 2];
  bool plain = true;
  for (int l = 0; l < p->n_leaves; l++) plain = plain && lies_plain(p, l);
  return plain;
}

/* A single step on contiguous leaves needs no scratch, so its tile can be long. */
static void plan_tiles(struct plan *p) {
  if (p->n_steps == 1 && p->n_slots == 0 && cut_tiles(p, DIRECT_TILE)) return;
  cut_tiles(p, TILE);
  for (int l = 0; l < p->n_leaves; l++)
    if (!lies_plain(p, l)) {
      p->reg[l].place = SLOT;
      p->reg[l].index = p->n_slots++;
    }
  for (int i = 0; i < p->n_norms * NORM_REGISTERS; i++) {
    struct reg *r = &p->reg[p->norm[0].first + i];
    if (i % NORM_REGISTERS >= NORM_FACTORS || r->last_use < 0) continue;
    r->place = SLOT;
    r->index = p->n_slots++;
  }
}

/* ---- Running: once per tile ---- */

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
  const struct from x = num_from(p->leaf[leaf], offset);
  float *to = p->scratch + r->index * TILE;
  if (down == 0 && along == 0) {
    fill(to, num_get(x, 0), rows * cols);
    return;
  }
  if (is_dense(w, leaf, rows)) {
    num_floats(to, x, rows * cols);
    return;
  }
  for (int64_t i = 0; i < rows; i++, to += cols) {
    if (along == 0)
      fill(to, num_get(x, i * down), cols);
    else
      num_floats(to, num_from(x, i * down), cols);
  }
}

/* Expands the factors of the norms to as many rows as the tile has. */
static void spread_factors(struct plan *p, int64_t col, int64_t rows, int64_t cols) {
  if (p->spread_col == col && p->spread_n >= rows * cols) return;
  p->spread_col = col;
  p->spread_n = rows * cols;
  for (int i = 0; i < p->n_norms; i++)
    for (int k = 0; k < NORM_FACTORS; k++) {
      const struct reg *r = &p->reg[p->norm[i].first + k];
      if (r->place != SLOT) continue;
      float *to = p->scratch + r->index * TILE;
      for (int64_t row = 0; row < rows; row++, to += cols)
        memcpy(to, p->norm[i].factor + k * p->norm[i].norm.C + col, (size_t)cols * sizeof *to);
    }
}

static void take_statistics(struct plan *p, int64_t image) {
  p->spread_n = 0;
  for (int i = 0; i < p->n_norms; i++)
    norm_image(&p->norm[i].norm, image, p->sums, p->norm[i].factor);
}

struct tile {
  int64_t out;                      /* offset in the outputs */
  int64_t leaf[FEW_PROGRAM_LEAVES]; /* offsets in the leaves */
  int64_t n;                        /* elements */
};

static float *address(const struct plan *p, const struct tile *t, int reg) {
  const struct reg *r = &p->reg[reg];
  return r->place == SLOT ? p->scratch + r->index * TILE : (float *)p->out[r->index].at + t->out;
}
static const float *source(const struct plan *p, const struct tile *t, int reg) {
  return p->reg[reg].place == LEAF ? (const float *)p->leaf[reg].at + t->leaf[reg]
                                   : address(p, t, reg);
}

static void run_tile(const struct plan *p, const struct tile *t) {
  for (int s = 0; s < p->n_steps; s++) {
    const struct step *step = &p->step[s];
    const float *in[3] = {NULL, NULL, NULL};
    for (int i = 0; i < step->n_in; i++) in[i] = source(p, t, step->in[i]);
    step->loop(address(p, t, step->to), in, step->a, step->b, t->n);
  }
  for (int k = 0; k < p->n_copies; k++) {
    const struct to out = num_to(p->out[p->copy[k].out], t->out);
    const float *x = source(p, t, p->copy[k].reg);
    if (out.at != x) num_put_floats(out, x, t->n);
  }
}

static void run_tiles(struct plan *p) {
  const struct sweep *w = &p->sweep;
  const int last = w->rank - 1, outer = last > 0 ? last - 1 : 0;
  const int64_t len = w->dim[last], height = last > 0 ? w->dim[last - 1] : 1;
  const int64_t n_outer = sweep_count(w, outer), images = p->n_norms ? p->norm[0].norm.N : n_outer;
  for (int64_t o = 0; o < n_outer; o++) {
    if (p->n_norms && o * images % n_outer == 0) take_statistics(p, o * images / n_outer);
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
        if (p->n_norms) spread_factors(p, col, rows, cols);
        run_tile(p, &t);
      }
  }
}

static void run_program(const struct few_call *call, const struct few_program *prog) {
  struct plan p = {.scratch = call->scratch};
  if (sweep_empty(call->shape)) return;
  for (int j = 0; j < prog->n_stores; j++)
    p.out[j] = (struct to){call->node ? call->out : call->outs[j], call->bf16[j]};
  plan_norms(&p, call, prog);
  plan_leaves(&p, call);
  plan_steps(&p, prog);
  plan_places(&p, prog);
  plan_tiles(&p);
  run_tiles(&p);
}

void FEW_ISA(few__cpu_fused)(const struct few_call *call) { run_program(call, call->program); }

/* At most one slot for each leaf, instruction and register of a norm; the norms' factors; the sums
 * of one image. */
size_t FEW_ISA(few__cpu_fused_scratch)(const struct few_call *call) {
  const struct few_shape s = call->shape;
  int64_t norms = 0, C = s.rank ? s.dim[s.rank - 1] : 1;
  for (int k = 0; k < call->program->n_code; k++) norms += is_norm(call->program->code[k].op);
  int64_t floats = (call->n_in + call->program->n_code + norms * NORM_REGISTERS) * TILE;
  if (norms)
    floats +=
        norms * aligned(NORM_FACTORS * C) + aligned((int64_t)(norm_sums_bytes(C) / sizeof(float)));
  return (size_t)floats * sizeof(float);
}

/* A single op runs as a program of one instruction. */
void FEW_ISA(few__cpu_pointwise)(const struct few_call *call) {
  struct few_program prog = {.n_leaves = call->n_in, .n_code = 1, .n_stores = 1};
  prog.code[0].op = call->node->op;
  prog.code[0].attr = call->node->attr;
  for (int i = 0; i < 3; i++) prog.code[0].in[i] = (int16_t)i;
  prog.store[0] = (int16_t)call->n_in;
  run_program(call, &prog);
}

size_t FEW_ISA(few__cpu_pointwise_scratch)(const struct few_call *call) {
  return ((size_t)call->n_in + 1) * TILE * sizeof(float);
}
