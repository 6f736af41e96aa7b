"""One request that is plainly fine, told in microseconds.

`check` looks at columns of many requests; for a single one most of its time is overhead. What is said here
is only "nothing whatever is wrong with it", and never where `check` would find something (a property
test); everything else is left to `check` itself, which decides and finds the words.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from math import isfinite
from typing import Any

from headgate.contract.about import SKEW
from headgate.plan.model import ColumnContract, ColumnKind, InputContract

Rule = Callable[[Any], bool]
_MOST = 2**63


class Plainly:
    """The contract, made ready for one request at a time.

    Examples
    --------
    >>> from datetime import UTC
    >>> contract = InputContract.model_validate({"columns": {"hour": {"type": "integer", "max": 23}}})
    >>> plainly = Plainly(contract)
    >>> now = datetime(2026, 1, 1, tzinfo=UTC)
    >>> plainly.fine({"hour": 7}, now), plainly.fine({"hour": 24}, now)
    (True, False)
    """

    def __init__(self, contract: InputContract) -> None:
        self._values = [(name, _rule(column)) for name, column in contract.columns.items()]
        self._ages = list(contract.freshness.items())
        self._origins = [(name, _origin(frozenset(known))) for name, known in contract.provenance.items()]

    def fine(self, row: Mapping[str, Any], at: datetime) -> bool:
        """Return whether this is sure to be flawless; False also where only `check` can tell.

        Parameters
        ----------
        row
            Values as JSON has them, times as datetimes.
        at
            When the request came; aware.
        """
        try:
            return (
                all(rule(row[name]) for name, rule in self._values)
                and all(_young(row[name], at, age) for name, age in self._ages)
                and all(rule(row[name]) for name, rule in self._origins)
            )
        except KeyError:
            return False


def _rule(column: ColumnContract) -> Rule:
    low = -_MOST if column.min is None else column.min
    high = _MOST - 1 if column.max is None else column.max
    match column.type:
        case ColumnKind.NUMBER | ColumnKind.INTEGER:
            whole = column.type is ColumnKind.INTEGER
            return _or_nothing(column, lambda value: _number(value, low, high, whole=whole))
        case ColumnKind.CATEGORY:
            return _or_nothing(column, _word(column.values))
        case ColumnKind.BOOLEAN:
            return _or_nothing(column, lambda value: type(value) is bool)
        case ColumnKind.TIMESTAMP:
            return _or_nothing(column, _aware)


def _or_nothing(column: ColumnContract, rule: Rule) -> Rule:
    if column.missing == "refuse":
        return rule
    return lambda value: value is None or rule(value)


def _number(value: Any, low: float, high: float, *, whole: bool) -> bool:
    kind = type(value)  # not isinstance: a boolean is no number
    if kind is int:
        return bool(low <= value <= high and -_MOST <= value < _MOST)
    return kind is float and isfinite(value) and low <= value <= high and (not whole or value.is_integer())


def _word(values: Collection[str] | None) -> Rule:
    if values is None:
        return lambda value: type(value) is str
    known = frozenset(values)
    return lambda value: type(value) is str and value in known


def _origin(known: frozenset[str]) -> Rule:
    return lambda value: type(value) is str and bool(value) and (not known or value in known)


def _aware(value: Any) -> bool:
    return isinstance(value, datetime) and value.tzinfo is not None


def _young(value: Any, at: datetime, age: timedelta) -> bool:
    return _aware(value) and -SKEW <= at - value <= age
