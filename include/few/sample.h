/* few/sample.h - sampling a model: images from noise, noise from images, and files of both.
 *
 * Images are floats [n][h*w*c] in the order H, W, C. Pixels of the data are in [-1, 1]; samples are
 * not clipped and may lie outside this range. Points are in the units of their data set.
 *
 * Errors and threads are those of the runner (few/run.h).
 */
#ifndef FEW_SAMPLE_H
#define FEW_SAMPLE_H

#include "few/base.h"
#include "few/option.h"
#include "few/run.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Labels that are not a class. */
enum {
  FEW_LABEL_EACH = -1,  /* one class after the other, all equally often */
  FEW_LABEL_NONE = -2,  /* no label */
  FEW_LABEL_SHARES = -3 /* each class as often as in the training data; all equally often if the
                           model has no class counts (few_model_info.class_counts NULL) */
};

/* What a sampler has before one evaluation of the network, or at its end: n images of the call,
 * from its `first` on, as [n][h*w*c] in the units of images. Borrowed during the call. */
struct few_sample_step {
  int64_t first, n;
  int evaluation;        /* from 0; at the end, the number of evaluations */
  double t, to;          /* radians: the time, and that to which the step goes; at the end both 0 */
  const float *x;        /* noisy images x_t, whose mean and scale are those of the data */
  const float *denoised; /* the images that the network estimates from x; at the end the samples */
};

struct few_sample_opts {
  int version;          /* FEW_SAMPLE_OPTS_VERSION */
  int64_t n;            /* images, at least 1 */
  int64_t first;        /* index of the first, at least 0; first + n is at most 2^40 */
  int steps;            /* 0: the sampler's own (few_component.steps); at most 2^20 */
  uint64_t seed;        /* image i depends on seed, i and these options, and on nothing else */
  const char *sampler;  /* NULL: the model's own */
  int label;            /* a class, or FEW_LABEL_*. Classes that the training data lack are skipped.
                          The class of image i does not depend on n or first */
  double guidance;      /* guidance scale, 0 or more; 1: none. By classifier-free guidance, or as an
                          input of the network if it has one */
  int64_t batch;        /* images in memory at once; 0: chosen by few. Never changes a result */
  int n_times;          /* > 0: times[] are the sampler's times */
  const double *times;  /* radians, falling */
  const char *schedule; /* source of the times if n_times is 0: a FEW_COMPONENT_SCHEDULE, or a file
                           of few_olss, whose name ends in .json. NULL: the model's own times, or
                           else the sampler's own schedule */
  int n_settings;       /* options of the sampler, each "key=value" (few_component.options) */
  const char *const *settings;
  /* `guidance` and `autoguidance` act only at times t with guidance_from <= t <= guidance_to
   * (Kynkaanniemi et al., arXiv 2404.07724). In radians: 0 is the image, pi/2 is noise. */
  double guidance_from, guidance_to;
  /* Autoguidance (Karras et al., arXiv 2406.02507): the denoised image is D_worse + s (D -
   * D_worse), where D_worse is that of a worse model. This is the worse model. It must have the
   * same image shape, classes and data scale as the runner's model, and the same context. Borrowed.
   * NULL: no autoguidance. */
  few_runner *autoguide;
  double autoguidance; /* s, 0 or more; 1: none */
  /* Limit denoised images at every evaluation: to -clip .. clip (DDPM), in the units of images; 0:
   * no limit. With threshold p in (0, 1] the limit is that quantile of the absolute values of the
   * denoised image, if it is above clip, and the image is then scaled to clip (dynamic
   * thresholding, Saharia et al., arXiv 2205.11487); 0: no threshold. Only for velocity fields and
   * consistency models. */
  double clip, threshold;
  int64_t *finished; /* set to the number of finished images as they are finished, also when the
                          call fails. May be NULL */
  /* Called with each step of each batch, in the thread of the call. An error that it returns stops
   * the call, which returns it. NULL: not called. */
  few_status (*watch)(void *user, const struct few_sample_step *step);
  void *watch_user;
  /* Noise that a sampler adds after the start is that of image `first` in all images, so that they
   * differ by their starts only. */
  bool same_noise;
};
#define FEW_SAMPLE_OPTS_VERSION 5
#define FEW_SAMPLE_OPTS_INIT                                                                   \
  {                                                                                            \
    FEW_SAMPLE_OPTS_VERSION, 1, 0, 0, 0, NULL, FEW_LABEL_EACH, 1.0, 0, 0, NULL, NULL, 0, NULL, \
        0.0, 2.0, NULL, 1.0, 0.0, 0.0, NULL, NULL, NULL, false                                 \
  }

/* ---- Sampling options as text ---- */

/* Sampling options that are set from text: opts, and storage for the lists and texts to which opts
 * points. Set members by few_option_set with few_sample_options(). Then call
 * few_sample_args_open. */
