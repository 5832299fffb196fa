"""few-step diffusion: train, distil, sample and measure image generators.

    import few
    model = few.load("fashion-student")
    images = model.sample(16, steps=2, label="ankle boot")     # uint8 [16,28,28,1]
    few.grid(images).save("boots.png")
    print(few.evaluate(model, "fashion-mnist:test", features="fashion", n=1000))
    student = few.train({"objective": "scd", "teacher": model}, data=my_images, out="runs/mine")

docs/guide.md, "From Python", has more.
"""
from ._context import lib as _lib
from ._context import set_progress
from .components import Component, components
from .data import Dataset
from .errors import (CancelledError, DivergedError, Error, FewWarning, FileError, FormatError,
                     InvalidError, NotFoundError, OutOfMemoryError, UnsupportedError)
from .evaluation import Report, evaluate
from .model import Model, ModelInfo, import_model, load
from .picture import Grid, grid
from .training import StepReport, Trainer, recipes, train

__version__ = _lib.few_version().decode()
__all__ = [
    'CancelledError', 'Component', 'Dataset', 'DivergedError', 'Error', 'FewWarning',
    'FileError', 'FormatError', 'Grid', 'InvalidError', 'Model', 'ModelInfo', 'NotFoundError',
    'OutOfMemoryError', 'Report', 'StepReport', 'Trainer', 'UnsupportedError', 'components',
    'evaluate', 'grid', 'import_model', 'load', 'recipes', 'set_progress', 'train']
