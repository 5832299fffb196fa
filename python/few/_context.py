"""A context of the library: errors become exceptions, warnings become warnings, and a long call
shows its progress and stops at Ctrl-C.

ctypes releases the GIL during a call. A callback takes it again, and may not raise: an exception
is kept, the call is cancelled, and the exception is raised after it. Python runs its signal
handlers inside callbacks too, even before their first line. So for the time of a long call SIGINT
only sets a flag, which the progress callback reads.
"""
from __future__ import annotations

import ctypes
import errno
import logging
import os
import signal
import sys
import threading
import warnings
import weakref
from contextlib import contextmanager
from typing import Any, Callable, Iterator

from . import _abi, errors

lib = _abi.Library()
_log = logging.getLogger('few')
_LEVELS = {_abi.FEW_LOG_DEBUG: logging.DEBUG,
           _abi.FEW_LOG_INFO: logging.INFO}
_bars: bool | None = None


def set_progress(on: bool | None) -> None:
    """Show progress bars of long calls (True), or none (False). None, the default: if tqdm is
    installed, and standard error is a terminal or this is a notebook."""
    global _bars
    _bars = on


def _bar_class() -> Any:
    if _bars is False:
        return None
    if _bars is None and not sys.stderr.isatty() and 'ipykernel' not in sys.modules:
        return None
    try:
        from tqdm.auto import tqdm  # type: ignore[import-untyped]
    except ImportError:
        return None
    return tqdm


class Bar:
    """A progress bar that appears if the job takes longer than half a second."""

    def __init__(self) -> None:
        self._make = _bar_class()
        self._bar: Any = None
        self._what = ''

    def show(self, what: str, done: int, total: int, seconds: float, note: str) -> None:
        if what != self._what:
            self.close()
            self._what = what
        if not self._make or (not self._bar and seconds < 0.5):
            return
        if not self._bar:
            self._bar = self._make(total=total or None, desc=what, leave=False)
        self._bar.n = done
        self._bar.set_postfix_str(note, refresh=False)
        self._bar.refresh()

    def close(self) -> None:
        if self._bar:
            self._bar.close()
        self._bar = None


class _Ears:
    """What the callbacks of a context hear. It does not refer to the context, so a context is
    freed as soon as nothing else refers to it."""

    def __init__(self) -> None:
        self.bar: Bar | None = None
        self.stop = False
        self.raised: BaseException | None = None
        self.warnings: list[str] = []

    def log(self, _user: Any, level: int, message: bytes) -> None:
        try:
            text = message.decode('utf-8', 'replace')
            if level in _LEVELS:
                _log.log(_LEVELS[level], text)
            else:
                self.warnings.append(text)
        except BaseException as error:  # noqa: B902  raised after the call
            self.raised = self.raised or error

    def progress(self, _user: Any, p: Any) -> int:
        try:
            it = p.contents
            if self.bar:
                self.bar.show(it.what.decode(), it.done, it.total, it.seconds,
                              (it.note or b'').decode())
        except BaseException as error:  # noqa: B902  raised after the call
            self.raised = self.raised or error
        return 1 if self.stop or self.raised else 0


def _warn(text: str) -> None:
    """Warn of the line that called few."""
    here, level, frame = os.path.dirname(__file__), 1, sys._getframe(0)
    while frame.f_back and os.path.dirname(frame.f_code.co_filename) == here:
        frame, level = frame.f_back, level + 1
    warnings.warn(text, errors.FewWarning, stacklevel=level)


