/* origin.h - what is imported: named tensors with a configuration, from a folder or a file.
 *
 * To add a kind of file, write a function that fills a few_origin and add a row to `readers` in
 * origin.c. Nothing of a source is trusted.
 */
#ifndef FEW_SRC_IMPORT_ORIGIN_H
#define FEW_SRC_IMPORT_ORIGIN_H

#include "io/json.h"
#include "io/persistent.h"
#include "io/safetensors.h"

/* A JSON object and its path, for messages. */
struct few_conf {
  json_t *all; /* NULL: there is none; owned */
  char *place; /* owned */
};

struct few_origin {
  few_ctx *ctx;
  char *place; /* the weights' folder or file, for messages */
  struct few_conf net, scheduler, pipeline;
  const struct few_st_tensor **at; /* [n] sorted by name; borrowed from the files below */
  int n, cap;
  struct {
    struct few_st *at;
    int n, cap;
  } files;
  struct few_pth pth;
};

/* *out is yours: few__origin_free. NULL on failure. */
few_status few__origin_open(few_ctx *ctx, struct few_origin **out, const char *path);
void few__origin_free(struct few_origin *s); /* NULL is fine */
const struct few_st_tensor *few__origin_find(const struct few_origin *s, const char *name);

/* For readers, and for tests that make a source in memory. */
few_status few__origin_new(few_ctx *ctx, struct few_origin **out, const char *place);
/* Add the tensors [n] of a file that the source owns. */
few_status few__origin_add(struct few_origin *s, const struct few_st_tensor *at, int n);
/* Sort the tensors; FEW_E_FORMAT if two files have one of the same name. */
few_status few__origin_sort(struct few_origin *s);
/* Parse a configuration. Python writes infinities that JSON does not have; they are read as null.
 */
few_status few__conf_parse(few_ctx *ctx, struct few_conf *out, const char *place, const char *text,
                           size_t n);
few_status few__conf_read(few_ctx *ctx, struct few_conf *out, const char *path);
void few__conf_free(few_ctx *ctx, struct few_conf *c);
/* The names of the files in an index, a list without repetitions: plain names in the index's own
 * folder that end in .safetensors. */
struct few_shard_names {
  const char *at[1024];
  int n;
};
few_status few__index_files(few_ctx *ctx, struct few_shard_names *out,
                            const struct few_conf *index);

#endif
