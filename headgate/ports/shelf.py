"""The shelf: trained models by name and version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

#: What the files of a version are called on every shelf: the model, its training reference, a sample of its
#: rows, its golden examples, and the profile of what it said to held-out requests.
MODEL, PROFILE, SAMPLE, PARITY, SCORES = "skops", "profile", "sample", "parity", "scores"


@dataclass(frozen=True, slots=True)
class Shelved:
    """One version of a model on the shelf.

    Attributes
    ----------
    card
        The model card, plain JSON: see `headgate.training.card`.
    place
        Where the model's file is, for whoever serves it: a path, or an address of the registry.
    """

    model: str
    version: str
    card: Mapping[str, Any]
    place: str


class Shelf(Protocol):
    """Keeps trained models by name and version. A version never changes once it is there."""

    def put(self, model: str, version: str, parts: Mapping[str, bytes], card: Mapping[str, Any]) -> Shelved:
        """Keep a version: its parts (`MODEL`, `PROFILE` and the others) and its card; all of it or nothing.

        The card is kept with the sha256 of every part. The same card again changes nothing.

        Raises
        ------
        ShelfError
            If there is another model under that version, or the shelf cannot be written to.
        """
        ...

    def find(self, model: str, version: str) -> Shelved | None:
        """Return a version; None if it is not there.

        Raises
        ------
        ShelfError
            If the shelf cannot be read.
        """
        ...

    def all(self, model: str | None = None) -> Sequence[Shelved]:
        """Return all versions, of one model or of all, in the order of model and version."""
        ...

    def read(self, model: str, version: str, part: str) -> bytes | None:
        """Return a part as it was put; None if the version has none.

        Raises
        ------
        ShelfError
            If it is there and is not what the card describes.
        """
        ...
