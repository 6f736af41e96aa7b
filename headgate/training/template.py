"""The plan of a new model's rollout: the last one, with the models replaced and what was measured put in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from headgate.errors import InputError, PlanError, Problem
from headgate.plan.applies import is_paired_loss, loss_range
from headgate.plan.calendar import read_freeze
from headgate.plan.finding import spell
from headgate.plan.lint import lint
from headgate.plan.model import Gate, ModelRef, Plan
from headgate.training.compared import FEWEST_BLOCKS, Against

#: How much larger than the largest block seen the next one may be before it is clipped.
_ROOM = 2.0
#: A bound must leave room for every margin that is to be told from it.
_ABOVE_MARGINS = 1.5
#: What is expected stays this far within the bound; and the bound where the plan names none.
_WITHIN, _BLOCK_BOUND = 0.9, 0.2


@dataclass(frozen=True, slots=True)
class Standing:
    """The last plan of a service as a new model finds it.

    Attributes
    ----------
    plan
        Of the last rollout that was promoted; of the newest one where none was.
    promoted
        Whether its candidate serves today; else its incumbent does.
    """

    plan: Plan
    promoted: bool

    @property
    def serving(self) -> ModelRef:
        """Who answers today."""
        return self.plan.candidate if self.promoted else self.plan.incumbent

    @property
    def beside(self) -> ModelRef:
        """The other side of that plan."""
        return self.plan.incumbent if self.promoted else self.plan.candidate


def plan_of_next(standing: Standing, version: str, serving: Against, now: datetime) -> Plan:
    """Return the plan under which a new version is to prove itself against the one that serves.

    Who must sign, who approves, steps, gates and margins stay. What was expected of the last candidate is
    replaced by what was measured of this one on held-out time: ``expect`` and ``variance`` make the proof
    fast and never change its validity; ``block_bound`` is only ever tightened, to twice the largest block
    seen. Freezes that are over are left out.

    Raises
    ------
    InputError
        If the plan says no address for the new version.
    PlanError
        If the plan that comes of it breaks a rule.
    """
    plan = standing.plan
    url = plan.retrain.address_of(version) if plan.retrain else None
    if url is None:
        raise InputError(
            f"asked where {version} will be served; the plan {plan.name} has no `retrain.url`; add it, or "
            "write `opens: nothing`"
        )
    candidate = plan.candidate.model_copy(update={"url": url, "version": version})
    if measured := serving.blocks >= FEWEST_BLOCKS:
        unit = plan.unit.model_copy(update={"block_bound": _bound(plan, serving)})
        plan = plan.model_copy(update={"unit": unit})
    gates = tuple(_expecting(gate, plan, serving) if measured else gate for gate in plan.gates)
    freeze = tuple(days for days in plan.calendar.freeze if read_freeze(days)[1] >= now.date())
    changed = {
        "incumbent": standing.serving,
        "candidate": candidate,
        "gates": gates,
        "calendar": plan.calendar.model_copy(update={"freeze": freeze}),
    }
    # Without what is said by default anyway: rules ask which keys an author wrote.
    body = plan.model_copy(update=changed).model_dump(mode="json", by_alias=True, exclude_defaults=True)
    made = Plan.model_validate(body)
    if found := lint(made):
        problems = tuple(Problem(0, spell(f.path), f.asked, f.found, f.todo) for f in found)
        raise PlanError(f"the plan of {version}, made from {plan.name}", problems)
    return made


def _expecting(gate: Gate, plan: Plan, serving: Against) -> Gate:
    """Return a paired gate with what was measured in place of what was expected of another model."""
    seen = serving.seen.get(gate.name)
    if seen is None or gate.margin is None or not is_paired_loss(gate, plan):
        return gate
    bound = plan.unit.block_bound or _BLOCK_BOUND * loss_range(gate, plan)
    expect = round(max(min(seen.mean, 0.0), -_WITHIN * bound), 6)
    if expect >= gate.margin:
        expect = gate.expect  # superiority is asked for and was not measured: the author's hope stays
    variance = float(f"{seen.square:.3g}") or None
    return gate.model_copy(update={"expect": expect, "variance": variance or gate.variance})


def _bound(plan: Plan, serving: Against) -> float | None:
    """Return the clipping bound of a block's mean, tightened where the blocks seen allow it."""
    paired = [gate for gate in plan.gates if is_paired_loss(gate, plan)]
    if plan.unit.block_bound is None or not all(gate.name in serving.seen for gate in paired) or not paired:
        return plan.unit.block_bound
    margins = [abs(x) for gate in paired for x in (gate.margin, gate.harm, gate.expect) if x is not None]
    margins += [abs(x) for x in plan.segments.gates.values()] if plan.segments else []
    margins += [abs(serving.seen[gate.name].mean) for gate in paired]
    needed = max(
        _ROOM * max(serving.seen[gate.name].largest for gate in paired), _ABOVE_MARGINS * max(margins)
    )
    return min(plan.unit.block_bound, float(f"{needed:.2g}"))
