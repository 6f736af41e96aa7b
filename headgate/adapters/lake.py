"""The lake: request and outcome logs that others write, exchanges that we write. All Parquet.

    <root>/exchanges/<rollout>/<window>.parquet

Root and logs are folders, or addresses of an object store: `headgate.adapters.places`.

A window's file appears whole or not at all, and never changes once it is there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from headgate.adapters.logs import between, in_order, instant, moment, open_log, read, stream
from headgate.adapters.places import Place, place_of
from headgate.errors import InputError, LakeError
from headgate.plan.model import ALL, Plan
from headgate.routing import FULL_BP
from headgate.tables import EXCHANGES
from headgate.tables.slices import SLICE, slice_columns
from headgate.tables.terms import in_our_terms, terms_of

_COUNTS = b"headgate.counts"
_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Kept:
    """The exchanges of one window as they are kept, and what was counted while they were made."""

    path: Place
    digest: str
    table: pa.Table
    counts: Mapping[str, int]


class Lake:
    """Parquet in folders, here or in an object store.

    Parameters
    ----------
    root
        Where exchanges are kept; made when first written to.
    base
        Folder that relative paths in a plan start from; None: the working directory.
    """

    def __init__(self, root: Path | Place, base: Path | None = None) -> None:
        self._root = root if isinstance(root, Place) else place_of(root)
        self._base = base

    # ------------------------------------------------------------ what others write

    def read_requests(
        self, plan: Plan, start: datetime, end: datetime, besides: Sequence[str] = ()
    ) -> pa.Table:
        """Return the requests with ``start <= at < end``, in order of time and id.

        Only the columns the plan names are read: id, at, entity, those of the input contract, of the
        segments and of the slices, and those asked for ``besides``; without a contract all columns, for then
        the models get them all. ``at`` is returned in UTC, terms of others in those of the contract.

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
        wanted = list(dict.fromkeys([*wanted, *_contract(plan), *besides]))
        source = self._requests(plan, wanted)
        inside = between(source, when, start, end)
        found, _ = in_our_terms(read(source, inside, wanted if plan.input else None), terms_of(plan))
        return in_order(found, when, plan.requests.id)

    def request_columns(self, plan: Plan) -> list[str]:
        """Return the columns of the request log; raises as `read_requests` does."""
        names: list[str] = self._requests(plan, [plan.requests.id, plan.requests.at]).schema.names
        return names

    def stream_requests(
        self, plan: Plan, start: datetime, end: datetime, columns: Sequence[str]
    ) -> Iterator[pa.RecordBatch]:
        """Yield these columns of the requests with ``start <= at < end``, however many they are.

        Batches come in the order of the files. Raises as `read_requests` does.
        """
        source = self._requests(plan, [plan.requests.at, *columns])
        for batch in stream(source, between(source, plan.requests.at, start, end), columns):
            yield from in_our_terms(pa.Table.from_batches([batch]), terms_of(plan))[0].to_batches()

    def undated_requests(self, plan: Plan) -> int:
        """Return how many requests have no time at all: they belong to no window and are never scored."""
        when = plan.requests.at
        source = self._requests(plan, [when])
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
        where = place_of(plan.outcomes.path, self._base)
        source = open_log(where, "outcomes.path", columns, [known_at])
        at = instant(source, known_at)
        known = at <= moment(known_before, "known_before")
        if known_after is not None:
            known &= at >= moment(known_after, "known_after")
        known |= at.is_null()
        return in_order(read(source, known, columns), known_at, plan.requests.id)

    def stream_outcomes(self, plan: Plan, known_after: datetime) -> Iterator[pa.RecordBatch]:
        """Yield id, label and time of the outcomes known from then on; raises as `read_outcomes` does."""
        known_at = plan.outcomes.known_at
        columns = [plan.requests.id, plan.outcomes.label, known_at]
        source = open_log(place_of(plan.outcomes.path, self._base), "outcomes.path", columns, [known_at])
        yield from stream(source, instant(source, known_at) >= moment(known_after, "known_after"), columns)

    # ------------------------------------------------------------ what we write

    def write_exchanges(self, rollout: str, window: str, table: pa.Table) -> tuple[Place, str]:
        """Keep the exchanges of a window, once; return the file and the sha256 of its bytes.

        A window that is there already stays as it is, whatever ``table`` holds: evidence may have
        been drawn from it. Of two writers at once one wins, and both return the winner's digest (in an object
        store that cannot be had: see `Place.put_once`).

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
                repeating = _repeating(table.schema)
                final.put_once(
                    lambda file: pq.write_table(table, file, compression="zstd", use_dictionary=repeating)
                )
            return final, final.digest()
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
        try:
            if not _complete(final):
                return None
            table = final.parquet().read()
            counts = json.loads((table.schema.metadata or {}).get(_COUNTS, b"{}"))
            return Kept(final, final.digest(), table, counts)
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
        source = self._exchanges(rollout)
        if source is None:
            return EXCHANGES.empty_table()
        return in_order(read(source, between(source, "at", start, end), None), "at", "request_id")

    def exposed(self, rollout: str, before: datetime, slice_: str = ALL) -> frozenset[str]:
        """Return the entities of a slice that were in a split (0 < share < 100 %) before a time.

        Raises
        ------
        LakeError
            If a file cannot be read.
        """
        source = self._exchanges(rollout)
        if source is None:
            return frozenset()
        share = ds.field("share_bp")
        rows = (ds.field("at") < moment(before, "before")) & (share > 0) & (share < FULL_BP)
        if slice_ != ALL:
            rows &= ds.field(SLICE) == slice_
        return frozenset(pc.unique(read(source, rows, ["entity"])["entity"]).to_pylist())

    def place(self, *names: str) -> Place:
        """Return a file of ours beside the exchanges; its folders may not be there yet."""
        place = self._root
        for name in names:
            place = place / quote(name, safe=" .")
        return place

    def _folder(self, rollout: str) -> Place:
        return self._root / "exchanges" / _file_name(rollout)

    def _exchanges(self, rollout: str) -> ds.Dataset | None:
        """Return all that is kept of a rollout; None before its first window."""
        folder = self._folder(rollout)
        try:
            return folder.dataset() if folder.files(".parquet") else None
        except (OSError, pa.ArrowException) as err:
            raise LakeError(f"{folder}: exchanges cannot be read: {err}; restore or remove the file") from err

    def _requests(self, plan: Plan, columns: Iterable[str]) -> ds.Dataset:
        where = place_of(plan.requests.path, self._base)
        return open_log(where, "requests.path", columns, [plan.requests.at])


def _contract(plan: Plan) -> list[str]:
    return [*plan.input.columns, *plan.input.about] if plan.input else []


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


def _complete(file: Place) -> bool:
    if not file.exists():
        return False
    try:
        file.parquet().metadata  # noqa: B018 - read to see whether it can be
    except pa.ArrowException:
        # Not written by `put_once`, which never leaves such a file: a damaged disk or a stray copy.
        file.remove()
        return False
    return True


def _repeating(schema: pa.Schema) -> list[str]:
    """Return the columns worth a dictionary: it costs half the time of writing where nothing repeats."""
    return [f.name for f in schema if pa.types.is_string(f.type) and f.name != "request_id"]
