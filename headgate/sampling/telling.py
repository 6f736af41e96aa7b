"""A drawn sample, and what a curated set never saw, in words and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.text import Text

from headgate.report.terminal import plain_table
from headgate.sampling.curated import Curated
from headgate.sampling.draw import Draw, Tally
from headgate.sampling.unseen import Finding, Gap

if TYPE_CHECKING:
    from headgate.drift import Report

#: Findings told on the terminal; all are in the JSON.
_MOST = 15
#: Columns told that stray farthest.
_FARTHEST = 3


@dataclass(frozen=True, slots=True)
class Drawn:
    """A sample that was drawn, for whoever wants to know what is in the file."""

    path: str
    by: Sequence[str]
    tally: Tally
    drawn: Draw
    written: int
    columns: Sequence[str]
    left_out: Sequence[str]
    seed: int
    labelled: int | None


def drawn_json(one: Drawn) -> dict[str, Any]:
    """Return a drawn sample as plain JSON values."""
    return {
        "path": one.path,
        "rows": one.written,
        "rows_history": sum(one.tally.rows.values()),
        "without_id": one.tally.without_id,
        "seed": one.seed,
        "by": list(one.by),
        "groups": [
            {
                "values": list(stratum),
                "rows_history": one.tally.rows[stratum],
                "rows": len(keys),
                "weight": one.drawn.weights[stratum],
            }
            for stratum, keys in sorted(one.drawn.keys.items(), key=str)
        ],
        "columns": list(one.columns),
        "left_out": list(one.left_out),
        "labelled": one.labelled,
    }


def drawn_table(one: Drawn) -> Group:
    """Return a drawn sample as a person reads it."""
    body = drawn_json(one)
    head = (
        f"{one.written:,} of {body['rows_history']:,} requests, drawn at random (seed {one.seed}): {one.path}"
    )
    parts: list[RenderableType] = [Text(head, style="bold")]
    if one.labelled is not None:
        parts.append(Text(f"  {one.labelled:,} have a known outcome"))
    if one.left_out:
        parts.append(Text(f"  left out, the plan does not name them: {', '.join(one.left_out)}"))
    if one.tally.without_id:
        parts.append(Text(f"  {one.tally.without_id:,} requests have no id and cannot be drawn"))
    if one.by:
        firsts = [str(group["values"][0]) for group in body["groups"]]
        table = plain_table(*one.by, "in history", "drawn", "each stands for", names=firsts)
        for group in body["groups"]:
            words = ["(none)" if value is None else escape(value) for value in group["values"]]
            table.add_row(
                *words, f"{group['rows_history']:,}", f"{group['rows']:,}", f"{group['weight']:.1f}"
            )
        parts.append(table)
    return Group(*parts)


def curated_json(one: Curated, apart: Report) -> dict[str, Any]:
    """Return a comparison as plain JSON values; ``distances`` is what `headgate drift` gives."""
    unseen = one.unseen
    return {
        "rows_set": unseen.rows_set,
        "rows_stream": unseen.rows_stream,
        "unseen_rows": unseen.rows_any,
        "unseen_share": unseen.share_any,
        "unseen_share_random": one.share_random,
        "columns": list(one.columns),
        "findings": [_finding(finding) for finding in unseen.findings],
        "distances": apart.to_json(),
    }


def curated_table(one: Curated, apart: Report) -> Group:
    """Return a comparison as a person reads it."""
    unseen = one.unseen
    head = (
        f"{unseen.share_any:.1%} of {unseen.rows_stream:,} real requests hold something that the set of "
        f"{unseen.rows_set:,} never saw; of a random set of that size it would be {one.share_random:.1%}"
    )
    parts: list[RenderableType] = [Text(head, style="bold")]
    if unseen.findings:
        names = [finding.column for finding in unseen.findings[:_MOST]]
        table = plain_table("column", "never seen", "real requests", "share", "by chance", names=names)
        for finding in unseen.findings[:_MOST]:
            chance = "" if finding.by_chance is None else f"{finding.by_chance:.2%}"
            what = escape(said(finding))
            table.add_row(escape(finding.column), what, f"{finding.rows:,}", f"{finding.share:.2%}", chance)
        parts.append(table)
        if (more := len(unseen.findings) - _MOST) > 0:
            parts.append(Text(f"  and {more} smaller; --json has all"))
    strayed = sorted((c for c in apart.columns if c.drifted), key=lambda column: -(column.effect or 0))
    if strayed:
        words = "; ".join(f"{column.name}: {column.reason}" for column in strayed[:_FARTHEST])
        parts.append(Text(f"  in other proportions than the stream: {len(strayed)} columns, most {words}"))
    return Group(*parts)


def said(finding: Finding) -> str:
    """Return what was never seen, in words."""
    some = ", ".join(finding.examples)
    match finding.gap:
        case Gap.VALUE:
            return f"values like {some}"
        case Gap.BELOW:
            return f"below the set's least, down to {some}"
        case Gap.ABOVE:
            return f"above the set's most, up to {some}"
        case Gap.MISSING:
            return "a missing value"
        case Gap.NOT_FINITE:
            return "NaN or an infinite number"
        case Gap.COLUMN:
            return "the column: the set does not have it"


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "column": finding.column,
        "gap": finding.gap.value,
        "rows": finding.rows,
        "share": finding.share,
        "by_chance": finding.by_chance,
        "examples": list(finding.examples),
        "said": said(finding),
    }
