"""What was found, as figures and tables."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import Any

from benchmarks.monitoring.agreement import Agreement, agreements
from benchmarks.results import Figure, Section, table

#: Processor time as a multiple of the scan, bytes, and how the time per row may grow.
MOST, MOST_BYTES, MOST_GROWTH = 2.5, 500_000_000, 1.2
Found = Mapping[str, Any]

_APART = (
    "Not held against ours, as they are defined otherwise: PSI and Jensen-Shannon distances of numbers over "
    "bins of equal width (Evidently, NannyML, frouros); deepchecks' earth mover's distance, a share of the "
    "range; and the chi-square of Evidently and whylogs, which takes the reference for the truth (one "
    "sample): its statistic is about twice that of the two-sample test, so columns that did not change look "
    "changed."
)


def section(ours: Mapping[int, Found], peers: Mapping[tuple[str, int], Found]) -> Section:
    """Return the benchmark as it is told."""
    agreed = _agreed(ours, peers)
    return Section(
        title="Profiles and comparison, against the scan and against monitoring libraries",
        what="Two windows of Parquet (zstd): 20 columns of numbers and 10 of texts (2 to 10,000 values), 1 % "
        "missing, a label, two models' decisions, scores and latencies. Headgate finds, in one pass over "
        "each: PSI, Jensen-Shannon, Kolmogorov-Smirnov, Wasserstein and chi-square of every column, missing "
        "and unseen values, both confusion tables, discordant pairs, AUC, latency quantiles. Every peer does "
        "as many of the drift measures as it has, and the missing values.",
        how="Processor seconds of one process (imports apart) as a multiple of merely reading and decoding "
        "all columns of both files with the fastest reader we know, peak memory by the kernel's count "
        "(peers: of all their processes, every tenth of a second). Ours and the scan take turns in one "
        "process, one round to warm up, the median of the rounds' ratios; peers warm up on 20,000 rows and "
        "run once, the scan before and after. Each peer has an environment of its own with pinned versions, "
        "one thread, 20 minutes of processor time and 8 GB; it gets pandas frames and has its default "
        "settings.",
        figures=_figures(ours, peers, agreed),
        detail=f"{_costs(ours, peers)}\n\n{_agreement_table(agreed)}\n\n{_APART}",
    )


def said(found: Found) -> str:
    """Return one measurement in a line."""
    ratio = ratio_of(found)
    if ratio is None:
        return f"{found['name']}, {found['rows']:,} rows: {found.get('stopped') or found['cost']['stopped']}"
    peak = found["peak"] / 1e6
    return f"{found['name']}, {found['rows']:,} rows: {ratio:.2f} x the scan, {peak:,.0f} MB"


def ratio_of(found: Found) -> float | None:
    """Return processor time as a multiple of the scan; None if it did not finish."""
    if "ours" in found:
        return median(mine / scan for mine, scan in zip(found["ours"], found["scan"], strict=True))
    if "cpu" not in found:
        return None
    return float(found["cpu"] / (sum(found["scan"]) / len(found["scan"])))


def _drift(found: Found, rows: int) -> tuple[Figure, ...]:
    """Return what `headgate drift` costs, where it was measured: profiles, drawn rows, all verdicts."""
    if not found.get("drift"):
        return ()
    ratio = median(mine / scan for mine, scan in zip(found["drift"], found["scan"], strict=True))
    # The classifier looks at so many rows, however many there are: only large windows hide it.
    most = MOST if rows >= 1_000_000 else None
    return (
        Figure(
            f"headgate drift, 2 x {rows:,} rows, as a multiple of the scan", ratio, at_most=most, digits=2
        ),
    )


def _figures(
    ours: Mapping[int, Found], peers: Mapping[tuple[str, int], Found], agreed: list[Agreement]
) -> tuple[Figure, ...]:
    figures = []
    for rows, found in ours.items():
        peak = found.get("peak")
        figures += [
            Figure(
                f"profiles of 2 x {rows:,} rows, as a multiple of the scan",
                ratio_of(found),
                at_most=MOST,
                digits=2,
            ),
            *_drift(found, rows),
            Figure(f"peak memory of 2 x {rows:,} rows", peak and peak / 1e6, "MB", at_most=MOST_BYTES / 1e6),
        ]
    last = ours[max(ours)]
    if "bytes" in last:
        figures.append(Figure("state of a window", max(last["bytes"]) / 1024, "KiB"))
    if len(ours) > 1:
        before, after = sorted(ours)[-2:]
        pair = _per_row(ours[before]), _per_row(ours[after])
        growth = pair[1] / pair[0] if pair[0] and pair[1] else None
        figures.append(
            Figure(
                f"processor time per row, {after:,} against {before:,} rows",
                growth,
                at_most=MOST_GROWTH,
                digits=2,
            )
        )
    figures.append(
        Figure(
            "columns in which nine shuffled partitions do not add up to the whole",
            sum(len(found["unmerged"]) for found in ours.values() if "unmerged" in found),
            at_most=0,
        )
    )
    for rows in sorted({rows for _, rows in peers} & ours.keys()):
        figures.append(_lead(rows, ours[rows], {name: f for (name, n), f in peers.items() if n == rows}))
    off = [
        abs(found["auc"][name] - exact)
        for found in ours.values()
        if found.get("exact")
        for name, exact in found["exact"]["auc"].items()
    ]
    figures.append(
        Figure(
            "AUC against scikit-learn's, largest difference", max(off, default=None), at_most=2e-4, digits=6
        )
    )
    held = sum(not one.holds for one in agreed)
    figures.append(Figure(f"measures that others find otherwise (of {len(agreed)})", held, at_most=0))
    return tuple(figures)


def _lead(rows: int, ours: Found, peers: Mapping[str, Found]) -> Figure:
    done = {name: ratio for name, found in peers.items() if (ratio := ratio_of(found)) is not None}
    mine = ratio_of(ours)
    if not done or mine is None:
        return Figure(f"peers that finished with {rows:,} rows (of {len(peers)} tried)", len(done), digits=0)
    fastest = min(done, key=lambda name: done[name])
    what = f"fastest peer's processor time against ours, {rows:,} rows ({fastest})"
    return Figure(what, done[fastest] / mine, at_least=1.0, digits=1)


def _per_row(found: Found) -> float | None:
    return median(found["ours"]) / found["rows"] if "ours" in found else None


def _costs(ours: Mapping[int, Found], peers: Mapping[tuple[str, int], Found]) -> str:
    sizes = sorted(ours)
    names = list(dict.fromkeys(name for name, _ in peers))
    lines = [("**Headgate**", *(_cost(ours[rows]) for rows in sizes))]
    for name in names:
        versions = [f.get("version") for (other, _), f in peers.items() if other == name and f.get("version")]
        told = f"{name} {versions[0]}" if versions else name
        lines.append((told, *(_cost(peers.get((name, rows))) for rows in sizes)))
    return table(("multiples of the scan, peak memory", *(f"{rows:,} rows" for rows in sizes)), lines)


def _cost(found: Found | None) -> str:
    if found is None:
        return "not measured"
    ratio = ratio_of(found)
    if ratio is None:
        return str(found.get("stopped") or found["cost"]["stopped"])
    return f"{ratio:,.1f} x, {found['peak'] / 1e6:,.0f} MB" if found.get("peak") else f"{ratio:,.1f} x"


def _agreed(ours: Mapping[int, Found], peers: Mapping[tuple[str, int], Found]) -> list[Agreement]:
    found = []
    for rows, mine in sorted(ours.items()):
        if mine.get("exact"):
            found += agreements("exact (scipy)", mine["exact"], mine["columns"], rows)
        for (name, size), body in peers.items():
            if size == rows and body.get("columns") and "columns" in mine:
                found += agreements(name, body["columns"], mine["columns"], rows)
    return found


def _agreement_table(agreed: list[Agreement]) -> str:
    lines = [
        (
            one.other, f"{one.rows:,}", one.measure, one.columns, f"{one.largest:.2g}", f"{one.tolerance:g}",
            "yes" if one.holds else "**no**", one.note,
        )
        for one in agreed
    ]  # fmt: skip
    head = ("against", "rows", "measure", "columns", "largest difference", "tolerance", "agrees", "")
    return table(head, lines)
