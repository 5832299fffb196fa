/* few/graph.h - build a graph of primitive ops, differentiate it.
 *
 * A graph is a list of nodes; a node is one op applied to earlier nodes and has one tensor as its
 * value: row-major, rank 0..FEW_MAX_RANK, images NHWC, batch first. Shapes are static.
 *
 * Building is value numbering: the same op on the same operands is the same node. So common
 * sub-expressions are shared as they are written, and a network that is applied twice to the same
 * input costs once. Trivial algebra (x * 1, x + 0, constants) is folded while a node is made.
 *
 * Errors stick: a builder that fails returns FEW_NONE, builders given FEW_NONE return FEW_NONE, and
 * few_graph_status() returns the first failure. So a network reads as formulas, checked once at the
 * end.
 *
 * Threads: a graph belongs to its context and serves one thread at a time.
 *
 * A graph is built and differentiated here, checked by few/check.h and run by few/plan.h.
 */
#ifndef FEW_GRAPH_H
#define FEW_GRAPH_H

#include "few/base.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { FEW_MAX_RANK = 6, FEW_MAX_IN = 8 };

struct few_shape {
  int rank;
  int64_t dim[FEW_MAX_RANK];
};
/* FEW_SHAPE(n, h, w, c); a scalar is FEW_SCALAR. */
#ifdef __cplusplus
extern "C++" {
template <typename... Dims>
static inline few_shape few_shape_of(Dims... dim) {
  return few_shape{static_cast<int>(sizeof...(dim)), {static_cast<int64_t>(dim)...}};
}
}
#define FEW_SHAPE(...) few_shape_of(__VA_ARGS__)
#define FEW_SCALAR few_shape_of()
#else
#define FEW_SHAPE(...) \
  ((struct few_shape){(int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), {__VA_ARGS__}})
#define FEW_SCALAR ((struct few_shape){0, {0}})
#endif

FEW_API int64_t few_shape_count(struct few_shape s); /* number of elements; 1 for a scalar */
FEW_API bool few_shape_equal(struct few_shape a, struct few_shape b);

typedef enum few_dtype {
  FEW_REAL, /* float or double, as the plan decides */
  FEW_INDEX /* int32: labels */
} few_dtype;

typedef int32_t few_node;
#define FEW_NONE ((few_node)-1)

typedef struct few_graph few_graph;

FEW_API FEW_MUST_USE few_status few_graph_create(few_graph **out, few_ctx *ctx);
FEW_API void few_graph_free(few_graph *g); /* NULL is fine */
/* FEW_OK, or the first failure while building; its sentence is few_error(ctx). */
FEW_API few_status few_graph_status(const few_graph *g);
FEW_API int few_graph_size(const few_graph *g);
/* For FEW_NONE and for a node of another graph: a scalar shape, and "none". */
FEW_API struct few_shape few_node_shape(const few_graph *g, few_node n);
FEW_API const char *few_node_op(const few_graph *g, few_node n); /* "conv", "silu" ... */

/* Scopes name the parts of a network in messages and listings: few_scope_push(g, "enc.0") ...
 * few_scope_pop(g), nested to any depth. A name is cut after 159 bytes. A pop without a push fails
 * the graph. */
FEW_API void few_scope_push(few_graph *g, const char *fmt, ...) FEW_PRINTF(2, 3);
FEW_API void few_scope_pop(few_graph *g);

/* ---- Sources ---- */
/* An array that is given at each run, bound by name. Two inputs of one name must have the same
 * shape and type. */
FEW_API few_node few_input(few_graph *g, const char *name, few_dtype type, struct few_shape shape);
/* A learned array, bound by name. Losses are differentiated with respect to these. */
FEW_API few_node few_param(few_graph *g, const char *name, struct few_shape shape);
FEW_API few_node few_fill(few_graph *g, double value, struct few_shape shape);
FEW_API few_node few_const(few_graph *g, struct few_shape shape, const double *values); /* copied */
/* Random numbers, drawn at each run as a function of (seed, purpose, step, row, element); dim 0 is
 * the batch. randn is normal with mean 0 and variance 1, randu uniform on (0, 1). Equal purposes
 * give equal numbers; a purpose is below 2^16. */
