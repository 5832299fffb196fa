/* pickle.c - Python's serialisation, as far as tensors of PyTorch need it (protocols 2 to 5).
 *
 * A pickle is a program for a small stack machine. It makes numbers, texts, tuples and
 * dictionaries, keeps values for later use in a memo, and calls Python functions by name, so that a
 * file can do harm. Here a call is only recorded, and so is the making of an object. A few names
 * are allowed (torch.FloatStorage, torch._utils._rebuild_tensor_v2, collections.OrderedDict ...).
 * Other names are refused, and so are opcodes that do not occur in such files. Python's pickletools
 * describes the opcodes.
 *
 * A one-byte opcode can make a value of 48 bytes, so a small file could fill memory. The limits are
 * 2^20 values (a tensor takes about 15), 2^20 entries of the stack, and 2^22 cells.
 */
#include "pickle.h"

#include <stdio.h>

enum { MARK = -2 }; /* an entry of the stack that is not a value */
enum { VALUES_MAX = 1 << 20, CELLS_MAX = 1 << 22 };

struct machine {
  few_ctx *ctx;
  const char *place;
  const unsigned char *start, *at, *end;
  struct few_pickle *out;
  const struct few_pickle_names *names;
  struct {
    int *at;
    int n, cap;
  } stack, memo;
};

static few_status bad(struct machine *m, const char *what) {
  return few__fail(m->ctx, FEW_E_FORMAT,
                   "%s: %s (byte %zu of the pickle): the file is damaged: fetch or make it again",
                   m->place, what, (size_t)(m->at - m->start));
}

/* ---- the stack ---- */

static few_status too_many(struct machine *m) {
  return bad(m, "more values than any state dict has");
}

static few_status push(struct machine *m, int value) {
  assert(value == MARK || (value >= 0 && value < m->out->values.n));
  if (m->stack.n == VALUES_MAX) return too_many(m);
  FEW_TRY(FEW_GROW(m->ctx, &m->stack, m->stack.n + 1));
  m->stack.at[m->stack.n++] = value;
  return FEW_OK;
}

static few_status push_new(struct machine *m, const struct few_pickle_value *v) {
  struct few_pickle *p = m->out;
  if (p->values.n == VALUES_MAX) return too_many(m);
  FEW_TRY(FEW_GROW(m->ctx, &p->values, p->values.n + 1));
  p->values.at[p->values.n] = *v;
  return push(m, p->values.n++);
}

static struct few_pickle_value value_of(enum few_pickle_kind kind, int64_t number, const void *text,
                                        size_t length) {
  return (struct few_pickle_value){.kind = kind,
                                   .number = number,
                                   .text = text,
                                   .length = length,
                                   .first = -1,
                                   .last = -1,
                                   .state = -1};
}

static few_status push_kind(struct machine *m, enum few_pickle_kind kind, int64_t number) {
  const struct few_pickle_value v = value_of(kind, number, NULL, 0);
  return push_new(m, &v);
}

static few_status pop(struct machine *m, int *value) {
  *value = 0;
  if (!m->stack.n || m->stack.at[m->stack.n - 1] == MARK) return bad(m, "a value is missing");
  *value = m->stack.at[--m->stack.n];
  return FEW_OK;
}

static few_status append(struct machine *m, int container, int key, int value) {
  struct few_pickle *p = m->out;
  if (p->cells.n == CELLS_MAX) return too_many(m);
  FEW_TRY(FEW_GROW(m->ctx, &p->cells, p->cells.n + 1));
  struct few_pickle_value *v = &p->values.at[container];
  assert(container >= 0 && container < p->values.n && value >= 0 && value < p->values.n);
  int cell = p->cells.n++;
  p->cells.at[cell] = (struct few_pickle_cell){key, value, -1};
  if (v->last < 0)
    v->first = cell;
  else
    p->cells.at[v->last].next = cell;
  v->last = cell;
  v->n++;
  return FEW_OK;
}

/* *first = index of the first value above the last mark. The caller removes the mark. */
static few_status find_mark(struct machine *m, int *first) {
  int k = m->stack.n;
  *first = 0;
  while (k > 0 && m->stack.at[k - 1] != MARK) k--;
  if (!k) return bad(m, "a mark is missing");
  *first = k;
  return FEW_OK;
}

/* ---- opcodes ---- */

static few_status read_number(struct machine *m, int bytes, bool sign, int64_t *out) {
  assert(bytes >= 1 && bytes <= 8 && m->at <= m->end);
  uint64_t x = 0;
  *out = 0;
  if (m->end - m->at < bytes) return bad(m, "the pickle is cut short");
  for (int k = 0; k < bytes; k++) x |= (uint64_t)m->at[k] << 8 * k;
  m->at += bytes;
  if (sign && bytes < 8 && x >> (8 * bytes - 1)) x |= ~(uint64_t)0 << 8 * bytes;
  *out = (int64_t)x;
  return FEW_OK;
}

