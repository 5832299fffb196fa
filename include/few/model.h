/* few/model.h - a trained model: one safetensors file (docs/format.md).
 *
 * A model knows its architecture, the data it was made for (shape, scale, classes), what it was
 * trained as (a diffusion teacher, a consistency student) and where it came from.
 *
 * Threads: calls on one model, and on models of one context, one at a time; for more at once, load
 * the file into a context for each thread. What is borrowed lives as long as the model, unchanged:
 * a call that gives something newer leaves what was lent before. A NULL where none is allowed, an
 * option outside its range and a number that there is not are FEW_E_INVALID, with a sentence.
 */
#ifndef FEW_MODEL_H
#define FEW_MODEL_H

#include <stdio.h>

#include "few/base.h"
#include "few/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct few_model few_model;

/* Read a model. The context must outlive it. On failure *out is NULL. */
FEW_API FEW_MUST_USE few_status few_model_load(few_ctx *ctx, few_model **out, const char *path);
/* The same of a file's bytes, which are copied: a model inside a program. `name` is for messages.
 */
FEW_API FEW_MUST_USE few_status few_model_load_bytes(few_ctx *ctx, few_model **out,
                                                     const char *name, const void *bytes, size_t n);
FEW_API FEW_MUST_USE few_status few_model_save(const few_model *m, const char *path); /* atomic */
FEW_API void few_model_free(few_model *m); /* NULL is fine */

struct few_model_info {
  const char *net;       /* "unet" */
  const char *objective; /* what trained it: "diffusion", "scd", "sct" */
  const char *sampler;   /* what samples it best: "heun", "consistency" */
  int64_t h, w, c;       /* of an image; points: h = w = 1, c = dimensions */
  bool points;
  int64_t classes;             /* 0: no labels */
  const int64_t *class_counts; /* [classes] how many of the training data; NULL: not known */
  int unlabelled; /* saw rows without their label in training: 1; none: 0; not known: -1. A model
                     of 0 is neither guided (unless `guided`) nor sampled without a label */
  bool guided;    /* takes a guidance strength as an input */
  double guidance_min, guidance_max; /* the range it was trained on, where guided */
  int64_t parameters;
  double sigma_data;
  int64_t step;         /* training steps behind it */
  double flops;         /* of one evaluation of one image; 2 a multiply-add */
  bool span;            /* takes a second number a row: how far a step goes (few_model_eval_span) */
  const char *predicts; /* what its raw network says: "F", "eps" ... (docs/format.md); whatever it
                         * is, evaluating the model gives F */
  int n_times;          /* the model's own sampling times, falling; 0: it has none */
  const double *times;
  const char *direction; /* "both", or distilled steps that only "decode" or "encode" */
};
/* Strings, counts and times in *out are borrowed: few_model_set_times does not change them. */
FEW_API void few_model_info(const few_model *m, struct few_model_info *out);
/* Name of a class, NULL where it has none; borrowed. */
FEW_API const char *few_model_class_name(const few_model *m, int64_t label);
/* The class that a word stands for: its name or, where no class has this name, its number. */
FEW_API FEW_MUST_USE few_status few_model_find_class(const few_model *m, const char *word,
                                                     int *label);
/* map[few_data_n_classes(data)]: the model's class for each class of the data: the one of the same
 * name where all classes of both have names, otherwise the one of the same number. FEW_E_INVALID
 * where the model lacks one of them. */
struct few_data;
FEW_API FEW_MUST_USE few_status few_model_match_data(const few_model *m,
                                                     const struct few_data *data, int32_t *map);
/* The same of another model's classes: map[classes of `other`]. */
FEW_API FEW_MUST_USE few_status few_model_match_model(const few_model *m, const few_model *other,
                                                      int32_t *map);
/* Give the model sampling times of its own (radians in (0, pi/2], falling, at most
 * FEW_MODEL_MAX_TIMES): few_sample takes them with the model's own sampler where it is told neither
 * steps nor times nor a schedule, or as many steps. n 0: none. few_model_save keeps them. */
#define FEW_MODEL_MAX_TIMES 1024
FEW_API FEW_MUST_USE few_status few_model_set_times(few_model *m, int n, const double *times);
/* The JSON of the file's "few" metadata as few_model_save would write it now; borrowed. "" where
 * memory is out. */
FEW_API const char *few_model_metadata(const few_model *m);