struct few_sample_args {
  int version; /* FEW_SAMPLE_ARGS_VERSION */
  struct few_sample_opts opts;
  struct few_real_list times, guidance_times;
  struct few_text_list set; /* borrowed */
  const char *autoguide;    /* file of the model that guides, borrowed; NULL: none */
  double autoguidance;      /* 0: not given, which means 2 with autoguide */
  few_model *guide;         /* set by few_sample_args_open; NULL: none */
};
#define FEW_SAMPLE_ARGS_VERSION 1
#define FEW_SAMPLE_ARGS_INIT                                                                   \
  {                                                                                            \
    FEW_SAMPLE_ARGS_VERSION, FEW_SAMPLE_OPTS_INIT, {0, {0}}, {0, {0}}, {0, {NULL}}, NULL, 0.0, \
        NULL                                                                                   \
  }

/* The option table of struct few_sample_args. It does not have n, first, seed, label and batch,
 * which belong to one call. The program, its help and the reports of few_eval read this table. To
 * add an option, add a member to few_sample_opts and a row to this table. */
FEW_API const struct few_option *few_sample_options(void);
/* Checks that the options agree, loads the model that guides, and completes args->opts. Do not move
 * *args afterwards, since opts points into it. FEW_E_INVALID for options that exclude each other or
 * have no effect. Call few_sample_args_close also after a failure. */
FEW_API FEW_MUST_USE few_status few_sample_args_open(struct few_sample_args *args, few_ctx *ctx);
FEW_API void few_sample_args_close(struct few_sample_args *args);

/* Sample images[n][h*w*c]. labels[n] (may be NULL) receive the classes, -1 for none; *nfe (may be
 * NULL) the network evaluations per image. Reports progress several times a second. After an error,
 * FEW_E_CANCELLED included, images and labels hold the *opts->finished images that were finished,
 * and the rest is undefined. */
FEW_API FEW_MUST_USE few_status few_sample(float *images, int32_t *labels, int *nfe, few_runner *r,
                                           const struct few_sample_opts *opts);

/* Samples from noise[n][h*w*c] of unit variance, such as another program's or that of few_encode.
 * Noise that a sampler adds later is drawn from the seed. */
FEW_API FEW_MUST_USE few_status few_sample_from(float *images, int32_t *labels, int *nfe,
                                                few_runner *r, const struct few_sample_opts *opts,
                                                const float *noise);

/* The classes labels[opts->n] that few_sample gives its images, -1 for none. */
FEW_API FEW_MUST_USE few_status few_sample_labels(int32_t *labels, few_runner *r,
                                                  const struct few_sample_opts *opts);

/* Checks opts as few_sample does, without sampling. *sampler is the name of the selected sampler
 * (static), *steps its number of steps; either may be NULL. Logs a warning for a combination that
 * runs but samples poorly, such as an ODE solver on a consistency model. */
FEW_API FEW_MUST_USE few_status few_sample_plan(const char **sampler, int *steps, few_runner *r,
                                                const struct few_sample_opts *opts);

/* Writes the images that few_sample made with opts.
 *   PATH.png  a grid with `columns` columns (0: as square as possible); for points, their density
 *   PATH.npy  uint8 [n,h,w,c], for points float32 [n,d]; labels, unless NULL, go to PATH with
 *             ".labels.npy" in place of ".npy". If the names of classes are numbers, these numbers
 *             are written
 *   else      a folder with one PNG file per image, not for points. The name of a file is the index
 *             of its image, such as 000041.png; the first index is opts->first
 * PNG files contain model, seed and steps as text. Each file is atomic. A folder reports progress,
 * and keeps the files that were written before it was cancelled. FEW_E_DIVERGED if a value is not
 * finite; nothing is written then. */
FEW_API FEW_MUST_USE few_status few_sample_write(few_runner *r, const char *path,
                                                 const struct few_sample_opts *opts,
                                                 const float *images, const int32_t *labels,
                                                 int64_t columns);

/* An animation: frame k shows the images frames[k], [n][h*w*c]. */
struct few_animation {
  int version; /* FEW_ANIMATION_VERSION */
  int n_frames;
  int64_t n;            /* images or points in a frame */
  const float *frames;  /* [n_frames][n][h*w*c] in the units of images, such as few_sample_step.x */
  int64_t columns;      /* 0: as square as possible */
  int64_t milliseconds; /* of a frame; the last one is shown ten times as long */
};
#define FEW_ANIMATION_VERSION 1
#define FEW_ANIMATION_INIT \
  { FEW_ANIMATION_VERSION, 0, 0, NULL, 0, 150 }
/* Writes an animated PNG, atomically. Programs that cannot animate it show the last frame.
 * FEW_E_DIVERGED if a value is not finite. */
FEW_API FEW_MUST_USE few_status few_animation_write(few_runner *r, const char *path,
                                                    const struct few_animation *animation);

/* ---- From images to noise, and back ---- */

