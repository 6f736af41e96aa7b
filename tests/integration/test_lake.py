"""The lake on a real disk: logs read with care, windows written once."""

from __future__ import annotations

import resource
import threading
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headgate.adapters.lake import Lake
from headgate.errors import InputError, LakeError
from headgate.tables import exchanges_schema
from tests.builders import APRIL, plan

DAY = timedelta(days=1)
ZONED = pa.timestamp("us", "UTC")


def log(n, *, start=APRIL, step=timedelta(hours=1), zone=ZONED, **more):
    columns = {
        "request_id": [f"r{start:%m%d}-{i:03}" for i in range(n)],
        "at": pa.array([start + i * step for i in range(n)], ZONED).cast(zone),
        "tailnum": [f"N{i % 4}" for i in range(n)],
        "distance": list(range(n)),
        "unused": ["x" * 10] * n,
    }
    return pa.table(columns | more)


@pytest.fixture
def lake(tmp_path):
    (tmp_path / "lake" / "requests").mkdir(parents=True)
    (tmp_path / "lake" / "outcomes").mkdir()
    return Lake(tmp_path / "runs", base=tmp_path)


def keep(lake, *args):
    place, digest = lake.write_exchanges(*args)
    return Path(str(place)), digest


def put(tmp_path, table, name="a.parquet", kind="requests"):
    pq.write_table(table, tmp_path / "lake" / kind / name)


def exchanges(n, *, start=APRIL, prediction=0.5):
    schema = exchanges_schema(["origin"])
    columns = {
        "request_id": [f"r{i:03}" for i in range(n)],
        "entity": ["N1"] * n,
        "at": [start + i * timedelta(hours=1) for i in range(n)],
        "window": ["w"] * n,
        "incumbent_prediction": [prediction] * n,
        "candidate_prediction": [prediction] * n,
        "incumbent_status": ["ok"] * n,
        "candidate_status": ["ok"] * n,
        "incumbent_version": ["1"] * n,
        "candidate_version": ["2"] * n,
        "reject_reason": [None] * n,
        "share_bp": [0] * n,
        "seg_origin": ["JFK"] * n,
    }
    return pa.table(columns, schema=schema)


# ---------------------------------------------------------------- reading


def test_a_window_is_read_from_all_files_in_order_of_time_with_only_the_plans_columns(lake, tmp_path):
    put(tmp_path, log(48, start=APRIL + DAY), "a.parquet")
    put(tmp_path, log(24), "b.parquet")
    the_plan = plan(input={"columns": {"distance": {"type": "integer"}}})
    table = lake.read_requests(the_plan, APRIL + DAY / 2, APRIL + 1.5 * DAY)
    assert table.column_names == ["request_id", "at", "tailnum", "distance"]
    at = table["at"].to_pylist()
    assert at == sorted(at)
    assert (at[0], at[-1], len(at)) == (APRIL + DAY / 2, APRIL + 1.5 * DAY - timedelta(hours=1), 24)


def test_without_a_contract_all_columns_are_read(lake, tmp_path):
    put(tmp_path, log(3))
    assert "unused" in lake.read_requests(plan(), APRIL, APRIL + DAY).column_names


def test_windows_that_meet_share_no_request_and_lose_none(lake, tmp_path):
    put(tmp_path, log(48))
    first = lake.read_requests(plan(), APRIL, APRIL + DAY)["request_id"].to_pylist()
    second = lake.read_requests(plan(), APRIL + DAY, APRIL + 2 * DAY)["request_id"].to_pylist()
    assert first + second == log(48)["request_id"].to_pylist()


def test_times_in_another_zone_are_compared_as_instants(lake, tmp_path):
    put(tmp_path, log(24, zone=pa.timestamp("ms", "America/New_York")))
    table = lake.read_requests(plan(), APRIL, APRIL + timedelta(hours=3))
    assert table.num_rows == 3
    assert table.schema.field("at").type == ZONED


def test_requests_without_a_time_are_counted(lake, tmp_path):
    at = pa.array([APRIL, None, None], ZONED)
    put(tmp_path, log(3, at=at))
    assert lake.read_requests(plan(), APRIL, APRIL + DAY).num_rows == 1
    assert lake.undated_requests(plan()) == 2


def test_outcomes_are_those_known_by_then_and_the_ones_without_a_time(lake, tmp_path):
    known = pa.array([APRIL, APRIL + DAY, APRIL + 2 * DAY, None], ZONED)
    put(
        tmp_path,
        pa.table({"request_id": list("abcd"), "late": [0, 1, 0, 1], "known_at": known}),
        kind="outcomes",
    )
    found = lake.read_outcomes(plan(), APRIL + DAY)
    assert found["request_id"].to_pylist() == ["a", "b", "d"]


def test_nanoseconds_as_pandas_writes_them_are_read_to_the_microsecond(lake, tmp_path):
    put(tmp_path, log(2, at=pa.array([1364774400000000001, 1364774400000001999], pa.timestamp("ns", "UTC"))))
    at = lake.read_requests(plan(), APRIL, APRIL + DAY)["at"].to_pylist()
    assert at == [APRIL, APRIL + timedelta(microseconds=1)]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (log(2, zone=pa.timestamp("us")), r"time zone; found timestamp\[us\]"),
        (log(2, at=["2013-04-01", "2013-04-02"]), "time zone; found string"),
        (log(2).drop_columns(["tailnum"]), r"asked columns \['tailnum'\]"),
    ],
)
def test_a_log_that_is_not_as_the_plan_says_is_a_clear_error(lake, tmp_path, table, message):
    put(tmp_path, table)
    with pytest.raises(InputError, match=message):
        lake.read_requests(plan(), APRIL, APRIL + DAY)


