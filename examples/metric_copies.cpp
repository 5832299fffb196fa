/* metric_copies.cpp - a metric of your own, in C++: the share of samples that are copies.
 *
 * A sample is a copy if its features are those of a row of the reference to within a tolerance,
 * relative to the length of the row. With the training data as the reference, the metric shows how
 * much a model has memorised.
 *
 *   c++ -std=c++17 metric_copies.cpp -o copies $(pkg-config --cflags --libs few)
 *   ./copies runs/student/model.safetensors fashion-mnist
 */
#include <few.h>
#include <few/ext/metric.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <vector>

namespace {

constexpr double tolerance = 0.01;

using row = std::vector<float>;

std::vector<row> rows_of(const few_eval_set *set) {
  std::vector<row> rows(static_cast<std::size_t>(few_eval_set_rows(set)));
  std::int64_t i = 0;
  for (row &r : rows) {
    r.resize(static_cast<std::size_t>(few_eval_set_dim(set)));
    few_eval_set_row(r.data(), set, i++);
  }
  return rows;
}

bool same(const row &a, const row &b) {
  double apart = 0, length = 0;
  for (std::size_t k = 0; k < a.size(); k++) {
    const double d = static_cast<double>(a[k]) - static_cast<double>(b[k]);
    apart += d * d;
    length += static_cast<double>(b[k]) * static_cast<double>(b[k]);
  }
  return apart <= tolerance * tolerance * length;
}

std::int64_t least(const few_metric_opts *) { return 1; }

/* No callback may throw, because the library is C. */
few_status run(few_metric_value *value, few_ctx *ctx, few_metric_input *in) {
  try {
    const std::vector<row> samples = rows_of(in->set), known = rows_of(in->reference);
    const auto copies = std::count_if(samples.begin(), samples.end(), [&](const row &s) {
      return std::any_of(known.begin(), known.end(), [&](const row &k) { return same(s, k); });
    });
    const double n = static_cast<double>(samples.size()), p = static_cast<double>(copies) / n;
    *value = few_metric_value{};
    value->name = "copies";
    value->value = p;
    value->error = std::sqrt(p * (1 - p) / n);
    value->error_of = "images";
    value->n = few_eval_set_rows(in->set);
    value->n_ref = few_eval_set_rows(in->reference);
    std::snprintf(value->how, sizeof value->how, "features within %g of a row", tolerance);
    return FEW_OK;
  } catch (const std::exception &) {
    return few_ctx_fail(ctx, FEW_E_MEMORY, "copies: out of memory: keep fewer rows");
  }
}

few_metric_def definition() {
  few_metric_def d{};
  d.version = FEW_METRIC_DEF_VERSION;
  d.name = "copies";
  d.help = "share of samples that are copies of the reference";
  d.needs = FEW_NEED_ROWS | FEW_NEED_REFERENCE;
  d.n_values = 1;
  d.least = least;
  d.run = run;
  return d;
}

} // namespace

int main(int argc, char **argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: copies MODEL-OR-IMAGES REFERENCE\n");
    return 2;
  }
  const few_metric_def copies = definition(); /* outlives the context */
  few_eval_opts opts = FEW_EVAL_OPTS_INIT;
  opts.source = argv[1];
  opts.reference = argv[2];
  opts.metrics = "copies";
  few_ctx *ctx = nullptr;
  few_eval_report *report = nullptr;
  few_status st = few_ctx_create(&ctx, nullptr);
  if (!st) st = few_ctx_add_metric(ctx, &copies);
  if (!st) st = few_eval(&report, ctx, &opts);
  if (st) std::fprintf(stderr, "copies: %s\n", few_error(ctx));
  if (!st) std::printf("%s %g\n", report->number[0].name, report->number[0].value);
  few_eval_report_free(report);
  few_ctx_free(ctx);
  return st ? 1 : 0;
}
