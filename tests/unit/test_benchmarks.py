"""The benchmarks' page says what was measured and hides no miss; what they measure is what they say."""

import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from benchmarks import __main__ as everything
from benchmarks import demo, traffic, verdicts
from benchmarks.lived import fill, wired_to
from benchmarks.machine import machine, versions
from benchmarks.results import Figure, Section, render, table
from benchmarks.running import measure
from headgate.adapters import store
from headgate.adapters.planes.in_process import InProcessPlane
from headgate.adapters.store.engine import reading
from headgate.adapters.store.tables import LedgerRow
from tests.builders import APRIL, plan

AT = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def page(*sections):
    return render(sections, {"cores": "2", "memory": "8.0 GiB"}, {"prefect": "3.8.8"}, AT)


def speed(value):
    return Section("Speed", "How fast.", "By a clock.", (Figure("ratio", value, at_least=0.7, digits=2),))


def test_the_page_says_missed_where_a_target_is_missed_and_names_it_first():
    told = page(speed(0.69))
    assert "1 target(s) missed: ratio." in told
    assert "| ratio | at least 0.7 | 0.69 | **missed** |" in told
    assert "Every target is met" not in told


def test_the_page_says_met_where_every_target_is_met():
    told = page(speed(0.71))
    assert "Every target is met." in told
    assert "missed" not in told


def test_the_page_carries_machine_versions_and_date():
    told = page(speed(0.71))
    assert "Date: 2026-01-02 03:04 UTC" in told
    for row in ("| cores | 2 |", "| memory | 8.0 GiB |", "| prefect | 3.8.8 |"):
        assert row in told


@pytest.mark.parametrize("value", [None, float("nan")])
def test_what_could_not_be_measured_meets_no_target(value):
    assert Figure("ratio", value, at_most=1.2).met is False
    assert Figure("ratio", value, at_least=0.7).met is False


def test_a_target_is_held_against_the_number_as_measured_and_not_as_shown():
    figure = Figure("ratio", 1.2004, at_most=1.2, digits=2)
    assert figure.shown == "1.20"
    assert figure.verdict == "**missed**"


def test_a_figure_without_a_target_is_told_and_never_met():
    figure = Figure("median", 7.04, "ms", digits=1)
    assert (figure.shown, figure.target, figure.verdict) == ("7.0 ms", "none", "told")


def test_a_benchmark_that_breaks_is_told_on_the_page():
    broken = measure("no_such_benchmark", quick=True)
    assert "no_such_benchmark" in broken.failed
    told = page(speed(0.71), broken)
    assert "Without a result: no_such_benchmark." in told
    assert "Every target is met" not in told


def test_a_quick_run_says_that_it_left_the_demo_out():
    section = demo.run(quick=True)
    assert section.figures == ()
    assert "quick" in section.skipped
    assert "Without a result: The demo: memory and time." in page(section)


def test_a_bar_in_a_cell_does_not_break_the_table():
    assert table(("a",), [("x | y",)]).splitlines()[-1] == "| x &#124; y |"


def test_machine_and_versions_are_found_and_name_no_folder():
    told = {**machine(), **versions()}
    assert all(told.values())
    assert "not installed" not in told.values()
    assert str(Path.home()) not in " ".join(told.values())


def test_the_gates_figures_name_the_slowest_gate_alone_and_the_worst_null_of_each_kind():
    slow = {"gate": "slow", "verdict": "advance", "batch": 10, "unit": "requests", "judged": False}
    rows = [
        {**slow, "gate": "quick", "far": 1.0, "score": 1.1},
        {**slow, "far": 1.0, "score": 1.61},
        {**slow, "far": 2.0, "score": 9.0},
        {**slow, "gate": "slow as judged", "far": 1.0, "score": 9.0, "judged": True},
    ]
    slowest, above = verdicts._speeds(rows)
    assert (slowest.value, slowest.met, slowest.binding) == (1.61, False, True)
    assert "of 2 gates alone (slow, advance" in slowest.what
    assert (above.value, above.met, above.binding) == (1, False, False)
    wrongs = verdicts._wrongs(
        [
            {"null": "whole engine, a", "wrong": 0.04, "nominal": 0.03, "allowed": 0.035},
            {"null": "whole engine, b", "wrong": 0.01, "nominal": 0.03, "allowed": 0.035},
            {"null": "brier", "wrong": 0.01, "nominal": 0.03, "allowed": 0.035},
        ]
    )
    assert [(f.value, f.met) for f in wrongs] == [
        (None, False), (None, None), (1, False), (4.0, False), (0, True), (1.0, True),
    ]  # fmt: skip
    (watch,) = verdicts._watch(
        [{"run_length": 999.0, "promised": 1000}, {"run_length": 2e3, "promised": 1000}]
    )
    assert (watch.value, watch.met) == (999.0, False)


