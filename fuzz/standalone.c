/* standalone.c - replays files through a fuzz target without a fuzzer, for ordinary test runs.
 *
 *   fuzz_x FILE|FOLDER ...
 *
 * Each file is tried whole, truncated, and with single bytes changed by a fixed rule. It is in a
 * block of exactly its size, so a sanitizer detects reading past the end. */
#include "fuzz.h"
#include "io/file.h"

enum { CUTS = 64, CHANGES = 256, FILE_MAX = 1 << 24 };

static void try_block(const uint8_t *bytes, size_t n) {
  uint8_t *block = malloc(n ? n : 1);
  FUZZ_REQUIRE(block);
  if (n) memcpy(block, bytes, n);
  LLVMFuzzerTestOneInput(block, n);
  free(block);
}

static void replay(uint8_t *bytes, size_t n) {
  try_block(bytes, n);
  for (size_t i = 0; i < CUTS && i < n; i++) try_block(bytes, n * i / CUTS);
  for (uint32_t i = 0; n && i < CHANGES; i++) {
    uint32_t r = i * 2654435761u;
    uint8_t *at = &bytes[(n < CHANGES ? i : r >> 8) % n], old = *at;
    *at = (uint8_t)(i % 4 ? old ^ 1u << r % 8 : r >> 16);
    try_block(bytes, n);
    *at = old;
  }
}

static void replay_file(few_ctx *ctx, const char *path) {
  char *bytes;
  size_t n;
  if (few__file_read(ctx, &bytes, &n, path, FILE_MAX)) {
    fprintf(stderr, "%s\n", few_error(ctx));
    exit(1);
  }
  replay((uint8_t *)bytes, n);
  few__free(ctx, bytes);
}

static int replay_folder(few_ctx *ctx, const char *dir) {
  struct few_names names;
  FUZZ_REQUIRE(few__list_dir(ctx, &names, dir) == FEW_OK);
  for (int i = 0; i < names.n; i++) {
    char *path;
    FUZZ_REQUIRE(few__path_join(ctx, &path, dir, names.at[i]) == FEW_OK);
    replay_file(ctx, path);
    few__free(ctx, path);
  }
  int n = names.n;
  few__names_free(ctx, &names);
  return n;
}

int main(int argc, char **argv) {
  few_ctx *ctx = fuzz_ctx();
  int files = 0;
  for (int i = 1; i < argc; i++) {
    if (few__path_is_dir(argv[i])) {
      files += replay_folder(ctx, argv[i]);
    } else {
      replay_file(ctx, argv[i]);
      files++;
    }
  }
  few_ctx_free(ctx);
  printf("%d files replayed\n", files);
  return files ? 0 : 1;
}
