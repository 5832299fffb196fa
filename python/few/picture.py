"""Grids of images, for notebooks and files."""
from __future__ import annotations

import os
import tempfile
from typing import Any

import numpy as np

from .data import Dataset
from .errors import InvalidError


class Grid:
    """A picture, which a notebook shows. ``png`` has its bytes."""

    def __init__(self, png: bytes) -> None:
        self.png = png

    def save(self, path: str | os.PathLike) -> None:
        """Write the PNG file."""
        with open(path, 'wb') as file:
            file.write(self.png)

    def _repr_png_(self) -> bytes:
        return self.png

    def __repr__(self) -> str:
        w, h = (int.from_bytes(self.png[at:at + 4], 'big') for at in (16, 20))
        return f'<few.Grid: {w} x {h} pixels>'


def grid(images: Any, columns: int = 0, scale: int = 0) -> Grid:
    """A grid of images, uint8 [N,H,W,C] or [N,H,W], or floats in [-1, 1]; of points, floats [N,2],
    a picture of their density. A Dataset may be given too.

    columns: 0: as square as possible. scale: side of a pixel; 0: such that an image has about 64
    pixels; 1: as it is.
    """
    data = images if isinstance(images, Dataset) else Dataset.from_numpy(images)
    if data.kind == 'images':
        side = min(data.shape[:2])
        k = scale or max(1, round(64 / side))
        if k < 1:
            raise InvalidError(f'scale is {scale}: give 1 or more')
        if k > 1:
            x, _ = data.numpy()
            data = Dataset.from_numpy(np.repeat(np.repeat(x, k, axis=1), k, axis=2))
    with tempfile.TemporaryDirectory(prefix='few-') as folder:
        path = os.path.join(folder, 'grid.png')
        data.write(path, columns=columns)
        with open(path, 'rb') as file:
            return Grid(file.read())
