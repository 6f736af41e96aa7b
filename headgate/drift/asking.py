"""Two files of rows, and whether one has drifted from the other: what `headgate drift` asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from headgate.drift.classifier import ToldApart, tell_apart
from headgate.drift.grouping import within
from headgate.drift.judging import judge
from headgate.drift.parts import Parted, Tell, read
from headgate.drift.policy import Policy, Role
from headgate.drift.report import Report
from headgate.drift.state import State
from headgate.drift.wandering import FEWEST_BLOCKS, Calibration, calibrate
from headgate.errors import InputError
from headgate.profile import Kind, Profile, Timestamp, compare, outline


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found.

    Attributes
    ----------
    report
        Of all rows.
    groups
        Of each group by itself; empty unless a column of groups was named.
    blocks
        Days or hours of the reference whose differences are the scale; 0 unless a column of times was named.
    """

    report: Report
    groups: Mapping[str, Report] = field(default_factory=dict)
    blocks: int = 0


def ask(
    reference: Path,
    current: Path,
    policy: Policy,
    *,
    by: str | None = None,
    tell: Tell = lambda _: None,
) -> Answer:
    """Hold the current rows against the reference, each read once.

    Parameters
    ----------
    by
        A column of times: how much its days differ (of less than ten days, the hours) is what
        drift is held against. A column of few values: like is held against like, so that other shares of the
        groups are told from other values within them.

    Raises
    ------
    InputError
        If files cannot be read or the column cannot part them.
    """
    # The kinds of columns are known from a few rows; the reference's own grid comes with its profile.
    before_ = outline(reference)
    kind = _kind_of(by, before_, reference)
    if by is not None and by not in outline(current).columns:
        raise InputError(f"--by {by}: asked a column of {current}; found none; name one that both have")
    _check_roles(policy, before_, reference)
    unit = _unit(reference, by, tell) if kind is Kind.TIMESTAMP else "day"
    before = read(reference, None, by=by, unit=unit, tell=tell)
    now = read(current, before.whole, by=None if kind is Kind.TIMESTAMP else by, tell=tell)
    tell("telling rows apart")
    together = _told_apart(before, now, policy, by)
    if by is None:
        return Answer(_at_once(before, now, policy, together, Calibration()))
    if kind is Kind.TIMESTAMP:
        scale = calibrate(list(before.parts.values()), before.whole, fewest=policy.fewest)
        return Answer(_at_once(before, now, policy, together, scale), blocks=scale.blocks)
    return _grouped(before, now, policy, together, by)


def _kind_of(by: str | None, profile: Profile, path: Path) -> Kind | None:
    if by is None:
        return None
    if by not in profile.columns:
        raise InputError(
            f"--by {by}: asked a column of {path}; found {', '.join(profile.columns)}; name one of these"
        )
    return profile.columns[by].kind


def _check_roles(policy: Policy, profile: Profile, path: Path) -> None:
    """Refuse roles of columns that are not there: a misspelt score would be watched by nobody."""
    lost = [name for name in policy.roles if name not in profile.columns]
    if lost:
        raise InputError(
            f"{lost[0]}: asked a column of {path}; found {', '.join(profile.columns)}; name one of these"
        )


def _unit(path: Path, by: str | None, tell: Tell) -> str:
    """Return how times are cut: by days, or by hours where there are too few days."""
    from headgate.profile import take

    tell(f"reading {path}: its span of time")
    column = take(path, columns=[by or ""]).columns.get(by or "")
    if not isinstance(column, Timestamp) or column.least is None or column.most is None:
        return "day"
    span: timedelta = column.most - column.least
    return "day" if span >= timedelta(days=2 * FEWEST_BLOCKS) else "hour"


def _at_once(
    before: Parted, now: Parted, policy: Policy, together: ToldApart | None, scale: Calibration
) -> Report:
    """Return the verdicts of one look, on the scale of the reference's blocks."""
    once = replace(policy, every=timedelta(days=365))
    report = judge(compare(before.whole, now.whole), once, State(scale), together=together)
    return replace(report, state=None)


def _grouped(before: Parted, now: Parted, policy: Policy, together: ToldApart | None, by: str) -> Answer:
    """Return the verdicts on all rows and on each group; both share the chance of a false alarm."""
    half = replace(policy.calling(Role.SEGMENT, by), false_alarms=policy.false_alarms / 2)
    whole = _at_once(before, now, half, together, Calibration())
    both = [value for value in before.parts if value in now.parts]
    each = replace(half, false_alarms=half.false_alarms / max(1, len(both)))
    groups = {
        value: judge(compare(before.parts[value], now.parts[value]), each.calling(Role.IGNORED, by))
        for value in both
    }
    return Answer(within(whole, groups, by, half), groups)


def _told_apart(before: Parted, now: Parted, policy: Policy, by: str | None) -> ToldApart | None:
    left_out = {name for name, role in policy.roles.items() if role in (Role.IGNORED, Role.LABEL)} | {by}
    columns = [name for name in before.whole.columns if name not in left_out]
    return tell_apart(before.sample, now.sample, columns, within=True)
