import struct
import unittest
import zlib

import numpy as np

import few

from .common import STUDENT, Folder


def read_png(data):
    """Pixels of a grey or RGB PNG without filters other than those of its rows."""
    at, rows = 8, b''
    while at < len(data):
        n, kind = struct.unpack('>I4s', data[at:at + 8])
        body = data[at + 8:at + 8 + n]
        if kind == b'IHDR':
            w, h, depth, color = struct.unpack('>IIBB', body[:10])
        rows += body if kind == b'IDAT' else b''
        at += 12 + n
    c = {0: 1, 2: 3}[color]
    raw, stride, out = zlib.decompress(rows), w * c, np.zeros((h, w * c), np.uint8)
    assert depth == 8
    for y in range(h):
        kind, line = raw[y * (stride + 1)], raw[y * (stride + 1) + 1:(y + 1) * (stride + 1)]
        for x in range(stride):
            left = int(out[y, x - c]) if x >= c else 0
            up = int(out[y - 1, x]) if y else 0
            corner = int(out[y - 1, x - c]) if y and x >= c else 0
            near = min((left, up, corner), key=lambda v: abs(left + up - corner - v))
            out[y, x] = (line[x] + (0, left, up, (left + up) // 2, near)[kind]) % 256
    return out.reshape(h, w, c)


class Datasets(Folder):
    def setUp(self):
        super().setUp()
        rng = np.random.default_rng(1)
        self.images = rng.integers(0, 256, (12, 6, 5, 3), dtype=np.uint8)
        self.labels = np.arange(12) % 3

    def test_images(self):
        data = few.Dataset.from_numpy(self.images, self.labels, ['a', 'b', 'c'])
        self.assertEqual((len(data), data.shape, data.classes, data.class_names, data.kind),
                         (12, (6, 5, 3), 3, ('a', 'b', 'c'), 'images'))
        x = self.images / 127.5 - 1
        self.assertAlmostEqual(data.mean, x.mean(), places=9)
        self.assertAlmostEqual(data.std, x.std(), places=9)
        images, labels = data.numpy()
        np.testing.assert_array_equal(images, self.images)
        np.testing.assert_array_equal(labels, self.labels)
        np.testing.assert_allclose(data.numpy(3, 2, 'float32')[0], x[3:5], atol=1e-6)
        item, label = data[-1]
        np.testing.assert_array_equal(item, self.images[-1])
        self.assertEqual(label, 2)
        self.assertEqual(len([item for item in data]), 12)
        with self.assertRaises(IndexError):
            data[12]

    def test_floats_become_bytes(self):
        x = (self.images / 127.5 - 1).astype(np.float32)
        self.assertEqual(few.Dataset.from_numpy(x).hash, few.Dataset.from_numpy(self.images).hash)
        grey = few.Dataset.from_numpy(self.images[..., 0])
        self.assertEqual(grey.shape, (6, 5, 1))

    def test_refused(self):
        for items, sentence in (
                (self.images / 255, r'2 \* x - 1'), (self.images.astype(float), 'uint8'),
                (self.images.astype(int), 'int64'), (self.images[0, 0, 0], 'shape'),
                (np.zeros((2, 3, 40, 40), np.uint8), 'N,C,H,W'),
                (np.full((2, 4, 4, 1), np.nan), 'finite'),
                (np.zeros((3, 2), int), 'points')):
            with self.assertRaisesRegex(few.InvalidError, sentence):
                few.Dataset.from_numpy(items)
        for labels in (self.labels[:5], self.labels / 2, [2**40] * 12):
            with self.assertRaisesRegex(few.InvalidError, 'labels'):
                few.Dataset.from_numpy(self.images, labels)
        with self.assertRaisesRegex(few.InvalidError, 'class_names'):
            few.Dataset.from_numpy(self.images, class_names=['a'])

    def test_files(self):
        np.save(self.path('x.npy'), self.images)
        np.save(self.path('y.npy'), self.labels)
        spec = f'npy:{self.path("x.npy")},{self.path("y.npy")}'
        data = few.Dataset.open(spec)
        self.assertEqual(data.hash, few.Dataset.from_numpy(self.images, self.labels).hash)
        self.assertEqual(len(few.Dataset.open(spec, limit=6)), 6)
        self.assertEqual(len(few.Dataset.from_numpy(self.images, self.labels, limit=6)), 6)
        self.assertEqual(few.Dataset.open(self.path('x.npy')).classes, 0)
        with self.assertRaisesRegex(FileNotFoundError, 'z.npy'):
            few.Dataset.open(self.path('z.npy'))
        with self.assertRaisesRegex(few.InvalidError, 'limitt'):
            few.Dataset.open(spec, limitt=3)
        data.write(self.path('out.npy'), 2, 3)
        np.testing.assert_array_equal(np.load(self.path('out.npy')), self.images[2:5])

    def test_points(self):
        x = np.random.default_rng(2).standard_normal((20, 3))
        data = few.Dataset.from_numpy(x)
        self.assertEqual((data.kind, data.shape), ('points', (3,)))
        np.testing.assert_array_equal(data.numpy()[0], x.astype(np.float32))
        self.assertIsNone(data.numpy()[1])
        toy = few.Dataset.open('toy:moons', limit=100, seed=3)
        self.assertEqual(len(toy), 100)


class Grids(Folder):
    def test_pixels(self):
        images = np.random.default_rng(3).integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)
        grid = few.grid(images, columns=3, scale=1)
        pixels = read_png(grid.png)
        found = 0
        for y in range(pixels.shape[0] - 7):
            for x in range(pixels.shape[1] - 7):
                found += any((pixels[y:y + 8, x:x + 8] == image).all() for image in images)
        self.assertEqual(found, 6)
        grid.save(self.path('g.png'))
        with open(self.path('g.png'), 'rb') as file:
            self.assertEqual(file.read(), grid._repr_png_())
        large = read_png(few.grid(images, columns=3, scale=2).png)
        self.assertGreater(large.shape[1], 1.5 * pixels.shape[1])

    def test_sources(self):
        self.assertIn('pixels', repr(few.grid(few.load(STUDENT).sample(4, steps=1))))
        points = np.random.default_rng(4).standard_normal((1000, 2))
        self.assertGreater(read_png(few.grid(points).png).std(), 0)


if __name__ == '__main__':
    unittest.main()
