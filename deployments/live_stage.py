"""The example's service as its player sees it: flows called here, the store read, callers at the plane."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from prefect.exceptions import MissingResult

from deployments.demo.callers import Callers, Tally
from deployments.demo.renewal import Renewal
from deployments.demo.run import live_traffic
from deployments.demo.service import part_of
from flows.advance import advance
from flows.monitor import monitor
from flows.open import open_rollout
from flows.shadow import shadow
from headgate.adapters import store
from headgate.adapters.store import retrainings
from headgate.plan import Plan
from headgate.rollout.state import Phase, State, Tick
from tasks import wiring
from tasks.drifting import drifts_to_say
from tasks.questions import open_questions
from tasks.watching import find_served

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)


@dataclass
class LiveStage:
    """Implements `deployments.year.Stage` with the flows that run in production.

    Attributes
    ----------
    plan, path
        The plan, and the file it is started from.
    callers
        Who sends live traffic.
    opened
        Called with the id of a rollout that has not begun: whoever must sign does so now.
    renewal
        Waits for retrainings, and serves what comes of them.
    """

    plan: Plan
    path: Path
    callers: Callers
    opened: Callable[[str, datetime], None]
    renewal: Renewal
    tally: Tally = field(default_factory=Tally)

    def open(self, now: datetime) -> None:
        """Open a rollout (flow ``open``), if none was ever opened."""
        if not store.rollouts(wiring.build().engine, self.plan.service):
            # A busy server may forget to say how a run ended; what it did is in the store.
            with suppress(MissingResult):
                open_rollout(str(self.path), now=now, opened_by="headgate up")
        for one in store.rollouts(wiring.build().engine, self.plan.service):
            self.renewal.serve(store.plan_of(wiring.build().engine, one.plan_hash))
        self._take_up(now)

    def look(self) -> Tick:
        """Return the last ledger row of the rollout that holds the service, else of the newest."""
        last = store.last_tick(wiring.build().engine, self._rollout())
        assert last is not None  # noqa: S101 - opening wrote the first row
        return last

    def since(self, tick: int, last: Tick) -> Sequence[Tick]:
        """Return the ledger rows after this number and up to ``last``."""
        if last.tick <= tick + 1:
            return [last][: last.tick - tick]
        known = store.ticks(wiring.build().engine, last.state.rollout)
        return [one for one in known if tick < one.tick <= last.tick]

    def next_window(self, every: timedelta) -> datetime:
        """Return when the next shadow window of this length ends."""
        engine, rollout = wiring.build().engine, self._rollout()
        scored = store.windows(engine, rollout)
        if scored:
            return scored[-1].end + every
        opened = self.look().state.opened_at
        return opened + (_EPOCH - opened) % _DAY + every

    def shadow(self, now: datetime, every: timedelta) -> None:
        """Score the windows that are due (flow ``shadow``)."""
        shadow(self.plan.service, now=now, every=f"{every.days}d")

    def tick(self, now: datetime) -> None:
        """Take one tick (flow ``advance``)."""
        advance(self.plan.service, now=now)

    def call(self, start: datetime, end: datetime, state: State) -> None:
        """Send a fixed part of the requests in ``[start, end)`` through the plane, one by one."""
        if end - start < timedelta(minutes=1):
            return
        requests = wiring.build().lake.read_requests(self.plan, start, end)
        live = live_traffic(state.share_bp)
        chosen = part_of(requests, self.plan.requests.id, live.part)
        self.callers.send(chosen, self.tally, live.per_second)

    def goes_on(self) -> bool:
        """Return whether a promoted model is watched, so that the year goes on once its rollout is done."""
        watched = find_served.fn(self.plan.service)
        return watched is not None and watched.version != self.plan.incumbent.version

    def watch(self, now: datetime) -> None:
        """Let the monitor look (flow ``monitor``), and wait for the retraining that may follow."""
        engine, service = wiring.build().engine, self.plan.service
        known = len(retrainings.all(engine, service))
        monitor(service, now=now)
        watched = find_served.fn(service)
        if watched is not None and any(drifts_to_say(watched, now)):
            self.renewal.awaited(known)
        self._take_up(now)

    def unanswered(self) -> bool:
        """Return whether a question is open that too few people have answered."""
        return any(not question.settled for question in open_questions(self._rollout()))

    def _take_up(self, now: datetime) -> None:
        """Serve the candidate of a rollout that has not begun, and let whoever must sign do so."""
        if self.look().state.phase in (Phase.QUEUED, Phase.PREFLIGHT):
            rollout, engine = self._rollout(), wiring.build().engine
            self.renewal.serve(store.plan_of(engine, store.get(engine, rollout).plan_hash))
            self.opened(rollout, now)

    def _rollout(self) -> str:
        engine = wiring.build().engine
        holder = store.holder(engine, self.plan.service)
        return holder.id if holder else store.rollouts(engine, self.plan.service)[-1].id
