/* graph.c - nodes by value numbering.
 *
 * A node is found by hashing what it is (op, operands, attributes; for sources also name, shape and
 * values), so equal sub-expressions are one node from the moment they are written. Node numbers
 * grow in the order of construction, which therefore is a topological order.
 */
#include "graph.h"

#include <stdio.h>

#include "op/op.h"

struct slab { /* strings and constant values, freed with the graph */
  struct slab *next;
};

struct few_graph {
  few_ctx *ctx;
  few_status status;
  struct {
    struct few_node_data *at;
    int n, cap;
  } nodes;
  few_node *table; /* open addressing, a power of two, FEW_NONE where empty */
  int table_size;
  struct slab *slabs;
  char scope[160];
  const char *scope_name; /* interned copy of scope, or NULL if scope changed since */
};

static void *slab_new(few_graph *g, const void *bytes, size_t n) {
  struct slab *s = few__alloc(g->ctx, 64 + n);
  if (!s) return NULL;
  s->next = g->slabs;
  g->slabs = s;
  return memcpy((char *)s + 64, bytes, n);
}

few_status few_graph_create(few_ctx *ctx, few_graph **out) {
  *out = NULL;
  few_graph *g;
  FEW_TRY(FEW_NEW(ctx, &g, 1));
  g->ctx = ctx;
  *out = g;
  return FEW_OK;
}

void few_graph_free(few_graph *g) {
  if (!g) return;
  while (g->slabs) {
    struct slab *next = g->slabs->next;
    few__free(g->ctx, g->slabs);
    g->slabs = next;
  }
  few__free(g->ctx, g->table);
  few__free(g->ctx, g->nodes.at);
  few__free(g->ctx, g);
}

few_status few_graph_status(const few_graph *g) { return g->status; }
int few_graph_size(const few_graph *g) { return g->nodes.n; }
few_ctx *few__graph_ctx(const few_graph *g) { return g->ctx; }

const struct few_node_data *few__node(const few_graph *g, few_node n) {
  assert(n >= 0 && n < g->nodes.n);
  return &g->nodes.at[n];
}

struct few_shape few_node_shape(const few_graph *g, few_node n) {
  return n == FEW_NONE ? FEW_SCALAR : few__node(g, n)->shape;
}

const char *few_node_op(const few_graph *g, few_node n) { return few__op_def(few__op(g, n))->name; }

int64_t few_shape_count(struct few_shape s) {
  int64_t n = 1;
  for (int i = 0; i < s.rank; i++) n *= s.dim[i];
  return n;
}

bool few_shape_equal(struct few_shape a, struct few_shape b) {
  if (a.rank != b.rank) return false;
  for (int i = 0; i < a.rank; i++)
    if (a.dim[i] != b.dim[i]) return false;
  return true;
}

struct few_shape_text few__shape_text(struct few_shape s) {
  struct few_shape_text t;
  int n = snprintf(t.at, sizeof t.at, "[");
  for (int i = 0; i < s.rank; i++)
    n += snprintf(t.at + n, sizeof t.at - (size_t)n, i ? ",%lld" : "%lld", (long long)s.dim[i]);
  snprintf(t.at + n, sizeof t.at - (size_t)n, "]");
  return t;
}

few_node few__graph_fail(few_graph *g, few_status st, const char *fmt, ...) {
  if (g->status) return FEW_NONE; /* the first failure is the one that explains */
  g->status = st;
  va_list args;
  va_start(args, fmt);
  few__failv(g->ctx, st, fmt, args);
  va_end(args);
  if (g->scope[0]) few__fail_in(g->ctx, st, "at %s", g->scope);
  return FEW_NONE;
}

void few_scope_push(few_graph *g, const char *fmt, ...) {
  size_t n = strlen(g->scope);
  if (n + 2 < sizeof g->scope) {
    g->scope[n] = '/';
    va_list args;
    va_start(args, fmt);
    few__vprint(g->scope + n + 1, sizeof g->scope - n - 1, fmt, args);
    va_end(args);
  }
  g->scope_name = NULL;
}