static few_status string(struct machine *m, enum few_pickle_kind kind, int length_bytes) {
  int64_t n;
  FEW_TRY(read_number(m, length_bytes, false, &n));
  if (n < 0 || n > m->end - m->at) return bad(m, "a text is longer than the pickle");
  m->at += n;
  const struct few_pickle_value v = value_of(kind, 0, m->at - n, (size_t)n);
  return push_new(m, &v);
}

static few_status text(struct machine *m, int length_bytes) {
  return string(m, FEW_PICKLE_TEXT, length_bytes);
}

static few_status bytes_of(struct machine *m, int length_bytes) {
  return string(m, FEW_PICKLE_BYTES, length_bytes);
}

/* LONG1: the first byte gives the number of bytes. Numbers wider than 64 bits, such as the magic
 * number of a legacy file, are cut to 64 bits. */
static few_status long1(struct machine *m, int arg) {
  FEW_UNUSED(arg);
  int64_t n, x;
  FEW_TRY(read_number(m, 1, false, &n));
  if (n > m->end - m->at) return bad(m, "a number is longer than the pickle");
  const unsigned char *next = m->at + n;
  x = 0;
  if (n) FEW_TRY(read_number(m, n < 8 ? (int)n : 8, true, &x));
  m->at = next;
  return push_kind(m, FEW_PICKLE_INT, x);
}

/* The known name or, of a name in a known module, the module. */
static const char *known_name(const struct few_pickle_names *names, const char *module, size_t n,
                              const char *name, size_t k) {
  for (int i = 0; i < names->n; i++) {
    const char *at = names->at[i];
    const size_t length = strlen(at);
    if (at[length - 1] == '.' ? n >= length && !memcmp(at, module, length)
                              : length == n + 1 + k && !memcmp(at, module, n) && at[n] == '\n' &&
                                    !memcmp(at + n + 1, name, k))
      return at;
  }
  return NULL;
}

static few_status push_name(struct machine *m, const char *module, size_t n, const char *name,
                            size_t k) {
  const char *known = known_name(m->names, module, n, name, k);
  if (!known)
    return few__fail(
        m->ctx, FEW_E_UNSUPPORTED,
        "%s: the pickle calls Python's %.*s.%.*s, and few runs no code from a file: save "
        "only weights, torch.save(model.state_dict(), FILE)",
        m->place, n < 60 ? (int)n : 60, module, k < 60 ? (int)k : 60, name);
  const struct few_pickle_value v = value_of(FEW_PICKLE_NAME, 0, known, strlen(known));
  return push_new(m, &v);
}

/* GLOBAL: "module\nname\n" */
static few_status name(struct machine *m, int arg) {
  FEW_UNUSED(arg);
  const unsigned char *start = m->at;
  const unsigned char *first = memchr(start, '\n', (size_t)(m->end - start));
  const unsigned char *last = first ? memchr(first + 1, '\n', (size_t)(m->end - first - 1)) : NULL;
  if (!last) return bad(m, "a name is cut short");
  m->at = last + 1;
  return push_name(m, (const char *)start, (size_t)(first - start), (const char *)first + 1,
                   (size_t)(last - first - 1));
}

/* STACK_GLOBAL: module and name are texts on the stack. */
static few_status name_on_stack(struct machine *m, int arg) {
  FEW_UNUSED(arg);
  int name, module;
  FEW_TRY(pop(m, &name));
  FEW_TRY(pop(m, &module));
  const struct few_pickle_value a = m->out->values.at[module], b = m->out->values.at[name];
  if (a.kind != FEW_PICKLE_TEXT || b.kind != FEW_PICKLE_TEXT)
    return bad(m, "a name that is not a text");
  return push_name(m, a.text, a.length, b.text, b.length);
}

static few_status tuple(struct machine *m, int first) {
  assert(first >= 0 && first <= m->stack.n);
  struct few_pickle *p = m->out;
  FEW_TRY(push_kind(m, FEW_PICKLE_TUPLE, 0));
  int self = p->values.n - 1;
  for (int k = first; k < m->stack.n - 1; k++) {
    if (m->stack.at[k] == MARK) return bad(m, "a mark inside a tuple");
    FEW_TRY(append(m, self, -1, m->stack.at[k]));
  }
  m->stack.n = first;
  return push(m, self);
}

