"""Trains networks by recipes (docs/guide.md, docs/commands.md)."""
from __future__ import annotations

import ctypes
import os
import tempfile
from dataclasses import dataclass
from typing import Any, Callable, Iterator, Mapping

from . import _abi, _arrays
from ._context import Bar, Context, Owner, lib
from .data import Dataset, as_dataset
from .errors import InvalidError, NotFoundError
from .model import Model


@dataclass(frozen=True)
class StepReport:
    """The last step of a training run."""

    step: int  #: steps done so far
    steps: int  #: of the run
    loss: float  #: weighted sum of the losses, mean over the batch
    grad_norm: float  #: L2 norm of the gradient before clipping
    lr: float  #: learning rate
    event: str | None  #: "skipped": no update was made; "rolled back": to an earlier step
    why: str | None  #: of the event
    seconds: float  #: since the run was opened
    metrics: dict[str, float]  #: as in log.jsonl: "loss_scd", "fake_loss" ...


class Trainer(Owner):
    """A training run, step by step::

        with few.Trainer("toy-scd", out="runs/scd") as trainer:
            for report in trainer:
                print(report.step, report.loss)
            model = trainer.model()

    The steps are those of ``few train``, to the bit. Arguments are those of :func:`few.train`.
    """

    out: str | None  #: the directory of the run; None: in memory

    def __init__(self, recipe: Any = None, data: Any = None, *,
                 out: str | os.PathLike | None = None, **settings: Any) -> None:
        opts = _abi.few_train_opts.new()
        self.out = None if out is None else os.fspath(out)
        self._bar = Bar()
        self._data: Dataset | None = None
        settings = {**_recipe(opts, recipe), **settings}
        if isinstance(data, (str, os.PathLike)):
            settings['data'] = data
        elif data is not None:
            self._data = as_dataset(data)  # borrowed by the library
            self._data._live()
            opts.data = self._data._data
        pairs = _arrays.pairs(settings)
        overrides = _arrays.texts(pairs)
        opts.n_overrides, opts.overrides = len(pairs), ctypes.cast(overrides, ctypes.c_void_p)
        opts.run = None if self.out is None else self.out.encode()
        super().__init__(Context())
        trainer = ctypes.c_void_p()
        self._context.call(lib.few_trainer_open, ctypes.byref(trainer), self._context.pointer,
                           ctypes.byref(opts))
        self._trainer = self._own(lib.few_trainer_close, trainer)
        if self._data:  # outlives the trainer, also if this object is collected
            self._owned.insert(0, (_nothing, self._data))

    @property
    def done(self) -> bool:
        """Whether all steps of the run are done."""
        self._live()
        return lib.few_trainer_done(self._trainer)

    @property
    def report(self) -> StepReport:
        """Of the last step; before the first, its losses are NaN."""
        self._live()
        raw = lib.few_trainer_report(self._trainer).contents
        values = {name: getattr(raw, name) for name in raw.names() if name != 'n_metrics'}
        values = {k: v.decode() if isinstance(v, bytes) else v for k, v in values.items()}
        values['metrics'] = {one.name.decode(): one.value
                             for one in raw.metrics[:raw.n_metrics]}
        return StepReport(**values)

    def step(self) -> StepReport:
        """Do one step, and the log line, preview, evaluation or checkpoint that follow it. Ctrl-C
        writes a checkpoint (of a run with a directory) and raises KeyboardInterrupt; after that
        step() may be called again."""
        self._live()
        self._context.call(lib.few_trainer_step, self._trainer, bar=self._bar)
        return self.report

    def __iter__(self) -> Iterator[StepReport]:
        while not self.done:
            yield self.step()

    def save(self) -> None:
        """Write a checkpoint and the model now, of a run with a directory."""
        self._live()
        self._context.call(lib.few_trainer_save, self._trainer)

    def model(self) -> Model:
        """A copy of the model as it is now, with averaged weights if the recipe averages."""
        self._live()
        out = ctypes.c_void_p()
        self._context.call(lib.few_trainer_model, ctypes.byref(out), self._trainer)
        try:
            # By way of a file, the copy has a context of its own.
            with tempfile.TemporaryDirectory(prefix='few-') as folder:
                path = os.path.join(folder, 'model.safetensors')
                self._context.call(lib.few_model_save, out, path.encode())
                made = Model(path)
        finally:
            lib.few_model_free(out)
        made.path = None
        return made

    def close(self) -> None:
        """End the run. It is not saved."""
        self._bar.close()
        super().close()


def train(recipe: Any = None, data: Any = None, *, out: str | os.PathLike | None = None,
          on_step: Callable[[StepReport], Any] | None = None, **settings: Any) -> Model:
    """Train a network to the last step of a recipe, and return it.

    recipe: the path of an INI file; the name of a recipe that comes with few ("toy-scd"); the text
    of one, with line breaks; or a dict of its keys.
    data: a Dataset, an array of images or points, a pair (array, labels), or a spec such as
    "folder:photos"; None: the recipe's key ``data``.
    out: directory of the run, with log, previews, checkpoints and model.safetensors. If there is a
    run of this recipe, it is resumed. None: in memory.
    on_step: called with a StepReport after each step. If it returns True, training ends there.
    settings: keys of the recipe, which replace its values: steps=1000, lr=1e-3, teacher=model.

    Ctrl-C, and any exception of on_step, ends the run; with `out` a checkpoint is written first,
    and the same call resumes the run.
    """
    with Trainer(recipe, data, out=out, **settings) as trainer:
        try:
            for report in trainer:
                if on_step and on_step(report) is True:
                    break
            if trainer.out is None:
                return trainer.model()
            if not trainer.done:
                trainer.save()
        except BaseException:
            if trainer.out is not None and trainer.report.step and not trainer.done:
                trainer.save()
            raise
        return Model(os.path.join(trainer.out, 'model.safetensors'))


def recipes() -> list[str]:
    """The names of the recipes that come with few, for train()."""
    return _arrays.shared('recipes', '.ini')


def _recipe(opts: Any, recipe: Any) -> dict[str, Any]:
    """Set the recipe's file or text; returns the keys of a dict."""
    if recipe is None:
        return {}
    if isinstance(recipe, Mapping):
        return dict(recipe)
    if not isinstance(recipe, (str, os.PathLike)):
        raise InvalidError(f'a recipe is a path, a text or a dict, not {type(recipe).__name__}')
    text = os.fspath(recipe)
    if '\n' in text:
        opts.text = text.encode()
        return {}
    if os.sep not in text and not os.path.exists(text):
        text = _arrays.share('recipes', text + '.ini') or text
    if not os.path.exists(text):
        raise NotFoundError(f'there is no recipe {text}: name an INI file, or one of few.recipes()')
    opts.recipe = text.encode()
    return {}


def _nothing(_: Any) -> None: ...
