"""Profiles against the raw values: what is kept is what an exact computation finds."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from scipy import stats
from scipy.spatial.distance import jensenshannon
from sklearn.metrics import roc_auc_score

from headgate.errors import EvidenceError
from headgate.profile import (
    Asked,
    Categorical,
    Kind,
    compare,
    from_bytes,
    merge,
    merge_outcomes,
    survey,
    take,
    to_bytes,
)
from headgate.profile.columns import MOST_VALUES
from headgate.profile.grid import quantile
from headgate.profile.outcomes import SCORE_CELLS, cells_of_scores, score_middles

RNG = np.random.default_rng(20260101)
N = 20_000
PAIRS = {
    "mean shift": (RNG.normal(0, 1, N), RNG.normal(0.1, 1, N)),
    "spread": (RNG.normal(50, 2, N), RNG.normal(50, 2.4, N)),
    "skewed": (RNG.lognormal(0, 1, N), RNG.lognormal(0.05, 1, N)),
    "offset": (RNG.normal(1e6, 1, N), RNG.normal(1e6 + 0.2, 1, N)),
    "counts": (RNG.poisson(20, N).astype(float), RNG.poisson(21, N).astype(float)),
    "zeros": (RNG.exponential(2, N) * (RNG.random(N) > 0.3), RNG.exponential(2, N) * (RNG.random(N) > 0.35)),
    "tiny": (RNG.normal(0, 1e-12, N), RNG.normal(0, 1.2e-12, N)),
}


def of(values, **more):
    return take(pa.table({"x": values}), **more)


@pytest.mark.parametrize("name", PAIRS)
def test_distances_of_numbers_are_those_of_the_raw_values(name):
    old, new = PAIRS[name]
    reference = of(old)
    (column,) = compare(reference, of(new, like=reference)).columns

    assert column.ks == pytest.approx(stats.ks_2samp(old, new).statistic, abs=0.002)
    exact = stats.wasserstein_distance(old, new)
    assert column.wasserstein == pytest.approx(exact, rel=0.02, abs=0.002 * old.std())
    cuts = np.unique(np.quantile(old, np.arange(1, 10) / 10))
    p, q = (np.bincount(np.searchsorted(cuts, x, side="left"), minlength=cuts.size + 1) for x in (old, new))
    assert column.psi == pytest.approx(((q - p) / N * np.log(q / p)).sum(), rel=0.03, abs=3e-4)
    assert column.js == pytest.approx(jensenshannon(p, q, base=2), rel=0.03, abs=2e-3)
    assert not column.coarse


def test_moments_range_and_quantiles_are_exact_or_nearly():
    values = np.concatenate([RNG.lognormal(3, 1, 30_000), [0.1, 1e4]])
    state = of(values).columns["x"]
    assert (state.least, state.most, state.seen) == (values.min(), values.max(), values.size)
    assert state.mean == pytest.approx(values.mean(), rel=1e-12)
    assert state.spread == pytest.approx(values.std(), rel=1e-12)
    for share in (0.001, 0.05, 0.5, 0.95, 0.999):
        exact = np.quantile(values, share)
        assert quantile(state, share) == pytest.approx(exact, abs=abs(exact - state.grid.centre) / 256 + 0.01)


def test_categories_are_compared_value_by_value():
    old = RNG.choice(["AA", "UA", "DL"], N, p=[0.5, 0.3, 0.2])
    new = RNG.choice(["AA", "UA", "XX"], N, p=[0.5, 0.32, 0.18])
    reference = of(pa.array(old))
    (column,) = compare(reference, of(pa.array(new), like=reference)).columns

    names = ["AA", "UA", "DL", "XX"]
    counts = np.array([[(x == name).sum() for name in names] for x in (old, new)])
    exact = stats.chi2_contingency(counts, correction=False)
    assert column.chi2 == pytest.approx(exact.statistic)
    assert (column.chi2_dof, column.chi2_p) == (exact.dof, pytest.approx(exact.pvalue))
    assert column.js == pytest.approx(jensenshannon(counts[0], counts[1], base=2))
    assert column.unseen_share == pytest.approx((new == "XX").mean())
    assert column.moved == "DL"
    assert column.ks is None
    assert column.wasserstein is None


def test_ten_thousand_rare_categories_that_did_not_change_are_no_finding():
    old, new = (pa.array(np.char.add("v", RNG.integers(0, 10_000, N).astype(str))) for _ in range(2))
    reference = of(old)
    (column,) = compare(reference, of(new, like=reference)).columns
    assert column.psi < 0.01
    assert column.chi2_p > 0.001
    assert len(to_bytes(reference)) < 80_000


def test_of_more_values_than_are_kept_the_same_ones_are_kept_in_every_part():
    ids = np.char.add("id", np.arange(3 * MOST_VALUES).astype(str))
    whole = of(pa.array(ids))
    shuffled = RNG.permutation(ids)
    merged = merge(*(of(pa.array(part)) for part in np.array_split(shuffled, 9)))
    state = merged.columns["x"]

    assert merged == whole
    assert isinstance(state, Categorical)
    assert len(state.counts) == MOST_VALUES
    assert state.other == 2 * MOST_VALUES
    assert from_bytes(to_bytes(merged)) == merged
    (column,) = compare(whole, merged).columns
    assert (column.psi, column.unseen_share) == (0.0, 0.0)


def test_booleans_and_hours_of_the_day_are_compared_too():
    begun = datetime(2026, 1, 1, tzinfo=UTC)
    even = [begun + timedelta(minutes=7 * i) for i in range(2_000)]
    night = [begun + timedelta(days=i // 60, minutes=i % 60) for i in range(2_000)]
    reference = take(pa.table({"flag": [True, False] * 1_000, "at": even}), at="at")
    current = take(pa.table({"flag": [True] * 2_000, "at": night}), like=reference, at="at")
    flag, at = compare(reference, current).columns

    assert (flag.kind, flag.mean_reference, flag.mean_current) == (Kind.BOOLEAN, 0.5, 1.0)
    assert (at.kind, at.chi2_dof) == (Kind.TIMESTAMP, 23)
    assert max(flag.chi2_p, at.chi2_p) < 1e-100
    assert (current.since, current.until) == (night[0], night[-1])


def test_rows_come_from_a_file_a_folder_a_dataset_a_table_or_a_stream(tmp_path):
    table = pa.table({"x": RNG.normal(size=5_000), "c": RNG.choice(["a", "b"], 5_000)})
    for i in range(5):
        part = tmp_path / "deep" / f"day={i}"
        part.mkdir(parents=True)
        pq.write_table(table.slice(i * 1_000, 1_000), part / "rows.parquet", row_group_size=100)
    pq.write_table(table, tmp_path / "whole.parquet")
    (tmp_path / "deep" / "_SUCCESS").touch()
    like = take(tmp_path / "whole.parquet")
    sources = {
        "folder": tmp_path / "deep",
        "dataset": ds.dataset(tmp_path / "whole.parquet"),
        "table": table,
        "batches": table.to_batches(max_chunksize=700),
        "reader": table.to_reader(),
    }
    for name, rows in sources.items():
        profile = take(rows, like=like)
        assert profile.rows == 5_000, name
        assert merge(profile).columns["c"] == like.columns["c"], name
        assert np.array_equal(profile.columns["x"].cells, like.columns["x"].cells), name


def test_outcome_sums_are_those_of_the_raw_answers():
    pull = RNG.normal(size=N)
    label = (RNG.random(N) < 1 / (1 + np.exp(-pull))).astype(np.int64)
    scores = {
        f"s{i}": 1 / (1 + np.exp(-(pull * s - 6 * i + RNG.normal(size=N)))) for i, s in enumerate((1, 3))
    }
    table = pa.table(
        {
            "label": pa.array(label, mask=RNG.random(N) < 0.1),
            "old": scores["s0"] > 0.5,
            "new": (scores["s1"] > 0.5).astype(float),
            **scores,
        }
    )
    _, found = survey(table, Asked("label", ("old", "new"), ("s0", "s1")))
    there = np.asarray(table["label"].is_valid())
    known, old, new = label[there], (scores["s0"] > 0.5)[there], (scores["s1"] > 0.5)[there]

    assert found.pairs.tolist() == [
        [[int(((known == a) & (old == b) & (new == c)).sum()) for c in (0, 1)] for b in (0, 1)]
        for a in (0, 1)
    ]
    assert found.confusion(1)[1, 1] == (known & new).sum()
    assert found.discordant == (
        ((new == known) & (old != known)).sum(),
        ((old == known) & (new != known)).sum(),
    )
    for name, score in scores.items():  # the second one is of rare events: nearly all scores are below 0.05
        assert found.auc(name) == pytest.approx(roc_auc_score(known, score[there]), abs=2e-4)
        assert found.unlabelled[name].sum() == N - there.sum()
    assert found.invalid == 0
    parts = [
        survey(table.slice(i * 5_000, 5_000), Asked("label", ("old", "new"), ("s0", "s1")))[1]
        for i in range(4)
    ]
    assert np.array_equal(merge_outcomes(*parts).pairs, found.pairs)


def test_scores_lie_in_the_cell_whose_middle_is_near():
    scores = np.array([0.0, 1e-9, 1e-4, 0.3, 0.5, 0.5001, 0.7, 0.9999, 1.0])
    cells = cells_of_scores(scores)
    assert (np.diff(cells) >= 0).all()
    assert (cells.min(), cells.max()) == (0, SCORE_CELLS - 1)
    away = np.abs(score_middles()[cells] - scores)
    assert (away <= 2**-6 * np.minimum(scores, 1 - scores) + 2**-24).all()


def test_grids_that_differ_do_not_merge():
    with pytest.raises(
        EvidenceError, match=r"'x' .* one grid; found centres 0, 5; take the parts with like="
    ):
        merge(of([0.0, 0.0]), of([5.0, 5.0]))


def test_a_profile_is_taken_by_one_thread_that_waits_for_no_other():
    """BLAS starts threads for blocks as small as ours; they cost ten times what they do."""
    table = pa.table({f"x{i}": RNG.normal(0, 1, 400_000) for i in range(4)})
    take(table)
    everybody, own = time.process_time(), time.thread_time()
    take(table)
    assert time.process_time() - everybody < 1.5 * (time.thread_time() - own)
