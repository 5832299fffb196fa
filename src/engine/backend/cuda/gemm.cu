/* gemm.cu - matrix products by cuBLASLt. It is column-major, so it computes c^T = b^T a^T. */
#include "gemm.h"

#include "queue.h"

struct layouts {
  cublasLtMatmulDesc_t product;
  cublasLtMatrixLayout_t a, b, c;
  cublasLtMatmulPreference_t preference;
};

/* A row-major [rows, cols] matrix is a column-major [cols, rows] one. */
static bool layout(struct few_queue *q, cublasLtMatrixLayout_t *out, cudaDataType_t type,
                   int64_t rows, int64_t cols, int64_t batch, int64_t step) {
  const int32_t n = (int32_t)batch;
  return FEW_BLAS(q, cublasLtMatrixLayoutCreate(out, type, (uint64_t)cols, (uint64_t)rows, cols)) &&
         FEW_BLAS(q, cublasLtMatrixLayoutSetAttribute(*out, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &n,
                                                      sizeof n)) &&
         FEW_BLAS(q, cublasLtMatrixLayoutSetAttribute(
                         *out, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &step, sizeof step));
}

static const cudaDataType_t types[] = {CUDA_R_32F, CUDA_R_64F, CUDA_R_16BF};

static cublasComputeType_t compute_of(const struct few_gemm *s) {
  if (s->factors == FEW_GEMM_F64) return CUBLAS_COMPUTE_64F;
  return s->factors == FEW_GEMM_F32 && s->tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
}

/* The alignment of an array, in bytes. If it is not set, cuBLASLt's heuristics assume 256. */
static uint32_t alignment(const void *at) {
  const uintptr_t lowest = (uintptr_t)at & -(uintptr_t)at;
  return lowest == 0 || lowest > 256 ? 256 : (uint32_t)lowest;
}

static bool set_alignment(struct few_queue *q, struct layouts *l,
                          cublasLtMatmulPreferenceAttributes_t what, uint32_t bytes) {
  return FEW_BLAS(q,
                  cublasLtMatmulPreferenceSetAttribute(l->preference, what, &bytes, sizeof bytes));
}

/* Sets what the heuristics need. cuBLASLt's A is b, and its B is a. */
static bool prefer(struct few_queue *q, struct layouts *l, const void *a, const void *b,
                   const void *c) {
  const size_t workspace = WORKSPACE;
  return FEW_BLAS(q, cublasLtMatmulPreferenceCreate(&l->preference)) &&
         FEW_BLAS(q, cublasLtMatmulPreferenceSetAttribute(l->preference,
                                                          CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                                          &workspace, sizeof workspace)) &&
         set_alignment(q, l, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, alignment(b)) &&
         set_alignment(q, l, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, alignment(a)) &&
         set_alignment(q, l, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, alignment(c)) &&
         set_alignment(q, l, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, alignment(c));
}

static bool describe(struct few_queue *q, struct layouts *l, const struct few_gemm *s) {
  const cudaDataType_t in = types[s->factors], out = types[s->product];
  const cudaDataType_t scale = s->factors == FEW_GEMM_F64 ? CUDA_R_64F : CUDA_R_32F;
  const cublasOperation_t a = s->ta ? CUBLAS_OP_T : CUBLAS_OP_N,
                          b = s->tb ? CUBLAS_OP_T : CUBLAS_OP_N;
  return FEW_BLAS(q, cublasLtMatmulDescCreate(&l->product, compute_of(s), scale)) &&
         FEW_BLAS(q, cublasLtMatmulDescSetAttribute(l->product, CUBLASLT_MATMUL_DESC_TRANSA, &b,
                                                    sizeof b)) &&
         FEW_BLAS(q, cublasLtMatmulDescSetAttribute(l->product, CUBLASLT_MATMUL_DESC_TRANSB, &a,
                                                    sizeof a)) &&
         layout(q, &l->a, in, s->ta ? s->k : s->m, s->ta ? s->m : s->k, s->batch, s->a_step) &&
         layout(q, &l->b, in, s->tb ? s->n : s->k, s->tb ? s->k : s->n, s->batch, s->b_step) &&
         layout(q, &l->c, out, s->m, s->n, s->batch, s->c_step);
}

static void destroy(struct layouts *l) {
  if (l->preference) cublasLtMatmulPreferenceDestroy(l->preference);
  if (l->c) cublasLtMatrixLayoutDestroy(l->c);
  if (l->b) cublasLtMatrixLayoutDestroy(l->b);
  if (l->a) cublasLtMatrixLayoutDestroy(l->a);
  if (l->product) cublasLtMatmulDescDestroy(l->product);
}

static few_gemm_key key_of(const struct few_gemm *s, const void *a, const void *b, const void *c) {
  return {s->m,
          s->n,
          s->k,
          s->batch,
          s->ta,
          s->tb,
          s->a_step,
          s->b_step,
          s->c_step,
          s->factors,
          s->product,
          s->tf32,
          (int64_t)alignment(a) << 32 | alignment(b),
          alignment(c)};
}

/* The algorithm of this call: the first that the heuristics offer. It is chosen once and kept. */
static const cublasLtMatmulAlgo_t *algorithm(struct few_queue *q, struct layouts *l,
                                             const few_gemm_key &key, const void *a, const void *b,
                                             const void *c) {
  const auto known = q->gemms.find(key);
  if (known != q->gemms.end()) return &known->second;
  cublasLtMatmulHeuristicResult_t best;
  int found = 0;
  if (!prefer(q, l, a, b, c) ||
      !FEW_BLAS(q, cublasLtMatmulAlgoGetHeuristic(q->blas, l->product, l->b, l->a, l->c, l->c,
                                                  l->preference, 1, &best, &found)))
    return nullptr;
  if (!found) {
    few__cuda_fail(q, "a matrix product", "cuBLASLt has no algorithm for it");
    return nullptr;
  }
  return &(q->gemms[key] = best.algo);
}

void few__cuda_gemm(struct few_queue *q, const struct few_gemm *s, const void *a, const void *b,
                    void *c) {
  struct layouts l = {};
  const float one = 1, zero = 0;
  const double one64 = 1, zero64 = 0;
  const bool wide = s->factors == FEW_GEMM_F64;
  const void *alpha = wide ? (const void *)&one64 : &one;
  const void *beta = wide ? (const void *)&zero64 : &zero;
  if (s->m == 0 || s->n == 0 || s->batch == 0) return;
  if (describe(q, &l, s)) {
    const cublasLtMatmulAlgo_t *by = algorithm(q, &l, key_of(s, a, b, c), a, b, c);
    if (by)
      FEW_BLAS(q, cublasLtMatmul(q->blas, l.product, alpha, b, l.b, a, l.a, beta, c, l.c, c, l.c,
                                 by, q->workspace, WORKSPACE, q->stream));
  }
  destroy(&l);
}
