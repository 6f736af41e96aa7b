"""How people take a model's answers, in words: of the pages, and of `headgate review status`."""

from __future__ import annotations

from datetime import timedelta

from headgate.plan.reviewing import Review
from headgate.report.formats import NO_DATA, count, lasting
from headgate.review.adoption import Adoption, Judged
from headgate.review.case import cases_wait


def sentences(taken: Adoption) -> list[str]:
    """Return what waits and how often people overrule, a sentence each; where nobody looked, that."""
    return [_waiting(taken), _overruled(taken)]


def facts(taken: Adoption, rule: Review | None) -> dict[str, str]:
    """Return the numbers that a page shows, by their names."""
    most = "" if rule is None else f" (at most {lasting(rule.max_age)})"
    return {
        "judged by people": count(taken.judged.judged),
        "overruled, of the sample": _share(taken.sampled),
        "overruled, of all that was judged": _share(taken.judged),
        "waiting": count(taken.waiting),
        "the oldest waits": "nothing waits" if taken.oldest_hours is None else f"{_oldest(taken)}{most}",
    }


def _waiting(taken: Adoption) -> str:
    if taken.oldest_hours is None:
        return "Nothing waits for reviewers."
    which = ", the oldest" if taken.waiting > 1 else ""
    return f"{cases_wait(taken.waiting)}{which} for {_oldest(taken)}."


def _oldest(taken: Adoption) -> str:
    return lasting(timedelta(hours=taken.oldest_hours or 0.0))


def _overruled(taken: Adoption) -> str:
    if taken.sampled.rate is None:
        return "How often people overrule the model is not known: nobody has looked at a sampled answer yet."
    return (
        f"People overruled {100 * taken.sampled.rate:.1f} % of {count(taken.sampled.judged)} sampled "
        f"answers of the candidate ({_interval(taken.sampled)})."
    )


def _share(of: Judged) -> str:
    return NO_DATA if of.rate is None else f"{100 * of.rate:.1f} % ({_interval(of)})"


def _interval(of: Judged) -> str:
    """Return where the rate is, in percent, however often it is looked at."""
    if of.interval is None:
        return NO_DATA
    low, high = of.interval
    return f"{100 * low:.1f} to {100 * high:.1f} %"
