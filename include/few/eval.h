/* few/eval.h - measures how close images are to a reference.
 *
 * Numbers of different evaluators cannot be compared: they differ in resizing, in rounding, in the
 * network whose features are compared, in the reference and in n. So a report has all of these
 * beside the numbers. docs/eval.md has the metrics.
 */
#ifndef FEW_EVAL_H
#define FEW_EVAL_H

#include "few/base.h"
#include "few/data.h"
#include "few/model.h"
#include "few/sample.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Whether the balls of pr and dc include their surface. */
enum few_eval_ball {
  FEW_EVAL_BALL_OWN, /* as the metric's paper: closed for pr, open for dc */
  FEW_EVAL_BALL_CLOSED,
  FEW_EVAL_BALL_OPEN
};

struct few_eval_opts {
  int version; /* FEW_EVAL_OPTS_VERSION */
  /* A model (.safetensors), which is sampled; or images: a folder, an .npy or .npz file, or the
   * spec of a data set (few/data.h). With `runner` it is only the name in the report; NULL:
   * "model".
   */
  const char *source;
  few_runner *runner; /* the source, as a model that is open already; borrowed, with the context
                            of the call. NULL: `source` is opened */
  const char
      *reference; /* images, or a file of few_eval_save_reference (.safetensors). NULL: none, if
                            no metric needs one */
  const char *features; /* NAME or NAME=FILE; NULL: pixels, with a warning for images */
  const char *metrics;  /* names separated by commas; NULL: all that source and features allow */
  int64_t n;            /* images of the source; 0: 10000 of a model, else all */
  int64_t n_reference;  /* 0: all. Fewer are chosen at random, the same ones in every call */
  /* How a model is sampled. Do not change it for other sources. Its n, first, label and seed are
   * ignored. Its pointers are borrowed until few_eval returns. */
  struct few_sample_opts sampling;
  /* FEW_LABEL_SHARES: samples have each class as often as the reference; if that has no labels, as
   * often as the training data; if the model has no class counts, all equally often.
   * FEW_LABEL_EACH: all equally often. Otherwise the number of a class of the source: only images
   * of this class are measured, in source and reference. Classes of the two are matched by name if
   * both have names. */
  int label;
  const char *label_word; /* a class by name or number (few_model_find_class); NULL: `label` */
  uint64_t seed;          /* of the first set of samples */
  int seeds; /* sets of samples, with seeds seed, seed + 1 ...; from 2 on the error is over sets */
  /* Options of metrics. */
  int64_t keep; /* most rows of a set that kid, pr, dc and energy use; chosen at random */
  int knn;      /* neighbours of pr and dc; 0: 3 and 5 */
  enum few_eval_ball ball;
  int subsets;     /* of kid */
  int subset_size; /* of kid; at most the number of images */
  int splits;      /* of is */
  int bootstrap;   /* replicates for errors over the source's images, of one set; 0: none. The
                      features of all kept images then stay in memory */
  /* Sets that are open already, such as those of few_data_create: the source, which is then no
   * model, and the reference. Borrowed until few_eval returns. `source` and `reference` are then
   * only their names in the report, NULL: few_data_spec. Without data, they are opened. */
  const few_data *source_data, *reference_data;
};
#define FEW_EVAL_OPTS_VERSION 5
#define FEW_EVAL_OPTS_INIT                                                                      \
  {                                                                                             \
    FEW_EVAL_OPTS_VERSION, NULL, NULL, NULL, NULL, NULL, 0, 0, FEW_SAMPLE_OPTS_INIT,            \
        FEW_LABEL_SHARES, NULL, 0, 1, 10000, 0, FEW_EVAL_BALL_OWN, 100, 1000, 10, 0, NULL, NULL \
  }

struct few_eval_number {
  const char *name;       /* "fd", "recall" */
  double value;           /* the mean, of several sets */
  double error;           /* a standard deviation; NaN: none */
  const char *error_of;   /* "seeds", "bootstrap", "subsets", "splits" or "images": the error is
                             taken over these; "": no error */
  int64_t n, n_reference; /* images measured; n_reference 0: the metric uses no reference */
  char how[120];          /* the variant: "k 3, closed balls" */
  const double *each;     /* [seeds] value of each set */
};

