"""What the next version is called."""

from __future__ import annotations

import re
from collections.abc import Iterable

_NUMBERED = re.compile(r"^(.*?)([0-9]+)$")


def next_version(current: str, known: Iterable[str]) -> str:
    """Return the current version with a higher number than any known version of its name.

    Parameters
    ----------
    current
        The version whose successor is made.
    known
        Every version there ever was: on the shelf, in a plan.

    Examples
    --------
    >>> next_version("gbm-2", ["gbm-2", "logistic-1"]), next_version("gbm-2", ["gbm-2", "gbm-11"])
    ('gbm-3', 'gbm-12')
    >>> next_version("prod", [])
    'prod-2'
    """
    stem, number = _split(current)
    numbers = [n for one in known for name, n in [_split(one)] if name == stem]
    return f"{stem}{max([number, *numbers]) + 1}"


def _split(version: str) -> tuple[str, int]:
    found = _NUMBERED.match(version)
    return (found[1], int(found[2])) if found else (f"{version}-", 1)
