/* load.c - loads the CUDA backend, libfew_cuda.so. It is a separate library, because it needs
 * NVIDIA's libraries and the program must also run without them. The environment variable
 * FEW_CUDA_LIBRARY names the file. Without it the library is looked for beside the program, in lib/
 * beside its folder, and where the system has libraries.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/backend/backend.h"
#include "engine/backend/library.h"
#include "plugin.h"

#pragma weak few_cuda_backend /* a program may also be linked with the library */

static char why[400];
static struct few_backend missing = {.name = "cuda", .help = "NVIDIA GPUs", .missing = why};
static const struct few_backend *found = &missing;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Returns NULL, with the reason in `why`, if the library cannot be loaded. A path is checked before
 * it is loaded; a name without a folder is not. */
static void *load_one(const char *path) {
  if (strchr(path, '/') && !few__library_is_whole(path, why, sizeof why)) return NULL;
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library) snprintf(why, sizeof why, "%s", dlerror());
  return library;
}

/* The path at which the system's loader would find the library, in its order; otherwise the name.
 */
static void *load_from_system(void) {
  static const char name[] = "libfew_cuda.so";
  static const char *const folders[] = {"/usr/local/lib", "/usr/lib/x86_64-linux-gnu", "/usr/lib"};
  const char *list = getenv("LD_LIBRARY_PATH");
  char at[4200];
  for (const char *p = list; p && *p;) {
    const size_t n = strcspn(p, ":;");
    snprintf(at, sizeof at, "%.*s/%s", (int)(n < 4000 ? n : 4000), n ? p : ".", name);
    if (access(at, R_OK) == 0 && !few__library_is_whole(at, why, sizeof why)) return NULL;
    p += n + (p[n] != 0);
  }
  for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
    snprintf(at, sizeof at, "%s/%s", folders[i], name);
    if (access(at, R_OK) == 0 && !few__library_is_whole(at, why, sizeof why)) return NULL;
  }
  return load_one(name);
}

/* Loads the first library that exists; on failure `why` is the reason. */
static void *load(void) {
  const char *given = getenv("FEW_CUDA_LIBRARY");
  char at[2][4200], folder[4096];
  if (given && *given) return load_one(given);
  ssize_t n = readlink("/proc/self/exe", folder, sizeof folder - 1);
  while (n > 0 && folder[n - 1] != '/') n--;
  folder[n > 0 ? n : 0] = 0;
  snprintf(at[0], sizeof at[0], "%slibfew_cuda.so", folder);
  snprintf(at[1], sizeof at[1], "%s../lib/libfew_cuda.so", folder);
  for (int i = 0; i < 2; i++)
    if (access(at[i], R_OK) == 0) return load_one(at[i]);
  return load_from_system();
}

static void look(void) {
  const char *given = getenv("FEW_CUDA_LIBRARY");
  const struct few_backend *(*open)(int) = given && *given ? NULL : few_cuda_backend;
  void *library = open ? NULL : load();
  if (!open && !library) return;
  void *symbol = open ? NULL : dlsym(library, "few_cuda_backend");
  if (symbol) memcpy(&open, &symbol, sizeof open); /* ISO C has no cast for this */
  const struct few_backend *b = open ? open(FEW_CUDA_ABI) : NULL;
  if (b)
    found = b;
  else
    snprintf(why, sizeof why,
             "libfew_cuda.so belongs to another version of few: build both together");
}

const struct few_backend *few__backend_cuda(void) {
  pthread_once(&once, look);
  return found;
}
