/* edm.h - the labels of a folder that a tool of EDM wrote. */
#ifndef FEW_SRC_DATA_EDM_H
#define FEW_SRC_DATA_EDM_H

#include "base/base.h"

enum few_edm_kind {
  FEW_EDM_NONE, /* no such file, or somebody else's */
  FEW_EDM_UNLABELLED,
  FEW_EDM_LABELLED
};

struct few_edm {
  enum few_edm_kind kind;
  struct few_edm_row {
    char *path; /* from the folder on, with slashes */
    int32_t label;
  } * at; /* sorted by path */
  int n, cap;
};

/* Read DIR/dataset.json. FEW_E_FORMAT where the file is damaged or its labels are no numbers of
 * classes. */
few_status few__edm_read(few_ctx *ctx, struct few_edm *out, const char *dir);
/* The same of its text; `place` names it in messages. */
few_status few__edm_parse(few_ctx *ctx, struct few_edm *out, const char *place, const char *text,
                          size_t n);
/* -1 where the file does not name that path. */
int32_t few__edm_label(const struct few_edm *e, const char *path);
void few__edm_free(few_ctx *ctx, struct few_edm *e);

#endif
