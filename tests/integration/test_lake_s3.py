"""The lake in an S3-compatible store: the same windows, the same answers as in a folder."""

from __future__ import annotations

import hashlib
import io

import pyarrow.fs as pafs
import pyarrow.parquet as pq
import pytest

from headgate.adapters.lake import Lake
from headgate.adapters.places import place_of
from headgate.errors import InputError, LakeError
from tests.builders import APRIL, plan
from tests.integration.s3_server import CREDENTIALS, s3_server
from tests.integration.test_lake import DAY, exchanges, log

BUCKET = "headgate"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with s3_server(tmp_path_factory.mktemp("s3"), BUCKET) as url:
        yield url


@pytest.fixture
def address(server, monkeypatch):
    for name, value in {**CREDENTIALS, "AWS_ENDPOINT_URL": server}.items():
        monkeypatch.setenv(name, value)
    return f"s3://{BUCKET}"


def put(address: str, name: str, table) -> None:
    system, path = pafs.FileSystem.from_uri(f"{address}/{name}")
    pq.write_table(table, path, filesystem=system)


def test_m28_a_lake_in_a_bucket_reads_the_logs_that_a_folder_would_give(address, tmp_path):
    (tmp_path / "requests").mkdir()
    whole = log(48)
    for i in range(2):
        put(address, f"read/requests/{i}.parquet", whole.slice(24 * i, 24))
    pq.write_table(whole, tmp_path / "requests" / "all.parquet")
    there = plan(requests={"path": f"{address}/read/requests"})
    here = plan(requests={"path": "requests"})
    lake, span = Lake(place_of(f"{address}/read"), base=tmp_path), (APRIL + DAY / 2, APRIL + 1.5 * DAY)
    assert lake.read_requests(there, *span).equals(lake.read_requests(here, *span))
    assert lake.undated_requests(there) == 0


def test_m28_a_window_is_kept_once_in_a_bucket_and_read_back_by_time(address):
    lake = Lake(place_of(f"{address}/kept"))
    assert lake.find_exchanges("flights-1", "w1") is None
    assert lake.read_exchanges("flights-1", APRIL, APRIL + DAY).num_rows == 0
    kept = lake.keep_exchanges("flights-1", "w1", exchanges(24), {"read": 24})
    again = lake.keep_exchanges("flights-1", "w1", exchanges(24, prediction=0.9), {"read": 1})
    assert (again.digest, again.counts) == (kept.digest, {"read": 24})
    lake.write_exchanges("flights-1", "w2", exchanges(24, start=APRIL + DAY))
    assert lake.read_exchanges("flights-1", APRIL + DAY / 2, APRIL + 1.5 * DAY).num_rows == 24
    content = place_of(f"{address}/kept/exchanges/flights-1/w1.parquet").read()
    assert kept.digest == hashlib.sha256(content).hexdigest()
    assert pq.read_table(io.BytesIO(content)).num_rows == 24
    assert str(kept.path) == f"{address}/kept/exchanges/flights-1/w1.parquet"


def test_a_damaged_object_is_not_taken_for_the_window(address):
    lake = Lake(place_of(f"{address}/damaged"))
    place, digest = lake.write_exchanges("flights-1", "w1", exchanges(5))
    with place.system.open_output_stream(place.path) as file:
        file.write(b"PAR1 not really")
    assert lake.write_exchanges("flights-1", "w1", exchanges(5)) == (place, digest)


def test_a_missing_bucket_and_a_log_that_is_not_there_are_clear_errors(address):
    lake = Lake(place_of("s3://no-such-bucket/lake"))
    with pytest.raises(LakeError, match="nothing was kept"):
        lake.write_exchanges("flights-1", "w1", exchanges(1))
    with pytest.raises(
        InputError, match=r"requests\.path: asked Parquet at s3://headgate/nothing; found nothing"
    ):
        lake.read_requests(plan(requests={"path": f"{address}/nothing"}), APRIL, APRIL + DAY)


def test_a_store_that_is_not_there_is_a_lake_error_soon(monkeypatch):
    for name, value in {**CREDENTIALS, "AWS_MAX_ATTEMPTS": "1"}.items():
        monkeypatch.setenv(name, value)
    nobody = "s3://headgate/lake?endpoint_override=127.0.0.1:9&scheme=http"
    with pytest.raises(LakeError, match=r"s3://headgate"):
        Lake(place_of(nobody)).find_exchanges("flights-1", "w1")


def test_keys_in_an_address_are_never_shown():
    place = place_of("s3://key:s3cret@bucket/lake?endpoint_override=127.0.0.1:9&scheme=http")
    assert str(place / "exchanges") == "s3://bucket/lake/exchanges"
    assert "s3cret" not in repr(place)


@pytest.mark.parametrize("address", ["ftp://host/x", "s3://", "s3:///lake"])
def test_an_address_that_leads_nowhere_is_refused(address):
    with pytest.raises(InputError, match="asked a"):
        place_of(address)
