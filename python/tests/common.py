"""What several tests use."""
import os
import shutil
import tempfile
import unittest

import few

SOURCE = os.environ.get('FEW_SOURCE') or os.path.join(os.path.dirname(__file__), '..', '..')
IMPORTS = os.path.join(SOURCE, 'test', 'model', 'import', 'data')

# A model of images that comes with few, a model of points, and small networks.
STUDENT = 'fashion-student'
TOY = 'toy-teacher'
RECIPE = {'data': 'toy:moons', 'net': 'mlp', 'width': 16, 'steps': 30, 'batch': 32, 'ema': 1000}


class Folder(unittest.TestCase):
    """A test with a folder of its own, and without progress bars."""

    def setUp(self):
        few.set_progress(False)
        self.folder = tempfile.mkdtemp(prefix='few-test-')
        self.addCleanup(shutil.rmtree, self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)
