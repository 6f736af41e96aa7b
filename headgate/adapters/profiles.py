"""Profiles of windows, kept in the lake beside the exchanges: kilobytes each.

<lake>/profiles/<service>/<window>.profile
"""

from __future__ import annotations

from typing import IO

from headgate.adapters.lake import Lake
from headgate.errors import LakeError
from headgate.profile import Profile, from_bytes, to_bytes


def keep_profile(lake: Lake, owner: str, window: str, profile: Profile) -> Profile:
    """Keep a window's profile, once; return the one that is kept.

    Raises
    ------
    LakeError
        If the disk is full or refuses.
    """
    place = lake.place("profiles", owner, f"{window}.profile")

    def write(file: IO[bytes]) -> None:
        file.write(to_bytes(profile))

    try:
        place.put_once(write)
        return from_bytes(place.read())
    except OSError as err:
        raise LakeError(
            f"{place}: asked to keep a window's profile; found {err}; mend the disk and run the monitor again"
        ) from err


def find_profile(lake: Lake, owner: str, window: str) -> Profile | None:
    """Return a window's profile; None while there is none.

    Raises
    ------
    LakeError
        If it cannot be read.
    """
    place = lake.place("profiles", owner, f"{window}.profile")
    try:
        return from_bytes(place.read()) if place.exists() else None
    except OSError as err:
        raise LakeError(f"{place}: a profile cannot be read: {err}; restore or remove the file") from err
