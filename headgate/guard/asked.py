"""A request held against the plan: refused with every reason, or ready for the models."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from headgate.contract import check
from headgate.contract.plainly import Plainly
from headgate.errors import InputError
from headgate.guard.body import read_body
from headgate.guard.headers import Headers, read_headers
from headgate.guard.problems import Problem, Refused
from headgate.guard.words import Named
from headgate.plan.model import ALL, ColumnKind, Plan
from headgate.plan.where import read_where
from headgate.tables.terms import row_in_our_terms, terms_of

_INVALID = (
    "the request is not as the plan's input contract asks; nobody was asked; mend the values that are named"
)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that may be asked of the models.

    Attributes
    ----------
    row
        Every column as the request log keeps it, in the contract's terms.
    sent
        What the models are sent: the columns of the contract; without one, all of them.
    flags
        ``column.fault`` of what is odd and goes on all the same.
    changed
        Columns in which a term was replaced by the contract's.
    """

    named: Named
    slice: str | None
    row: Mapping[str, Any]
    sent: Mapping[str, Any]
    flags: Sequence[str]
    changed: Sequence[str]


class Door:
    """Reads requests of one service: form, names, columns, contract and slice, in this order."""

    def __init__(self, plan: Plan, new_id: Callable[[], str]) -> None:
        self._plan = plan
        self._contract = plan.input
        self._plainly = Plainly(plan.input) if plan.input else None
        self._new_id = new_id
        self._terms = terms_of(plan)
        self._slices = [(part.name, read_where(part.where)) for part in plan.slices]
        self.columns = _columns(plan)
        self._times = _times(plan)

    def read(self, headers: Headers, body: bytes, now: datetime) -> Asked:
        """Return the request, ready to be asked.

        Raises
        ------
        Refused
            With everything that is wrong with it.
        """
        row, own_id = read_body(body)
        named = read_headers(headers, own_id, now, self._new_id)
        places = {name: i for i, name in enumerate(row)}
        if self._contract is None:
            return Asked(named, self._slice(row, named), row, row, (), ())
        self._same_columns(row, places)
        for name in self._times:
            row[name] = _as_time(row[name])
        changed = row_in_our_terms(row, self._terms)
        try:
            flags = self._held_against_contract(row, named.at, places)
        except Refused as err:
            err.about = (named, row)
            raise
        sent = {name: _as_sent(row[name], column.type) for name, column in self._contract.columns.items()}
        return Asked(named, self._slice(row, named), row, sent, flags, tuple(changed))

    def _same_columns(self, row: Mapping[str, Any], places: Mapping[str, int]) -> None:
        """Ask for every column and no other: what is left out is said to be missing, by null."""
        errors = [
            {
                "pointer": f"#/inputs/{places[name]}/name",
                "code": "unknown_column",
                "detail": f"found {name[:60]!r}",
            }
            for name in row
            if name not in self.columns
        ]
        errors += [
            {
                "pointer": "#/inputs",
                "code": "absent_column",
                "detail": f"asked {name!r}; send null if it is unknown",
            }
            for name in self.columns
            if name not in row
        ]
        if errors:
            detail = f"asked the columns {', '.join(self.columns)}, each once; found others; see errors"
            raise Refused(
                Problem(422, "columns", detail, errors), reasons=sorted({e["code"] for e in errors})
            )

    def _held_against_contract(
        self, row: Mapping[str, Any], at: datetime, places: Mapping[str, int]
    ) -> tuple[str, ...]:
        """Return what is odd and goes on all the same; refuse what does not."""
        contract = self._contract
        if contract is None or (self._plainly is not None and self._plainly.fine(row, at)):
            return ()
        # Not only the contract's own columns: freshness is counted from `at`.
        names = (*contract.columns, *contract.about)
        table = pa.table(
            {**{name: [row[name]] for name in names}, "at": pa.array([at], pa.timestamp("us", "UTC"))}
        )
        checked = check(table, contract)
        reasons = tuple(checked.row_reasons.get(0, "").split("; ")) if checked.row_reasons else ()
        if checked.mask_ok[0]:
            return reasons
        told = checked.problem(0, contract.mask) or {}
        errors = [
            {
                **error,
                "pointer": f"#/inputs/{places[error['pointer'][2:]]}/data/0",
                "column": error["pointer"][2:],
            }
            for error in told.get("errors", ())
        ]
        raise Refused(Problem(422, "contract", _INVALID, errors), reasons=reasons)

    def _slice(self, row: Mapping[str, Any], named: Named) -> str | None:
        """Return the slice by the plan's own expressions; a header that says otherwise is refused."""
        if not self._slices:
            return ALL
        try:
            found = [name for name, where in self._slices if where.holds(row)]
        except InputError as err:
            raise Refused(Problem(422, "slice", f"the slices of the plan cannot be told: {err}")) from None
        if len(found) > 1:
            raise Refused(Problem(422, "slice", f"asked one slice at most; found {' and '.join(found)}"))
        mine = found[0] if found else None
        if named.slice is not None and named.slice != mine:
            detail = (
                f"x-headgate-slice: asked {mine!r}, by the columns; found {named.slice[:60]!r}; leave it out"
            )
            raise Refused(Problem(422, "slice", detail))
        return mine


def _columns(plan: Plan) -> tuple[str, ...]:
    """Return the columns a request must have: contract, what is told about it, segments and slices."""
    if plan.input is None:
        return ()
    by = plan.segments.by if plan.segments else ()
    wheres = [read_where(part.where) for part in plan.slices]
    sliced = [name for where in wheres for name in where.columns]
    return tuple(dict.fromkeys([*plan.input.columns, *plan.input.about, *by, *sliced]))


def _times(plan: Plan) -> tuple[str, ...]:
    if plan.input is None:
        return ()
    times = [name for name, column in plan.input.columns.items() if column.type is ColumnKind.TIMESTAMP]
    return tuple(dict.fromkeys([*times, *plan.input.freshness]))


def _as_time(value: Any) -> Any:
    """Return ISO 8601 text as a time; anything else as it is, for the contract to refuse."""
    if not isinstance(value, str):
        return value
    try:
        at = datetime.fromisoformat(value)
        return at if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return value


def _as_sent(value: Any, kind: ColumnKind) -> Any:
    """Return a value in the contract's own type, as shadow windows send it."""
    match kind:
        case ColumnKind.NUMBER if value is not None:
            return float(value)
        case ColumnKind.INTEGER if value is not None:
            return int(value)
        case _:
            return value
