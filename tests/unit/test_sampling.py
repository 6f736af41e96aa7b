"""Pilot samples: drawn at random, fit to be handed out; and what a curated set never saw (M7, M15)."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.alerts.masking import Mask
from headgate.errors import InputError
from headgate.sampling.curated import hold_against
from headgate.sampling.draw import WEIGHT, Tally, count, draw, take
from headgate.sampling.hide import Hiding, columns_of, hide
from headgate.sampling.labels import label
from headgate.sampling.seen import cover
from headgate.sampling.unseen import Gap, never_saw
from headgate.tables import INSTANT
from tests.builders import APRIL, plan

CONTRACT = {
    "columns": {
        "distance": {"type": "number", "missing": "allow"},
        "carrier": {"type": "category", "values": ["AA", "UA"], "other": "flag"},
        "note": {"type": "category"},
    }
}


def history(rows: int = 400, seed: int = 0) -> pa.Table:
    rng = np.random.default_rng(seed)
    return pa.table(
        {
            "request_id": [f"r{i}" for i in range(rows)],
            "at": pa.array([APRIL + timedelta(hours=i) for i in range(rows)], INSTANT),
            "tailnum": [f"N{i % 37}" for i in range(rows)],
            "origin": rng.choice(["EWR", "JFK", None], rows, p=[0.7, 0.25, 0.05]).tolist(),
            "distance": rng.normal(1_000, 100, rows),
            "carrier": rng.choice(["AA", "UA"], rows),
            "note": ["call bob@example.org, token=abc"] * rows,
            "passport": [f"P{i}" for i in range(rows)],
        }
    )


def drawn(table: pa.Table, rows: int, by=("origin",), *, batch: int = 1_000, seed: int = 1, equal=False):
    batches = table.to_batches(max_chunksize=batch)
    chosen = draw(count(batches, "request_id", by, most=rows, seed=seed), rows, equal=equal)
    return pa.concat_tables(take(batches, chosen, "request_id", by, seed=seed))


@given(
    order=st.permutations(range(6)),
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=3),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=25)
def test_the_same_seed_draws_the_same_requests_however_history_is_cut_and_a_larger_sample_holds_them(
    order, sizes, seed
):
    table = history(240)
    whole = count(table.to_batches(), "request_id", ["origin"], most=40, seed=seed)
    parts = [table.slice(40 * i, 40).to_batches(max_chunksize=size) for i in order for size in sizes[:1]]
    together = sum(
        (count(part, "request_id", ["origin"], most=40, seed=seed) for part in parts), start=Tally(40)
    )
    assert dict(together.rows) == dict(whole.rows)
    small = {key for keys in draw(together, 20).keys.values() for key in keys.tolist()}
    large = {key for keys in draw(whole, 40).keys.values() for key in keys.tolist()}
    assert len(small) == 20
    assert small < large


def test_every_request_is_drawn_as_often_as_every_other():
    table = history(200)
    times = np.zeros(200)
    for seed in range(300):
        ids = drawn(table, 20, (), seed=seed)["request_id"].to_pylist()
        times[[int(one[1:]) for one in ids]] += 1
    expected = 300 * 20 / 200
    # A sum of squares over 199 degrees of freedom: above 270 once in a thousand.
    assert ((times - expected) ** 2 / (expected * (1 - 20 / 200))).sum() < 270


def test_groups_get_their_share_at_least_one_row_and_weights_that_add_up_to_history():
    sample = drawn(history(400), 40)
    by_group = {
        origin: sum(1 for one in sample["origin"].to_pylist() if one == origin)
        for origin in ("EWR", "JFK", None)
    }
    assert sum(by_group.values()) == 40
    assert 26 <= by_group["EWR"] <= 31
    assert by_group[None] >= 1
    assert sum(sample[WEIGHT].to_pylist()) == pytest.approx(400)


def test_equal_groups_take_what_a_small_group_has_and_the_rest_from_the_others():
    table = pa.table(
        {"request_id": [f"r{i}" for i in range(100)], "origin": ["a"] * 60 + ["b"] * 37 + ["c"] * 3}
    )
    sample = drawn(table, 63, equal=True)
    found = [sample["origin"].to_pylist().count(one) for one in "abc"]
    assert found == [30, 30, 3]


def test_a_request_that_history_holds_twice_is_drawn_once_and_one_without_id_never():
    table = pa.table({"request_id": ["a", "b", "a", None, ""] * 10, "origin": ["x"] * 50})
    batches = table.to_batches()
    tally = count(batches, "request_id", (), most=10, seed=1)
    assert tally.without_id == 20
    rows = list(take(batches, draw(tally, 10), "request_id", (), seed=1))
    assert sorted(pa.concat_tables(rows)["request_id"].to_pylist()) == ["a", "b"]


@pytest.mark.parametrize(
    ("rows", "by", "said"),
    [(2, ["origin"], "found fewer rows than groups"), (2_000, ["number"], "name columns with few values")],
)
def test_groups_that_cannot_be_shared_out_are_refused(rows, by, said):
    table = history(1_200).append_column("number", pa.array(range(1_200)))
    with pytest.raises(InputError, match=said):
        draw(count(table.to_batches(), "request_id", by, most=rows, seed=1), rows)


def test_no_request_to_draw_from_is_an_error_not_an_empty_sample():
    with pytest.raises(InputError, match="found no request in that span"):
        draw(count([], "request_id", (), most=5, seed=1), 5)


def test_m15_a_sample_names_nobody_holds_no_secret_and_no_column_the_plan_does_not_name():
    the_plan, table = plan(input=CONTRACT), history(50)
    kept = columns_of(the_plan, table.column_names)
    assert kept == ["request_id", "at", "tailnum", "distance", "carrier", "note"]
    out = hide(table.select(kept), the_plan, Hiding(b"k" * 32, Mask.of(the_plan)))
    shown = str(out.drop_columns(["at", "distance"]).to_pylist())
    assert not [word for word in ("r1'", "N1'", "bob@", "abc", "P1") if word in shown]
    same = [i for i, tail in enumerate(table["tailnum"].to_pylist()) if tail == "N3"]
    assert len({out["tailnum"][i].as_py() for i in same}) == 1  # rows of one aircraft still belong together
    assert len(set(out["request_id"].to_pylist())) == 50
    assert set(out["carrier"].to_pylist()) == {"AA", "UA"}  # the plan itself lists these words
    again = hide(table.select(kept), the_plan, Hiding(b"l" * 32, Mask.of(the_plan)))
    assert not set(out["request_id"].to_pylist()) & set(again["request_id"].to_pylist())


def test_what_must_stay_in_a_sample_cannot_be_hidden_and_a_short_key_is_refused():
    the_plan = plan(input=CONTRACT)
    with pytest.raises(InputError, match="--hide: asked a column of the log other than request_id and at"):
        columns_of(the_plan, history(1).column_names, ["request_id"])
    with pytest.raises(InputError, match="asked a key of 16 bytes"):
        hide(history(1), the_plan, Hiding(b"short", str))


def test_labels_are_those_of_the_request_and_missing_where_nothing_is_known():
    outcomes = pa.table({"request_id": ["r2", "r0", "r9"], "late": [1, 0, 1], "known_at": [APRIL] * 3})
    labelled = label(history(3), outcomes.to_batches(), plan())
    assert labelled["late"].to_pylist() == [0, None, 1]
    assert labelled.column_names[-2:] == ["late", "known_at"]
    with pytest.raises(InputError, match="found a column of that name in the request log"):
        label(labelled, outcomes.to_batches(), plan())


def test_what_a_set_never_saw_is_counted_and_held_against_chance():
    known = cover(pa.table({"x": [1.0, 5.0, 3.0], "word": ["a", "b", "a"]}).to_batches())
    stream = pa.table(
        {
            "x": [0.5, 2.0, None, 9.0, 4.0, 4.0, float("inf"), 4.0],
            "word": ["a", "a", "a", "a", "c", "c", "a", None],
        }
    )
    found = never_saw(stream.to_batches(max_chunksize=3), known, ["x", "word"])
    by = {(one.column, one.gap): one for one in found.findings}
    assert {key: one.rows for key, one in by.items()} == {
        ("x", Gap.BELOW): 1, ("x", Gap.ABOVE): 1, ("x", Gap.MISSING): 1, ("x", Gap.NOT_FINITE): 1,
        ("word", Gap.VALUE): 2, ("word", Gap.MISSING): 1,
    }  # fmt: skip
    assert (found.rows_any, found.share_any) == (7, 7 / 8)
    assert by["word", Gap.VALUE].examples == ("c",)
    assert by["x", Gap.BELOW].by_chance == pytest.approx(1 / 4)  # of three random ones, once in four
    assert by["word", Gap.VALUE].by_chance == pytest.approx(5 / 8 * (3 / 8) ** 3 + 2 / 8 * (6 / 8) ** 3)


@pytest.mark.parametrize("values", [["1.5", "x", None], [True, False, None]])
def test_a_column_of_another_type_than_the_streams_is_told_not_a_crash(values):
    known = cover(pa.table({"x": pa.array([1.0, 2.0])}).to_batches())
    found = never_saw(pa.table({"x": values}).to_batches(), known, ["x"])
    assert found.rows_any >= 1


def test_a_column_that_the_set_lacks_was_never_seen_at_all():
    known = cover(pa.table({"x": [1.0]}).to_batches())
    found = never_saw(pa.table({"x": [1.0] * 4, "y": [1.0] * 4}).to_batches(), known, ["x", "y"])
    assert [(one.column, one.gap, one.share) for one in found.findings] == [("y", Gap.COLUMN, 1.0)]
    assert found.share_any == 1.0


@pytest.mark.parametrize("side", ["set", "stream"])
def test_an_empty_set_or_stream_is_an_error_not_a_zero(side):
    known = cover(pa.table({"x": [1.0]}).to_batches())
    with pytest.raises(InputError, match="found no"):
        cover([]) if side == "set" else never_saw([], known, ["x"])


def test_m7_a_curated_set_is_told_from_a_random_one_by_what_it_never_saw():
    the_plan = plan(input={"columns": {"distance": CONTRACT["columns"]["distance"]}})
    table = history(6_000)
    summer = table.filter(pa.compute.field("at") < APRIL + timedelta(days=60))
    curated = summer.filter((pa.compute.field("distance") > 900) & (pa.compute.field("distance") < 1_100))
    columns = ["request_id", "at", "distance", "origin"]

    def held(picked: pa.Table):
        return hold_against(
            the_plan, picked.to_batches, lambda: table.select(columns).to_batches(), columns, seed=3
        )

    flattering = held(curated.select(columns))
    assert flattering.unseen.share_any > 0.8
    assert flattering.share_random < 0.02
    never = {(one.column, one.gap): one.examples for one in flattering.unseen.findings}
    assert "07 July" in never["at.month", Gap.VALUE]
    assert {("distance", Gap.BELOW), ("distance", Gap.ABOVE)} <= never.keys()
    assert held(drawn(table, 1_000, ())).unseen.share_any < 0.02
