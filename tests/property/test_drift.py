"""The promises of drift verdicts: how often they may be wrong, whatever the windows are."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.drift import MOST_ROWS, Policy, Role, Sampler, State, calibrate, draw, judge, tell_apart
from headgate.drift.bursts import Worst, log_bursts
from headgate.drift.evidence import CAPITAL, asked, log_evidence, log_leads, log_tilts, named
from headgate.drift.levels import level_of
from headgate.profile import Boolean, ColumnComparison, Comparison, Kind, Profile, compare

SEED = 20260101
TENTHS = np.full(10, 0.1)


def _js(before: np.ndarray, now: np.ndarray) -> np.ndarray:
    """Jensen-Shannon distances of counts, shape (..., cells)."""
    p, q = before / before.sum(-1, keepdims=True), now / now.sum(-1, keepdims=True)
    middle = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = np.where(p > 0, p * np.log2(p / middle), 0) + np.where(q > 0, q * np.log2(q / middle), 0)
    return np.sqrt(np.maximum(parts.sum(-1) / 2, 0))


@pytest.mark.parametrize(("rows", "reference"), [(100, 1_000), (500, 50_000)])
def test_a_window_of_sampling_noise_is_worth_at_most_one_in_the_mean(rows, reference):
    rng = np.random.default_rng(SEED)
    before, now = (rng.multinomial(n, TENTHS, size=20_000) for n in (reference, rows))
    n = 1 / (1 / rows + 1 / reference)
    effects = 8 * np.log(2) * _js(before, now) ** 2 - 9 / n
    worth = np.exp([log_tilts(float(effect), dof=9, n=n, wander=0.004) for effect in effects])
    assert (worth.mean(0) <= 1 + 3 * worth.std(0) / np.sqrt(len(worth))).all()


def test_a_window_that_wanders_as_windows_do_is_worth_at_most_one_in_the_mean():
    rng = np.random.default_rng(SEED)
    wander, n, dof = 0.05, 500.0, 9
    true = rng.exponential(wander, 40_000)
    effects = rng.noncentral_chisquare(dof, n * true) / n - dof / n
    worth = np.exp([log_tilts(float(effect), dof=dof, n=n, wander=wander) for effect in effects])
    # The bold tilts have no variance to speak of: only the cautious ones can be measured by drawing.
    assert (worth.mean(0)[:2] <= 1 + 3 * worth.std(0)[:2] / np.sqrt(len(worth))).all()


def test_levels_that_only_persist_for_a_while_are_worth_little():
    rng = np.random.default_rng(SEED)
    ever = []
    for _ in range(40):
        shocks = rng.normal(0, 1, 90 + 200)
        for t in range(1, shocks.size):
            shocks[t] = 0.5 * shocks[t - 1] + np.sqrt(0.75) * shocks[t]
        known, later = shocks[:90], shocks[90:] - shocks[:90].mean()
        level = level_of(list(known - known.mean()))
        assert level is not None
        freed = [level.freed(now, before) for before, now in pairwise(later)]
        capital = np.cumsum([level.log_bets(one) for one in freed], axis=0)
        ever.append(np.logaddexp.reduce(capital + np.log(CAPITAL), axis=1).max() >= np.log(20))
    assert np.mean(ever) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 40)


def _year(rng: np.random.Generator, windows: int) -> list[Comparison]:
    reference = rng.multinomial(20_000, TENTHS, size=12)
    found = []
    for _ in range(windows):
        js = _js(reference, rng.multinomial(300, TENTHS, size=12))
        columns = [
            ColumnComparison(f"x{i}", Kind.NUMBER, js=float(one), missing_reference=0.0, missing_current=0.0,
                             n_reference=20_000, n_current=300)
            for i, one in enumerate(js)
        ]  # fmt: skip
        found.append(Comparison(tuple(columns), 20_000, 300))
    return found


def test_m11_years_of_windows_in_which_nothing_drifts_raise_no_more_alarms_than_promised():
    rng, policy, alarmed = np.random.default_rng(SEED), Policy(false_alarms=0.05), 0
    for _ in range(2):
        state: State | None = State()
        reports = []
        for window in _year(rng, 365):
            reports.append(judge(window, policy, state))
            state = reports[-1].state
        alarmed += any(report.drifted for report in reports)
    assert alarmed == 0  # at 5 % a year


@pytest.mark.parametrize("bets", [500, 100])
def test_shares_up_to_the_ceiling_are_worth_at_most_one_in_the_mean(bets):
    """A burst: missing values as many as four times the worst block's are what windows may have."""
    rng = np.random.default_rng(SEED)
    missing = rng.binomial(bets, 4 * 0.1, 4_000) / bets
    worth = []
    for share in missing:
        column = ColumnComparison("x", Kind.NUMBER, missing_reference=0.01, missing_current=float(share))
        logs = log_bursts(column, Comparison((column,), 20_000, bets), Worst(missing=0.1))
        assert logs is not None
        worth.append(np.exp(logs))
    # As above: what the bold designs are worth is in draws too rare to see.
    mean, error = np.mean(worth, 0)[:2], np.std(worth, 0)[:2] / np.sqrt(len(worth))
    assert (mean <= 1 + 3 * error).all()


