"""What was found about the gates, as markdown."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.gates.alone import BATCHES, LIMIT, TARGET, Speed, Wrong
from benchmarks.gates.contests import Rival
from benchmarks.gates.everything import FARS, Found
from benchmarks.gates.rollouts import Told
from benchmarks.gates.watching import Watched
from benchmarks.results import table


def fragment(found: Found) -> str:
    """Return all tables of what was measured."""
    missed = found.missed(LIMIT)
    parts = [
        "Promises broken: " + "; ".join(missed) + "." if missed else "Every promise was kept.",
        found.speeds and _speeds(found.speeds),
        found.wrongs and _wrongs(found.wrongs),
        found.watch and _watch(found.watch),
        found.rivals and _rivals(found.rivals),
        found.rollouts and _rollouts(found.rollouts),
        found.told and _pairs(f"Told without a promise, {BATCHES} looks:", found.told, "share of runs"),
        found.outages and _outages(found.outages),
        f"{found.seconds:.0f} s.",
    ]
    return "\n\n".join(part for part in parts if part)


def _speeds(speeds: Sequence[Speed]) -> str:
    rows: dict[tuple[str, str, int, str], dict[float, Speed]] = {}
    for s in speeds:
        rows.setdefault((s.gate, s.verdict, s.batch, s.unit), {})[s.far] = s
    body = []
    for (gate, verdict, batch, unit), by in rows.items():
        design = by[1.0]
        scores = [_score(by[far]) for far in FARS if far in by]
        body.append(
            (gate, verdict, f"{batch} {unit}", f"{design.oracle:.0f}", f"{design.mean:.0f}", *scores,
             f"{design.undecided:.1%}")
        )  # fmt: skip
    intro = (
        "Samples to a verdict, each gate alone, alpha = 0.05, independent units, no start times: mean N over "
        f"max(N*, batch) at half, at once and at twice the design distance. Aimed at {TARGET} at the design "
        f"distance, none above {LIMIT}; rows *as judged*, of segments and of an onset pay for more than one "
        "gate alone and are told. "
        f"{max(s.runs for s in speeds)} runs at the design distance, {min(s.runs for s in speeds)} elsewhere."
    )
    head = ("gate", "verdict", "look", "N*", "mean N", "half", "design", "twice", "undecided")
    return f"{intro}\n\n{table(head, body)}"


def _score(speed: Speed) -> str:
    if speed.far != 1 or speed.judged:
        return f"{speed.score:.2f}"
    mark = " (MISSED)" if speed.score > LIMIT else " (above)" if speed.score > TARGET else ""
    return f"**{speed.score:.2f}**{mark}"


def _wrongs(wrongs: Sequence[Wrong]) -> str:
    body = [
        (w.null, w.runs, f"{w.wrong:.2%}", f"{w.nominal:.2%}", f"{w.allowed:.2%}", _kept(w.kept))
        for w in wrongs
    ]  # fmt: skip
    intro = f"Ever wrong, a look at every batch, {BATCHES} looks (whole rollouts: every day until they end):"
    return f"{intro}\n\n{table(('null', 'runs', 'wrong', 'nominal', 'nominal + 2 SE', ''), body)}"


def _kept(kept: bool) -> str:
    return "ok" if kept else "MISSED"


def _watch(watch: Sequence[Watched]) -> str:
    body = [
        (f"{w.shared:g}", w.runs, f"{w.run_length:.0f}", f"{w.promised:.0f}", f"{w.oracle:.0f}",
         f"{w.delay:.0f}", _kept(w.kept))
        for w in watch
    ]  # fmt: skip
    intro = (
        "The watch, in blocks: mean time to a false alarm (runs without one count as if it had come when "
        "they were given up), and how long after its onset harm at the design distance is seen:"
    )
    head = ("intra-block correlation", "runs", "false alarm after", "promised", "N*", "delay", "")
    return f"{intro}\n\n{table(head, body)}"


def _rivals(rivals: Sequence[Rival]) -> str:
    tables = []
    for traffic in dict.fromkeys(r.traffic for r in rivals):
        rows = [r for r in rivals if r.traffic == traffic]
        body = [
            (r.rule, f"{r.equal_rolled_back:.1%}", f"{r.bad_advanced:.1%}", _number(r.equal_advanced_after),
             f"{r.bad_rolled_back:.1%}", _number(r.bad_rolled_back_after))
            for r in rows
        ]  # fmt: skip
        head = (
            "rule", "equal rolled back", "bad advanced", "equal advanced after", "bad rolled back",
            "bad rolled back after",
        )  # fmt: skip
        tables.append(f"{traffic} ({rows[0].runs} runs):\n\n{table(head, body)}")
    intro = (
        f"What teams use today under the same {BATCHES} looks, level 5 %: how often an equal candidate is "
        "ever rolled back, how often one at the margin is advanced before it is rolled back, and the mean "
        "entities of both sides to the right verdict where it came:"
    )
    return "\n\n".join([intro, *tables])


def _number(value: float | None) -> str:
    return "never" if value is None else f"{value:,.0f}"


def _rollouts(rollouts: Sequence[Told]) -> str:
    body = [
        (r.scenario, r.runs, *(f"{share:.1%}" for share in
         (r.promoted, r.rolled_back, r.paused, r.expired, r.running)),
         "-" if r.wrong is None else f"{r.wrong:.2%} ± {r.error:.2%}",
         ", ".join(f"{name} {days:.0f}" for name, days in r.days.items()),
         f"{r.served:,.0f}", f"{r.harmed:,.0f}")
        for r in rollouts
    ]  # fmt: skip
    intro = (
        "Whole rollouts through the real judge, decide and apply, a tick a day, 0 > 5 > 25 > 50 > 100 % and "
        "a watch of ten days: how they end, wrong verdicts with their standard error (a first attempt may be "
        "wrong in 3.04 %), median days to each end, and mean live requests that the candidate answered, in "
        "all and while it should not have:"
    )
    head = (
        "candidate", "runs", "promoted", "rolled back", "paused", "expired", "running", "wrong",
        "median days", "live requests", "harmed",
    )  # fmt: skip
    return f"{intro}\n\n{table(head, body)}"


def _pairs(intro: str, pairs: Sequence[tuple[str, float]], what: str) -> str:
    return f"{intro}\n\n{table(('what', what), [(name, f'{share:.1%}') for name, share in pairs])}"


def _outages(outages: Sequence[tuple[str, float]]) -> str:
    body = [(name, f"{hours:g}") for name, hours in outages]
    return f"Hours until an outage is rolled back:\n\n{table(('outage', 'hours, 95 % of runs'), body)}"
