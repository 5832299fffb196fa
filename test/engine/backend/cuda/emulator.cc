/* emulator.cc - see emulator.h. Each thread is a fiber. */
#include "emulator.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

struct emu_dim threadIdx, blockIdx, blockDim, gridDim;
unsigned char *emu_dynamic;

enum { MOST_THREADS = 1024, STACK = 64 << 10 };

/* Threads that wait for each other: those of a block, or those of a warp. */
struct group {
  int alive, waiting;
  uint64_t turn;
  uint64_t slot[2][32];
};

/* A fiber starts once, on a stack of its own, and runs one kernel after the other. */
struct thread {
  jmp_buf at;
  bool begun, done;
};

static struct {
  jmp_buf home;
  ucontext_t first;
  char *stacks;
  struct thread thread[MOST_THREADS];
  struct group block, warp[MOST_THREADS / 32];
  int now;
  const std::function<void()> *kernel;
  bool moved; /* has any thread made progress in this round? */
} m;

/* _setjmp and _longjmp, unlike swapcontext, make no system call. */
static void yield(void) {
  if (_setjmp(m.thread[m.now].at) == 0) _longjmp(m.home, 1);
}

static void pass(struct group *g) {
  if (g->waiting < g->alive || g->alive == 0) return;
  g->waiting = 0;
  g->turn++;
  m.moved = true;
}

static void wait(struct group *g) {
  const uint64_t turn = g->turn;
  g->waiting++;
  pass(g);
  while (g->turn == turn) yield();
}

void __syncthreads(void) { wait(&m.block); }
int emu_lane(void) { return m.now % 32; }

uint64_t emu_exchange(uint64_t value, int lane) {
  struct group *g = &m.warp[m.now / 32];
  if (g->alive != 32) {
    fprintf(stderr, "emulator: a warp exchanges values, and %d of its lanes have left\n",
            32 - g->alive);
    abort();
  }
  uint64_t *slot = g->slot[g->turn % 2];
  slot[m.now % 32] = value;
  wait(g);
  return slot[lane];
}

void emu_exchange_all(uint64_t value, uint64_t all[32]) {
  struct group *g = &m.warp[m.now / 32];
  const uint64_t *slot = g->slot[g->turn % 2];
  emu_exchange(value, 0);
  memcpy(all, slot, 32 * sizeof *all);
}

/* The bf16 number k % 2 of word `word` of two words, as a float. */
static float half_of(uint64_t words, int word, int k) {
  const uint32_t bits = (uint32_t)(words >> 32 * word) >> 16 * (k % 2) << 16;
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

void emu_mma(float d[4], const uint32_t a[4], const uint32_t b[2]) {
  uint64_t left[32], right[32], columns[32]; /* a of both halves of k, and b */
  emu_exchange_all(a[0] | (uint64_t)a[1] << 32, left);
  emu_exchange_all(a[2] | (uint64_t)a[3] << 32, right);
  emu_exchange_all(b[0] | (uint64_t)b[1] << 32, columns);
  const int g = emu_lane() / 4, t = emu_lane() % 4;
  for (int r = 0; r < 4; r++)
    for (int k = 0; k < 16; k++) {
      const uint64_t *of = k < 8 ? left : right;
      const int column = 2 * t + r % 2, lane = k % 8 / 2;
      d[r] += half_of(of[4 * g + lane], r / 2, k) * half_of(columns[4 * column + lane], k / 8, k);
    }
}

void emu_load_turned(uint32_t b[2], const uint32_t *row) {
  uint64_t rows[32];
  emu_exchange_all((uint64_t)(uintptr_t)row, rows);
  const int g = emu_lane() / 4, t = emu_lane() % 4;
  for (int half = 0; half < 2; half++) {
    uint32_t pair[2];
    for (int k = 0; k < 2; k++) {
      const uint64_t at = rows[8 * half + 2 * t + k];
      if (at % 16) {
        fprintf(stderr, "emulator: a row of a matrix that is not aligned\n");
        abort();
      }
      pair[k] = ((const uint16_t *)(uintptr_t)at)[g];
    }
    b[half] = pair[0] | pair[1] << 16;
  }
}

static void thread_main(void) {
  for (;;) {
    (*m.kernel)();
    m.thread[m.now].done = true;
    m.moved = true;
    m.block.alive--;
    m.warp[m.now / 32].alive--;
    pass(&m.block);
    pass(&m.warp[m.now / 32]);
    yield();
  }
}

/* Runs thread m.now until it waits or ends. */
static void resume(void) {
  struct thread *x = &m.thread[m.now];
  if (_setjmp(m.home) != 0) return;
  if (x->begun) _longjmp(x->at, 1);
  x->begun = true;
  getcontext(&m.first);
  m.first.uc_stack.ss_sp = m.stacks + (size_t)m.now * STACK;
  m.first.uc_stack.ss_size = STACK;
  m.first.uc_link = NULL;
  makecontext(&m.first, thread_main, 0);
  setcontext(&m.first);
}

static void start_block(int threads) {
  m.block = {};
  m.block.alive = threads;
  for (int w = 0; w < threads / 32; w++) {
    m.warp[w] = {};
    m.warp[w].alive = 32;
  }
  for (int t = 0; t < threads; t++) m.thread[t].done = false;
}

static void run_block(int threads) {
  start_block(threads);
  while (m.block.alive > 0) {
    m.moved = false;
    for (m.now = 0; m.now < threads; m.now++) {
      if (m.thread[m.now].done) continue;
      threadIdx.x = (unsigned)m.now;
      resume();
    }
    if (!m.moved) {
      fprintf(stderr, "emulator: threads wait where others never come\n");
      abort();
    }
  }
}

void emu_run(int64_t blocks, int threads, size_t bytes, const std::function<void()> &kernel) {
  if (threads < 1 || threads > MOST_THREADS || threads % 32) {
    fprintf(stderr, "emulator: a block of %d threads\n", threads);
    abort();
  }
  if (!m.stacks) {
    m.stacks = (char *)mmap(NULL, (size_t)MOST_THREADS * STACK, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  }
  m.kernel = &kernel;
  blockDim = {(unsigned)threads, 1, 1};
  gridDim = {(unsigned)blocks, 1, 1};
  emu_dynamic = (unsigned char *)malloc(bytes + 16);
  for (int64_t b = 0; b < blocks; b++) {
    blockIdx = {(unsigned)b, 0, 0};
    memset(emu_dynamic, 0xff, bytes);
    run_block(threads);
  }
  free(emu_dynamic);
}