static few_status marked_tuple(struct machine *m, int arg) {
  FEW_UNUSED(arg);
  int first;
  FEW_TRY(find_mark(m, &first));
  FEW_TRY(tuple(m, first));
  m->stack.at[m->stack.n - 2] = m->stack.at[m->stack.n - 1]; /* overwrites the mark */
  m->stack.n--;
  return FEW_OK;
}

static few_status short_tuple(struct machine *m, int n) {
  if (m->stack.n < n) return bad(m, "a value is missing");
  return tuple(m, m->stack.n - n);
}

/* Moves the value at `first` and all above it into the container below them: keys and values into
 * a DICT, items into a LIST. mark: 1 if there is a mark between them, else 0. */
static few_status fill(struct machine *m, int first, int mark, enum few_pickle_kind kind) {
  const int step = kind == FEW_PICKLE_DICT ? 2 : 1, n = m->stack.n - first;
  if (first - mark < 1 || n < 0 || n % step) return bad(m, "items without a container below them");
  int self = m->stack.at[first - mark - 1];
  if (self == MARK || m->out->values.at[self].kind != kind)
    return bad(m, "items whose container is not a list or dictionary as they need");
  for (int k = first; k < m->stack.n; k += step) {
    int key = step == 2 ? m->stack.at[k] : -1, value = m->stack.at[k + step - 1];
    if (key == MARK || value == MARK) return bad(m, "a mark among items");
    FEW_TRY(append(m, self, key, value));
  }
  m->stack.n = first - mark;
  return FEW_OK;
}

static few_status marked_fill(struct machine *m, int kind) {
  int first;
  FEW_TRY(find_mark(m, &first));
  return fill(m, first, 1, (enum few_pickle_kind)kind);
}

static few_status fill_one(struct machine *m, int kind) {
  return fill(m, m->stack.n - (kind == FEW_PICKLE_DICT ? 2 : 1), 0, (enum few_pickle_kind)kind);
}

/* MEMOIZE has no number: it is the next one. */
static few_status remember(struct machine *m, int index_bytes) {
  int64_t i = m->memo.n;
  if (index_bytes) FEW_TRY(read_number(m, index_bytes, false, &i));
  if (!m->stack.n || m->stack.at[m->stack.n - 1] == MARK) return bad(m, "nothing to remember");
  if (i > m->end - m->start || i >= VALUES_MAX) return bad(m, "a memo number that is too large");
  int had = m->memo.n;
  FEW_TRY(FEW_GROW(m->ctx, &m->memo, (int)i + 1));
  if (m->memo.n <= i) m->memo.n = (int)i + 1;
  for (int k = had; k < m->memo.n; k++) m->memo.at[k] = -1;
  assert(i < m->memo.n && m->memo.n <= m->memo.cap);
  m->memo.at[i] = m->stack.at[m->stack.n - 1];
  return FEW_OK;
}

static few_status recall(struct machine *m, int index_bytes) {
  int64_t i;
  FEW_TRY(read_number(m, index_bytes, false, &i));
  if (i >= m->memo.n || m->memo.at[i] < 0) return bad(m, "a memo number without a value");
  return push(m, m->memo.at[i]);
}

/* Function or class, and arguments. */
static few_status pop_callee(struct machine *m, struct few_pickle_value *f,
                             struct few_pickle_value *args) {
  int a, callee;
  *f = *args = (struct few_pickle_value){0};
  FEW_TRY(pop(m, &a));
  FEW_TRY(pop(m, &callee));
  *f = m->out->values.at[callee];
  *args = m->out->values.at[a];
  if (f->kind == FEW_PICKLE_NAME && args->kind == FEW_PICKLE_TUPLE) return FEW_OK;
  return bad(m, "a call without a function name or without a tuple of arguments");
}

static few_status push_call(struct machine *m, enum few_pickle_kind kind,
                            const struct few_pickle_value *f, const struct few_pickle_value *args) {
  struct few_pickle_value call = *args;
  call.kind = kind;
  call.text = f->text;
  call.length = f->length;
  return push_new(m, &call);
}

static few_status reduce(struct machine *m, int arg) {
  FEW_UNUSED(arg);
  struct few_pickle_value f, a;
  FEW_TRY(pop_callee(m, &f, &a));
  if (few__pickle_text_is(&f, "collections\nOrderedDict")) {
    if (a.n) return bad(m, "OrderedDict with arguments");
    return push_kind(m, FEW_PICKLE_DICT, 0);
  }
  if (few__pickle_text_is(&f, "torch._utils\n_rebuild_parameter")) {
    if (!a.n) return bad(m, "a parameter without a tensor");
    return push(m, m->out->cells.at[a.first].value);
  }
  return push_call(m, FEW_PICKLE_CALL, &f, &a);
}

