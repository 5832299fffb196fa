/* graph.c - nodes by value numbering.
 *
 * A node is found by a hash of its op, operands and attributes. For a source the hash also covers
 * name, shape and values. So equal sub-expressions are one node from the moment they are written.
 * Nodes are numbered in the order of construction, which therefore is a topological order.
 */
#include "graph.h"

#include <stdio.h>

struct slab { /* strings and constant values, freed with the graph */
  struct slab *next;
};

struct few_graph {
  few_ctx *ctx;
  const struct few_op_def *const *ops; /* by few_op */
  few_status status;
  struct {
    struct few_node_data *at;
    int n, cap;
  } nodes;
  few_node *table; /* open addressing, a power of two, FEW_NONE where empty */
  int table_size;
  struct slab *slabs;
  struct few_text scope;  /* "/enc.0/conv": the names pushed, one after another */
  const char *scope_name; /* interned copy of scope, or NULL if scope changed since */
  struct {
    size_t *at;
    int n, cap;
  } scopes; /* length of `scope` before each push */
};

static void *slab_new(few_graph *g, const void *bytes, size_t n) {
  struct slab *s = few__alloc(g->ctx, 64 + n);
  if (!s) return NULL;
  s->next = g->slabs;
  g->slabs = s;
  return memcpy((char *)s + 64, bytes, n);
}

few_status few__graph_create(few_ctx *ctx, few_graph **out, const struct few_op_def *const *ops) {
  *out = NULL;
  few_graph *g;
  assert(ops);
  FEW_TRY(FEW_NEW(ctx, &g, 1));
  g->ctx = ctx;
  g->ops = ops;
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
  few__text_free(g->ctx, &g->scope);
  few__free(g->ctx, g->scopes.at);
  few__free(g->ctx, g->table);
  few__free(g->ctx, g->nodes.at);
  few__free(g->ctx, g);
}

few_status few_graph_status(const few_graph *g) { return g->status; }
int few_graph_size(const few_graph *g) { return g->nodes.n; }
few_ctx *few__graph_ctx(const few_graph *g) { return g->ctx; }

static const struct few_op_def *op_def(const few_graph *g, few_op op) {
  assert(op < FEW_OP_COUNT && g->ops[op]);
  return g->ops[op];
}

const struct few_node_data *few__node(const few_graph *g, few_node n) {
  assert(n >= 0 && n < g->nodes.n);
  return &g->nodes.at[n];
}

bool few__node_is(const few_graph *g, few_node n) { return n >= 0 && n < g->nodes.n; }

struct few_shape few_node_shape(const few_graph *g, few_node n) {
  return few__node_is(g, n) ? few__node(g, n)->shape : FEW_SCALAR;
}

const char *few_node_op(const few_graph *g, few_node n) {
  return few__node_is(g, n) ? op_def(g, few__op(g, n))->name : "none";
}

int64_t few_shape_count(struct few_shape s) {
  int64_t n = 1;
  for (int i = 0; i < s.rank && i < FEW_MAX_RANK; i++) n *= s.dim[i];
  return n;
}

bool few__rank_is_valid(struct few_shape s) { return s.rank >= 0 && s.rank <= FEW_MAX_RANK; }

bool few_shape_equal(struct few_shape a, struct few_shape b) {
  if (a.rank != b.rank) return false;
  for (int i = 0; i < a.rank && i < FEW_MAX_RANK; i++)
    if (a.dim[i] != b.dim[i]) return false;
  return true;
}

struct few_shape_text few__shape_text(struct few_shape s) {
  struct few_shape_text t;
  if (!few__rank_is_valid(s)) {
    snprintf(t.at, sizeof t.at, "[of rank %d]", s.rank);
    return t;
  }
  int n = snprintf(t.at, sizeof t.at, "[");
  for (int i = 0; i < s.rank; i++)
    n += snprintf(t.at + n, sizeof t.at - (size_t)n, i ? ",%lld" : "%lld", (long long)s.dim[i]);
  snprintf(t.at + n, sizeof t.at - (size_t)n, "]");
  return t;
}

/* The current scope, for messages; if it is deep, only its end. */
static const char *place(const few_graph *g) {
  enum { SHOWN = 160 };
  const char *all = g->scope.at ? g->scope.at : "";
  return g->scope.len > SHOWN ? all + g->scope.len - SHOWN : all;
}