/* Parameter array i of 0 .. few_model_parameter_rows - 1 (others: name NULL): name, shape, index of
 * its first value in few_model_values, which holds info.parameters floats. Layouts: docs/format.md,
 * section 2.2. */
struct few_model_parameter {
  const char *name;
  struct few_shape shape;
  int64_t offset;
};
FEW_API int few_model_parameter_rows(const few_model *m);
FEW_API void few_model_parameter(const few_model *m, int i, struct few_model_parameter *out);
FEW_API const float *few_model_values(const few_model *m);
FEW_API float *few_model_values_mut(few_model *m); /* to build models by hand and in tests */

/* The network as a graph: *out = F(x, t), [rows,h,w,c], where dx_t/dt = sigma_data F; inputs "x"
 * [rows,h,w,c] (x_t / sigma_data, of unit variance), "t" [rows] (TrigFlow radians), "label" [rows]
 * if it has classes, "guidance" [rows] if guided, "span" [rows] if info.span. A classifier reads
 * "x" alone, of clean images, and gives logits [rows,classes]. */
FEW_API FEW_MUST_USE few_status few_model_graph(const few_model *m, few_graph *g, int64_t rows,
                                                few_node *out);

/* Evaluate F for n rows. x is [n][h*w*c] with unit variance, and so is out but for a classifier's,
 * which is [n][classes]; label and guidance may be NULL (no label; 1). A model that predicts x has
 * no F at t = 0, one that predicts eps none at pi/2: these are refused. Results do not depend on
 * workers nor on how rows are grouped into calls, as long as a row's index modulo few_model_rows(m)
 * stays the same. */
FEW_API FEW_MUST_USE few_status few_model_eval(few_model *m, int64_t n, const float *x,
                                               const float *t, const int32_t *label,
                                               const float *guidance, float *out);
/* The same of a model whose info.span is true: span is [n], how far the step of each row goes, as
 * few_model_span says it. F then stands for the step: x_to = cos(t-to) x_t - sin(t-to) sigma_data
 * F.
 */
FEW_API FEW_MUST_USE few_status few_model_eval_span(few_model *m, int64_t n, const float *x,
                                                    const float *t, const float *span,
                                                    const int32_t *label, const float *guidance,
                                                    float *out);
/* What a model whose info.span is true is told of the step from t down to `to` (radians; the same
 * time twice asks for the field). FEW_E_INVALID for a step that it was not trained for. */
FEW_API FEW_MUST_USE few_status few_model_span(const few_model *m, double t, double to, float *out);
FEW_API int64_t few_model_rows(const few_model *m); /* rows of one replay */

/* ---- Sampling ---- */
struct few_sample_opts {
  int version;   /* FEW_SAMPLE_OPTS_VERSION */
  int64_t n;     /* images, at least 1 */
  int64_t first; /* index of the first: image i is the same in every call that has it;
                    first + n is at most 2^40 */
  int steps;     /* 0: the sampler's own choice, few_sampler_info; at most 2^20 */
  uint64_t seed;
  const char *sampler; /* NULL: the model's own */
  int label;           /* a class; FEW_LABEL_EACH: one class after the other, all equally often;
                          FEW_LABEL_SHARES: as often as in the training data, or equally often
                          where the model does not know; FEW_LABEL_NONE. Classes that the training
                          data lack are left out.
                          Image i has the same class in every call. */
  double guidance; /* 0 or more; 1: none. Teachers: classifier-free; guided students: their input */
  int64_t batch;   /* images in memory at once; 0: chosen. Never changes a result */
  int n_times;     /* > 0: times[] are the sampler's times in radians, falling */
  const double *times;
  const char *schedule; /* where the times come from otherwise: a name of few_schedule_list; a file
                           of few_olss, which ends in .json; NULL: the model's own times, or else
                           the sampler's own schedule */
  int n_settings;       /* "key=value" of the sampler's options, few_sampler_options */
  const char *const *settings;
  /* Guidance of either kind acts at times t (radians, pi/2 is noise) from the first to the second
   * (Kynkaanniemi et al., arXiv 2404.07724). */
  double guidance_from, guidance_to;
  /* Autoguidance (Karras et al., arXiv 2406.02507): away from a worse model of the same images,
   * classes and scale, D_worse + s (D - D_worse). NULL: none. Borrowed, of the same context. */
  few_model *autoguide;
  double autoguidance; /* s, 0 or more; 1: none */
  int64_t *finished;   /* where the number of finished images goes as they are finished, also when
                          the call fails: out and labels hold as many, from the first on. May be
                          NULL */
};
#define FEW_SAMPLE_OPTS_VERSION 2
#define FEW_LABEL_EACH (-1)
#define FEW_LABEL_NONE (-2)
#define FEW_LABEL_SHARES (-3)
#define FEW_SAMPLE_OPTS_INIT                                                                   \
  {                                                                                            \
    FEW_SAMPLE_OPTS_VERSION, 1, 0, 0, 0, NULL, FEW_LABEL_EACH, 1.0, 0, 0, NULL, NULL, 0, NULL, \
        0.0, 2.0, NULL, 1.0, NULL                                                              \
  }

