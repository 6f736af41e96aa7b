"""The committed data is what the package holds."""

import importlib.util
from pathlib import Path

import pyarrow.parquet as pq
import pytest

DATA = Path(__file__).parents[2] / "data"


@pytest.fixture(scope="module")
def rebuild():
    spec = importlib.util.spec_from_file_location("rebuild", DATA / "rebuild.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_rebuilding_gives_the_committed_tables(rebuild, tmp_path):
    written = rebuild.rebuild(tmp_path)
    assert [path.name for path in written] == ["flights.parquet", "weather.parquet", "planes.parquet"]
    for path in written:
        assert pq.read_table(path).equals(pq.read_table(DATA / path.name)), path.name


def test_the_committed_data_is_small_enough_to_commit():
    assert sum(path.stat().st_size for path in DATA.glob("*.parquet")) < 7_000_000


def test_the_readme_counts_what_the_data_holds():
    flights, weather, planes = (
        pq.read_table(DATA / f"{n}.parquet") for n in ("flights", "weather", "planes")
    )
    assert (flights.num_rows, weather.num_rows, planes.num_rows) == (336_776, 26_115, 3_322)
    assert flights["arr_delay"].null_count == 9_430
    assert flights["tailnum"].null_count == 2_512
    known = set(planes["tailnum"].to_pylist())
    assert sum(t not in known for t in flights["tailnum"].to_pylist()) / flights.num_rows == pytest.approx(
        0.156, abs=5e-4
    )
    assert weather["wind_gust"].null_count / weather.num_rows == pytest.approx(0.80, abs=5e-3)


def test_a_missing_package_is_named_with_what_to_do(rebuild, monkeypatch):
    monkeypatch.setattr(rebuild, "PACKAGE", "nycflights99")
    with pytest.raises(SystemExit, match="nycflights99, it is not installed; pip install"):
        rebuild.tables()