few_node few__graph_fail(few_graph *g, few_status st, const char *fmt, ...) {
  assert(st != FEW_OK);
  if (g->status) return FEW_NONE; /* later failures follow from the first */
  g->status = st;
  va_list args;
  va_start(args, fmt);
  few__failv(g->ctx, st, fmt, args);
  va_end(args);
  if (*place(g)) few__fail_in(g->ctx, st, "at %s", place(g));
  return FEW_NONE;
}

static void no_memory(few_graph *g) {
  few__graph_fail(g, FEW_E_MEMORY, "out of memory while building a graph");
}

void few_scope_push(few_graph *g, const char *fmt, ...) {
  char name[160];
  va_list args;
  va_start(args, fmt);
  few__vprint(name, sizeof name, fmt, args);
  va_end(args);
  const size_t before = g->scope.len;
  g->scope_name = NULL;
  if (FEW_GROW(g->ctx, &g->scopes, g->scopes.n + 1)) {
    no_memory(g);
    return;
  }
  g->scopes.at[g->scopes.n++] = before;
  few__text_add(g->ctx, &g->scope, "/%s", name);
  if (!g->scope.failed) return;
  g->scope.failed = false; /* messages lack the name, but the graph has failed already */
  no_memory(g);
}

/* After a failed push there is one pop too many, but then the graph has failed already. */
void few_scope_pop(few_graph *g) {
  g->scope_name = NULL;
  if (!g->scopes.n) {
    few__graph_fail(g, FEW_E_INVALID,
                    "few_scope_pop without a few_scope_push: pop each scope once");
    return;
  }
  g->scope.len = g->scopes.at[--g->scopes.n];
  if (g->scope.at) g->scope.at[g->scope.len] = 0;
}

/* ---- value numbering ---- */

static bool is_source(const few_graph *g, const struct few_node_data *n) {
  return op_def(g, n->op)->flags & FEW_OP_SOURCE;
}

static size_t values_bytes(const struct few_node_data *n) {
  return n->values ? (size_t)few_shape_count(n->shape) * sizeof(double) : 0;
}

static uint64_t hash_node(const few_graph *g, const struct few_node_data *n) {
  uint64_t h = few__hash(&n->op, sizeof n->op, 0);
  h = few__hash(n->in, sizeof n->in[0] * (size_t)n->n_in, h);
  h = few__hash(&n->attr, sizeof n->attr, h);
  if (n->name) h = few__hash(n->name, strlen(n->name), h);
  if (is_source(g, n)) h = few__hash(n->shape.dim, sizeof(int64_t) * (size_t)n->shape.rank, h);
  if (n->values) h = few__hash(n->values, values_bytes(n), h);
  return h;
}

static bool same_node(const few_graph *g, const struct few_node_data *a,
                      const struct few_node_data *b) {
  if (a->op != b->op || a->n_in != b->n_in || !a->name != !b->name || !a->values != !b->values)
    return false;
  if (memcmp(a->in, b->in, sizeof a->in[0] * (size_t)a->n_in)) return false;
  /* Bytes, not values: -0 and 0 differ, NaN equals itself. NOLINTNEXTLINE(bugprone-*) */
  if (memcmp(&a->attr, &b->attr, sizeof a->attr)) return false;
  if (a->name && strcmp(a->name, b->name)) return false;
  if (is_source(g, a) && !few_shape_equal(a->shape, b->shape)) return false;
  return !a->values || !memcmp(a->values, b->values, values_bytes(a));
}

/* The entry of an equal node, or the empty entry where this one belongs. */
static few_node *find(few_graph *g, const struct few_node_data *n) {
  uint64_t mask = (uint64_t)g->table_size - 1;
  assert(g->table_size > g->nodes.n && (g->table_size & (g->table_size - 1)) == 0);
  for (uint64_t i = hash_node(g, n) & mask;; i = (i + 1) & mask)
    if (g->table[i] == FEW_NONE || same_node(g, &g->nodes.at[g->table[i]], n)) return &g->table[i];
}

static few_status grow_table(few_graph *g) {
  if (g->nodes.n * 2 < g->table_size) return FEW_OK;
  int size = g->table_size ? g->table_size * 2 : 1024;
  few_node *table = few__alloc(g->ctx, (size_t)size * sizeof *table);
  if (!table)
    return few__fail(g->ctx, FEW_E_MEMORY, "out of memory: graph of %d nodes", g->nodes.n);
  for (int i = 0; i < size; i++) table[i] = FEW_NONE;
  few__free(g->ctx, g->table);
  g->table = table;
  g->table_size = size;
  for (few_node n = 0; n < g->nodes.n; n++) *find(g, &g->nodes.at[n]) = n;
  return FEW_OK;
}

