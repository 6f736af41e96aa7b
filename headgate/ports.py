"""What the core needs from the world, said in the core's own words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol


class Side(StrEnum):
    """Who answers."""

    INCUMBENT = "incumbent"
    CANDIDATE = "candidate"


class Status(StrEnum):
    """How one side fared with one request."""

    OK = "ok"
    ERROR = "error"
    TIMEOUT = "timeout"
    INVALID = "invalid"  # it answered, and the answer is garbage, null or out of range
    REJECTED = "rejected"  # the input contract refused the request; nobody was asked


# ---------------------------------------------------------------- traffic


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a model server listens."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class SliceShare:
    """What one slice of the requests gets; ``name`` is what the slice header says.

    ``share_bp`` and ``mirror`` are as in `Route`.
    """

    name: str
    share_bp: int
    mirror: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """The whole state a plane is asked to keep for one service.

    Attributes
    ----------
    service, rollout
        Whose traffic, and which attempt moves it.
    salt
        Salt of `headgate.routing.bucket`; one per rollout.
    share_bp
        Candidate's share in basis points, 0 to 10,000.
    mirror
        Copy live requests to the candidate off the answer path. Only at share 0.
    token
        Fencing token of the lease, rising with every holder. A plane refuses a lower one.
    generation
        Rises with every write of the rollout's ledger that touches the plane.
    incumbent, candidate
        Endpoints; no candidate when no rollout is open.
    model
        Name of the model in the Open Inference Protocol path.
    timeout_ms
        Patience with one try of the candidate before the incumbent answers instead.
    slices
        Shares of the slices, where the plan has any. Then ``share_bp`` is 0 and ``mirror`` is off: a
        request without the slice header, or in none of these, is the incumbent's.
    """

    service: str
    rollout: str
    salt: str
    share_bp: int
    mirror: bool
    token: int
    generation: int
    incumbent: Endpoint
    candidate: Endpoint | None
    model: str = "model"
    timeout_ms: int = 300
    slices: tuple[SliceShare, ...] = ()

    @property
    def parts(self) -> tuple[SliceShare, ...]:
        """The shares that are in force, whether or not there are slices."""
        return self.slices or (SliceShare("all", self.share_bp, self.mirror),)


@dataclass(frozen=True, slots=True)
class Observed:
    """What a plane itself reports, never what we asked of it.

    ``rollout``, ``generation`` and ``token`` are None when the plane serves no route of ours yet.
    """

    rollout: str | None
    share_bp: int
    mirror: bool
    token: int | None
    generation: int | None
    slices: tuple[SliceShare, ...] = ()


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a plane can do. A plan that asks for more is refused."""

    kind: str
    step_bp: int = 1
    sticky: bool = True
    monotone: bool = True
    mirror: bool = True
    fallback: bool = True
    verify: bool = True
    persists: bool = True
    slices: bool = True
    hash: str = "xxh64(salt:entity) % 10000"


@dataclass(frozen=True, slots=True)
class Served:
    """One live request as the plane logged it.

    Attributes
    ----------
    at
        Event time: the caller's ``x-request-at`` header where given, else the plane's clock.
    assigned
        The side the entity belongs to at the share in force.
    served
        The side that answered; differs from ``assigned`` after a fallback. None: nobody.
    status
        HTTP status the caller got; 0 when the caller went away.
    latency_ms
        Of the whole request at the plane.
    slice
        The slice that it was routed by; ``all`` where the route has none, None where the request is in
        none of them.
    """

    request_id: str
    entity: str
    at: datetime
    assigned: Side
    served: Side | None
    status: int
    latency_ms: float
    rollout: str
    generation: int
    slice: str | None = "all"


@dataclass(frozen=True, slots=True)
class Mirrored:
    """One mirrored copy as the shadow listener logged it; ``slice`` is what its slice header says."""

    request_id: str
    at: datetime
    status: int
    latency_ms: float
    slice: str | None = "all"


@dataclass(frozen=True, slots=True)
class PlaneLog:
    """New lines of the plane's logs, and where to go on reading.

    ``position`` is opaque to callers: {file: byte offset}. A half-written last line is left for
    the next read. ``garbled`` counts lines that could not be read.
    """

    served: Sequence[Served]
    mirrored: Sequence[Mirrored]
    position: Mapping[str, int]
    garbled: int = 0


class TrafficPlane(Protocol):
    """Applies the share of live traffic. Whole state in, real read-back out."""

    def capabilities(self) -> Capabilities:
        """Say what this plane can do."""
        ...

    def reconcile(self, route: Route) -> None:
        """Make sure the plane runs and knows the endpoints; never changes the share in force.

        A plane that holds no route yet starts with the incumbent alone. A dead managed process is
        started again at the share its files hold.
        """
        ...

    def apply(self, route: Route) -> None:
        """Set share and mirror together, atomically, and return once the plane reports it.

        Raises
        ------
        PlaneRefused
            If the plane holds a higher token or a newer generation, or rejects the route.
        PlaneUnavailable
            If it cannot be reached or does not report the route in time.
        """
        ...

    def observe(self) -> Observed:
        """Ask the plane itself what is in force."""
        ...

    def verify(self, route: Route) -> bool | None:
        """Say whether the plane serves exactly this route; None when it cannot tell."""
        ...

    def retire(self, keep: Side) -> None:
        """Leave one side alone in service, mirror off."""
        ...

    def cut_off(self) -> None:
        """Set share 0 and no mirror under a generation above the one in force, without any record.

        For the kill switch only: the next tick finds a generation that nobody wrote down (law 12).
        """
        ...

    def read_log(self, position: Mapping[str, int]) -> PlaneLog:
        """Return what was logged since ``position`` ({} from the beginning)."""
        ...


# ---------------------------------------------------------------- models


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


# ---------------------------------------------------------------- shelf

#: What the files of a version are called on every shelf: the model, its training reference, a sample of its
#: rows, and the profile of what it said to held-out requests.
MODEL, PROFILE, SAMPLE, SCORES = "skops", "profile", "sample", "scores"


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
