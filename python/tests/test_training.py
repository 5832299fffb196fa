import os
import signal
import subprocess
import sys
import threading
import unittest

import numpy as np

import few

from .common import RECIPE, STUDENT, Folder

STEPS = RECIPE['steps']


class Training(Folder):
    def test_recipes(self):
        """A dict, a text, a file and settings make the same run, to the bit."""
        seen = []
        expected = few.train(RECIPE, on_step=seen.append).sample(8)
        self.assertEqual([r.step for r in seen], [*range(1, STEPS + 1)])
        self.assertEqual(seen[-1].steps, STEPS)
        self.assertTrue(np.isfinite(seen[-1].loss) and seen[-1].lr > 0 and seen[-1].metrics)
        text = ''.join(f'{k} = {v}\n' for k, v in RECIPE.items())
        with open(self.path('r.ini'), 'w', encoding='utf-8') as file:
            file.write(text)
        for recipe, settings in ((text, {}), (self.path('r.ini'), {}), (None, RECIPE),
                                 ({**RECIPE, 'steps': 3}, {'steps': STEPS})):
            np.testing.assert_array_equal(few.train(recipe, **settings).sample(8), expected)

    def test_data(self):
        """Arrays train as a file of them does."""
        x, y = few.Dataset.open('toy:moons', limit=200).numpy()
        np.save(self.path('x.npy'), x)
        recipe = {k: v for k, v in RECIPE.items() if k != 'data'}
        expected = few.train(recipe, data=self.path('x.npy')).sample(8)
        for data in (x, few.Dataset.from_numpy(x)):
            np.testing.assert_array_equal(few.train(recipe, data).sample(8), expected)
        self.assertEqual(few.train(recipe, (x, y), steps=1).info.classes, 2)

    def test_stop(self):
        reports = []

        def on_step(report):
            reports.append(report)
            return report.step == 5

        model = few.train(RECIPE, on_step=on_step)
        self.assertEqual((len(reports), model.info.step), (5, 5))
        self.assertIsNone(model.path)

    def test_exception(self):
        def on_step(report):
            if report.step == 7:
                raise ZeroDivisionError('mine')

        with self.assertRaisesRegex(ZeroDivisionError, 'mine'):
            few.train(RECIPE, on_step=on_step, out=self.path('run'))
        resumed = []
        model = few.train(RECIPE, out=self.path('run'), on_step=resumed.append)
        self.assertEqual(resumed[0].step, 8)
        self.assertEqual(model.path, self.path('run/model.safetensors'))
        np.testing.assert_array_equal(model.sample(8), few.train(RECIPE).sample(8))

    def test_interrupt(self):
        recipe = {**RECIPE, 'steps': 10**6, 'width': 64}
        last = []
        timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))

        def on_step(report):
            last.append(report.step)
            if report.step == 3:
                timer.start()

        with self.assertRaises(KeyboardInterrupt):
            few.train(recipe, out=self.path('run'), on_step=on_step)
        timer.join()
        self.assertIs(signal.getsignal(signal.SIGINT), signal.default_int_handler)
        with few.Trainer(recipe, out=self.path('run')) as trainer:
            step = trainer.report.step
        self.assertIn(step - last[-1], (0, 1))  # the step during which the signal came
        self.assertGreater(step, 0)

    def test_trainer(self):
        with few.Trainer(RECIPE) as trainer:
            self.assertEqual((trainer.done, trainer.report.step), (False, 0))
            self.assertEqual(trainer.step().step, 1)
            early = trainer.model()
            for report in trainer:
                pass
            self.assertTrue(trainer.done and report.step == STEPS)
            with self.assertRaises(few.InvalidError):
                trainer.step()
            with self.assertRaises(few.InvalidError):
                trainer.save()  # in memory
            late = trainer.model()
        with self.assertRaisesRegex(few.InvalidError, 'closed'):
            trainer.step()
        self.assertTrue((early.sample(4) != late.sample(4)).any())

    def test_teacher(self):
        teacher = few.train(RECIPE, out=self.path('teacher'))
        student = few.train({'data': 'toy:moons', 'objective': 'scd', 'teacher': teacher,
                             'steps': 3, 'batch': 32, 'tangent_warmup': 0})
        self.assertEqual(student.info.sampler, 'consistency')

    def test_shipped_recipe(self):
        reports = []
        few.train('toy-scd', steps=2, batch=32, tangent_warmup=0, on_step=reports.append)
        self.assertEqual(len(reports), 2)

    def test_refused(self):
        for recipe, sentence in (({**RECIPE, 'stepz': 1}, 'stepz'), ({'net': 'mlp'}, 'data'),
                                 (3, 'recipe'), ({**RECIPE, 'steps': object()}, 'object')):
            with self.assertRaisesRegex(few.Error, sentence):
                few.train(recipe)
        with self.assertRaisesRegex(few.InvalidError, 'loaded from a file'):
            few.train(RECIPE, teacher=few.train(RECIPE, steps=1))
        with self.assertRaises(FileNotFoundError):
            few.train(self.path('missing.ini'))
        self.assertIn('toy-scd', few.recipes())


class Process(unittest.TestCase):
    def test_exit(self):
        """Objects that live until the program ends, in any order, are freed without a complaint."""
        code = ('import few; few.set_progress(False); m = few.load("%s"); m.sample(1, steps=1);'
                't = few.Trainer(%r); t.step(); d = few.Dataset.open("toy:moons"); n = t.model();'
                'a = [few.load("toy-teacher") for _ in range(20)]; del a[::2]' % (STUDENT, RECIPE))
        done = subprocess.run([sys.executable, '-X', 'dev', '-c', code], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=120)
        self.assertEqual((done.returncode, done.stdout), (0, b''))

    def test_threads_run_beside_a_call(self):
        """The GIL is released: another thread counts while few samples."""
        model, counts, stop = few.load('toy-teacher', workers=1), [0], threading.Event()

        def count():
            while not stop.is_set():
                counts[0] += 1

        thread = threading.Thread(target=count)
        thread.start()
        before = counts[0]
        model.sample(1000, steps=20)
        self.assertGreater(counts[0] - before, 100)
        stop.set()
        thread.join()


if __name__ == '__main__':
    unittest.main()
