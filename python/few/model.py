"""Models: load one, sample it, evaluate its network."""
from __future__ import annotations

import ctypes
import html
import json
import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import _abi, _arrays
from ._context import Context, Owner, lib
from .errors import DivergedError, InvalidError

_ANSWERS = {_abi.FEW_UNKNOWN: None, _abi.FEW_NO: False, _abi.FEW_YES: True}
_DIRECTIONS = {_abi.FEW_BOTH_WAYS: 'both', _abi.FEW_DECODES: 'decodes',
               _abi.FEW_ENCODES: 'encodes'}
_WHATS = {'sampler': _abi.FEW_EXPORT_SAMPLER, 'denoiser': _abi.FEW_EXPORT_DENOISER,
          'network': _abi.FEW_EXPORT_NETWORK}
_PIXELS = {'signed': _abi.FEW_EXPORT_SIGNED, 'unit': _abi.FEW_EXPORT_UNIT,
           'uint8': _abi.FEW_EXPORT_BYTES, 'rgb': _abi.FEW_EXPORT_RGB}
_PROCESSES = {name: value for name, value in _abi.constants('FEW_IMPORT_').items()
              if name != 'processes'}
Label = Any  # int, str or None


def _choice(what: str, name: str, choices: dict[str, int]) -> int:
    if name not in choices:
        raise InvalidError(f'{what} is {name!r}: use one of {", ".join(choices)}')
    return choices[name]


@dataclass(frozen=True)
class ModelInfo:
    """What a model is: the members of ``few_model_info``."""

    net: str  #: the network, "unet"
    objective: str  #: of its training: "diffusion", "scd" ...
    sampler: str  #: the sampler that suits it best; "none" for a classifier
    h: int  #: rows of an image; 1 for points
    w: int  #: columns of an image; 1 for points
    c: int  #: channels of an image, or the dimension of points
    points: bool
    classes: int  #: 0: no labels
    class_counts: tuple[int, ...] | None  #: training items of each class; None: not known
    class_names: tuple[str | None, ...]  #: None: a class without a name
    unlabelled: bool | None  #: whether training had rows without their label; None: not known
    guided: bool  #: takes a guidance scale as an input
    guidance_min: float  #: the range of that scale in training
    guidance_max: float
    parameters: int
    sigma_data: float  #: standard deviation of scaled data
    step: int  #: training steps
    flops: float  #: of one evaluation of one image; a multiply-add counts 2
    step_size: bool  #: has the step size as an input
    predicts: str  #: output of the raw network; F() gives F whatever it is
    times: tuple[float, ...]  #: its own sampling times in radians, falling
    direction: str  #: "both", "decodes" (from noise to images) or "encodes"
    augment: int  #: labels of augmentation, its inputs in training; 0: none


def _info(model: ctypes.c_void_p) -> ModelInfo:
    raw = _abi.few_model_info()
    lib.few_model_info(ctypes.byref(raw), ctypes.sizeof(raw), model)
    names = [lib.few_model_class_name(model, i) for i in range(raw.classes)]
    values = {name: getattr(raw, name) for name in raw.names() if name != 'n_times'}
    values = {k: v.decode() if isinstance(v, bytes) else v for k, v in values.items()}
    counts = _arrays.read(ctypes.c_int64, raw.class_counts, raw.classes)
    values['class_counts'] = counts if raw.class_counts else None
    values['times'] = _arrays.read(ctypes.c_double, raw.times, raw.n_times)
    values['unlabelled'] = _ANSWERS[raw.unlabelled]
    values['direction'] = _DIRECTIONS[raw.direction]
    return ModelInfo(class_names=tuple(n.decode() if n else None for n in names), **values)


