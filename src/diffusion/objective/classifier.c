/* classifier - cross-entropy of the labels, for networks that give logits y:
 *
 *   L = - sum_k q_k ln softmax(y)_k,   q = (1 - s) [k = label] + s / K,
 *
 * with label smoothing s over K classes (Szegedy et al., arXiv 1512.00567, section 7: epsilon,
 * q'(k)). It trains the networks that `few eval` uses for features. Images are clean: x =
 * x0/sigma_d at time 0.
 */
#include "objective.h"

struct classifier_opts {
  double smoothing;
};

static const struct few_option options[] = {
    FEW_OPT_REAL(struct classifier_opts, smoothing, "0", 0, 0.9,
                 "share of a label that is spread over all classes"),
    FEW_OPT_END};

/* Added before ln, which stays finite where softmax underflows. It is far below any probability
 * that matters. */
static const double tiny = 1e-30;

static void build(struct few_loss *l, const void *opts) {
  const struct classifier_opts *o = opts;
  few_graph *g = l->g;
  const double classes = (double)l->spec->classes;
  if (l->label == FEW_NONE) {
    few__graph_fail(g, FEW_E_INVALID,
                    "classifier: the data have no labels: give labelled data, and labels = yes");
    return;
  }
  /* The time input. l->t stays unset, since no times are drawn. */
  const few_node clean = few_fill(g, 0, FEW_SHAPE(l->rows));
  few_node p = few_softmax(g, few_loss_F(l, FEW_STUDENT, l->x0, clean, FEW_NONE, FEW_NONE));
  few_node hot = few_onehot(g, l->label, l->spec->classes);
  few_node q = few_affine(g, hot, 1 - o->smoothing, o->smoothing / classes);
  few_node terms = few_mul(g, q, few_log(g, few_affine(g, p, 1, tiny)));
  few_node rows = few_scale(g, few_sum(g, terms, FEW_SHAPE(l->rows, 1)), -1);
  few_loss_log(l, "cross_entropy", rows);
  few_loss_log(l, "true_class", few_sum(g, few_mul(g, p, hot), FEW_SHAPE(l->rows, 1)));
  few_loss_add(l, "cross_entropy", few_mean_all(g, rows), 1);
}

const struct few_objective_def few__objective_classifier = {
    .version = FEW_OBJECTIVE_DEF_VERSION,
    .name = "classifier",
    .source = "arXiv 1512.00567",
    .help = "cross-entropy: trains a classifier, for features",
    .options = options,
    .options_size = sizeof(struct classifier_opts),
    .classifies = true,
    .starts_as_teacher = true,
    .sampler = "none",
    .build = build,
};
