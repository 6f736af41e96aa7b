"""After a promotion the year goes on: the monitor looks every week, and what a retraining opens is played."""

from dataclasses import dataclass, field, replace
from datetime import timedelta

from deployments.demo.afterwards import play_on
from deployments.ports import address_of_new_versions
from headgate.rollout.state import Decision, Move, Phase, State, Tick
from tests.builders import APRIL

WEEK = timedelta(days=7)
HOLD = Decision(Move.HOLD, ("not enough samples",))
STATE = State("flights-gbm-2", Phase.SHADOW, APRIL, APRIL)


@dataclass
class Fake:
    """Opens a rollout in these weeks, each lasting so many weeks; writes down what it is asked to do."""

    opens: dict
    done: list = field(default_factory=list)
    ends: object = None
    waiting: int = 0

    def watch(self, now):
        self.done.append(("watch", (now - APRIL) // WEEK))
        self.waiting += 1 if (now - APRIL) // WEEK in self.opens else 0

    def renewed(self):
        return self.waiting > 0

    def open(self, now):
        self.waiting -= 1
        week = (now - APRIL) // WEEK
        self.ends = now + self.opens.get(week, 1) * WEEK
        self.done.append(("open", week))

    def shadow(self, now):
        self.done.append(("shadow", (now - APRIL) // WEEK))

    def tick(self, now):
        over = now >= self.ends
        return Tick(1, now, "run", HOLD, replace(STATE, phase=Phase.DONE if over else Phase.SHADOW))

    def call(self, start, end, state):
        """Nobody calls."""

    def approve(self, *_):
        raise AssertionError("nothing was asked")

    def over(self, last):
        self.done.append(("over", (last.at - APRIL) // WEEK))


def played(opens, weeks=5):
    service = Fake(opens)
    play_on(service, APRIL + WEEK, APRIL + weeks * WEEK, WEEK, lambda _tick: None)
    return service.done


def test_without_a_retraining_the_monitor_looks_every_week_to_the_end():
    assert played({}) == [("watch", n) for n in range(1, 6)]


def test_a_rollout_that_a_retraining_opened_is_played_while_the_monitor_goes_on_looking():
    assert played({2: 2}) == [
        ("watch", 1), ("watch", 2), ("open", 2),
        ("shadow", 3), ("watch", 3), ("shadow", 4), ("watch", 4), ("over", 4),
        ("watch", 5),
    ]  # fmt: skip


def test_a_second_retraining_waits_in_the_queue_until_the_first_is_judged():
    done = played({2: 2, 3: 1})
    assert [one for one in done if one[0] in ("open", "over")] == [
        ("open", 2), ("over", 4), ("open", 4), ("over", 5),
    ]  # fmt: skip
    assert [week for what, week in done if what == "watch"] == [1, 2, 3, 4, 5]


def test_what_is_under_way_when_the_data_ends_is_told_as_it_stands():
    assert played({4: 9})[-1] == ("over", 5)


def test_new_versions_get_an_address_of_their_own():
    assert address_of_new_versions().replace("{number}", "3").rpartition(":")[2].isdigit()
