/* open.c - opens a data set: finds the reader of its spec and calls it. */
#include "base/added.h"
#include "reader.h"

static const struct few_reader_def readers[] = {
#define READER(symbol, name, usage, help) \
  {FEW_READER_DEF_VERSION, name, usage, help, few__data_open_##symbol},
#include "readers.def"
#undef READER
};

int few__reader_count(const few_ctx *ctx) {
  return FEW_COUNT(readers) + few__added_count(ctx, FEW_ADDED_READER);
}

/* Built-in readers, then those of the context. */
const struct few_reader_def *few__reader_at(const few_ctx *ctx, int i) {
  assert(0 <= i && i < few__reader_count(ctx));
  if (i < FEW_COUNT(readers)) return &readers[i];
  return few__added_at(ctx, FEW_ADDED_READER, i - FEW_COUNT(readers));
}

/* The reader whose name is the first `length` bytes of `name`, or NULL. */
static const struct few_reader_def *find(const few_ctx *ctx, const char *name, size_t length) {
  for (int i = 0; i < few__reader_count(ctx); i++) {
    const struct few_reader_def *r = few__reader_at(ctx, i);
    if (strlen(r->name) == length && !memcmp(r->name, name, length)) return r;
  }
  return NULL;
}

few_status few_ctx_add_reader(few_ctx *ctx, const struct few_reader_def *def) {
  static const char type[] = "few_reader_def";
  FEW_TRY(few__added_version(ctx, type, def, FEW_READER_DEF_VERSION));
  return few__added_add(
      ctx, &(struct few_addition){.kind = FEW_ADDED_READER,
                                  .type = type,
                                  .def = def,
                                  .name = def->name,
                                  .missing = !def->usage  ? "usage"
                                             : !def->help ? "help"
                                             : !def->open ? "open"
                                                          : NULL,
                                  .taken = def->name && find(ctx, def->name, strlen(def->name))});
}

/* Reads the set d->spec, which is in full, with its reader. */
static few_status read_with(few_data *d, const struct few_data_opts *o) {
  const size_t length = strcspn(d->spec, ":");
  const struct few_reader_def *r = find(d->ctx, d->spec, length);
  assert(r); /* few_data_full_spec has checked it */
  FEW_TRY(r->open(d, d->spec + length + (d->spec[length] == ':'), o));
  const bool built_in = r >= readers && r < readers + FEW_COUNT(readers);
  return built_in ? FEW_OK : few__reader_check(d, r->name, o);
}

few_status few_data_open(few_data **out, few_ctx *ctx, const char *spec,
                         const struct few_data_opts *opts) {
  struct few_data_opts o = FEW_DATA_OPTS_INIT;
  if (opts) o = *opts;
  *out = NULL;
  few_status st = FEW_OK;
  few_data *d = NULL;
  FEW_GOTO(few__data_check_opts(ctx, &o));
  FEW_GOTO(FEW_NEW(ctx, &d, 1));
  d->ctx = ctx;
  FEW_GOTO(few_data_full_spec(&d->spec, ctx, spec));
  struct few_data_opts whole = o;
  if (o.holdout > 0) whole.split = FEW_DATA_TRAIN; /* the training part is then divided */
  FEW_GOTO(read_with(d, &whole));
  FEW_GOTO(few__data_finish(d, &o));
  *out = d;
out:
  if (st) few_data_free(d);
  return st;
}
