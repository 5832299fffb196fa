"""The interface of libfew.so: structs, constants and functions, read from the headers.

The package brings include/few/*.h and reads the declarations that it uses when they are first
needed: _abi.few_sample_opts is a ctypes struct, _abi.FEW_E_IO a number, and lib.few_sample a
function with its types. So nothing is declared twice, and a new member of a struct needs no change
here. The headers are few's own, which are written in one style; this reads that style, not all of
C. python/tests/test_abi.py compares the result with a C compiler's.

This module needs neither numpy nor another module.
"""
from __future__ import annotations

import ctypes
import os
import re
from functools import lru_cache
from typing import Any

_HERE = os.path.dirname(os.path.abspath(__file__))
_SCALARS: dict[str, Any] = {
    'void': None, 'bool': ctypes.c_bool, 'char': ctypes.c_char, 'int': ctypes.c_int,
    'unsigned': ctypes.c_uint, 'float': ctypes.c_float, 'double': ctypes.c_double,
    'size_t': ctypes.c_size_t, 'uint8_t': ctypes.c_uint8, 'int32_t': ctypes.c_int32,
    'int64_t': ctypes.c_int64, 'uint64_t': ctypes.c_uint64}


class Struct(ctypes.Structure):
    """A C struct."""

    @classmethod
    def names(cls) -> list[str]:
        """Its members."""
        return [field[0] for field in cls._fields_]

    @classmethod
    def new(cls, **members: Any) -> Any:
        """The struct as its ..._INIT makes it, or of zeros, with these members."""
        made = cls()
        macro = cls.__name__.upper() + '_INIT'
        if macro in _macros():
            _fill(made, _initial(macro))
        for name, value in members.items():
            if name not in cls.names():
                raise AttributeError(f'{cls.__name__} has no member {name}')
            setattr(made, name, value)
        return made


# ---- the text of the headers ----

def include() -> str:
    """The folder of few.h: in the package or, in a source tree, at its top."""
    own = os.path.join(_HERE, 'include')
    return own if os.path.isdir(own) else os.path.join(_HERE, '..', '..', 'include')


@lru_cache(maxsize=None)
def _text() -> str:
    """All headers without comments, with continued lines joined."""
    folder, parts = os.path.join(include(), 'few'), []
    for name in sorted(os.listdir(folder)):
        if name.endswith('.h'):
            with open(os.path.join(folder, name), encoding='utf-8') as file:
                parts.append(file.read())
    return re.sub(r'/\*.*?\*/', ' ', '\n'.join(parts).replace('\\\n', ' '), flags=re.DOTALL)


@lru_cache(maxsize=None)
def _macros() -> dict[str, str]:
    """#define NAME VALUE."""
    return {name: value.strip()
            for name, value in re.findall(r'^#define (\w+)[ \t]+(.*)$', _text(), re.MULTILINE)}


@lru_cache(maxsize=None)
def _constants() -> dict[str, int]:
    """Members of enums, and macros that are integers."""
    found = {k: int(v) for k, v in _macros().items() if re.fullmatch(r'-?\d+', v)}
    for body in re.findall(r'\benum(?: \w+)? \{([^}]*)\}', _text()):
        value = -1
        for item in filter(None, (part.strip() for part in body.split(','))):
            name, _, given = (part.strip() for part in item.partition('='))
            value = int(given) if given else value + 1
            found[name] = value
    return found


# ---- types ----

@lru_cache(maxsize=None)
def _struct(name: str) -> type[Struct]:
    match = re.search(rf'\bstruct {name} \{{(.*?)\n\}};', _text(), re.DOTALL)
    if not match:
        raise AttributeError(f'there is no struct {name} in the headers')
    fields = []
    for declaration in filter(None, (d.strip() for d in match[1].split(';'))):
        fields += _members(declaration)
    return type(name, (Struct,), {'_fields_': fields})


def _members(declaration: str) -> list[tuple[str, Any]]:
    """"const char *a, *b", "double at[FEW_MAX]", "void (*log)(void *user)"."""
    callback = re.fullmatch(r'(.*?)\(\*(\w+)\)\s*\((.*)\)', declaration, re.DOTALL)
    if callback:
        result, name, parameters = callback.groups()
        return [(name, ctypes.CFUNCTYPE(_type(result), *_parameters(parameters)))]
    first, *more = declaration.split(',')
    base = re.match(r'(?:(?:const|struct|enum)\s+)*\w+', first)
    assert base, declaration
    fields = []
    for one in (first, *(base[0] + ' ' + m for m in more)):
        match = re.fullmatch(r'(.*?)(\w+)\s*(?:\[(\w+)\])?', one.strip(), re.DOTALL)
        assert match, declaration
        kind, name, count = match.groups()
        element = _type(kind)
        fields.append((name, element if count is None else
                       element * (int(count) if count.isdigit() else _constants()[count])))
    return fields


