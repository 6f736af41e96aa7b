"""The lake: request and outcome logs that others write, exchanges that we write. All Parquet.

    <root>/exchanges/<rollout>/<window>.parquet

A window's file appears whole or not at all, and never changes once it is there.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from headgate.errors import InputError, LakeError
from headgate.plan.model import ALL, Plan
from headgate.routing import FULL_BP
from headgate.tables import EXCHANGES, INSTANT
from headgate.tables.slices import SLICE, slice_columns

_COUNTS = b"headgate.counts"
_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Kept:
    """The exchanges of one window as they are kept, and what was counted while they were made."""

    path: Path
    digest: str
    table: pa.Table
    counts: Mapping[str, int]


class Lake:
    """Parquet in folders.

    Parameters
    ----------
    root
        Where exchanges are kept; made when first written to.
    base
        Folder that relative paths in a plan start from; None: the working directory.
    """

    def __init__(self, root: Path, base: Path | None = None) -> None:
        self._root = Path(root)
        self._base = base or Path()

    # ------------------------------------------------------------ what others write

    def read_requests(self, plan: Plan, start: datetime, end: datetime) -> pa.Table:
        """Return the requests with ``start <= at < end``, in order of time and id.

        Only the columns the plan names are read: id, at, entity, those of the input contract, of the
        segments and of the slices; without a contract all columns, for then the models get them all.
        ``at`` is returned in UTC.

        Raises
        ------
        InputError
            If the path or a column is not there, times have no zone, or start or end has none.
        LakeError
            If a file cannot be read.
        """
        when = plan.requests.at
        by = plan.segments.by if plan.segments else ()
        wanted = [plan.requests.id, when, plan.unit.entity, *by, *slice_columns(plan)]
        source = self._dataset(plan.requests.path, "requests.path", [*wanted, *_contract(plan)], [when])
        columns = list(dict.fromkeys([*wanted, *_contract(plan)])) if plan.input else None
        at = _instant(source, when)
        inside = (at >= _scalar(start, "start")) & (at < _scalar(end, "end"))
        return _sorted(_read(source, inside, columns), when, plan.requests.id)

    def undated_requests(self, plan: Plan) -> int:
        """Return how many requests have no time at all: they belong to no window and are never scored."""
        when = plan.requests.at
        source = self._dataset(plan.requests.path, "requests.path", [when], [when])
        return int(source.count_rows(filter=ds.field(when).is_null()))

    def read_outcomes(
        self, plan: Plan, known_before: datetime, known_after: datetime | None = None
    ) -> pa.Table:
        """Return the outcomes known by ``known_before`` (inclusive), in order of time and id.

        ``known_after`` leaves out those known before it, which belong to older requests.

        Outcomes without a time are returned as well, to be counted: they are never mature.

        Raises
        ------
        InputError
            If the path or a column is not there, times have no zone, or ``known_before`` has none.
        LakeError
            If a file cannot be read.
        """
        known_at = plan.outcomes.known_at
        overridden = [plan.outcomes.overridden] if plan.outcomes.overridden else []
        columns = [plan.requests.id, plan.outcomes.label, known_at, *overridden]
        source = self._dataset(plan.outcomes.path, "outcomes.path", columns, [known_at])
        at = _instant(source, known_at)
        known = at <= _scalar(known_before, "known_before")
        if known_after is not None:
            known &= at >= _scalar(known_after, "known_after")
        known |= at.is_null()
        return _sorted(_read(source, known, columns), known_at, plan.requests.id)

    # ------------------------------------------------------------ what we write

    def write_exchanges(self, rollout: str, window: str, table: pa.Table) -> tuple[Path, str]:
        """Keep the exchanges of a window, once; return the file and the sha256 of its bytes.

        A window that is there already stays as it is, whatever ``table`` holds: evidence may have
        been drawn from it. Of two writers at once one wins, and both return the winner's digest.

        Raises
        ------
        InputError
            If rollout or window cannot be the name of a file.
        LakeError
            If the disk is full or refuses; nothing half-written is left behind.
        """
        final = self._folder(rollout) / f"{_file_name(window)}.parquet"
        try:
            if not _complete(final):
                final.parent.mkdir(parents=True, exist_ok=True)
                _write_once(table, final)
            return final, _digest(final)
        except (OSError, pa.ArrowException) as err:
            raise LakeError(
                f"{final}: asked to keep the exchanges of window {window!r}; found {err}; nothing was kept: "
                "mend the disk and run the window again"
            ) from err

    def keep_exchanges(self, rollout: str, window: str, table: pa.Table, counts: Mapping[str, int]) -> Kept:
        """Keep a window's exchanges with what was counted while they were made; return what is kept.

        Raises as `write_exchanges` does.
        """
        body = json.dumps(dict(counts), sort_keys=True)
        self.write_exchanges(rollout, window, table.replace_schema_metadata({_COUNTS: body}))
        kept = self.find_exchanges(rollout, window)
        if kept is None:
            raise LakeError(
                f"window {window!r} of {rollout} was kept and is gone; mend the disk, run it again"
            )
        return kept

    def find_exchanges(self, rollout: str, window: str) -> Kept | None:
        """Return what is kept of a window; None while it was not scored.

        Raises
        ------
        LakeError
            If the file cannot be read.
        """
        final = self._folder(rollout) / f"{_file_name(window)}.parquet"
        if not _complete(final):
            return None
        try:
            table = pq.ParquetFile(final).read()
            counts = json.loads((table.schema.metadata or {}).get(_COUNTS, b"{}"))
            return Kept(final, _digest(final), table, counts)
        except (OSError, ValueError, pa.ArrowException) as err:
            raise LakeError(f"{final}: exchanges cannot be read: {err}; restore or remove the file") from err

    def read_exchanges(self, rollout: str, start: datetime, end: datetime) -> pa.Table:
        """Return the exchanges with ``start <= at < end`` of all windows, in order of time and id.

        Before the first window is there this is an empty table.

        Raises
        ------
        LakeError
            If a file cannot be read.
        """
        folder = self._folder(rollout)
        if not any(folder.glob("[!.]*.parquet")):
            return EXCHANGES.empty_table()
        try:
            source = ds.dataset(str(folder), format="parquet")
        except (OSError, pa.ArrowException) as err:
            raise LakeError(f"{folder}: exchanges cannot be read: {err}; restore or remove the file") from err
        inside = (ds.field("at") >= _scalar(start, "start")) & (ds.field("at") < _scalar(end, "end"))
        return _sorted(_read(source, inside, None), "at", "request_id")

    def exposed(self, rollout: str, before: datetime, slice_: str = ALL) -> frozenset[str]:
        """Return the entities of a slice that were in a split (0 < share < 100 %) before a time.

        Raises
        ------
        LakeError
            If a file cannot be read.
        """
        folder = self._folder(rollout)
        if not any(folder.glob("[!.]*.parquet")):
            return frozenset()
        share = ds.field("share_bp")
        rows = (ds.field("at") < _scalar(before, "before")) & (share > 0) & (share < FULL_BP)
        if slice_ != ALL:
            rows &= ds.field(SLICE) == slice_
        source = ds.dataset(str(folder), format="parquet")
        return frozenset(pc.unique(_read(source, rows, ["entity"])["entity"]).to_pylist())

    def _folder(self, rollout: str) -> Path:
        return self._root / "exchanges" / _file_name(rollout)

    def _dataset(self, path: str, key: str, columns: Iterable[str], times: Iterable[str]) -> ds.Dataset:
        where = self._base / path
        if not where.exists():
            raise InputError(
                f"{key}: asked Parquet at {where}; found nothing there; correct the path in the plan"
            )
        try:
            source = ds.dataset(str(where), format="parquet")
        except (OSError, pa.ArrowException) as err:
            raise LakeError(f"{where}: not readable as Parquet: {err}; restore or remove the file") from err
        names = source.schema.names
        if not names:
            raise InputError(f"{key}: asked Parquet at {where}; found no file in that folder")
        missing = [column for column in dict.fromkeys(columns) if column not in names]
        if missing:
            raise InputError(
                f"{key}: asked columns {missing} in {where}; found {names}; correct the plan or the log"
            )
        for column in times:
            _check_zone(source.schema.field(column), f"{key}: {where}")
        return source


def _contract(plan: Plan) -> list[str]:
    return list(plan.input.columns) if plan.input else []


def _check_zone(field: pa.Field, where: str) -> None:
    if not pa.types.is_timestamp(field.type) or field.type.tz is None:
        raise InputError(
            f"{where}: asked column {field.name!r} as timestamps with a time zone; found {field.type}; "
            "write them in UTC, a time without a zone is a guess"
        )


def _scalar(at: datetime, name: str) -> pa.Scalar:
    if at.tzinfo is None:
        raise InputError(f"{name}: asked an aware time; found {at.isoformat()} without a zone; pass UTC")
    return pa.scalar(at, INSTANT)


def _instant(source: ds.Dataset, column: str) -> pc.Expression:
    """Return the column in UTC microseconds. As it is where it can be, so that files can be skipped."""
    field = ds.field(column)
    return field if source.schema.field(column).type == INSTANT else field.cast(INSTANT, safe=False)


def _read(source: ds.Dataset, rows: pc.Expression, columns: list[str] | None) -> pa.Table:
    try:
        return source.to_table(columns=columns, filter=rows)
    except (OSError, pa.ArrowException) as err:
        raise LakeError(f"{source.files[:1]} and others: cannot be read: {err}") from err


def _sorted(table: pa.Table, when: str, request_id: str) -> pa.Table:
    """Put times in UTC and rows in an order that does not depend on how files are cut."""
    if table.schema.field(when).type != INSTANT:
        # Nanoseconds lose their last three digits.
        in_utc = table[when].cast(INSTANT, safe=False)
        table = table.set_column(table.schema.get_field_index(when), when, in_utc)
    return table.sort_by([(when, "ascending"), (request_id, "ascending")])


def _file_name(text: str) -> str:
    """Return text as a name of one file; different texts give different names.

    Examples
    --------
    >>> _file_name("2013-04-01T00:00+00:00/7d")
    '2013-04-01T00%3A00%2B00%3A00%2F7d'
    """
    # Dots are legal in file names, but '..' is another folder and a leading one hides the file.
    name = quote(text, safe=" ").replace(".", "%2E").replace("~", "%7E")
    if not name.strip() or len(name) > _LONGEST_NAME or name[0] == "_":
        raise InputError(
            f"asked a name of 1 to {_LONGEST_NAME} characters not starting with '_'; found {text!r}"
        )
    return name


def _complete(path: Path) -> bool:
    if not path.exists():
        return False
    try:
        pq.read_metadata(path)
    except pa.ArrowException:
        # Not written by `_write_once`, which never leaves such a file: a damaged disk or a stray copy.
        path.unlink()
        return False
    return True


def _write_once(table: pa.Table, final: Path) -> None:
    """Put a whole file in place unless there is one, and make it outlive a power cut."""
    part = final.with_name(f".{uuid4().hex}.part")  # readers of the folder skip names with a dot
    try:
        with part.open("xb") as file:
            pq.write_table(table, file, compression="zstd", use_dictionary=_repeating(table.schema))
            file.flush()
            os.fsync(file.fileno())
        # link, not rename: it refuses where another writer was first, who is then the one to keep.
        with contextlib.suppress(FileExistsError):
            os.link(part, final)
    finally:
        part.unlink(missing_ok=True)
    folder = os.open(final.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _repeating(schema: pa.Schema) -> list[str]:
    """Return the columns worth a dictionary: it costs half the time of writing where nothing repeats."""
    return [f.name for f in schema if pa.types.is_string(f.type) and f.name != "request_id"]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
