"""What a forecast takes for granted: given by a person, measured from history, or guessed and said so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from headgate.errors import InputError
from headgate.plan.model import Plan


@dataclass(frozen=True, slots=True)
class Measured:
    """What history said about one gate.

    Attributes
    ----------
    blocks
        Per segment (None: all requests) the observed value of each closed block, in the metric's unit.
    rate
        The candidate's rate of events, for rate gates.
    slow
        The candidate's share above ``ratio * tau`` and above ``tolerate * tau``, for latency gates.
    sd
        Standard deviation of one request's difference, where requests are units.
    cap
        The cap that history freezes, where the loss has none of its own.
    """

    blocks: Mapping[str | None, tuple[float, ...]] = field(default_factory=dict)
    rate: float | None = None
    slow: tuple[float, float] | None = None
    sd: float | None = None
    cap: float | None = None


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What is known about the traffic and the models; None is not known, and is then guessed.

    Attributes
    ----------
    rate
        Requests per day, > 0.
    disagreement
        Share of requests on which the two decisions differ.
    base_rate
        Share of labels that are 1.
    loss_sd
        Standard deviation of one request's loss difference, in the metric's unit.
    block_sd
        The same of a block's mean difference; it beats ``loss_sd`` and ``within``.
    within
        Correlation of two requests of one block: the shocks they share.
    error_rate
        The candidate's rate of events, for every rate gate without a measured one.
    latency_shape
        Weibull shape of the latency's tail: P(> x tau) = (1 - p) ** (x ** shape). 1 is exponential,
        below it heavier.
    cost_sd
        Standard deviation of one request's cost or value difference.
    entities
        Entities first seen per day; each counts once in a live split.
    missing
        Share of requests whose label is not there when their block closes.
    segments, slices
        Share of the requests per ``column=value`` and per slice.
    gates
        What history said, per gate.
    measured
        Names of the fields above that were measured rather than given.
    """

    rate: float
    disagreement: float | None = None
    base_rate: float | None = None
    loss_sd: float | None = None
    block_sd: float | None = None
    within: float | None = None
    error_rate: float | None = None
    latency_shape: float | None = None
    cost_sd: float | None = None
    entities: float | None = None
    missing: float | None = None
    segments: Mapping[str, float] = field(default_factory=dict)
    slices: Mapping[str, float] = field(default_factory=dict)
    gates: Mapping[str, Measured] = field(default_factory=dict)
    measured: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        shares = ("disagreement", "base_rate", "within", "error_rate", "missing")
        _demand("rate", self.rate, "above 0", ok=0 < self.rate < 1e12)
        for name in shares:
            value = getattr(self, name)
            _demand(name, value, "from 0 to 1", ok=value is None or 0 <= value <= 1)
        for name in ("loss_sd", "block_sd", "cost_sd", "entities", "latency_shape"):
            value = getattr(self, name)
            _demand(name, value, "above 0", ok=value is None or 0 < value < 1e12)
        for kind in ("segments", "slices"):
            for key, share in getattr(self, kind).items():
                _demand(f"{kind}[{key}]", share, "above 0, at most 1", ok=0 < share <= 1)

    def of_slice(self, plan: Plan, name: str) -> Assumptions:
        """Return the assumptions as one slice lives them: its part of the traffic.

        Without a word the slices are guessed to share all traffic alike.
        """
        if not plan.slices:
            return self
        share = self.slices.get(name, 1 / len(plan.slices))
        entities = None if self.entities is None else self.entities * share
        return replace(self, rate=self.rate * share, entities=entities)


def _demand(name: str, value: object, asked: str, *, ok: bool) -> None:
    if not ok:
        raise InputError(f"power: asked {name} {asked}; found {value}; correct the option")
