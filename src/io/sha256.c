/* sha256.c - SHA-256 (FIPS 180-4). It identifies the file that a teacher or a reference came from.
 *
 * The message, a 1 bit, zeros, and the length in bits fill blocks of 64 bytes. Each block is mixed
 * into eight words in 64 rounds. The constants of the rounds are the first 32 bits of the
 * fractional parts of the cube roots of the first 64 primes. The initial words are those of the
 * square roots of the first 8 primes.
 */
#include "sha256.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "file.h"

static const uint32_t k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate(uint32_t x, int n) { return x >> n | x << (32 - n); }

/* The message schedule: 16 big-endian words and 48 made from them. */
static void expand(const uint8_t *b, uint32_t w[64]) {
  for (int i = 0; i < 16; i++, b += 4)
    w[i] = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
  for (int i = 16; i < 64; i++) {
    uint32_t x = w[i - 15], y = w[i - 2];
    uint32_t s0 = rotate(x, 7) ^ rotate(x, 18) ^ x >> 3;
    uint32_t s1 = rotate(y, 17) ^ rotate(y, 19) ^ y >> 10;
    w[i] = w[i - 16] + s0 + w[i - 7] + s1;
  }
}

static void mix(uint32_t h[8], const uint8_t *block) {
  uint32_t w[64], v[8];
  expand(block, w);
  memcpy(v, h, sizeof v);
  for (int i = 0; i < 64; i++) {
    uint32_t a = v[0], e = v[4];
    uint32_t s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
    uint32_t s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
    uint32_t choose = (e & v[5]) ^ (~e & v[6]);
    uint32_t most = (a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]);
    uint32_t t = v[7] + s1 + choose + k[i] + w[i];
    memmove(v + 1, v, 7 * sizeof v[0]);
    v[4] += t;
    v[0] = t + s0 + most;
  }
  for (int i = 0; i < 8; i++) h[i] += v[i];
}

void few__sha256_start(struct few_sha256 *s) {
  *s = (struct few_sha256){.h = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
                                 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

void few__sha256_add(struct few_sha256 *s, const void *bytes, size_t n) {
  const uint8_t *p = bytes;
  while (n) {
    size_t used = s->bytes % 64, take = n < 64 - used ? n : 64 - used;
    memcpy(s->block + used, p, take);
    s->bytes += take;
    p += take;
    n -= take;
    if (used + take == 64) mix(s->h, s->block);
  }
}

void few__sha256_end(struct few_sha256 *s, char out[FEW_SHA256_TEXT]) {
  static const uint8_t padding[64] = {0x80};
  uint64_t bits = s->bytes * 8;
  uint8_t length[8];
  for (int i = 0; i < 8; i++) length[i] = (uint8_t)(bits >> (56 - 8 * i));
  few__sha256_add(s, padding, 1 + (119 - s->bytes % 64) % 64);
  few__sha256_add(s, length, 8);
  assert(s->bytes % 64 == 0); /* no block is left unfinished */
  for (int i = 0; i < 8; i++) snprintf(out + 8 * i, 9, "%08x", (unsigned)s->h[i]);
}

few_status few__sha256_file(few_ctx *ctx, char out[FEW_SHA256_TEXT], const char *path) {
  enum { PIECE = 1 << 16 };
  struct few_sha256 s;
  char *piece;
  few_status st = FEW_OK;
  out[0] = 0;
  FEW_TRY(
      few__file_check(ctx, path)); /* a pipe that was read already would give the hash of nothing */
  FEW_TRY(few__new(ctx, &piece, PIECE, 1));
  few__sha256_start(&s);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) st = few__fail_errno(ctx, "open", path, errno);
  for (ssize_t n = 1; !st && n;) {
    n = read(fd, piece, PIECE);
    if (n > 0) few__sha256_add(&s, piece, (size_t)n);
    if (n < 0 && errno != EINTR) st = few__fail_errno(ctx, "read", path, errno);
  }
  if (fd >= 0) close(fd);
  if (!st) few__sha256_end(&s, out);
  few__free(ctx, piece);
  return st;
}
