/* train_mlp.c - fit y = sin(3 x) with a network of 32 hidden units, by gradient descent.
 *
 *     cc -std=c11 train_mlp.c $(pkg-config --cflags --libs few) -lm -o train_mlp && ./train_mlp
 *
 * The network is a graph; few_grad appends its derivatives; a plan computes the loss and all gradients
 * in one run; the update is three lines of C.
 */
#include <few/plan.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROWS = 64, HIDDEN = 32, STEPS = 2000, PARAMS = 3 * HIDDEN + 1 };

static few_ctx *ctx;

static void check(few_status status) {
  if (!status) return;
  fprintf(stderr, "%s: %s\n", few_status_name(status), few_error(ctx));
  exit(1);
}

/* mean((W2 tanh(W1 x + b1) + b2 - y)^2) over the rows of x, and its gradients. */
static few_plan *plan_of_loss(void) {
  few_graph *g;
  few_plan *plan;
  check(few_graph_create(&g, ctx));
  few_node x = few_input(g, "x", FEW_REAL, FEW_SHAPE(ROWS, 1));
  few_node y = few_input(g, "y", FEW_REAL, FEW_SHAPE(ROWS, 1));
  few_node p[4] = {few_param(g, "w1", FEW_SHAPE(1, HIDDEN)),
                   few_param(g, "b1", FEW_SHAPE(1, HIDDEN)),
                   few_param(g, "w2", FEW_SHAPE(HIDDEN, 1)), few_param(g, "b2", FEW_SHAPE(1, 1))};
  few_node h = few_tanh(g, few_add(g, few_matmul(g, x, p[0], false, false), p[1]));
  few_node f = few_add(g, few_matmul(g, h, p[2], false, false), p[3]);
  few_node d[4], loss = few_mean_all(g, few_square(g, few_sub(g, f, y)));
  check(few_grad(d, g, loss, 4, p));
  check(few_plan_create(
      &plan, g, 5,
      (struct few_plan_output[]){
          {"loss", loss}, {"dw1", d[0]}, {"db1", d[1]}, {"dw2", d[2]}, {"db2", d[3]}},
      NULL));
  few_graph_free(g);
  return plan;
}

int main(void) {
  static float x[ROWS], y[ROWS], value[PARAMS], gradient[PARAMS], loss, first;
  few_executor *executor;
  check(few_ctx_create(&ctx, NULL));
  few_plan *plan = plan_of_loss();
  check(few_executor_create(&executor, ctx, plan));
  for (int i = 0; i < ROWS; i++) x[i] = -1 + 2 * (float)i / (ROWS - 1), y[i] = sinf(3 * x[i]);
  for (int i = 0; i < PARAMS; i++) value[i] = (float)sin(1 + 7 * i) * 0.5f;

  static const char *const name[] = {"w1", "b1", "w2", "b2"}, *const of[] = {"dw1", "db1", "dw2",
                                                                             "db2"};
  check(few_executor_bind_input(executor, "x", x));
  check(few_executor_bind_input(executor, "y", y));
  check(few_executor_bind_output(executor, "loss", &loss));
  for (int k = 0; k < 4; k++) { /* all parameters lie in one array, and so do all gradients */
    check(few_executor_bind_input(executor, name[k], value + k * HIDDEN));
    check(few_executor_bind_output(executor, of[k], gradient + k * HIDDEN));
  }
  for (int step = 0; step < STEPS; step++) {
    check(few_executor_run(executor, NULL));
    if (step == 0) first = loss;
    for (int i = 0; i < PARAMS; i++) value[i] -= 0.1f * gradient[i];
  }
  printf("loss %.4f -> %.4f in %d steps, %.0f FLOP each\n", (double)first, (double)loss, STEPS,
         few_plan_get_cost(plan).flops);
  few_executor_free(executor);
  few_plan_free(plan);
  few_ctx_free(ctx);
  return loss < 0.01f ? 0 : 1;
}
