/* shape_runs.c - slice, pad and concat. Along its axis a tensor is [outer, dim, inner], and runs of
 * whole inner blocks are copied. If one side is in bf16 and the other in f32, they are converted.
 */
#include "engine/backend/shape.h"
#include "stored.h"

void FEW_ISA(few__cpu_slice)(const struct few_call *call) {
  const struct few_attr_slice *attr = &call->node->attr.slice;
  const int axis = (int)attr->axis;
  const int64_t outer = outer_of(call->shape, axis), inner = inner_of(call->shape, axis);
  const int64_t dim = call->in[0].shape.dim[axis], n = call->shape.dim[axis] * inner;
  assert(0 <= attr->start && attr->start + call->shape.dim[axis] <= dim);
  const struct from x = num_operand(call, 0);
  const struct to out = num_result(call);
  for (int64_t o = 0; o < outer && n > 0; o++)
    num_copy(num_to(out, o * n), num_from(x, (o * dim + attr->start) * inner), n);
}

void FEW_ISA(few__cpu_pad)(const struct few_call *call) {
  const struct few_attr_pad *attr = &call->node->attr.pad;
  const int axis = (int)attr->axis;
  const int64_t outer = outer_of(call->shape, axis), inner = inner_of(call->shape, axis);
  const int64_t before = attr->before * inner, after = attr->after * inner;
  const int64_t n = call->in[0].shape.dim[axis] * inner, row = before + n + after;
  const struct from x = num_operand(call, 0);
  for (int64_t o = 0; o < outer && row > 0; o++) {
    const struct to out = num_to(num_result(call), o * row);
    num_fill(out, 0, before);
    if (n > 0) num_copy(num_to(out, before), num_from(x, o * n), n);
    num_fill(num_to(out, before + n), 0, after);
  }
}

void FEW_ISA(few__cpu_concat)(const struct few_call *call) {
  const int axis = (int)call->node->attr.concat.axis;
  const int64_t outer = outer_of(call->shape, axis), inner = inner_of(call->shape, axis);
  struct to out = num_result(call);
  for (int64_t o = 0; o < outer; o++)
    for (int k = 0; k < call->n_in; k++) {
      const int64_t n = call->in[k].shape.dim[axis] * inner;
      if (n > 0) num_copy(out, num_from(num_operand(call, k), o * n), n);
      out = num_to(out, n);
    }
}
