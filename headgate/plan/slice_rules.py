"""What slices must be like, each rule a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

from headgate.errors import InputError
from headgate.plan.finding import Finding, KeyPath, show
from headgate.plan.model import ALL, ColumnContract, ColumnKind, Plan
from headgate.plan.where import Where, read_where
from headgate.plan.where_terms import Comparison, kind_of

_HOLDS = {
    ColumnKind.INTEGER: "a number",
    ColumnKind.NUMBER: "a number",
    ColumnKind.CATEGORY: "text",
    ColumnKind.BOOLEAN: "true or false",
}


def slice_names_are_unique(plan: Plan) -> Iterator[Finding]:
    """Refuse a name with two meanings, and the name of the slice of plans that have none."""
    names = [part.name for part in plan.slices]
    for i, name in enumerate(names):
        if name in names[:i] or name == ALL:
            asked = f"a name no other slice has, and not {ALL}, which stands for no slices at all"
            yield Finding(("slices", i, "name"), asked, show(name), "rename it")


def slices_can_be_read(plan: Plan) -> Iterator[Finding]:
    """Read every expression, and point at what is wrong in it."""
    for i, part in enumerate(plan.slices):
        try:
            read_where(part.where)
        except InputError as err:
            asked = "comparisons of columns with literals, joined by and, or, not"
            yield Finding(("slices", i, "where"), asked, str(err), "correct the expression")


def slices_compare_columns_with_what_they_hold(plan: Plan) -> Iterator[Finding]:
    """Refuse a literal that the input contract says a column never holds."""
    columns = plan.input.columns if plan.input else {}
    for i, where in _readable(plan):
        for one in where.comparisons:
            if one.column in columns:
                yield from _unfit(("slices", i, "where"), one, columns[one.column])


def slices_share_no_requests(plan: Plan) -> Iterator[Finding]:
    """Refuse slices that overlap for certain; what only the data can show is found in the data."""
    for (i, first), (j, second) in combinations(_readable(plan), 2):
        name = show(plan.slices[i].name)
        row = _in_both(first, second) if first != second else None
        if first != second and row is None:
            continue
        asked = "requests that no other slice claims"
        found = (
            f"the very expression of slice {name}"
            if row is None
            else f"{show(row)}: slice {name} claims it too"
        )
        todo = "narrow one of them: a request is in one slice at most"
        yield Finding(("slices", j, "where"), asked, found, todo)


def _unfit(path: KeyPath, one: Comparison, column: ColumnContract) -> Iterator[Finding]:
    asked, found = _HOLDS.get(column.type), kind_of(one.literals[0])
    if asked is None:
        todo = "use a column of type category, boolean, integer or number"
        yield Finding(path, "a column that can be compared", f"{one.column}, a {column.type}", todo)
    elif asked != found:
        todo = "write the literal as the column holds it"
        yield Finding(
            path, f"{asked} for {one.column} ({column.type})", f"{found}: {one.literals[0]!r}", todo
        )
    elif column.values is not None and column.other == "reject":
        for literal in one.literals:
            if literal not in column.values:
                values = ", ".join(column.values)
                yield Finding(
                    path, f"one of the values of {one.column}: {values}", show(literal), "correct it"
                )


def _readable(plan: Plan) -> Iterator[tuple[int, Where]]:
    for i, part in enumerate(plan.slices):
        try:
            yield i, read_where(part.where)
        except InputError:
            continue  # slices_can_be_read says so


def _in_both(first: Where, second: Where) -> dict[str, Any] | None:
    """Return a row that both claim, where they look at one and the same column only.

    With more columns a row that satisfies both may be one that never comes; with one column every
    literal and, for whole numbers, its neighbours are values that can.
    """
    if len(first.columns) != 1 or first.columns != second.columns:
        return None
    literals = [literal for where in (first, second) for one in where.comparisons for literal in one.literals]
    if len({kind_of(literal) for literal in literals}) != 1:
        return None  # no column holds both types: said elsewhere, or by the data
    beside = [value + by for value in literals for by in (-1, 1) if isinstance(value, float)]
    rows = ({first.columns[0]: value} for value in [*literals, *beside])
    return next((row for row in rows if first.holds(row) and second.holds(row)), None)