FEW_API few_node few_randn(few_graph *g, uint32_t purpose, struct few_shape shape);
FEW_API few_node few_randu(few_graph *g, uint32_t purpose, struct few_shape shape);

/* ---- Pointwise ---- operands of equal rank, dims equal or 1; or scalars. */
FEW_API few_node few_neg(few_graph *g, few_node x); /* affine with -1 */
FEW_API few_node few_exp(few_graph *g, few_node x);
FEW_API few_node few_log(few_graph *g, few_node x);
FEW_API few_node few_sin(few_graph *g, few_node x);
FEW_API few_node few_cos(few_graph *g, few_node x);
FEW_API few_node few_tanh(few_graph *g, few_node x);
FEW_API few_node few_atan(few_graph *g, few_node x);
FEW_API few_node few_sqrt(few_graph *g, few_node x);
FEW_API few_node few_recip(few_graph *g, few_node x);
FEW_API few_node few_square(few_graph *g, few_node x);
FEW_API few_node few_abs(few_graph *g, few_node x);
FEW_API few_node few_floor(few_graph *g, few_node x); /* the integer at or below; slope 0 */
FEW_API few_node few_sigmoid(few_graph *g, few_node x);
FEW_API few_node few_silu(few_graph *g, few_node x);                       /* x sigmoid(x) */
FEW_API few_node few_gelu(few_graph *g, few_node x);                       /* tanh form */
FEW_API few_node few_affine(few_graph *g, few_node x, double a, double b); /* a x + b */
FEW_API few_node few_scale(few_graph *g, few_node x, double a);            /* a x */
FEW_API few_node few_add(few_graph *g, few_node a, few_node b);
FEW_API few_node few_sub(few_graph *g, few_node a, few_node b);
FEW_API few_node few_mul(few_graph *g, few_node a, few_node b);
FEW_API few_node few_div(few_graph *g, few_node a, few_node b);
FEW_API few_node few_max(few_graph *g, few_node a, few_node b);
FEW_API few_node few_min(few_graph *g, few_node a, few_node b);
FEW_API few_node few_less(few_graph *g, few_node a,
                          few_node b); /* 1 where a < b, else 0; slope 0 */
FEW_API few_node few_select(few_graph *g, few_node c, few_node a, few_node b); /* c != 0 ? a : b */

/* ---- Shape ---- */
FEW_API few_node few_stop(few_graph *g, few_node x); /* x, with derivative zero */
FEW_API few_node few_reshape(few_graph *g, few_node x, struct few_shape shape);
FEW_API few_node few_broadcast(few_graph *g, few_node x,
                               struct few_shape shape); /* dims 1 are repeated */
/* The transpose of few_broadcast: sums over each dim that is 1 in `shape`. */
FEW_API few_node few_sum(few_graph *g, few_node x, struct few_shape shape);
FEW_API few_node few_sum_all(few_graph *g, few_node x);  /* scalar */
FEW_API few_node few_mean_all(few_graph *g, few_node x); /* scalar */
FEW_API few_node few_transpose(few_graph *g, few_node x,
                               const int *perm); /* out dim i = in dim perm[i] */
FEW_API few_node few_slice(few_graph *g, few_node x, int axis, int64_t start,
                           int64_t len); /* of labels too */
FEW_API few_node few_pad(few_graph *g, few_node x, int axis, int64_t before,
                         int64_t after); /* zeros */
FEW_API few_node few_concat(few_graph *g, int axis, int n, const few_node *x);
FEW_API few_node few_onehot(few_graph *g, few_node index, int64_t classes); /* [N] -> [N,classes] */

