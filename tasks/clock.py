"""What time it is: the machine's, or the played one of a stack that lives in another year."""

from __future__ import annotations

from datetime import datetime

from tasks import wiring


def the_time(given: datetime | None = None) -> datetime:
    """Return the time given, else that of the clock in use; aware UTC."""
    return given or wiring.clock()()
