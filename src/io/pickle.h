/* pickle.h - reads a Python pickle of tensors as plain values. Nothing is executed. */
#ifndef FEW_SRC_IO_PICKLE_H
#define FEW_SRC_IO_PICKLE_H

#include "base/base.h"

enum few_pickle_kind {
  FEW_PICKLE_NONE,
  FEW_PICKLE_BOOL,
  FEW_PICKLE_INT,
  FEW_PICKLE_REAL,
  FEW_PICKLE_TEXT,
  FEW_PICKLE_BYTES,
  FEW_PICKLE_TUPLE,
  FEW_PICKLE_LIST, /* or a set */
  FEW_PICKLE_DICT,
  FEW_PICKLE_NAME,       /* name of a Python object; text: "module\nname" */
  FEW_PICKLE_PERSISTENT, /* reference to data outside the pickle; `first` is its identifier */
  FEW_PICKLE_CALL,       /* call of a function; text: "module\nname"; items: the arguments */
  FEW_PICKLE_OBJECT      /* an instance of a class; text: "module\nname"; items: the arguments */
};

/* Values and cells are given by their index in few_pickle's arrays; -1: none. */
struct few_pickle_value {
  enum few_pickle_kind kind;
  int64_t number;     /* BOOL, INT; the bits of a REAL */
  const char *text;   /* points into the pickle or to a constant; not NUL-terminated */
  size_t length;      /* of text */
  int first, last, n; /* first and last cell, number of cells; PERSISTENT: first is a value */
  int state;          /* the attributes of a CALL or an OBJECT, a value; -1: none */
};
struct few_pickle_cell {
  int key; /* a value, in a DICT; otherwise -1 */
  int value, next;
};

struct few_pickle {
  struct {
    struct few_pickle_value *at;
    int n, cap;
  } values;
  struct {
    struct few_pickle_cell *at;
    int n, cap;
  } cells;
  int root;
};

/* The names of Python objects that may occur: "module\nname", or "module." for all names in the
 * modules below it. */
struct few_pickle_names {
  const char *const *at;
  int n;
};
extern const struct few_pickle_names few__pickle_state_dict; /* those of a state dict */

/* Reads one pickle with these names; *used = its length in bytes. `bytes` must outlive *out. *out
 * is zeroed on failure. */
few_status few__pickle_parse(few_ctx *ctx, struct few_pickle *out, const char *place,
                             const struct few_pickle_names *names, const void *bytes, size_t n,
                             size_t *used);
void few__pickle_free(few_ctx *ctx, struct few_pickle *p);

/* Whether the value's text is this. */
bool few__pickle_text_is(const struct few_pickle_value *v, const char *text);
double few__pickle_real(const struct few_pickle_value *v); /* of a REAL */
/* The value of a text key in a dictionary, the last one if there are several; NULL: there is none,
 * or v is something else. v may be NULL. */
const struct few_pickle_value *few__pickle_entry(const struct few_pickle *p,
                                                 const struct few_pickle_value *v, const char *key);
/* Item i of a tuple, list, call or object; NULL: it has fewer items, or is something else. */
const struct few_pickle_value *few__pickle_item(const struct few_pickle *p,
                                                const struct few_pickle_value *v, int i);

#endif
