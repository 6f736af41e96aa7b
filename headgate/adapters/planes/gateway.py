"""A route as a Kubernetes `HTTPRoute` of the Gateway API, and a route read back from one.

Headgate talks to no cluster: whoever keeps the manifests brings one there (``kubectl apply``, a GitOps
agent), and its JSON as the cluster returns it says what is in force.

A Gateway draws the side anew for every request: weights know no entity. So there is a rule besides for
callers that pick the side themselves, with the bucket function (`headgate.adapters.openfeature`), and say
it in a header. At share 0 there is no such rule for the candidate: nobody can ask for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from headgate.adapters.share_file import as_text, from_text
from headgate.errors import PlaneRefused
from headgate.ports import Capabilities, Endpoint, Route, Side, SliceShare
from headgate.routing import FULL_BP

Json = dict[str, Any]

#: What weights can do: any share, but neither the same side for an entity nor a second try.
CAPABILITIES = Capabilities(
    kind="gateway", sticky=False, monotone=False, fallback=False, verify=False, hash="none"
)
#: Where a caller says which side it picked. A Gateway that serves strangers must remove it.
PICK_HEADER = "x-headgate-side"
SLICE_HEADER = "x-headgate-slice"
SIDE_HEADER = "x-rollout-side"
#: The whole route, so that what is found in a cluster can be read without the record.
ROUTE_NOTE = "headgate/route"
#: Of the API.
MOST_RULES = 16

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Parent:
    """The Gateway that the route hangs on.

    Attributes
    ----------
    gateway, namespace
        Its name, and its namespace where that is not the route's own.
    hostnames
        Which hosts the route is for; empty: all of the listener's.
    """

    gateway: str = "headgate"
    namespace: str | None = None
    hostnames: tuple[str, ...] = ()


_ANY = Parent()


def render(route: Route, parent: Parent = _ANY) -> Mapping[str, str]:
    """Return the manifest as YAML, by the name of its file.

    Raises
    ------
    PlaneRefused
        If a side is no Kubernetes Service, or there are more slices than a route may have rules.
    """
    return {"httproute.yaml": yaml.safe_dump(manifest(route, parent), sort_keys=False)}


def manifest(route: Route, parent: Parent = _ANY) -> Json:
    """Return the `HTTPRoute` that does what the route asks for, as far as weights can; raises as `render`."""
    if route.candidate is None and any(part.share_bp or part.mirror for part in route.parts):
        raise PlaneRefused(
            f"asked for {route.parts} without an endpoint of the candidate; start its server first"
        )
    rules = list(_rules(route))
    namespace = _namespace(route)
    if len(rules) > MOST_RULES:
        raise PlaneRefused(
            f"asked for {len(route.slices)} slices, which take {len(rules)} rules; an HTTPRoute has "
            f"{MOST_RULES} at most; give the slices to fewer rollouts at a time"
        )
    if not _LABEL.fullmatch(route.service):
        raise PlaneRefused(
            f"asked for an HTTPRoute named {route.service!r}; Kubernetes takes small letters, digits and - "
            "(63 at most); name the service so"
        )
    on = {"name": parent.gateway} | ({"namespace": parent.namespace} if parent.namespace else {})
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {
            "name": route.service,
            **({"namespace": namespace} if namespace else {}),
            "annotations": {ROUTE_NOTE: as_text(route)},
        },
        "spec": {
            "parentRefs": [on],
            **({"hostnames": list(parent.hostnames)} if parent.hostnames else {}),
            "rules": rules,
        },
    }


def read_back(document: Json) -> Route:
    """Return the route that a manifest serves. Share and mirror are read from what acts.

    Raises
    ------
    PlaneRefused
        If it is not a manifest of ours.
    """
    try:
        said = from_text(document["metadata"]["annotations"][ROUTE_NOTE])
        acting = [_acts(rule) for rule in document["spec"]["rules"] if not _picked(rule)]
        slices = tuple(part for part in acting if part.name)
        (rest,) = (part for part in acting if not part.name)
        _only_who_serves_is_picked(document["spec"]["rules"], acting)
        return Route(
            **{name: getattr(said, name) for name in said.__slots__ if name not in _ACTING},
            share_bp=rest.share_bp,
            mirror=rest.mirror,
            slices=slices,
        )
    except (LookupError, TypeError, ValueError, AttributeError, ZeroDivisionError) as err:
        raise PlaneRefused(
            "asked which route a manifest serves; found one that Headgate did not write "
            f"({type(err).__name__}: {err}); render it anew"
        ) from err


def accepted(document: Json) -> bool | None:
    """Return whether every Gateway took the manifest as it is now; None while none has said so.

    ``document`` is the object as the cluster returns it, with its status.
    """
    generation = document.get("metadata", {}).get("generation")
    parents = document.get("status", {}).get("parents", [])
    if not parents:
        return None
    said = [
        condition
        for parent in parents
        for condition in parent.get("conditions", [])
        if condition["type"] in ("Accepted", "ResolvedRefs") and condition["observedGeneration"] == generation
    ]
    if len(said) < 2 * len(parents):
        return None
    return all(condition["status"] == "True" for condition in said)


_ACTING = frozenset({"share_bp", "mirror", "slices"})


def _rules(route: Route) -> Iterator[Json]:
    """Yield a rule per slice and one for the rest, each after those for callers that picked a side."""
    for part in (*route.slices, SliceShare("", 0) if route.slices else route.parts[0]):
        named = {SLICE_HEADER: part.name} if route.slices and part.name else {}
        if part.share_bp:
            yield _rule(route, named | {PICK_HEADER: Side.CANDIDATE.value}, {Side.CANDIDATE: 1})
            yield _rule(route, named | {PICK_HEADER: Side.INCUMBENT.value}, {Side.INCUMBENT: 1})
        weights = {Side.CANDIDATE: part.share_bp, Side.INCUMBENT: FULL_BP - part.share_bp}
        yield _rule(route, named, weights, mirror=part.mirror)


def _rule(
    route: Route, headers: Mapping[str, str], weights: Mapping[Side, int], *, mirror: bool = False
) -> Json:
    match: Json = {"path": {"type": "PathPrefix", "value": "/"}}
    if headers:
        match["headers"] = [{"type": "Exact", "name": n, "value": v} for n, v in headers.items()]
    told = {"x-rollout": route.rollout or "none", "x-rollout-generation": str(route.generation)}
    filters: list[Json] = [
        {"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": [PICK_HEADER]}},
        {"type": "ResponseHeaderModifier", "responseHeaderModifier": _set(told)},
    ]
    if mirror and route.candidate is not None:
        to = _service(route.candidate)
        filters.append({"type": "RequestMirror", "requestMirror": {"backendRef": to}})
    sides = {Side.INCUMBENT: route.incumbent, Side.CANDIDATE: route.candidate}
    return {
        "matches": [match],
        "filters": filters,
        "backendRefs": [
            _backend(at, side, weight) for side, weight in weights.items() if (at := sides[side]) is not None
        ],
    }


def _backend(at: Endpoint, side: Side, weight: int) -> Json:
    mark = _set({SIDE_HEADER: side.value})
    return {
        **_service(at),
        "weight": weight,
        "filters": [
            {"type": "RequestHeaderModifier", "requestHeaderModifier": mark},
            {"type": "ResponseHeaderModifier", "responseHeaderModifier": mark},
        ],
    }


def _set(headers: Mapping[str, str]) -> Json:
    return {"set": [{"name": name, "value": value} for name, value in headers.items()]}


def _service(at: Endpoint) -> Json:
    """Return the Service behind a name inside the cluster: ``name``, ``name.namespace`` or longer."""
    labels = at.host.split(".")
    if labels[0].isdigit() or not all(_LABEL.fullmatch(label) for label in labels):
        raise PlaneRefused(
            f"asked to send traffic to {at.host!r}; a Gateway sends it to Services; write the side's url in "
            "the plan as http://SERVICE.NAMESPACE:PORT"
        )
    return {"kind": "Service", "name": labels[0], "port": at.port}


def _namespace(route: Route) -> str | None:
    """Return where the Services of both sides are."""
    spaces = {
        labels[1] if len(labels := at.host.split(".")) > 1 else None
        for at in (route.incumbent, route.candidate)
        if at is not None
    }
    if len(spaces) > 1:
        raise PlaneRefused(
            f"asked for the Services {route.incumbent.host} and {getattr(route.candidate, 'host', None)}; a "
            "Gateway needs a grant to cross namespaces; serve both sides in one"
        )
    return spaces.pop()


def _picked(rule: Json) -> bool:
    return PICK_HEADER in _headers(rule)


def _headers(rule: Json) -> dict[str, str]:
    (match,) = rule["matches"]
    return {header["name"]: header["value"] for header in match.get("headers", [])}


def _acts(rule: Json) -> SliceShare:
    """Return what a rule does for its slice; the rest has no name."""
    headers = _headers(rule)
    if headers.keys() - {SLICE_HEADER}:
        raise ValueError(f"a rule for the headers {sorted(headers)}")
    weights = {_side(ref): int(ref.get("weight", 1)) for ref in rule["backendRefs"]}
    candidate = weights.get(Side.CANDIDATE, 0)
    # Rounded up: a hand-made share is never reported smaller than it is.
    share_bp = -(-candidate * FULL_BP // sum(weights.values()))
    mirror = any(one["type"] == "RequestMirror" for one in rule.get("filters", []))
    return SliceShare(headers.get(SLICE_HEADER, ""), share_bp, mirror)


def _only_who_serves_is_picked(rules: list[Json], acting: list[SliceShare]) -> None:
    """Refuse a rule by which callers may pick a candidate whose share is 0."""
    nobody = {part.name for part in acting if not part.share_bp}
    for rule in filter(_picked, rules):
        if (named := _headers(rule).get(SLICE_HEADER, "")) in nobody:
            raise ValueError(f"callers may pick the candidate at share 0 (slice {named!r})")


def _side(ref: Json) -> Side:
    marks = (
        one["responseHeaderModifier"]["set"] for one in ref["filters"] if "responseHeaderModifier" in one
    )
    (side,) = (pair["value"] for mark in marks for pair in mark if pair["name"] == SIDE_HEADER)
    return Side(side)
