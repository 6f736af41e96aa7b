"""Which routes a plane accepts, given the one in force: the same rules for every plane."""

from __future__ import annotations

from dataclasses import replace

from headgate.errors import PlaneRefused
from headgate.ports import Observed, Route, Side, SliceShare
from headgate.routing import FULL_BP


def initial(route: Route) -> Route:
    """Return what a plane serves before any rollout: the incumbent alone, generation 0."""
    return replace(
        route, rollout="", share_bp=0, mirror=False, token=0, generation=0, candidate=None, slices=()
    )


def observed(held: Route) -> Observed:
    """Return the report on a route in force; before any rollout there is nothing of ours to name."""
    ours = bool(held.rollout)
    return Observed(
        rollout=held.rollout if ours else None,
        share_bp=held.share_bp,
        mirror=held.mirror,
        token=held.token if ours else None,
        generation=held.generation if ours else None,
        slices=held.slices,
    )


def must_write(asked: Route, held: Route) -> bool:
    """Return whether the route has to be written; False where it is in force already.

    Generations rise within a rollout; between rollouts the token rises.

    Raises
    ------
    PlaneRefused
        If the route makes no sense, or the plane holds a higher token, a newer generation, or
        something else under the same one.
    """
    _check(asked)
    if not held.rollout:
        return True
    fence(asked, held)
    if asked.rollout != held.rollout:
        if asked.token == held.token:
            raise _refusal(asked, held, "a new rollout needs a new token of the lease")
        return True
    if asked.generation < held.generation:
        raise _refusal(asked, held, "a newer generation is in force; read the record again")
    if asked.salt != held.salt:
        raise _refusal(asked, held, "another salt would reshuffle who sees the candidate; keep the salt")
    changes = asked.parts != held.parts
    if asked.generation == held.generation and changes:
        raise _refusal(asked, held, "a change of share or mirror needs a new generation")
    return asked != held


def fence(asked: Route, held: Route) -> None:
    """Refuse whoever lost the lease.

    Raises
    ------
    PlaneRefused
        If the plane holds a higher token.
    """
    if held.rollout and asked.token < held.token:
        raise _refusal(asked, held, "somebody else holds the lease now; stand down")


def with_endpoints(held: Route, asked: Route) -> Route:
    """Return the route in force with the endpoints asked for; share, mirror and fence stay.

    Another rollout's candidate is never put under a share or a mirror that was decided for this one.
    """
    fence(asked, held)
    if asked.rollout == held.rollout:
        return replace(
            held,
            incumbent=asked.incumbent,
            candidate=asked.candidate or held.candidate,
            model=asked.model,
            timeout_ms=asked.timeout_ms,
        )
    return replace(held, incumbent=asked.incumbent) if _serves_nobody(held) else held


def cut_off(held: Route) -> Route:
    """Return the route in force with nobody served by the candidate and no copy sent to it.

    Under a generation of its own: whoever reads the record sees that this was never written there.
    """
    if not held.rollout:
        return held
    nobody = tuple(replace(part, share_bp=0, mirror=False) for part in held.slices)
    return replace(held, share_bp=0, mirror=False, slices=nobody, generation=held.generation + 1)


def retired(held: Route, keep: Side) -> Route:
    """Return the route in force with one side alone, mirror off. It never changes the share.

    Raises
    ------
    PlaneRefused
        If the side to keep does not have all of the traffic yet.
    """
    if keep is Side.INCUMBENT and _serves_nobody(held):
        silent = tuple(replace(part, mirror=False) for part in held.slices)
        return replace(held, mirror=False, candidate=None, slices=silent)
    # With slices the requests in none of them stay with the incumbent: it is never left out.
    full = held.share_bp == FULL_BP and not held.slices
    if keep is Side.CANDIDATE and full and held.candidate is not None:
        return replace(held, mirror=False, incumbent=held.candidate)
    raise PlaneRefused(
        f"asked to keep the {keep} alone; found {_shares(held)} on the "
        f"candidate; apply a share of {0 if keep is Side.INCUMBENT else FULL_BP} first"
    )


def _serves_nobody(held: Route) -> bool:
    """Return whether the candidate answers no caller at all."""
    return not any(part.share_bp for part in held.parts)


def _shares(route: Route) -> str:
    if not route.slices:
        return f"{route.share_bp} of {FULL_BP} basis points"
    shares = ", ".join(f"{part.share_bp} of slice {part.name}" for part in route.slices)
    return f"{shares} (of {FULL_BP} basis points)"


def _check(asked: Route) -> None:
    for part in asked.parts:
        _check_part(part, asked)
    if asked.slices and (asked.share_bp or asked.mirror):
        raise PlaneRefused(
            f"asked for {asked.share_bp} basis points, mirror {asked.mirror}, beside slices; what is in no "
            "slice stays with the incumbent; give shares to slices only"
        )
    names = [part.name for part in asked.slices]
    if len(set(names)) < len(names) or not all(names):
        raise PlaneRefused(
            f"asked for the slices {names}; every slice needs a name of its own; mend the plan"
        )
    if not asked.rollout or asked.timeout_ms <= 0:
        raise PlaneRefused(
            f"asked for rollout {asked.rollout!r}, timeout {asked.timeout_ms} ms; a route needs the name of "
            "its rollout and a timeout above 0"
        )


def _check_part(part: SliceShare, asked: Route) -> None:
    if not 0 <= part.share_bp <= FULL_BP:
        raise PlaneRefused(
            f"asked for a share of {part.share_bp} basis points; a share is 0 to {FULL_BP}; mend the step"
        )
    if part.mirror and part.share_bp > 0:
        raise PlaneRefused(
            f"asked to mirror at {part.share_bp} basis points; requests that the candidate answers would "
            "reach it twice; mirror at share 0 only"
        )
    if asked.candidate is None and (part.share_bp > 0 or part.mirror):
        raise PlaneRefused(
            f"asked for {part.share_bp} basis points, mirror {part.mirror}; found no endpoint of the "
            "candidate; start its server first"
        )


def _refusal(asked: Route, held: Route, why: str) -> PlaneRefused:
    return PlaneRefused(f"asked for {_name(asked)}; found {_name(held)} in force; {why}")


def _name(route: Route) -> str:
    return (
        f"rollout {route.rollout!r} generation {route.generation} token {route.token} "
        f"({_shares(route)}, mirror {'on' if any(part.mirror for part in route.parts) else 'off'})"
    )