def _parameters(text: str) -> list[Any]:
    return [] if text.strip() == 'void' else [
        _type(re.sub(r'\w+(\[\w*\])?$', lambda m: '*' if m[1] else '', one.strip()))
        for one in text.split(',')]


def _type(text: str) -> Any:
    """The ctypes type of a C type. Numbers behind a pointer are addresses of arrays; a text is
    bytes, and one that the caller frees an address."""
    name, *_ = re.sub(r'\b(const|struct|enum)\b', '', text).replace('*', ' ').split()
    stars = text.count('*')
    is_struct = re.search(rf'\bstruct {name} \{{', _text()) is not None
    if stars == 0:
        if is_struct:
            return _struct(name)
        if name in _SCALARS:
            return _SCALARS[name]
        if re.search(rf'\(\*{name}\)\(', _text()):
            return ctypes.c_void_p  # a typedef of a function pointer
        return ctypes.c_int  # an enum
    if stars == 1 and name == 'char' and 'const' in text:
        return ctypes.c_char_p
    if stars == 1 and is_struct:
        return ctypes.POINTER(_struct(name))
    return ctypes.c_void_p


# ---- initial values ----

@lru_cache(maxsize=None)
def _initial(macro: str) -> Any:
    """{1, {NULL}, FEW_NAME} as nested lists."""
    stack: list[list[Any]] = [[]]
    for token in re.findall(r'[{}]|"[^"]*"|[^\s,{}]+', _macros()[macro]):
        if token == '{':
            stack.append([])
        elif token == '}':
            done = stack.pop()
            stack[-1].append(done)
        else:
            stack[-1].append(_value(token))
    return stack[0][0]


def _value(token: str) -> Any:
    words = {'NULL': None, 'true': True, 'false': False}
    if token in words:
        return words[token]
    if token in _constants():
        return _constants()[token]
    if token in _macros():
        return _initial(token)
    if token.startswith('"'):
        return token[1:-1].encode()
    return float(token) if re.search(r'[.e]', token) else int(token)


def _fill(made: Any, values: list[Any]) -> None:
    for name, value in zip(made.names(), values):
        member = getattr(made, name)
        if isinstance(value, list) and isinstance(member, Struct):
            _fill(member, value)
        elif isinstance(value, list):
            for i, one in enumerate(value):
                member[i] = one
        elif value is not None:
            setattr(made, name, value)


# ---- functions ----

def prototype(name: str) -> tuple[str, str]:
    """The result and the parameters of a function, as text."""
    match = re.search(rf'\bFEW_API\s+(?:FEW_MUST_USE\s+)?([\w\s]+[\s*]+){name}\(([^;]*)\)\s*;',
                      _text())
    if not match:
        raise AttributeError(f'there is no function {name} in the headers')
    return match[1], match[2]


class Library:
    """libfew.so: the file that FEW_LIBRARY names, or else the one in this package."""

    def __init__(self) -> None:
        path = os.environ.get('FEW_LIBRARY') or os.path.join(_HERE, 'libfew.so')
        try:
            self._library = ctypes.CDLL(path)
            number = self.few_version_number()
        except (OSError, AttributeError) as error:
            raise ImportError(f'few: {error}. Install the package again, or name a libfew.so in '
                              'FEW_LIBRARY') from error
        major, minor = _constants()['FEW_VERSION_MAJOR'], _constants()['FEW_VERSION_MINOR']
        if number // 1000 != major * 1000 + minor:
            raise ImportError(f'few: {path} has version {self.few_version().decode()}, and the '
                              f'package {major}.{minor}. Install the package again')

    def __getattr__(self, name: str) -> Any:
        function = getattr(self._library, name)
        result, parameters = prototype(name)
        function.restype, function.argtypes = _type(result), _parameters(parameters)
        setattr(self, name, function)
        return function


def __getattr__(name: str) -> Any:
    """_abi.few_NAME: a struct; _abi.FEW_NAME: a number."""
    if name.startswith('FEW_') and name in _constants():
        return _constants()[name]
    if name.startswith('few_'):
        return _struct(name)
    raise AttributeError(f'there is no {name} in the headers')


def constants(prefix: str) -> dict[str, int]:
    """The constants whose names begin so, without it and in small letters; no versions."""
    return {name[len(prefix):].lower(): value for name, value in _constants().items()
            if name.startswith(prefix) and not name.endswith('_VERSION')}
