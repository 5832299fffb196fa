/* load.c - the CUDA backend lies in a library of its own, libfew_cuda.so, that needs NVIDIA's: one
 * program runs with and without. It is looked for where FEW_CUDA_LIBRARY says; or else beside the
 * program, in lib/ beside its folder, and where the system looks for libraries.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "backend/backend.h"
#include "backend/cuda/plugin.h"

#pragma weak few_cuda_backend /* a program may also be linked with it */

static char why[400];
static struct few_backend missing = {.name = "cuda", .help = "NVIDIA GPUs", .missing = why};
static const struct few_backend *found = &missing;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* The first that can be loaded; the last one's mistake is told. */
static void *load(void) {
  const char *given = getenv("FEW_CUDA_LIBRARY");
  char at[2][4200], folder[4096];
  if (given && *given) return dlopen(given, RTLD_NOW | RTLD_LOCAL);
  ssize_t n = readlink("/proc/self/exe", folder, sizeof folder - 1);
  while (n > 0 && folder[n - 1] != '/') n--;
  folder[n > 0 ? n : 0] = 0;
  snprintf(at[0], sizeof at[0], "%slibfew_cuda.so", folder);
  snprintf(at[1], sizeof at[1], "%s../lib/libfew_cuda.so", folder);
  for (int i = 0; i < 2; i++)
    if (access(at[i], R_OK) == 0) return dlopen(at[i], RTLD_NOW | RTLD_LOCAL);
  return dlopen("libfew_cuda.so", RTLD_NOW | RTLD_LOCAL);
}

static void look(void) {
  const char *given = getenv("FEW_CUDA_LIBRARY");
  const struct few_backend *(*open)(int) = given && *given ? NULL : few_cuda_backend;
  void *library = open ? NULL : load();
  if (!open && !library) {
    snprintf(why, sizeof why, "%s", dlerror());
    return;
  }
  void *symbol = open ? NULL : dlsym(library, "few_cuda_backend");
  if (symbol) memcpy(&open, &symbol, sizeof open); /* ISO C has no cast for this */
  const struct few_backend *b = open ? open(FEW_CUDA_ABI) : NULL;
  if (b)
    found = b;
  else
    snprintf(why, sizeof why, "libfew_cuda.so is of another version of few: build both together");
}

const struct few_backend *few__backend_cuda(void) {
  pthread_once(&once, look);
  return found;
}
