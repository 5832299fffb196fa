import threading
import os
import signal
import unittest
import warnings

import numpy as np

import few

from .common import STUDENT, TOY, Folder


class Evaluation(Folder):
    def setUp(self):
        super().setUp()
        rng = np.random.default_rng(1)
        self.a = rng.integers(0, 200, (80, 4, 4, 1), dtype=np.uint8)
        self.b = rng.integers(50, 256, (90, 4, 4, 1), dtype=np.uint8)

    def test_arrays(self):
        options = {'features': 'pixels', 'subset_size': 40, 'subsets': 5}
        r = few.evaluate(self.a, self.b, **options)
        self.assertGreater(r['fd'], 0)
        self.assertIn('kid', r.errors)
        self.assertEqual(r.report['source']['n'], 80)
        self.assertIn('<table>', r._repr_html_())
        # Files of the same images measure the same.
        np.save(self.path('a.npy'), self.a)
        np.save(self.path('b.npy'), self.b)
        files = few.evaluate(self.path('a.npy'), self.path('b.npy'), **options)
        self.assertEqual(dict(files), dict(r))
        # The Frechet distance of pixels, with numpy: the root of a product by its eigenvalues.
        x, y = (v.reshape(len(v), -1) / 255 for v in (self.a, self.b))
        cov = [np.cov(v.T) for v in (x, y)]
        root = np.sqrt(np.linalg.eigvals(cov[0] @ cov[1]).real.clip(0)).sum()
        fd = ((x.mean(0) - y.mean(0))**2).sum() + np.trace(cov[0]) + np.trace(cov[1]) - 2 * root
        unit = r['fd'] / fd
        self.assertTrue(np.isclose(unit, 1, rtol=1e-6) or np.isclose(unit, 4, rtol=1e-6), unit)

    def test_model(self):
        model = few.load(STUDENT)
        options = {'features': 'fashion', 'metrics': ['kid'], 'subset_size': 20}
        samples = model.sample(40, steps=1, seed=7)
        reference = samples[::-1].copy()
        r = few.evaluate(model, reference, n=40, seed=7, steps=1, **options)
        self.assertEqual(list(r), ['kid'])
        self.assertEqual(r['kid'], few.evaluate(samples, reference, **options)['kid'])
        self.assertEqual((r.report['source']['kind'],
                          r.report['source']['sampling']['steps']), ('model', 1))
        few.evaluate(samples, few.Dataset.from_numpy(reference), **options)

    def test_labels(self):
        data = (self.a, np.arange(80) % 2)
        r = few.evaluate(data, (self.b, np.arange(90) % 2), features='pixels', metrics='fd',
                         label=1)
        self.assertEqual(r.report['source']['n'], 40)

    def test_warning(self):
        with self.assertWarnsRegex(few.FewWarning, 'pixels') as seen:
            few.evaluate(self.a, self.b, metrics='fd')
        self.assertEqual(seen.filename, __file__)  # the line that called few
        with warnings.catch_warnings():
            warnings.simplefilter('error')
            with self.assertRaises(few.FewWarning):
                few.evaluate(self.a, self.b, metrics='fd')

    def test_refused(self):
        for arguments, sentence in (({'metrics': 'fdd'}, 'fdd'), ({'ball': 'round'}, 'round'),
                                    ({'steps': 3}, 'image set'), ({'features': 'nosuch'}, '')):
            with self.assertRaisesRegex(few.Error, sentence):
                few.evaluate(self.a, self.b, **arguments)
        with self.assertRaises(FileNotFoundError):
            few.evaluate(self.path('nothing.npy'), self.b)

    def test_interrupt(self):
        model = few.load(TOY)
        timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        with self.assertRaises(KeyboardInterrupt), warnings.catch_warnings():
            warnings.simplefilter('ignore')
            few.evaluate(model, 'toy:mixture', n=10**9, steps=1000, metrics='fd')
        timer.join()
        self.assertIs(signal.getsignal(signal.SIGINT), signal.default_int_handler)
        self.assertEqual(model.sample(3).shape, (3, 2))  # goes on


if __name__ == '__main__':
    unittest.main()
