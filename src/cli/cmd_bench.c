/* cmd_bench.c - few bench: times whole steps of a network and compares them with the machine's
 * peak. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

struct bench_opts {
  struct common common;
  struct few_bench_opts bench;
  struct few_text_list set;
  int64_t size;
  unsigned cases; /* bit i: enum few_bench_case i */
  bool profile;
};
static const struct bench_opts initial = {.bench = FEW_BENCH_OPTS_INIT};
#define S struct bench_opts
static const struct few_option options[] = {
    OPT_TEXT(S, bench.net, "net", "NETWORK", "unet", "the network: see few list nets"),
    OPT_TEXTS(S, set, "set", "KEY=VALUE",
              "set an option of the network (few list nets NAME); may be repeated"),
    OPT_INT(S, size, "size", "PIXELS", "32", 1, 4096, "height and width of an image"),
    OPT_INT(S, bench.c, "channels", "C", "3", 1, 4096, "channels of an image"),
    OPT_INT(S, bench.batch, "batch", "B", "64", 1, 65536, "images per step"),
    OPT_INT(S, bench.shards, "shards", "N", "8", 1, 65536,
            "equal parts of the batch, each computed by one worker"),
    OPT_REAL(S, bench.seconds, "seconds", "T", "5", 0.01, 86400, "how long to repeat each case"),
    OPT_SET(S, cases, "case", "NAME,...", "infer,train,jvp,scd,sct", "infer|train|jvp|scd|sct",
            "cases to time, described below"),
    OPT_FLAG(S, profile, "profile", "also print the time of each kernel in a step"),
    OPT_MACHINE(S),
    OPT_JSON(S, "print a JSON object with an array of results"),
    OPT_HELP(S),
    FEW_OPT_END};
#undef S

static const char text[] =
    "Cases: infer is one evaluation of the network, train a whole step of diffusion\n"
    "training, jvp the network with its tangent, scd and sct whole steps of consistency\n"
    "distillation and consistency training.\n"
    "\n"
    "GFLOP are counted as for direct convolutions, so faster algorithms may exceed 100 % of\n"
    "the peak. The peak is measured first, by fused multiply-adds on the same number of\n"
    "workers.\n"
    "\n"
    "For each kernel, --profile prints its time summed over all workers, its calls per\n"
    "shard, and its bytes as if each operand and result were touched once. On a device,\n"
    "kernels run one at a time, and each is compared with the shortest time that the\n"
    "device's peak and memory bandwidth, both measured first, would allow.\n"
    "\n"
    "  few bench --net unet --set channels=64 --size 32 --batch 64 --case train,scd\n";

struct machine {
  char cpu[128], isa[160];
  int workers;
  double peak;   /* GFLOP/s */
  double memory; /* GB/s; 0: not measured */
};

/* Reads the processor's name and instruction sets from /proc/cpuinfo. On systems without that file
 * both stay unknown. */
static void look_at_cpu(struct machine *m) {
  static const char *const wanted[] = {"avx2",        "fma",      "f16c",  "avx512f",
                                       "avx512_bf16", "amx_tile", "asimd", "sve"};
  snprintf(m->cpu, sizeof m->cpu, "unknown");
  m->isa[0] = '\0';
  FILE *f = fopen("/proc/cpuinfo", "r");
  char line[8192];
  while (f && fgets(line, sizeof line, f) && *line != '\n') {
    char *value = strchr(line, ':');
    if (!value) continue;
    value += 1 + (value[1] == ' ');
    value[strcspn(value, "\n")] = ' ';
    if (!strncmp(line, "model name", 10))
      snprintf(m->cpu, sizeof m->cpu, "%.*s",
               (int)(strlen(value) - 1 < 127 ? strlen(value) - 1 : 127), value);
    if (strncmp(line, "flags", 5) && strncmp(line, "Features", 8)) continue;
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
      char word[24];
      snprintf(word, sizeof word, " %s ", wanted[i]);
      size_t n = strlen(m->isa);
      if (strstr(value, word))
        snprintf(m->isa + n, sizeof m->isa - n, "%s%s", n ? " " : "", wanted[i]);
    }
  }
  if (f) fclose(f);
  const size_t n = strlen(m->isa);
  snprintf(m->isa + n, sizeof m->isa - n, "%skernels %s", n ? ", " : "", few_cpu_isa());
}

static const char *const precisions[] = {"fp32", "tf32", "bf16"};

static const char *backend_of(const struct bench_opts *o) {
  return o->common.backend ? o->common.backend : "cpu";
}

