"""Everything one tick sees at once, and how the rules answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from headgate.plan.model import Plan, Step
from headgate.rollout.state import LIVE, Decision, Move, Phase, PlaneView, State, Waiting, World
from headgate.rollout.timers import deadlines


@dataclass(frozen=True, slots=True)
class Moment:
    """One tick's view: where the rollout stands, under which plan, in which world.

    ``resumed`` says that an order ended a pause in this very tick.
    """

    state: State
    plan: Plan
    world: World
    plan_hash: str
    resumed: bool = False

    @property
    def now(self) -> datetime:
        """Time of the tick."""
        return self.world.now

    @property
    def live(self) -> bool:
        """Whether the phase is shadow, ramp or watch."""
        return self.state.phase in LIVE

    @property
    def next_step(self) -> Step | None:
        """The step above, or None on the last one."""
        above = self.state.step + 1
        return self.plan.steps[above] if above < len(self.plan.steps) else None

    def due(self, *times: datetime | None) -> datetime | None:
        """Return the first of these times and the deadlines that is still to come."""
        every = (*times, *(at for at, _ in deadlines(self.state, self.plan, self.now)))
        return min((at for at in every if at is not None and at > self.now), default=None)

    def hold(
        self, waiting_for: Sequence[Waiting], reasons: Sequence[str], *times: datetime | None
    ) -> Decision:
        """Return a hold that says what is missing, and when time alone may change that."""
        return Decision(Move.HOLD, tuple(reasons), tuple(waiting_for), due=self.due(*times))


#: A rule answers, or leaves the question to the rules after it.
Rule = Callable[[Moment], Decision | None]


def at_zero(state: State, world: World) -> bool:
    """Return whether the candidate certainly answers nobody.

    Before shadow nothing was ever written to the plane. Later our word is not enough: a share of 0 that
    was decided but is not in force yet has to be waited for.
    """
    if state.phase in (Phase.QUEUED, Phase.PREFLIGHT):
        return True
    return state.share_bp == 0 and world.plane is PlaneView.AGREES


def percent(share_bp: int) -> str:
    """Return a share as people read it.

    Examples
    --------
    >>> percent(50), percent(10_000)
    ('0.5 %', '100 %')
    """
    return f"{share_bp / 100:g} %"
