"""Reading a chain again: what was edited, removed, added, reordered, cut off or hashed anew."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from headgate.audit.chain import GENESIS, Head, Line, Sealed, hash_of

#: Lines that do not fit are tried in each other's place, up to this many: it costs their square.
_TRIED = 100


class Tampering(StrEnum):
    """What somebody did to the record."""

    ROW_EDITED = "row edited"
    ROW_REMOVED = "row removed"
    ROW_ADDED = "row added"
    LINE_EDITED = "line edited"
    LINE_REMOVED = "line removed"
    LINE_ADDED = "line added"
    REORDERED = "lines reordered"
    CUT_OFF = "chain cut off"
    REHASHED = "chain hashed anew"
    DISAGREES = "record disagrees with itself"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that does not fit.

    Attributes
    ----------
    seq
        Of the line it is about; None for a row that no line vouches for.
    row
        Table and key of the row, where it is about one.
    """

    kind: Tampering
    seq: int | None
    row: str | None
    text: str

    def __str__(self) -> str:
        place = [] if self.seq is None else [f"line {self.seq}"]
        place += [self.row] if self.row else []
        return f"{self.kind.value}: {', '.join(place)}: {self.text}"


@dataclass(frozen=True, slots=True)
class Row:
    """A row, or the rows of one line, as they are now; ``detail`` says what a digest cannot."""

    kind: str
    key: str
    digest: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Checked:
    """What was read, and what does not fit: nothing, if the record is whole.

    Attributes
    ----------
    head
        Where the chain ends now.
    """

    head: Head
    lines: int
    rows: int
    findings: tuple[Finding, ...]


def check(
    lines: Iterable[Line | Sealed],
    rows: Iterable[Row],
    head: Head | None = None,
    anchors: Iterable[Head] = (),
) -> Checked:
    """Hold lines against each other, against the rows, and against heads noted elsewhere.

    Lines are read to their end before the first row is; neither is kept whole, only a key and a digest
    per line.

    Parameters
    ----------
    lines
        In the order in which they are kept.
    rows
        All rows that should have a line, in any order.
    head, anchors
        Ends that the chain had before, each known from outside the store. Without any, a chain that was
        hashed anew as a whole and one that lost its end look like any other.
    """
    known = tuple(anchors) + (() if head is None else (head,))
    chain = _Chain(known)
    for line in lines:
        chain.read(line)
    chain.close()
    count = 0
    for row in rows:
        count += 1
        chain.hold(row)
    chain.miss()
    chain.findings.sort(key=lambda one: (one.seq is None, one.seq or 0))
    return Checked(chain.last, chain.count, count, tuple(chain.findings))