void few_scope_pop(few_graph *g) {
  char *slash = strrchr(g->scope, '/');
  assert(slash);
  *slash = 0;
  g->scope_name = NULL;
}

/* ---- value numbering ---- */

static bool is_source(const struct few_node_data *n) {
  return few__op_def(n->op)->flags & FEW_OP_SOURCE;
}

static size_t values_bytes(const struct few_node_data *n) {
  return n->values ? (size_t)few_shape_count(n->shape) * sizeof(double) : 0;
}

static uint64_t hash_node(const struct few_node_data *n) {
  uint64_t h = few__hash(&n->op, sizeof n->op, 0);
  h = few__hash(n->in, sizeof n->in[0] * (size_t)n->n_in, h);
  h = few__hash(&n->attr, sizeof n->attr, h);
  if (n->name) h = few__hash(n->name, strlen(n->name), h);
  if (is_source(n)) h = few__hash(n->shape.dim, sizeof(int64_t) * (size_t)n->shape.rank, h);
  if (n->values) h = few__hash(n->values, values_bytes(n), h);
  return h;
}

static bool same_node(const struct few_node_data *a, const struct few_node_data *b) {
  if (a->op != b->op || a->n_in != b->n_in || !a->name != !b->name || !a->values != !b->values)
    return false;
  if (memcmp(a->in, b->in, sizeof a->in[0] * (size_t)a->n_in)) return false;
  /* Bytes, not values: -0 and 0 differ, NaN equals itself. NOLINTNEXTLINE(bugprone-*) */
  if (memcmp(&a->attr, &b->attr, sizeof a->attr)) return false;
  if (a->name && strcmp(a->name, b->name)) return false;
  if (is_source(a) && !few_shape_equal(a->shape, b->shape)) return false;
  return !a->values || !memcmp(a->values, b->values, values_bytes(a));
}

/* Slot of an equal node, or of the empty place where it belongs. */
static few_node *find(few_graph *g, const struct few_node_data *n) {
  uint64_t mask = (uint64_t)g->table_size - 1;
  for (uint64_t i = hash_node(n) & mask;; i = (i + 1) & mask)
    if (g->table[i] == FEW_NONE || same_node(&g->nodes.at[g->table[i]], n)) return &g->table[i];
}

static few_status grow_table(few_graph *g) {
  if (g->nodes.n * 2 < g->table_size) return FEW_OK;
  int size = g->table_size ? g->table_size * 2 : 1024;
  few_node *table = few__alloc(g->ctx, (size_t)size * sizeof *table);
  if (!table) return few__fail(g->ctx, FEW_E_MEMORY, "out of memory: graph of %d nodes", size);
  for (int i = 0; i < size; i++) table[i] = FEW_NONE;
  few__free(g->ctx, g->table);
  g->table = table;
  g->table_size = size;
  for (few_node n = 0; n < g->nodes.n; n++) *find(g, &g->nodes.at[n]) = n;
  return FEW_OK;
}

static few_node append(few_graph *g, few_node *slot, const struct few_node_data *proto) {
  if (FEW_GROW(g->ctx, &g->nodes, g->nodes.n + 1)) return FEW_NONE;
  struct few_node_data n = *proto;
  if (!g->scope_name) g->scope_name = slab_new(g, g->scope, strlen(g->scope) + 1);
  n.scope = g->scope_name;
  if (n.name) n.name = slab_new(g, n.name, strlen(n.name) + 1);
  if (n.values) n.values = slab_new(g, n.values, values_bytes(&n));
  if (!n.scope || (proto->name && !n.name) || (proto->values && !n.values)) return FEW_NONE;
  *slot = g->nodes.n;
  g->nodes.at[g->nodes.n] = n;
  return g->nodes.n++;
}

