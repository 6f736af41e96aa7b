"""Rows of the record as sentences that an auditor reads without knowing the tables."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from headgate.audit.chain import Line
from headgate.report.formats import percent

Values = Mapping[str, Any]


class Part(StrEnum):
    """What a line is about."""

    PREDICTED = "predicted"
    DECIDED = "decided"
    SAID = "said"
    TOLD = "told"
    FROZEN = "frozen"


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the chain with what it vouches for.

    Attributes
    ----------
    at
        The row's own time; the time of writing where it has none.
    verdicts
        Of a tick: what every gate that counted said.
    stand
        Of a tick: its share and phase.
    moved
        Whether that changed with it.
    """

    line: Line
    part: Part
    at: str
    title: str
    details: tuple[str, ...] = ()
    verdicts: tuple[str, ...] = ()
    stand: str = ""
    moved: bool = False


def event_of(line: Line, rows: Sequence[Values], before: Event | None = None) -> Event:
    """Return what a line says.

    Parameters
    ----------
    rows
        The row as it is now, of evidence all of them; none if it is gone.
    before
        The newest event of the same slice's ledger, to see what moved.
    """
    part, tell = _TOLD.get(line.kind, (Part.FROZEN, _unknown))
    if not rows:
        return Event(line, part, line.at, f"{line.kind}: the row is gone")
    row, verdicts = rows[0], []
    try:
        title, details = tell(row) if line.kind != "evidence" else _evidence(rows)
        if line.kind == "ledger":
            verdicts = [_verdict(one) for one in _value(row)["verdicts"] if one["applies"]]
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):  # whatever tampering left there
        title, details = f"{line.kind}: the row cannot be read", ()
    at = next((row[name] for name in _TIMES if isinstance(row.get(name), str)), line.at)
    stand = f"{row['share_bp']} {row['phase']}" if line.kind == "ledger" else ""
    moved = bool(stand) and (before is None or before.stand != stand)
    return Event(line, part, at, title, tuple(filter(None, details)), tuple(verdicts), stand, moved)


def shown(at: str) -> str:
    """Return a recorded instant as people read it.

    Examples
    --------
    >>> shown("2013-07-04T13:00:00.000000Z"), shown("2013-07-04T13:00:05.250000Z"), shown("nonsense")
    ('2013-07-04 13:00 UTC', '2013-07-04 13:00:05 UTC', 'nonsense')
    """
    if len(at) != 27 or not at.endswith("Z"):
        return at
    seconds = "" if at[17:26] == "00.000000" else at[16:19]
    return f"{at[:10]} {at[11:16]}{seconds} UTC"


_TIMES = ("at", "scored_at", "saved_at", "opened_at")
_Told = tuple[str, Sequence[str]]


def _plan(row: Values) -> _Told:
    body = json.loads(row["body"])
    who = f"written by {body['author']}" if body.get("author") else ""
    return f"plan {row['name']} frozen", (f"plan hash {row['hash']}", who)


def _rollout(row: Values) -> _Told:
    what = f"candidate version {row['candidate_version']} on {row['service']}, attempt {row['attempt']}"
    return f"rollout {row['id']} opened by {row['opened_by']}", (what, f"plan hash {row['plan_hash']}")


def _slice(row: Values) -> _Told:
    return f"slice {row['name']}", ()


def _ledger(row: Values) -> _Told:
    move = row["move"].replace("_", " ")
    where = f"{row['phase'].replace('_', ' ')} at {percent(row['share_bp'])}"
    return f"tick {row['tick']}{_slice_name(row)}: {move}; {where}", (
        *_value(row)["decision"]["reasons"],
        f"flow run {row['flow_run_id']}",
    )


def _verdict(one: Values) -> str:
    return f"{one['verdict'].replace('_', ' ')} ({one['role']}): {one['reason']}"


def _value(row: Values) -> Any:
    return json.loads(row["body"])["value"]


def _confirmation(row: Values) -> _Told:
    share = percent(row["share_bp"])
    return f"the plane serves {share} to the candidate{_slice_name(row)}", (
        f"generation {row['generation']}, step {row['step']}, entry {row['entry']}",
    )


def _window(row: Values) -> _Told:
    counts = ", ".join(f"{name} {count:,}" for name, count in json.loads(row["counts"]).items() if count)
    title = f"both models answered the requests of {shown(row['start'])} to {shown(row['until'])}"
    return title, (counts, f"exchanges {row['path']}", f"digest {row['digest']}")