/* Describes the backend's device, or the processor if it has none. */
static few_status look_at(struct cli *cli, const struct bench_opts *o, struct machine *m) {
  struct few_bench_device d;
  struct few_backend_info b;
  m->workers = few_ctx_workers(cli->ctx);
  if (few_backend_info(&b, sizeof b, backend_of(o)) && b.device) {
    few_status st = few_bench_device(&d, sizeof d, cli->ctx, b.name, o->common.precision);
    snprintf(m->cpu, sizeof m->cpu, "%s", d.name);
    m->peak = d.gflops;
    m->memory = d.gbytes;
    return st;
  }
  look_at_cpu(m);
  return few_bench_peak(&m->peak, cli->ctx, m->workers);
}

static void print_heading(const struct machine *m, const struct bench_opts *o) {
  printf("%s%s%s, %d worker%s, peak %.1f GFLOP/s", m->cpu, *m->isa ? ", " : "", m->isa, m->workers,
         m->workers == 1 ? "" : "s", m->peak);
  if (m->memory > 0) printf(", %.1f GB/s", m->memory);
  printf("\n");
  printf("%s", o->bench.net);
  for (int i = 0; i < o->set.n; i++) printf(" %s", o->set.at[i]);
  printf(", %" PRId64 " x %" PRId64 " x %" PRId64 ", batch %" PRId64 " in %" PRId64
         " shards, backend %s, %s\n\n",
         o->size, o->size, o->bench.c, o->bench.batch, o->bench.shards, backend_of(o),
         precisions[o->common.precision]);
  printf("%-8s %10s %10s %10s %10s %8s %8s\n", "case", "images/s", "s/step", "fastest", "GFLOP/s",
         "of peak", "MiB");
}

static void print_result(const struct few_bench_result *r) {
  printf("%-8s %10.5g %10.4g %10.4g %10.1f %6.1f %% %8.1f\n", r->name, r->images_per_second,
         r->seconds, r->fastest, r->gflops_per_second, 100 * r->share_of_peak,
         (double)r->arena_bytes / (1 << 20));
  fflush(stdout);
}

static void json_heading(struct json *j, const struct machine *m, const struct bench_opts *o) {
  json_open(j, NULL, '{');
  json_open(j, "machine", '{');
  json_text(j, "cpu", m->cpu);
  json_text(j, "isa", m->isa);
  json_int(j, "workers", m->workers);
  json_number(j, "peak_gflops", m->peak);
  if (m->memory > 0) json_number(j, "peak_gbytes", m->memory);
  json_close(j);
  json_text(j, "net", o->bench.net);
  json_open(j, "set", '[');
  for (int i = 0; i < o->set.n; i++) json_text(j, NULL, o->set.at[i]);
  json_close(j);
  json_int(j, "size", o->size);
  json_int(j, "channels", o->bench.c);
  json_int(j, "batch", o->bench.batch);
  json_int(j, "shards", o->bench.shards);
  json_text(j, "backend", backend_of(o));
  json_text(j, "precision", precisions[o->common.precision]);
  json_open(j, "results", '[');
}

static void json_result(struct json *j, const struct few_bench_result *r) {
  json_open(j, NULL, '{');
  json_text(j, "case", r->name);
  json_number(j, "images_per_second", r->images_per_second);
  json_number(j, "seconds", r->seconds);
  json_number(j, "fastest", r->fastest);
  json_int(j, "repeats", r->repeats);
  json_number(j, "gflop", r->gflop);
  json_number(j, "gflops_per_second", r->gflops_per_second);
  json_number(j, "share_of_peak", r->share_of_peak);
  json_int(j, "arena_bytes", (int64_t)r->arena_bytes);
  json_number(j, "page_faults", r->page_faults);
}

/* ---- a profile: single kernels in the order of their time, then sums by op ---- */

enum { MAX_KINDS = 96, SHOWN = 24 };
struct profile {
  const struct few_bench_result *result;
  const struct machine *machine;
  struct json *json; /* NULL: a table */
  int n, n_seen;
  struct few_bench_kernel kind[MAX_KINDS];
};

/* Prints a rate, or a dash if `amount` is not known. */
static void print_rate(double amount, double seconds) {
  if (amount > 0)
    printf(" %9.1f", amount / seconds);
  else
    printf(" %9s", "-");
}

/* Prints the time that the machine's limits allow as a share of the time taken, and which of the
 * two limits it is. */
static void print_limit(const struct machine *m, const struct few_bench_kernel *k) {
  const double products = k->gflop / m->peak, memory = k->gbyte / m->memory;
  if (m->memory > 0)
    printf("  %3.0f %% %-8s", 100 * (products > memory ? products : memory) / k->seconds,
           products > memory ? "products" : "memory");
}