/* opts may not be NULL. out[n][h*w*c]: images in [-1, 1] (not clipped), in the order H, W, C;
 * points in their own units. labels[n] (may be NULL) are those used, -1 for none. Evaluations of
 * the network per image go to *nfe (may be NULL). Reports progress several times a second. After
 * an error, as after FEW_E_CANCELLED, out and labels hold the *opts->finished images that were
 * finished before; the rest of them is undefined. */
FEW_API FEW_MUST_USE few_status few_sample(few_model *m, const struct few_sample_opts *opts,
                                           float *out, int32_t *labels, int *nfe);

/* What opts come to for this model: the sampler's name (static) and its steps. Fails as few_sample
 * would, before any work, and logs a warning of what runs but draws poor images: a solver on a
 * model of jumps, other steps than those that a model of few has learned. Both may be NULL. */
FEW_API FEW_MUST_USE few_status few_sample_plan(few_model *m, const struct few_sample_opts *opts,
                                                const char **sampler, int *steps);

/* Write what few_sample gave for opts: PATH.png a grid, PATH.npy uint8 [n,h,w,c] (points: float32
 * [n,d]) with labels (may be NULL) beside it in PATH less ".npy" plus ".labels.npy", classes that
 * are called by numbers as those; anything else a folder with image i in its file 000000i.png
 * (points are refused). A .png of points is an image of their density. PNG files tell model, seed
 * and steps as text. Each file is atomic; a folder reports progress, and keeps the files that were
 * written before it was cancelled. columns 0: as square as may be. A sample with a value that
 * is not finite is FEW_E_DIVERGED, and nothing is written. */
FEW_API FEW_MUST_USE few_status few_sample_write(few_model *m, const char *path,
                                                 const struct few_sample_opts *opts,
                                                 const float *samples, const int32_t *labels,
                                                 int64_t columns);

/* ---- Schedules fitted to a model (Duan et al., arXiv 2305.14677) ---- */
struct few_olss_opts {
  int version;          /* FEW_OLSS_OPTS_VERSION */
  int steps;            /* of the schedule, 1 to `full` */
  int full;             /* of the long run it is fitted to, at most 1000 */
  const char *sampler;  /* of the long run: of first or second order, one evaluation a step */
  const char *schedule; /* its, by name; NULL: the sampler's own */
  int64_t n;            /* samples of it; 0: chosen. n h w c must be 2 full + 1 at least */
  uint64_t seed;
  int label; /* as in few_sample; the schedule is for this label and guidance */
  double guidance;
  bool even; /* times spread evenly over the long run's, not searched for */
};
#define FEW_OLSS_OPTS_VERSION 1
#define FEW_OLSS_OPTS_INIT \
  { FEW_OLSS_OPTS_VERSION, 8, 100, "ddim", NULL, 0, 0, FEW_LABEL_SHARES, 1.0, false }
/* A step of the schedule: its time, and the root mean square of what it misses of the long run's
 * next state given its outputs (in the network's units, where data have sigma_data), beside what
 * DDIM on the same times misses. */
struct few_olss_step {
  double t, rms, ddim_rms;
};
/* Fit a schedule and write it to a file (docs/format.md, section 8), for few_sample_opts.schedule.
 * step[opts->steps] may be NULL. Reports progress. */
FEW_API FEW_MUST_USE few_status few_olss(few_model *m, const struct few_olss_opts *opts,
                                         const char *path, struct few_olss_step *step);

