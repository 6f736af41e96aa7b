"""The share may change as often as it likes: every request is answered, and by the share it names."""

import time

from headgate.ports import Side
from tests.chaos.callers import Callers, errors, sides

STEPS = (0, 100, 500, 2_500, 5_000, 10_000)


def test_m9_changes_under_load_drop_nothing_and_every_answer_is_of_the_share_it_names(rig, full, tell):
    changes = 1_000 if full else 100
    share = {generation: STEPS[generation % len(STEPS)] for generation in range(1, changes + 2)}
    rig.plane.apply(rig.route(share[1]))
    times = []
    with Callers(rig.url, count=4 if full else 2) as callers:
        callers.wait_for(20)
        for generation in range(2, changes + 2):
            began = time.perf_counter()
            rig.plane.apply(rig.route(share[generation], generation))
            times.append(1e3 * (time.perf_counter() - began))
        callers.wait_for(20)
    heard = callers.heard()
    assert not errors(heard)
    wrong = [a for a in heard if [a.side] != sides("gbm-1", [a.entity], share[a.generation])]
    assert not wrong
    assert all(a.who == (a.side or Side.INCUMBENT).value for a in heard)
    for one in callers.heard_from_each():
        generations = [answer.generation for answer in one]
        assert generations == sorted(generations), "an older route came back"
    assert heard[-1].generation == changes + 1
    times.sort()
    tell(
        f"share changed {changes:,} times under load",
        f"0 dropped; read back in {times[len(times) // 2]:.0f} ms (median), "
        f"{times[int(0.99 * len(times))]:.0f} ms (99 %)",
        heard,
    )
