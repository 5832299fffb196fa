/* layout.h - finds the class folders of a set of images. */
#ifndef FEW_SRC_DATA_LAYOUT_H
#define FEW_SRC_DATA_LAYOUT_H

#include "reader.h"
#include "tree.h"

struct few_layout {
  char *dir;                /* folder of the requested part */
  struct few_names folders; /* folders in `dir` that have images */
  char *train;              /* folder of the training part if another part was requested, or NULL */
  struct few_names classes; /* folders in `train` that have images */
};

/* Is a file or folder of this name always skipped: hidden, or one of the system's? */
bool few__layout_junk(const char *name);

/* `where` is a folder, or a folder with ":part" after it. The choice is noted in d. */
few_status few__layout_find(few_data *d, const struct few_tree *tree, struct few_layout *out,
                            const char *where, const struct few_data_opts *o);
void few__layout_free(few_ctx *ctx, struct few_layout *l);

#endif
