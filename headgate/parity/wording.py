"""What came of a comparison, in sentences."""

from __future__ import annotations

from typing import Any

from headgate.parity.compare import Difference, Parity
from headgate.parity.golden import Slip

#: Rows that are listed; of more their number is said.
_LISTED = 8


def told(found: Parity, version: str = "") -> tuple[str, ...]:
    """Return a sentence for each difference, and one about the answers; one in all where nothing differs.

    Examples
    --------
    >>> told(Parity(64, (), (), None, "ab" * 32), "gbm-2")
    ('gbm-2 does with 64 golden examples what was recorded (steps abababababab)',)
    """
    name = f"{version} " if version else ""
    if not found.differences:
        steps = f" (steps {found.fingerprint[:12]})" if found.fingerprint else ""
        return (f"{name}does with {found.rows} golden examples what was recorded{steps}",)
    said = [_said(one, found.rows) for one in found.differences]
    if found.answers:
        by = f", by up to {found.furthest:.3g}" if found.furthest is not None else ""
        which = _rows(found.answers, found.rows)
        said.append(f"{name}answers otherwise than recorded in {which}{by}")
    else:
        said.append(f"{name}answers all {found.rows} golden examples as recorded")
    return tuple(said)


def in_a_line(found: Parity, version: str = "") -> str:
    """Return all of it in one line."""
    return "; ".join(told(found, version))


def to_json(found: Parity) -> dict[str, Any]:
    """Return plain JSON values; rows are counted from 0."""
    return {
        "holds": found.holds,
        "rows": found.rows,
        "fingerprint": found.fingerprint,
        "differences": [
            {"slip": one.slip.value, "step": one.step or None, "said": one.said, "rows": list(one.rows)}
            for one in found.differences
        ],
        "answers": list(found.answers),
        "furthest": found.furthest,
    }


def _said(one: Difference, n: int) -> str:
    step = f"step {one.step} " if one.step else ""
    if not one.rows or one.slip is Slip.ANSWERS:
        return f"{step}{one.said}"
    verb = "changes" if one.slip in (Slip.DROPPED, Slip.ADDED) else "differs in"
    return f"{step}{one.said} ({verb} {_rows(one.rows, n)})"


def _rows(rows: tuple[int, ...], n: int) -> str:
    """Return which golden rows, counted from 0.

    Examples
    --------
    >>> _rows((0, 3), 64), _rows(tuple(range(64)), 64)
    ('2 of 64 golden rows (0, 3)', 'all 64 golden rows')
    """
    if len(rows) == n:
        return f"all {n} golden rows"
    listed = f" ({', '.join(map(str, rows))})" if len(rows) <= _LISTED else ""
    return f"{len(rows)} of {n} golden rows{listed}"