/* The samplers, for help texts. All strings are static. */
struct few_sampler_info {
  const char *name;   /* "heun" */
  const char *source; /* the paper */
  const char *help;   /* one line */
  int steps;          /* its own choice: what `steps` 0 means */
  bool solver;        /* follows the field of the flow, which models of jumps alone do not have */
};
FEW_API int few_sampler_list_count(void);
/* Sampler i of 0 .. count - 1; otherwise all NULL. So it is with every list of few. */
FEW_API struct few_sampler_info few_sampler_list(int i);
/* Its options, a line each, "" where it has none. *out is yours: few_text_free. */
FEW_API FEW_MUST_USE few_status few_sampler_options(few_ctx *ctx, int i, char **out);

/* The schedules of sampling times. */
struct few_schedule_info {
  const char *name, *help;
};
FEW_API int few_schedule_list_count(void);
FEW_API struct few_schedule_info few_schedule_list(int i);

/* ---- From images to noise, and back ---- */

/* The noise that the model's flow makes of images: its sampler backwards, or a distilled encoder
 * (objective progressive, direction encode). images[n][h*w*c] in [-1, 1] (points in their own
 * units), label[n] (-1 for none; NULL: opts->label) -> noise[n][h*w*c] of about unit variance.
 * opts as for few_sample; seed, and `sampler` of a kind that draws noise, have no meaning here.
 * FEW_E_INVALID for models that lead from noise to images alone. */
FEW_API FEW_MUST_USE few_status few_encode(few_model *m, const struct few_sample_opts *opts,
                                           const float *images, const int32_t *label, float *noise,
                                           int *nfe);
/* few_sample from noise that is given. */
FEW_API FEW_MUST_USE few_status few_decode(few_model *m, const struct few_sample_opts *opts,
                                           const float *noise, const int32_t *label, float *images,
                                           int *nfe);

/* From the domain of one model to that of another (Su et al., arXiv 2203.08382): encoded by a, then
 * decoded by b, each with options of its own. Both may be one model, told other labels. n and
 * `first` must agree. Images in and out may be the same array. decode->finished counts as in
 * few_sample: a few images go all the way before the next ones begin. */
struct few_transfer_opts {
  int version; /* FEW_TRANSFER_OPTS_VERSION */
  few_model *a, *b;
  const struct few_sample_opts *encode, *decode;
  const int32_t *from, *to; /* [n] labels; NULL: those of encode and decode */
};
#define FEW_TRANSFER_OPTS_VERSION 1
#define FEW_TRANSFER_OPTS_INIT \
  { FEW_TRANSFER_OPTS_VERSION, NULL, NULL, NULL, NULL, NULL, NULL }
FEW_API FEW_MUST_USE few_status few_transfer(const struct few_transfer_opts *opts,
                                             const float *images, float *out, int *nfe);

/* Write n noises as float32 [n,h,w,c] (points: [n,d]) to PATH, an .npy file. Atomic. */
FEW_API FEW_MUST_USE few_status few_noise_write(const few_model *m, const char *path, int64_t n,
                                                const float *noise);

/* How straight the paths from noise to images are (Liu et al., arXiv 2209.03003): with the flow
 * y_u = (1-u) x0 + u eps, of velocity v,   S = E int_0^1 |v(y_u) - (y_1 - y_0)|^2 du   per value,
 * along opts->steps steps (0: 64) of Euler on opts->n paths. 0: every path is a straight line, and
 * one step is enough. opts gives images, labels, guidance and seed; its sampler and times are not
 * looked at. */
FEW_API FEW_MUST_USE few_status few_model_straightness(few_model *m,
                                                       const struct few_sample_opts *opts,
                                                       double *out);

/* ---- Looking at a model ---- */
/* What the model is, as text: its options and data, then a line a layer with shape, parameters and
 * FLOPs, or a line a node. opts may be NULL. *out is yours: few_text_free. */
struct few_show_opts {
  int version;  /* FEW_SHOW_OPTS_VERSION */
  bool graph;   /* every node; otherwise a summary by layer */
  int64_t rows; /* of the traced network */
};
#define FEW_SHOW_OPTS_VERSION 1
#define FEW_SHOW_OPTS_INIT \
  { FEW_SHOW_OPTS_VERSION, false, 1 }
FEW_API FEW_MUST_USE few_status few_model_show(few_model *m, const struct few_show_opts *opts,
                                               char **out);
FEW_API void few_text_free(few_ctx *ctx, char *text);

