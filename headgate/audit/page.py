"""The dossier of one rollout as a page for auditors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from headgate.audit.chain import Head
from headgate.audit.check import Checked
from headgate.audit.telling import Event, Part, shown
from headgate.report.document import render


@dataclass(frozen=True, slots=True)
class Dossier:
    """What the page shows.

    Attributes
    ----------
    events
        Every line of this rollout, in the order of the chain.
    checked
        What a check of the whole store said when this was written.
    noted
        How many heads, noted outside the store, the check was held against.
    file, file_hash
        Of the lines that go with the page, and the sha256 of that file.
    """

    rollout: str
    events: Sequence[Event]
    head: Head
    checked: Checked
    noted: int
    file: str
    file_hash: str
    written_at: datetime

    def part(self, part: Part) -> list[Event]:
        """Return the lines about one thing."""
        return [event for event in self.events if event.part is part]

    @property
    def moves(self) -> list[Event]:
        """The lines with which the share or the phase changed, and the plane's word for it."""
        decided = sorted(self.part(Part.DECIDED), key=lambda event: (event.at, event.line.seq))
        return [event for event in decided if event.moved or event.line.kind in ("rollout", "confirmation")]

    @property
    def windows(self) -> list[Event]:
        """The lines of what the models predicted."""
        return [event for event in self.events if event.line.kind == "scored_window"]


def page(one: Dossier) -> str:
    """Return the page as one HTML document."""
    return render("headgate.audit", "dossier.html.j2", {"one": one, "part": Part, "shown": shown})
