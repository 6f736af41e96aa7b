"""Verdicts on windows: what is named, what is not, and why."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from headgate.drift import (
    Calibration,
    Cause,
    Policy,
    Role,
    State,
    blocks_apart,
    calibrate,
    importance,
    judge,
    tell_apart,
    within,
)
from headgate.errors import EvidenceError, InputError
from headgate.profile import Comparison, Profile, compare, merge, take
from tests.unit.windows import DAY, MONDAY, look, names, reason, requests, watch

REFERENCE = requests(0, 20_000)


def test_m11_a_column_that_moved_is_named_with_its_effect_and_since_when():
    quiet = [requests(seed) for seed in range(1, 6)]
    moved = [requests(seed, speed=np.random.default_rng(seed).normal(11, 2, 1_000)) for seed in range(6, 9)]
    *before, last = watch(take(REFERENCE), quiet + moved, Policy())
    assert [names(report) for report in before[:5]] == [[]] * 5
    assert names(last) == ["speed"]
    assert last.since == MONDAY + 5 * DAY
    assert "mean 10" in reason(last, "speed")
    assert last.alarm
    assert last.worth_training_on


def test_the_json_is_what_was_promised_and_nothing_in_it_is_no_number():
    body = look(REFERENCE, requests(1)).to_json()
    assert set(body) == {"columns", "multivariate", "drifted_share", "rows_reference", "rows_current"}
    assert set(body["columns"][0]) == {
        "name", "kind", "psi", "js", "ks", "wasserstein", "chi2_p", "missing_reference", "missing_current",
        "unseen_share", "drifted", "reason",
    }  # fmt: skip
    json.dumps(body, allow_nan=False)
    assert body["drifted_share"] == 0


def test_a_large_sample_of_a_tiny_change_is_no_drift():
    rng = np.random.default_rng(1)
    before, now = (pa.table({"speed": rng.normal(mean, 2, 100_000)}) for mean in (10, 10.3))
    report = look(before, now)
    assert report.columns[0].effect == pytest.approx(0.15**2, rel=0.2)  # known well, and too small to matter
    assert names(report) == []


@pytest.mark.parametrize(
    ("column", "values", "said"),
    [
        ("speed", [None] * 1_000, "missing 0 % -> 1e+02 %"),
        ("speed", np.full(1_000, 10.0), "mean 10"),
        ("speed", np.full(1_000, np.inf), "mean|values moved"),
        ("speed", [f"{i % 7}" for i in range(1_000)], "was number, is category"),
        ("place", ["east"] * 1_000, "never seen before"),
        ("night", [True] * 1_000, "true 30 % -> 1e+02 %"),
    ],
)
def test_a_column_that_broke_is_named(column, values, said):
    report = look(REFERENCE, requests(1, **{column: values}))
    assert names(report) == [column]
    assert any(part in reason(report, column) for part in said.split("|"))
    json.dumps(report.to_json(), allow_nan=False)


def test_a_column_that_went_is_drift_and_a_new_one_is_told():
    current = requests(1).drop_columns(["speed"]).append_column("colour", pa.array(["red"] * 1_000))
    report = look(REFERENCE, current)
    assert names(report) == ["speed"]
    assert reason(report, "colour") == "new: the reference does not have it"
    assert [finding.cause for finding in report.findings] == [Cause.PIPELINE]
    assert not report.worth_training_on


@pytest.mark.parametrize("rows", [0, 1, 99])
def test_a_tiny_window_is_not_judged(rows):
    report = look(REFERENCE, requests(1, rows, speed=np.full(rows, 99.0)))
    assert not report.judged
    assert report.drifted_share is None
    assert all(one.reason.startswith("too few") for one in report.columns)
    assert "too few" in report.said


def test_columns_without_anything_in_them_are_no_drift():
    rng = np.random.default_rng(3)

    def odd(rows: int) -> pa.Table:
        return pa.table(
            {
                "constant": np.ones(rows),
                "empty": pa.nulls(rows, pa.float64()),
                "typeless": pa.nulls(rows),
                "offset": 1e6 + rng.normal(0, 1e-2, rows),
                "infinite": np.where(rng.random(rows) < 0.01, np.inf, rng.normal(0, 1, rows)),
                "many": rng.integers(0, 10_000, rows).astype(str).tolist(),
                "id": [f"r{rng.integers(1 << 60)}" for _ in range(rows)],
                "list": [[1]] * rows,
            }
        )

    report = look(odd(20_000), odd(2_000))
    assert names(report) == []
    json.dumps(report.to_json(), allow_nan=False)


def test_a_small_move_far_from_zero_is_seen():
    rng = np.random.default_rng(4)
    before, now = (pa.table({"x": 1e6 + rng.normal(m, 1e-2, n)}) for m, n in ((0, 20_000), (0.01, 2_000)))
    assert names(look(before, now)) == ["x"]


def test_a_gap_of_ten_months_in_the_clock_is_no_drift():
    def at(start: int, rows: int, seed: int) -> pa.Table:
        hours = np.random.default_rng(seed).integers(0, 24 * 14, rows)
        times = pa.array((start * 86_400 + hours * 3_600) * 1_000_000, pa.timestamp("us", "UTC"))
        return requests(seed, rows).append_column("at", times)

    before, now = at(20_000, 20_000, 1), at(20_300, 2_000, 2)
    assert names(look(before, now)) == []
    profile = take(before)
    first = judge(compare(profile, take(now, like=profile)), Policy(), State(), window=(MONDAY, MONDAY + DAY))
    later = (MONDAY + 300 * DAY, MONDAY + 301 * DAY)
    report = judge(
        compare(profile, take(at(20_301, 2_000, 3), like=profile)), Policy(), first.state, window=later
    )
    assert names(report) == []


def test_windows_are_judged_once_and_in_order():
    profile, window = take(REFERENCE), take(requests(1), like=take(REFERENCE))
    first = judge(compare(profile, window), Policy(), State(), window=(MONDAY, MONDAY + DAY))
    with pytest.raises(EvidenceError, match="already carried to"):
        judge(compare(profile, window), Policy(), first.state, window=(MONDAY, MONDAY + DAY))


def _stormy(seed: int, level: float) -> pa.Table:
    return requests(seed, 500, speed=np.random.default_rng(seed).normal(10 + level, 2, 500))


def test_what_days_do_anyway_is_no_drift_and_a_lasting_rise_among_them_is():
    rng = np.random.default_rng(5)
    level = rng.normal(0, 2, 200)  # a day differs from its quarter by a standard deviation
    blocks = [_stormy(1_000 + i, level[i]) for i in range(60)]
    whole = take(pa.concat_tables(blocks))
    scale = calibrate([take(block, like=whole) for block in blocks], whole)
    quiet = [_stormy(2_000 + i, level[60 + i]) for i in range(20)]
    raised = [_stormy(3_000 + i, level[80 + i] + 7) for i in range(30)]
    reports = watch(whole, quiet + raised, Policy(), State(scale))
    assert [names(report) for report in reports[:20]] == [[]] * 20
    assert names(reports[-1]) == ["speed"]
    assert reason(reports[-1], "speed").count("stays raised") == 1
    assert any(names(one) for one in watch(whole, quiet, Policy()))  # nobody told it what days do


def _leaky(seed: int, missing: float, **columns: object) -> pa.Table:
    rng = np.random.default_rng(seed)
    speed = np.where(rng.random(500) < missing, np.nan, rng.normal(10, 2, 500))
    return requests(seed, 500, speed=pa.array(speed, from_pandas=True), **columns)


@pytest.fixture(scope="module")
def leaky() -> tuple[Profile, Calibration]:
    """Forty days on which a few values are missing, and one bad day with an eighth."""
    bad = [0.13 if day == 17 else 0.01 for day in range(40)]
    blocks = [_leaky(100 + day, share) for day, share in enumerate(bad)]
    whole = take(pa.concat_tables(blocks))
    return whole, calibrate([take(block, like=whole) for block in blocks], whole)


def test_a_column_that_is_suddenly_mostly_missing_is_named_at_once_though_a_bad_day_is_known(leaky):
    whole, scale = leaky
    assert scale.worst["speed"].missing == pytest.approx(0.13, abs=0.04)
    windows = [_leaky(1, 0.01), _leaky(2, 0.2), _leaky(3, 0.93), _leaky(4, 0.01)]
    quiet, bad, burst, over = watch(whole, windows, Policy(), State(scale))
    assert names(quiet) == names(bad) == names(over) == []  # a worse day than the worst: as days go
    assert names(burst) == ["speed"]
    assert [finding.cause for finding in burst.findings] == [Cause.PIPELINE]
    assert burst.alarm
    assert not burst.worth_training_on


def test_most_values_new_or_forbidden_at_once_are_named_at_once_where_the_mix_wanders_by_itself():
    def place(seed: int, north: float, name: str = "north") -> pa.Table:
        rng = np.random.default_rng(seed)
        return requests(seed, 300, place=rng.choice([name, "south"], 300, p=[north, 1 - north]).tolist())

    mixes = np.random.default_rng(6).uniform(0.2, 0.8, 31)
    blocks = [place(100 + day, mix) for day, mix in enumerate(mixes[:30])]
    whole = take(pa.concat_tables(blocks))
    scale = calibrate([take(block, like=whole) for block in blocks], whole)
    quiet, renamed = watch(whole, [place(1, mixes[30]), place(2, 0.7, "North")], Policy(), State(scale))
    assert names(quiet) == []
    assert names(renamed) == ["place"]
    assert "never seen before" in renamed.findings[0].said
    kept = {name: replace(worst, unseen=0.3) for name, worst in scale.worst.items()}  # new names on any day
    told = watch(whole, [place(2, 0.7, "North")], Policy(), State(replace(scale, worst=kept)))
    assert names(told[0]) == []


def test_scores_weigh_most_and_inputs_alone_raise_no_alarm_where_a_score_is_watched():
    def scored(seed: int, **columns: object) -> pa.Table:
        table = requests(seed, **columns)
        return table.append_column("score", pa.array(np.random.default_rng(seed).random(table.num_rows)))

    policy = Policy(roles={"score": Role.SCORE})
    moved = scored(1, size=np.random.default_rng(1).lognormal(1, 1, 1_000))
    report = look(scored(0, rows=20_000), moved, policy)
    assert names(report) == ["size"]
    assert not report.alarm
    assert policy.weights(("a", "b", "c", "score"))["score"] == 2
    score = np.random.default_rng(1).random(1_000) ** 2
    report = look(scored(0, rows=20_000), moved.set_column(5, "score", pa.array(score)), policy)
    assert report.alarming == ("score",)


def test_an_input_that_the_score_stands_on_alarms_and_one_it_ignores_is_told():
    rng = np.random.default_rng(1)

    def scored(rows: int, mean: float) -> pa.Table:
        table = requests(int(mean * 10), rows, speed=rng.normal(10 + mean, 2, rows))
        return table.append_column("score", pa.array(1 / (1 + np.exp(10 - table["speed"].to_numpy()))))

    before = scored(20_000, 0)
    shares = importance(before, "score")
    assert shares["speed"] > 0.9
    assert max(shares["size"], shares["hour"], shares["place"], shares["night"]) < 0.02
    moved = scored(1_000, 1).set_column(
        5, "score", before["score"].slice(0, 1_000)
    )  # the score stays as it was
    policy = Policy(roles={"score": Role.SCORE}, importance=shares)
    assert look(before, moved, policy).alarming == ("speed",)
    assert look(before, moved, replace(policy, importance={})).alarming == ()


def test_another_label_rate_is_told_as_such():
    policy = Policy(roles={"night": Role.LABEL})
    report = look(REFERENCE, requests(1, night=np.random.default_rng(1).random(1_000) < 0.6), policy)
    assert [finding.cause for finding in report.findings] == [Cause.LABEL_RATE]


def test_another_mix_is_told_from_other_values():
    def town(seed: int, rows: int, north: float) -> pa.Table:
        rng = np.random.default_rng(seed)
        place = rng.choice(["north", "south"], rows, p=[north, 1 - north])
        return pa.table(
            {"place": place.tolist(), "cold": rng.normal(np.where(place == "north", 2.0, 0.0), 1)}
        )

    before, now = town(0, 20_000, 0.3), town(1, 4_000, 0.8)
    policy = Policy(roles={"place": Role.SEGMENT})
    whole = look(before, now, policy)
    groups = {
        value: look(before.filter(pa.compute.equal(before["place"], value)),
                    now.filter(pa.compute.equal(now["place"], value)), policy.calling(Role.IGNORED, "place"))
        for value in ("north", "south")
    }  # fmt: skip
    assert names(whole) == ["place", "cold"]
    told = within(whole, groups, "place", policy)
    assert [(finding.cause, set(finding.columns)) for finding in told.findings] == [
        (Cause.MIX, {"cold", "place"})
    ]


def test_the_state_survives_being_written_down():
    blocks = [requests(seed, 300) for seed in range(12)]
    whole = take(pa.concat_tables(blocks))
    profiles = [take(block, like=whole) for block in blocks]
    assert merge(*profiles).rows == whole.rows
    state = watch(whole, [requests(20)], Policy(), State(calibrate(profiles, whole)))[0].state
    assert state is not None
    text = json.dumps(state.to_json(), allow_nan=False)
    assert State.from_json(json.loads(text)) == state
    assert len(text) < 20_000


def test_too_few_blocks_say_nothing_about_how_blocks_differ():
    whole = take(REFERENCE)
    assert calibrate([take(requests(seed), like=whole) for seed in range(4)], whole) == Calibration(4)


def test_after_a_year_of_windows_the_chance_is_put_up_anew():
    policy = Policy(every=365 * DAY / 2)
    assert policy.windows == 2
    states = [
        report.state for report in watch(take(REFERENCE), [requests(seed) for seed in (1, 2, 3)], policy)
    ]
    assert [state.windows for state in states if state] == [1, 2, 1]


def test_how_blocks_of_the_reference_are_told_apart_is_what_windows_may_be():
    def rows(seed: int, rows_: int, mean: float) -> pa.Table:
        rng = np.random.default_rng(seed)
        return pa.table({"x": rng.normal(mean, 1, rows_), "y": rng.normal(0, 1, rows_)})

    alike = [rows(10 + i, 150, 0.0) for i in range(4)]
    stormy = [rows(20 + i, 150, shift) for i, shift in enumerate((-1, 1, -1, 1))]
    quiet, wild = (blocks_apart(pa.concat_tables(blocks), blocks) for blocks in (alike, stormy))
    assert quiet is not None
    assert wild is not None
    assert 0.5 <= quiet < 0.58 < wild <= 1
    assert blocks_apart(alike[0], [one.slice(0, 50) for one in alike]) is None  # too few rows in every block
    told = tell_apart(rows(1, 1_500, 0.0), rows(2, 1_000, 0.6))
    assert judge(Comparison((), 2_000, 1_000), Policy(), State(), together=told).together.auc > 0.62
    for known, drifted in ((quiet, True), (wild, False)):
        state, between = State(Calibration(auc=known)), Comparison((), 2_000, 1_000)
        reports = [judge(between, Policy(), state, together=told)]
        for _ in range(4):
            reports.append(judge(between, Policy(), reports[-1].state, together=told))
        assert reports[-1].together.drifted is drifted


@pytest.mark.parametrize(
    "wrong",
    [
        {"false_alarms": 0.0},
        {"matters": 0.001},
        {"fewest": 0},
        {"auc_matters": 0.5},
        {"importance": {"a": 2}},
    ],
)
def test_a_policy_that_promises_nothing_is_refused(wrong):
    with pytest.raises(InputError, match="asked"):
        replace(Policy(), **wrong)
