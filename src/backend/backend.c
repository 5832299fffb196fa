/* backend.c - finds a backend by name. */
#include "backend/backend.h"

static const struct few_backend *(*const backends[])(void) = {
#define FEW_BACKEND(name) few__backend_##name,
#include "backend/backends.def"
};

const struct few_backend *few__backend_at(int i) {
  return 0 <= i && i < FEW_COUNT(backends) ? backends[i]() : NULL;
}

const struct few_backend *few__backend_find(const char *name) {
  for (int i = 0; i < FEW_COUNT(backends); i++)
    if (strcmp(backends[i]()->name, name) == 0) return backends[i]();
  return NULL;
}
