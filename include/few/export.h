/* few/export.h - a model as an ONNX file, or as a folder of diffusers, for programs without few.
 *
 * An ONNX file (onnx.ai) is a graph of standard operators with its weights. Many programs run it:
 * ONNX Runtime, OpenVINO, TensorRT, browsers. few writes opset 18 and IR version 8, in f32, for a
 * batch of any size N. Images are [N,C,H,W], points [N,C].
 *
 * Errors and threads are those of the context.
 */
#ifndef FEW_EXPORT_H
#define FEW_EXPORT_H

#include "few/base.h"
#include "few/model.h"
#include "few/sample.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What the graph computes. */
enum few_export_what {
  /* Images from noise, by all steps of a sampler.
   *   noise [N,C,H,W]    standard normal
   *   fresh [K,N,C,H,W]  standard normal: the noise of later steps, if the sampler adds any
   *   label [N] int64    a class, or -1 for none; if the model has classes
   *   -> image [N,C,H,W] */
  FEW_EXPORT_SAMPLER,
  /* EDM's denoiser D(x, sigma), for solvers of other programs.
   *   x [N,C,H,W]        an image in [-1, 1] plus sigma times standard normal noise
   *   sigma [N]          above 0
   *   label [N] int64, guidance [N], if the network takes them
   *   -> denoised [N,C,H,W] in [-1, 1] */
  FEW_EXPORT_DENOISER,
  /* The network as in few_runner_eval.
   *   x [N,C,H,W]        x_t / sigma_data, of unit variance
   *   t [N]              TrigFlow radians
   *   label [N] int64, guidance [N], step_size [N], if the network takes them
   *   -> F [N,C,H,W]; of a classifier, which takes only x, logits [N,classes] */
  FEW_EXPORT_NETWORK
};

/* Values of the images of FEW_EXPORT_SAMPLER. */
enum few_export_pixels {
  FEW_EXPORT_SIGNED, /* float in [-1, 1], not clipped, as few_sample gives them */
  FEW_EXPORT_UNIT,   /* float in [0, 1], clipped */
  FEW_EXPORT_BYTES,  /* uint8, 0 to 255 */
  FEW_EXPORT_RGB     /* uint8 with three channels, also of gray images */
};

struct few_export_opts {
  int version; /* FEW_EXPORT_OPTS_VERSION */
  enum few_export_what what;
  /* Of the sampler: sampler, steps, times or schedule, settings, guidance, autoguide and clip
   * become a part of the graph; threshold cannot. A label that is a class replaces the input
   * `label`; FEW_LABEL_NONE removes it. n, first, seed and batch have no effect. A denoiser has
   * only `guidance`, a network none of them. NULL: the defaults. */
  const struct few_sample_opts *sampling;
  enum few_export_pixels pixels;
  bool flat; /* all noise of a sampler is one input, noise [N,(1+K)CHW], as of a generator of other
                programs: that of the start, then `fresh` of each step */
};
#define FEW_EXPORT_OPTS_VERSION 1
#define FEW_EXPORT_OPTS_INIT \
  { FEW_EXPORT_OPTS_VERSION, FEW_EXPORT_SAMPLER, NULL, FEW_EXPORT_SIGNED, false }

/* Writes the file, atomically. opts NULL: the sampler with its defaults. *about, unless NULL,
 * describes inputs and outputs, as the file's doc string does; it is yours: few_text_free.
 * FEW_E_INVALID for options that few_sample refuses or that the graph cannot have;
 * FEW_E_UNSUPPORTED for more than 2 GB of weights, more than 256 evaluations of the network, a
 * sampler that is more than sums of noise and outputs of the network, or a network whose graph
 * depends on N in more than dims. */
FEW_API FEW_MUST_USE few_status few_export_onnx(char **about, few_ctx *ctx, const few_model *m,
                                                const char *path,
                                                const struct few_export_opts *opts);

/* Writes a folder that diffusers (huggingface.co/docs/diffusers) loads: a UNet2DModel or
 * DiTTransformer2DModel, a scheduler and, where a pipeline samples them, model_index.json. `dir` is
 * made, or empty. few_import of the folder gives the same network, bit for bit. *about, unless
 * NULL, says what is in it; it is yours: few_text_free.
 * FEW_E_UNSUPPORTED, naming what is different, if diffusers has no such network or scheduler;
 * few_export_onnx has no such limits. FEW_E_INVALID for a folder with files. After an error `dir`
 * is as it was. */
FEW_API FEW_MUST_USE few_status few_export_diffusers(char **about, few_ctx *ctx, const few_model *m,
                                                     const char *dir);

#ifdef __cplusplus
}
#endif
#endif
