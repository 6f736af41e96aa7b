"""Takes out of a message what must not leave the house: secrets, codes, people's data.

A webhook is a window to the outside: chat rooms, phones, the logs of other people's servers. What is
told there is masked before it is stored, so that what was sent and what the record says are the same.
Patterns cannot know every secret; they take out the shapes that secrets have.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from headgate.plan.model import Plan

HIDDEN = "***"

_NAMED = (
    r"pass(?:word|wd|phrase)?|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|signature|sig|"
    r"credentials?|authorization|auth"
)
#: What is replaced, and by what; in this order.
_SHAPES: tuple[tuple[re.Pattern[str], str], ...] = (
    # user:password@ of a URL
    (re.compile(r"(?<=://)([^/\s:@]*):([^/\s@]+)@"), rf"\1:{HIDDEN}@"),
    # Authorization: Bearer …, Basic …
    (re.compile(r"\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE), rf"\1 {HIDDEN}"),
    # password=…, "token": "…"
    (
        re.compile(
            rf"\b((?:[a-z0-9]+[_-])*(?:{_NAMED}))\b(\"?'?\s*[:=]\s*)(?:\"[^\"]*\"|'[^']*'|[^\s,;&]+)",
            re.IGNORECASE,
        ),
        rf"\1\2{HIDDEN}",
    ),
    # approval codes, as people type them: code 1234 5678, code=12345678
    (re.compile(r"\b(code|otp|pin)(\s*[:=]?\s*)\d{3,4}[ -]?\d{3,4}\b", re.IGNORECASE), rf"\1\2{HIDDEN}"),
    # JSON web tokens, cloud keys, chat tokens, and the base32 secrets of approvers
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*"), HIDDEN),
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"), HIDDEN),
    (re.compile(r"\bxox[a-z]-[\w-]{8,}"), HIDDEN),
    (re.compile(r"\b(?:ghp|gho|ghs|glpat|sk|pk)[_-][A-Za-z0-9_-]{16,}"), HIDDEN),
    (re.compile(r"\b[A-Z2-7]{32,}\b"), HIDDEN),
)
_EMAIL = re.compile(r"\b([\w.%+-])[\w.%+-]*@([\w-]+(?:\.[\w-]+)+)\b")


@dataclass(frozen=True, slots=True)
class Mask:
    """What is hidden in the texts of one plan's rollouts.

    Secrets are hidden always. Values of input columns are hidden wherever a text says
    ``column=value``; those of segment columns are not, because segments are groups that the plan itself
    names to be judged by, and an operator has to know which one is hurt. An e-mail address is shown in
    full only if the message is meant for it; of others the first letter and the domain stay.

    Attributes
    ----------
    columns
        Names of the input columns whose values are hidden.
    shown
        Addresses that are shown.
    """

    columns: tuple[str, ...] = ()
    shown: Collection[str] = ()

    @classmethod
    def of(cls, plan: Plan, shown: Collection[str] = ()) -> Mask:
        """Return the mask for texts about this plan's rollouts."""
        segments = set(plan.segments.by) if plan.segments else set()
        inputs = plan.input.columns if plan.input else ()
        personal = [name for name in (*inputs, plan.unit.entity) if name not in segments]
        return cls(tuple(dict.fromkeys(personal)), tuple(shown))

    def __call__(self, text: str) -> str:
        """Return the text without what must not leave the house.

        Examples
        --------
        >>> mask = Mask(columns=("age",), shown=("owner@example.org",))
        >>> mask("age=81 failed; told owner@example.org and chief@example.org, token=abc")
        'age=*** failed; told owner@example.org and c***@example.org, token=***'
        """
        for shape, instead in _SHAPES:
            text = shape.sub(instead, text)
        for column in self.columns:
            text = re.sub(
                rf"(?<![\w-])({re.escape(column)})(\s*(?:==|=)\s*)(?:'[^']*'|\"[^\"]*\"|[^\s,;)\]]+)",
                rf"\1\2{HIDDEN}",
                text,
            )
        shown = {address.casefold() for address in self.shown}
        return _EMAIL.sub(
            lambda found: found[0] if found[0].casefold() in shown else f"{found[1]}{HIDDEN}@{found[2]}", text
        )


def masked_route(to: str) -> str:
    """Return a route as it may be shown and recorded: always the same for the same route.

    Of a URL only scheme and host stay: who knows the path of a webhook can post to it. Six digits of its
    hash tell two of them apart.

    Examples
    --------
    >>> masked_route("https://hooks.example.org/services/T0/B0/s3cret?token=1")
    'https://hooks.example.org/… #a42757'
    >>> masked_route("block:slack-webhook/on-call")
    'block:slack-webhook/on-call'
    """
    parts = urlsplit(to)
    if parts.scheme not in ("http", "https"):
        return to
    host = parts.netloc.rpartition("@")[2]
    digest = hashlib.sha256(to.encode()).hexdigest()[:6]
    return f"{urlunsplit((parts.scheme, host, '/…', '', ''))} #{digest}"
