/* pth_inside.h - what pth.c and persistent.c share: tensors from the calls of a pickle. */
#ifndef FEW_SRC_IO_PTH_INSIDE_H
#define FEW_SRC_IO_PTH_INSIDE_H

#include <zip.h>

#include "pickle.h"
#include "pth.h"

enum { FEW_PTH_FOLDER_MAX = 256 };

struct few_pth_storage {
  const char *key; /* points into the pickle */
  size_t key_length;
  const struct few_pickle_value *call; /* the call that has its bytes; NULL: it has a key */
  enum few_store store;
  int64_t count;
  char *data; /* owned by struct few_pth_hold */
};

struct few_pth_hold {
  struct {
    void **at;
    int n, cap;
  } owned; /* memory that tensors point to */
};

struct few_pth_parse {
  few_ctx *ctx;
  const char *place;
  const char *bytes; /* NULL for an archive on the disk */
  size_t n;          /* bytes of the file */
  struct few_pth *out;
  int cap;
  struct few_pickle pickle;
  struct {
    struct few_pth_storage *at;
    int n, cap;
  } storages;
  size_t made; /* bytes of copies so far: of strided tensors and of packed storages */
  bool within; /* the file is in a pickle of another */

  zip_t *zip;  /* NULL for a legacy file */
  size_t read; /* bytes read from members so far */
  char folder[FEW_PTH_FOLDER_MAX];
  char *data_pkl;
};

/* Whether a value of the pickle is a tensor. */
bool few__pth_is_tensor(const struct few_pickle_value *v);
/* Add it to p->out. numbers false: only note its storage, whose numbers come later in the file. */
few_status few__pth_add_tensor(struct few_pth_parse *p, const char *name, size_t length,
                               const struct few_pickle_value *call, bool numbers);
void few__pth_parse_end(struct few_pth_parse *p); /* p->out stays */

#endif
