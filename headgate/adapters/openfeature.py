"""An OpenFeature provider: callers ask which side serves an entity, and get the plane's own answer.

For where no proxy can keep an entity on its side (Gateway API, KServe, SageMaker): the caller computes
the bucket that `headgate.routing` computes, and calls the side it names. Needs ``headgate[openfeature]``.

The flag's key is the service, the targeting key is the entity, and the attribute ``slice`` is what the
slice header would say. Whatever is wrong, the caller's own default is the answer: make it the incumbent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import FlagResolutionDetails, FlagValueType, Reason
from openfeature.provider import AbstractProvider, Metadata

from headgate.adapters.share_file import ShareFile
from headgate.errors import PlaneError
from headgate.ports import Endpoint, Route, Side, SliceShare
from headgate.routing import goes_to_candidate

_T = TypeVar("_T")
_Object = Sequence[FlagValueType] | Mapping[str, FlagValueType]


class HeadgateProvider(AbstractProvider):
    """Serves the flags of some services from a share file each.

    Parameters
    ----------
    files
        Share file by service.

    Examples
    --------
    >>> from pathlib import Path
    >>> provider = HeadgateProvider({"delays": ShareFile(Path("nowhere/share.json"))})
    >>> provider.resolve_string_details("delays", "incumbent", EvaluationContext("N14228")).value
    'incumbent'
    """

    def __init__(self, files: Mapping[str, ShareFile]) -> None:
        super().__init__()
        self._files = dict(files)

    def get_metadata(self) -> Metadata:
        """Name the provider."""
        return Metadata("headgate")

    def resolve_boolean_details(
        self, flag_key: str, default_value: bool, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[bool]:
        """Say whether the candidate serves the entity."""
        found = self._found(flag_key, default_value, evaluation_context)
        if isinstance(found, FlagResolutionDetails):
            return found
        return found.details(found.side is Side.CANDIDATE)

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        """Name the side: ``candidate`` or ``incumbent``."""
        found = self._found(flag_key, default_value, evaluation_context)
        return found if isinstance(found, FlagResolutionDetails) else found.details(found.side.value)

    def resolve_object_details(
        self, flag_key: str, default_value: _Object, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[_Object]:
        """Name the side and where it listens: ``side``, ``host``, ``port``, ``model``, ``timeout_ms``.

        ``host`` and ``port`` of the incumbent come as ``fallback_host`` and ``fallback_port``: this is the
        side that has to answer when the candidate does not.
        """
        found = self._found(flag_key, default_value, evaluation_context)
        if isinstance(found, FlagResolutionDetails):
            return found
        return found.details(found.address())

    def resolve_integer_details(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[int]:
        """Refuse: a side is no number."""
        del evaluation_context  # the name is the interface's
        return _no_number(flag_key, default_value)

    def resolve_float_details(
        self, flag_key: str, default_value: float, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[float]:
        """Refuse: a side is no number."""
        del evaluation_context
        return _no_number(flag_key, default_value)

    def _found(
        self, service: str, default: _T, context: EvaluationContext | None
    ) -> _Found | FlagResolutionDetails[_T]:
        """Return what serves the entity, or the default with the reason why nobody can tell."""
        file = self._files.get(service)
        if file is None:
            known = ", ".join(sorted(self._files)) or "none"
            why = f"asked for service {service!r}; this provider has: {known}"
            return _default(default, ErrorCode.FLAG_NOT_FOUND, why)
        if context is None or context.targeting_key is None:
            why = "asked for a side without an entity; give it as the targeting key"
            return _default(default, ErrorCode.TARGETING_KEY_MISSING, why)
        try:
            route = file.route()
        except PlaneError as err:
            return _default(default, ErrorCode.PROVIDER_NOT_READY, str(err))
        part = _part(route, context.attributes.get("slice"))
        chosen = goes_to_candidate(route.salt, context.targeting_key, part.share_bp)
        side = Side.CANDIDATE if chosen and route.candidate is not None else Side.INCUMBENT
        return _Found(route, part, side, stale=file.trouble is not None)


class _Found:
    """One answer: who serves, by which route."""

    def __init__(self, route: Route, part: SliceShare, side: Side, *, stale: bool) -> None:
        self.side = side
        self._route = route
        self._part = part
        self._stale = stale

    def details(self, value: _T) -> FlagResolutionDetails[_T]:
        return FlagResolutionDetails(
            value=value,
            reason=Reason.STALE if self._stale else Reason.SPLIT,
            variant=self.side.value,
            flag_metadata={
                "rollout": self._route.rollout,
                "generation": self._route.generation,
                "slice": self._part.name,
                "share_bp": self._part.share_bp,
            },
        )

    def address(self) -> dict[str, FlagValueType]:
        candidate = self._route.candidate if self.side is Side.CANDIDATE else None
        at: Endpoint = candidate or self._route.incumbent
        return {
            "side": self.side.value,
            "host": at.host,
            "port": at.port,
            "fallback_host": self._route.incumbent.host,
            "fallback_port": self._route.incumbent.port,
            "model": self._route.model,
            "timeout_ms": self._route.timeout_ms,
        }


def _part(route: Route, slice_: object) -> SliceShare:
    """Return the share of the slice that a caller names; in none of them it is the incumbent's."""
    if not route.slices:
        return route.parts[0]
    return next((part for part in route.slices if part.name == slice_), SliceShare("", 0))


def _no_number(service: str, default: _T) -> FlagResolutionDetails[_T]:
    why = f"asked for a number of {service!r}; a side is a boolean, a string or an object"
    return _default(default, ErrorCode.TYPE_MISMATCH, why)


def _default(value: _T, code: ErrorCode, why: str) -> FlagResolutionDetails[_T]:
    return FlagResolutionDetails(value=value, error_code=code, error_message=why, reason=Reason.ERROR)
