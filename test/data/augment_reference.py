#!/usr/bin/env python3
"""Images moved as EDM's augmentation moves them, written again from its description, with
golden values for test_augment.c. Needs torch 2.15 and safetensors.

    python3 augment_reference.py    writes data/augment.safetensors

The image is padded by its mirror image, enlarged by two with the filter sym6, moved by bilinear
interpolation on a grid, and reduced by two, all by torch in f64.

Tensors: image [H,W,C], bytes as floats; what [cases,11], the parameters of CASES; moved
[cases,H,W,C].
"""
import math
import os

import numpy as np
import torch
from safetensors.numpy import save_file
from torch.nn import functional as f

HERE = os.path.dirname(os.path.abspath(__file__))
SYM6 = torch.tensor([
    0.015404109327027373, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633,
    0.4910559419267466, 0.787641141030194, 0.3379294217276218, -0.07263752278646252,
    -0.021060292512300564, 0.04472490177066578, 0.0017677118642428036, -0.007800708325034148],
    dtype=torch.float64)
SCALE_STD, ANISO_STD, MOVE_STD = 0.2, 0.2, 0.125


def turn(a):
    return torch.tensor([[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]],
                        dtype=torch.float64)


def affine(what, h, w):
    """p' = A p + b, from the centre, x first."""
    scale, angle, z, r, mx, my = what
    s = 2 ** (ANISO_STD * z)
    a = 2 ** (-SCALE_STD * scale) * turn(angle) @ turn(-r) @ \
        torch.diag(torch.tensor([1 / s, s], dtype=torch.float64)) @ turn(r)
    return a, -a @ torch.tensor([mx * MOVE_STD * w, my * MOVE_STD * h], dtype=torch.float64)


def mirrored(image, pad_y, pad_x):
    """EDM mirrors an image once on each side, and has grey beyond; this goes on."""
    for dim, pad in enumerate((pad_y, pad_x)):
        n = image.shape[dim]
        i = (np.arange(-pad, n + pad) % (2 * n - 2))
        image = image.index_select(dim, torch.from_numpy(np.where(i < n, i, 2 * n - 2 - i)))
    return image


def enlarged(x):
    """[1,C,H,W] to [1,C,2H,2W]: pixel n is at 2n."""
    c = x.shape[1]
    for dim in (3, 2):
        kernel = math.sqrt(2) * SYM6.reshape((1, 1, 1, 12) if dim == 3 else (1, 1, 12, 1))
        kernel = kernel.expand(c, 1, -1, -1)
        y = f.conv_transpose2d(x, kernel, stride=(1, 2) if dim == 3 else (2, 1), groups=c)
        x = y.narrow(dim, 5, 2 * x.shape[dim])
    return x


def reduced(x):
    c = x.shape[1]
    for dim in (3, 2):
        kernel = SYM6.reshape((1, 1, 1, 12) if dim == 3 else (1, 1, 12, 1)) / math.sqrt(2)
        x = f.conv2d(x, kernel.expand(c, 1, -1, -1), stride=(1, 2) if dim == 3 else (2, 1),
                     groups=c)
    return x


def moved(image, what):
    """image [H,W,C]"""
    h, w, _ = image.shape
    a, b = affine(what, h, w)
    pad_x, pad_y = 3 * w, 3 * h
    u = enlarged(mirrored(image, pad_y, pad_x).permute(2, 0, 1)[None])
    gx = torch.arange(-5, 2 * w + 5, dtype=torch.float64) / 2 - (w - 1) / 2
    gy = torch.arange(-5, 2 * h + 5, dtype=torch.float64) / 2 - (h - 1) / 2
    y, x = torch.meshgrid(gy, gx, indexing='ij')
    from_x = a[0, 0] * x + a[0, 1] * y + b[0] + (w - 1) / 2 + pad_x
    from_y = a[1, 0] * x + a[1, 1] * y + b[1] + (h - 1) / 2 + pad_y
    # grid_sample counts from -1 to 1 between the first and the last pixel.
    grid = torch.stack([4 * from_x / (u.shape[3] - 1) - 1, 4 * from_y / (u.shape[2] - 1) - 1], 2)
    m = f.grid_sample(u, grid[None], mode='bilinear', padding_mode='zeros', align_corners=True)
    return reduced(m)[0].permute(1, 2, 0)


def blitted(image, turns, flip_x, flip_y, right, up):
    if flip_x:
        image = image.flip(1)
    if flip_y:
        image = image.flip(0)
    image = torch.rot90(image, turns)
    h, w, _ = image.shape
    return mirrored(image, h, w)[h + up:2 * h + up, w - right:2 * w - right]


CASES = [ # turns, flip_x, flip_y, right, up; scale, angle, stretch, its angle, move x, move y
    (0, 0, 0, 0, 0, 0.8, 0, 0, 0, 0, 0),
    (0, 0, 0, 0, 0, -1.5, 0, 0, 0, 0, 0),
    (0, 0, 0, 0, 0, 0, 0.3, 0, 0, 0, 0),
    (0, 0, 0, 0, 0, 0, -2.5, 0, 0, 0, 0),
    (0, 0, 0, 0, 0, 0, 0, 1.2, 0, 0, 0),
    (0, 0, 0, 0, 0, 0, 0, -1.2, 0.7, 0, 0),
    (0, 0, 0, 0, 0, 0, 0, 0, 0, 0.37, -1.1),
    (1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
    (2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0),
    (3, 1, 1, 2, -1, 0, 0, 0, 0, 0, 0),
    (1, 1, 0, -3, 2, -0.4, 2.1, 0.9, -2.2, 1.3, 0.6),
]


def main():
    rng = np.random.default_rng(5)
    out = {'image': rng.integers(0, 256, (12, 12, 3)).astype(np.float32),
           'what': np.array(CASES, dtype=np.float64).astype(np.float32)}
    results = []
    for case in CASES:
        image = blitted(torch.from_numpy(out['image']).double(), *case[:5])
        what = [float(np.float32(v)) for v in case[5:]]
        results.append((moved(image, what) if any(what) else image).numpy())
    out['moved'] = np.ascontiguousarray(np.stack(results), dtype=np.float32)
    save_file(out, os.path.join(HERE, 'data', 'augment.safetensors'))


if __name__ == '__main__':
    main()
