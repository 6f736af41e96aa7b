"""A trained model as one file: the model and what happens before it. skops writes it: it stores no code.

It is imported where it is used: that takes seconds, and most who import this need no model at all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from headgate.errors import ShelfError, TrainingError
from headgate.training.trained import Trained

#: Types that skops does not know and everybody may trust: the trees of gradient boosting, arrays of nodes.
KNOWN = ("sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",)
#: Whose types a trainer may vouch for besides those of its own package.
_LIBRARIES = ("sklearn", "numpy", "scipy")


def to_bytes(trained: Trained, trainer: str) -> bytes:
    """Return the content of the file: a dictionary of ``estimator`` and ``preprocessing`` (JSON text).

    Raises
    ------
    TrainingError
        If the model holds what cannot be kept without code, or a type that nobody vouches for.
    """
    import skops.io

    stored = {"estimator": trained.model, "preprocessing": json.dumps(trained.preprocessing)}
    try:
        body: bytes = skops.io.dumps(stored)
        unknown = sorted(set(skops.io.get_untrusted_types(data=body)) - set(KNOWN))
    except Exception as err:  # whatever a trainer put in there
        raise TrainingError(
            f"asked to keep the model of {trainer} with skops; found {type(err).__name__}: {err}; return a "
            "fitted scikit-learn estimator, and what else it needs as `preprocessing`"
        ) from err
    own = trainer.partition(":")[0].partition(".")[0]
    strange = [name for name in unknown if name.partition(".")[0] not in (*_LIBRARIES, own)]
    unvouched = [name for name in unknown if name not in trained.trusted]
    if strange or unvouched:
        raise TrainingError(
            f"asked a model of types that are known not to run code; found {', '.join(strange or unvouched)} "
            f"in that of {trainer}; leave it out, or name it in `trusted` if it is of "
            f"{', '.join(_LIBRARIES)} or of your own package"
        )
    return body


def from_bytes(body: bytes, trusted: Sequence[str] = ()) -> tuple[Any, Mapping[str, Any] | None]:
    """Return the model and its preprocessing.

    Parameters
    ----------
    trusted
        Types besides the known ones that the card names; nothing else is built from the file.

    Raises
    ------
    ShelfError
        If it is no such file, or holds another type.
    """
    import skops.io

    try:
        unknown = sorted(set(skops.io.get_untrusted_types(data=body)) - {*KNOWN, *trusted})
    except Exception as err:  # a damaged archive fails in many ways
        raise ShelfError(
            f"asked a model that skops wrote; found {err!r}; restore the file, or train it anew"
        ) from err
    if unknown:
        raise ShelfError(
            f"asked a model of trusted types; found {', '.join(unknown)}; do not serve it, train it anew"
        )
    stored = skops.io.loads(body, trusted=[*KNOWN, *trusted])
    return stored["estimator"], json.loads(stored["preprocessing"])