def _evidence(rows: Sequence[Values]) -> _Told:
    gates = sorted({str(row["gate"]) for row in rows})
    times = sorted(str(row["batch"]) for row in rows)
    return f"evidence: {len(rows):,} sums", (
        f"of {', '.join(gates)}",
        f"{shown(times[0])} to {shown(times[-1])}",
    )


def _approval(row: Values) -> _Told:
    said = row["answer"].replace("_", " ")
    title = f"{row['approver']} answers {said} to step {row['step']}{_slice_name(row)}"
    bound = (
        f"question {row['attempt']}, plan {row['plan_hash'][:12]}, evidence {row['digest'][:12] or 'none'}"
    )
    return title, (row["comment"], f"bound to {bound}")


def _button(row: Values) -> _Told:
    return f"{row['pressed_by']} orders {row['verb']}{_slice_name(row)}", (row["reason"],)


def _acted(row: Values) -> _Told:
    return f"tick {row['tick']} acts on order {row['button_id']}{_slice_name(row)}", ()


def _said(row: Values) -> _Told:
    taken = "taken: the code was right" if row["accepted"] else "refused"
    title = f"{row['person']} gives the answer {row['answer']}: {taken}"
    return title, (row["reason"], f"request {row['request']}", f"by {row['origin']}")


def _signoff(row: Values) -> _Told:
    answers = json.loads(row["answers"]) if row["answers"] else {}
    told = [f"{name}: {answer}" for name, answer in answers.items()] if isinstance(answers, dict) else []
    return f"{row['name']} signs as {row['role']}, until {shown(row['expires_at'])}", (row["comment"], *told)


def _approver(row: Values) -> _Told:
    return f"{row['by']}: {row['verb']} {row['name']} as approver", (row.get("reason", ""),)


def _alert(row: Values) -> _Told:
    value = _value(row)
    return f"alert {row['id']} ({row['kind']}): {value['subject']}", (value["text"],)


def _delivery(row: Values) -> _Told:
    went = "delivered" if row["ok"] else "not delivered"
    return f"alert {row['alert_id']} {went} to {row['route']}", (row["detail"],)


def _incident(row: Values) -> _Told:
    return f"incident ({row['kind']})", (row["text"],)


def _fact(row: Values) -> _Told:
    return f"frozen: {row['name']}", (row["value"],)


def _monitored(row: Values) -> _Told:
    span = f"{shown(row['since'])} to {shown(row['until'])}"
    title = f"{row['service']}: {row['kind']} of {span}: {row['verdict'].replace('_', ' ')}"
    served = f"served by version {row['version']}" if row["version"] else ""
    return title, (served, *(str(one) for one in json.loads(row["body"]).get("reasons", ())))


def _retraining(row: Values) -> _Told:
    return f"retraining of {row['service']} begins, by {row['trigger']}", (f"asked by {row['origin']}",)


def _retrained(row: Values) -> _Told:
    said = "accepted" if row["accepted"] else "refused"
    version = f"version {row['version']}" if row["version"] else ""
    return f"retraining {row['retraining_id']}: its model is {said}", (row["reason"], version)


def _unknown(row: Values) -> _Told:
    return "a row", tuple(f"{name}: {value}" for name, value in row.items())


def _slice_name(row: Values) -> str:
    return "" if row["slice"] == "all" else f" [{row['slice']}]"


_TOLD: dict[str, tuple[Part, Callable[[Any], _Told]]] = {
    "plan": (Part.FROZEN, _plan),
    "rollout": (Part.DECIDED, _rollout),
    "slice": (Part.FROZEN, _slice),
    "ledger": (Part.DECIDED, _ledger),
    "confirmation": (Part.DECIDED, _confirmation),
    "scored_window": (Part.PREDICTED, _window),
    "evidence": (Part.PREDICTED, _evidence),
    "approval": (Part.SAID, _approval),
    "button": (Part.SAID, _button),
    "acted": (Part.DECIDED, _acted),
    "said": (Part.SAID, _said),
    "signoff": (Part.SAID, _signoff),
    "approver": (Part.SAID, _approver),
    "alert": (Part.TOLD, _alert),
    "delivery": (Part.TOLD, _delivery),
    "incident": (Part.TOLD, _incident),
    "fact": (Part.FROZEN, _fact),
    "monitored": (Part.PREDICTED, _monitored),
    "retraining": (Part.DECIDED, _retraining),
    "retrained": (Part.DECIDED, _retrained),
}