def test_a_missing_path_and_an_empty_folder_are_clear_errors(lake):
    with pytest.raises(InputError, match="found no file in that folder"):
        lake.read_requests(plan(), APRIL, APRIL + DAY)
    elsewhere = plan(requests={"path": "no/such/place"})
    with pytest.raises(InputError, match="found nothing there; correct the path"):
        lake.read_requests(elsewhere, APRIL, APRIL + DAY)


def test_a_naive_window_is_refused(lake, tmp_path):
    put(tmp_path, log(2))
    with pytest.raises(InputError, match="without a zone"):
        lake.read_requests(plan(), datetime(2013, 4, 1), APRIL + DAY)  # noqa: DTZ001 - the fault


def test_a_file_that_is_no_parquet_is_a_lake_error(lake, tmp_path):
    (tmp_path / "lake" / "requests" / "a.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(LakeError, match="Parquet"):
        lake.read_requests(plan(), APRIL, APRIL + DAY)


# ---------------------------------------------------------------- writing


def test_the_same_window_run_twice_is_one_file_with_one_digest(lake):
    path, digest = keep(lake, "flights-1", "w1", exchanges(5))
    before = path.read_bytes()
    again = keep(lake, "flights-1", "w1", exchanges(5, prediction=0.9))
    assert again == (path, digest)
    assert path.read_bytes() == before
    assert lake.read_exchanges("flights-1", APRIL, APRIL + DAY).num_rows == 5


def test_two_writers_of_one_window_agree_on_whose_file_stays(lake):
    gate = threading.Barrier(8)
    results = []

    def write(i):
        gate.wait()
        results.append(keep(lake, "flights-1", "w1", exchanges(500, prediction=i / 10)))

    threads = [threading.Thread(target=write, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8
    assert len(set(results)) == 1
    assert [p.name for p in results[0][0].parent.iterdir()] == ["w1.parquet"]


def test_exchanges_of_all_windows_are_read_back_by_time_and_half_written_files_are_not_seen(lake):
    path, _ = keep(lake, "flights-1", "w2", exchanges(24, start=APRIL + DAY))
    keep(lake, "flights-1", "w1", exchanges(24))
    keep(lake, "flights-2", "w1", exchanges(24))
    (path.parent / ".dead.part").write_bytes(b"killed while writing")
    table = lake.read_exchanges("flights-1", APRIL + DAY / 2, APRIL + 1.5 * DAY)
    at = table["at"].to_pylist()
    assert at == sorted(at)
    assert (at[0], len(at)) == (APRIL + DAY / 2, 24)
    assert table.schema.equals(exchanges_schema(["origin"]))


def test_before_the_first_window_there_are_no_exchanges(lake):
    assert lake.read_exchanges("flights-1", APRIL, APRIL + DAY).num_rows == 0


def test_a_damaged_file_is_not_taken_for_the_window(lake):
    path, digest = keep(lake, "flights-1", "w1", exchanges(5))
    path.write_bytes(path.read_bytes()[:100])
    assert keep(lake, "flights-1", "w1", exchanges(5)) == (path, digest)


@pytest.mark.parametrize(
    "name", ["2013-04-01T00:00+00:00/7d", "..", ".hidden", "a/../b", "ü", "a%2Fb", "a b"]
)
def test_any_window_name_stays_inside_the_rollouts_folder_and_is_read_back(lake, name):
    path, _ = keep(lake, "flights-1", name, exchanges(2))
    assert path.resolve().parent == path.parent.resolve()
    assert path.parent.name == "flights-1"
    assert lake.read_exchanges("flights-1", APRIL, APRIL + DAY).num_rows == 2


def test_different_window_names_never_share_a_file(lake):
    names = ["a/b", "a%2Fb", "a.b", "a%2Eb", "A/b"]
    assert len({keep(lake, "r", name, exchanges(1))[0] for name in names}) == len(names)


@pytest.mark.parametrize("name", ["", "  ", "x" * 300, "_hidden"])
def test_a_name_that_cannot_be_a_file_is_refused(lake, name):
    with pytest.raises(InputError, match="asked a name"):
        keep(lake, "flights-1", name, exchanges(1))


def test_a_full_disk_is_a_lake_error_and_leaves_nothing_behind(lake):
    path, _ = keep(lake, "flights-1", "w0", exchanges(1))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, limits[1]))
    try:
        with pytest.raises(LakeError, match="nothing was kept"):
            keep(lake, "flights-1", "w1", exchanges(5_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [p.name for p in path.parent.iterdir()] == ["w0.parquet"]
    keep(lake, "flights-1", "w1", exchanges(5_000))  # and the same window works later


def test_a_root_that_is_no_folder_is_a_lake_error(tmp_path):
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(LakeError, match="nothing was kept"):
        keep(Lake(tmp_path / "runs"), "flights-1", "w1", exchanges(1))
