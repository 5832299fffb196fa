/* ceiling.h - runs a function with a limit on memory. */
#ifndef FEW_TEST_CEILING_H
#define FEW_TEST_CEILING_H

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "testing.h"

/* Sanitizers reserve terabytes for themselves, so with them there is no limit. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CEILING_HOLDS 0
#else
#define CEILING_HOLDS 1
#endif

static inline void ceiling_set(size_t bytes) {
  unsigned long pages = 0;
  FILE *f = fopen("/proc/self/statm", "r");
  if (!f || fscanf(f, "%lu", &pages) != 1) abort();
  fclose(f);
  struct rlimit r;
  if (getrlimit(RLIMIT_AS, &r)) abort();
  r.rlim_cur = pages * (size_t)sysconf(_SC_PAGESIZE) + bytes;
  if (setrlimit(RLIMIT_AS, &r)) abort();
}

/* Calls run(user) in a child process that may map `bytes` more than this process has mapped. */
static inline void under_ceiling(size_t bytes, void (*run)(void *user), void *user) {
  int status = 0;
  fflush(NULL);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    if (CEILING_HOLDS) ceiling_set(bytes);
    run(user);
    _exit(0); /* not reached after a failed assertion */
  }
  assert_int_equal(waitpid(child, &status, 0), child);
  if (!WIFEXITED(status) || WEXITSTATUS(status)) fail_msg("it failed with %zu bytes", bytes);
}

#endif
