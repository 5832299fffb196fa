#!/usr/bin/env python3
"""Numbers of the public implementations on the rows of test/eval/metric/sets.h, for golden.h.

    pip install numpy scipy prdc; golden.py >golden.h

FD is calculate_frechet_distance of pytorch-fid (MIT) without its eps for singular products; KID is
polynomial_mmd of torch-fidelity (Apache-2.0); IS is calculate as in openai/improved-gan with one
split; precision and the others come from the package prdc (Naeem et al., MIT).
"""
from contextlib import redirect_stdout

import numpy as np
from prdc import compute_prdc
from scipy import linalg

N, M, D, CLASSES = 200, 180, 12, 7


def rows(n, d, which):
    i, j = np.meshgrid(np.arange(n, dtype=np.int64), np.arange(d, dtype=np.int64), indexing='ij')
    u = i * i * 577 + i * j * 7919 + j * 104729 + j * j * 31 + which * 15485863
    v = (u * u + 12345) % 1021 / 1024
    return v + (which == 2) * 0.25 * (j % 3 == 0) + 0.5 * v[:, :1] * (j == d - 1)


def frechet(x, y):
    mu1, mu2 = x.mean(0), y.mean(0)
    s1, s2 = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    root = linalg.sqrtm(s1 @ s2)
    return (mu1 - mu2) @ (mu1 - mu2) + np.trace(s1) + np.trace(s2) - 2 * np.trace(root.real)


def kid(x, y):
    k = lambda a, b: (a @ b.T / a.shape[1] + 1) ** 3
    m = len(x)
    xx, yy, xy = k(x, x), k(y, y), k(x, y)
    return ((xx.sum() - np.trace(xx) + yy.sum() - np.trace(yy)) / (m * (m - 1))
            - 2 * xy.sum() / (m * m))


def inception(logits):
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    return np.exp((p * (np.log(p) - np.log(p.mean(0)))).sum(1).mean())


def main():
    x, y = rows(N, D, 1), rows(M, D, 2)
    print('/* golden.h - made by golden.py. */')
    print(f'enum {{ N = {N}, M = {M}, D = {D}, CLASSES = {CLASSES} }};')
    print(f'static const double golden_fd = {float(frechet(x, y))!r};')
    print(f'static const double golden_kid = {float(kid(x[:M], y))!r};')
    print(f'static const double golden_is = {float(inception(8 * rows(N, CLASSES, 1)))!r};')
    with redirect_stdout(None):  # it prints its arguments
        p = compute_prdc(real_features=x, fake_features=y, nearest_k=5)
    for key, value in p.items():
        print(f'static const double golden_{key} = {float(value)!r};')


main()
