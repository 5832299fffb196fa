/* emulated.cc - the device and the libraries of the CUDA backend on the host, so that its kernels
 * run in tests. Device memory is host memory, products and convolutions are plain loops, and libtcc
 * compiles the sources of programs.
 */
#include <libtcc.h>
#include <stdio.h>
#include <stdlib.h>

#include <string>
#include <unordered_map>
#include <vector>

#include "engine/backend/cuda/compile.h"
#include "engine/backend/cuda/conv.h"
#include "engine/backend/cuda/gemm.h"

struct few_captured_graph {
  std::vector<std::function<void()>> work;
};

struct few_queue {
  struct few_replay_key key;
  struct few_captured_graph *capturing; /* the graph that records work; NULL: work runs at once */
  std::string why;
};

void emu_enqueue(struct few_queue *q, std::function<void()> work) {
  if (q->capturing)
    q->capturing->work.push_back(work);
  else
    work();
}

void few__cuda_fail(struct few_queue *q, const char *what, const char *why) {
  if (q->why.empty()) q->why = std::string(what) + ": " + why;
}

const struct few_replay_key *few__cuda_key(struct few_queue *q) { return &q->key; }

/* ---- the device ---- */

static const char *queue_open(struct few_queue **out) {
  *out = new few_queue();
  return NULL;
}
static void queue_close(struct few_queue *q) { delete q; }

static void device_name(struct few_queue *q, char *out, size_t size) {
  (void)q;
  snprintf(out, size, "an emulated GPU");
}

static void *memory(struct few_queue *q, size_t bytes) {
  (void)q;
  void *at = aligned_alloc(256, (bytes + 511) / 256 * 256);
  if (at) memset(at, 0xff, bytes);
  return at;
}
static void give_back(struct few_queue *q, void *at) {
  (void)q;
  free(at);
}
static void *host_memory(struct few_queue *q, size_t bytes) {
  (void)q;
  return malloc(bytes + 1);
}
static void copy(struct few_queue *q, void *to, const void *from, size_t bytes) {
  (void)q;
  if (bytes) memcpy(to, from, bytes);
}
static void set_key(struct few_queue *q, const struct few_replay_key *key) { q->key = *key; }
static void capture_begin(struct few_queue *q) { q->capturing = new few_captured_graph(); }
static struct few_captured_graph *capture_end(struct few_queue *q) {
  struct few_captured_graph *r = q->capturing;
  q->capturing = NULL;
  return r;
}
static void launch(struct few_queue *q, struct few_captured_graph *r) {
  (void)q;
  for (const auto &work : r->work) work();
}
static void captured_graph_free(struct few_captured_graph *r) { delete r; }
static const char *finish(struct few_queue *q) {
  static std::string why;
  why = q->why;
  q->why.clear();
  return why.empty() ? NULL : why.c_str();
}

extern "C" const struct few_device few__cuda_device;
const struct few_device few__cuda_device = {
    queue_open, queue_close, device_name, memory,      give_back,     host_memory, give_back,
    copy,       copy,        set_key,     capture_begin, capture_end, launch,
    captured_graph_free, finish, &few__cuda_vectors};

/* ---- products and convolutions of any number type, with factors rounded as a device does ---- */

enum type { F32, F64, BF16 }; /* as few_gemm_type */

/* Rounds x to a mantissa that is shorter by `bits_lost` bits, ties to even. */
static double rounded(float x, int bits_lost) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  const uint32_t last = (uint32_t)1 << bits_lost;
  if (bits_lost) bits = (bits + last / 2 - 1 + (bits >> bits_lost & 1)) & ~(last - 1);
  memcpy(&x, &bits, sizeof x);
  return (double)x;
}

struct reader {
  const void *at;
  int type, bits_lost;
  double operator[](int64_t i) const {
    if (type == F64) return ((const double *)at)[i];
    if (type == BF16) return few__from_bf16(((const uint16_t *)at)[i]);
    return rounded(((const float *)at)[i], bits_lost);
  }
};

static void write(void *at, int type, int64_t i, double x) {
  if (type == F64) ((double *)at)[i] = x;
  if (type == F32) ((float *)at)[i] = (float)x;
  if (type == BF16) ((uint16_t *)at)[i] = few__to_bf16((float)x);
}

static void product(const struct few_gemm &s, struct reader a, struct reader b, void *c) {
  for (int64_t l = 0; l < s.batch; l++)
    for (int64_t i = 0; i < s.m; i++)
      for (int64_t j = 0; j < s.n; j++) {
        double sum = 0;
        for (int64_t k = 0; k < s.k; k++)
          sum += a[l * s.a_step + (s.ta ? k * s.m + i : i * s.k + k)] *
                 b[l * s.b_step + (s.tb ? j * s.k + k : k * s.n + j)];
        write(c, s.product, l * s.c_step + i * s.n + j, sum);
      }
}

