/* edm.h - the labels in dataset.json, which the tools of EDM write. */
#ifndef FEW_SRC_DATA_EDM_H
#define FEW_SRC_DATA_EDM_H

#include "tree.h"

enum few_edm_kind {
  FEW_EDM_NONE, /* no such file, or another program's */
  FEW_EDM_UNLABELLED,
  FEW_EDM_LABELLED
};

struct few_edm {
  enum few_edm_kind kind;
  struct few_edm_row {
    char *path; /* relative to the folder, with slashes */
    int32_t label;
  } * at; /* sorted by path */
  int n, cap;
};

/* Reads DIR/dataset.json. FEW_E_FORMAT if the file is damaged or a label is not the number of a
 * class. */
few_status few__edm_read(const struct few_tree *tree, struct few_edm *out, const char *dir);
/* Parses the text of a dataset.json; `place` names the file in messages. */
few_status few__edm_parse(few_ctx *ctx, struct few_edm *out, const char *place, const char *text,
                          size_t n);
/* The label of a path; -1: the file does not list it. */
int32_t few__edm_label(const struct few_edm *e, const char *path);
void few__edm_free(few_ctx *ctx, struct few_edm *e);

#endif
