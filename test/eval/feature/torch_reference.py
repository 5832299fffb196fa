#!/usr/bin/env python3
"""Inception-v3 of the FID in PyTorch, in float64 and with weights from a formula:
test/eval/feature/data/inception.safetensors.

    torch_reference.py [--weights FILE]   the answers that test_inception.c compares with
                                          FILE: also the weights, as torch.save's state dict

Layers as torchvision has them, less what pytorch-fid changes (github.com/mseitzer/pytorch-fid):
average pools do not count padding, the last block has a max pool. Batch norms are not folded here,
averages come before their kernels, NCHW: another way to the same numbers. Element i of the tensor
called NAME is made of r = mix(crc32(NAME) + i 0x9e3779b9) in [-1, 1), see `tensor`; images
likewise. Needs PyTorch and NumPy.
"""
import argparse
import json
import math
import os
import struct
import zlib

import numpy as np
import torch
from torch.nn import functional as F

HERE = os.path.dirname(os.path.abspath(__file__))


def mix(x):
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x85ebca6b)
    x ^= x >> np.uint32(13)
    x *= np.uint32(0xc2b2ae35)
    return x ^ x >> np.uint32(16)


def bits(name, n):
    with np.errstate(over='ignore'):
        return mix(np.uint32(zlib.crc32(name.encode())) +
                   np.arange(n, dtype=np.uint32) * np.uint32(0x9e3779b9))


def uniform(name, n):
    return (bits(name, n) >> np.uint32(8)).astype(np.float64) * 2.0**-23 - 1


state = {}


def tensor(name, *shape):
    """Return the numbers of the formula in float64, rounded to float32 as in the file."""
    r = uniform(name, int(np.prod(shape)))
    if name.endswith('conv.weight'):
        r *= math.sqrt(6 / (shape[1] * shape[2] * shape[3]))
    elif name == 'fc.weight':
        r *= math.sqrt(3 / shape[1])
    elif name.endswith('bn.weight'):
        r = 1 + 0.25 * r
    elif name.endswith('running_var'):
        r = 1 + 0.5 * r
    else:
        r *= 0.25
    state[name] = torch.from_numpy(r.astype(np.float32).reshape(shape))
    return state[name].double()


def conv(x, name, out, kernel, stride=1, padding=0):
    kernel = kernel if isinstance(kernel, tuple) else (kernel, kernel)
    x = F.conv2d(x, tensor(name + '.conv.weight', out, x.shape[1], *kernel), stride=stride,
                 padding=padding)
    bn = {k: tensor(f'{name}.bn.{k}', out)
          for k in ('weight', 'bias', 'running_mean', 'running_var')}
    return F.relu(F.batch_norm(x, bn['running_mean'], bn['running_var'], bn['weight'], bn['bias'],
                               False, 0.0, 1e-3))


def average(x):
    return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


def inception_a(x, b, pool):
    b1 = conv(x, b + '.branch1x1', 64, 1)
    b5 = conv(conv(x, b + '.branch5x5_1', 48, 1), b + '.branch5x5_2', 64, 5, padding=2)
    b3 = conv(conv(x, b + '.branch3x3dbl_1', 64, 1), b + '.branch3x3dbl_2', 96, 3, padding=1)
    b3 = conv(b3, b + '.branch3x3dbl_3', 96, 3, padding=1)
    return torch.cat([b1, b5, b3, conv(average(x), b + '.branch_pool', pool, 1)], 1)


def inception_b(x, b):
    b3 = conv(x, b + '.branch3x3', 384, 3, stride=2)
    d = conv(conv(x, b + '.branch3x3dbl_1', 64, 1), b + '.branch3x3dbl_2', 96, 3, padding=1)
    return torch.cat([b3, conv(d, b + '.branch3x3dbl_3', 96, 3, stride=2),
                      F.max_pool2d(x, 3, stride=2)], 1)


def inception_c(x, b, c):
    wide, tall = dict(kernel=(1, 7), padding=(0, 3)), dict(kernel=(7, 1), padding=(3, 0))
    b1 = conv(x, b + '.branch1x1', 192, 1)
    s = conv(conv(x, b + '.branch7x7_1', c, 1), b + '.branch7x7_2', c, **wide)
    s = conv(s, b + '.branch7x7_3', 192, **tall)
    d = conv(conv(x, b + '.branch7x7dbl_1', c, 1), b + '.branch7x7dbl_2', c, **tall)
    d = conv(conv(d, b + '.branch7x7dbl_3', c, **wide), b + '.branch7x7dbl_4', c, **tall)
    d = conv(d, b + '.branch7x7dbl_5', 192, **wide)
    return torch.cat([b1, s, d, conv(average(x), b + '.branch_pool', 192, 1)], 1), b1