/* ---- Linear algebra and images ---- */
/* [..,M,K] x [..,K,N]; with ta or tb, that operand is read transposed. b may have rank 2 where a
 * has more: the same matrix then multiplies every leading index of a, and ta must be false. */
FEW_API few_node few_matmul(few_graph *g, few_node a, few_node b, bool ta, bool tb);
/* x [N,H,W,Ci], w [kh,kw,Ci,Co], zero padding `pad` on each side: cross-correlation, of shape
 * [N,(H+2pad-kh)/stride+1,..,Co]. A 1x1 kernel of stride 1 becomes a matmul. conv_dx and conv_dw
 * are the transposes with respect to x (of height h and width wd) and w (of kh x kw). */
FEW_API few_node few_conv(few_graph *g, few_node x, few_node w, int stride, int pad);
FEW_API few_node few_conv_dx(few_graph *g, few_node dy, few_node w, int stride, int pad, int64_t h,
                             int64_t wd);
FEW_API few_node few_conv_dw(few_graph *g, few_node x, few_node dy, int stride, int pad, int64_t kh,
                             int64_t kw);
/* Resamples by 2 with the separable filter taps/sum(taps); n is 2, 4 or 6. [1,1] gives the mean of
 * 2x2 pixels, and nearest neighbour for `up`; EDM also uses [1,3,3,1]. `up` is 4 x the transpose of
 * `down`. */
FEW_API few_node few_down(few_graph *g, few_node x, int n, const double *taps);
FEW_API few_node few_up(few_graph *g, few_node x, int n, const double *taps);

/* ---- Normalisation and attention ---- */
/* x [N, .., C]: for each row n and each of `groups` equal runs of channels, over all positions:
 * (x - mean) / sqrt(mean((x - mean)^2) + eps); without `center` the mean is taken as 0. This is
 * group norm; layer norm and RMS norm are the same on x reshaped to [rows, C] with one group. */
FEW_API few_node few_norm(few_graph *g, few_node x, int groups, bool center, double eps);
/* J(x) d for the Jacobian J of few_norm. J is symmetric, so this is J^T d too. */
FEW_API few_node few_norm_tangent(few_graph *g, few_node x, few_node d, int groups, bool center,
                                  double eps);
FEW_API few_node few_softmax(few_graph *g, few_node x); /* over the last axis */
/* qkv [N,T,3,heads,D] -> softmax(q k^T scale) v as [N,T,heads,D]; memory O(T). */
FEW_API few_node few_attention(few_graph *g, few_node qkv, double scale);
/* Value and tangent along d, stacked on the batch axis: [2N,T,heads,D]; one pass over the keys. */
FEW_API few_node few_attention_dual(few_graph *g, few_node qkv, few_node d, double scale);
/* Cotangent of qkv for the cotangent dy [N,T,heads,D] of the value. */
FEW_API few_node few_attention_grad(few_graph *g, few_node qkv, few_node dy, double scale);

/* ---- Derivatives: more nodes of the same graph ----
 * The x are independent variables of the derivative, even where one was computed from another. */
/* dy[n_y]: tangents of y for tangents dx[n_x] of x (FEW_NONE: zero). A y that does not depend on
 * any x gets FEW_NONE. Composes with itself and with few_vjp. */
FEW_API few_status few_jvp(few_node *dy, few_graph *g, int n_y, const few_node *y, int n_x,
                           const few_node *x, const few_node *dx);
/* dx[n_x]: cotangents of x for cotangents dy[n_y] of y. An x that no y depends on gets FEW_NONE. */
FEW_API few_status few_vjp(few_node *dx, few_graph *g, int n_y, const few_node *y,
                           const few_node *dy, int n_x, const few_node *x);
/* dx[n_x]: gradient of a scalar loss, which is few_vjp with cotangent 1. */
FEW_API few_status few_grad(few_node *dx, few_graph *g, few_node loss, int n_x, const few_node *x);

#ifdef __cplusplus
}
#endif
#endif