/* NEWOBJ: an object of a class. Its attributes follow with BUILD, or items of a dictionary. */
static few_status new_object(struct machine *m, int arg) {
  FEW_UNUSED(arg);
  struct few_pickle_value f, a;
  FEW_TRY(pop_callee(m, &f, &a));
  if (few__pickle_text_is(&f, "dnnlib.util\nEasyDict") && !a.n)
    return push_kind(m, FEW_PICKLE_DICT, 0);
  return push_call(m, FEW_PICKLE_OBJECT, &f, &a);
}

static few_status persistent(struct machine *m, int arg) {
  FEW_UNUSED(arg);
  int id;
  FEW_TRY(pop(m, &id));
  struct few_pickle_value v = value_of(FEW_PICKLE_PERSISTENT, 0, NULL, 0);
  v.first = id;
  return push_new(m, &v);
}

/* BUILD: the attributes of the object below. */
static few_status set_state(struct machine *m, int arg) {
  FEW_UNUSED(arg);
  int state;
  FEW_TRY(pop(m, &state));
  if (!m->stack.n || m->stack.at[m->stack.n - 1] == MARK)
    return bad(m, "attributes without an object");
  m->out->values.at[m->stack.at[m->stack.n - 1]].state = state;
  return FEW_OK;
}

static few_status real(struct machine *m, int arg) {
  FEW_UNUSED(arg);
  uint64_t bits = 0;
  if (m->end - m->at < 8) return bad(m, "the pickle is cut short");
  for (int i = 0; i < 8; i++) bits = bits << 8 | *m->at++;
  return push_kind(m, FEW_PICKLE_REAL, (int64_t)bits);
}

/* FRAME: the length of what follows is not needed. */
static few_status frame(struct machine *m, int arg) {
  FEW_UNUSED(arg);
  int64_t length;
  return read_number(m, 8, false, &length);
}

/* Four-byte integers are signed, shorter ones unsigned. */
static few_status number(struct machine *m, int bytes) {
  int64_t x;
  FEW_TRY(read_number(m, bytes, bytes == 4, &x));
  return push_kind(m, FEW_PICKLE_INT, x);
}

static few_status mark(struct machine *m, int arg) {
  FEW_UNUSED(arg);
  return push(m, MARK);
}

static few_status empty(struct machine *m, int kind) {
  return push_kind(m, (enum few_pickle_kind)kind, 0);
}

static few_status boolean(struct machine *m, int value) {
  return push_kind(m, FEW_PICKLE_BOOL, value);
}

static few_status protocol(struct machine *m, int arg) {
  FEW_UNUSED(arg);
  int64_t version;
  FEW_TRY(read_number(m, 1, false, &version));
  if (version >= 2 && version <= 5) return FEW_OK;
  return few__fail(m->ctx, FEW_E_UNSUPPORTED,
                   "%s: pickle protocol %d: save with torch.save's default protocol, 2", m->place,
                   (int)version);
}

static const struct {
  int op;
  few_status (*run)(struct machine *m, int arg);
  int arg; /* number of bytes or items, kind, or value */
} opcodes[] = {
    {0x80, protocol, 0},
    {'(', mark, 0},
    {'N', empty, FEW_PICKLE_NONE},
    {0x88, boolean, 1},
    {0x89, boolean, 0},
    {'J', number, 4},
    {'K', number, 1},
    {'M', number, 2},
    {0x8a, long1, 0},
    {'G', real, 0},
    {'X', text, 4},
    {'T', text, 4},
    {'U', text, 1},
    {')', empty, FEW_PICKLE_TUPLE},
    {']', empty, FEW_PICKLE_LIST},
    {'}', empty, FEW_PICKLE_DICT},
    {'t', marked_tuple, 0},
    {0x85, short_tuple, 1},
    {0x86, short_tuple, 2},
    {0x87, short_tuple, 3},
    {'a', fill_one, FEW_PICKLE_LIST},
    {'e', marked_fill, FEW_PICKLE_LIST},
    {'s', fill_one, FEW_PICKLE_DICT},
    {'u', marked_fill, FEW_PICKLE_DICT},
    {'q', remember, 1},
    {'r', remember, 4},
    {'h', recall, 1},
    {'j', recall, 4},
    {'c', name, 0},
    {'R', reduce, 0},
    {'Q', persistent, 0},
    {'b', set_state, 0},
    {'B', bytes_of, 4},
    {'C', bytes_of, 1},
    {0x81, new_object, 0},
    {0x8c, text, 1},
    {0x8d, text, 8},
    {0x8e, bytes_of, 8},
    {0x8f, empty, FEW_PICKLE_LIST},
    {0x90, marked_fill, FEW_PICKLE_LIST},
    {0x93, name_on_stack, 0},
    {0x94, remember, 0},
    {0x95, frame, 0},
    {0x96, bytes_of, 8},
};

