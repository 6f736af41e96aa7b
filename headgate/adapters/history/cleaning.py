"""Exchanges and outcomes made usable, in SQL: what is left out or mended is counted under one reason each.

Tables are `raw` (as read), `unique` (one row per request) and `clean` (the columns of a replay); an id that
comes once costs one hash in memory, whatever else stands in its row.
"""

# ruff: noqa: S608 - SQL is built of our own names and of columns and texts quoted by `sources`
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb

from headgate.adapters.history.sources import quoted
from headgate.plan.model import Plan
from headgate.ports import Side, Status

SIDES = tuple(side.value for side in Side)
_STATUSES = tuple(status.value for status in Status)


@dataclass(frozen=True, slots=True)
class Exchanges:
    """What is known of the exchanges once they are clean. ``counts``: {reason: rows}."""

    rows: int
    first_us: int
    last_us: int
    counts: Mapping[str, int]


def one_per_request(con: duckdb.DuckDBPyConnection, name: str) -> dict[str, int]:
    """Make ``{name}_unique`` from ``{name}_raw``: exact copies once, contradicting rows not at all.

    ``{name}_raw`` has a text ``request_id``, null where it is missing.

    Returns
    -------
    dict
        ``missing_id``, ``duplicate_id``, ``contradicting_id``: rows left out.
    """
    con.execute(
        f"create table {name}_repeated as select hash(request_id) h from {name}_raw "
        "where request_id is not null group by h having count(*) > 1"
    )
    missing = number(con, f"select count(*) from {name}_raw where request_id is null")
    counts = {"missing_id": missing, "duplicate_id": 0, "contradicting_id": 0}
    named = f"select * from {name}_raw where request_id is not null"
    if not number(con, f"select count(*) from {name}_repeated"):
        con.execute(f"create view {name}_unique as {named}")
        return counts
    again = f"hash(request_id) in (select h from {name}_repeated)"
    con.execute(
        f"create table {name}_twice as select *, count(*) copies from ({named} and {again}) group by all"
    )
    con.execute(
        f"create table {name}_versions as select request_id, count(*) n, sum(copies) copies "
        f"from {name}_twice group by request_id"
    )
    sums = con.sql(
        "select coalesce(sum(copies) filter (n > 1), 0)::bigint, "
        f"coalesce(sum(copies - 1) filter (n = 1), 0)::bigint from {name}_versions"
    ).fetchall()[0]
    con.execute(
        f"create view {name}_unique as {named} and not {again} union all by name "
        f"select * exclude (copies) from {name}_twice "
        f"where request_id in (select request_id from {name}_versions where n = 1)"
    )
    return {**counts, "contradicting_id": int(sums[0]), "duplicate_id": int(sums[1])}


def clean_exchanges(con: duckdb.DuckDBPyConnection, plan: Plan, columns: frozenset[str]) -> Exchanges:
    """Make ``exchanges`` from ``exchanges_unique``: statuses and numbers as the plan wants them.

    ``columns`` are the optional ones that the files have. An answer that is null, not finite or out of
    range is that side's fault, whatever its status says: it counts in that side's gates and in no pair.
    """
    mended = [_answer(plan, side, columns) for side in SIDES]
    mended += [
        _amount(f"{side}_{what}", least)
        for side in SIDES
        for what, least in (("latency_ms", "0"), ("cost", None), ("value", None))
        if f"{side}_{what}" in columns
    ]
    reasons = {"missing_at": '"at" is null', "unknown_entity": '"at" is not null and entity is null'}
    for one in mended:
        reasons |= one.reasons
    fine = " and ".join(['"at" is not null', "entity is not null", *(one.fine for one in mended)])
    counted = ", ".join(f"count(*) filter ({condition})" for condition in reasons.values())
    # Few rows are anything but fine: only those are asked what is the matter.
    counts = con.sql(f"select {counted} from exchanges_unique where ({fine}) is not true").fetchall()[0]
    rows, first, last = con.sql('select count("at"), min("at"), max("at") from exchanges_unique').fetchall()[
        0
    ]
    selected = ["request_id", "coalesce(entity, request_id) entity", '"at" at_us']
    selected += [column for one in mended for column in one.selected]
    if {"served_by", "share_bp"} <= columns:  # one without the other is no record of a split
        selected += ["served_by::side served_by", "share_bp::integer share_bp"]
    names = con.sql("select * from exchanges_unique limit 0").columns
    selected += [quoted(column) for column in names if column.startswith(("seg_", "own_"))]
    con.execute(
        f'create view exchanges as select {", ".join(selected)} from exchanges_unique where "at" is not null'
    )
    return Exchanges(rows, first or 0, last or 0, dict(zip(reasons, counts, strict=True)))


@dataclass(frozen=True, slots=True)
class _Mended:
    """SQL of some columns: what is selected, when a row is fine, and reasons for which it is not."""

    selected: tuple[str, ...]
    fine: str
    reasons: Mapping[str, str]