void few__cuda_gemm(struct few_queue *q, const struct few_gemm *s, const void *a, const void *b,
                    void *c) {
  const struct few_gemm copy = *s;
  const struct reader left = {a, s->factors, s->tf32 ? 13 : 0};
  const struct reader right = {b, s->factors, s->tf32 ? 13 : 0};
  emu_enqueue(q, [=] { product(copy, left, right, c); });
}

/* w is [O,kh,kw,I]. */
static void convolve(const struct few_conv &s, enum few_conv_what what, void *y, void *x, void *w) {
  const int64_t counts[] = {s.N * s.P * s.Q * s.O, s.N * s.H * s.W * s.I, s.O * s.kh * s.kw * s.I};
  const int lost = s.tf32 ? 13 : 0, type = s.type == FEW_CONV_BF16 ? BF16 : F32;
  const struct reader of[] = {{y, type, lost}, {x, type, lost}, {w, type, lost}};
  void *const out = what == FEW_CONV_Y ? y : what == FEW_CONV_X ? x : w;
  std::vector<double> sum((size_t)counts[what], 0.0);
  for (int64_t n = 0; n < s.N; n++)
    for (int64_t p = 0; p < s.P; p++)
      for (int64_t q = 0; q < s.Q; q++)
        for (int64_t a = 0; a < s.kh; a++)
          for (int64_t b = 0; b < s.kw; b++) {
            const int64_t h = p * s.stride + a - s.pad, v = q * s.stride + b - s.pad;
            if (h < 0 || h >= s.H || v < 0 || v >= s.W) continue;
            for (int64_t i = 0; i < s.I; i++)
              for (int64_t o = 0; o < s.O; o++) {
                const int64_t at[] = {((n * s.P + p) * s.Q + q) * s.O + o,
                                      ((n * s.H + h) * s.W + v) * s.I + i,
                                      ((o * s.kh + a) * s.kw + b) * s.I + i};
                double term = 1;
                for (int k = 0; k < 3; k++)
                  if (k != what) term *= of[k][at[k]];
                sum[(size_t)at[what]] += term;
              }
          }
  for (int64_t k = 0; k < counts[what]; k++) write(out, type, k, sum[(size_t)k]);
}

void few__cuda_conv(struct few_queue *q, const struct few_conv *s, enum few_conv_what what, void *y,
                    void *x, void *w) {
  const struct few_conv copy = *s;
  emu_enqueue(q, [=] { convolve(copy, what, y, x, w); });
}

/* ---- programs ---- */

static const char prelude[] =
    "double exp(double), log(double), sin(double), cos(double), tanh(double), atan(double),\n"
    "    sqrt(double), fabs(double), floor(double), nan(const char *);\n"
    "#define HUGE_VAL (1e308 * 10)\n"
    "#define __device__\n"
    "#define __align__(n) __attribute__((aligned(n)))\n"
    "#define FEW_ENTRY\n"
    "#define FEW_FIRST 0\n"
    "#define FEW_STEP 1\n";

typedef void (*program_fn)(struct few_pointers);

/* Compiles a program. The state of the compiler owns the code, so both stay until the process ends.
 */
static program_fn build(const std::string &text) {
  TCCState *s = tcc_new();
  tcc_set_error_func(s, stderr,
                     [](void *to, const char *what) { fprintf((FILE *)to, "%s\n", what); });
  tcc_set_options(s, "-nostdlib -w");
  tcc_set_output_type(s, TCC_OUTPUT_MEMORY);
  const std::string all = prelude + text;
  if (tcc_compile_string(s, all.c_str()) < 0) return NULL;
#define KNOWN(name, type) tcc_add_symbol(s, #name, (const void *)(type)name);
  KNOWN(exp, double (*)(double))
  KNOWN(log, double (*)(double))
  KNOWN(sin, double (*)(double))
  KNOWN(cos, double (*)(double))
  KNOWN(tanh, double (*)(double))
  KNOWN(atan, double (*)(double))
  KNOWN(sqrt, double (*)(double))
  KNOWN(fabs, double (*)(double))
  KNOWN(floor, double (*)(double))
  KNOWN(nan, double (*)(const char *))
  KNOWN(memmove, void *(*)(void *, const void *, size_t)) /* how tcc copies a struct */
#undef KNOWN
  if (tcc_relocate(s, TCC_RELOCATE_AUTO) < 0) return NULL;
  return (program_fn)tcc_get_symbol(s, "few_program");
}

void few__compile_and_run(struct few_queue *q, const std::string &text, int64_t blocks,
                          int threads, const struct few_pointers *at) {
  static std::unordered_map<std::string, program_fn> kept;
  const struct few_pointers copy = *at;
  (void)blocks, (void)threads;
  if (!kept.count(text)) kept[text] = build(text);
  const program_fn run = kept[text];
  if (run)
    emu_enqueue(q, [=] { run(copy); });
  else
    few__cuda_fail(q, "a pointwise program does not compile", text.c_str());
}
