"""What a drift comes from: the requests, their mix, the outcomes, or something broken on the way."""

from __future__ import annotations

from headgate.drift.effects import Aspect
from headgate.drift.policy import Role
from headgate.drift.report import Cause, ColumnVerdict, Finding, Report
from headgate.profile import ColumnComparison, Kind

#: Above these something broke rather than moved: the share of values never seen, the spreads that a mean
#: moved by, the share of values out of contract.
_MOST_UNSEEN, _FAR, _OUTSIDE = 0.5, 50.0, 0.01
#: A column that loses so much more of its values broke, whatever the values that are left do.
_MOST_MISSING = 0.5
#: A constant is stuck where this far from the reference; a week without rain is not.
_STUCK = 0.5
#: Where less than this is missing in the reference, values belong there.
_MOSTLY_THERE = 0.2


def broken(column: ColumnComparison, aspect: Aspect) -> str:
    """Say why a drifted column looks like broken plumbing; empty if it does not."""
    before, now = column.missing_reference or 0.0, column.missing_current or 0.0
    if before < _MOSTLY_THERE and now - before >= _MOST_MISSING:  # whatever moved most in what is left
        return "values that used to be there are missing"
    if aspect is Aspect.MISSING:
        # A column that is mostly empty fills and empties with the world: there are gusts, or there are none.
        return "values that used to be there are missing" if before < _MOSTLY_THERE and now > before else ""
    if (column.unseen_share or 0) >= _MOST_UNSEEN:
        return "most of its values were never seen before: renamed?"
    outside = (column.out_of_contract_current or 0) - (column.out_of_contract_reference or 0)
    if outside >= _OUTSIDE:
        return "values are outside the contract"
    if column.kind is not Kind.NUMBER or not column.spread_reference or column.mean_current is None:
        return ""
    if column.spread_current == 0 and (column.js or 0) >= _STUCK:
        return f"stuck at {column.mean_current:g}"
    moved = abs(column.mean_current - (column.mean_reference or 0.0)) / column.spread_reference
    return f"its mean moved by {moved:.0f} spreads: another unit?" if moved >= _FAR else ""


def findings(report: Report) -> tuple[Finding, ...]:
    """Return the causes that one look at a window can tell; empty without drift."""
    found = []
    plumbing = [one for one in report.drifted if one.broken]
    if plumbing:
        found.append(finding_of(Cause.PIPELINE, plumbing, "broken on the way"))
    labels = [one for one in report.drifted if one.role is Role.LABEL and not one.broken]
    if labels:
        found.append(finding_of(Cause.LABEL_RATE, labels, "outcomes are not as frequent as before"))
    mix = [one for one in report.drifted if one.role is Role.SEGMENT and not one.broken]
    if mix:
        found.append(finding_of(Cause.MIX, mix, "requests come in other shares"))
    told = {one.name for one in (*plumbing, *labels, *mix)}
    rest = [one for one in report.drifted if one.name not in told]
    if rest:
        found.append(finding_of(Cause.DATA, rest, "values moved"))
    elif report.together.drifted and not report.drifted:
        found.append(
            Finding(Cause.DATA, (), f"columns move together as never before: {report.together.reason}")
        )
    return tuple(found)


def finding_of(cause: Cause, columns: list[ColumnVerdict], said: str) -> Finding:
    """Return a finding that names at most five columns, the largest effects first."""
    ordered = sorted(columns, key=lambda one: -(one.effect or float("inf")))
    told = ", ".join(f"{one.name} ({one.broken or one.reason})" for one in ordered[:5])
    more = f" and {len(ordered) - 5} more" if len(ordered) > 5 else ""
    return Finding(cause, tuple(one.name for one in ordered), f"{said}: {told}{more}")