def _answer(plan: Plan, side: str, columns: frozenset[str]) -> _Mended:
    answer, status = f"{side}_prediction", f"{side}_status"
    low, high = (f"'{bound}'::double" for bound in plan.answers)
    given = f"coalesce({status}, 'ok')" if status in columns else "'ok'"
    within = f"isfinite({answer}) and {answer} between {low} and {high}"
    stated = (
        f"case when {given} <> 'ok' then {given} when {answer} is null then 'error' "
        f"when {within} then 'ok' else 'invalid' end"
    )
    return _Mended(
        (answer, f"({stated})::status {status}"),
        within,
        {
            f"{side}_not_answered": f"{given} = 'ok' and {answer} is null",
            f"{side}_not_finite": f"{given} = 'ok' and not isfinite({answer})",
            f"{side}_out_of_range": f"{given} = 'ok' and isfinite({answer}) and not ({within})",
        },
    )


def _amount(column: str, least: str | None) -> _Mended:
    usable = f"isfinite({column})" + (f" and {column} >= {least}" if least else "")
    return _Mended(
        (f"case when {usable} then {column} end {column}",),
        f"({column} is null or ({usable}))",
        {f"{column}_unusable": f"{column} is not null and not ({usable})"},
    )


def clean_outcomes(con: duckdb.DuckDBPyConnection, plan: Plan) -> dict[str, int]:
    """Make ``outcomes_usable`` from ``outcomes_raw``; repeated ones are settled when they are joined."""
    number_kind = plan.prediction.kind == "number"
    wrong = "not isfinite(label)" if number_kind else "label not in (0, 1)"
    reasons = {
        "outcomes.missing_id": "request_id is null",
        "outcomes.missing_label": "request_id is not null and label is null",
        f"outcomes.{'not_finite' if number_kind else 'not_binary'}": f"request_id is not null and {wrong}",
        "outcomes.missing_known_at": f"request_id is not null and not ({wrong}) and known_at is null",
    }
    counted = ", ".join(f"count(*) filter ({condition})" for condition in reasons.values())
    found = con.sql(f"select {counted} from outcomes_raw").fetchall()[0]
    con.execute(
        f"create view outcomes_usable as select * from outcomes_raw "
        f"where request_id is not null and not ({wrong}) and known_at is not null"
    )
    return dict(zip(reasons, found, strict=True))


def settle_outcomes(con: duckdb.DuckDBPyConnection, closes: str) -> dict[str, int]:
    """Make ``outcomes`` from ``outcomes_usable``: one per request.

    Of several outcomes only those count that came after their request and before it closed (``closes``,
    SQL over ``at_us``): the earliest where they agree, none where they do not. Requests with only others
    keep one of these, which is of no use but is told of.

    Returns
    -------
    dict
        ``outcomes.duplicate`` and ``outcomes.contradicting``: rows left out.
    """
    con.execute(
        "create table outcomes_repeated as select hash(request_id) h from outcomes_usable "
        "group by h having count(*) > 1"
    )
    if not number(con, "select count(*) from outcomes_repeated"):
        con.execute("create view outcomes as select * from outcomes_usable")
        return {}
    override = (
        ", max(o.overridden) filter ({0}) overridden" if _has(con, "outcomes_usable", "overridden") else ""
    )
    in_time = f"e.at_us is not null and o.known_at >= e.at_us and o.known_at <= {closes}"
    again = "hash(o.request_id) in (select h from outcomes_repeated)"
    con.execute(
        "create table outcomes_settled as select o.request_id, count(*) n, "
        f"count(*) filter ({in_time}) timely, count(distinct o.label) filter ({in_time}) labels, "
        f"coalesce(min(o.label) filter ({in_time}), min(o.label)) label, "
        f"coalesce(min(o.known_at) filter ({in_time}), min(o.known_at)) known_at{override.format(in_time)} "
        f"from outcomes_usable o left join exchanges e using (request_id) where {again} group by o.request_id"
    )
    con.execute(
        "create view outcomes as select o.* from outcomes_usable o "
        f"where not {again} union all by name "
        "select * exclude (n, timely, labels) from outcomes_settled where labels <= 1"
    )
    sums = con.sql(
        "select coalesce(sum(n) filter (labels > 1), 0)::bigint, "
        "coalesce(sum(n - 1) filter (labels <= 1), 0)::bigint from outcomes_settled"
    ).fetchall()[0]
    return {"outcomes.contradicting": int(sums[0]), "outcomes.duplicate": int(sums[1])}


def number(con: duckdb.DuckDBPyConnection, query: str) -> int:
    """Return the one whole number that a query answers."""
    return int(con.sql(query).fetchall()[0][0])


def statuses(con: duckdb.DuckDBPyConnection) -> None:
    """Make the types of the words that exchanges use."""
    for name, words in (("status", _STATUSES), ("side", SIDES)):
        listed = ", ".join(f"'{word}'" for word in words)
        con.execute(f"create type {name} as enum ({listed})")


def _has(con: duckdb.DuckDBPyConnection, table: str, column: str) -> bool:
    return column in con.sql(f"select * from {table} limit 0").columns
