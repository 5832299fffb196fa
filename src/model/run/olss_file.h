/* olss_file.h - the file of a fitted schedule (docs/format.md, section 8). */
#ifndef FEW_SRC_MODEL_RUN_OLSS_FILE_H
#define FEW_SRC_MODEL_RUN_OLSS_FILE_H

#include "diffusion/sampler/olss.h"
#include "few/sample.h"

enum { FEW_OLSS_MAX_STEPS = 1000 };

few_status few__olss_read(few_ctx *ctx, struct few_olss **out, const char *path);
/* The same from the file's text; `place` names it in messages. */
few_status few__olss_parse(few_ctx *ctx, struct few_olss **out, const char *place, const char *text,
                           size_t n);
/* Writes the file, whole or not at all. `of` and n, which describe the fit, are recorded. */
few_status few__olss_write(few_ctx *ctx, const struct few_olss *o, const struct few_olss_opts *of,
                           int64_t n, const char *path);

#endif
