"""Served models: what a batch of requests is answered with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol


class Status(StrEnum):
    """How one side fared with one request."""

    OK = "ok"
    ERROR = "error"
    TIMEOUT = "timeout"
    INVALID = "invalid"  # it answered, and the answer is garbage, null or out of range
    REJECTED = "rejected"  # the input contract refused the request; nobody was asked


@dataclass(frozen=True, slots=True)
class Answers:
    """What one side said to a batch of n requests, in their order.

    Attributes
    ----------
    predictions
        n values; None where ``status`` is not ok.
    statuses
        n statuses.
    version
        Model version in the answer; None when nobody answered.
    details
        Reason per failed request position.
    costs
        n costs, in the server's own unit, where it told them; None where one is unknown, empty where the
        answer had none.
    """

    predictions: Sequence[float | None]
    statuses: Sequence[Status]
    version: str | None
    details: Mapping[int, str] = field(default_factory=dict)
    costs: Sequence[float | None] = ()


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a model server says about itself."""

    name: str
    version: str
    inputs: Sequence[Mapping[str, Any]]
    outputs: Sequence[Mapping[str, Any]]
    parameters: Mapping[str, Any] = field(default_factory=dict)


class Model(Protocol):
    """A served model, asked over HTTP."""

    async def infer(self, columns: Mapping[str, Sequence[Any]]) -> Answers:
        """Score one batch. Never raises for what a server does: failures are statuses."""
        ...

    async def ready(self) -> bool:
        """Say whether the server answers and its model is loaded."""
        ...

    async def metadata(self) -> Metadata:
        """Return name and version.

        Raises
        ------
        ModelUnavailable, ModelRefused
            If the server does not answer, or not with metadata.
        """
        ...
