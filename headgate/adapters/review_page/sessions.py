"""Who is signed in. Kept in this process: whoever restarts it signs everybody out."""

from __future__ import annotations

import hmac
import math
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

#: Seconds of idling that end a session; seconds in which a sign-in must be finished.
IDLE, ASKED_FOR = 8 * 3600.0, 600.0
#: So many wrong codes of one person within this many seconds lock that person out for as long.
MOST_WRONG, LOCKED_FOR = 5, 900.0
#: Sign-ins begun and not finished that are remembered.
_MOST_ASKED = 1_000


@dataclass
class Session:
    """Somebody who is signed in; ``token`` is what their forms must carry."""

    reviewer: str
    token: str
    until: float
    last: int | None = None  # the case they decided last, which they may take back


@dataclass
class Sessions:
    """Sign-ins under way and sessions, by secrets that only the browser knows."""

    monotonic: Callable[[], float] = time.monotonic
    _sessions: dict[str, Session] = field(default_factory=dict)
    _asked: dict[str, float] = field(default_factory=dict)
    _wrong: dict[str, list[float]] = field(default_factory=dict)

    def begin(self) -> str:
        """Return the name of a sign-in, which a code is computed for once."""
        now = self.monotonic()
        self._asked = {name: at for name, at in self._asked.items() if now - at < ASKED_FOR}
        while len(self._asked) >= _MOST_ASKED:
            self._asked.pop(next(iter(self._asked)))
        name = f"review/sign-in/{secrets.token_hex(6)}"
        self._asked[name] = now
        return name

    def finish(self, name: str) -> bool:
        """Return whether this sign-in was begun lately and not used; it is used now."""
        at = self._asked.pop(name, None)
        return at is not None and self.monotonic() - at < ASKED_FOR

    def locked(self, person: str) -> bool:
        """Return whether too many wrong codes of this person came lately."""
        since = self.monotonic() - LOCKED_FOR
        recent = [at for at in self._wrong.get(person, []) if at > since]
        self._wrong = {**self._wrong, person: recent} if recent else self._without(person)
        return len(recent) >= MOST_WRONG

    def note_wrong(self, person: str) -> None:
        """Count a wrong code against a person."""
        self._wrong.setdefault(person, []).append(self.monotonic())

    def open(self, reviewer: str, *, forever: bool = False) -> str:
        """Sign somebody in; return the secret for their browser's cookie."""
        now = self.monotonic()
        self._sessions = {key: one for key, one in self._sessions.items() if one.until > now}
        key = secrets.token_urlsafe(32)
        self._sessions[key] = Session(
            reviewer, secrets.token_urlsafe(24), math.inf if forever else now + IDLE
        )
        return key

    def get(self, key: str | None) -> Session | None:
        """Return whose session this is; None where it is none, or not any more."""
        found = self._sessions.get(key or "")
        if found is None or found.until <= self.monotonic():
            return None
        found.until = max(found.until, self.monotonic() + IDLE)
        return found

    def close(self, key: str | None) -> None:
        """Sign somebody out."""
        self._sessions.pop(key or "", None)

    def _without(self, person: str) -> dict[str, list[float]]:
        return {name: times for name, times in self._wrong.items() if name != person}


def same(given: str, token: str) -> bool:
    """Return whether a form carries the token of its session."""
    return hmac.compare_digest(given.encode(), token.encode())
