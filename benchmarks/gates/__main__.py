"""Run both parts and print a markdown fragment."""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np

from benchmarks.gates.alone import ALPHA, TARGET, Speed, alone, as_judged, speed
from benchmarks.gates.draws import BATCHES
from benchmarks.gates.nulls import Wrong, nulls_alone, nulls_whole, without_promise
from benchmarks.gates.operation import outages
from headgate.gates.questions import log_threshold

#: Requests per look: what a batch overshoots is no fault of the engine, so a small and a usual one.
LOOKS = (10, 50)


def fragment(
    speeds: list[Speed],
    wrongs: list[Wrong],
    told: list[tuple[str, float]],
    outage: list[tuple[str, float]],
    seconds: float,
) -> str:
    """Return the results as markdown."""
    lines = [
        f"Samples to a verdict, each gate alone, alpha = {ALPHA}, at the design distance (target {TARGET}):",
        "",
        "| gate | batch | N* | mean N | mean N / max(N*, batch) | undecided |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {s.gate} | {s.batch} | {s.oracle:.0f} | {s.mean:.0f} | {s.score:.2f}"
        f"{'' if s.score <= TARGET else ' (missed)'} | {s.undecided:.1%} |"
        for s in speeds
    ]
    lines += [
        "",
        f"Ever wrong in {BATCHES} looks:",
        "",
        "| null | wrong | nominal | nominal + 2 SE | |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {w.null} | {w.wrong:.2%} | {w.nominal:.2%} | {w.allowed:.2%} "
        f"| {'ok' if w.wrong <= w.allowed else 'MISSED'} |"
        for w in wrongs
    ]
    lines += ["", f"Told without a promise, {BATCHES} looks:", "", "| what | share of runs |", "|---|---|"]
    lines += [f"| {what} | {share:.1%} |" for what, share in told]
    lines += [
        "",
        "Hours until an outage is rolled back:",
        "",
        "| outage | hours, 95 % of runs |",
        "|---|---|",
    ]
    lines += [f"| {what} | {hours:g} |" for what, hours in outage]
    return "\n".join([*lines, "", f"{seconds:.0f} s on one core."])


def main() -> None:
    """Run both parts and print the fragment."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    began = time.perf_counter()
    rng = np.random.default_rng(20130401)
    gates = [*(gate for look in LOOKS for gate in alone(look)), *(g for n in LOOKS for g in as_judged(n))]
    speeds = [speed(gate, rng, options.runs) for gate in gates]
    wrongs = [*nulls_alone(rng, options.runs), *nulls_whole(rng, options.runs)]
    told = list(without_promise(rng, options.runs))
    outage = list(outages(rng, options.runs, log_threshold(ALPHA, attempt=1)))
    seconds = time.perf_counter() - began
    print(fragment(speeds, wrongs, told, outage, seconds))
    if options.json:
        body = {"runs": options.runs, "seconds": seconds, "alone": [asdict(s) for s in speeds]}
        options.json.write_text(
            json.dumps(
                {**body, "nulls": [asdict(w) for w in wrongs], "told": dict(told), "outages": dict(outage)},
                indent=2,
            )
            + "\n"
        )


if __name__ == "__main__":
    main()