def inception_d(x, b):
    b3 = conv(conv(x, b + '.branch3x3_1', 192, 1), b + '.branch3x3_2', 320, 3, stride=2)
    d = conv(conv(x, b + '.branch7x7x3_1', 192, 1), b + '.branch7x7x3_2', 192, (1, 7),
             padding=(0, 3))
    d = conv(d, b + '.branch7x7x3_3', 192, (7, 1), padding=(3, 0))
    d = conv(d, b + '.branch7x7x3_4', 192, 3, stride=2)
    return torch.cat([b3, d, F.max_pool2d(x, 3, stride=2)], 1)


def inception_e(x, b, last):
    def split(y, name):
        return [conv(y, name + 'a', 384, (1, 3), padding=(0, 1)),
                conv(y, name + 'b', 384, (3, 1), padding=(1, 0))]
    b1 = conv(x, b + '.branch1x1', 320, 1)
    s = split(conv(x, b + '.branch3x3_1', 384, 1), b + '.branch3x3_2')
    d = conv(conv(x, b + '.branch3x3dbl_1', 448, 1), b + '.branch3x3dbl_2', 384, 3, padding=1)
    d = split(d, b + '.branch3x3dbl_3')
    pooled = F.max_pool2d(x, 3, stride=1, padding=1) if last else average(x)
    return torch.cat([b1, *s, *d, conv(pooled, b + '.branch_pool', 192, 1)], 1)


def inception(x):
    x = conv(x, 'Conv2d_1a_3x3', 32, 3, stride=2)
    x = conv(x, 'Conv2d_2a_3x3', 32, 3)
    x = F.max_pool2d(conv(x, 'Conv2d_2b_3x3', 64, 3, padding=1), 3, stride=2)
    x = conv(x, 'Conv2d_3b_1x1', 80, 1)
    x = F.max_pool2d(conv(x, 'Conv2d_4a_3x3', 192, 3), 3, stride=2)
    for name, pool in (('Mixed_5b', 32), ('Mixed_5c', 64), ('Mixed_5d', 64)):
        x = inception_a(x, name, pool)
    x = inception_b(x, 'Mixed_6a')
    for name, c in (('Mixed_6b', 128), ('Mixed_6c', 160), ('Mixed_6d', 160), ('Mixed_6e', 192)):
        x, b1 = inception_c(x, name, c)
        if name == 'Mixed_6d':
            spatial = b1[:, :7].permute(0, 2, 3, 1).reshape(len(x), -1)
    x = inception_d(x, 'Mixed_7a')
    x = inception_e(inception_e(x, 'Mixed_7b', False), 'Mixed_7c', True)
    rows = x.mean(dim=(2, 3))
    tensor('fc.bias', 1008)
    return rows, rows @ tensor('fc.weight', 1008, 2048).T, spatial


def image(name, h, w):
    return (bits(name, h * w * 3) >> np.uint32(24)).astype(np.float64).reshape(h, w, 3)


def lerp_matrix(to, size):
    """TensorFlow 1's ResizeBilinear without align_corners along one axis."""
    m = np.zeros((to, size))
    for i in range(to):
        at = i * (size / to)
        low = int(math.floor(at))
        m[i, low] += 1 - (at - low)
        m[i, min(low + 1, size - 1)] += at - low
    return m


def as_pytorch_fid(p):
    x = torch.from_numpy(p).permute(2, 0, 1)[None] / 255
    return 2 * F.interpolate(x, size=(299, 299), mode='bilinear', align_corners=False) - 1


def as_tensorflow(p):
    x = np.einsum('ih,hwc,jw->cij', lerp_matrix(299, p.shape[0]), p, lerp_matrix(299, p.shape[1]))
    return (torch.from_numpy(x)[None] - 128) / 128


def write(path, arrays):
    header, at = {}, 0
    for name, a in arrays.items():
        header[name] = {'dtype': 'F32', 'shape': list(a.shape),
                        'data_offsets': [at, at + 4 * a.size]}
        at += 4 * a.size
    text = json.dumps(header).encode()
    text += b' ' * (-len(text) % 8)
    with open(path, 'wb') as f:
        f.write(struct.pack('<Q', len(text)) + text)
        for a in arrays.values():
            f.write(a.astype('<f4').tobytes())


def main():
    args = argparse.ArgumentParser()
    args.add_argument('--weights')
    args = args.parse_args()
    out = {}
    for name, x in (('inception', as_pytorch_fid(image('small', 40, 29))),
                    ('inception-tf', as_tensorflow(image('large', 333, 310)))):
        for part, y in zip(('rows', 'logits', 'spatial'), inception(x)):
            out[f'{name}/{part}'] = y.numpy()[0]
            print(name, part, y.shape, 'rms %.3g' % y.square().mean().sqrt(),
                  'zero %.2f' % (y == 0).double().mean())
    os.makedirs(os.path.join(HERE, 'data'), exist_ok=True)
    write(os.path.join(HERE, 'data', 'inception.safetensors'), out)
    if args.weights:
        torch.save(state, args.weights)


main()
