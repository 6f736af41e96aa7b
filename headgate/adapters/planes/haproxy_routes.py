"""A route as entries of HAProxy's one map, and a route read back from them.

One entry holds everything that a request needs to know, so a request, which reads one, belongs to one
whole route whatever is written meanwhile. There is an entry for every slice, under the bytes of its
name in hex, and one for the rest (for all of it, where there are no slices). Text stands in base64: any
salt and any name is kept to the letter, and none can break the line.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import socket
from collections.abc import Callable, Mapping
from itertools import count

from headgate.adapters.planes.log_files import NO_SLICE
from headgate.errors import PlaneRefused, PlaneUnavailable
from headgate.plan.model import ALL
from headgate.ports import Endpoint, Route, SliceShare
from headgate.routing import FULL_BP

#: Keys of the map: the rest's, and what those of slices begin with.
REST, SLICE = "rest", "slice."
_NAMES = (
    "share_bp", "timeout_ms", "candidate", "candidate_ip", "candidate_port", "incumbent_ip", "incumbent_port",
    "salt", "rollout", "slice", "generation", "token", "service", "model", "incumbent_host", "candidate_host",
    "place",
)  # fmt: skip
#: How HAProxy takes a field out of an entry.
FIELD: Mapping[str, str] = {name: f"field({n},|)" for n, name in zip(count(1), _NAMES, strict=False)}

Entries = dict[str, str]


def entries(route: Route, look_up: Callable[[str], str]) -> Entries:
    """Return the map that a route is.

    Parameters
    ----------
    look_up
        Returns the address of a host: HAProxy is told addresses only.

    Raises
    ------
    PlaneRefused
        If it asks for what HAProxy cannot do.
    PlaneUnavailable
        If a host has no address.
    """
    _check(route)
    incumbent, candidate = route.incumbent, route.candidate
    at = look_up(candidate.host) if candidate else ""
    common = {
        "timeout_ms": str(route.timeout_ms),
        "candidate": f"{at}:{candidate.port}" if candidate else "",
        "candidate_ip": at,
        "candidate_port": str(candidate.port) if candidate else "",
        "incumbent_ip": look_up(incumbent.host),
        "incumbent_port": str(incumbent.port),
        "salt": _packed(route.salt),
        "rollout": _packed(route.rollout),
        "generation": str(route.generation),
        "token": str(route.token),
        "service": _packed(route.service),
        "model": _packed(route.model),
        "incumbent_host": _packed(incumbent.host),
        "candidate_host": _packed(candidate.host if candidate else ""),
    }
    rest = SliceShare(NO_SLICE, 0) if route.slices else SliceShare(ALL, route.share_bp)
    parts = {f"{SLICE}{part.name.encode().hex().upper()}": part for part in route.slices} | {REST: rest}
    return {key: _entry(common, part, place) for place, (key, part) in enumerate(parts.items())}


def read_back(found: Mapping[str, str]) -> Route:
    """Return the route that a map serves, read from what acts.

    Raises
    ------
    PlaneRefused
        If it is not a map of ours.
    """
    try:
        return _route(found)
    except (LookupError, ValueError) as err:
        raise PlaneRefused(
            "asked HAProxy which route it serves; found one that Headgate did not write "
            f"({type(err).__name__}: {err}); end HAProxy and put its routes.map back or remove it: without "
            "one the next start serves the incumbent alone"
        ) from err


def address_of(host: str) -> str:
    """Return the address of a host: itself, or where its name leads.

    Raises
    ------
    PlaneUnavailable
        If it leads nowhere.
    """
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as err:
        raise PlaneUnavailable(
            f"asked for the address of {host!r}; found none ({err}); correct the model's url in the plan, or "
            "mend the name service; the route that was in force stays"
        ) from err
    # IPv4 first: what the many container networks without IPv6 can reach.
    return str(min(found, key=lambda one: one[0] is not socket.AF_INET)[4][0])


def _check(route: Route) -> None:
    if any(part.mirror for part in route.parts):
        raise PlaneRefused(
            "asked HAProxy to mirror; it cannot; ask for no mirror, or use a plane that has one: Envoy"
        )
    for what, text in (("rollout", route.rollout), *(("slice", part.name) for part in route.slices)):
        if not text.isprintable():
            raise PlaneRefused(
                f"asked for the {what} {text!r}; found control characters, which no header can hold; the old "
                "one stays; rename it"
            )
    if any(part.name == NO_SLICE for part in route.slices):
        raise PlaneRefused(f"asked for a slice {NO_SLICE!r}, which means no slice here; rename it")


def _entry(common: Mapping[str, str], part: SliceShare, place: int) -> str:
    own = {"share_bp": str(part.share_bp), "slice": _packed(part.name), "place": str(place)}
    fields = {**common, **own}
    return "|".join(fields[name] for name in _NAMES)


def _route(found: Mapping[str, str]) -> Route:
    told = {key: dict(zip(_NAMES, value.split("|"), strict=True)) for key, value in found.items()}
    said, slices = told[REST], []
    for key, one in sorted(told.items(), key=lambda item: _whole(item[1]["place"])):
        if differing := [n for n in _NAMES if n not in ("share_bp", "slice", "place") and one[n] != said[n]]:
            raise ValueError(f"the entries {REST} and {key} differ in {', '.join(differing)}")
        name = _unpacked(one["slice"])
        if key != REST:
            if key != f"{SLICE}{name.encode().hex().upper()}":
                raise ValueError(f"the entry {key} says that it is of slice {name!r}")
            slices.append(SliceShare(name, _share(one["share_bp"])))
    if _unpacked(said["slice"]) != (NO_SLICE if slices else ALL):
        raise ValueError(f"the rest is called {_unpacked(said['slice'])!r}")
    return Route(
        service=_unpacked(said["service"]),
        rollout=_unpacked(said["rollout"]),
        salt=_unpacked(said["salt"]),
        share_bp=_share(said["share_bp"]),
        mirror=False,
        token=_whole(said["token"]),
        generation=_whole(said["generation"]),
        incumbent=_endpoint(said, "incumbent"),
        candidate=_endpoint(said, "candidate") if said["candidate"] else None,
        model=_unpacked(said["model"]),
        timeout_ms=_whole(said["timeout_ms"]),
        slices=tuple(slices),
    )


def _endpoint(said: Mapping[str, str], side: str) -> Endpoint:
    host, ip, port = _unpacked(said[f"{side}_host"]), said[f"{side}_ip"], said[f"{side}_port"]
    acts = ipaddress.ip_address(ip)
    if side == "candidate" and said["candidate"] != f"{ip}:{port}":
        raise ValueError(f"the candidate is called {said['candidate']} at {ip}:{port}")
    try:
        meant = ipaddress.ip_address(host)
    except ValueError:
        meant = acts  # a name: it leads where it leads
    if meant != acts:
        raise ValueError(f"the {side} is {host}, and {ip} is asked")
    return Endpoint(host, _whole(port))


def _share(text: str) -> int:
    return min(_whole(text), FULL_BP)  # it acts as no more than all


def _whole(text: str) -> int:
    """Return a whole number as HAProxy would read it: digits alone."""
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"{text!r} is no whole number")
    return int(text)


def _packed(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _unpacked(text: str) -> str:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError) as err:
        raise ValueError(f"{text!r} is no base64 of text") from err
