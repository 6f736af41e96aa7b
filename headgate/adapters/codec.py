"""Dataclasses to JSON text and back, bit for bit.

The ledger is read years later and replayed bit for bit, so the text is strict and versioned: every
field is there and no other, floats keep every bit (infinities and nan as words, which JSON has no
numbers for), instants are UTC with microseconds and a ``Z``, spans are whole microseconds, enums go
by value. The types come from the dataclasses' own annotations; nothing in the text chooses a type.
"""

from __future__ import annotations

import json
import math
import operator
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import cache
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from headgate.errors import InputError, StoreError

#: Of the text. A field added to or taken from a recorded dataclass raises it.
VERSION = 1

_WORDS = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}
_MICROSECOND = timedelta(microseconds=1)
_T = TypeVar("_T")


def stamp(at: datetime) -> str:
    """Return an instant as fixed-width text that sorts by time, to the microsecond.

    Raises
    ------
    InputError
        If the time is naive: nobody could say which instant it is.

    Examples
    --------
    >>> stamp(datetime(2013, 4, 1, 9, tzinfo=UTC))
    '2013-04-01T09:00:00.000000Z'
    """
    if at.utcoffset() is None:
        raise InputError(f"asked a time with its zone; found the naive {at.isoformat()}; give it in UTC")
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def instant(text: str) -> datetime:
    """Return the instant that `stamp` wrote, aware UTC.

    Raises
    ------
    StoreError
        If the text is no such stamp.
    """
    if isinstance(text, str) and len(text) == 27 and text.endswith("Z"):
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            pass
    raise StoreError(f"asked a UTC time like 2013-04-01T09:00:00.000000Z; found {text!r} in the store")


def compact(data: Any) -> str:
    """Return plain JSON values as their one shortest text; equal values give equal text.

    Raises
    ------
    StoreError
        If a value has no JSON form, or is nan or infinite.
    """
    try:
        return json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as err:
        raise StoreError(f"asked plain JSON values with finite numbers; {err}") from err


def dump(value: Any) -> str:
    """Return the text of a frozen dataclass.

    Raises
    ------
    StoreError
        If a field does not hold what its annotation says.
    InputError
        If a time in it is naive.
    """
    kind: Any = type(value)
    return compact({"v": VERSION, "kind": kind.__name__, "value": _form(kind).write(value)})


def load(kind: type[_T], text: str) -> _T:
    """Return the dataclass of this kind that `dump` wrote.

    Raises
    ------
    StoreError
        If the text is another kind, another version, or has a field missing, added or ill-typed.
    """
    try:
        data = json.loads(text)
    except ValueError as err:
        raise StoreError(f"asked the JSON of a {kind.__name__}; the store holds no JSON: {err}") from err
    if not isinstance(data, dict) or set(data) != {"v", "kind", "value"}:
        raise StoreError(f"asked a recorded {kind.__name__}; found {text[:80]!r}")
    if data["v"] != VERSION:
        raise StoreError(
            f"asked a {kind.__name__} in text version {VERSION}; found version {data['v']!r}: "
            "read this store with the Headgate that wrote it"
        )
    if data["kind"] != kind.__name__:
        raise StoreError(f"asked a recorded {kind.__name__}; found a {data['kind']!r}")
    form: Any = kind  # mypy takes a type variable for something that may not hash
    value: _T = _form(form).read(data["value"])
    return value


@dataclass(frozen=True, slots=True)
class _Form:
    """How one type is written and read."""

    write: Callable[[Any], Any]
    read: Callable[[Any], Any]


@cache
def _form(hint: Any) -> _Form:
    if hint in _PLAIN:
        return _PLAIN[hint]
    if is_dataclass(hint) and isinstance(hint, type):
        return _of_dataclass(hint)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _Form(lambda v: _be(hint, v).value, lambda v: _member(hint, v))
    args = get_args(hint)
    if get_origin(hint) is tuple:
        return _of_tuple(args)
    if get_origin(hint) in (Union, UnionType) and len(args) == 2 and NoneType in args:
        inner = _form(args[0] if args[1] is NoneType else args[1])
        return _Form(
            lambda v: None if v is None else inner.write(v),
            lambda v: None if v is None else inner.read(v),
        )
    raise StoreError(f"no way to record a field of type {hint!r}: teach headgate.adapters.codec")


def _of_dataclass(kind: type[Any]) -> _Form:
    hints = get_type_hints(kind)
    forms = {field.name: _form(hints[field.name]) for field in fields(kind)}

    def write(value: Any) -> dict[str, Any]:
        _be(kind, value)
        return {name: _within(kind, name, form.write, getattr(value, name)) for name, form in forms.items()}

    def read(data: Any) -> Any:
        if not isinstance(data, dict) or data.keys() != forms.keys():
            found = sorted(data) if isinstance(data, dict) else repr(data)
            raise StoreError(f"{kind.__name__}: asked the fields {sorted(forms)}; found {found}")
        return kind(**{name: _within(kind, name, form.read, data[name]) for name, form in forms.items()})

    return _Form(write, read)


def _of_tuple(args: tuple[Any, ...]) -> _Form:
    if len(args) == 2 and args[1] is Ellipsis:
        inner = _form(args[0])
        return _Form(
            lambda v: [inner.write(one) for one in _be(tuple, v)],
            lambda v: tuple(inner.read(one) for one in _be(list, v)),
        )
    forms = [_form(arg) for arg in args]
    return _Form(
        lambda v: [form.write(one) for form, one in zip(forms, _long(len(forms), tuple, v), strict=True)],
        lambda v: tuple(form.read(one) for form, one in zip(forms, _long(len(forms), list, v), strict=True)),
    )


def _within(kind: type[Any], name: str, act: Callable[[Any], Any], value: Any) -> Any:
    try:
        return act(value)
    except StoreError as err:
        raise StoreError(f"{kind.__name__}.{name}: {err}") from err


def _be(kind: type[Any], value: Any) -> Any:
    # True is an int to Python, and would come back as one.
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise StoreError(f"asked a {kind.__name__}; found {value!r}")
    return value


def _long(count: int, kind: type[Any], value: Any) -> Any:
    if len(_be(kind, value)) != count:
        raise StoreError(f"asked {count} values; found {value!r}")
    return value


def _member(kind: type[Enum], value: Any) -> Enum:
    try:
        return kind(value)
    except ValueError as err:
        raise StoreError(f"asked one of {[m.value for m in kind]}; found {value!r}") from err


def _write_float(value: Any) -> float | str:
    number = float(_be(Real, value))
    if math.isfinite(number):
        return number
    return "nan" if math.isnan(number) else "inf" if number > 0 else "-inf"


def _read_float(value: Any) -> float:
    if isinstance(value, str) and value in _WORDS:
        return _WORDS[value]
    number: float = _be(float, value)
    return number


def _write_int(value: Any) -> int:
    # numpy's integers are Integral too, and JSON does not know them.
    return operator.index(_be(Integral, value))


def _same(kind: type[Any]) -> _Form:
    return _Form(lambda v: _be(kind, v), lambda v: _be(kind, v))


_PLAIN: dict[Any, _Form] = {
    str: _same(str),
    bool: _same(bool),
    int: _Form(_write_int, lambda v: _be(int, v)),
    float: _Form(_write_float, _read_float),
    datetime: _Form(lambda v: stamp(_be(datetime, v)), instant),
    timedelta: _Form(
        lambda v: _be(timedelta, v) // _MICROSECOND, lambda v: timedelta(microseconds=_be(int, v))
    ),
}
