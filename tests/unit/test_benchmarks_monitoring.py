"""The monitoring benchmark measures what it says: rows, caps, agreement, and its place on the page."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import UTC, datetime

import pyarrow.parquet as pq
import pytest

from benchmarks.merging import merged
from benchmarks.monitoring import child
from benchmarks.monitoring.agreement import agreements
from benchmarks.monitoring.exact import exact
from benchmarks.monitoring.ours import merged as unmerged_columns
from benchmarks.monitoring.ours import work
from benchmarks.monitoring.rows import SCORES, make
from benchmarks.monitoring.telling import section
from benchmarks.results import Figure, Section, render

AT = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Both windows of 20,000 rows."""
    return make(tmp_path_factory.mktemp("rows"), 20_000)


def test_our_figures_are_those_of_an_exact_computation(files):
    _, _, comparison, outcomes = work(files["reference"], files["current"])
    found = exact(*(str(file) for file in files.values()))
    agreed = agreements(
        "exact", found, {column.name: asdict(column) for column in comparison.columns}, 20_000
    )
    assert {one.measure for one in agreed} == {"ks", "wasserstein", "psi", "js", "chi2", "chi2_p", "missing"}
    assert [one for one in agreed if not one.holds] == []
    for name in SCORES:
        assert outcomes.auc(name) == pytest.approx(found["auc"][name], abs=1e-4)


def test_nine_shuffled_partitions_of_the_benchmarks_rows_add_up(files):
    assert unmerged_columns(files["reference"]) == []


def test_the_rows_are_those_described_and_the_same_every_time(files, tmp_path):
    table = pq.read_table(files["reference"])
    assert (table.num_rows, table.num_columns) == (20_000, 37)
    assert table["n03"].null_count == pytest.approx(200, abs=60)
    assert len(table["c09"].unique()) > 7_000
    assert pq.read_table(make(tmp_path, 20_000)["reference"]).equals(table)


def test_a_figure_that_differs_or_is_none_is_no_agreement():
    ours = {"n00": {"ks": 0.1, "missing_current": 0.0}}
    (ks,) = agreements("other", {"n00": {"ks": 0.11}}, ours, 1)
    assert (ks.holds, ks.columns) == (False, 1)
    (ks,) = agreements("other", {"n00": {"ks": float("nan")}}, ours, 1)
    assert not ks.holds


def test_a_peer_that_takes_too_long_or_too_much_is_ended_and_one_that_fails_says_why(monkeypatch, tmp_path):
    monkeypatch.setattr(child, "MOST_CPU", 0.3)
    spin = child.watch([sys.executable, "-c", "while True: pass"], cwd=tmp_path)
    assert spin.stopped.startswith("did not finish in")
    assert spin.cpu > 0.3
    monkeypatch.setattr(child, "MOST_CPU", 60.0)
    monkeypatch.setattr(child, "MOST_BYTES", 100_000_000)
    eat = "import time; held = bytearray(200_000_000); time.sleep(60)"
    assert "GB" in child.watch([sys.executable, "-c", eat], cwd=tmp_path).stopped
    failed = child.watch([sys.executable, "-c", "raise SystemExit('no such module')"], cwd=tmp_path)
    assert failed.stopped == "ended with 1: no such module"


def test_a_peer_without_a_result_is_told_as_one():
    ours = {1_000: {"rows": 1_000, "name": "headgate", "ours": [2.0], "scan": [1.0], "peak": 1e8, "cost": {}}}
    stopped = {"rows": 1_000, "name": "slow", "stopped": "did not finish in 20 minutes", "cost": {}}
    done = {"rows": 1_000, "name": "quick", "cpu": 9.0, "scan": [1.0, 1.0], "peak": 2e8, "version": "1.2"}
    told = section(ours, {("slow", 1_000): stopped, ("quick", 1_000): done})
    assert "| slow | did not finish in 20 minutes |" in told.detail
    assert "| quick 1.2 | 9.0 x, 200 MB |" in told.detail
    figures = {figure.what: figure.value for figure in told.figures}
    assert figures["fastest peer's processor time against ours, 1,000 rows (quick)"] == 4.5


def test_a_section_measured_again_takes_its_old_place_and_the_others_stay():
    old = Section("Speed", "How fast.", "By a clock.", (Figure("ratio", 0.5, at_least=0.7, digits=2),))
    other = Section("Size", figures=(Figure("bytes", 3.0, at_most=5.0),))
    page = render((old, other), {"cores": "2"}, {"prefect": "3"}, AT)
    new = Section("Speed", "How fast.", "By a clock.", (Figure("share", 0.9, at_least=0.7, digits=2),))
    third = Section("Third", figures=(Figure("late", None, at_most=1.0),))
    told = merged(page, [new, third], AT)

    assert "ratio" not in told
    assert told.index("| share | at least 0.7 | 0.90 | met |") < told.index("| bytes |")
    assert "1 target(s) missed: late." in told
    assert told.count("Measured alone, 2026-01-02 03:04 UTC.") == 2
    assert merged(told, [new, third], AT) == told
