/* train_mlp.c - fit y = sin(3 x) with a network of 32 hidden units, by gradient descent.
 *
 *     cc -std=c11 train_mlp.c $(pkg-config --cflags --libs few) -lm -o train_mlp && ./train_mlp
 *
 * The network is a graph, to which few_grad appends the derivatives. A plan computes the loss and
 * the gradient in one run. The update is one line of C.
 */
#include <few/plan.h>
#include <math.h>
#include <stdio.h>

enum { ROWS = 64, HIDDEN = 32, PARAMS = 3 * HIDDEN, STEPS = 2000 };

/* All parameters are in one array. Returns its values from `first` on as a matrix. */
static few_node matrix(few_graph *g, few_node all, int first, int rows, int columns) {
  return few_reshape(g, few_slice(g, all, 0, first, rows * columns), FEW_SHAPE(rows, columns));
}

/* Makes a plan of mean((W2 tanh(W1 x + b) - sin(3 x))^2) over the rows, and of its gradient. */
static few_status plan_loss(few_plan **plan, few_graph *g) {
  few_node x = few_input(g, "x", FEW_REAL, FEW_SHAPE(ROWS, 1));
  few_node w = few_param(g, "w", FEW_SHAPE(PARAMS)), dw;
  few_node W1 = matrix(g, w, 0, 1, HIDDEN), b = matrix(g, w, HIDDEN, 1, HIDDEN);
  few_node W2 = matrix(g, w, 2 * HIDDEN, HIDDEN, 1);
  few_node h = few_tanh(g, few_add(g, few_matmul(g, x, W1, false, false), b));
  few_node y = few_sin(g, few_scale(g, x, 3));
  few_node error = few_sub(g, few_matmul(g, h, W2, false, false), y);
  few_node loss = few_mean_all(g, few_square(g, error));
  few_status st = few_grad(&dw, g, loss, 1, &w);
  const struct few_plan_output outputs[] = {{"loss", loss}, {"dw", dw}};
  return st ? st : few_plan_create(plan, g, 2, outputs, NULL);
}

int main(void) {
  static float x[ROWS], w[PARAMS], dw[PARAMS], loss;
  const struct few_plan_binding arrays[] = {
      {"x", x, NULL}, {"w", w, NULL}, {"loss", NULL, &loss}, {"dw", NULL, dw}};
  few_ctx *ctx = NULL;
  few_graph *g = NULL;
  few_plan *plan = NULL;
  few_executor *executor = NULL;
  for (int i = 0; i < ROWS; i++) x[i] = -1 + 2 * (float)i / (ROWS - 1);
  for (int i = 0; i < PARAMS; i++) w[i] = (float)sin(1 + 7 * i) * 0.5f;
  few_status st = few_ctx_create(&ctx, NULL);
  if (!st) st = few_graph_create(&g, ctx);
  if (!st) st = plan_loss(&plan, g);
  if (!st) st = few_executor_create(&executor, ctx, plan);
  if (!st) st = few_executor_bind(executor, 4, arrays);
  for (int step = 0; !st && step < STEPS; step++) {
    st = few_executor_run(executor, NULL);
    for (int i = 0; i < PARAMS; i++) w[i] -= 0.1f * dw[i];
  }
  printf("%s: loss %.4f\n", st ? few_error(ctx) : "trained", (double)loss);
  few_executor_free(executor);
  few_plan_free(plan);
  few_graph_free(g);
  few_ctx_free(ctx);
  return !st && loss < 0.01f ? 0 : 1;
}
