import math
import os
import threading
import unittest

import numpy as np

import few

from .common import IMPORTS, STUDENT, TOY, Folder


class Images(Folder):
    @classmethod
    def setUpClass(cls):
        cls.model = few.load(STUDENT)

    def test_info(self):
        info = self.model.info
        self.assertEqual((info.net, info.h, info.w, info.c, info.classes),
                         ('unet', 28, 28, 1, 10))
        self.assertEqual(info.class_names[5], 'sandal')
        self.assertEqual(self.model.shape, (28, 28, 1))
        self.assertEqual(self.model.metadata['sampler'], info.sampler)
        self.assertIn('down.0.0/conv0', self.model.show())
        self.assertIn('unet', repr(self.model))
        self.assertIn('<table>', self.model._repr_html_())

    def test_sample(self):
        a, labels = self.model.sample(6, steps=1, seed=3, return_labels=True)
        self.assertEqual((a.shape, a.dtype, labels.shape), ((6, 28, 28, 1), np.uint8, (6,)))
        self.assertGreater(a.std(), 30)  # images, not noise around grey
        self.assertTrue((self.model.sample(6, steps=1, seed=4) != a).any())
        # Item i is always the same, whatever the grouping.
        part = self.model.sample(2, steps=1, seed=3, first=3, batch=1)
        np.testing.assert_array_equal(part, a[3:5])
        x = self.model.sample(6, steps=1, seed=3, dtype='float32')
        np.testing.assert_array_equal(
            np.clip((x.astype(np.float32) + 1).astype(float) * 127.5 + .5, 0, 255)
            .astype(np.uint8), a)

    def test_labels(self):
        by_name = self.model.sample(3, steps=1, label='sandal')
        np.testing.assert_array_equal(self.model.sample(3, steps=1, label=np.int64(5)), by_name)
        _, labels = self.model.sample(12, steps=1, label='each', return_labels=True)
        np.testing.assert_array_equal(labels, [*range(10), 0, 1])
        for label in (10, -1, 'shoe'):
            with self.assertRaises(few.InvalidError):
                self.model.sample(1, steps=1, label=label)

    def test_options(self):
        a = self.model.sample(2, times=[1.5, 0.9], label=1)
        b = self.model.sample(2, steps=2, label=1)
        self.assertTrue((a != b).any())
        with self.assertRaisesRegex(few.InvalidError, 'stepz'):
            self.model.sample(1, stepz=3)
        with self.assertRaisesRegex(few.InvalidError, 'n is 0'):
            self.model.sample(0)
        with self.assertRaisesRegex(few.InvalidError, 'steps'):
            self.model.sample(1, steps=-1)
        with self.assertRaisesRegex(few.InvalidError, 'dtype'):
            self.model.sample(1, dtype='int32')

    def test_denoise_is_a_step_of_consistency(self):
        noise = np.random.default_rng(0).standard_normal((4, 28, 28, 1)).astype(np.float32)
        label, t = [0, 3, 5, 9], 1.5
        sample = self.model.decode(noise, label, dtype='float32', times=[t])
        x0 = self.model.denoise(noise, t, label)
        # Rounding in f32 of values up to 4 in different orders.
        np.testing.assert_allclose(self.model.from_network(x0, 'float32'), sample, atol=2e-5)
        # F at t of each row, and of all rows.
        f = self.model.F(noise, [t] * 4, label)
        np.testing.assert_array_equal(f, self.model.F(noise, t, np.array(label)))
        np.testing.assert_allclose(math.cos(t) * noise - math.sin(t) * f, x0, atol=2e-6)
        named = self.model.F(noise, t, 'sandal')
        np.testing.assert_array_equal(named, self.model.F(noise, t, 5))

    def test_units(self):
        images = self.model.sample(4, steps=1)
        x = self.model.to_network(images)
        np.testing.assert_array_equal(self.model.from_network(x), images)
        # Scaled data have deviation sigma_data, so these are of about unit variance.
        self.assertLess(abs(self.model.to_network(self.model.sample(64, steps=1)).std() - 1), 0.2)

    def test_wrong_arrays(self):
        for x, t in ((np.zeros((2, 1, 28, 28)), 1), (np.zeros((28, 28, 1)), 1),
                     (np.zeros((2, 28, 28, 1)), [1, 1, 1])):
            with self.assertRaisesRegex(few.InvalidError, 'shape'):
                self.model.F(x, t, 1)
        x = np.zeros((2, 28, 28, 1))
        for label in ([1, 2, 3], [1, 10], 10):
            with self.assertRaises(few.InvalidError):
                self.model.F(x, 1, label)
        with self.assertRaisesRegex(few.InvalidError, 'step size'):
            self.model.F(x, 1, 1, to=0.5)

    def test_export(self):
        about = self.model.export(self.path('x.onnx'), steps=2, pixels='uint8')
        self.assertIn('fresh', about)
        self.assertGreater(os.path.getsize(self.path('x.onnx')), 4 * self.model.info.parameters)
        about = self.model.export(self.path('x.onnx'), label='sandal', steps=1)
        self.assertNotIn('in  label', about)
        with self.assertRaisesRegex(few.InvalidError, 'grey'):
            self.model.export(self.path('y.onnx'), pixels='grey')

    def test_save_smaller(self):
        self.model.save(self.path('f32.safetensors'))
        self.model.save(self.path('int8.safetensors'), weights='int8')
        sizes = [os.path.getsize(self.path(n + '.safetensors')) for n in ('f32', 'int8')]
        self.assertLess(sizes[1], sizes[0] / 3)
        a, b = (few.load(self.path(n + '.safetensors')).sample(4, steps=1).astype(float)
                for n in ('f32', 'int8'))
        self.assertGreater(np.corrcoef(a.ravel(), b.ravel())[0, 1], 0.95)

    def test_save_and_close(self):
        with few.load(STUDENT) as model:
            a = model.sample(2, steps=1)
            model.save(self.path('m.safetensors'))
        model.close()
        with self.assertRaisesRegex(few.InvalidError, 'closed'):
            model.sample(1)
        with few.load(self.path('m.safetensors'), workers=1, precision='fp32') as copy:
            np.testing.assert_array_equal(copy.sample(2, steps=1), a)

    def test_threads(self):
        expected = [self.model.sample(4, steps=1, seed=s) for s in range(4)]
        found = [None] * 4

        def draw(seed):
            found[seed] = self.model.sample(4, steps=1, seed=seed)

        threads = [threading.Thread(target=draw, args=(s,)) for s in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for a, b in zip(expected, found):
            np.testing.assert_array_equal(a, b)


class Points(Folder):
    @classmethod
    def setUpClass(cls):
        cls.model = few.load(TOY)

    def test_round_trip(self):
        x = self.model.sample(50, seed=1)
        self.assertEqual((x.shape, x.dtype), ((50, 2), np.float32))
        noise = self.model.encode(x, sampler='heun', steps=100)
        self.assertLess(abs(noise.std() - 1), 0.3)
        back = self.model.decode(noise, sampler='heun', steps=100)
        self.assertLess(np.abs(back - x).mean(), 0.02)  # errors of the solver, of second order
        with self.assertRaisesRegex(few.InvalidError, 'float32'):
            self.model.sample(1, dtype='uint8')

    def test_guidance_and_set(self):
        a = self.model.sample(4, sampler='heun', set={'churn': 5}, steps=4)
        self.assertTrue((a != self.model.sample(4, sampler='heun', steps=4)).any())
        with self.assertRaises(few.InvalidError):
            self.model.sample(4, sampler='heun', set={'chorn': 5})


class Files(Folder):
    @unittest.skipUnless(os.path.isdir(IMPORTS), 'needs the sources of few')
    def test_import(self):
        model = few.import_model(os.path.join(IMPORTS, 'adm_edm'))
        self.assertIsNone(model.path)
        model.save(self.path('m.safetensors'))
        x = np.random.default_rng(5).standard_normal((2, *model.shape))
        label = 0 if model.info.classes else None
        np.testing.assert_array_equal(few.load(self.path('m.safetensors')).F(x, 0.5, label),
                                      model.F(x, 0.5, label))
        sit = few.import_model(os.path.join(IMPORTS, 'sit.pt'), format='sit', num_heads=2)
        self.assertEqual(sit.info.classes, 4)
        with self.assertRaisesRegex(few.Error, 'give num_heads'):
            few.import_model(os.path.join(IMPORTS, 'sit.pt'), format='sit')
        for options, sentence in (({'process': 'heat'}, 'heat'), ({'format': 'word'}, 'word')):
            with self.assertRaisesRegex(few.Error, sentence):
                few.import_model(os.path.join(IMPORTS, 'adm_edm'), **options)

    def test_errors(self):
        with self.assertRaisesRegex(FileNotFoundError, 'missing.safetensors') as seen:
            few.load(self.path('missing.safetensors'))
        self.assertIsInstance(seen.exception, few.NotFoundError)
        self.assertIsInstance(seen.exception, few.Error)
        with open(self.path('broken.safetensors'), 'wb') as file:
            file.write(b'not a model' * 10)
        with self.assertRaises(few.FormatError):
            few.load(self.path('broken.safetensors'))
        with self.assertRaisesRegex(few.InvalidError, 'workers'):
            few.load(STUDENT, workers=-1)
        with self.assertRaisesRegex(few.InvalidError, 'bf17'):
            few.load(STUDENT, precision='bf17')
        with self.assertRaises(few.Error):
            few.load(STUDENT, backend='abacus')

    def test_components(self):
        samplers = {c.name: c for c in few.components('sampler')}
        self.assertIn('churn', samplers['heun'].options)
        self.assertIn('steps', few.components('trainer')[0].options)
        with self.assertRaisesRegex(few.InvalidError, 'samplers'):
            few.components('samplers')


if __name__ == '__main__':
    unittest.main()
