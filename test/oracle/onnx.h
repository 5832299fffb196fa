/* onnx.h - runs an ONNX file, one operator after another by plain loops in f64, as the standard
 * (Operators.md, opset 18) defines them. Only the operators, and only those of their attributes,
 * that few writes. */
#ifndef FEW_TEST_ORACLE_ONNX_H
#define FEW_TEST_ORACLE_ONNX_H

#include "wire.h"

enum { ONNX_RANK = 6 };
struct onnx_array {
  struct wire name;
  int rank;
  int64_t dim[ONNX_RANK];
  double *x; /* of every type */
};

/* The first output of the graph for n inputs, whose names are those of the file. The caller frees
 * the result's x. Fails the test for an operator that it does not know. */
struct onnx_array onnx_run(struct wire model, int n, const struct onnx_array *in);

#endif
