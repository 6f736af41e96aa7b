"""Like against like: other shares of the groups told from other values within them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from headgate.drift.attribution import finding_of, findings
from headgate.drift.judging import alarming
from headgate.drift.policy import Policy, Role
from headgate.drift.report import Cause, ColumnVerdict, Report


def within(report: Report, groups: Mapping[str, Report], by: str, policy: Policy) -> Report:
    """Return the report with the groups heard.

    What drifted within a group drifted, even where the whole hides it. What drifted as a whole but in no
    group is the mix: its requests are as ever, there are more of some and fewer of others.

    Parameters
    ----------
    report
        Of all requests.
    groups
        Of each group of requests by itself, by its value of the column ``by``.
    policy
        The one that the whole was judged by.
    """
    judged = {value: group for value, group in groups.items() if group.judged}
    if not judged:
        return report
    heard = replace(report, columns=tuple(_heard(one, judged, by) for one in report.columns))
    inside = {one.name for group in judged.values() for one in group.drifted}
    mixed = [
        one
        for one in heard.drifted
        if one.name not in inside and not one.broken and one.role is not Role.LABEL
    ]
    names = {one.name for one in mixed}
    rest = replace(heard, columns=tuple(one for one in heard.columns if one.name not in names))
    if mixed:  # another mix is a reason why rows can be told apart
        rest = replace(rest, together=replace(rest.together, drifted=False))
    found = findings(rest)
    if mixed:
        found = (*found, finding_of(Cause.MIX, mixed, f"the shares of {by} changed, within each nothing did"))
    heard = replace(heard, findings=found)
    return replace(heard, alarming=alarming(heard, policy))


def _heard(one: ColumnVerdict, groups: Mapping[str, Report], by: str) -> ColumnVerdict:
    """Return the verdict on a column with what its groups say, the largest effect first."""
    found = [
        (inside.effect or 0.0, value, inside)
        for value, group in groups.items()
        for inside in group.drifted
        if inside.name == one.name
    ]
    if not found or one.comparison.changed:
        return one
    _, value, inside = max(found, key=lambda entry: entry[:2])
    also = f", and in {len(found) - 1} other groups" if len(found) > 1 else ""
    if one.drifted:
        return replace(one, reason=f"{one.reason}; most where {by} is {value}{also}")
    reason = f"where {by} is {value}: {inside.reason}{also}"
    return replace(one, judged=True, drifted=True, reason=reason, effect=inside.effect, broken=inside.broken)
