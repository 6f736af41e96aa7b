"""Which requests are in a slice: a small language of comparisons, read by hand, never run as code.

``origin == 'JFK' and (distance >= 500 or carrier in ('UA', 'AA')) and not night == true``

A comparison is a column, then ``== != < <= > >= in`` or ``not in``, then a literal: text in single or
double quotes, a number, ``true`` or ``false``; ``in`` takes a list in parentheses. ``not`` binds tighter
than ``and``, ``and`` tighter than ``or``. A column whose name is no word stands in backticks. A missing
value makes its comparison false, whichever it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from headgate.plan.where_reader import read
from headgate.plan.where_terms import Both, Comparison, Node, Not, check_kind, kind_of

_MASK = TypeVar("_MASK", bound=Any)


@dataclass(frozen=True, slots=True)
class Where:
    """An expression, read. Two of them are equal when they ask the same in the same words and order."""

    root: Node

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it names, each once, in order."""
        return tuple(dict.fromkeys(one.column for one in self.comparisons))

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """Its comparisons, in the order they were written."""
        return tuple(_leaves(self.root))

    def fold(self, leaf: Callable[[Comparison], _MASK]) -> _MASK:
        """Return what ``leaf`` says of every comparison, joined: of booleans, or of arrays of them."""
        return _fold(self.root, leaf)

    def holds(self, row: Mapping[str, Any]) -> bool:
        """Return whether one request is in the slice.

        Parameters
        ----------
        row
            Its columns; a column that is not there, None and NaN are missing values.

        Raises
        ------
        InputError
            If a value is of another type than what it is held against.

        Examples
        --------
        >>> where = read_where("origin == 'JFK' and not distance < 500")
        >>> where.columns, where.holds({"origin": "JFK", "distance": 2475})
        (('origin', 'distance'), True)
        """
        return bool(self.fold(lambda one: _of_row(one, row.get(one.column))))


def read_where(text: str) -> Where:
    """Read an expression.

    Raises
    ------
    InputError
        If it cannot be read: position (from 1), what was asked, what was found, what to do.
    """
    return Where(read(text))


def _leaves(node: Node) -> Iterator[Comparison]:
    match node:
        case Comparison():
            yield node
        case Not():
            yield from _leaves(node.part)
        case Both():
            yield from _leaves(node.left)
            yield from _leaves(node.right)


def _fold(node: Node, leaf: Callable[[Comparison], _MASK]) -> _MASK:
    match node:
        case Comparison():
            return leaf(node)
        case Not():
            rest: _MASK = _fold(node.part, leaf) ^ True  # unlike ~, right for plain booleans too
            return rest
        case Both(left, right, both):
            first, second = _fold(left, leaf), _fold(right, leaf)
            joined: _MASK = first & second if both else first | second
            return joined


def _of_row(comparison: Comparison, value: Any) -> bool:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return False
    check_kind(comparison, kind_of(value))
    return comparison.of(value)
