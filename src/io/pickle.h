/* pickle.h - what a Python pickle of a state dict says, as plain values. Nothing is executed. */
#ifndef FEW_SRC_IO_PICKLE_H
#define FEW_SRC_IO_PICKLE_H

#include "base/base.h"

enum few_pickle_kind {
  FEW_PICKLE_NONE,
  FEW_PICKLE_BOOL,
  FEW_PICKLE_INT,
  FEW_PICKLE_REAL,
  FEW_PICKLE_TEXT,
  FEW_PICKLE_TUPLE,
  FEW_PICKLE_LIST,
  FEW_PICKLE_DICT,
  FEW_PICKLE_NAME,       /* of Python's: text is "module\nname" */
  FEW_PICKLE_PERSISTENT, /* something kept elsewhere; `first` is what identifies it */
  FEW_PICKLE_CALL        /* items: the arguments; text: of what, "module\nname" */
};

/* Values and cells are numbers into few_pickle's arrays; -1 is none. */
struct few_pickle_value {
  enum few_pickle_kind kind;
  int64_t number;     /* BOOL, INT */
  const char *text;   /* into the pickle; without a NUL */
  size_t length;      /* of text */
  int first, last, n; /* cells; PERSISTENT: first is a value */
};
struct few_pickle_cell {
  int key; /* of a DICT */
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

/* Read one pickle; *used are its bytes. `bytes` must outlive *out. *out is zeroed on failure. */
few_status few__pickle_parse(few_ctx *ctx, struct few_pickle *out, const char *place,
                             const void *bytes, size_t n, size_t *used);
void few__pickle_free(few_ctx *ctx, struct few_pickle *p);

/* The value's text is exactly this. */
bool few__pickle_text_is(const struct few_pickle_value *v, const char *text);
/* Item i of a tuple or call, NULL: there is none. */
const struct few_pickle_value *few__pickle_item(const struct few_pickle *p,
                                                const struct few_pickle_value *v, int i);

#endif
