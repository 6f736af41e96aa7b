"""The plane's report is held against the record, and the record tells the plane what to serve."""

from dataclasses import replace
from datetime import timedelta

import pytest

from headgate.adapters import store
from headgate.errors import PlaneRefused, PlaneUnavailable
from headgate.ports import Endpoint, Observed
from headgate.rollout.state import Outcome, Phase, PlaneView
from tasks.traffic import PlaneSeen, compare, look_at_plane, route_of, set_share
from tests.builders import APRIL, PLAN
from tests.unit.task_cases import opened, standing_at

LATER = APRIL + timedelta(hours=1)
AGREES, BEHIND, DISAGREES = PlaneView.AGREES, PlaneView.BEHIND, PlaneView.DISAGREES


@pytest.fixture
def ramp(wired):  # noqa: ARG001 - in place before anything is opened
    """A rollout that decided 5 % with generation 4."""
    return standing_at(opened(), Phase.RAMP, step=1, share_bp=500, entry=1, generation=4)


def seen(case, *, share_bp=500, generation=4, rollout=..., token=...):
    return Observed(
        rollout=case.rollout.id if rollout is ... else rollout,
        share_bp=share_bp,
        mirror=False,
        token=case.rollout.token if token is ... else token,
        generation=generation,
    )


# ---------------------------------------------------------------- law 12


@pytest.mark.parametrize(
    ("report", "view"),
    [
        ({}, AGREES),
        ({"generation": 3, "share_bp": 0}, BEHIND),
        ({"generation": 3}, BEHIND),  # an unfinished write, even where the share happens to be right
        ({"generation": None, "share_bp": 0}, BEHIND),
        ({"share_bp": 501}, DISAGREES),
        ({"share_bp": 0}, DISAGREES),
        ({"generation": 5}, DISAGREES),  # one we never wrote
        ({"generation": 5, "share_bp": 0}, DISAGREES),
    ],
)
def test_a_report_about_this_rollout(ramp, report, view):
    assert compare(seen(ramp, **report), ramp, ramp.state) is view


@pytest.mark.parametrize(("token", "view"), [(0, BEHIND), (None, BEHIND), (1, DISAGREES), (2, DISAGREES)])
def test_a_report_about_another_rollout_is_old_with_a_lower_token_and_a_disagreement_else(ramp, token, view):
    assert ramp.rollout.token == 1
    assert compare(seen(ramp, rollout="flights-old-1", token=token), ramp, ramp.state) is view


def test_a_plane_that_serves_no_rollout_at_all_is_behind(ramp):
    nothing = seen(ramp, rollout=None, token=None, generation=None, share_bp=0)
    assert compare(nothing, ramp, ramp.state) is BEHIND


@pytest.mark.parametrize("phase", [Phase.QUEUED, Phase.PREFLIGHT])
def test_before_the_first_write_any_report_agrees(ramp, phase):
    before = standing_at(ramp, phase, share_bp=0, generation=0)
    assert compare(seen(ramp, rollout="flights-old-1", token=9), before, before.state) is AGREES


# ---------------------------------------------------------------- routes


def test_a_route_says_who_serves_whose_traffic_and_how_much_of_it(ramp):
    route = route_of(ramp, ramp.state)
    assert (route.service, route.rollout, route.salt) == ("flight-delays", "flights-gbm-1", ramp.rollout.salt)
    assert (route.share_bp, route.mirror, route.token, route.generation) == (500, False, 1, 4)
    assert (route.incumbent, route.candidate) == (Endpoint("127.0.0.1", 8101), Endpoint("127.0.0.1", 8102))
    assert (route.model, route.timeout_ms) == ("delays", 300)


def test_only_shadow_mirrors(ramp):
    for phase in Phase:
        state = replace(ramp.state, phase=phase, share_bp=0)
        assert route_of(ramp, state).mirror == (phase is Phase.SHADOW)


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("http://models.internal", Endpoint("models.internal", 80)),
        ("https://models.internal", Endpoint("models.internal", 443)),
        ("http://[::1]:9000", Endpoint("::1", 9000)),
    ],
)
@pytest.mark.usefixtures("wired")
def test_an_address_without_a_port_has_that_of_its_scheme(url, endpoint):
    case = opened(candidate={**PLAN["candidate"], "url": url})
    assert route_of(case, case.state).candidate == endpoint


