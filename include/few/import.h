/* few/import.h - networks of other programs as models of few.
 *
 * A source is a folder or a file of another program: a configuration and named tensors. A layout
 * knows the networks of one kind of source: it translates the configuration into a network, its
 * options and a process, and the tensors into the network's parameters. `few list layouts` and
 * docs/import.md say which there are. Nothing in a source is executed.
 *
 * The result computes what the source computes, to rounding in single precision. What few cannot
 * do so is refused. Every tensor of the source must have a place, and every parameter a source.
 */
#ifndef FEW_IMPORT_H
#define FEW_IMPORT_H

#include "few/base.h"
#include "few/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How the raw network is used: the process whose state and time it takes. */
enum few_import_process {
  FEW_IMPORT_FOUND,       /* as the source's scheduler says */
  FEW_IMPORT_DDPM,        /* numbered steps of linear betas, 0.0001 to 0.02 */
  FEW_IMPORT_EDM,         /* EDM's preconditioning (arXiv 2206.00364, table 1) */
  FEW_IMPORT_FLOW,        /* flow matching; time is 0 to 1000 */
  FEW_IMPORT_TRIGFLOW,    /* TrigFlow's state over sigma_data, and its time */
  FEW_IMPORT_CONSISTENCY, /* consistency models: EDM's, with time times 1000 */
  FEW_IMPORT_VP_LINEAR,   /* the variance preserving SDE (arXiv 2011.13456); time is 0 to 999 */
  FEW_IMPORT_VE,          /* the variance exploding SDE (the same); time is ln(sigma/2) */
  FEW_IMPORT_PROCESSES
};

struct few_import_opts {
  int version;        /* FEW_IMPORT_OPTS_VERSION */
  const char *source; /* path of the folder or file */
  const char *format; /* only layouts of this format, such as "diffusers"; NULL: all */
  /* Where the source does not say. A value that differs from the source's is FEW_E_INVALID. */
  const char *scheduler;           /* path of a scheduler's configuration; NULL: the source's */
  enum few_import_process process; /* without a scheduler */
  const char *predicts;            /* output of the raw network: "eps", "v" ...; NULL: the usual */
  double sigma_data;               /* standard deviation of the data, in [-1, 1]; 0: 0.5 */
  int64_t size;                    /* side of images in pixels; 0: the source's */
  const char *labels;              /* path of a text file, a class name per line; NULL: none */
  /* What a file without a configuration does not say, each "key=value": a flag of the program that
   * trained the network, and its value as JSON or a word (docs/import.md) */
  int n_settings;
  const char *const *settings;
};
#define FEW_IMPORT_OPTS_VERSION 1
#define FEW_IMPORT_OPTS_INIT \
  { FEW_IMPORT_OPTS_VERSION, NULL, NULL, NULL, FEW_IMPORT_FOUND, NULL, 0, 0, NULL, 0, NULL }

/* Import a network. *out is yours: few_model_free. FEW_E_UNSUPPORTED if no layout knows the source,
 * or if few cannot compute what the source does; FEW_E_FORMAT if tensors are missing, left over or
 * of other shapes than the configuration says: the message lists them. */
FEW_API FEW_MUST_USE few_status few_import(few_model **out, few_ctx *ctx,
                                           const struct few_import_opts *opts);

#ifdef __cplusplus
}
#endif
#endif
