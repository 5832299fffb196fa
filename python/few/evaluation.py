"""Measures how close images are to a reference (docs/eval.md)."""
from __future__ import annotations

import ctypes
import html
import json
import os
from typing import Any, Sequence

from . import _abi, _arrays
from ._context import Context, lib
from .data import Dataset, as_dataset
from .model import Model, Sampling, _choice

_BALLS = _abi.constants('FEW_EVAL_BALL_')


class Report(dict):
    """The value of each metric by its name. ``errors`` has their standard deviations where they
    were measured, and ``report`` everything that the numbers depend on (docs/eval.md)."""

    errors: dict[str, float]
    report: dict[str, Any]

    def __init__(self, report: dict[str, Any]) -> None:
        numbers = report['numbers']
        super().__init__({number['name']: number['value'] for number in numbers})
        self.errors = {number['name']: number['error'] for number in numbers
                       if number['error'] is not None}
        self.report = report

    def _repr_html_(self) -> str:
        rows = ''.join(
            f'<tr><td style="text-align:left">{html.escape(name)}</td><td>{value:.6g}</td><td>'
            + (f'± {self.errors[name]:.2g}' if name in self.errors else '') + '</td></tr>'
            for name, value in self.items())
        return f'<table>{rows}</table>'


def evaluate(source: Any, reference: Any = None, *, metrics: str | Sequence[str] | None = None,
             features: str | None = None, n: int = 0, n_reference: int = 0,
             label: int | str | None = None, seed: int = 0, seeds: int = 1, bootstrap: int = 0,
             keep: int = 10000, knn: int = 0, ball: str = 'own', subsets: int = 100,
             subset_size: int = 1000, splits: int = 10, workers: int = 0,
             **sampling: Any) -> Report:
    """Measure a source against a reference.

    source: a Model, which is sampled; or images or points: a Dataset, an array as of
    Dataset.from_numpy, a pair (array, labels), or a path or spec of either.
    reference: images or points in the same ways, or the path of statistics that
    ``few eval --save-ref`` wrote; None: metrics without a reference.
    metrics: names ("fd", "kid", "pr" ...); None: all that source and features allow.
    features: "fashion", "pixels", "inception=FILE", "classifier=FILE" ...; None: pixels, with a
    warning for images.
    n: items of the source; 0: 10000 of a model, else all. n_reference: of the reference; 0: all.
    label: measure one class, by number or name; "each": samples of all classes equally often;
    "none": samples without a label; None: all classes, as often as in the reference.
    seeds, bootstrap: errors over that many sets of samples, or from halves of one set.
    keep, knn, ball, subsets, subset_size, splits: of the metrics, as ``few eval`` has them.
    sampling: steps, guidance, sampler ..., as of Model.sample.
    """
    context = source._context if isinstance(source, Model) else Context(workers)
    kept: list[Any] = []  # what the options refer to
    opts = _abi.few_eval_opts.new(
        n=n, n_reference=n_reference, seed=seed, seeds=seeds, bootstrap=bootstrap, keep=keep,
        knn=knn, subsets=subsets, subset_size=subset_size, splits=splits)
    opts.ball = _choice('ball', ball, _BALLS)
    _set_source(opts, source, kept)
    _set_reference(opts, reference, kept)
    _set_label(opts, label)
    if features is not None:
        opts.features = _features(features).encode()
    if metrics is not None:
        opts.metrics = (metrics if isinstance(metrics, str) else ','.join(metrics)).encode()
    with Sampling(context, sampling) as sample:
        opts.sampling = sample
        return _measure(context, opts)


def _measure(context: Context, opts: Any) -> Report:
    out = ctypes.POINTER(_abi.few_eval_report)()
    try:
        context.call(lib.few_eval, ctypes.byref(out), context.pointer, ctypes.byref(opts))
        return Report(json.loads(context.text(lib.few_eval_json, context.pointer, out)))
    finally:
        lib.few_eval_report_free(out)  # also after Ctrl-C, which leaves a report


def _set_source(opts: Any, source: Any, kept: list[Any]) -> None:
    if isinstance(source, Model):
        source._live()
        opts.runner = source._runner
        opts.source = (source.path or 'model').encode()
    elif isinstance(source, (str, os.PathLike)):
        opts.source = os.fspath(source).encode()
    else:
        kept.append(as_dataset(source))
        kept[-1]._live()
        opts.source_data = kept[-1]._data


def _set_reference(opts: Any, reference: Any, kept: list[Any]) -> None:
    if isinstance(reference, (str, os.PathLike)):
        opts.reference = os.fspath(reference).encode()
    elif reference is not None:
        kept.append(as_dataset(reference))
        kept[-1]._live()
        opts.reference_data = kept[-1]._data


def _set_label(opts: Any, label: int | str | None) -> None:
    if label in ('each', 'none'):
        opts.label = _abi.constants('FEW_LABEL_')[str(label)]
    elif label is not None:
        opts.label_word = str(label).encode()


def _features(features: str) -> str:
    if '=' in features or '/' in features:
        return features
    path = _arrays.share('models', features + '-features.safetensors')
    return f'{features}={path}' if path else features