static few_status step(struct machine *m, int op) {
  for (int i = 0; i < FEW_COUNT(opcodes); i++)
    if (opcodes[i].op == op) return opcodes[i].run(m, opcodes[i].arg);
  return few__fail(
      m->ctx, FEW_E_UNSUPPORTED,
      "%s: opcode 0x%02x at byte %zu of the pickle does not occur in files of tensors: save "
      "only weights, torch.save(model.state_dict(), FILE)",
      m->place, op, (size_t)(m->at - m->start) - 1);
}

static few_status run(struct machine *m, size_t *used) {
  for (;;) {
    if (m->at == m->end) return bad(m, "the pickle is cut short");
    int op = *m->at++;
    if (op == '.') break;
    FEW_TRY(step(m, op));
  }
  FEW_TRY(pop(m, &m->out->root));
  *used = (size_t)(m->at - m->start);
  return m->stack.n ? bad(m, "there are values left over") : FEW_OK;
}

static const char *const state_dict[] = {
    "collections\nOrderedDict",
    "torch\nSize",
    "argparse\nNamespace", /* options of a training run, beside the state dict */
    "torch._utils\n_rebuild_tensor",
    "torch._utils\n_rebuild_tensor_v2",
    "torch._utils\n_rebuild_parameter",
    "torch\nFloatStorage",
    "torch\nHalfStorage",
    "torch\nBFloat16Storage",
    "torch\nDoubleStorage",
    "torch\nLongStorage",
    "torch\nIntStorage",
    "torch\nShortStorage",
    "torch\nCharStorage",
    "torch\nByteStorage",
    "torch\nBoolStorage",
    "torch\nQInt8Storage",
    "torch\nQUInt8Storage",
    "torch\nQInt32Storage",
    "torch\nComplexFloatStorage",
    "torch\nComplexDoubleStorage",
};
const struct few_pickle_names few__pickle_state_dict = {state_dict, FEW_COUNT(state_dict)};

few_status few__pickle_parse(few_ctx *ctx, struct few_pickle *out, const char *place,
                             const struct few_pickle_names *names, const void *bytes, size_t n,
                             size_t *used) {
  const unsigned char *b = bytes;
  struct machine m = {
      .ctx = ctx, .place = place, .start = b, .at = b, .end = b + n, .out = out, .names = names};
  *out = (struct few_pickle){0};
  few_status st = run(&m, used);
  few__free(ctx, m.stack.at);
  few__free(ctx, m.memo.at);
  if (st) few__pickle_free(ctx, out);
  return st;
}

void few__pickle_free(few_ctx *ctx, struct few_pickle *p) {
  few__free(ctx, p->values.at);
  few__free(ctx, p->cells.at);
  *p = (struct few_pickle){0};
}

bool few__pickle_text_is(const struct few_pickle_value *v, const char *text) {
  return v->length == strlen(text) && !memcmp(v->text, text, v->length);
}

double few__pickle_real(const struct few_pickle_value *v) {
  double x;
  assert(v->kind == FEW_PICKLE_REAL);
  memcpy(&x, &v->number, sizeof x);
  return x;
}

const struct few_pickle_value *few__pickle_entry(const struct few_pickle *p,
                                                 const struct few_pickle_value *v,
                                                 const char *key) {
  const struct few_pickle_value *found = NULL;
  if (!v || v->kind != FEW_PICKLE_DICT) return NULL;
  for (int c = v->first; c >= 0; c = p->cells.at[c].next) {
    const struct few_pickle_value *k = &p->values.at[p->cells.at[c].key];
    if (k->kind == FEW_PICKLE_TEXT && few__pickle_text_is(k, key))
      found = &p->values.at[p->cells.at[c].value];
  }
  return found;
}

const struct few_pickle_value *few__pickle_item(const struct few_pickle *p,
                                                const struct few_pickle_value *v, int i) {
  const bool items = v->kind == FEW_PICKLE_TUPLE || v->kind == FEW_PICKLE_LIST ||
                     v->kind == FEW_PICKLE_CALL || v->kind == FEW_PICKLE_OBJECT;
  int cell = items ? v->first : -1;
  while (cell >= 0 && i-- > 0) cell = p->cells.at[cell].next;
  return cell < 0 ? NULL : &p->values.at[p->cells.at[cell].value];
}