class Context:
    """One few_ctx. Calls of several threads wait for each other."""

    def __init__(self, workers: int = 0, backend: str | None = None,
                 precision: str | None = None) -> None:
        self._ears = _Ears()
        self._lock = threading.Lock()
        opts = _abi.few_ctx_opts.new(workers=workers)
        log = opts.log = type(opts.log)(self._ears.log)
        progress = opts.progress = type(opts.progress)(self._ears.progress)
        pointer = ctypes.c_void_p()
        status = lib.few_ctx_create(ctypes.byref(pointer), ctypes.byref(opts))
        if status:
            raise errors.BY_STATUS[status](
                f'a context of {workers} workers cannot be made: give 0 to 256 workers')
        self.pointer = pointer
        # The callbacks live as long as the context, because the finalizer refers to them.
        weakref.finalize(self, lambda p, *_keep: lib.few_ctx_free(p), pointer, log, progress)
        if backend is not None:
            self.call(lib.few_ctx_set_backend, pointer, backend.encode())
        if precision is not None:
            self.call(lib.few_ctx_set_precision, pointer, _precision(precision))

    def call(self, function: Callable[..., int], *arguments: Any, bar: Bar | None = None) -> None:
        """Call a function that returns a few_status."""
        with self._lock:
            with self._listening(bar) as resume:
                status = function(*arguments)
            sentence = lib.few_error(self.pointer).decode('utf-8', 'replace') if status else ''
            raised, self._ears.raised = self._ears.raised, None
            warned, self._ears.warnings = self._ears.warnings, []
        for text in warned:
            _warn(text)
        if raised:
            raise raised
        resume(status)
        if status:
            raise _error(status, sentence)

    def text(self, function: Callable[..., int], *arguments: Any) -> str:
        """The text that a function writes to its first parameter."""
        out = ctypes.c_void_p()
        self.call(function, ctypes.byref(out), *arguments)
        try:
            return ctypes.string_at(out.value or 0).decode('utf-8', 'replace')
        finally:
            lib.few_text_free(self.pointer, out)

    @contextmanager
    def _listening(self, bar: Bar | None) -> Iterator[Callable[[int], None]]:
        """Show progress, and let SIGINT set a flag. Gives a function for after the call, which
        passes the signal on to its own handler."""
        ears = self._ears
        ears.stop = False
        ears.bar = bar or Bar()
        previous: Any = None

        def on_signal(_number: int, _frame: Any) -> None:
            ears.stop = True

        def resume(status: int) -> None:
            if not ears.stop:
                return
            ears.stop = False
            previous(signal.SIGINT, None)
            if status == _abi.FEW_E_CANCELLED:
                raise KeyboardInterrupt

        if threading.current_thread() is threading.main_thread():
            previous = signal.getsignal(signal.SIGINT)
        if callable(previous):
            signal.signal(signal.SIGINT, on_signal)
        try:
            yield resume
        finally:
            if callable(previous):
                signal.signal(signal.SIGINT, previous)
            if not bar:
                ears.bar.close()
            ears.bar = None


def _precision(name: str) -> int:
    names = {'fp32': _abi.FEW_FP32, 'tf32': _abi.FEW_TF32, 'bf16': _abi.FEW_BF16}
    if name not in names:
        raise errors.InvalidError(f'precision is {name!r}: use one of {", ".join(names)}')
    return names[name]


def _error(status: int, sentence: str) -> errors.Error:
    if status == _abi.FEW_E_IO and os.strerror(errno.ENOENT) in sentence:
        return errors.NotFoundError(sentence)
    return errors.BY_STATUS.get(status, errors.Error)(sentence)


class Owner:
    """Base of an object that owns C objects of a context. They are freed in the reverse order of
    own(), before the context, by close() or when the object is no longer used."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._owned: list[tuple[Callable[[Any], None], Any]] = []
        # The finalizer refers to the context, so that it outlives what it made.
        self._close = weakref.finalize(self, _free_all, self._owned, context)

    def _own(self, free: Callable[[Any], None], pointer: ctypes.c_void_p) -> ctypes.c_void_p:
        self._owned.append((free, pointer))
        return pointer

    def _live(self) -> None:
        if not self._close.alive:
            raise errors.InvalidError(f'this {type(self).__name__} is closed: make it again')

    def close(self) -> None:
        """Free the memory now. After that the object cannot be used. A second call does nothing."""
        with self._context._lock:
            self._close()

    def __enter__(self):
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


def _free_all(owned: list[tuple[Callable[[Any], None], Any]], _context: Context) -> None:
    while owned:
        free, pointer = owned.pop()
        free(pointer)