@pytest.mark.usefixtures("wired")
@pytest.mark.parametrize(("timeout", "ms"), [("2s", 2_000), ("1ms", 1)])
def test_patience_is_in_milliseconds(timeout, ms):
    case = opened(serving={"timeout": timeout})
    assert route_of(case, case.state).timeout_ms == ms


# ---------------------------------------------------------------- acting on a plane


def shadow(case):
    return standing_at(case, Phase.SHADOW, entry=0, generation=1)


def test_a_queued_rollout_does_not_look_at_a_plane_that_serves_another(wired):
    queued = standing_at(opened(), Phase.QUEUED)
    assert look_at_plane.fn(queued, LATER) == PlaneSeen(AGREES)
    with pytest.raises(PlaneUnavailable):
        wired.plane_of("flight-delays").observe()  # nobody started it


def test_a_look_starts_the_plane_and_changes_no_share(wired, ramp):
    assert look_at_plane.fn(ramp, LATER) == PlaneSeen(BEHIND, 0, None, None)
    assert wired.plane_of("flight-delays").observe().share_bp == 0


def test_a_plane_that_does_not_answer_is_unreachable_and_never_zero(wired, ramp):
    wired.plane_of("flight-delays").reachable = False
    assert look_at_plane.fn(ramp, LATER) == PlaneSeen(PlaneView.UNREACHABLE, None, None, None)


def test_the_share_is_set_and_the_planes_own_word_noted(wired, ramp):
    look_at_plane.fn(ramp, APRIL)
    set_share.fn(ramp, ramp.state, LATER)
    assert wired.plane_of("flight-delays").observe() == seen(ramp)
    (noted,) = store.confirmations(wired.engine, ramp.rollout.id)
    assert (noted.generation, noted.at, noted.share_bp, noted.entry, noted.step) == (4, LATER, 500, 1, 1)


def test_the_first_confirmation_stands_however_often_somebody_looks(wired, ramp):
    look_at_plane.fn(ramp, APRIL)
    set_share.fn(ramp, ramp.state, LATER)
    for hours in (2, 3):
        found = look_at_plane.fn(ramp, APRIL + timedelta(hours=hours))
        assert found == PlaneSeen(AGREES, 500, 4, LATER)
    set_share.fn(ramp, ramp.state, APRIL + timedelta(hours=4))
    assert len(store.confirmations(wired.engine, ramp.rollout.id)) == 1


def test_nothing_is_asked_of_a_plane_before_the_first_write_or_after_an_end_without_one(wired):
    case = opened()
    rejected = replace(case.state, phase=Phase.DONE, outcome=Outcome.REJECTED)
    for state in (case.state, replace(case.state, phase=Phase.QUEUED), rejected):
        set_share.fn(case, state, LATER)
    with pytest.raises(PlaneUnavailable):
        wired.plane_of("flight-delays").observe()


def test_at_the_end_of_a_rollout_that_moved_traffic_the_mirror_goes_off(wired):
    case = shadow(opened())
    look_at_plane.fn(case, APRIL)
    set_share.fn(case, case.state, LATER)
    assert wired.plane_of("flight-delays").observe().mirror
    done = replace(case.state, phase=Phase.DONE, outcome=Outcome.ABORTED, generation=2)
    set_share.fn(case, done, LATER)
    assert not wired.plane_of("flight-delays").observe().mirror


def test_a_plane_that_holds_a_newer_write_refuses_an_older_one(wired, ramp):
    look_at_plane.fn(ramp, APRIL)
    set_share.fn(ramp, ramp.state, LATER)
    older = replace(ramp.state, generation=3, share_bp=0)
    with pytest.raises(PlaneRefused, match="a newer generation is in force"):
        set_share.fn(ramp, older, LATER)
    assert wired.plane_of("flight-delays").observe().share_bp == 500


def test_another_rollouts_generation_is_never_taken_for_ours(ramp):
    look_at_plane.fn(ramp, APRIL)
    set_share.fn(ramp, ramp.state, LATER)
    stranger = replace(ramp, rollout=replace(ramp.rollout, id="flights-new-1"))
    found = look_at_plane.fn(stranger, LATER)
    assert (found.view, found.share_bp, found.generation) == (DISAGREES, 500, None)
    assert found.confirmed_at is None
