/* record.h - a record while it is read. */
#ifndef FEW_SRC_RECORD_RECORD_H
#define FEW_SRC_RECORD_RECORD_H

#include "few/record.h"
#include "io/json.h"

enum { FEW_RECORD_KEYS = 512, FEW_RECORD_ARRAY = 64 }; /* the most, in a log and in an array */

struct few_series {
  char *key, *space, *id; /* owned */
  int n, cap;
  double *step, *seconds, *value;
};
struct few_record_item {
  struct few_record_eval public;
  struct few_record_number *number; /* owned */
};
struct few_record {
  few_ctx *ctx;
  struct few_record_info info;
  double before, last; /* seconds of the run before it was resumed, and of the last line */
  struct {
    struct few_series *at;
    int n, cap;
  } series;
  struct {
    struct few_record_item *at;
    int n, cap;
  } evals;
  struct {
    char **at;
    int n, cap;
  } texts; /* owned */
};

few_status few__record_create(few_ctx *ctx, few_record **out, const char *name);
/* Copies a text. */
few_status few__record_text(few_record *r, const char **out, const char *text);
/* Sets space and space_id of an evaluation whose features, reference and n_reference are set. */
few_status few__record_space(few_record *r, struct few_record_eval *e, const char *features_hash,
                             const char *reference_hash);
/* Members of an object; NaN or "" if it has no such number or string. */
double few__record_number(const json_t *object, const char *key);
const char *few__record_string(const json_t *object, const char *key);

/* ---- log.c ---- */
few_status few__record_log(few_record *r, const char *path);
/* Reads a log in memory; `place` is its name. */
few_status few__record_lines(few_record *r, const char *place, const char *text, size_t n);

/* ---- report.c ---- */
few_status few__record_report(few_record *r, const char *place, const json_t *report);

#endif