/* The derivative checker on this model's own network and weights, in f64: the network by its
 * inputs, by its parameters, and its tangent by its parameters. Seconds to minutes: it reports
 * progress. A wrong derivative is not an error: look at `ok`. */
struct few_model_check {
  const char *what;           /* "the network by its inputs"; static */
  double difference, adjoint; /* few/check.h: relative errors */
  double difference_bound, adjoint_bound;
  bool ok; /* neither is above its bound */
};
enum { FEW_MODEL_CHECKS = 3 };
FEW_API FEW_MUST_USE few_status few_model_check(few_model *m,
                                                struct few_model_check out[FEW_MODEL_CHECKS]);

/* How large activations and gradients are at initialisation, block by block from the input on: the
 * network of m, not its weights, which are drawn anew. */
struct few_signal_layer {
  const char *name;       /* of the block, as few show has it; borrowed during the call */
  struct few_shape shape; /* of its last value, `rows` first */
  double activation;      /* root mean square of it */
  double gradient;        /* of d<w, F> by it with w ~ N(0, 1); F's own is 1 */
};
struct few_signal_opts {
  int version; /* FEW_SIGNAL_OPTS_VERSION */
  uint64_t seed;
  int64_t rows; /* of normal noise at all times */
  double std;   /* of all weights that are drawn; 0: as the network has them */
  bool fill;    /* draw those weights too that begin at zero, with 1/sqrt(fan-in) */
  void (*layer)(void *user, const struct few_signal_layer *layer); /* called for each */
  void *user;
};
#define FEW_SIGNAL_OPTS_VERSION 1
#define FEW_SIGNAL_OPTS_INIT \
  { FEW_SIGNAL_OPTS_VERSION, 1, 16, 0, false, NULL, NULL }
FEW_API FEW_MUST_USE few_status few_model_signal(few_model *m, const struct few_signal_opts *opts);

/* ---- The tangent of a consistency model ----
 *
 * f(x, t) = cos(t) x - sin(t) sigma_d F(x/sigma_d, t) is a consistency function where df/dt = 0
 * along the flow. Continuous-time training follows df/dt, so its size at each time says whether
 * that will be steady (Lu and Song, arXiv 2410.11081, eq. 6):
 *
 *   df/dt = -cos(t) (sigma_d F - v) - sin(t) (x_t + sigma_d dF/dt),   dF/dt along (v, 1)
 *
 * at x_t = cos(t) x0 + sin(t) z of data x0, with v = dx_t/dt of a teacher, sigma_d F_teacher, or of
 * the single path, cos(t) z - sin(t) x0. Sizes are root mean squares over the elements of all rows,
 * in units of sigma_d. */
struct few_tangent_bin {
  double from, to; /* times, radians; the rows lie evenly between */
  int64_t rows;
  double size;     /* df/dt */
  double velocity; /* its first term, cos(t) (sigma_d F - v) */
  double slope;    /* its second, sin(t) (x_t + sigma_d dF/dt) */
  /* Training forms cos(t) df/dt from cos(t) sin(t) dF/dt. As one tangent ("rearranged") or dF/dt
   * first and then the product ("raw"): the largest element on the way, which a number format must
   * hold, and the rms difference of the two df/dt cos(t) in f32, relative to their size. */
  double largest_raw, largest_rearranged, difference;
};
enum { FEW_TANGENT_BINS = 16 };
struct few_tangent_opts {
  int version;                 /* FEW_TANGENT_OPTS_VERSION */
  const struct few_data *data; /* of the model's shape; must be given */
  few_model *teacher;          /* NULL: the velocity of the single path */
  int64_t rows;                /* of a bin, 1 to 2^20 */
  uint64_t seed;               /* of order and noise */
};
#define FEW_TANGENT_OPTS_VERSION 1
#define FEW_TANGENT_OPTS_INIT \
  { FEW_TANGENT_OPTS_VERSION, NULL, NULL, 256, 1 }
/* In f32 on the kernels that train. Labels are those of the data where model and teacher take them;
 * guidance is 1. Times go from 0 to arctan(80/sigma_d). Reports progress. FEW_E_INVALID for models
 * that have no df/dt: classifiers, and networks that are told how far a step goes. */
FEW_API FEW_MUST_USE few_status few_model_tangent(few_model *m, const struct few_tangent_opts *opts,
                                                  struct few_tangent_bin out[FEW_TANGENT_BINS]);

#ifdef __cplusplus
}
#endif
#endif
