"""Whatever the candidate does, its callers get an answer of the incumbent instead, and never an error."""

import time

from headgate.ports import Side
from tests.chaos.callers import Callers, asked, errors, sides
from tests.chaos.rigs import eventually
from tests.integration.plane_conformance import read

FAULTS = (
    "fails",
    "sometimes fails",
    "hangs",
    "answers late",
    "hangs up",
    "resets",
    "talks nonsense",
    "refuses",
    "is killed",
)
PATIENCE_MS = 120


def commanded(candidate, fault):
    candidate.behave()
    if fault == "is killed":
        candidate.kill()
    else:
        candidate.does(fault)


def test_m8_whatever_the_candidate_does_no_caller_gets_an_error(rig, full, tell):
    for number, fault in enumerate(FAULTS):
        rig.candidate.behave()
        # A patience of its own each time: what was ejected under another is not ejected under this.
        rig.plane.apply(rig.route(5_000, number + 1, timeout_ms=PATIENCE_MS + number))
        with Callers(rig.url, count=4 if full else 2) as callers:
            callers.wait_for(20)
            commanded(rig.candidate, fault)
            callers.wait_for(800 if full else 50)
        heard = callers.heard()
        assert not errors(heard), fault
        fell_back = sum(a.side is Side.CANDIDATE and a.who == "incumbent" for a in heard)
        assert fell_back > 0, fault
        assert all(a.who == "incumbent" for a in heard if a.side is Side.INCUMBENT), fault
        tell(f"candidate {fault}", f"the incumbent's answer {fell_back:,} times instead", heard)


def test_m8_a_failing_candidate_is_left_alone_and_comes_back_when_it_is_well(rig, full, tell):
    heard, waited = [], []
    faults = ("fails", "refuses", "is killed") if full else ("is killed",)
    if full and rig.kind == "haproxy":
        faults += ("hangs",)  # Envoy does not count the end of its patience as a failure: docs/traffic.md
    for number, fault in enumerate(faults):
        rig.plane.apply(rig.route(10_000, number + 1, timeout_ms=PATIENCE_MS + number))
        commanded(rig.candidate, fault)
        # Not in a hurry: most of it is waiting.
        with Callers(rig.url, pause_s=0.02) as callers:
            if fault == "is killed":
                callers.wait_for(40)
                rig.candidate.behave()
            else:
                eventually(lambda callers=callers: left_alone(rig.candidate, callers), patience_s=40)
                rig.candidate.behave()
            began = time.perf_counter()
            eventually(lambda callers=callers: callers.heard()[-1].who == "candidate", patience_s=40)
            waited.append(time.perf_counter() - began)
            callers.wait_for(20)
            assert callers.heard()[-1].who == "candidate"
        heard += callers.heard()
    assert not errors(heard)
    seconds = f"{min(waited):.0f} to {max(waited):.0f} s" if full else f"{waited[0]:.0f} s"
    tell("candidate ejected, then well again", f"its answers again after {seconds}", heard)


def left_alone(candidate, callers):
    """Return whether nobody asks the candidate any more."""
    candidate.seen()
    callers.wait_for(30)
    return candidate.seen() == 0


def test_the_incumbents_own_errors_reach_its_own_callers_and_once(rig, tell):
    rig.plane.apply(rig.route(5_000))
    entities = [f"N{n}" for n in range(60)]
    rig.incumbent.does("fails")
    heard = asked(rig.url, entities)
    for answer in heard:
        expected = (200, "candidate") if answer.side is Side.CANDIDATE else (500, "incumbent")
        assert (answer.status, answer.who) == expected
    assert rig.incumbent.seen() == len(errors(heard)) > 0
    tell(
        "incumbent fails, candidate is well", "only the incumbent's own callers its errors, once each", heard
    )

    rig.candidate.does("fails")
    rig.candidate.seen()
    heard = asked(rig.url, entities)
    assert {(answer.status, answer.who) for answer in heard} == {(500, "incumbent")}
    assert rig.incumbent.seen() == len(entities)
    assert rig.candidate.seen() <= sum(answer.side is Side.CANDIDATE for answer in heard)
    tell("both fail", "the incumbent's error, once each", heard)


def test_without_the_incumbent_its_own_callers_get_503_and_the_candidates_notice_nothing(rig, tell):
    rig.plane.apply(rig.route(5_000))
    rig.incumbent.kill()
    heard = asked(rig.url, [f"N{n}" for n in range(60)])
    assert {a.status for a in heard if a.side is Side.CANDIDATE} == {200}
    assert {a.status for a in errors(heard)} == {503}
    tell("incumbent is killed", "503 for its own callers until it is back", heard)


def test_an_answer_cut_in_the_middle_is_no_answer_and_counts_against_the_candidate(rig, full, tell):
    """The one fault no proxy can hide: the beginning of the answer is with the caller already."""
    rig.plane.apply(rig.route(5_000, timeout_ms=PATIENCE_MS))
    rig.candidate.does("dies in mid-answer")
    entities = [f"N{n}" for n in range(20 if full else 8)]
    heard = asked(rig.url, entities)
    cut = errors(heard)
    assert {answer.status for answer in cut} <= {0}, "half an answer looked like a whole one"
    logged = read(rig.plane, {}, len(entities)).served
    failed = [line.entity for line in logged if line.assigned is not line.served]
    assert failed == on_candidate(entities), "the errors gate would not see it"
    assert {answer.entity for answer in cut} <= set(failed)
    tell("candidate dies in mid-answer", f"{len(cut)} connections cut, all counted as its errors", heard)


def on_candidate(entities):
    assigned = zip(entities, sides("gbm-1", entities, 5_000), strict=True)
    return [entity for entity, side in assigned if side is Side.CANDIDATE]
