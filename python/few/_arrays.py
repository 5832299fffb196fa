"""Arrays and texts on their way into the library."""
from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Any, Iterable, Mapping

import numpy as np

from .errors import InvalidError


def _folder(kind: str) -> Path:
    """The folder of "recipes" or "models" that come with few: in the package or, in a source
    tree, at its top."""
    here = Path(__file__).resolve().parent
    return here / 'share' / kind if (here / 'share').is_dir() else here.parent.parent / kind


def share(kind: str, name: str) -> str | None:
    """A file of _folder(kind); None: there is no such file."""
    path = _folder(kind) / name
    return str(path) if path.is_file() else None


def shared(kind: str, end: str) -> list[str]:
    """The names of the files of _folder(kind) without their end."""
    return sorted(path.name[:-len(end)] for path in _folder(kind).glob('*' + end))


def pointer(array: np.ndarray | None) -> int | None:
    return None if array is None else array.ctypes.data


def read(kind: Any, address: int | None, n: int) -> tuple:
    """n numbers of a ctypes type at an address, which is None only if there are none."""
    return tuple((kind * n).from_address(address)) if address and n else ()


def option_text(value: Any) -> str:
    """A value as recipes and options write it: True is yes, a list is 1, 2, 4."""
    if isinstance(value, (bool, np.bool_)):
        return 'yes' if value else 'no'
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, (list, tuple, np.ndarray)):
        return ', '.join(option_text(v) for v in value)
    path = getattr(value, 'path', None)
    if path is not None:
        return os.path.abspath(path)
    if not isinstance(value, (str, int)):
        raise InvalidError(f'{value!r} is no value of an option: give a number, a text, a list, a '
                           'path or a model that was loaded from a file')
    return str(value)


def texts(items: Iterable[str]) -> ctypes.Array:
    """A const char *const * of these texts."""
    encoded = [item.encode() for item in items]
    return (ctypes.c_char_p * max(len(encoded), 1))(*encoded)


def pairs(settings: Mapping[str, Any]) -> list[str]:
    """"key=value" of each setting that is not None."""
    return [f'{key}={option_text(value)}' for key, value in settings.items() if value is not None]


def to_bytes(images: np.ndarray) -> np.ndarray:
    """uint8 of float images in [-1, 1]: the nearest byte to (x + 1) 127.5, as few writes files."""
    x = np.asarray(images, np.float32)
    bad = int((~np.isfinite(x)).sum())
    if bad:
        raise InvalidError(f'{bad} values of the images are not finite')
    scaled = (x + np.float32(1)).astype(np.float64) * 127.5 + 0.5
    return np.clip(scaled, 0, 255).astype(np.uint8)


def as_images(images: Any) -> np.ndarray:
    """uint8 [N,H,W,C] of uint8 [N,H,W] or [N,H,W,C], or of such floats in [-1, 1]."""
    x = np.asarray(images)
    if x.ndim == 3:
        x = x[..., None]
    if x.ndim != 4 or 0 in x.shape:
        raise InvalidError(f'images have the shape {np.shape(images)}: give [N,H,W] or [N,H,W,C]')
    if x.shape[3] > 4 and x.shape[1] <= 4:
        raise InvalidError(f'images have the shape {x.shape}, which looks like [N,C,H,W]: give '
                           '[N,H,W,C], for example by x.transpose(0, 2, 3, 1)')
    if x.dtype.kind == 'f':
        low, high = float(x.min()), float(x.max())
        if high > 2 or low < -2:
            raise InvalidError(f'float images are in [-1, 1], and these are in [{low:g}, '
                               f'{high:g}]: give uint8 for values of 0 to 255')
        if low >= 0 and high > low:
            raise InvalidError(f'float images are in [-1, 1], and these are in [{low:g}, '
                               f'{high:g}]: give 2 * x - 1, or uint8')
        return np.ascontiguousarray(to_bytes(x))
    if x.dtype != np.uint8:
        raise InvalidError(f'images have the type {x.dtype}: give uint8, or floats in [-1, 1]')
    return np.ascontiguousarray(x)
