/* fd.c - the Frechet distance of features (Heusel et al. 2017, arXiv:1706.08500; frechet.c has the
 * formula). With the pool3 features of the Inception network of 2015 it is called FID. With other
 * features it is another number, so it has another name here.
 *
 * The estimate is biased: it falls as n grows, by an amount that depends on the model (Chong and
 * Forsyth 2020, arXiv:1911.07023). Compare only numbers with the same n. If n <= d, the covariance
 * is singular. The distance of the two fitted normals is still exact, but a warning is logged.
 */
#include <math.h>
#include <stdio.h>

#include "frechet.h"
#include "metric.h"

static int64_t least(const struct few_metric_opts *o) {
  FEW_UNUSED(o);
  return 2;
}

static void warn_singular(few_ctx *ctx, const char *name, int64_t n, int64_t d, int64_t rank) {
  if (n > d || rank == d) return;
  few__log(ctx, FEW_LOG_WARN,
           "%s: %lld images in %lld dimensions give a singular covariance (rank %lld): the "
           "Frechet distance is exact for these images, but far too high for their distribution; "
           "take more than %lld images",
           name, (long long)n, (long long)d, (long long)rank, (long long)d);
}

few_status few__metric_moments(few_ctx *ctx, const struct few_metric_input *in,
                               const few_moments *a, const few_moments *b, const char *name,
                               struct few_metric_value *out) {
  struct few_frechet f;
  const int64_t d = few__moments_dim(a), n = few__moments_n(a), n_ref = few__moments_n(b);
  assert(few__moments_dim(b) == d && n >= 2 && n_ref >= 2);
  FEW_TRY(few__frechet(ctx, in->shared->w, a, b, &f));
  if (!in->replicate) {
    warn_singular(ctx, in->set->o.name, n, d, f.rank[0]);
    warn_singular(ctx, in->reference->o.name, n_ref, d, f.rank[1]);
  }
  *out = (struct few_metric_value){name, f.distance, (double)NAN, "", n, n_ref, ""};
  few__print(out->how, sizeof out->how, "of it means %.6g; ranks %lld and %lld of %lld",
             f.mean_part, (long long)f.rank[0], (long long)f.rank[1], (long long)d);
  return FEW_OK;
}

static few_status run(struct few_metric_value *out, few_ctx *ctx, struct few_metric_input *in) {
  return few__metric_moments(ctx, in, in->set->moments, in->reference->moments, "fd", out);
}

const struct few_metric_def few__metric_fd = {
    .version = FEW_METRIC_DEF_VERSION,
    .name = "fd",
    .alias = "fid",
    .source = "arXiv:1706.08500",
    .help = "Frechet distance; with Inception's features it is FID",
    .needs = FEW_NEED_MOMENTS | FEW_NEED_REFERENCE,
    .n_values = 1,
    .least = least,
    .run = run};
