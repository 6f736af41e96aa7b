"""What is sent: alerts of one kind about one rollout become one message on each route."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from headgate.alerts.alert import Alert
from headgate.report.formats import when
from headgate.report.words import listed

#: How many of the collapsed alerts a message lists.
_LISTED = 10
_PERHAPS = "(This may have reached you before: the process that sent it died before it knew.)"


@dataclass(frozen=True, slots=True)
class Message:
    """One message, ready to be sent.

    Attributes
    ----------
    keys
        Of the alerts in it; whoever gets a message twice knows it by them.
    audit_head
        ``seq:hash`` of the audit chain: kept outside the store it proves that the record was not cut.
    page
        Where the rollout's page is served; empty where that is not known.
    """

    subject: str
    text: str
    alerts: tuple[Alert, ...]
    audit_head: str
    page: str = ""

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of its alerts."""
        return tuple(alert.key for alert in self.alerts)

    def body(self) -> dict[str, Any]:
        """Return the message as JSON; ``text`` is what Slack and its kin show."""
        last = self.alerts[-1]
        return {
            "text": f"{self.subject}\n{self.text}",
            "subject": self.subject,
            "kind": last.kind.value,
            "rollout": last.rollout,
            "service": last.service,
            "slice": last.slice,
            "at": when(last.at),
            "to": list(last.to),
            "facts": dict(last.facts),
            "alerts": len(self.alerts),
            "keys": list(self.keys),
            "page": self.page,
            "audit_head": self.audit_head,
        }


def message_of(
    alerts: Sequence[Alert], audit_head: str, *, page: str = "", perhaps_told: bool = False
) -> Message:
    """Return one message for alerts of one kind about one rollout, oldest first."""
    last = alerts[-1]
    subject = (
        last.subject
        if len(alerts) == 1
        else f"{len(alerts)} \N{MULTIPLICATION SIGN} {last.kind.value}: {last.subject}"
    )
    lines = [_PERHAPS] if perhaps_told else []
    if len(alerts) > 1:
        left = len(alerts) - _LISTED
        lines += [f"- {when(alert.at)} {alert.subject}" for alert in alerts[-_LISTED:]]
        lines += [f"- and {left} before"] if left > 0 else []
        lines += ["The last one:"]
    lines += [last.text, f"When: {when(last.at)}"]
    if last.to:
        lines += [f"For: {listed(last.to)}"]
    lines += [f"Page: {page}"] if page else []
    lines += [f"Audit head: {audit_head}"]
    return Message(subject, "\n".join(lines), tuple(alerts), audit_head, page)
