"""The request log: every flight of 2013, scored two hours before its scheduled departure.

A row holds only what is known at ``at``. The weather is the trap: an observation is filed under the
hour in which it was made, usually taken at minute 51, so the row of hour H is used only once H is
over. The lake is what a service's own logging would leave behind: one Parquet file per month.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from deployments.flights.outcomes import OUTCOMES, outcome_log
from headgate.errors import InputError

LEAD = pd.Timedelta(hours=2)
"""How long before scheduled departure a flight is scored."""
OBSERVED_WITHIN = pd.Timedelta(hours=1)
"""An observation filed under hour H was made somewhere in H: it is known when H is over."""
STALE = pd.Timedelta(hours=4)
"""Weather older than this is missing, not carried forward."""
LOCAL = "America/New_York"

WEATHER_COLUMNS = (
    "temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib",
)  # fmt: skip

NUMBERS = ("sched_dep", "distance", *WEATHER_COLUMNS, "plane_age")
WORDS = ("carrier", "origin", "dest")
"""What callers send to a model: these columns of the log and no others."""

REQUESTS = pa.schema(
    [
        pa.field("request_id", pa.string(), nullable=False),
        pa.field("at", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("tailnum", pa.string()),
        pa.field("origin", pa.string(), nullable=False),
        pa.field("dest", pa.string(), nullable=False),
        pa.field("carrier", pa.string(), nullable=False),
        pa.field("sched_dep", pa.float64(), nullable=False),
        pa.field("distance", pa.int64(), nullable=False),
        pa.field("weather_at", pa.timestamp("us", tz="UTC")),
        *(pa.field(name, pa.float64()) for name in WEATHER_COLUMNS),
        pa.field("plane_age", pa.float64()),
    ]
)


@dataclass(frozen=True, slots=True)
class Lake:
    """The files that `build` wrote, oldest month first."""

    requests: tuple[Path, ...]
    outcomes: tuple[Path, ...]


def build(data: Path, lake: Path) -> Lake:
    """Turn the flights, weather and planes in ``data`` into the logs of a service.

    Parameters
    ----------
    data
        Folder with ``flights.parquet``, ``weather.parquet`` and ``planes.parquet``.
    lake
        Folder to write to: ``requests/YYYY-MM.parquet`` by UTC month of ``at`` and
        ``outcomes/YYYY-MM.parquet`` by UTC month of ``known_at``. Files of the same name are replaced;
        the same data always gives the same tables.

    Raises
    ------
    InputError
        If a file is missing, or the data breaks a rule of the logs (see `request_log`, `outcome_log`).
    """
    flights, weather, planes = (_read(data, name) for name in ("flights", "weather", "planes"))
    flights = with_identity(flights)
    requests = request_log(flights, weather, planes)
    outcomes = outcome_log(flights)
    known = outcomes.set_index("request_id")["known_at"]
    asked = requests.set_index("request_id")["at"]
    if not (known > asked.loc[known.index]).all():
        raise InputError("an outcome is known before its request was made; the data is not as described")
    return Lake(
        requests=tuple(_write(requests, "at", REQUESTS, lake / "requests")),
        outcomes=tuple(_write(outcomes, "known_at", OUTCOMES, lake / "outcomes")),
    )


def with_identity(flights: pd.DataFrame) -> pd.DataFrame:
    """Add ``request_id`` and ``scheduled`` (UTC) to the rows of flights.

    The id is readable, ``2013-04-01-UA1545-EWR``: local date, carrier, flight number and origin name a
    flight once. Clock times are HHMM in New York; a departure in the hour that the clock change
    repeats or skips would be ambiguous and is refused (there is none in 2013).

    Raises
    ------
    InputError
        If two rows share an id, or a departure time does not exist exactly once.
    """
    day = pd.to_datetime(flights[["year", "month", "day"]])
    clock = flights["sched_dep_time"].astype("int64")
    local = day + pd.to_timedelta(clock // 100 * 60 + clock % 100, unit="min")
    try:
        scheduled = local.dt.tz_localize(LOCAL, ambiguous="raise", nonexistent="raise").dt.tz_convert("UTC")
    except ValueError as err:
        raise InputError(f"a scheduled departure is ambiguous in {LOCAL}: {err}; correct the row") from err
    number = flights["flight"].astype("int64").astype(str)
    ids = day.dt.strftime("%Y-%m-%d") + "-" + flights["carrier"] + number + "-" + flights["origin"]
    if ids.duplicated().any():
        raise InputError(f"two flights share the id {ids[ids.duplicated()].iloc[0]!r}; remove one")
    return flights.assign(request_id=ids, scheduled=scheduled, local=local)


def request_log(flights: pd.DataFrame, weather: pd.DataFrame, planes: pd.DataFrame) -> pd.DataFrame:
    """Return one row per flight, sorted by ``at`` and ``request_id``, with what was known then.

    ``tailnum`` stays null where the data has none (2,512 flights, all cancelled): no plane was
    assigned, and an invented name would lump them into one entity. ``plane_age`` is null for the
    planes the registry does not know. ``sched_dep`` is in decimal hours since local midnight: 17.25 is
    a quarter past five.
    """
    at = flights["scheduled"] - LEAD
    born = flights["tailnum"].map(planes.set_index("tailnum")["year"])
    rows = pd.DataFrame(
        {
            "request_id": flights["request_id"],
            "at": at.astype("datetime64[us, UTC]"),
            "tailnum": flights["tailnum"],
            "origin": flights["origin"],
            "dest": flights["dest"],
            "carrier": flights["carrier"],
            "sched_dep": flights["local"].dt.hour + flights["local"].dt.minute / 60,
            "distance": flights["distance"].astype("int64"),
            "plane_age": (flights["year"] - born).astype("float64"),
        }
    ).sort_values(["at", "request_id"], ignore_index=True)
    return _with_weather(rows, weather)


def _with_weather(rows: pd.DataFrame, weather: pd.DataFrame) -> pd.DataFrame:
    seen = weather[["origin", "time_hour", *WEATHER_COLUMNS]].rename(columns={"time_hour": "weather_at"})
    seen = seen.assign(known=(seen["weather_at"] + OBSERVED_WITHIN).astype("datetime64[us, UTC]"))
    return pd.merge_asof(
        rows,
        seen.sort_values("known"),
        left_on="at",
        right_on="known",
        by="origin",
        tolerance=STALE - OBSERVED_WITHIN,
    )


def _read(data: Path, name: str) -> pd.DataFrame:
    path = data / f"{name}.parquet"
    if not path.is_file():
        raise InputError(f"asked for {path}, it is not there; rebuild it with: python data/rebuild.py")
    return pd.read_parquet(path)


def _write(rows: pd.DataFrame, by: str, schema: pa.Schema, folder: Path) -> Iterator[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    for month, part in rows.groupby(rows[by].dt.strftime("%Y-%m"), sort=True):
        path = folder / f"{month}.parquet"
        pq.write_table(
            pa.Table.from_pandas(part, schema=schema, preserve_index=False), path, compression="zstd"
        )
        yield path
