/* wire.h - reads ONNX and event files back, as far as tests need it: fields of protocol buffers,
 * and what must hold for every graph. */
#ifndef FEW_TEST_ORACLE_WIRE_H
#define FEW_TEST_ORACLE_WIRE_H

#include "testing.h"

struct wire {
  const unsigned char *at, *end;
};
struct wire_field {
  int number;
  uint64_t value;     /* of a varint */
  float real;         /* of four bytes */
  double wide;        /* of eight bytes */
  struct wire inside; /* of a length */
};

static inline uint64_t wire_varint(struct wire *w) {
  uint64_t x = 0;
  for (int shift = 0;; shift += 7) {
    assert_true(w->at < w->end && shift < 64);
    x |= (uint64_t)(*w->at & 127) << shift;
    if (!(*w->at++ & 128)) return x;
  }
}

/* The next field; false at the end of the message. */
static inline bool wire_next(struct wire *w, struct wire_field *f) {
  if (w->at == w->end) return false;
  const uint64_t key = wire_varint(w);
  *f = (struct wire_field){.number = (int)(key >> 3)};
  if ((key & 7) == 0) {
    f->value = wire_varint(w);
  } else if ((key & 7) == 5) {
    assert_true(w->end - w->at >= 4);
    memcpy(&f->real, w->at, 4);
    w->at += 4;
  } else if ((key & 7) == 1) {
    assert_true(w->end - w->at >= 8);
    memcpy(&f->wide, w->at, 8);
    w->at += 8;
  } else {
    assert_int_equal(key & 7, 2);
    const uint64_t n = wire_varint(w);
    assert_true(n <= (uint64_t)(w->end - w->at));
    f->inside = (struct wire){w->at, w->at + n};
    w->at += n;
  }
  return true;
}

/* The k-th field of this number; false: there are fewer. */
static inline bool wire_find(struct wire w, int number, int k, struct wire_field *f) {
  while (wire_next(&w, f))
    if (f->number == number && k-- == 0) return true;
  return false;
}

static inline struct wire wire_part(struct wire w, int number, int k) {
  struct wire_field f = {0};
  if (!wire_find(w, number, k, &f)) fail_msg("field %d is missing", number);
  return f.inside;
}

static inline uint64_t wire_number(struct wire w, int number, int k) {
  struct wire_field f = {0};
  if (!wire_find(w, number, k, &f)) fail_msg("field %d is missing", number);
  return f.value;
}

static inline bool wire_is(struct wire w, const char *text) {
  return (size_t)(w.end - w.at) == strlen(text) && !memcmp(w.at, text, strlen(text));
}

static inline int wire_count(struct wire w, int number) {
  struct wire_field f = {0};
  int n = 0;
  while (wire_next(&w, &f)) n += f.number == number;
  return n;
}

static inline struct wire wire_read(const char *path, unsigned char **bytes) {
  FILE *f = fopen(path, "rb");
  assert_non_null(f);
  assert_int_equal(fseek(f, 0, SEEK_END), 0);
  const long n = ftell(f);
  rewind(f);
  *bytes = malloc((size_t)n + 1);
  assert_non_null(*bytes);
  assert_int_equal(fread(*bytes, 1, (size_t)n, f), n);
  fclose(f);
  return (struct wire){*bytes, *bytes + n};
}

/* ---- Graphs ---- */

struct wire_names {
  struct wire *at;
  int n, cap;
};

static inline bool wire_known(const struct wire_names *names, struct wire name) {
  for (int i = 0; i < names->n; i++)
    if (names->at[i].end - names->at[i].at == name.end - name.at &&
        !memcmp(names->at[i].at, name.at, (size_t)(name.end - name.at)))
      return true;
  return false;
}

static inline void wire_define(struct wire_names *names, struct wire name) {
  if (wire_known(names, name)) fail_msg("%.*s: twice", (int)(name.end - name.at), name.at);
  assert_true(name.at < name.end);
  if (names->n == names->cap) {
    names->cap = 2 * names->cap + 64;
    names->at = realloc(names->at, (size_t)names->cap * sizeof *names->at);
    assert_non_null(names->at);
  }
  names->at[names->n++] = name;
}

/* An array has as many bytes as its dims say. */
static inline void wire_check_tensor(struct wire tensor) {
  struct wire_field f = {0};
  size_t count = wire_number(tensor, 2, 0) == 7 ? 8 : 4;
  for (int k = 0; wire_find(tensor, 1, k, &f); k++) count *= f.value;
  const struct wire raw = wire_part(tensor, 9, 0);
  assert_int_equal(raw.end - raw.at, count);
}

/* Each value is defined once, before it is read, and some node makes each output. Returns the
 * number of nodes. */
static inline int wire_check_graph(struct wire graph) {
  struct wire_names names = {0};
  struct wire_field f, g;
  int nodes = 0;
  for (int k = 0; wire_find(graph, 11, k, &f); k++) wire_define(&names, wire_part(f.inside, 1, 0));
  for (int k = 0; wire_find(graph, 5, k, &f); k++) {
    wire_check_tensor(f.inside);
    wire_define(&names, wire_part(f.inside, 8, 0));
  }
  for (struct wire w = graph; wire_next(&w, &f);) {
    if (f.number != 1) continue;
    for (struct wire node = f.inside; wire_next(&node, &g);)
      if (g.number == 1 && g.inside.at < g.inside.end && !wire_known(&names, g.inside))
        fail_msg("%.*s: not defined", (int)(g.inside.end - g.inside.at), g.inside.at);
    wire_define(&names, wire_part(f.inside, 2, 0));
    nodes++;
  }
  for (int k = 0; wire_find(graph, 12, k, &f); k++)
    assert_true(wire_known(&names, wire_part(f.inside, 1, 0)));
  free(names.at);
  return nodes;
}

#endif
