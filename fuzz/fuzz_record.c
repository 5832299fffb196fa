/* A log or a report that is read can be drawn, and its members are within their bounds. */
#include "fuzz.h"
#include "record/record.h"

static void draw(few_ctx *ctx, few_record *r) {
  struct few_curves_opts o = FEW_CURVES_OPTS_INIT;
  struct few_record_info info;
  char *svg;
  few_record_info(&info, sizeof info, r);
  FUZZ_REQUIRE(info.n_series <= FEW_RECORD_KEYS);
  o.n = 1;
  o.record = &r;
  o.x = info.report ? FEW_CURVES_NFE : FEW_CURVES_STEP;
  for (int log = 0; log < 2; log++) {
    o.log = log;
    o.smooth = 0.5 * log;
    if (fuzz_ok(ctx, few_curves_svg(&svg, ctx, &o))) {
      FUZZ_REQUIRE(few__utf8_valid(svg));
      few_text_free(ctx, svg);
    }
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  few_ctx *ctx = fuzz_ctx();
  few_record *r;
  json_t *report;
  FUZZ_REQUIRE(!few__record_create(ctx, &r, "log"));
  if (fuzz_ok(ctx, few__record_lines(r, "log", (const char *)data, size))) draw(ctx, r);
  few_record_free(r);
  if (fuzz_ok(ctx, few__json_parse(ctx, &report, "report", (const char *)data, size))) {
    FUZZ_REQUIRE(!few__record_create(ctx, &r, "report"));
    if (fuzz_ok(ctx, few__record_report(r, "report", report))) draw(ctx, r);
    few_record_free(r);
    json_decref(report);
  }
  few_ctx_free(ctx);
  return 0;
}