/* Encodes images: finds the noise that the model's flow maps to them, by running its sampler
 * backwards or by a distilled encoder (objective progressive, direction encode). label[n]: -1 for
 * none; NULL: opts->label. noise[n][h*w*c] has about unit variance, and may be the same array as
 * images. opts as for few_sample, but the seed has no effect, and a sampler that draws noise is
 * refused. FEW_E_INVALID for models that go only from noise to images. */
FEW_API FEW_MUST_USE few_status few_encode(float *noise, int *nfe, few_runner *r,
                                           const struct few_sample_opts *opts, const float *images,
                                           const int32_t *label);
/* Decodes noise: few_sample_from with a label for each image. */
FEW_API FEW_MUST_USE few_status few_decode(float *images, int *nfe, few_runner *r,
                                           const struct few_sample_opts *opts, const float *noise,
                                           const int32_t *label);

/* Options for transferring images from the domain of model a to that of model b (Su et al., arXiv
 * 2203.08382): a encodes, b decodes. Both may be the same runner, with other labels. */
struct few_transfer_opts {
  int version;                                   /* FEW_TRANSFER_OPTS_VERSION */
  few_runner *a, *b;                             /* of one context */
  const struct few_sample_opts *encode, *decode; /* with the same n and first */
  const int32_t *from, *to;                      /* [n] labels; NULL: those of encode and decode */
};
#define FEW_TRANSFER_OPTS_VERSION 2
#define FEW_TRANSFER_OPTS_INIT \
  { FEW_TRANSFER_OPTS_VERSION, NULL, NULL, NULL, NULL, NULL, NULL }
/* out[n][h*w*c] may be the same array as images. decode->finished counts as in few_sample: each
 * block of images is encoded and decoded before the next block begins. */
FEW_API FEW_MUST_USE few_status few_transfer(float *out, int *nfe,
                                             const struct few_transfer_opts *opts,
                                             const float *images);

/* The noise[n][h*w*c] from which few_sample starts images first .. first + n - 1 of a seed. */
FEW_API FEW_MUST_USE few_status few_noise_draw(float *noise, few_runner *r, uint64_t seed,
                                               int64_t first, int64_t n);
/* Spherical interpolation of two noises: out[n][h*w*c] goes from a to b by equal angles, and
 * begins and ends with exactly these. n is at least 2. FEW_E_INVALID if a and b are opposite. */
FEW_API FEW_MUST_USE few_status few_noise_between(float *out, few_runner *r, int64_t n,
                                                  const float *a, const float *b);

/* Writes n noises to an .npy file as float32 [n,h,w,c], of points [n,d]. Atomic. */
FEW_API FEW_MUST_USE few_status few_noise_write(few_runner *r, const char *path, int64_t n,
                                                const float *noise);

/* Reads noise from an .npy file of real numbers: [n,h,w,c], of points [n,d], or [n,c,h,w], as most
 * other programs have it, if h, w and c tell the two apart. *n is set to the number of noises. Call
 * it with noise NULL first, for *n only, then with an array for as many. */
FEW_API FEW_MUST_USE few_status few_noise_read(float *noise, int64_t *n, few_runner *r,
                                               const char *path);

/* ---- Schedules fitted to a model (Duan et al., arXiv 2305.14677) ---- */

struct few_olss_opts {
  int version;          /* FEW_OLSS_OPTS_VERSION */
  int steps;            /* of the schedule, 1 to `full` */
  int full;             /* steps of the long run that it is fitted to, at most 1000 */
  const char *sampler;  /* of the long run: first or second order, one evaluation per step */
  const char *schedule; /* of the long run, by name; NULL: the sampler's own */
  int64_t n;            /* samples of the long run; 0: chosen. n * h * w * c must be at least
                           2 * full + 1 */
  uint64_t seed;
  int label; /* as in few_sample_opts; the schedule suits this label and guidance */
  double guidance;
  bool even; /* spread the times evenly over those of the long run, without a search */
};
#define FEW_OLSS_OPTS_VERSION 1
#define FEW_OLSS_OPTS_INIT \
  { FEW_OLSS_OPTS_VERSION, 8, 100, "ddim", NULL, 0, 0, FEW_LABEL_SHARES, 1.0, false }
/* A step of the schedule. t: its time. rms: root mean square error of the state after this step,
 * compared with the long run's state at that time (in the units of the network, in which the data
 * have standard deviation sigma_data). ddim_rms: the same error with DDIM's weights for this
 * step and all before it. */
struct few_olss_step {
  double t, rms, ddim_rms;
};
/* Fits a schedule and writes it to a file (docs/format.md, section 8) for few_sample_opts.schedule.
 * step[opts->steps] may be NULL. Reports progress. */
FEW_API FEW_MUST_USE few_status few_olss(struct few_olss_step *step, few_runner *r,
                                         const struct few_olss_opts *opts, const char *path);

#ifdef __cplusplus
}
#endif
#endif
