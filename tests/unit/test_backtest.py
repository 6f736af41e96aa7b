"""A plan replayed over history says what it would have decided, in JSON anybody can rely on."""

import json
import math
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
import yaml
from typer.testing import CliRunner

from headgate import cli
from headgate.adapters.history import open_history
from headgate.backtest.replay import replay
from headgate.backtest.told import as_json, as_text
from headgate.errors import InputError
from tests.builders import APRIL
from tests.histories import INSTANT, exchanges, outcomes, small_plan, two_slices, write

KEYS = [
    "plan", "plan_hash", "outcome", "final_percent", "max_percent", "first_live_at", "finished_at",
    "exchanges", "outcomes", "data_quality", "ticks",
]  # fmt: skip
TICK = [
    "tick", "at", "phase", "step", "slice", "percent", "decision", "waiting_for", "exchanges", "matured",
    "gates",
]  # fmt: skip
GATE = [
    "name", "segment", "role", "verdict", "estimate", "lower", "upper", "log_e_advance", "log_e_rollback",
    "samples", "needed", "reason",
]  # fmt: skip
SEGMENTED = {"by": ["origin"], "floor": 0.02, "gates": {"quality": 0.03}}


def replayed(tmp_path, plan=None, made=None, known=None, **how):
    plan = plan or small_plan()
    made = made if made is not None else exchanges(40, 60)
    known = known if known is not None else outcomes(made.num_rows // 60, 60)
    with open_history(plan, *write(tmp_path / "history", made, known)) as history:
        return replay(plan, history, **how)


def numbers_in(value):
    if isinstance(value, dict):
        for inner in value.values():
            yield from numbers_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from numbers_in(inner)
    elif isinstance(value, float):
        yield value


def test_the_json_has_every_key_in_its_order_and_no_number_that_is_none(tmp_path):
    told = as_json(replayed(tmp_path, small_plan(segments=SEGMENTED)))
    assert list(told) == KEYS
    assert all(list(tick) == TICK for tick in told["ticks"])
    assert all(list(gate) == GATE for tick in told["ticks"] for gate in tick["gates"])
    assert all(math.isfinite(number) for number in numbers_in(told))
    assert json.loads(as_text([replayed(tmp_path, small_plan(segments=SEGMENTED))])) == told


def test_a_fine_candidate_is_promoted_and_the_json_tells_how(tmp_path):
    told = as_json(replayed(tmp_path))
    assert (told["outcome"], told["final_percent"], told["max_percent"]) == ("promoted", 100, 100)
    assert (told["exchanges"], told["outcomes"], told["data_quality"]) == (2_400, 2_400, {})
    ticks = told["ticks"]
    assert [tick["tick"] for tick in ticks] == list(range(1, len(ticks) + 1))
    assert ticks[0]["at"] == "2013-04-02T00:00:00Z"
    assert ticks[0]["phase"] == "shadow"
    assert ticks[-1]["phase"] == "done"
    assert told["finished_at"] == ticks[-1]["at"]
    live = [tick for tick in ticks if tick["percent"] > 0]
    assert told["first_live_at"] == live[0]["at"]
    assert live[0]["decision"] == "advance"  # the share after the decision


def test_exchanges_count_since_the_rollout_began_and_matured_what_closed(tmp_path):
    ticks = as_json(replayed(tmp_path))["ticks"]
    assert [tick["exchanges"] for tick in ticks[:3]] == [60, 120, 180]
    assert [tick["matured"] for tick in ticks[:3]] == [0, 60, 120]  # a maturity of one day
    quality = [gate["samples"] for tick in ticks[:3] for gate in tick["gates"] if gate["name"] == "quality"]
    assert quality == [0, 1, 2]


def test_no_tick_comes_after_the_last_exchange_and_its_maturity(tmp_path):
    made = exchanges(10, 60)
    result = replayed(tmp_path, made=made)
    last = made["at"].to_pylist()[-1] + timedelta(days=1)
    assert result.outcome is None
    assert result.ticks[-1].tick.at <= last < result.ticks[-1].tick.at + timedelta(days=1)
    told = as_json(result)
    assert (told["outcome"], told["finished_at"]) == (None, None)


def test_a_guardrail_that_fails_in_shadow_ends_in_rolled_back(tmp_path):
    told = as_json(replayed(tmp_path, made=exchanges(40, 60, worse_by=0.4)))
    assert (told["outcome"], told["max_percent"], told["first_live_at"]) == ("rolled_back", 0, None)
    assert told["ticks"][-1]["decision"] == "roll_back"
    failed = [gate["name"] for gate in told["ticks"][-1]["gates"] if gate["verdict"] == "fail"]
    assert failed == ["quality"]


def test_a_rollback_decided_by_the_last_tick_is_carried_out(tmp_path):
    made = exchanges(40, 60, worse_by=0.6, worse_from=9)
    whole = replayed(tmp_path / "a", made=made)
    at = next(one.tick.at for one in whole.ticks if one.tick.decision.move == "roll_back")
    days = (at - APRIL).days
    cut = replayed(tmp_path / "b", made=made.slice(0, days * 60), known=outcomes(40, 60))
    assert (whole.outcome, cut.outcome) == ("rolled_back", "rolled_back")
    assert cut.ticks[-1].tick.state.share_bp == 0


def test_without_approvals_nobody_gets_live_traffic(tmp_path):
    plan = small_plan(deadline={"step": "20d", "rollout": "120d"})
    result = replayed(tmp_path, plan, approve=False)
    assert (result.outcome, as_json(result)["max_percent"]) == ("expired", 0)
    assert any("approval" in tick["waiting_for"] for tick in as_json(result)["ticks"])


def test_as_many_people_approve_as_are_asked(tmp_path):
    steps = [
        {"percent": 0, "dwell": "2d"},
        {"percent": 50, "dwell": "1d", "approval": {"approvers": 3}},
        {"percent": 100},
    ]
    result = replayed(tmp_path, small_plan(steps=steps))
    assert result.outcome == "promoted"
    assert len({approval.approver for approval in result.approvals["all"]}) == 3


def test_whoever_ticks_seldom_still_sees_an_approval_before_it_expires(tmp_path):
    result = replayed(tmp_path, every=timedelta(days=5))
    assert result.ticks[0].tick.at == APRIL + timedelta(days=5)
    assert as_json(result)["max_percent"] > 0


def test_a_rollout_that_waits_for_the_calendar_is_ticked_when_it_opens(tmp_path):
    calendar = {"timezone": "America/New_York", "advance": "mon-fri 09:00-16:00"}
    result = replayed(tmp_path, small_plan(calendar=calendar))
    opening = [one.tick.at for one in result.ticks if one.tick.at.hour]
    assert result.outcome == "promoted"
    assert opening
    assert all((at.hour, at.minute) == (13, 0) and at.weekday() < 5 for at in opening)
    rises = [
        after.tick.at
        for before, after in zip(result.ticks, result.ticks[1:], strict=False)
        if after.tick.state.share_bp > before.tick.state.share_bp
    ]
    assert set(rises) <= set(opening)


def test_ticks_in_the_middle_of_blocks_and_hours_count_everything_once(tmp_path):
    by_day = as_json(replayed(tmp_path / "a"))
    odd = as_json(replayed(tmp_path / "b", every=timedelta(hours=7, minutes=11)))
    assert odd["outcome"] == by_day["outcome"] == "promoted"
    last = max(tick["exchanges"] for tick in odd["ticks"])
    assert last <= 2_400
    shadow = [tick for tick in odd["ticks"] if tick["phase"] == "shadow"]
    for tick in shadow[:-1]:
        at = datetime.fromisoformat(tick["at"])
        assert tick["exchanges"] == math.ceil((at - APRIL) / timedelta(days=1) * 60)


def test_hours_without_exchanges_and_days_without_any_are_no_evidence(tmp_path):
    made = exchanges(40, 60)
    day = np.arange(2_400) // 60
    gap = pa.array((day < 5) | (day >= 10))
    result = replayed(tmp_path, made=made.filter(gap), known=outcomes(40, 60).filter(gap))
    samples = {
        tick["at"][:10]: gate["samples"]
        for tick in as_json(result)["ticks"]
        for gate in tick["gates"]
        if gate["name"] == "quality"
    }
    assert samples["2013-04-09"] == samples["2013-04-11"] == 5


def test_independent_units_are_replayed_by_the_hour(tmp_path):
    unit = {"entity": "entity", "block": "none", "independent": True}
    result = as_json(replayed(tmp_path, small_plan(unit=unit)))
    assert result["outcome"] == "promoted"
    first = result["ticks"][2]
    assert next(gate["samples"] for gate in first["gates"] if gate["name"] == "quality") == 120


def test_a_recorded_split_that_is_skewed_pauses_and_one_that_is_not_does_not(tmp_path):
    n = 2_400
    draw = np.random.default_rng(4)
    entity = pa.array([f"e{i}" for i in range(n)])
    outcome = {}
    for name, chance in (("fair", 0.5), ("skewed", 0.6)):
        served = pa.array(np.where(draw.random(n) < chance, "candidate", "incumbent"))
        made = exchanges(40, 60, served_by=served, share_bp=np.full(n, 5_000)).set_column(1, "entity", entity)
        told = as_json(replayed(tmp_path / name, made=made))
        outcome[name] = told["outcome"], any("split" in tick["waiting_for"] for tick in told["ticks"])
    assert outcome == {"fair": ("promoted", False), "skewed": (None, True)}


def test_latency_is_judged_where_the_history_has_it_and_has_no_data_elsewhere(tmp_path):
    draw = np.random.default_rng(2)
    n = 2_400
    latency = {"name": "latency", "metric": "latency", "quantile": 0.5, "ratio": 1.5, "applies": "shadow"}
    plan = small_plan(gates=[*small_plan().canonical()["gates"], latency])
    slow = draw.gamma(4, 5, n)
    made = exchanges(40, 60, incumbent_latency_ms=slow, candidate_latency_ms=draw.gamma(4, 5, n))
    for table, seen in ((made, True), (exchanges(40, 60), False)):
        told = as_json(replayed(tmp_path / str(seen), plan, table))
        verdicts = {g["verdict"] for tick in told["ticks"] for g in tick["gates"] if g["name"] == "latency"}
        assert (verdicts == {"no_data"}) is not seen


def test_slices_climb_alone(tmp_path):
    made = exchanges(40, 60)
    bad = np.asarray(made["origin"]) == "LGA"
    worse = np.where(bad, 0.5, np.asarray(made["candidate_prediction"]))
    result = replayed(tmp_path, two_slices(), made.set_column(4, "candidate_prediction", pa.array(worse)))
    told = as_json(result)
    last = {tick["slice"]: tick for tick in told["ticks"]}
    assert (last["jfk"]["percent"], last["lga"]["decision"]) == (100, "roll_back")
    assert (told["outcome"], told["max_percent"]) == ("rolled_back", 100)
    first = [tick["exchanges"] for tick in told["ticks"] if tick["tick"] == 1]
    assert sum(first) == 60


def test_slices_are_found_by_the_lakes_own_segment_columns(tmp_path):
    made = exchanges(10, 60)
    kept = made.rename_columns([f"seg_{name}" if name == "origin" else name for name in made.column_names])
    plain, lake = (
        as_json(replayed(tmp_path / name, two_slices(), table)) for name, table in (("a", made), ("b", kept))
    )
    assert plain == lake


def test_times_that_are_no_hours_are_told_to_the_microsecond(tmp_path):
    made = exchanges(40, 60)
    later = pa.array([at + timedelta(microseconds=1) for at in made["at"].to_pylist()], INSTANT)
    told = as_json(replayed(tmp_path, made=made.set_column(2, "at", later)))
    assert told["ticks"][0]["at"] == "2013-04-02T00:00:00.000001Z"


def test_a_time_between_ticks_of_nothing_is_refused(tmp_path):
    with pytest.raises(InputError, match="above zero"):
        replayed(tmp_path, every=timedelta(0))


# ---------------------------------------------------------------- command line


def run(*words):
    return CliRunner().invoke(cli.app, [str(word) for word in words], catch_exceptions=False)


def plan_file(folder, stem="plan", **changes):
    path = folder / f"{stem}.yaml"
    body = small_plan(**changes).model_dump(mode="json", by_alias=True, exclude_unset=True)
    path.write_text(yaml.safe_dump(body), encoding="utf-8")
    return path


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    made, known = write(tmp_path / "history", exchanges(40, 60), outcomes(40, 60))
    return ["--exchanges", made, "--outcomes", known]


def test_the_command_tells_a_story_and_writes_json_and_a_page(tmp_path, files):
    result, page = tmp_path / "out" / "result.json", tmp_path / "out" / "page.html"
    done = run("backtest", plan_file(tmp_path), *files, "--json", result, "--report", page)
    assert done.exit_code == 0
    shown = " ".join(done.stdout.split())
    for words in ("2,400 exchanges", "was promoted", "approved by", "waited for", "quality"):
        assert words in shown
    told = json.loads(result.read_text(encoding="utf-8"))
    assert (told["outcome"], list(told)) == ("promoted", KEYS)
    assert "<svg" in page.read_text(encoding="utf-8")


def test_json_on_stdout_is_nothing_else_and_the_same_bytes_each_time(tmp_path, files):
    first, again = (run("backtest", plan_file(tmp_path), *files, "--json", "-") for _ in range(2))
    assert first.stdout_bytes == again.stdout_bytes
    assert json.loads(first.stdout)["plan"] == "flights-gbm"


def test_several_plans_give_a_list_and_a_comparison(tmp_path, files):
    other = plan_file(tmp_path, "other", name="cautious", watch="20d")
    result = tmp_path / "r.json"
    done = run("backtest", plan_file(tmp_path), other, *files, "--json", result)
    assert done.exit_code == 0
    assert [one["plan"] for one in json.loads(result.read_text())] == ["flights-gbm", "cautious"]
    assert "compared" in done.stdout


def test_approvals_and_ticks_are_options(tmp_path, files):
    done = run("backtest", plan_file(tmp_path), *files, "--approve", "never", "--every", "12h", "--json", "-")
    told = json.loads(done.stdout)
    assert (told["max_percent"], told["ticks"][0]["at"]) == (0, "2013-04-01T12:00:00Z")


def test_an_outcome_that_is_no_promotion_is_no_failure_of_the_command(tmp_path, files):
    bad, _ = write(tmp_path / "bad", exchanges(40, 60, worse_by=0.4), outcomes(40, 60))
    done = run("backtest", plan_file(tmp_path), "--exchanges", bad, *files[2:], "--json", "-")
    assert (done.exit_code, json.loads(done.stdout)["outcome"]) == (0, "rolled_back")


def test_bad_plans_and_bad_files_are_exit_2_and_say_what_to_do(tmp_path, files):
    broken = tmp_path / "broken.yaml"
    broken.write_text("version: 1\n", encoding="utf-8")
    for words in (
        [broken, *files],
        [plan_file(tmp_path), "--exchanges", tmp_path / "none", *files[2:]],
        [plan_file(tmp_path), *files, "--every", "0d"],
        [plan_file(tmp_path), *files, "--every", "often"],
        [plan_file(tmp_path), *files, "--json", tmp_path],
    ):
        done = run("backtest", *words)
        assert done.exit_code == 2
        assert "found" in done.stderr


def test_keys_that_come_later_are_left_aside_and_said(tmp_path, files):
    path = plan_file(tmp_path)
    body = yaml.safe_load(path.read_text())
    body["candidate"] = {"kind": "recorded", "column": "answer", "version": body["candidate"]["version"]}
    path.write_text(yaml.safe_dump(body))
    done = run("backtest", path, *files, "--json", "-")
    assert done.exit_code == 0
    assert "candidate.column" in done.stderr
    assert json.loads(done.stdout)["outcome"] == "promoted"
