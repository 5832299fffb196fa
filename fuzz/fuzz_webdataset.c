/* A shard of a WebDataset, with labels from cls or from json. Each sample that is read has a class
 * if there are classes. */
#include <unistd.h>

#include "few/data.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char path[] = "few-fuzz-XXXXXX", spec[64];
  struct few_data_opts o = FEW_DATA_OPTS_INIT;
  few_ctx *ctx = fuzz_ctx();
  few_data *d = NULL;
  const int fd = mkstemp(path);
  FUZZ_REQUIRE(fd >= 0 && write(fd, data, size) == (ssize_t)size && !close(fd));
  o.on_error = size % 2 ? FEW_DATA_SKIP : FEW_DATA_REFUSE;
  o.cache = FEW_DATA_CACHE_NO;
  o.size = 2;
  snprintf(spec, sizeof spec, "webdataset:%s%s", path, size / 2 % 2 ? ",label" : "");
  if (fuzz_ok(ctx, few_data_open(&d, ctx, spec, &o)))
    for (int64_t i = 0; i < few_data_n(d); i++)
      FUZZ_REQUIRE(few_data_label(d, i) < few_data_n_classes(d));
  few_data_free(d);
  few_ctx_free(ctx);
  unlink(path);
  return 0;
}
