"""Models in a folder or a bucket: a file per part, and the card beside it, written last.

    <root>/<model>/gbm-3.skops  gbm-3.profile  gbm-3.sample  gbm-3.json

A version is there when its card is: parts without one are left over from a write that was cut off.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from headgate.adapters.places import Place
from headgate.errors import InputError, ShelfError
from headgate.ports import MODEL, Shelved

_CARD = ".json"
_SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")


class FolderShelf:
    """A `headgate.ports.Shelf` of files."""

    def __init__(self, root: Place) -> None:
        self._root = root

    def put(self, model: str, version: str, parts: Mapping[str, bytes], card: Mapping[str, Any]) -> Shelved:
        """Keep a version: see `headgate.ports.Shelf`."""
        folder = self._root / _named(model)
        full = described(model, version, parts, card)
        try:
            if (known := self.find(model, version)) is not None:
                return same(known, full)
            for part, body in parts.items():
                _replace(folder / f"{_named(version)}.{part}", body)
            text = json.dumps(full, indent=2) + "\n"
            (folder / f"{_named(version)}{_CARD}").put_once(lambda file: file.write(text.encode()))
        except (OSError, pa.ArrowException) as err:
            raise ShelfError(
                f"asked to keep {model} {version} in {folder}; found {err}; make the folder writable, or set "
                "HEADGATE_SHELF to another one"
            ) from err
        kept = self.find(model, version)
        if kept is None:
            raise ShelfError(f"{model} {version} was kept in {folder} and is gone; mend the disk, try again")
        for part in kept.card["parts"]:
            self.read(model, version, part)  # somebody else may have written at the very same time
        return same(kept, full)

    def find(self, model: str, version: str) -> Shelved | None:
        """Return a version: see `headgate.ports.Shelf`."""
        at = self._root / _named(model) / f"{_named(version)}{_CARD}"
        try:
            if not at.exists():
                return None
            return self._shelved(model, version, json.loads(at.read()))
        except (OSError, ValueError, pa.ArrowException) as err:
            raise ShelfError(f"asked the card {at}; found {err}; restore or remove it") from err

    def all(self, model: str | None = None) -> Sequence[Shelved]:
        """Return all versions: see `headgate.ports.Shelf`."""
        names = [model] if model is not None else self._models()
        found = []
        for name in names:
            for card in (self._root / _named(name)).files(_CARD):
                version = str(card).rpartition("/")[2].removesuffix(_CARD)
                if (one := self.find(name, version)) is not None:
                    found.append(one)
        return sorted(found, key=lambda one: (one.model, by_number(one.version)))

    def read(self, model: str, version: str, part: str) -> bytes | None:
        """Return a part: see `headgate.ports.Shelf`."""
        kept = self.find(model, version)
        if kept is None or part not in kept.card.get("parts", {}):
            return None
        at = self._root / _named(model) / f"{_named(version)}.{part}"
        try:
            body = at.read()
        except (OSError, pa.ArrowException) as err:
            raise ShelfError(f"asked {at}, which its card names; found {err}; restore it") from err
        return checked(kept, part, body)

    def _shelved(self, model: str, version: str, card: Mapping[str, Any]) -> Shelved:
        return Shelved(model, version, card, str(self._root / _named(model) / f"{_named(version)}.{MODEL}"))

    def _models(self) -> list[str]:
        return [one.shown.rpartition("/")[2] for one in self._root.folders()]


def described(
    model: str, version: str, parts: Mapping[str, bytes], card: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the card with what it is the card of."""
    hashes = {part: hashlib.sha256(body).hexdigest() for part, body in sorted(parts.items())}
    named = {"name": model, "version": version}
    # What serves a file checks this one key, whatever else is beside it.
    own = {"file_sha256": hashes[MODEL]} if MODEL in hashes else {}
    return {**card, **named, **own, "parts": hashes}


def same(kept: Shelved, asked: Mapping[str, Any]) -> Shelved:
    """Return what is kept, if it was made of the same; else somebody else's model has this version.

    Raises
    ------
    ShelfError
        If it is another model.
    """
    if kept.card.get("fingerprint") == asked.get("fingerprint") and kept.card.get("parts"):
        return kept
    raise ShelfError(
        f"asked to keep {kept.model} {kept.version}; {kept.place} is another model of that version; versions "
        "never change: keep the new one under another"
    )


def checked(kept: Shelved, part: str, body: bytes) -> bytes:
    """Return a part, if it is what the card describes.

    Raises
    ------
    ShelfError
        If it is not.
    """
    found = hashlib.sha256(body).hexdigest()
    if found != kept.card["parts"][part]:
        raise ShelfError(
            f"asked the {part} of {kept.model} {kept.version}; it is not what the card describes "
            f"({found[:12]}, the card says {kept.card['parts'][part][:12]}); restore it, do not use it"
        )
    return body


def by_number(version: str) -> tuple[tuple[str, int], ...]:
    """Return what versions are sorted by: gbm-10 comes after gbm-9.

    Examples
    --------
    >>> sorted(["gbm-10", "gbm-9", "gbm"], key=by_number)
    ['gbm', 'gbm-9', 'gbm-10']
    """
    return tuple((word, int(number or 0)) for word, number in re.findall(r"([^0-9]*)([0-9]*)", version))


def _replace(at: Place, body: bytes) -> None:
    """Put a part in place; what is there without a card was never a version."""
    if at.exists():
        at.remove()
    at.put_once(lambda file: file.write(body))


def _named(text: str) -> str:
    """Return a model's name or version as a name of a file."""
    if not text or text[0] in "._" or not set(text) <= _SAFE:
        raise InputError(
            f"asked a name of letters, digits, dashes, dots and underscores for the shelf; found {text!r}"
        )
    return text
