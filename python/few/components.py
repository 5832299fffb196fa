"""What few has: networks, objectives, samplers and so on."""
from __future__ import annotations

import ctypes
from dataclasses import dataclass

from . import _abi
from ._context import lib
from .errors import InvalidError

_KINDS = {name: value for name, value in _abi.constants('FEW_COMPONENT_').items()
          if name != 'kinds'}


@dataclass(frozen=True)
class Component:
    """A network, sampler, metric ..., or the keys of every recipe ("trainer")."""

    name: str  #: "heun", as recipes and options write it
    usage: str  #: the name and its arguments: "idx:IMAGES[,LABELS]"
    help: str  #: one line
    source: str  #: the paper; "": none
    options: dict[str, str]  #: its options, each with a line of help


def components(kind: str) -> list[Component]:
    """All components of a kind: "network", "objective", "sampler", "schedule", "optimizer",
    "process", "prediction", "weight", "balancer", "reader", "metric", "features", "backend",
    "trainer"."""
    if kind not in _KINDS:
        raise InvalidError(f'there is no kind {kind!r}: use one of {", ".join(_KINDS)}')
    found: list[Component] = []
    raw = _abi.few_component()
    while lib.few_component(ctypes.byref(raw), ctypes.sizeof(raw), None, _KINDS[kind], len(found)):
        found.append(Component(raw.name.decode(), raw.usage.decode(), raw.help.decode(),
                               raw.source.decode(), _options(raw.options)))
    return found


def _options(table: int | None) -> dict[str, str]:
    rows: dict[str, str] = {}
    row = ctypes.cast(table, ctypes.POINTER(_abi.few_option)) if table else None
    while row and row[len(rows)].key:
        one = row[len(rows)]
        rows[one.key.decode()] = one.help.decode()
    return rows
