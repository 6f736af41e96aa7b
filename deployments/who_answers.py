"""Asks Envoy itself: sends requests as callers do, and counts which side answers them."""

from __future__ import annotations

import argparse
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pyarrow as pa

from deployments.demo.callers import Tally
from deployments.demo.run import callers_of
from headgate.adapters.clock import clock_of
from headgate.adapters.lake import Lake
from headgate.adapters.planes.envoy import EnvoyPlane
from headgate.adapters.settings import Settings
from headgate.plan import load_plan


def main() -> None:
    """Send the requests and say who answered."""
    parser = argparse.ArgumentParser(description=__doc__)
    settings = Settings()
    # Whoever sourced the stack's `env` has its folder as the home.
    parser.add_argument("--run", type=Path, default=settings.home, help="folder of `headgate up`")
    parser.add_argument("--requests", type=int, default=1_000)
    asked = parser.parse_args()
    found = next(asked.run.glob("flights-*.yaml"), None)
    if found is None:
        parser.error(
            f"asked the folder of `headgate up`; found no plan in {asked.run}; source its env, or name --run"
        )
    plan = load_plan(found)
    plane = EnvoyPlane(settings.home / settings.planes / plan.service, settings.port_of(plan.service))
    end = clock_of(asked.run / "clock.json")()
    requests = Lake(asked.run / "exchanges").read_requests(plan, end - timedelta(days=21), end)
    step = max(1, len(requests) // asked.requests)
    tally = Tally()
    callers_of(plan, plane).send(requests.take(pa.array(range(0, len(requests), step))), tally, 300)
    sides: Counter[str] = Counter()
    for (_, _, side), count in tally.by_side.items():
        sides[side or "incumbent"] += count
    for side, count in sorted(sides.items()):
        print(f"{side:<10} {count / tally.sent:7.2%}   {count:,} of {tally.sent:,}")  # noqa: T201 - its purpose


if __name__ == "__main__":
    main()
