/* cond.c - how all networks are conditioned on time, label, guidance and labels of augmentation.
 *
 * The stabilised choices of sCM (Lu and Song, arXiv 2410.11081, section 4.1) are the defaults:
 * identity time transform, positional embedding, and adaptive double normalization
 *   y = norm(x) * pnorm(s(t)) + pnorm(b(t)),  without a "+1".
 * EDM's choices can be selected, to show why they are unstable: sin(t) d(ln tan t)/dt = 1/cos t has
 * no bound, and random Fourier features of scale 16 multiply the tangent by about 100.
 */
#include "net.h"

const char few_time_transform_choices[] =
#define FEW_PROCESS(file, name, time_transform) "|" time_transform
#include "diffusion/process/processes.def"
#undef FEW_PROCESS
    ;

/* Fails if the network has the input and it is not given. */
static void check(few_graph *g, bool takes, few_node input, const char *what) {
  if (takes && input == FEW_NONE)
    few__graph_fail(g, FEW_E_INVALID, "the network has %s as an input: give one for each row",
                    what);
}

void few__cond_check(few_graph *g, const struct few_net_spec *spec,
                     const struct few_net_input *in) {
  check(g, spec->guidance, in->guidance, "a guidance scale");
  check(g, spec->step_size != FEW_STEP_SIZE_NONE, in->step_size, "a step size");
}

static few_node sinusoids(struct few_nn *nn, const struct few_net_spec *spec,
                          const struct few_cond_opts *o, const struct few_net_input *in,
                          int64_t channels) {
  const struct few_units units = {spec->sigma_data, spec->betas};
  few_node c = few__process_at(o->time_transform)->embedded_time(nn->g, &units, in->t);
  switch (o->time_embedding) {
    case FEW_TIME_POSITIONAL:
      return few__nn_positional(nn, c, channels, o->time_scale, o->freq_shift);
    case FEW_TIME_FOURIER:
      return few_nn_fourier(nn, c, channels, o->time_scale);
    case FEW_TIME_STORED:
      return few__nn_stored_fourier(nn, c, channels, o->time_scale);
  }
  return FEW_NONE;
}

/* e [N,width] plus the row of each label; a row without a label adds 0. */
static few_node add_labels(struct few_nn *nn, const struct few_net_spec *spec,
                           const struct few_net_input *in, few_node e) {
  few_graph *g = nn->g;
  const struct few_shape s = few_node_shape(g, e);
  if (spec->classes == 0 || in->label == FEW_NONE || s.rank != 2) return e;
  few_node rows = few_onehot(g, in->label, spec->classes);
  /* the fan-in of a one-hot row is 1, so embeddings have unit variance */
  few_node w = few_nn_param(nn, "label.w", FEW_SHAPE(spec->classes, s.dim[1]),
                            (struct few_init){FEW_INIT_NORMAL, 1});
  return few_add(g, e, few_matmul(g, rows, w, false, false));
}

few_node few_cond_embed(struct few_nn *nn, const struct few_net_spec *spec,
                        const struct few_cond_opts *o, const struct few_net_input *in,
                        int64_t channels, int64_t width) {
  few_graph *g = nn->g;
  assert(channels > 0 && width > 0 && spec->sigma_data > 0);
  few__cond_check(g, spec, in);
  few_nn_push(nn, "cond");
  few_node e = few_nn_linear(nn, "time0", sinusoids(nn, spec, o, in, channels), width, 1, true);
  if (spec->guidance) { /* weights are zero at first, so a student starts as its unguided teacher */
    few_node s = few_nn_positional(nn, in->guidance, channels, 1);
    e = few_add(g, e, few_nn_linear(nn, "guidance", s, width, 0, false));
  }
  if (spec->step_size) { /* weights are zero at first too */
    few_node s = few_nn_positional(nn, in->step_size, channels, o->time_scale);
    if (o->step_size_gain != 1) s = few_scale(g, s, o->step_size_gain);
    e = few_add(g, e, few_nn_linear(nn, "span", s, width, 0, false));
  }
  if (spec->augment && in->augment != FEW_NONE) /* as EDM's labels; also zero at first */
    e = few_add(g, e, few_nn_linear(nn, "augment", in->augment, width, 0, false));
  if (o->label_place == FEW_LABELS_HIDDEN) e = add_labels(nn, spec, in, e);
  e = few_nn_linear(nn, "time1", few_silu(g, e), width, 1, true);
  if (o->label_place == FEW_LABELS_OUTPUT) e = add_labels(nn, spec, in, e);
  few_nn_pop(nn);
  return few_silu(g, e);
}

few_node few_cond_modulate(struct few_nn *nn, const struct few_cond_opts *o, const char *name,
                           few_node x, few_node emb) {
  few_graph *g = nn->g;
  struct few_shape s = few_node_shape(g, x);
  int64_t c = s.rank ? s.dim[s.rank - 1] : 1;
  few_nn_push(nn, "%s", name);
  few_node scale = FEW_NONE;
  if (o->modulation != FEW_MODULATION_ADD) scale = few_nn_linear(nn, "scale", emb, c, 1, true);
  few_node shift = few_nn_linear(nn, "shift", emb, c, 1, true);
  few_nn_pop(nn);
  if (o->modulation == FEW_MODULATION_DOUBLE) {
    scale = few_nn_pnorm(nn, scale);
    shift = few_nn_pnorm(nn, shift);
  } else if (o->modulation == FEW_MODULATION_ADAGN) {
    scale = few_affine(g, scale, 1, 1);
  }
  if (o->modulation != FEW_MODULATION_ADD) x = few_mul(g, x, few_nn_rows(nn, scale, s.rank));
  return few_add(g, x, few_nn_rows(nn, shift, s.rank));
}
