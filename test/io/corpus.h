/* corpus.h - tests parsers with valid files (y_*), with invalid files (n_*), and with every
 * truncation of a valid file. A corpus_parser parses bytes and frees the result. */
#ifndef FEW_TEST_CORPUS_H
#define FEW_TEST_CORPUS_H

#include "base/base.h"
#include "io/file.h"
#include "testing.h"

typedef few_status (*corpus_parser)(few_ctx *ctx, const char *place, const void *bytes, size_t n);

/* Parses a block of exactly n bytes, so that a sanitizer detects reading past the end. */
static inline few_status corpus_parse(few_ctx *ctx, corpus_parser parse, const char *place,
                                      const void *bytes, size_t n) {
  char *block = malloc(n ? n : 1);
  if (!block) abort();
  if (n) memcpy(block, bytes, n);
  few__fail(ctx, FEW_OK, "%s", "");
  few_status st = parse(ctx, place, block, n);
  free(block);
  if (st && strlen(few_error(ctx)) < 10) fail_msg("%s: no sentence: `%s`", place, few_error(ctx));
  if (st && !strstr(few_error(ctx), place)) fail_msg("%s: not in `%s`", place, few_error(ctx));
  return st;
}

/* Parses every file of FEW_TEST_DIR/io/data/<folder>: y_* must succeed, n_* must fail with a
 * sentence. */
static inline void corpus_check(few_ctx *ctx, const char *folder, corpus_parser parse) {
  char dir[512];
  struct few_names names;
  int yes = 0, no = 0;
  snprintf(dir, sizeof dir, "%s/io/data/%s", FEW_TEST_DIR, folder);
  assert_ok(ctx, few__list_dir(ctx, &names, dir));
  for (int i = 0; i < names.n; i++) {
    char *path, *bytes;
    size_t n;
    assert_ok(ctx, few__path_join(ctx, &path, dir, names.at[i]));
    assert_ok(ctx, few__file_read(ctx, &bytes, &n, path, 1 << 24));
    few_status st = corpus_parse(ctx, parse, names.at[i], bytes, n);
    if (names.at[i][0] == 'y' && st) fail_msg("%s", few_error(ctx));
    if (names.at[i][0] == 'n' && !st) fail_msg("%s: was read", names.at[i]);
    names.at[i][0] == 'y' ? yes++ : no++;
    few__free(ctx, bytes);
    few__free(ctx, path);
  }
  few__names_free(ctx, &names);
  if (!yes || !no) fail_msg("%s: %d right and %d wrong files", dir, yes, no);
}

/* Every proper prefix of a valid file must fail. */
static inline void corpus_truncate(few_ctx *ctx, corpus_parser parse, const void *bytes, size_t n) {
  assert_int_equal(corpus_parse(ctx, parse, "whole", bytes, n), FEW_OK);
  for (size_t k = 0; k < n; k++)
    if (!corpus_parse(ctx, parse, "cut", bytes, k)) fail_msg("%zu of %zu bytes were read", k, n);
}

/* Flips each bit in turn. Any result is accepted, but no crash. */
static inline void corpus_flip(few_ctx *ctx, corpus_parser parse, const void *bytes, size_t n) {
  unsigned char *copy = malloc(n ? n : 1);
  if (!copy) abort();
  memcpy(copy, bytes, n);
  for (size_t k = 0; k < n * 8; k++) {
    copy[k / 8] ^= (unsigned char)(1u << k % 8);
    corpus_parse(ctx, parse, "flip", copy, n);
    copy[k / 8] ^= (unsigned char)(1u << k % 8);
  }
  free(copy);
}

#endif
