"""Errors: one class per status of the library. The text is few's own sentence."""
from __future__ import annotations

from . import _abi


class Error(Exception):
    """Any failure of few. The text says what failed, where, and what to try."""


class InvalidError(Error, ValueError):
    """An invalid argument, key or shape."""


class FileError(Error, OSError):
    """The system failed: no permission, a full disk."""


class NotFoundError(FileError, FileNotFoundError):
    """There is no such file."""


class FormatError(Error, ValueError):
    """The content of a file violates its format."""


class OutOfMemoryError(Error, MemoryError):
    """There is not enough memory."""


class UnsupportedError(Error, NotImplementedError):
    """Valid, but few cannot do it, or was built without it."""


class DivergedError(Error, ArithmeticError):
    """Training or samples are not finite."""


class CancelledError(Error):
    """The call was cancelled."""


class FewWarning(UserWarning):
    """A warning of few. ``warnings.filterwarnings`` selects by this class."""


BY_STATUS: dict[int, type[Error]] = {
    _abi.FEW_E_INVALID: InvalidError, _abi.FEW_E_IO: FileError, _abi.FEW_E_FORMAT: FormatError,
    _abi.FEW_E_MEMORY: OutOfMemoryError, _abi.FEW_E_UNSUPPORTED: UnsupportedError,
    _abi.FEW_E_DIVERGED: DivergedError, _abi.FEW_E_CANCELLED: CancelledError}