def test_m11_years_in_which_missing_values_wander_raise_no_more_alarms_than_promised():
    """Every column misses a few values, and an eighth on a bad day in fifty: nothing broke."""
    rng, policy, alarmed = np.random.default_rng(SEED), Policy(false_alarms=0.05), 0
    rows, columns = 500, [f"x{i}" for i in range(4)]

    def shares() -> np.ndarray:
        bad = np.where(rng.random(4) < 0.02, rng.uniform(0.05, 0.15, 4), 0.0)
        return rng.binomial(rows, np.minimum(rng.exponential(0.01, 4) + bad, 1)) / rows

    def profile(missing: np.ndarray, days: int) -> Profile:
        counts = {name: round(rows * days * (1 - one)) for name, one in zip(columns, missing, strict=True)}
        return Profile(
            {name: Boolean(n, int(rng.binomial(n, 0.5))) for name, n in counts.items()}, rows * days
        )

    for _ in range(2):
        blocks = [shares() for _ in range(60)]
        whole = profile(np.mean(blocks, 0), 60)
        state: State | None = State(calibrate([profile(one, 1) for one in blocks], whole))
        drifted = False
        for _ in range(365):
            report = judge(compare(whole, profile(shares(), 1)), policy, state)
            state, drifted = report.state, drifted or bool(report.drifted)
        alarmed += drifted
        broken = shares()
        broken[2] = 0.93
        named = judge(compare(whole, profile(broken, 1)), policy, state).drifted
        assert "x2" in [one.name for one in named]  # at the first window, after a year of bad days
    assert alarmed == 0  # at 5 % a year


@given(
    st.dictionaries(st.sampled_from("abcdefgh"), st.floats(-5, 20), min_size=1),
    st.floats(0.001, 0.5),
)
def test_more_evidence_never_names_fewer_columns(log_e, alpha):
    weights = dict.fromkeys(log_e, 1.0)
    before = named(log_e, weights, alpha)
    most = max(log_e, key=lambda name: log_e[name])
    assert before <= named({**log_e, most: log_e[most] + 1}, weights, alpha)
    if before:  # naming any takes a mean of at least 1 / alpha
        mean = np.logaddexp.reduce(list(log_e.values())) - np.log(len(log_e))
        assert mean >= np.log(1 / alpha) - 1e-9
        assert all(log_e[name] >= asked(len(log_e), len(before), alpha) - 1e-9 for name in before)


@given(st.lists(st.sampled_from(["score", "a", "b", "c", "d"]), min_size=1, unique=True))
def test_the_budget_is_spent_whole(names):
    policy = Policy(roles={"score": Role.SCORE}, importance={"a": 0.3})
    assert sum(policy.weights(tuple(names)).values()) == pytest.approx(len(names))


def test_evidence_that_has_not_begun_is_worth_what_was_put_up():
    assert log_evidence(np.full(5, -np.inf), windows=0, starts=365) == 0.0
    assert log_leads(0.5, tolerated=0.55, n=100).max() < 0


def _rows(seed: int, rows: int, together: float) -> pa.Table:
    rng = np.random.default_rng(seed)
    a, noise = rng.normal(0, 1, (2, rows))
    return pa.table({"a": a, "b": together * a + np.sqrt(1 - together**2) * noise})


def test_columns_that_stop_going_together_are_told_apart_and_those_that_do_not_are_not():
    same = tell_apart(_rows(1, 2_000, 0.8), _rows(2, 1_000, 0.8), within=True)
    other = tell_apart(_rows(1, 2_000, 0.8), _rows(3, 1_000, -0.2))
    assert same is not None
    assert other is not None
    assert same.auc < 0.55
    assert same.within_reference == pytest.approx(0.5, abs=0.05)
    assert other.auc > 0.65
    quiet = Comparison((), 2_000, 1_000)
    assert judge(quiet, Policy(), together=other).together.drifted
    assert not judge(quiet, Policy(), together=same).together.drifted
    assert tell_apart(_rows(1, 2_000, 0.8), _rows(3, 50, -0.2)) is None


def test_the_same_rows_are_drawn_however_they_are_cut_and_ordered():
    ids = [f"r{i}" for i in range(3 * MOST_ROWS)]
    table = pa.table({"id": ids, "x": list(range(len(ids)))})
    by_key = [
        draw(order.to_batches(max_chunksize=size), 500, key="id").sort_by("x")
        for order, size in ((table, 700), (table.sort_by([("x", "descending")]), 4_000))
    ]
    assert by_key[0] == by_key[1]
    sampler = Sampler(500)
    for batch in table.to_batches(max_chunksize=999):
        sampler.add(batch)
    drawn = sampler.table()["x"].to_numpy()
    assert len(drawn) == 500
    assert abs(drawn.mean() / len(ids) - 0.5) < 0.05
