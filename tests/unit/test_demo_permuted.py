"""Permuted outcomes keep everything but the truth."""

from collections import Counter
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from deployments.demo.permuted import permute_outcomes
from tests.builders import APRIL

MONTHS = {"2013-04": 700, "2013-05": 500, "2013-06": 1}


@pytest.fixture
def folder(tmp_path):
    """Three months whose label is the sign of a signal, so that a broken pairing shows."""
    rng = np.random.default_rng(1)
    for number, (month, n) in enumerate(MONTHS.items()):
        signal = rng.random(n) < 0.3
        known = [APRIL + timedelta(days=30 * number, minutes=i) for i in range(n)]
        table = pa.table(
            {
                "request_id": [f"{month}-{i}-{'late' if s else 'fine'}" for i, s in enumerate(signal)],
                "late": pa.array(signal.astype(np.int8)),
                "known_at": pa.array(known, pa.timestamp("us", tz="UTC")),
            },
            schema=pa.schema(
                [
                    pa.field("request_id", pa.string(), nullable=False),
                    pa.field("late", pa.int8(), nullable=False),
                    pa.field("known_at", pa.timestamp("us", tz="UTC"), nullable=False),
                ]
            ),
        )
        pq.write_table(table, tmp_path / f"{month}.parquet")
    return tmp_path


def read(folder):
    return {path.stem: pq.read_table(path) for path in sorted(folder.glob("*.parquet"))}


def test_labels_are_the_same_ones_and_everything_else_stays(folder):
    before = read(folder)
    permute_outcomes(folder)
    after = read(folder)
    assert after.keys() == before.keys()
    for month, table in after.items():
        assert table.schema.equals(before[month].schema)
        assert table.drop(["late"]).equals(before[month].drop(["late"]))
    labels = [Counter(pa.concat_tables(t.values())["late"].to_pylist()) for t in (before, after)]
    assert labels[0] == labels[1]


def test_labels_say_nothing_about_their_request_any_more(folder):
    permute_outcomes(folder)
    table = pa.concat_tables(read(folder).values())
    truly = np.array([i.endswith("late") for i in table["request_id"].to_pylist()])
    told = table["late"].to_numpy().astype(bool)
    assert told.sum() == truly.sum()
    assert abs(np.corrcoef(truly, told)[0, 1]) < 0.1


def test_labels_wander_between_files(folder):
    before = {month: table["late"].to_numpy().mean() for month, table in read(folder).items()}
    permute_outcomes(folder)
    after = {month: table["late"].to_numpy().mean() for month, table in read(folder).items()}
    assert before != after


def test_the_same_outcomes_are_always_permuted_alike(folder, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    for path in folder.glob("*.parquet"):
        (other / path.name).write_bytes(path.read_bytes())
    permute_outcomes(folder)
    permute_outcomes(other)
    assert all(table.equals(read(other)[month]) for month, table in read(folder).items())
