"""Which alert goes where: what the plan says, and for the rest one default."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from headgate.alerts.masking import masked_route
from headgate.plan.duties import NoticeKind
from headgate.plan.model import Plan

#: In the key of an incident that tells of a message which did not arrive; its route follows.
UNDELIVERED = "undelivered"
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Route:
    """Where something is told, and how soon it has to have arrived."""

    to: str
    within: timedelta

    @property
    def name(self) -> str:
        """The route as it is shown and recorded."""
        return masked_route(self.to)


def is_route(to: str) -> bool:
    """Return whether a message can be sent there: a URL or a Prefect block. Others are only named in it.

    Examples
    --------
    >>> [is_route(to) for to in ("https://hooks.example.org/x", "block:slack-webhook/duty", "chief@a.org")]
    [True, True, False]
    """
    return to.startswith(("http://", "https://", "block:"))


def routes_of(kind: NoticeKind, key: str, plan: Plan | None, default: str | None) -> tuple[Route, ...]:
    """Return the routes of an alert; none: nobody asked to be told.

    The default gets what no route of the plan covers. An escalation goes to it in any case, and to
    whomever the plan names, where that is a route. Of silence the Prefect server itself tells the
    default, because whoever else could may be what died. A message that did not arrive is not told
    on the route on which it did not.

    Parameters
    ----------
    key
        The alert's.
    plan
        None where an alert is about no rollout.
    default
        The setting ``notify``.
    """
    notices = plan.notify if plan else ()
    routes = [Route(notice.to, notice.within) for notice in notices if kind in notice.events]
    if default and kind is not NoticeKind.SILENCE and (not routes or kind is NoticeKind.ESCALATION):
        routes.append(Route(default, _HOUR))
    if plan is not None and kind is NoticeKind.ESCALATION:
        routes += [Route(to, _HOUR) for to in _named(key, plan) if is_route(to)]
    dead = key.partition(f"/{UNDELIVERED}/")[2].rpartition("/")[0]
    by_name = {route.name: route for route in sorted(routes, key=lambda r: r.within, reverse=True)}
    return tuple(route for name, route in by_name.items() if name != dead)


def _named(key: str, plan: Plan) -> tuple[str, ...]:
    """Return whom an escalation names; its number follows the kind in the key."""
    number = key.partition(f"/{NoticeKind.ESCALATION.value}/")[2].partition("/")[0]
    if not number.isdecimal() or int(number) >= len(plan.escalation):
        return ()
    return (plan.escalation[int(number)].to,)
