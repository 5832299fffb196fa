#!/usr/bin/env python3
"""compare.py DIR: runs each graph that is named in DIR/cases with ONNX Runtime, and with ONNX's own
reference implementation where the case says so, and compares with few's values.

A line of `cases` is NAME TOLERANCE RUNTIMES, where RUNTIMES is "ort" or "ort,reference". NAME.onnx
is the graph, NAME.in.INPUT.npy an input, NAME.out.npy what few computes. A graph with batches of
any size is run for 1 row, 3 rows and all rows. The tolerance is relative to the largest value.
"""
import os
import sys
import warnings

import numpy as np
import onnx
import onnxruntime
from onnx.reference import ReferenceEvaluator


def first_rows(array, shape, rows):
    """The first rows along the dim of the shape that is symbolic, if one is."""
    for axis, dim in enumerate(shape):
        if dim.dim_param:
            return array.take(range(rows), axis)
    return array


def batches(model, total):
    shape = model.graph.output[0].type.tensor_type.shape.dim
    dynamic = any(dim.dim_param for dim in shape)
    return sorted({min(1, total), min(3, total), total}) if dynamic else [total]


def compare(directory, name, tolerance, runtimes):
    path = os.path.join(directory, name)
    model = onnx.load(path + '.onnx')
    onnx.checker.check_model(model, full_check=True)
    opsets = [(o.domain, o.version) for o in model.opset_import]
    assert model.ir_version == 8 and opsets == [('', 18)]
    expected = np.load(path + '.out.npy')
    session = onnxruntime.InferenceSession(path + '.onnx', providers=['CPUExecutionProvider'])
    run = {'ort': lambda feed: session.run(None, feed)[0]}
    if 'reference' in runtimes:
        run['reference'] = lambda feed: ReferenceEvaluator(model).run(None, feed)[0]
    out_shape = model.graph.output[0].type.tensor_type.shape.dim
    for rows in batches(model, expected.shape[0] if expected.ndim else 1):
        feed = {}
        for port in model.graph.input:
            array = np.load(f'{path}.in.{port.name}.npy')
            feed[port.name] = first_rows(array, port.type.tensor_type.shape.dim, rows)
        want = first_rows(expected, out_shape, rows)
        for runtime, function in run.items():
            got = function(feed)
            assert got.shape == want.shape and got.dtype == want.dtype, (got.shape, want.shape)
            difference = np.abs(got.astype(np.float64) - want.astype(np.float64)).max()
            limit = tolerance * max(1, np.abs(expected).max())
            if not difference <= limit:
                print(f'{name}: {runtime}, {rows} rows: differs by {difference:.3g} > {limit:.3g}')
                return False
    return True


def main():
    warnings.simplefilter('ignore') # of the reference implementation, about exp(-x) that overflows
    directory = sys.argv[1]
    good = True
    with open(os.path.join(directory, 'cases')) as f:
        for line in f:
            name, tolerance, runtimes = line.split()
            try:
                good = compare(directory, name, float(tolerance), runtimes) and good
            except Exception as e:
                print(f'{name}: {e}')
                good = False
    sys.exit(0 if good else 1)


if __name__ == '__main__':
    main()
