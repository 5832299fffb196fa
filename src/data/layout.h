/* layout.h - how a set of images lies in its folder. */
#ifndef FEW_SRC_DATA_LAYOUT_H
#define FEW_SRC_DATA_LAYOUT_H

#include "io/file.h"
#include "reader.h"

struct few_layout {
  char *dir;                /* where the requested part begins */
  struct few_names folders; /* those in it that hold images */
  char *train;              /* NULL, or the same of the part to train on, where another was asked */
  struct few_names classes; /* for, and its folders */
};

/* Is this name passed over wherever it stands: hidden, or made by a system for itself? */
bool few__layout_junk(const char *name);

/* `where` is a folder, or a folder with ":part" behind it. What was chosen is noted in d. */
few_status few__layout_find(few_data *d, struct few_layout *out, const char *where,
                            const struct few_data_opts *o);
void few__layout_free(few_ctx *ctx, struct few_layout *l);

#endif
