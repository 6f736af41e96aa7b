"""Profiles and comparisons in words and figures: tables for a terminal, JSON for scripts."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.table import Table

from headgate.profile.columns import Boolean, Categorical, Column, Numeric, Opaque, Profile, Timestamp
from headgate.profile.comparison import ColumnComparison, Comparison
from headgate.profile.grid import quantiles

_SHARES = (0.01, 0.25, 0.5, 0.75, 0.99)
#: The most frequent values of a column of texts that are shown.
_TOP = 3


def profile_json(profile: Profile) -> dict[str, Any]:
    """Return what a profile says, without its cells."""
    return {
        "rows": profile.rows,
        "since": None if profile.since is None else profile.since.isoformat(),
        "until": None if profile.until is None else profile.until.isoformat(),
        "columns": [
            {
                "name": name,
                "kind": column.kind.value,
                "seen": column.seen,
                "missing": profile.missing(name),
                **_figures(column),
            }
            for name, column in profile.columns.items()
        ],
    }


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison; what does not exist is null."""
    return {
        "rows_reference": comparison.rows_reference,
        "rows_current": comparison.rows_current,
        "columns": [asdict(column) | {"kind": column.kind.value} for column in comparison.columns],
    }


def profile_table(profile: Profile) -> Table:
    """Return a line per column."""
    span = f", {profile.since:%Y-%m-%d %H:%M} to {profile.until:%Y-%m-%d %H:%M}" if profile.since else ""
    table = Table(title=f"{profile.rows:,} rows{span}", title_justify="left")
    for head in ("column", "kind", "missing", "what is in it"):
        table.add_column(head, justify="right" if head == "missing" else "left")
    for name, column in profile.columns.items():
        table.add_row(name, column.kind.value, percent(profile.missing(name)), _words(column))
    return table


def comparison_table(comparison: Comparison) -> Table:
    """Return a line per column; what does not exist stays empty."""
    table = Table(
        title=f"{comparison.rows_reference:,} rows of the reference, {comparison.rows_current:,} now",
        title_justify="left",
    )
    heads = (
        "column",
        "PSI",
        "JS",
        "KS",
        "Wasser-\nstein",
        "chi² p",
        "missing\nbefore",
        "\nnow",
        "unseen",
        "",
    )
    for head in heads:
        table.add_column(head, justify="left" if head in {"column", ""} else "right")
    for one in comparison.columns:
        table.add_row(
            one.name, _short(one.psi, "{:.3f}"), _short(one.js, "{:.3f}"), _short(one.ks, "{:.3f}"),
            _short(one.wasserstein, "{:.3g}"), _short(one.chi2_p, "{:.2g}"),
            percent(one.missing_reference), percent(one.missing_current), percent(one.unseen_share),
            "; ".join(remarks(one)),
        )  # fmt: skip
    return table


def remarks(one: ColumnComparison) -> list[str]:
    """Return what is odd about a column beside its distances."""
    said = [one.changed] if one.changed else []
    if one.out_of_contract_current:
        said.append(f"{percent(one.out_of_contract_current)} outside the contract")
    if one.coarse:
        said.append("the reference's grid is too coarse: profile it anew")
    if not one.changed and not min(one.n_reference, one.n_current):
        said.append("no values")
    return said


def percent(share: float | None) -> str:
    """Return a share in words; empty where there is none.

    Examples
    --------
    >>> percent(0.0123)
    '1.2 %'
    """
    return "" if share is None else f"{100 * share:.1f} %"


def _figures(column: Column) -> dict[str, Any]:
    match column:
        case Numeric():
            found = quantiles(column, _SHARES)
            return {
                "nan": column.nan,
                "infinite": column.below + column.above,
                "least": column.least,
                "most": column.most,
                "mean": column.mean if column.finite else None,
                "spread": column.spread,
                "quantiles": dict(zip(map(str, _SHARES), found, strict=True)) if found else None,
                "out_of_contract": column.outside,
            }
        case Categorical():
            return {
                "values": len(column.counts),
                "more_values": column.limit is not None,
                "most_frequent": dict(_top(column)),
                "out_of_contract": column.outside,
            }
        case Boolean():
            return {"true": column.true}
        case Timestamp():
            ends = {"least": column.least, "most": column.most}
            return {name: end.isoformat() if end else None for name, end in ends.items()} | {
                "hours": column.hours.tolist()
            }
        case Opaque():
            return {"types": sorted(column.types)}


def _words(column: Column) -> str:
    match column:
        case Numeric() if found := quantiles(column, (0.01, 0.5, 0.99)):
            odd = column.nan + column.below + column.above
            more = f", {odd:,} NaN or infinite" if odd else ""
            return "{:.4g} · {:.4g} · {:.4g}".format(*found) + f" (1, 50, 99 %){more}"
        case Categorical() if column.seen:
            count = (
                f"more than {len(column.counts):,}" if column.limit is not None else f"{len(column.counts):,}"
            )
            top = ", ".join(f"{name[:24]} {percent(n / column.seen)}" for name, n in _top(column))
            return f"{count} values: {top}"
        case Boolean() if column.seen:
            return f"{percent(column.true / column.seen)} true"
        case Timestamp() if column.least and column.most:
            return f"{column.least:%Y-%m-%d %H:%M} to {column.most:%Y-%m-%d %H:%M}"
        case Opaque() if column.types:
            return f"not profiled: {' and '.join(sorted(column.types))}"
        case _:
            return "nothing"


def _top(column: Categorical) -> list[tuple[str, int]]:
    return sorted(column.counts.items(), key=lambda pair: (-pair[1], pair[0]))[:_TOP]


def _short(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)