@pytest.mark.parametrize(("quick", "code"), [(False, 1), (True, 0)])
def test_a_broken_promise_fails_the_run_and_a_missed_aim_does_not(tmp_path, monkeypatch, quick, code):
    def found(*figures):
        monkeypatch.setattr(everything, "measure", lambda *_, **__: Section("Gates", figures=figures))
        out = ["--out", str(tmp_path / "page.md"), "--only", "verdicts"]
        return everything.main([*out, "--quick"] if quick else out)

    assert found(Figure("wrong", 0.07, at_most=0.06, binding=True)) == code
    assert found(Figure("slow", 1.4, at_most=1.3)) == 0


def test_memory_is_summed_over_the_whole_process_tree(tmp_path):
    grandchild = "import sys; block = bytearray(64 << 20); print(flush=True); sys.stdin.read()"
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {grandchild!r}])"
    with subprocess.Popen(
        [sys.executable, "-c", child], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        seen = demo.sizes(process.pid, tmp_path)
        process.stdin.close()
    peak = demo.Peak()
    peak.see(seen)
    peak.see({"other": [demo.Sizes(1, 1)]})
    assert peak.processes == 2
    assert peak.total.counted >= 64 << 20
    assert peak.looks == 2


def test_a_detached_envoy_is_found_by_its_run_folder(tmp_path):
    folder = tmp_path / "planes" / "service"
    folder.mkdir(parents=True)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        (folder / "envoy.pid").write_text(json.dumps({"pid": process.pid}))
        found = [each.pid for each in demo._tree(2**30, tmp_path)]
        process.stdin.close()
    assert found == [process.pid]
    assert demo.role_of(2, 1, ["/somewhere/envoy", "-c", "bootstrap.json"]) == "Envoy"
    assert demo.role_of(1, 1, ["python", "-m", "headgate.cli"]) == "the demo itself"


def test_a_filled_ledger_is_one_that_the_next_tick_can_follow(tmp_path):
    wired = wired_to(tmp_path, tmp_path / "store.db", InProcessPlane())
    try:
        rollout = store.open_rollout(wired.engine, plan(), APRIL, "test")
        first = store.last_tick(wired.engine, rollout.id)
        fill(wired, first, 300)
        last = store.last_tick(wired.engine, rollout.id)
        assert (last.tick, last.at, last.state) == (300, APRIL + timedelta(seconds=300), first.state)
        with reading(wired.engine) as session:
            assert session.connection().execute(select(func.count()).select_from(LedgerRow)).scalar() == 301
        after = replace(last, tick=301, flow_run_id="next")
        store.record(wired.engine, store.get(wired.engine, rollout.id), after)
        assert store.last_tick(wired.engine, rollout.id).tick == 301
    finally:
        wired.engine.dispose()


def test_a_quantile_is_a_time_that_was_measured():
    times = [3.0, 1.0, 2.0, 4.0]
    assert [traffic.quantile(times, q) for q in (0.25, 0.5, 0.99, 1.0)] == [1.0, 2.0, 4.0, 4.0]


@pytest.mark.envoy
def test_a_quick_partial_run_writes_its_page_where_it_is_asked_to(tmp_path):
    out = tmp_path / "page.md"
    command = [sys.executable, "-m", "benchmarks", "--quick", "--only", "traffic", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "traffic: envoy: share change to read-back, median" in done.stderr
    told = out.read_text(encoding="utf-8")
    assert "| envoy: requests dropped while the share changed | at most 0 | 0 | met |" in told
    assert "A quick run" in told
    assert "Only these were run: traffic." in told
