/* progressive.c - N steps of a progressively distilled student (Salimans and Ho, arXiv 2202.00512;
 * guided: Meng et al., arXiv 2210.03142).
 *
 * A student of N steps has learned, for each u = i/N of the cosine schedule, the image with which a
 * DDIM step goes to u - 1/N. So its sampler is DDIM on that grid (schedule cosine), with the N of
 * its training.
 */
#include "sampler.h"

const struct few_sampler_def few__sampler_progressive = {
    .version = FEW_SAMPLER_DEF_VERSION,
    .name = "progressive",
    .source = "Salimans and Ho, arXiv 2202.00512; Meng et al., arXiv 2210.03142",
    .help = "for progressively distilled students: DDIM on the grid i/N of their training",
    .schedule = "cosine",
    .steps = 4,
    .order = 1,
    .evals_per_step = 1,
    .both_ways = true,
    .run = few_sampling_ddim,
};
