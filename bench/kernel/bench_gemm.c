/* bench_gemm.c - MATMUL in GF/s on one thread, for the products of U-Nets and transformers. */
#include "kernel_bench.h"

static const struct {
  const char *name;
  int ta, tb;
  int64_t count, m, n, k;
} shapes[] = {
    {"conv128 as product", 0, 0, 1, 8192, 128, 1152},
    {"conv64 as product", 0, 0, 1, 8192, 64, 576},
    {"conv128 weights", 1, 0, 1, 1152, 128, 8192},
    {"1x1 128 to 384", 0, 0, 1, 2048, 384, 128},
    {"1x1 64 to 64", 0, 0, 1, 8192, 64, 64},
    {"dit qkv", 0, 0, 1, 2048, 1152, 384},
    {"dit proj", 0, 0, 1, 2048, 384, 384},
    {"dit mlp1", 0, 0, 1, 2048, 1536, 384},
    {"dit mlp2", 0, 0, 1, 2048, 384, 1536},
    {"dit mlp1 dx", 0, 1, 1, 2048, 384, 1536},
    {"dit mlp1 dw", 1, 0, 1, 1536, 384, 2048},
    {"attention qk", 0, 1, 8, 256, 256, 64},
    {"attention av", 0, 0, 8, 256, 64, 256},
    {"square 128", 0, 0, 1, 128, 128, 128},
    {"square 256", 0, 0, 1, 256, 256, 256},
    {"square 1024", 0, 0, 1, 1024, 1024, 1024},
    {"embedding", 0, 0, 1, 8, 1024, 256},
    {"mlp in, K = 2", 0, 0, 1, 256, 64, 2},
    {"thin, N = 3", 0, 0, 1, 8192, 3, 576},
    {"one row", 0, 0, 1, 1, 512, 512},
};

/* Set by the argument --bf16: activations are stored in bf16. The second factor of y and dx, and
 * the result of dw, are weights and stay in f32. */
static bool bf16;

static double rate(few_isa isa, int i) {
  const int64_t b = shapes[i].count, m = shapes[i].m, n = shapes[i].n, k = shapes[i].k;
  struct few_node_data node = {.op = FEW_OP_MATMUL, .attr.matmul = {shapes[i].ta, shapes[i].tb}};
  struct few_call c = {.node = &node, .shape = FEW_SHAPE(b, m, n), .n_in = 2};
  c.in[0].bf16 = bf16;
  c.in[1].bf16 = bf16 && shapes[i].ta;
  c.bf16[0] = bf16 && !shapes[i].ta;
  c.in[0].shape = shapes[i].ta ? FEW_SHAPE(b, k, m) : FEW_SHAPE(b, m, k);
  c.in[1].shape = shapes[i].tb ? FEW_SHAPE(b, n, k) : FEW_SHAPE(b, k, n);
  const struct few_kernel kernel = few__backend_cpu_isa(isa)->kernel[FEW_F32][FEW_OP_MATMUL];
  return 2e-9 * (double)(b * m * n * k) / time_kernel(kernel, &c, 0.2);
}

int main(int argc, char **argv) {
  bf16 = argc > 1 && !strcmp(argv[1], "--bf16");
  printf("peak of fused multiply-adds in f32: %.1f GF/s\n", peak_of_thread());
  printf("%-20s", "GF/s of one thread");
  for (few_isa isa = FEW_ISA_BASE; isa < FEW_ISA_COUNT; isa++)
    if (few__isa_runs(isa)) printf(" %9s", few__isa_name(isa));
  for (int i = 0; i < (int)(sizeof shapes / sizeof shapes[0]); i++) {
    printf("\n%-20s", shapes[i].name);
    for (few_isa isa = FEW_ISA_BASE; isa < FEW_ISA_COUNT; isa++)
      if (few__isa_runs(isa)) printf(" %9.1f", rate(isa, i));
    fflush(stdout);
  }
  printf("\n");
  return 0;
}
