/* few/model.h - a trained model as a value: one safetensors file (docs/format.md).
 *
 * A model has a network with its weights, the shape, scale and classes of the data it was trained
 * on, and a record of its training. It never changes once it is made. To evaluate or sample it,
 * make a runner (few/run.h).
 *
 * Lifetime: a context outlives its models, and a model outlives its runners (which is asserted).
 * Borrowed results live as long as the model.
 *
 * Threads: any number of threads may read one model at once, and any number of runners may run it,
 * each with a context of its own. A call that returns a few_status records its error in the model's
 * context and allocates there, so such calls and few_model_free belong to the thread of that
 * context.
 *
 * Errors: NULL where it is not allowed, an option outside its range, or an index that does not
 * exist is FEW_E_INVALID. After an error *out is NULL, and other outputs are undefined.
 */
#ifndef FEW_MODEL_H
#define FEW_MODEL_H

#include "few/base.h"
#include "few/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct few_model few_model;

/* Reads a model from a file. */
FEW_API FEW_MUST_USE few_status few_model_load(few_model **out, few_ctx *ctx, const char *path);
/* Reads a model from the bytes of such a file, which are copied. `name` stands for the path in
 * messages. */
FEW_API FEW_MUST_USE few_status few_model_load_bytes(few_model **out, few_ctx *ctx,
                                                     const char *name, const void *bytes, size_t n);

/* A model from a network's name, its options and its weights. */
struct few_model_opts {
  int version;     /* FEW_MODEL_OPTS_VERSION */
  const char *net; /* "unet": the name of a FEW_COMPONENT_NETWORK */
  int n_settings;  /* its options, each "key=value"; those left out have their defaults */
  const char *const *settings;
  int64_t h, w, c; /* shape of an image; of points h = w = 1 and c their dimension */
  bool points;
  int64_t classes;                   /* 0: no labels */
  const char *const *class_names;    /* [classes], each may be NULL; NULL: no names */
  bool guided;                       /* takes a guidance scale as an input */
  double guidance_min, guidance_max; /* its range, where guided */
  const char *step_size;             /* unit of the input step_size (docs/format.md, `span`):
                                        "angle", "segment", "halvings"; NULL: no such input */
  int64_t max_steps;                 /* segment: number of segments; halvings: most steps */
  const char *predicts;              /* output of the raw network (docs/format.md); NULL: "F" */
  double sigma_data;                 /* standard deviation of scaled data, above 0 */
  double mean, scale;                /* scaled = (raw - mean) scale, with scale above 0 */
  const char *objective;             /* the objective of its training; NULL: "diffusion" */
  const char *sampler;               /* the sampler that suits it best; NULL: "heun" */
  const float *values; /* weights in the order of few_model_values, copied; NULL: drawn */
  uint64_t seed;       /* of weights that are drawn, by the network's own rule */
};
#define FEW_MODEL_OPTS_VERSION 1
#define FEW_MODEL_OPTS_INIT                                                                   \
  {                                                                                           \
    FEW_MODEL_OPTS_VERSION, NULL, 0, NULL, 1, 1, 1, false, 0, NULL, false, 1.0, 1.0, NULL, 0, \
        NULL, 0.5, 0.0, 1.0, NULL, NULL, NULL, 0                                              \
  }
FEW_API FEW_MUST_USE few_status few_model_create(few_model **out, few_ctx *ctx,
                                                 const struct few_model_opts *opts);

/* The same model with other sampling times: radians in (0, pi/2], strictly falling, at most
 * FEW_MODEL_MAX_TIMES. n 0: none. few_sample uses them with the model's own sampler unless its
 * options name other steps, times or a schedule, and few_model_save writes them. The new model
 * shares the weights of m; either may be freed first. */
#define FEW_MODEL_MAX_TIMES 1024
FEW_API FEW_MUST_USE few_status few_model_with_times(few_model **out, const few_model *m, int n,
                                                     const double *times);

/* Number types of weights in a file (docs/format.md, 2.3). INT8 has a scale for each output of a
 * layer; biases and norms stay F32. */
enum few_weight_type { FEW_WEIGHTS_F32, FEW_WEIGHTS_F16, FEW_WEIGHTS_BF16, FEW_WEIGHTS_INT8 };
/* Writes the model to a file, with weights rounded to the type. Loading it gives the rounded
 * values; the same type written again gives the same file. Atomic. */
FEW_API FEW_MUST_USE few_status few_model_save_as(const few_model *m, const char *path,
                                                  enum few_weight_type type);