@dataclass
class _Chain:
    """What is known after the lines so far."""

    known: tuple[Head, ...]
    findings: list[Finding] = field(default_factory=list)
    last: Head = Head(0, GENESIS)  # noqa: RUF009 - frozen
    count: int = 0
    _gaps: list[tuple[int, int]] = field(default_factory=list)
    _late: set[int] = field(default_factory=set)
    _odd: dict[int, Line | Sealed] = field(default_factory=dict)
    # At the seqs that were noted outside: the line's hash, and what it should be.
    _found: dict[int, tuple[str, str]] = field(default_factory=dict)
    _vouched: dict[tuple[str, str], tuple[int, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._wanted = {one.seq for one in self.known}
        self._found[0] = (GENESIS, GENESIS)

    def read(self, line: Line | Sealed) -> None:
        """Take the next line."""
        self.count += 1
        right = hash_of(line.seq, line.content, line.prev)
        if line.seq <= self.last.seq:
            self._late.add(line.seq)
            self._tell(Tampering.REORDERED, line.seq, f"it stands after line {self.last.seq}")
        else:
            self._follow(line, right)
            self.last = Head(line.seq, line.hash)
        if line.seq in self._wanted:
            self._found[line.seq] = (line.hash, right)
        if isinstance(line, Line):
            self._vouch(line)

    def close(self) -> None:
        """Take the end: what only shows once all lines are there."""
        for low, high in self._gaps:
            if high - low >= len(self._late) or not self._late.issuperset(range(low, high + 1)):
                lines = f"line {low} is" if low == high else f"lines {low} to {high} are"
                self._tell(Tampering.LINE_REMOVED, low, f"{lines} not there; the next is line {high + 1}")
        for line in self._odd.values():
            self._tell_odd(line)
        self._hold_heads()

    def hold(self, row: Row) -> None:
        """Hold a row against the line that vouches for it."""
        vouched = self._vouched.pop((row.kind, row.key), None)
        where = f"{row.kind} {row.key}"
        if vouched is None:
            self._tell(Tampering.ROW_ADDED, None, "no line vouches for it", where)
        elif vouched[1] != row.digest:
            found = (
                f"its values have the digest {row.digest[:12]}…; written were values of {vouched[1][:12]}…"
            )
            self._tell(Tampering.ROW_EDITED, vouched[0], "; ".join(filter(None, (found, row.detail))), where)

    def miss(self) -> None:
        """Say which rows are gone; call it after the last row."""
        for (kind, key), (seq, _) in self._vouched.items():
            self._tell(Tampering.ROW_REMOVED, seq, "the row it vouches for is gone", f"{kind} {key}")

    def _follow(self, line: Line | Sealed, right: str) -> None:
        gap = line.seq > self.last.seq + 1
        if gap:
            self._gaps.append((self.last.seq + 1, line.seq - 1))
        if line.hash != right:
            self._odd[line.seq] = line
        elif not gap and self.last.seq not in self._odd and line.prev != self.last.hash:
            text = (
                f"it follows {line.prev[:12]}…; the line before has {self.last.hash[:12]}…: one was replaced"
            )
            self._tell(Tampering.REHASHED, line.seq, text)

    def _vouch(self, line: Line) -> None:
        before = self._vouched.setdefault((line.kind, line.row_key), (line.seq, line.digest))
        if before[0] != line.seq:
            text = f"line {before[0]} vouches for this row already"
            self._tell(Tampering.LINE_ADDED, line.seq, text, f"{line.kind} {line.row_key}")

    def _tell_odd(self, line: Line | Sealed) -> None:
        home = None
        if len(self._odd) <= _TRIED:
            seqs = (seq for seq in self._odd if hash_of(seq, line.content, line.prev) == line.hash)
            home = next(seqs, None)
        if home is None:
            text = "its hash is not that of what it says"
            self._tell(Tampering.LINE_EDITED, line.seq, text)
        else:
            self._tell(Tampering.REORDERED, line.seq, f"it was written as line {home}")

    def _hold_heads(self) -> None:
        """Compare with the heads known from outside; of many that fail the first says where."""
        beyond = [one for one in self.known if one.seq > self.last.seq]
        if beyond:
            end = max(beyond, key=lambda one: one.seq)
            text = f"the chain ends at line {self.last.seq}; the head {end} was noted outside the store"
            self._tell(Tampering.CUT_OFF, self.last.seq + 1, text)
        held = [one for one in self.known if one.seq in self._found]
        # A line that was edited without hashing it anew is told by itself: one of its two hashes fits.
        other = [one for one in held if one.hash not in self._found[one.seq]]
        if not other:
            return
        first = min(other, key=lambda one: one.seq)
        good = max((one.seq for one in held if one.seq < first.seq and one not in other), default=0)
        since = f"line {good + 1}" if good + 1 == first.seq else f"one of the lines {good + 1} to {first.seq}"
        text = (
            f"the head {first} was noted outside the store; the line now has "
            f"{self._found[first.seq][0][:12]}…: {since} was changed and all that follow were hashed anew"
        )
        if len(other) > 1:
            text += f" ({len(other)} noted heads differ)"
        self._tell(Tampering.REHASHED, first.seq, text)

    def _tell(self, kind: Tampering, seq: int | None, text: str, row: str | None = None) -> None:
        self.findings.append(Finding(kind, seq, row, text))