/* The result of few_eval. Texts are borrowed until few_eval_report_free. */
struct few_eval_report {
  const char *source, *reference; /* reference NULL: none */
  const char *source_hash;        /* sha256 of a model's file; hash of a data set */
  const char *reference_hash;
  bool model; /* the source is a model; otherwise the members from net to seed are NULL or 0 */
  const char *net, *objective; /* of the model; "": not known */
  int64_t trained;             /* its training steps */
  const char *sampler;
  const char *settings; /* other choices of sampling: "schedule karras; churn=20"; "": none */
  int steps;
  int nfe;      /* network evaluations per image */
  double flops; /* per image, of nfe evaluations; 2 per multiply-add */
  double guidance;
  uint64_t seed;
  int seeds;              /* at least 1 */
  int bootstrap;          /* replicates; 0: none */
  int label;              /* the only class that was measured; -1: all */
  const char *label_name; /* its name; NULL: it has none */
  /* Where the shares of classes come from: "reference", "training data", "even" (as requested),
   * "unknown" (even, because neither the reference nor the model has them), "one class", or "none"
   * for samples without labels and for images. */
  const char *labels;
  int64_t classes;             /* of a model whose samples have labels; otherwise 0 */
  const int64_t *label_counts; /* [classes] samples of each class in a set */
  bool points;                 /* h and w are 1, c is their dimension */
  int64_t n, n_reference, h, w, c;
  const char *rounding;                                       /* how values became bytes */
  const char *features, *features_hash, *resize, *trained_on; /* hash "": no weights */
  int64_t dim;
  int n_numbers;
  const struct few_eval_number *number; /* [n_numbers] */
  double seconds;
  bool complete;       /* false: few_eval was cancelled, and the report has the numbers so far */
  const char *missing; /* not measured: "pr, dc", "error bars", "2 of 3 sets of samples" */
  void *inside;        /* the library's */
};

/* Measures. All options are checked before any sampling. On failure *out is NULL, except after
 * FEW_E_CANCELLED, where it may be a report of the numbers so far. *out is yours:
 * few_eval_report_free. Reports progress. */
FEW_API FEW_MUST_USE few_status few_eval(struct few_eval_report **out, few_ctx *ctx,
                                         const struct few_eval_opts *opts);
/* Reads opts->reference as few_eval would, with the options n_reference, features, label and keep,
 * and writes the statistics that few_eval computes from it. The file can then be used as a
 * reference. docs/eval.md has the format. Atomic. */
FEW_API FEW_MUST_USE few_status few_eval_save_reference(few_ctx *ctx,
                                                        const struct few_eval_opts *opts,
                                                        const char *path);
FEW_API void few_eval_report_free(struct few_eval_report *r); /* NULL is fine */

/* few_eval_report.labels in words: "as often as in the reference"; "" for one class or none.
 * Static.
 */
FEW_API const char *few_eval_labels_text(const char *labels);
/* The report as a JSON object on one line (docs/eval.md). *out is yours: few_text_free. */
FEW_API FEW_MUST_USE few_status few_eval_json(char **out, few_ctx *ctx,
                                              const struct few_eval_report *r);

/* Schedule search: the sampling times with which a model measures best. The first time is that of
 * pure noise. The others are found one after the other, by measuring samples (Song et al., arXiv
 * 2303.01469). */
struct few_schedule_search_opts {
  int version;           /* FEW_SCHEDULE_SEARCH_OPTS_VERSION */
  const char *reference; /* images or points, as in few_eval */
  const char *features;  /* as in few_eval */
  const char *metric;    /* "fd", "kid", "sfd" or "energy"; NULL: fd of images, energy of points */
  int steps;             /* times, 1 to FEW_MODEL_MAX_TIMES */
  int64_t n;             /* samples of each measurement; 0: 10000 */
  int64_t n_reference;   /* 0: all */
  uint64_t seed;         /* all measurements use the same noise */
  double guidance;
  int label;        /* FEW_LABEL_SHARES: as in few_eval_opts */
  double tolerance; /* precision of the times, in radians */
};
#define FEW_SCHEDULE_SEARCH_OPTS_VERSION 3
#define FEW_SCHEDULE_SEARCH_OPTS_INIT \
  { FEW_SCHEDULE_SEARCH_OPTS_VERSION, NULL, NULL, NULL, 2, 0, 0, 0, 1.0, FEW_LABEL_SHARES, 0.02 }
struct few_schedule_found {
  int n;                              /* times found */
  double times[FEW_MODEL_MAX_TIMES];  /* radians, falling: for few_model_with_times */
  double values[FEW_MODEL_MAX_TIMES]; /* the metric with the first k + 1 of them */
  int looks;                          /* number of measurements made */
  const char *labels;                 /* few_eval_report.labels of the samples; static */
};
/* Reports progress. After FEW_E_CANCELLED *out has the times found so far; after any other error n
 * is 0. */
FEW_API FEW_MUST_USE few_status few_schedule_search(struct few_schedule_found *out, few_runner *r,
                                                    const struct few_schedule_search_opts *opts);

#ifdef __cplusplus
}
#endif
#endif