static void print_kernel(const struct machine *m, const struct few_bench_kernel *k,
                         const char *title) {
  printf("  %9.3f %6d", 1e3 * k->seconds, k->calls);
  print_rate(k->gflop, k->seconds);
  print_rate(k->gbyte, k->seconds);
  print_limit(m, k);
  printf("  %s\n", title);
}

static void json_kernel(struct json *j, const struct few_bench_kernel *k) {
  json_open(j, NULL, '{');
  json_text(j, "op", k->op);
  json_text(j, "kernel", k->text);
  json_int(j, "calls", k->calls);
  json_number(j, "seconds", k->seconds);
  json_number(j, "gflop", k->gflop);
  json_number(j, "gbyte", k->gbyte);
  json_close(j);
}

static void profile_heading(const struct machine *m) {
  printf("\n  %9s %6s %9s %9s%s\n", "ms/step", "calls", "GFLOP/s", "GB/s",
         m->memory > 0 ? "  of the limit by" : "");
}

static void begin_profile(struct profile *p) {
  if (!p->json) {
    print_result(p->result);
    profile_heading(p->machine);
    return;
  }
  json_result(p->json, p->result);
  json_open(p->json, "kernels", '[');
}

static void take_kernel(void *user, const struct few_bench_kernel *k) {
  struct profile *p = user;
  int at = 0;
  while (at < p->n && strcmp(p->kind[at].op, k->op)) at++;
  if (at == p->n && p->n < MAX_KINDS) p->kind[p->n++] = (struct few_bench_kernel){.op = k->op};
  if (at < p->n) {
    p->kind[at].calls += k->calls;
    p->kind[at].seconds += k->seconds;
    p->kind[at].gflop += k->gflop;
    p->kind[at].gbyte += k->gbyte;
  }
  if (!p->n_seen++) begin_profile(p);
  if (p->json)
    json_kernel(p->json, k);
  else if (p->n_seen <= SHOWN)
    print_kernel(p->machine, k, k->text);
}

static int most_time_first(const void *a, const void *b) {
  const struct few_bench_kernel *x = a, *y = b;
  return x->seconds < y->seconds ? 1 : x->seconds > y->seconds ? -1 : 0;
}

static void end_profile(struct profile *p) {
  if (p->json) {
    json_close(p->json);
    return;
  }
  if (p->n_seen > SHOWN)
    printf("  and %d more. By op, summed over all workers:\n", p->n_seen - SHOWN);
  profile_heading(p->machine);
  qsort(p->kind, (size_t)p->n, sizeof *p->kind, most_time_first);
  for (int i = 0; i < p->n; i++) print_kernel(p->machine, &p->kind[i], p->kind[i].op);
  printf("\n");
}

static int run(struct cli *cli, const void *opts) {
  const struct bench_opts *o = opts;
  struct few_bench_opts b = o->bench;
  if (b.batch % b.shards)
    return cli_usage("bench: --batch %" PRId64 " cannot be cut into --shards %" PRId64
                     " equal parts",
                     b.batch, b.shards);
  b.n_settings = o->set.n;
  b.settings = o->set.at;
  b.h = b.w = o->size;
  b.backend = o->common.backend;
  b.precision = o->common.precision;
  if (o->profile) b.profile = take_kernel;
  struct machine m = {.memory = 0};
  few_status st = look_at(cli, o, &m);
  if (st) return cli_status(cli, st);
  struct json j = {.out = stdout};
  if (o->common.json)
    json_heading(&j, &m, o);
  else
    print_heading(&m, o);
  int code = CLI_DONE;
  for (int i = 0; i < FEW_BENCH_CASES && !code; i++) {
    struct few_bench_result r;
    struct profile p = {.result = &r, .machine = &m, .json = o->common.json ? &j : NULL};
    if (!(o->cases >> i & 1)) continue;
    b.user = &p;
    st = few_bench(&r, cli->ctx, &b, (enum few_bench_case)i, m.peak);
    code = cli_status(cli, st);
    if (code) break;
    if (o->profile)
      end_profile(&p);
    else if (o->common.json)
      json_result(&j, &r);
    else
      print_result(&r);
    if (o->common.json) json_close(&j);
  }
  while (j.depth) json_close(&j);
  return code;
}

const struct command command_bench = {
    .name = "bench",
    .operands = "",
    .help = "Time whole steps of a network against the machine's peak.",
    .text = text,
    .options = options,
    .size = sizeof(struct bench_opts),
    .initial = &initial,
    .run = run};