/* Writes the model to a file. Atomic. */
FEW_API FEW_MUST_USE few_status few_model_save(const few_model *m, const char *path);
FEW_API void few_model_free(few_model *m); /* NULL is fine */

/* The directions of a model: from noise to images (decodes), from images to noise (encodes), or
 * both. A model of the flow's velocity has both directions, a model distilled to steps has one. */
enum few_direction { FEW_BOTH_WAYS, FEW_DECODES, FEW_ENCODES, FEW_DIRECTIONS };

struct few_model_info {
  const char *net;       /* "unet" */
  const char *objective; /* the objective of its training: "diffusion", "scd", "sct" */
  const char *sampler;   /* the sampler that suits it best: "heun", "consistency" */
  int64_t h, w, c;       /* shape of an image; of points h = w = 1 and c their dimension */
  bool points;
  int64_t classes;             /* 0: no labels */
  const int64_t *class_counts; /* [classes] training items of each class; NULL: not known */
  enum few_answer unlabelled;  /* whether training had rows without their label. If not, the model
                                  is neither sampled without a label nor guided classifier-free */
  bool guided;                 /* takes a guidance scale as an input */
  double guidance_min, guidance_max; /* the range it was trained on, where guided */
  int64_t parameters;
  double sigma_data;    /* standard deviation of scaled data */
  int64_t step;         /* training steps */
  double flops;         /* of one evaluation of one image; a multiply-add counts 2 */
  bool step_size;       /* has the step size as an input (few_runner_step_size) */
  const char *predicts; /* output of the raw network: "F", "eps" ... (docs/format.md). Whatever it
                         * is, evaluating the model gives F */
  int n_times;          /* its own sampling times, falling; 0: none */
  const double *times;
  enum few_direction direction;
  int64_t augment; /* labels of augmentation that it had as inputs in training, and that are 0 in
                    * sampling; 0: none */
};
/* Texts, counts and times are borrowed. `size` is sizeof *out. */
FEW_API void few_model_info(struct few_model_info *out, size_t size, const few_model *m);
/* The name of a class, borrowed; NULL: it has none, or there is no such class. */
FEW_API const char *few_model_class_name(const few_model *m, int64_t label);
/* The class that a word names: by its name or, where no class has this name, its number. */
FEW_API FEW_MUST_USE few_status few_model_find_class(int *label, const few_model *m,
                                                     const char *word);
/* map[few_data_n_classes(data)]: the model's class for each class of the data. Classes are matched
 * by name if all classes of both have names, and by number otherwise. FEW_E_INVALID if the model
 * lacks a class of the data. */
struct few_data;
FEW_API FEW_MUST_USE few_status few_model_match_data(int32_t *map, const few_model *m,
                                                     const struct few_data *data);
/* The same for the classes of another model: map[classes of `other`]. */
FEW_API FEW_MUST_USE few_status few_model_match_model(int32_t *map, const few_model *m,
                                                      const few_model *other);
/* The JSON of the "few" metadata that few_model_save writes. *out is yours: few_text_free. */
FEW_API FEW_MUST_USE few_status few_model_metadata(char **out, const few_model *m);

/* Parameter array i of 0 .. few_model_parameter_rows - 1: its name, its shape, and the index of its
 * first value in few_model_values. `size` is sizeof *out. False for any other i. Layouts:
 * docs/format.md, 2.2. */
struct few_model_parameter {
  const char *name;
  struct few_shape shape;
  int64_t offset;
};
FEW_API int few_model_parameter_rows(const few_model *m);
FEW_API bool few_model_parameter(struct few_model_parameter *out, size_t size, const few_model *m,
                                 int i);
FEW_API const float *few_model_values(const few_model *m); /* [info.parameters] */

/* Appends the network to a graph: *out = F(x, t), [rows,h,w,c], where dx_t/dt = sigma_data F. Its
 * inputs are "x" [rows,h,w,c] (x_t / sigma_data, of unit variance), "t" [rows] (TrigFlow radians),
 * and as far as the model takes them "label", "guidance" and "step_size" [rows]. Points are
 * [rows,c]. A classifier takes only "x", of clean images, and gives logits [rows,classes]. Errors
 * are recorded in the context of the graph. */
FEW_API FEW_MUST_USE few_status few_model_graph(few_node *out, const few_model *m, few_graph *g,
                                                int64_t rows);

#ifdef __cplusplus
}
#endif
#endif
