"""The request and outcome logs hold what was known then, and nothing else."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from deployments.flights.outcomes import outcome_log
from deployments.flights.requests import REQUESTS, WEATHER_COLUMNS, build, request_log, with_identity
from headgate.errors import InputError

DATA = Path(__file__).parents[2] / "data"


@pytest.fixture(scope="module")
def lake(flights_lake):
    return flights_lake


@pytest.fixture(scope="module")
def requests(lake):
    return pq.read_table(lake / "requests").to_pandas()


@pytest.fixture(scope="module")
def outcomes(lake):
    return pq.read_table(lake / "outcomes").to_pandas()


def flight(**other):
    row = {
        "year": 2013, "month": 7, "day": 4, "sched_dep_time": 2355, "dep_delay": 10.0, "arr_delay": 20.0,
        "carrier": "UA", "flight": 7, "tailnum": "N1", "origin": "EWR", "dest": "IAH", "air_time": 180.0,
        "distance": 1400,
    }  # fmt: skip
    return pd.DataFrame([{**row, **other}])


def observation(at, **other):
    return {"origin": "EWR", "time_hour": at, **dict.fromkeys(WEATHER_COLUMNS, 1.0), **other}


def one_request(row, observations, planes=()):
    weather = pd.DataFrame(observations).astype({"time_hour": "datetime64[us, UTC]"})
    table = pd.DataFrame(planes, columns=["tailnum", "year"])
    return request_log(with_identity(row), weather, table).iloc[0]


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


def test_every_flight_is_one_request_with_an_id_of_its_own(requests):
    assert len(requests) == 336_776
    assert requests["request_id"].is_unique
    readable = r"2013-\d\d-\d\d-[0-9A-Z]{2}\d+-(EWR|JFK|LGA)"
    assert requests["request_id"].str.fullmatch(readable).all()
    assert "2013-01-01-UA1545-EWR" in set(requests["request_id"])


def test_the_log_has_the_columns_and_types_it_promises(lake):
    for path in sorted((lake / "requests").iterdir()):
        assert pq.read_schema(path).equals(REQUESTS)


def test_a_request_is_made_two_hours_before_departure_in_new_york(requests):
    flights = pq.read_table(DATA / "flights.parquet").to_pandas()
    departs = flights["time_hour"] + pd.to_timedelta(flights["sched_dep_time"] % 100, unit="min")
    expected = (departs - timedelta(hours=2)).sort_values(ignore_index=True)
    assert (requests["at"].sort_values(ignore_index=True) == expected).all()


@pytest.mark.parametrize(
    ("month", "day", "hour"), [(3, 9, 13), (3, 10, 12), (11, 2, 12), (11, 3, 13)]
)  # the days around both clock changes
def test_ten_in_the_morning_is_another_utc_hour_after_a_clock_change(month, day, hour):
    row = one_request(flight(month=month, day=day, sched_dep_time=1000), [observation(utc(2013, 1, 1))])
    assert row["at"] == utc(2013, month, day, hour)


@pytest.mark.parametrize(("month", "day", "clock"), [(11, 3, 130), (3, 10, 230)])
def test_a_departure_in_an_hour_that_is_repeated_or_skipped_is_refused(month, day, clock):
    with pytest.raises(InputError, match="ambiguous in America/New_York"):
        with_identity(flight(month=month, day=day, sched_dep_time=clock))


def test_two_flights_of_one_id_are_refused():
    with pytest.raises(InputError, match="two flights share the id '2013-07-04-UA7-EWR'"):
        with_identity(pd.concat([flight(), flight()], ignore_index=True))


def test_departure_is_in_decimal_hours(requests):
    assert one_request(flight(sched_dep_time=1715), [observation(utc(2013, 1, 1))])["sched_dep"] == 17.25
    minutes = requests["sched_dep"] * 60
    assert (minutes - minutes.round()).abs().max() < 1e-9


def test_weather_was_complete_when_the_request_was_made_and_not_stale(requests):
    age = requests["at"] - requests["weather_at"]
    assert age.min() >= timedelta(hours=1)  # filed under the hour, made somewhere in it
    assert age.max() < timedelta(hours=4)
    assert age.isna().sum() == 776


def test_the_values_are_those_of_the_observation_that_is_named(requests):
    weather = pq.read_table(DATA / "weather.parquet").to_pandas()
    seen = requests[requests["weather_at"].notna()]
    both = seen.merge(
        weather, left_on=["origin", "weather_at"], right_on=["origin", "time_hour"], suffixes=("", "_there")
    )
    assert len(both) == len(seen)
    for column in WEATHER_COLUMNS:
        pd.testing.assert_series_equal(both[column], both[f"{column}_there"], check_names=False)


def test_the_latest_complete_observation_of_the_own_airport_is_taken():
    # departs 4 July 23:55 in New York = 5 July 03:55 UTC; scored at 01:55 UTC
    row = one_request(
        flight(),
        [
            observation(utc(2013, 7, 4, 23), temp=23.0),
            observation(utc(2013, 7, 5, 0), temp=0.0),
            observation(utc(2013, 7, 5, 1), temp=99.0),  # not over at 01:55
            observation(utc(2013, 7, 5, 0), origin="JFK", temp=77.0),
        ],
    )
    assert (row["temp"], row["weather_at"]) == (0.0, utc(2013, 7, 5, 0))


def test_old_weather_is_missing_rather_than_carried_on():
    row = one_request(flight(), [observation(utc(2013, 7, 4, 21))])
    assert pd.isna(row["temp"])
    assert pd.isna(row["weather_at"])


def test_a_plane_that_nobody_registered_has_no_age():
    old = [observation(utc(2013, 1, 1))]
    assert one_request(flight(), old, [("N1", 1999)])["plane_age"] == 14
    assert pd.isna(one_request(flight(), old, [("N2", 1999)])["plane_age"])
    assert pd.isna(one_request(flight(tailnum=None), old, [("N1", 1999)])["plane_age"])


def test_flights_that_never_arrive_have_no_outcome(requests, outcomes):
    assert len(requests) - len(outcomes) == 9_430
    assert outcomes["request_id"].is_unique
    assert set(outcomes["request_id"]) <= set(requests["request_id"])


def test_requests_without_a_tail_number_are_cancelled_flights(requests, outcomes):
    nameless = requests.loc[requests["tailnum"].isna(), "request_id"]
    assert len(nameless) == 2_512
    assert not set(nameless) & set(outcomes["request_id"])


@pytest.mark.parametrize(("delay", "late"), [(14.0, 0), (15.0, 1), (-30.0, 0)])
def test_late_is_a_quarter_of_an_hour(delay, late):
    assert outcome_log(with_identity(flight(arr_delay=delay)))["late"].tolist() == [late]


def test_an_overnight_outcome_is_known_four_hours_after_landing():
    # 5 July 03:55 UTC + 10 min late + 180 min in the air + 4 h
    assert outcome_log(with_identity(flight()))["known_at"].tolist() == [utc(2013, 7, 5, 11, 5)]


def test_every_outcome_is_known_after_its_request_and_within_the_plans_maturity(requests, outcomes):
    at = outcomes["request_id"].map(requests.set_index("request_id")["at"])
    assert (outcomes["known_at"] > at).all()
    closes = at.dt.floor("D") + timedelta(days=1 + 2)
    assert (outcomes["known_at"] < closes).all()


def test_files_hold_their_month_in_order(lake):
    for part, column in (("requests", "at"), ("outcomes", "known_at")):
        for path in (lake / part).iterdir():
            table = pq.read_table(path)
            assert pc.unique(pc.strftime(table[column], "%Y-%m")).to_pylist() == [path.stem]
            assert table.equals(table.sort_by([(column, "ascending"), ("request_id", "ascending")]))


def test_building_twice_gives_the_same_tables(tmp_path):
    for name in ("weather", "planes"):
        (tmp_path / f"{name}.parquet").write_bytes((DATA / f"{name}.parquet").read_bytes())
    january = pq.read_table(DATA / "flights.parquet", filters=pc.field("month") == 1)
    for lake in ("once", "twice"):
        pq.write_table(january, tmp_path / "flights.parquet")
        built = build(tmp_path, tmp_path / lake)
        january = january.take(
            np.random.default_rng(1).permutation(len(january))
        )  # nor does the order matter
    for path in (*built.requests, *built.outcomes):
        assert pq.read_table(path).equals(pq.read_table(tmp_path / "once" / path.parent.name / path.name))


def test_an_outcome_before_its_request_is_refused(tmp_path):
    for name in ("weather", "planes"):
        (tmp_path / f"{name}.parquet").write_bytes((DATA / f"{name}.parquet").read_bytes())
    flights = pq.read_table(DATA / "flights.parquet").slice(0, 10)
    early = pa.array([-1000] * 10, flights["dep_delay"].type)
    at = flights.column_names.index("dep_delay")
    pq.write_table(flights.set_column(at, "dep_delay", early), tmp_path / "flights.parquet")
    with pytest.raises(InputError, match="known before its request"):
        build(tmp_path, tmp_path / "lake")


def test_missing_data_says_how_to_rebuild_it(tmp_path):
    with pytest.raises(InputError, match=r"flights\.parquet, it is not there; rebuild it with"):
        build(tmp_path, tmp_path / "lake")