/* ---- shapes ---- */

static bool infer_pointwise(few_graph *g, struct few_node_data *n) {
  struct few_shape s = FEW_SCALAR;
  for (int k = 0; k < n->n_in; k++) {
    struct few_shape a = few_node_shape(g, n->in[k]);
    if (a.rank == 0) continue;
    bool fits = s.rank == 0 || s.rank == a.rank;
    if (s.rank == 0) s = a;
    for (int i = 0; fits && i < a.rank; i++) {
      fits = a.dim[i] == s.dim[i] || a.dim[i] == 1 || s.dim[i] == 1;
      if (s.dim[i] == 1) s.dim[i] = a.dim[i];
    }
    if (!fits) {
      few__graph_fail(
          g, FEW_E_INVALID,
          "%s: operand shapes %s and %s do not broadcast: ranks must agree and each dim "
          "be equal or 1 (reshape one of them)",
          few__op_def(n->op)->name, few__shape_text(few_node_shape(g, n->in[0])).at,
          few__shape_text(a).at);
      return false;
    }
  }
  n->shape = s;
  return true;
}

static bool valid_shape(few_graph *g, const struct few_node_data *n) {
  int64_t total = 1;
  bool ok = n->shape.rank >= 0 && n->shape.rank <= FEW_MAX_RANK;
  for (int i = 0; ok && i < n->shape.rank; i++) {
    ok = n->shape.dim[i] > 0 && total <= INT64_MAX / 16 / n->shape.dim[i];
    total *= ok ? n->shape.dim[i] : 1;
  }
  if (!ok)
    few__graph_fail(
        g, FEW_E_INVALID,
        "%s%s%s: impossible shape %s: rank 0..%d, every dim at least 1, fewer than 2^59 "
        "elements",
        few__op_def(n->op)->name, n->name ? " " : "", n->name ? n->name : "",
        few__shape_text(n->shape).at, FEW_MAX_RANK);
  return ok;
}

static bool valid_operands(few_graph *g, const struct few_node_data *n) {
  const struct few_op_def *def = few__op_def(n->op);
  assert(def->arity < 0 || n->n_in == def->arity);
  for (int k = 0; k < n->n_in; k++) {
    if (n->in[k] == FEW_NONE) {
      few__graph_fail(g, FEW_E_INVALID, "%s: operand %d is missing", def->name, k);
      return false;
    }
    assert(n->in[k] >= 0 && n->in[k] < g->nodes.n);
    if (few__node(g, n->in[k])->type != FEW_REAL && n->op != FEW_OP_ONEHOT &&
        n->op != FEW_OP_SLICE) {
      few__graph_fail(g, FEW_E_INVALID,
                      "%s: operand %d is an index: only onehot and slice take one", def->name, k);
      return false;
    }
  }
  return true;
}

few_node few__emit(few_graph *g, const struct few_node_data *proto) {
  if (g->status) return FEW_NONE;
  const struct few_op_def *def = few__op_def(proto->op);
  struct few_node_data n = *proto;
  if (!valid_operands(g, &n)) return FEW_NONE;
  if (def->flags & FEW_OP_POINTWISE ? !infer_pointwise(g, &n) : def->infer && !def->infer(g, &n))
    return FEW_NONE;
  if (!valid_shape(g, &n)) return FEW_NONE;
  few_node simple = def->simplify ? def->simplify(g, &n) : FEW_NONE;
  if (simple != FEW_NONE || g->status) return simple;

  few_status st = grow_table(g);
  if (st) {
    g->status = st;
    return FEW_NONE;
  }
  few_node *slot = find(g, &n);
  if (*slot != FEW_NONE) return *slot;
  few_node made = append(g, slot, &n);
  if (made == FEW_NONE && !g->status) {
    g->status = few__fail(g->ctx, FEW_E_MEMORY, "out of memory while building a graph");
  }
  return made;
}