static few_node append(few_graph *g, few_node *slot, const struct few_node_data *proto) {
  assert(*slot == FEW_NONE);
  if (FEW_GROW(g->ctx, &g->nodes, g->nodes.n + 1)) return FEW_NONE;
  struct few_node_data n = *proto;
  const char *scope = g->scope.at ? g->scope.at : "";
  if (!g->scope_name) g->scope_name = slab_new(g, scope, g->scope.len + 1);
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
          op_def(g, n->op)->name, few__shape_text(few_node_shape(g, n->in[0])).at,
          few__shape_text(a).at);
      return false;
    }
  }
  n->shape = s;
  return true;
}

bool few__shape_is_valid(struct few_shape s) {
  int64_t total = 1;
  bool ok = few__rank_is_valid(s);
  for (int i = 0; ok && i < s.rank; i++) {
    ok = s.dim[i] > 0 && total <= INT64_MAX / 16 / s.dim[i];
    total *= ok ? s.dim[i] : 1;
  }
  return ok;
}

static bool valid_shape(few_graph *g, const struct few_node_data *n) {
  const bool ok = few__shape_is_valid(n->shape);
  if (!ok)
    few__graph_fail(g, FEW_E_INVALID, "%s%s%s: impossible shape %s: " FEW_SHAPE_RULE,
                    op_def(g, n->op)->name, n->name ? " " : "", n->name ? n->name : "",
                    few__shape_text(n->shape).at, FEW_MAX_RANK);
  return ok;
}

static bool valid_operands(few_graph *g, const struct few_node_data *n) {
  const struct few_op_def *def = op_def(g, n->op);
  assert(def->arity < 0 || n->n_in == def->arity);
  for (int k = 0; k < n->n_in; k++) {
    if (n->in[k] == FEW_NONE) {
      few__graph_fail(g, FEW_E_INVALID, "%s: operand %d is missing", def->name, k);
      return false;
    }
    if (!few__node_is(g, n->in[k])) {
      few__graph_fail(g, FEW_E_INVALID,
                      "%s: operand %d is %d, not a node of this graph: give what a "
                      "builder returned for it",
                      def->name, k, (int)n->in[k]);
      return false;
    }
    if (few__node(g, n->in[k])->type != FEW_REAL && n->op != FEW_OP_ONEHOT &&
        n->op != FEW_OP_SLICE) {
      few__graph_fail(g, FEW_E_INVALID,
                      "%s: operand %d is an index: only onehot and slice accept one", def->name, k);
      return false;
    }
  }
  return true;
}

/* The arguments of a source beside its shape. */
static bool valid_source(few_graph *g, const struct few_node_data *n) {
  const char *lacks = (n->op == FEW_OP_INPUT || n->op == FEW_OP_PARAM) && (!n->name || !*n->name)
                          ? "a name"
                      : n->op == FEW_OP_CONST && !n->values ? "values"
                                                            : NULL;
  if (lacks) few__graph_fail(g, FEW_E_INVALID, "%s: give it %s", op_def(g, n->op)->name, lacks);
  const bool random = op_def(g, n->op)->flags & FEW_OP_RANDOM;
  if (random && n->attr.random.purpose >> 16)
    few__graph_fail(g, FEW_E_INVALID, "%s: purpose %lld: give one below 2^16",
                    op_def(g, n->op)->name, (long long)n->attr.random.purpose);
  return !g->status;
}

few_node few__emit(few_graph *g, const struct few_node_data *proto) {
  if (g->status) return FEW_NONE;
  const struct few_op_def *def = op_def(g, proto->op);
  assert(0 <= proto->n_in && proto->n_in <= FEW_MAX_IN);
  assert(!proto->values || proto->op == FEW_OP_CONST);
  struct few_node_data n = *proto;
  if (!valid_operands(g, &n) || !valid_source(g, &n)) return FEW_NONE;
  if (def->flags & FEW_OP_POINTWISE ? !infer_pointwise(g, &n) : def->infer && !def->infer(g, &n))
    return FEW_NONE;
  if (!valid_shape(g, &n)) return FEW_NONE;
  few_node simple = def->simplify ? def->simplify(g, &n) : FEW_NONE;
  if (simple != FEW_NONE || g->status) {
    assert(g->status || few_shape_equal(few_node_shape(g, simple), n.shape));
    return simple;
  }

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
