"""Data sets."""
from __future__ import annotations

import ctypes
import os
from typing import Any, Sequence

import numpy as np

from . import _abi, _arrays
from ._context import Context, Owner, lib
from .errors import InvalidError


class Dataset(Owner):
    """Images or points, perhaps with labels. Make one by open() or from_numpy(). It does not
    change, so any number of threads may read it."""

    kind: str  #: "images" or "points"
    spec: str  #: its name in full
    shape: tuple[int, ...]  #: of an item: (H, W, C) of an image, (D,) of a point
    classes: int  #: 0: no labels
    class_names: tuple[str | None, ...]  #: None: a class without a name
    skipped: int  #: broken items that were left out (on_error="skip")
    note: str  #: the choices that its reader made
    mean: float  #: of all values, of images in [-1, 1]
    std: float  #: population standard deviation of all values
    hash: int  #: of shape, values and labels

    def __init__(self, make: Any, options: dict[str, Any]) -> None:
        super().__init__(Context())
        opts = _abi.few_data_opts.new(seed=options.pop('seed', 0))
        for key, value in options.items():
            if value is not None:
                self._context.call(lib.few_data_set_option, ctypes.byref(opts),
                                   self._context.pointer, key.encode(),
                                   _arrays.option_text(value).encode())
        data = ctypes.c_void_p()
        make(self._context, data, opts)
        self._data = d = self._own(lib.few_data_free, data)
        points = lib.few_data_get_kind(d) == _abi.FEW_DATA_POINTS
        self.kind = 'points' if points else 'images'
        self.spec = lib.few_data_spec(d).decode()
        c = lib.few_data_c(d)
        self.shape = (c,) if points else (lib.few_data_h(d), lib.few_data_w(d), c)
        self.classes = lib.few_data_n_classes(d)
        names = [lib.few_data_class_name(d, i) for i in range(self.classes)]
        self.class_names = tuple(name.decode() if name else None for name in names)
        self.skipped = lib.few_data_skipped(d)
        self.note = (lib.few_data_note(d) or b'').decode()
        self.mean, self.std = lib.few_data_mean(d), lib.few_data_std(d)
        self.hash = lib.few_data_hash(d)
        self._n = lib.few_data_n(d)

    @classmethod
    def open(cls, spec: str | os.PathLike, **options: Any) -> Dataset:
        """Open a data set by its spec or path: "folder:photos", "npz:data.npz", "toy:moons",
        "fashion-mnist:test" (docs/commands.md lists all).

        options: split, on_error, limit, size, fit, channels, background, seed, classes, holdout and
        cache, as ``few data`` has them.
        """
        name = os.fspath(spec)

        def make(context: Context, out: ctypes.c_void_p, opts: Any) -> None:
            full = context.text(lib.few_data_full_spec, context.pointer, name.encode())
            context.call(lib.few_data_open, ctypes.byref(out), context.pointer, full.encode(),
                         ctypes.byref(opts))

        return cls(make, options)

    @classmethod
    def from_numpy(cls, items: Any, labels: Any = None, class_names: Sequence[str] | None = None,
                   name: str = 'numpy', **options: Any) -> Dataset:
        """A data set of arrays, which are copied.

        items: images, uint8 [N,H,W] or [N,H,W,C], or such floats in [-1, 1], which are rounded to
        bytes; or points, floats [N,D].
        labels: int [N]; None: no labels. class_names: of classes 0, 1 ...
        name: for messages and reports. options: limit, holdout, classes, split.
        """
        memory = _abi.few_data_memory.new(name=name.encode())
        raw = np.asarray(items)
        if raw.ndim == 2:
            if raw.dtype.kind != 'f':
                raise InvalidError(f'points have the type {raw.dtype}: give floats [N,D]')
            x = np.ascontiguousarray(raw, np.float32)
            memory.points, memory.c = x.ctypes.data, x.shape[1]
        else:
            x = _arrays.as_images(raw)
            memory.pixels = x.ctypes.data
            memory.h, memory.w, memory.c = x.shape[1:]
        memory.n = len(x)
        kept = _set_labels(memory, labels, class_names)

        def make(context: Context, out: ctypes.c_void_p, opts: Any) -> None:
            context.call(lib.few_data_create, ctypes.byref(out), context.pointer,
                         ctypes.byref(memory), ctypes.byref(opts))

        made = cls(make, options)
        del x, kept  # the library has copied them
        return made

    def numpy(self, first: int = 0, n: int | None = None,
              dtype: str | None = None) -> tuple[np.ndarray, np.ndarray | None]:
        """Items first ... first + n - 1 (None: to the end) and their labels, int32 [n]; None: the
        set has no labels.

        Images are [n,H,W,C] uint8, or with dtype="float32" in [-1, 1]; points float32 [n,D].
        """
        self._live()
        n = self._n - first if n is None else n
        if first < 0 or n < 0 or first + n > self._n:
            raise InvalidError(f'items {first} to {first + n - 1}: the set has 0 to {self._n - 1}')
        wanted = np.dtype(dtype or ('uint8' if self.kind == 'images' else 'float32'))
        if wanted not in ((np.uint8, np.float32) if self.kind == 'images' else (np.float32,)):
            raise InvalidError(f'dtype is {wanted}: give "float32"' + (
                ' or "uint8"' if self.kind == 'images' else ''))
        x = np.empty((n, *self.shape), np.float32)
        labels = np.empty(n, np.int32)
        stream = _abi.few_data_stream.new(shuffle=False)
        if n:
            self._context.call(lib.few_data_fill, x.ctypes.data, labels.ctypes.data, self._data,
                               ctypes.byref(stream), first, n)
        return (x if wanted == np.float32 else _arrays.to_bytes(x),
                labels if self.classes else None)

    def write(self, path: str | os.PathLike, first: int = 0, n: int | None = None,
              columns: int = 0) -> None:
        """Write items to a file: NAME.png, a grid, or of points their density; or NAME.npy, with
        labels in NAME.labels.npy. columns: of the grid; 0: as square as possible."""
        self._live()
        n = self._n - first if n is None else n
        self._context.call(lib.few_data_write, self._data, os.fspath(path).encode(), first, n,
                           columns)

    def __len__(self) -> int:
        return self._n

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        """Item and label, -1 for none, as numpy() gives them."""
        at = index + self._n if index < 0 else index
        if not 0 <= at < self._n:
            raise IndexError(f'item {index} of {self._n}')
        x, labels = self.numpy(at, 1)
        return x[0], -1 if labels is None else int(labels[0])

    def __repr__(self) -> str:
        classes = f', {self.classes} classes' if self.classes else ''
        return f'<few.Dataset {self.spec}: {self._n} {self.kind} {self.shape}{classes}>'


def _set_labels(memory: Any, labels: Any, class_names: Sequence[str] | None) -> tuple:
    """Returns what the library borrows."""
    values = names = None
    if labels is not None:
        raw = np.asarray(labels)
        if raw.dtype.kind not in 'iu' or raw.shape != (memory.n,):
            raise InvalidError(f'labels are {raw.dtype} {raw.shape}: give integers ({memory.n},)')
        values = np.ascontiguousarray(raw, np.int32)
        if (values != raw).any():
            raise InvalidError('labels do not fit in 32 bits: number the classes from 0')
        memory.labels = values.ctypes.data
    if class_names is not None:
        if labels is None:
            raise InvalidError('class_names without labels: give labels too')
        names = _arrays.texts(class_names)
        memory.n_classes = len(class_names)
        memory.class_names = ctypes.cast(names, ctypes.c_void_p)
    return values, names


def as_dataset(data: Any) -> Dataset:
    """A Dataset of itself, a spec or path, an array, or a pair (array, labels)."""
    if isinstance(data, Dataset):
        return data
    if isinstance(data, (str, os.PathLike)):
        return Dataset.open(data)
    if isinstance(data, tuple):
        return Dataset.from_numpy(*data)
    return Dataset.from_numpy(data)
