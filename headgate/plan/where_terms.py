"""What an expression about requests is made of: comparisons, and how they are joined."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Any

from headgate.errors import InputError

Literal = str | float | bool

#: Signs that compare with one literal.
SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """One column held against literals of one type; ``sign`` is ``in`` or ``not in`` for a list."""

    column: str
    sign: str
    literals: tuple[Literal, ...]

    def of(self, value: Any) -> bool:
        """Return whether a value that is there satisfies the comparison."""
        value = float(value) if kind_of(value) == "a number" else value  # as Arrow compares them
        if self.sign in SIGNS:
            return SIGNS[self.sign](value, self.literals[0])
        return (value in self.literals) == (self.sign == "in")


@dataclass(frozen=True, slots=True)
class Not:
    """What does not hold."""

    part: Node


@dataclass(frozen=True, slots=True)
class Both:
    """Two parts, joined by ``and`` (``both``) or ``or``."""

    left: Node
    right: Node
    both: bool


Node = Comparison | Not | Both


def kind_of(value: Any) -> str:
    """Return what a value is called in errors: text, a number, true or false, or its Python type."""
    match value:
        case bool():
            return "true or false"
        case Real():
            return "a number"
        case str():
            return "text"
        case _:
            return type(value).__name__


def check_kind(comparison: Comparison, found: str) -> None:
    """Refuse to hold a column against literals of another type.

    Parameters
    ----------
    found
        What the column holds, in the words of `kind_of`.

    Raises
    ------
    InputError
        If they do not fit.
    """
    asked = kind_of(comparison.literals[0])
    if asked != found:
        raise InputError(
            f"slices: asked column {comparison.column!r} {comparison.sign} {comparison.literals[0]!r}, "
            f"which is {asked}; found {found} in the column; write the literal as the column holds it"
        )
