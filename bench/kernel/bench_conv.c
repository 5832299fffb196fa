/* bench_conv.c - convolutions in GF/s on one thread: forward, and gradients with respect
 * to x and to the weights.
 *
 * FLOPs are those of the direct convolution, 2 per multiply-add. So Winograd may exceed the peak of
 * multiply-adds, by up to 4 times. An argument selects the layers whose names contain it; --bf16
 * before it stores activations in bf16.
 */
#include <string.h>

#include "kernel_bench.h"

static const struct {
  const char *name;
  int64_t n, size, ci, co, k, stride, pad;
} layers[] = {
    {"c64_32", 8, 32, 64, 64, 3, 1, 1},          {"c128_32", 8, 32, 128, 128, 3, 1, 1},
    {"c128_16", 8, 16, 128, 128, 3, 1, 1},       {"c256_16", 8, 16, 256, 256, 3, 1, 1},
    {"c128_8", 8, 8, 128, 128, 3, 1, 1},         {"c256_8", 8, 8, 256, 256, 3, 1, 1},
    {"c64_28", 8, 28, 64, 64, 3, 1, 1},          {"c128_14", 8, 14, 128, 128, 3, 1, 1},
    {"c128_7", 8, 7, 128, 128, 3, 1, 1},         {"c32_28", 8, 28, 32, 32, 3, 1, 1},
    {"c192to64_32", 8, 32, 192, 64, 3, 1, 1},    {"in 1to64_28", 8, 28, 1, 64, 3, 1, 1},
    {"in 3to64_32", 8, 32, 3, 64, 3, 1, 1},      {"out 64to1_28", 8, 28, 64, 1, 3, 1, 1},
    {"out 64to3_32", 8, 32, 64, 3, 3, 1, 1},     {"down64_32", 8, 32, 64, 64, 3, 2, 1},
    {"patch 3to384_32", 8, 32, 3, 384, 4, 4, 0},
};

static bool bf16; /* activations are stored in bf16 */

static double rate(few_isa isa, int i, few_op op) {
  const int64_t n = layers[i].n, s = layers[i].size, ci = layers[i].ci, co = layers[i].co;
  const int64_t k = layers[i].k, o = (s + 2 * layers[i].pad - k) / layers[i].stride + 1;
  const struct few_shape x = FEW_SHAPE(n, s, s, ci), w = FEW_SHAPE(k, k, ci, co);
  const struct few_shape y = FEW_SHAPE(n, o, o, co);
  struct few_node_data node = {.op = op,
                               .attr.conv = {(int)layers[i].stride, (int)layers[i].pad, 0, 0}};
  struct few_call c = {.node = &node, .n_in = 2};
  c.shape = op == FEW_OP_CONV ? y : op == FEW_OP_CONV_DX ? x : w;
  c.in[0].shape = op == FEW_OP_CONV_DX ? y : x;
  c.in[1].shape = op == FEW_OP_CONV_DW ? y : w;
  c.in[0].bf16 = bf16 && (op == FEW_OP_CONV_DX ? co : ci) > 4;
  c.in[1].bf16 = bf16 && op == FEW_OP_CONV_DW && co > 4;
  c.bf16[0] = bf16 && op != FEW_OP_CONV_DW && (op == FEW_OP_CONV_DX ? ci : co) > 4;
  const struct few_kernel kernel = few__backend_cpu_isa(isa)->kernel[FEW_F32][op];
  return 2e-9 * (double)(n * o * o * ci * co * k * k) / time_kernel(kernel, &c, 0.15);
}

int main(int argc, char **argv) {
  bf16 = argc > 1 && !strcmp(argv[1], "--bf16");
  const char *only = argc > 1 + bf16 ? argv[1 + bf16] : "";
  const double peak = peak_of_thread();
  for (few_isa isa = FEW_ISA_COUNT; isa-- > 0;) {
    if (!few__isa_runs(isa)) continue;
    printf("%s, one thread, batch 8: peak %.1f GF/s\n", few__isa_name(isa), peak);
    printf("%-16s %22s %22s %22s\n", "", "forward", "dx", "dw");
    for (int i = 0; i < (int)(sizeof layers / sizeof layers[0]); i++) {
      if (!strstr(layers[i].name, only)) continue;
      printf("%-16s", layers[i].name);
      for (few_op op = FEW_OP_CONV; op <= FEW_OP_CONV_DW; op++) {
        const double r = rate(isa, i, op);
        printf("      %8.1f (%4.0f %%)", r, 100 * r / peak);
      }
      printf("\n");
      fflush(stdout);
    }
  }
  return 0;
}
