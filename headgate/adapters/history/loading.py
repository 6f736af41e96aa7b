"""The files of a history as two tables with columns of known types, whatever they were written in."""

# ruff: noqa: S608 - SQL is built of our own names and of columns and texts quoted by `sources`
from __future__ import annotations

from pathlib import Path

import duckdb

from headgate.adapters.history.cleaning import SIDES
from headgate.adapters.history.columns import Column, Kind, asked, from_text, named, present, unreadable
from headgate.adapters.history.sources import Source, literal, quoted
from headgate.plan.model import Plan
from headgate.ports import Status
from headgate.tables import SEGMENT
from headgate.tables.slices import slice_columns

#: In front of a column that a slice asks for by its own name.
OWN = "own_"

_NEEDED = (
    Column("request_id", Kind.NAME),
    Column("entity", Kind.NAME),
    Column("at", Kind.TIME),
    Column("incumbent_prediction", Kind.NUMBER),
    Column("candidate_prediction", Kind.NUMBER),
)
_OPTIONAL = (
    *(Column(f"{side}_status", Kind.TEXT, needed=False) for side in SIDES),
    *(
        Column(f"{side}_{what}", Kind.NUMBER, needed=False)
        for what in ("latency_ms", "cost", "value")
        for side in SIDES
    ),
    Column("served_by", Kind.TEXT, needed=False),
    Column("share_bp", Kind.NUMBER, needed=False),
)
_OUTCOMES = (
    Column("request_id", Kind.NAME),
    Column("label", Kind.LABEL),
    Column("known_at", Kind.TIME),
    Column("overridden", Kind.LABEL, needed=False),
)


def load_exchanges(
    con: duckdb.DuckDBPyConnection, plan: Plan, source: Source, folder: Path
) -> frozenset[str]:
    """Make ``exchanges_raw``; return the optional columns that are there.

    A column may also be called what the plan calls it in its own logs: the lake's exchanges are history too.
    """
    names = {"request_id": plan.requests.id, "entity": plan.unit.entity, "at": plan.requests.at}
    fixed = named(con, source, (*_NEEDED, *_OPTIONAL), names)
    segments = plan.segments.by if plan.segments else ()
    asked_for = slice_columns(plan)
    optional = tuple(Column(name, Kind.ANY, needed=False) for name in dict.fromkeys([*segments, *asked_for]))
    kept = tuple(
        Column(SEGMENT + name, Kind.ANY, needed=False) for name in dict.fromkeys([*segments, *asked_for])
    )
    there = present(con, source, (*fixed, *optional, *kept))
    selected = [_read(source, column) for column in fixed if column.name in there]
    for name in segments:
        found = name if name in there else SEGMENT + name
        if found not in there:
            raise source.error(
                f"a column {name!r}, which segments.by names", "none", "add it, or change the plan"
            )
        selected.append(f"nullif({quoted(found)}::varchar, '') {quoted(SEGMENT + name)}")
    for name in asked_for:
        found = name if name in there else SEGMENT + name
        if found not in there:
            raise source.error(
                f"a column {name!r}, which a slice names", "none", "add it, or change the plan"
            )
        selected.append(f"{quoted(found)} {quoted(OWN + name)}")
    _keep(con, "exchanges_raw", source, selected, folder)
    return there


def load_outcomes(con: duckdb.DuckDBPyConnection, plan: Plan, source: Source, folder: Path) -> None:
    """Make ``outcomes_raw``: see `load_exchanges`."""
    asked_for = plan.outcomes
    names = {
        "request_id": plan.requests.id,
        "label": asked_for.label,
        "known_at": asked_for.known_at,
        "overridden": asked_for.overridden,
    }
    columns = named(con, source, _OUTCOMES, names)
    there = present(con, source, columns)
    _keep(con, "outcomes_raw", source, [_read(source, c) for c in columns if c.name in there], folder)


def _keep(
    con: duckdb.DuckDBPyConnection, name: str, source: Source, selected: list[str], folder: Path
) -> None:
    """Name the columns of the files; what is text is read once and kept as what it says."""
    query = f"select {', '.join(selected)} from {source.reader()}"
    if source.kind == "csv":
        path = str(folder / f"{name}.parquet")
        try:
            con.execute(f"copy ({query}) to {literal(path)} (format parquet)")
        except duckdb.Error as err:
            raise unreadable(source, err) from err
        query = f"select * from read_parquet({literal(path)})"
    asked(con, source, query)
    con.execute(f"create view {name} as {query}")


def _read(source: Source, column: Column) -> str:
    """Return the SQL of a column, the same from Parquet as from CSV; times as microseconds since 1970."""
    value = from_text(column) if source.kind == "csv" else quoted(column.name)
    match column.kind:
        case Kind.TIME:
            value = f"epoch_us(({value})::timestamptz)"
        case Kind.NAME | Kind.TEXT:
            value = f"nullif({value}::varchar, '')"
        case Kind.NUMBER | Kind.LABEL:
            value = f"({value})::double"
    return f"{value} {quoted(column.ours)}"


def check_words(con: duckdb.DuckDBPyConnection, source: Source, columns: frozenset[str]) -> None:
    """Refuse words and shares that mean nothing."""
    words = {f"{side}_status": tuple(status.value for status in Status) for side in SIDES}
    words["served_by"] = SIDES
    for column, allowed in words.items():
        if column in columns:
            listed = ", ".join(literal(word) for word in allowed)
            wrong = con.sql(
                f"select min({column}) from exchanges_raw where {column} not in ({listed})"
            ).fetchall()[0][0]
            if wrong is not None:
                todo = "write it so where it is written"
                raise source.error(f"column {column!r} as one of {', '.join(allowed)}", repr(wrong), todo)
    if "share_bp" in columns:
        wrong = con.sql(
            "select min(share_bp) from exchanges_raw "
            "where not (share_bp between 0 and 10000 and share_bp = floor(share_bp))"
        ).fetchall()[0][0]
        if wrong is not None:
            asked_for = "column 'share_bp' as basis points, whole numbers from 0 to 10000"
            raise source.error(asked_for, f"{wrong:g}", "write 500 for 5 %")
