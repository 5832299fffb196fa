/* table.c - the networks by name: nets.def, and those of a context. */
#include "base/added.h"
#include "net.h"

#define FEW_NET(name) extern const struct few_net_def few__net_##name;
#include "nets.def"
#undef FEW_NET

static const struct few_net_def *const table[] = {
#define FEW_NET(name) &few__net_##name,
#include "nets.def"
#undef FEW_NET
};

int few__net_count(const few_ctx *ctx) {
  return FEW_COUNT(table) + few__added_count(ctx, FEW_ADDED_NET);
}

const struct few_net_def *few__net_at(const few_ctx *ctx, int i) {
  assert(i >= 0 && i < few__net_count(ctx));
  if (i < FEW_COUNT(table)) return table[i];
  return few__added_at(ctx, FEW_ADDED_NET, i - FEW_COUNT(table));
}

const struct few_net_def *few__net_find(const few_ctx *ctx, const char *name) {
  for (int i = 0; i < few__net_count(ctx); i++)
    if (!strcmp(few__net_at(ctx, i)->name, name)) return few__net_at(ctx, i);
  return NULL;
}

few_status few_ctx_add_net(few_ctx *ctx, const struct few_net_def *def) {
  static const char type[] = "few_net_def";
  FEW_TRY(few__added_version(ctx, type, def, FEW_NET_DEF_VERSION));
  return few__added_add(ctx,
                        &(struct few_addition){.kind = FEW_ADDED_NET,
                                               .type = type,
                                               .def = def,
                                               .name = def->name,
                                               .missing = !def->help      ? "help"
                                                          : !def->options ? "options"
                                                          : !def->build   ? "build"
                                                                          : NULL,
                                               .taken = def->name && few__net_find(ctx, def->name),
                                               .options = def->options,
                                               .options_size = def->options_size});
}
