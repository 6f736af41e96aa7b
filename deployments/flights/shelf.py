"""The example's models on Headgate's shelf: model and preprocessing in one file, and a card beside it.

``delays/gbm-2.skops`` holds the estimator and its steps, so neither travels without the other. ``gbm-2.json``
is the card: what it is, what it was trained on, how well it did. ``gbm-2.profile`` is what it learned from,
for the monitor. skops stores no code, unlike pickle; a type outside `TRUSTED` is refused before anything is
built.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from deployments.flights.preprocessing import Columns, Floats, Preprocessing
from headgate.errors import InputError
from headgate.ports import MODEL

TRUSTED = ("sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",)
"""Types skops does not know and we do: the trees of gradient boosting, an array of nodes each."""


@dataclass(frozen=True, slots=True)
class Shelved:
    """A model as it was trained, with everything it needs to answer.

    Attributes
    ----------
    estimator
        A fitted scikit-learn classifier; its second class is ``late``.
    preprocessing
        Turns n requests into its n x k matrix.
    card
        See `save`.
    """

    estimator: Any
    preprocessing: Preprocessing
    card: Mapping[str, Any]

    def probability(self, columns: Columns) -> Floats:
        """Return the n chances, in [0, 1], that n flights arrive late."""
        chances: Floats = self.estimator.predict_proba(self.preprocessing.matrix(columns))[:, 1]
        return chances


def save(
    shelf: Path,
    estimator: Any,
    preprocessing: Preprocessing,
    card: Mapping[str, Any],
    parts: Mapping[str, bytes] = MappingProxyType({}),
) -> Path:
    """Put model and card on the shelf, and return the path of the model.

    ``card`` names at least ``name`` and ``version``; the features, the fingerprint of the preprocessing and
    the sha256 of the file are added. The file's bytes differ from one training to the next, as skops writes
    times and object numbers into them; what the model answers does not. A version that is there stays.

    Parameters
    ----------
    parts
        What is kept beside the model, e.g. the profile of what it learned from.
    """
    import skops.io  # takes seconds: for those who save or load, not for all who import this

    from headgate.adapters.places import place_of  # not for the servers, which only load
    from headgate.adapters.shelf import FolderShelf

    stored = {"estimator": estimator, "preprocessing": json.dumps(preprocessing.to_json())}
    full = {
        **card,
        "features": list(preprocessing.features),
        "steps": [step.name for step in preprocessing.steps],
        "preprocessing_sha256": preprocessing.fingerprint,
    }
    everything = {MODEL: skops.io.dumps(stored), **parts}
    return Path(FolderShelf(place_of(shelf)).put(card["name"], card["version"], everything, full).place)


def load(path: Path) -> Shelved:
    """Return the model at ``path`` with the card beside it.

    Raises
    ------
    InputError
        If model or card is missing, the file is not the one the card describes, or it holds a type that
        is not trusted.
    """
    card_path = path.with_suffix(".json")
    for needed in (path, card_path):
        if not needed.is_file():
            raise InputError(f"asked for {needed}, it is not there; train the models first")
    import skops.io

    card = json.loads(card_path.read_text(encoding="utf-8"))
    if card.get("file_sha256") != _sha256(path):
        raise InputError(f"{path} is not the file that {card_path.name} describes; train the model again")
    unknown = sorted(set(skops.io.get_untrusted_types(file=path)) - set(TRUSTED))
    if unknown:
        raise InputError(f"{path} holds types that are not trusted: {', '.join(unknown)}; do not serve it")
    stored = skops.io.load(path, trusted=list(TRUSTED))
    return Shelved(stored["estimator"], Preprocessing.from_json(json.loads(stored["preprocessing"])), card)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
