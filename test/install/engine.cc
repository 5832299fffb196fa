// The engine from C++: y = x x^T for a row x, and its gradient.
#include <few.h>

#include <cmath>
#include <cstdio>

int main() {
  const float x[3] = {1, 2, 3};
  float y = 0, dx[3] = {0, 0, 0};
  const few_plan_binding arrays[] = {{"x", x, nullptr}, {"y", nullptr, &y}, {"dx", nullptr, dx}};
  few_ctx *ctx = nullptr;
  few_graph *g = nullptr;
  few_plan *plan = nullptr;
  few_status st = few_ctx_create(&ctx, nullptr);
  if (!st) st = few_graph_create(&g, ctx);
  if (!st) {
    const few_node in = few_input(g, "x", FEW_REAL, FEW_SHAPE(1, 3));
    const few_node out = few_reshape(g, few_matmul(g, in, in, false, true), FEW_SCALAR);
    few_node d = FEW_NONE;
    st = few_grad(&d, g, out, 1, &in);
    const few_plan_output outputs[] = {{"y", out}, {"dx", d}};
    if (!st) st = few_plan_create(&plan, g, 2, outputs, nullptr);
  }
  if (!st) st = few_plan_run(ctx, plan, 3, arrays, nullptr);
  if (st) std::fprintf(stderr, "%s\n", few_error(ctx));
  few_plan_free(plan);
  few_graph_free(g);
  few_ctx_free(ctx);
  return !st && std::fabs(y - 14) < 1e-5F && std::fabs(dx[2] - 6) < 1e-5F ? 0 : 1;
}
