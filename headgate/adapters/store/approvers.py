"""Who may approve: enrolments and revocations, appended; of one person the newest row counts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, text
from sqlmodel import Session, col, select

from headgate.adapters.codec import stamp
from headgate.adapters.store.engine import reading, writing
from headgate.adapters.store.tables import ApproverRow
from headgate.errors import InputError
from headgate.rollout.questions import person

_ENROL, _REPLACE, _REVOKE = "enrol", "replace", "revoke"
#: Names that the record uses for itself.
RESERVED = frozenset({"prefect", "nobody"})
# Any number of our own, as long as every Headgate takes the same one ("enrol" in ASCII).
_ENROLLING = 0x656E726F6C


@dataclass(frozen=True, slots=True)
class Approver:
    """Somebody who is, or was, enrolled.

    Attributes
    ----------
    name
        As written at the enrolment.
    active
        Whether codes of this person are taken now.
    by, reason, at
        Who enrolled or revoked them last, why, and when.
    """

    name: str
    active: bool
    by: str
    reason: str
    at: datetime


def enrol(
    engine: Engine, name: str, by: str, at: datetime, sealed: str, *, replace: str | None = None
) -> Approver:
    """Record that somebody may approve, with their encrypted secret.

    Parameters
    ----------
    replace
        Why an active enrolment is replaced; None: it must not be there.

    Raises
    ------
    InputError
        If a name is missing or reserved, or the person is enrolled and no reason to replace is given.
    """
    name, by = _named(name), _named(by, "who enrols")
    with writing(engine) as session:
        _one_at_a_time(session)
        known = _newest(session, name)
        active = known is not None and known.active
        if active and not (replace or "").strip():
            assert known is not None  # noqa: S101 - it is active
            raise InputError(
                f"asked to enrol {name}; {known.by} enrolled them at {stamp(known.at)}; codes of the old "
                f"secret would end: `headgate approver add {name} --replace REASON` does that"
            )
        return _append(session, name, _REPLACE if active else _ENROL, sealed, by, replace or "", at)


def revoke(engine: Engine, name: str, by: str, reason: str, at: datetime) -> Approver:
    """Record that somebody's codes are taken no more. What they said before stands.

    Raises
    ------
    InputError
        If they are not enrolled, or nobody or no reason is named.
    """
    name, by = _named(name), _named(by, "who revokes")
    if not reason.strip():
        raise InputError(f"asked a reason to revoke {name}; found nothing; give one")
    with writing(engine) as session:
        _one_at_a_time(session)
        known = _newest(session, name)
        if known is None or not known.active:
            raise InputError(f"asked to revoke {name}; found no such enrolment; {_enrolled(session)}")
        return _append(session, known.name, _REVOKE, "", by, reason.strip(), at)


def approvers(engine: Engine) -> tuple[Approver, ...]:
    """Return everybody who ever was enrolled as they stand now, in order of name."""
    with reading(engine) as session:
        return _all(session)


def sealed_secret(engine: Engine, name: str) -> str | None:
    """Return the encrypted secret of somebody who may approve now; None: nobody of that name may."""
    with reading(engine) as session:
        row = _row(session, name)
        return row.secret if row is not None and row.verb != _REVOKE else None


def _named(name: str, what: str = "the name of an approver") -> str:
    if len(name.strip()) < 3 or person(name) in RESERVED:
        raise InputError(f"asked {what}; found {name!r}; write an address, e.g. chief@example.org")
    return name.strip()


def _one_at_a_time(session: Session) -> None:
    if session.get_bind().dialect.name == "postgresql":
        # Nothing of a person who is not enrolled could be locked; SQLite's write lock is for all anyway.
        session.connection().execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ENROLLING})


def _append(
    session: Session, name: str, verb: str, sealed: str, by: str, reason: str, at: datetime
) -> Approver:
    row = ApproverRow(
        person=person(name), name=name, verb=verb, secret=sealed, by=by, reason=reason.strip(), at=at
    )
    session.add(row)
    session.flush()
    return _value(row)


def _row(session: Session, name: str) -> ApproverRow | None:
    query = select(ApproverRow).where(ApproverRow.person == person(name))
    return session.exec(query.order_by(col(ApproverRow.id).desc()).limit(1)).one_or_none()


def _newest(session: Session, name: str) -> Approver | None:
    row = _row(session, name)
    return None if row is None else _value(row)


def _all(session: Session) -> tuple[Approver, ...]:
    rows = {row.person: row for row in session.exec(select(ApproverRow).order_by(col(ApproverRow.id)))}
    return tuple(_value(rows[key]) for key in sorted(rows))


def _enrolled(session: Session) -> str:
    names = [one.name for one in _all(session) if one.active]
    return f"enrolled are {', '.join(names)}" if names else "nobody is enrolled"


def _value(row: ApproverRow) -> Approver:
    return Approver(row.name, row.verb != _REVOKE, row.by, row.reason, row.at)