class Sampling:
    """few_sample_opts from keyword arguments, by the option table of ``few sample``."""

    def __init__(self, context: Context, options: dict[str, Any]) -> None:
        self.args = _abi.few_sample_args.new()
        self._context = context
        self._kept: list[bytes] = []  # the library borrows texts
        for key, value in options.items():
            each = [value]
            if key == 'set':
                each = _arrays.pairs(value) if isinstance(value, dict) else (
                    [value] if isinstance(value, str) else list(value))
            for one in each if value is not None else ():
                self._kept.append(_arrays.option_text(one).encode())
                context.call(lib.few_option_set, ctypes.byref(self.args), context.pointer,
                             lib.few_sample_options(), key.replace('_', '-').encode(),
                             self._kept[-1])

    def __enter__(self) -> Any:
        try:
            self._context.call(lib.few_sample_args_open, ctypes.byref(self.args),
                               self._context.pointer)
        except BaseException:
            self.__exit__()
            raise
        return self.args.opts

    def __exit__(self, *_: Any) -> None:
        lib.few_sample_args_close(ctypes.byref(self.args))


class Model(Owner):
    """A trained model. Make one by :func:`few.load`.

    Several threads may call one Model; their calls wait for each other. Load it once per thread to
    run in parallel.
    """

    path: str | None  #: the file that it was loaded from
    info: ModelInfo  #: what it is

    def __init__(self, path: str | os.PathLike, *, workers: int = 0, backend: str | None = None,
                 precision: str | None = None) -> None:
        name = os.fspath(path)
        if not os.path.exists(name):
            name = _arrays.share('models', name + '.safetensors') or name
        context = Context(workers, backend, precision)
        model = ctypes.c_void_p()
        context.call(lib.few_model_load, ctypes.byref(model), context.pointer, name.encode())
        self._adopt(context, model, name)

    def _adopt(self, context: Context, model: ctypes.c_void_p, path: str | None) -> Model:
        """Own a model that was made in a context of its own."""
        super().__init__(context)
        self.path = path
        self._model = self._own(lib.few_model_free, model)
        runner = ctypes.c_void_p()
        self._context.call(lib.few_runner_create, ctypes.byref(runner), self._context.pointer,
                           model)
        self._runner = self._own(lib.few_runner_free, runner)
        self.info = _info(model)
        return self

    # ---- what it is ----

    @property
    def times(self) -> tuple[float, ...]:
        """Its own sampling times in radians, falling; empty: none."""
        return self.info.times

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of an item: (H, W, C) of an image, (D,) of a point."""
        i = self.info
        return (i.c,) if i.points else (i.h, i.w, i.c)

    @property
    def metadata(self) -> dict[str, Any]:
        """The description in its file (docs/format.md, section 4)."""
        self._live()
        return json.loads(self._context.text(lib.few_model_metadata, self._model))

    def show(self) -> str:
        """Its options and layers, as ``few show`` prints them."""
        self._live()
        return self._context.text(lib.few_model_show, self._model, None)

    def save(self, path: str | os.PathLike, weights: str = 'f32') -> None:
        """Write it to a file. weights: their number type, "f32", "f16", "bf16" or "int8"."""
        self._live()
        self._context.call(lib.few_model_save_as, self._model, os.fspath(path).encode(),
                           _choice('weights', weights, _abi.constants('FEW_WEIGHTS_')))

    def export(self, path: str | os.PathLike, what: str = 'sampler', pixels: str = 'signed',
               flat: bool = False, label: Label = None, **sampling: Any) -> str:
        """Write an ONNX file, for programs without few (docs/guide.md, "Taking a model
        elsewhere"). Returns a description of its inputs and outputs.

        what: "sampler": images from noise, by all steps; "denoiser": EDM's D(x, sigma);
        "network": F(x, t). pixels: "signed": floats in [-1, 1], not clipped; "unit": floats in
        [0, 1]; "uint8"; "rgb": uint8 with three channels. flat: all noise is one input [N,D].
        label: always this class; None: an input. sampling: steps, sampler ..., as of sample().
        """
        self._live()
        opts = _abi.few_export_opts.new(what=_choice('what', what, _WHATS),
                                        pixels=_choice('pixels', pixels, _PIXELS), flat=flat)
        with Sampling(self._context, sampling) as sample:
            if label is not None:
                sample.label = self._label(label)
            opts.sampling = ctypes.pointer(sample)
            return self._context.text(lib.few_export_onnx, self._context.pointer, self._model,
                                      os.fspath(path).encode(), ctypes.byref(opts))

    # ---- sampling ----

    def sample(self, n: int = 16, steps: int | None = None, label: Label = None, seed: int = 0,
               guidance: float | None = None, sampler: str | None = None,
               dtype: str | None = None, *, first: int = 0, batch: int = 0,
               return_labels: bool = False, **options: Any) -> Any:
        """Sample n items: images [n,H,W,C], points [n,D].

        label: a class by its number or name; None: classes as often as in training; "each": one
        class after the other; "none": no label.
        dtype: "uint8" (default for images), or "float32": images in [-1, 1], not clipped, and
        points in their own units.
        first: index of the first item. Item i of a seed is always the same.
        batch: images in memory at once; 0: chosen by few. Never changes a result.
        return_labels: also return int32 [n], -1 for none.
        options: those of ``few sample``, with _ for -: times, schedule, guidance_times, autoguide,
        autoguidance, and set={"churn": 20} for options of the sampler.
        """
        self._live()
        x = np.empty((self._count(n), *self.shape), np.float32)
        labels = np.full(n, -1, np.int32)
        options.update(steps=steps, guidance=guidance, sampler=sampler)
        with self._sampling(n, options, first=first, batch=batch, seed=seed) as opts:
            opts.label = self._label(label)
            self._context.call(lib.few_sample, x.ctypes.data, labels.ctypes.data, None,
                               self._runner, ctypes.byref(opts))
        images = self._as(x, dtype)
        return (images, labels) if return_labels else images

    def encode(self, images: Any, label: Any = None, **options: Any) -> np.ndarray:
        """The noise, float32 of about unit variance, that the model's flow maps to images: uint8
        or float32 in [-1, 1] [n,H,W,C], points [n,D].

        label: a class, or an array of n classes; None: none. options: as of sample()."""
        self._live()
        x = np.ascontiguousarray(self._raw(images), np.float32)
        return self._convert(lib.few_encode, x, label, options)

    def decode(self, noise: Any, label: Any = None, dtype: str | None = None,
               **options: Any) -> np.ndarray:
        """sample() from the given noise, [n,H,W,C] or [n,D] of unit variance. label: as of
        encode()."""
        self._live()
        x = self._rows(noise, 'noise')
        return self._as(self._convert(lib.few_decode, x, label, options), dtype)

    # ---- the network ----

    def F(self, x: Any, t: Any = None, label: Any = None, guidance: Any = None,
          to: float | None = None) -> np.ndarray:
        """The velocity F, float32 of the shape of x, where dx_t/dt = sigma_data F(x_t/sigma_data,
        t); of a classifier the logits [n,classes].

        x: x_t / sigma_data, of unit variance, [n,H,W,C] or [n,D]; x_t = cos(t) x_0 + sin(t)
        sigma_data z. to_network() makes x_0 / sigma_data of images.
        t: radians, a number or [n]; None only for a classifier.
        label: a class by number or name, or an array of n classes, -1 for none; None: none.
        guidance: a scale, or an array [n]; None: no guidance.
        to: the time at which the step ends, of a model that takes a step size; None: t.
        """
        self._live()
        x = self._rows(x, 'x')
        n = len(x)
        times = self._each(t, n, 't')
        scale = self._each(guidance, n, 'guidance')
        labels = self._labels(label, n)
        sizes = self._step_sizes(times, to, n)
        classifies = self.info.sampler == 'none'
        out = np.empty((n, self.info.classes) if classifies else x.shape, np.float32)
        inputs = _abi.few_inputs.new(
            n=n, x=_arrays.pointer(x), t=_arrays.pointer(times), label=_arrays.pointer(labels),
            guidance=_arrays.pointer(scale), step_size=_arrays.pointer(sizes))
        self._context.call(lib.few_runner_eval, out.ctypes.data, self._runner,
                           ctypes.byref(inputs))
        return out

    def denoise(self, x: Any, t: Any, label: Any = None, guidance: Any = None) -> np.ndarray:
        """The network's estimate of x_0 / sigma_data, cos(t) x - sin(t) F(x, t), float32 of the
        shape of x. Arguments are those of F(). from_network() makes images of it. Of a consistency
        model this is its sample; of a diffusion model, the mean of all images that x may come
        from."""
        x = self._rows(x, 'x')
        t = np.asarray(t, np.float32)
        f = self.F(x, t, label, guidance, to=0.0 if self.info.step_size else None)
        angle = t.reshape(t.shape + (1,) * (x.ndim - t.ndim)) if t.ndim else t
        return np.cos(angle) * x - np.sin(angle) * f

    def to_network(self, images: Any) -> np.ndarray:
        """x_0 / sigma_data, float32, of images (uint8, or float32 in [-1, 1]) or points."""
        mean, scale = self._scale()
        x = (self._raw(images).astype(np.float64) - mean) * (scale / self.info.sigma_data)
        return x.astype(np.float32)

    def from_network(self, x: Any, dtype: str | None = None) -> np.ndarray:
        """Images or points of x_0 / sigma_data; the inverse of to_network(). dtype: as of
        sample()."""
        mean, scale = self._scale()
        raw = np.asarray(x, np.float64) * (self.info.sigma_data / scale) + mean
        return self._as(raw.astype(np.float32), dtype)

    # ---- helpers ----

    def _count(self, n: int) -> int:
        if n < 1:
            raise InvalidError(f'n is {n}: give at least 1')
        return n

    def _sampling(self, n: int, options: dict[str, Any], **members: Any) -> Sampling:
        sampling = Sampling(self._context, options)
        for name, value in {'n': n, **members}.items():
            if value < 0:
                raise InvalidError(f'{name} is {value}: give 0 or more')
            setattr(sampling.args.opts, name, value)
        return sampling

    def _convert(self, function: Any, x: np.ndarray, label: Any,
                 options: dict[str, Any]) -> np.ndarray:
        out, labels = np.empty_like(x), self._labels(label, len(x))
        with self._sampling(len(x), options) as opts:
            if labels is None:
                opts.label = _abi.FEW_LABEL_NONE
            self._context.call(function, out.ctypes.data, None, self._runner, ctypes.byref(opts),
                               x.ctypes.data, _arrays.pointer(labels))
        return out

    def _label(self, label: Label) -> int:
        if label is None:
            return _abi.FEW_LABEL_SHARES
        if isinstance(label, str):
            if label in ('each', 'none'):
                return _abi.FEW_LABEL_EACH if label == 'each' else _abi.FEW_LABEL_NONE
            found = ctypes.c_int()
            self._context.call(lib.few_model_find_class, ctypes.byref(found), self._model,
                               label.encode())
            return found.value
        return self._class(int(label))

    def _class(self, label: int) -> int:
        if not 0 <= label < self.info.classes:
            raise InvalidError(f'label {label}: the model has {self.info.classes} classes, '
                               'numbered from 0')
        return label

    def _labels(self, label: Any, n: int) -> np.ndarray | None:
        if label is None or (isinstance(label, str) and label == 'none'):
            return None
        if np.ndim(label) == 0:
            return np.full(n, self._label(label), np.int32)
        values = np.ascontiguousarray(label, np.int32)
        if values.shape != (n,):
            raise InvalidError(f'label has the shape {values.shape}: give ({n},), or one class')
        for value in set(values.tolist()) - {-1}:
            self._class(value)
        return values

    def _rows(self, x: Any, what: str) -> np.ndarray:
        rows = np.ascontiguousarray(x, np.float32)
        if rows.shape[1:] != self.shape or rows.ndim != 1 + len(self.shape):
            raise InvalidError(f'{what} has the shape {rows.shape}: give (n, '
                               f'{", ".join(map(str, self.shape))})')
        return rows

    def _raw(self, images: Any) -> np.ndarray:
        x = np.asarray(images)
        if x.dtype == np.uint8 and not self.info.points:
            x = (x / 127.5 - 1).astype(np.float32)
        elif x.dtype.kind != 'f':
            raise InvalidError(f'the array has the type {x.dtype}: give floats' + (
                '' if self.info.points else ' in [-1, 1], or uint8'))
        return self._rows(x, 'the array')

    def _each(self, value: Any, n: int, what: str) -> np.ndarray | None:
        if value is None:
            return None
        values = np.asarray(value, np.float32)
        if values.shape not in ((), (n,)):
            raise InvalidError(f'{what} has the shape {values.shape}: give a number or ({n},)')
        return np.ascontiguousarray(np.broadcast_to(values, (n,)))

    def _step_sizes(self, times: np.ndarray | None, to: float | None,
                    n: int) -> np.ndarray | None:
        if not self.info.step_size or times is None:
            if to is not None:
                raise InvalidError('to: this model takes no step size; leave it out')
            return None
        out, one = np.empty(n, np.float32), ctypes.c_float()
        for i, t in enumerate(times.tolist()):
            self._context.call(lib.few_runner_step_size, ctypes.byref(one), self._runner, t,
                               t if to is None else to)
            out[i] = one.value
        return out

    def _scale(self) -> tuple[np.ndarray, np.ndarray]:
        data = self.metadata['data']
        return np.asarray(data['mean'], np.float64), np.asarray(data['scale'], np.float64)

    def _as(self, x: np.ndarray, dtype: str | None) -> np.ndarray:
        wanted = np.dtype(dtype or ('float32' if self.info.points else 'uint8'))
        if wanted == np.float32:
            return x
        if wanted != np.uint8 or self.info.points:
            raise InvalidError(f'dtype is {wanted}: give "float32"' + (
                '' if self.info.points else ' or "uint8"'))
        if not np.isfinite(x).all():
            raise DivergedError('samples are not finite: the model has diverged; train it with a '
                                'lower learning rate')
        return _arrays.to_bytes(x)

    def _facts(self) -> list[tuple[str, str]]:
        i = self.info
        what = f'points in {i.c} dimensions' if i.points else f'images, {i.h} x {i.w} x {i.c}'
        classes = f', {i.classes} classes' if i.classes else ''
        facts = [('network', f'{i.net}, {i.parameters:,} parameters'), ('data', what + classes),
                 ('trained', f'{i.objective}, {i.step:,} steps'), ('sampler', i.sampler)]
        return facts + ([('file', self.path)] if self.path else [])

    def __repr__(self) -> str:
        return f'<few.Model {"; ".join(" ".join(fact) for fact in self._facts())}>'

    def _repr_html_(self) -> str:
        rows = ''.join(f'<tr><th style="text-align:left">{name}</th><td style="text-align:left">'
                       f'{html.escape(value)}</td></tr>' for name, value in self._facts())
        return f'<table>{rows}</table>'


def load(path: str | os.PathLike, *, workers: int = 0, backend: str | None = None,
         precision: str | None = None) -> Model:
    """Load a model file, or by its name a model that comes with few ("fashion-student").

    workers: threads; 0: as many as the machine has. Never changes a result.
    backend: "cpu", "cuda" ... precision: "fp32", "tf32" or "bf16".
    """
    return Model(path, workers=workers, backend=backend, precision=precision)


def import_model(source: str | os.PathLike, *, format: str | None = None,
                 scheduler: str | os.PathLike | None = None, process: str = 'found',
                 predicts: str | None = None, sigma_data: float = 0, size: int = 0,
                 labels: str | os.PathLike | None = None, **settings: Any) -> Model:
    """A network of another program as a Model (docs/import.md): a folder of diffusers, a file of
    EDM. Nothing in it is executed. Model.save() writes it as a file of few.

    format: only layouts of this format ("diffusers", "edm" ...); None: all.
    The following are for sources that do not say. scheduler: path of a scheduler's configuration.
    process: the process whose state and time the network takes. predicts: its output, "eps" ...
    sigma_data: standard deviation of the data in [-1, 1]; 0: 0.5. size: side of images in pixels.
    labels: path of a text file with a class name per line. settings: what a file of weights does
    not say, as docs/import.md lists it: num_heads=6, noise_schedule='cosine'.
    """
    texts = {'source': source, 'format': format, 'scheduler': scheduler, 'predicts': predicts,
             'labels': labels}
    opts = _abi.few_import_opts.new(
        process=_choice('process', process.replace('-', '_'), _PROCESSES), sigma_data=sigma_data,
        size=size, **{k: os.fspath(v).encode() for k, v in texts.items() if v is not None})
    pairs = _arrays.pairs(settings)
    flags = _arrays.texts(pairs)
    opts.n_settings, opts.settings = len(pairs), ctypes.cast(flags, ctypes.c_void_p)
    context, model = Context(), ctypes.c_void_p()
    context.call(lib.few_import, ctypes.byref(model), context.pointer, ctypes.byref(opts))
    return Model.__new__(Model)._adopt(context, model, None)
