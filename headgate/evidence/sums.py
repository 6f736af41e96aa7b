"""The sums: what is kept of many requests, one kind per sort of gate."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from headgate.errors import EvidenceError


@dataclass(frozen=True, slots=True)
class BlockSum:
    """One closed block of a paired loss: a single value per variant, not a sum over requests.

    ``D`` is candidate loss minus incumbent loss of one request. The value of a block is the mean over
    entities of each entity's mean ``D``; entities fold sorted by name with ``math.fsum``.

    Attributes
    ----------
    worst
        Block mean with every missing label taken at its worst for the candidate (judges advancing).
    best
        The same at its best for the candidate (judges rolling back).
    observed
        Block mean over labelled pairs only (shown, never judged unless nothing is missing).
    entities
        Entities with at least one pair.
    pairs
        Requests with both answers and a label.
    missing
        Requests with both answers but no label when the block closed (excluded ones not counted).
    excluded
        Unlabelled requests that the plan excludes, with its reason.
    unpaired
        Requests where one side did not answer: no pair, counted by the error and coverage gates.
    spread
        Sum over entities of (entity mean - ``observed``) squared; gives the design effect.
    cap
        Largest loss counted, in the metric's unit; None where the loss is bounded by itself.
    capped
        Losses of either side above the cap.
    largest
        Requests with both answers of the entity that has most of them.
    worst_with_excluded, best_with_excluded
        What ``worst`` and ``best`` were if the excluded requests counted as missing; None where none is.

    Under an audit every value is weighted by A / q: zero for a request that was not drawn.
    """

    worst: float
    best: float
    observed: float
    entities: int
    pairs: int
    missing: int = 0
    excluded: int = 0
    unpaired: int = 0
    spread: float = 0.0
    cap: float | None = None
    capped: int = 0
    largest: int = 0
    worst_with_excluded: float | None = None
    best_with_excluded: float | None = None


@dataclass(frozen=True, slots=True)
class UnitSum:
    """Independent units of one hour (``block: none``): counts of ``D`` on a grid of 2**-12.

    ``worst`` and ``best`` hold (grid index, count) sorted by index. ``worst`` is rounded up and
    ``best`` down, so the counts stay valid for both e-processes and merge exactly. For a 0/1 loss
    the grid holds -4096, 0 and 4096 and nothing is rounded. The grid is of 2**-12 x ``scale``, the largest
    difference there can be: the range of the loss or its cap, over q under an audit; it is the same in
    every hour of a gate.
    """

    worst: tuple[tuple[int, int], ...]
    best: tuple[tuple[int, int], ...]
    missing: int = 0
    excluded: int = 0
    unpaired: int = 0
    scale: float = 1.0
    capped: int = 0


@dataclass(frozen=True, slots=True)
class UnpairedSum:
    """Entities of one closed block (or hour, under ``block: none``) of a live split, by side.

    Every entity counts once per rollout: in the block of its first exposure to the split, by its mean
    over that block. Each grid holds (index, count) sorted by index, the index in units of 2**-12 x
    ``scale``. ``worst`` is rounded (and missing labels taken) against the candidate: its own losses up,
    the incumbent's down; ``best`` the other way.
    ``unanswered`` counts requests whose side gave no usable answer (or amount): they are left out. A sum
    without any entity says that requests came and nobody new was among them.
    """

    candidate_worst: tuple[tuple[int, int], ...] = ()
    candidate_best: tuple[tuple[int, int], ...] = ()
    incumbent_worst: tuple[tuple[int, int], ...] = ()
    incumbent_best: tuple[tuple[int, int], ...] = ()
    missing: int = 0
    excluded: int = 0
    scale: float = 1.0
    capped: int = 0
    unanswered: int = 0


@dataclass(frozen=True, slots=True)
class CalibrationSum:
    """The candidate's probabilities of one closed block, held against what happened, by bin.

    ``bins`` holds (bin, requests, mean of label - probability), sorted by bin; bin i of 10 is
    [i / 10, (i + 1) / 10), the last one closed. Missing labels are left out and counted.
    """

    bins: tuple[tuple[int, int, float], ...]
    missing: int = 0


@dataclass(frozen=True, slots=True)
class RateSum:
    """``x`` events among ``n`` requests of one hour."""

    n: int
    x: int


@dataclass(frozen=True, slots=True)
class LatencyPairSum:
    """Mirrored requests of one hour: discordant pairs of both bets.

    ``adv_c``: candidate above ratio x tau and incumbent not above tau; ``adv_i``: the reverse.
    ``rb_c`` and ``rb_i``: the same with the candidate held against tolerate x tau.
    ``n`` is all pairs.
    """

    n: int
    adv_c: int
    adv_i: int
    rb_c: int
    rb_i: int


@dataclass(frozen=True, slots=True)
class LatencySplitSum:
    """Live requests of one hour at one share.

    Attributes
    ----------
    n1, n0
        Requests assigned to the candidate and to the incumbent.
    c_adv, c_rb
        Of ``n1``: slower than ratio x tau, slower than tolerate x tau.
    i_tau
        Of ``n0``: slower than tau.
    """

    n1: int
    n0: int
    c_adv: int
    c_rb: int
    i_tau: int


@dataclass(frozen=True, slots=True)
class SplitSum:
    """Distinct entities first seen on this step entry, by side (sample ratio)."""

    n1: int
    n0: int


@dataclass(frozen=True, slots=True)
class TrafficSum:
    """Live requests of one hour, as callers were served. Told, never judged.

    Attributes
    ----------
    n1, n0
        Requests assigned to the candidate and to the incumbent.
    fallbacks
        Of ``n1``: answered by the incumbent.
    failed
        Of both: answered by nobody, or with a server error.
    """

    n1: int
    n0: int
    fallbacks: int
    failed: int


Sums = (
    BlockSum
    | UnitSum
    | UnpairedSum
    | CalibrationSum
    | RateSum
    | LatencyPairSum
    | LatencySplitSum
    | SplitSum
    | TrafficSum
)
_KINDS: dict[str, type[Sums]] = {
    "block": BlockSum,
    "unit": UnitSum,
    "unpaired": UnpairedSum,
    "calibration": CalibrationSum,
    "rate": RateSum,
    "latency_pair": LatencyPairSum,
    "latency_split": LatencySplitSum,
    "split": SplitSum,
    "traffic": TrafficSum,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}


def to_json(sums: Sums) -> dict[str, Any]:
    """Return plain JSON of the sums; floats keep every bit."""
    return {"kind": _NAMES[type(sums)], **asdict(sums)}


def from_json(data: dict[str, Any]) -> Sums:
    """Return the sums that `to_json` wrote.

    Raises
    ------
    EvidenceError
        If the kind is unknown or a field is missing.
    """
    fields = dict(data)
    kind = _KINDS.get(fields.pop("kind", ""))
    if kind is None:
        raise EvidenceError(f"unknown kind of sums in the store: {data.get('kind')!r}")
    try:
        for name, value in fields.items():
            if isinstance(value, list):
                fields[name] = tuple(tuple(cell) for cell in value)
        return kind(**fields)
    except (KeyError, TypeError) as err:
        raise EvidenceError(f"sums of kind {data['kind']!r} cannot be read: {err}") from err
