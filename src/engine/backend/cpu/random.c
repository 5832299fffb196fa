/* random.c - uniform numbers, VF_W blocks of Philox at a time: dropout draws one per activation.
 * The bits are those of base/rng.c: integers are exact, and so are all conversions but the last,
 * which rounds in the same way. Normals are computed by base/rng.c itself, because there are few.
 */
#include "base/rng.h"
#include "cpu.h"
#include "shape_tile.h"

typedef uint32_t vu __attribute__((vector_size(VF_W * 4)));
typedef uint64_t vq __attribute__((vector_size(VF_W * 4)));
typedef int32_t vi_half __attribute__((vector_size(VF_W * 2)));

/* The 64-bit products of the 32-bit lanes 0, 2, 4, ... */
VF_INLINE vq multiply_even(vq a, vq b) {
#if VF_W == 16
  return (vq)_mm512_mul_epu32((__m512i)a, (__m512i)b);
#elif VF_W == 8
  return (vq)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#elif defined(__SSE2__)
  return (vq)_mm_mul_epu32((__m128i)a, (__m128i)b);
#else
  return (a & 0xffffffffu) * (b & 0xffffffffu);
#endif
}

/* For each lane, the high and the low half of the product a b. Assumes little-endian order: lane 0
 * is the low half of the first 64-bit lane. */
VF_INLINE vu multiply_high_low(vu a, uint32_t b, vu *low) {
  const vq by = (vq){0} + b, even = multiply_even((vq)a, by), odd = multiply_even((vq)a >> 32, by);
  const vq low_mask = (vq){0} + 0xffffffffu;
  *low = (vu)((even & low_mask) | odd << 32);
  return (vu)(even >> 32 | (odd & ~low_mask));
}

static void philox(vu c[4], uint64_t seed) {
  uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
  for (int round = 0; round < 10; round++) {
    vu low0, low1;
    const vu high0 = multiply_high_low(c[0], 0xD2511F53u, &low0);
    const vu high1 = multiply_high_low(c[2], 0xCD9E8D57u, &low1);
    c[0] = high1 ^ c[1] ^ k0;
    c[1] = low1;
    c[2] = high0 ^ c[3] ^ k1;
    c[3] = low0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
}

/* Writes 4 VF_W uniform numbers, from block `block` of the stream on. */
static void uniforms(const struct few_rng *r, uint32_t block, float *out) {
  uint32_t lane[VF_W];
  for (uint32_t i = 0; i < VF_W; i++) lane[i] = block + i;
  vu c[4] = {{0}, {0}, {0}, {0}};
  memcpy(&c[0], lane, sizeof lane);
  c[1] += (uint32_t)r->row;
  c[2] += (uint32_t)r->step;
  c[3] += r->purpose << 16 | (uint32_t)(r->step >> 32) << 8 | (uint32_t)(r->row >> 32);
  philox(c, r->seed);
  float word[4][VF_W];
  for (int w = 0; w < 4; w++) {
    uint32_t bits[VF_W];
    c[w] ^= 0x80000000u;
    memcpy(bits, &c[w], sizeof bits);
    for (int h = 0; h < VF_W; h += VD_W) {
      /* Every machine converts signed integers; adding 2^31 below restores the unsigned value. */
      vi_half signed_bits;
      memcpy(&signed_bits, bits + h, sizeof signed_bits);
      const vd x = (__builtin_convertvector(signed_bits, vd) + (0x1p31 + 0.5)) * 0x1p-32;
      *(vf_half_any *)(word[w] + h) = __builtin_convertvector(x, vf_half);
    }
  }
  transpose_tile((struct to){out, false}, 4, num_f32(word[0]), VF_W, 4, VF_W);
}

void FEW_ISA(few__cpu_randu)(const struct few_call *call) {
  assert(call->shape.rank >= 1);
  int64_t n = 1;
  for (int k = 1; k < call->shape.rank; k++) n *= call->shape.dim[k];
  float *out = call->out;
  for (int64_t row = 0; row < call->shape.dim[0]; row++, out += n) {
    const struct few_rng r = {.seed = call->key.seed,
                              .step = call->key.step,
                              .row = call->key.row0 + (uint64_t)row,
                              .purpose = (uint32_t)call->node->attr.random.purpose};
    assert(r.step >> 40 == 0 && r.row >> 40 == 0 && r.purpose >> 16 == 0);
    for (int64_t i = 0; i < n; i += 4 * VF_W) {
      float some[4 * VF_W];
      const bool whole = n - i >= 4 * VF_W;
      uniforms(&r, (uint32_t)(i / 4), whole ? out + i : some);
      if (!whole) memcpy(out + i, some, (size_t)(n - i) * sizeof *out);
    }
  }
}
