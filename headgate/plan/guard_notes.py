"""What is allowed in a plan, and yet should be known by whoever writes it."""

from __future__ import annotations

from headgate.plan.guarding import Unsure
from headgate.plan.model import Plan


def worth_knowing(plan: Plan) -> tuple[str, ...]:
    """Return a sentence for each.

    Examples
    --------
    >>> from headgate.plan.model import Serving
    >>> plan = Plan.model_construct(serving=Serving(fallback=("incumbent", "review")), review=None)
    >>> [note.partition(",")[0] for note in worth_knowing(plan)]
    ['`serving.fallback` sends requests to people']
    """
    ways = _ways_to_people(plan)
    if plan.review is not None or not ways:
        return ()
    sends = "sends requests" if len(ways) == 1 else "send requests"
    return (
        f"{' and '.join(ways)} {sends} to people, and no key `review` says how many they manage: the share "
        "rises however far behind they are; `review: {capacity: 40}` makes it wait",
    )


def _ways_to_people(plan: Plan) -> tuple[str, ...]:
    floor, ways = plan.serving.confidence_below, []
    if floor is not None and floor.then in (Unsure.REVIEW, Unsure.FLAG):
        ways.append(f"`serving.confidence_below.then: {floor.then}`")
    if "review" in plan.serving.fallback:
        ways.append("`serving.fallback`")
    return tuple(ways)
