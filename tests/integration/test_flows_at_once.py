"""The same flow in two real processes at the same moment, with the real SQLite and the real Envoy."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from headgate.adapters import store
from headgate.evidence import BlockSum, RateSum, Source
from headgate.rollout.state import Move
from tests.integration.flow_stage import PROCESSES, base_of, child, ended, fork_ready
from tests.scenarios.climb import Climb
from tests.scenarios.small import HOUR
from tests.scenarios.world import Servers

pytestmark = [pytest.mark.prefect, pytest.mark.envoy]


def at_once(*jobs):
    """Run both; neither goes on before both have looked."""
    fork_ready()
    barrier = PROCESSES.Barrier(len(jobs))
    started = [child(job, barrier) for job in jobs]
    said = [ended(*one) for one in started]
    assert [one.code for one in said] == [0] * len(jobs)
    return said


def test_of_two_ticks_at_once_one_owns_the_tick_and_the_other_stands_down(
    tmp_path: Path, prefect: str, models: Servers, climb: Climb
):
    """Law 11."""
    with climb["asked"].resumed(tmp_path / "story", models) as small:
        small.approve()
        small.now += 4 * HOUR
        small.shadow()
        base = base_of(small, prefect, tmp_path / "base")
        first = small.last().tick
    with base.copied(tmp_path / "both") as copy:
        said = at_once(copy.job(), copy.job())
        moves = [one.results[0] and one.results[0].move for one in said]
        assert sorted(moves, key=str) == sorted([None, Move.ADVANCE], key=str)
        engine = store.connect(f"sqlite:///{copy.home / 'store.db'}")
        assert store.last_tick(engine, base.kept.rollout).tick == first + 1
        live = [row for row in store.evidence(engine, base.kept.rollout) if row.part.startswith("log-")]
        assert sum(row.sums.n0 + row.sums.n1 for row in live if row.batch >= base.now - 3 * HOUR) == 40
        engine.dispose()
        assert copy.plane().observe().share_bp == 1000


@pytest.mark.parametrize("lengths", [("4h", "4h"), ("4h", "8h")])
def test_two_shadow_runs_at_once_count_every_request_once(
    tmp_path: Path, prefect: str, models: Servers, climb: Climb, lengths
):
    """Whether they cut the same windows or overlapping ones."""
    with climb["shadow"].resumed(tmp_path / "story", models) as small:
        small.now += 8 * HOUR
        base = base_of(small, prefect, tmp_path / "base", envoy=False)
    with base.copied(tmp_path / "both") as copy:
        at_once(*(copy.job(every=every) for every in lengths))
        engine = store.connect(f"sqlite:///{copy.home / 'store.db'}")
        windows = store.windows(engine, base.kept.rollout)
        rows = store.evidence(engine, base.kept.rollout)
        engine.dispose()
    assert all(a.end == b.start for a, b in itertools.pairwise(windows))
    assert windows[-1].end == base.now
    assert sum(window.counts["read"] for window in windows) == 72
    asked = [row.sums for row in rows if isinstance(row.sums, RateSum) and row.source is Source.SHADOW]
    assert sum(sums.n for sums in asked) == 72
    assert len({row.part for row in rows if isinstance(row.sums, RateSum)}) == len(windows)
    assert not [row for row in rows if isinstance(row.sums, BlockSum) and row.batch >= windows[1].start]
