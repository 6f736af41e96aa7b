"""What every traffic plane must do. The double and the real proxies pass the very same tests.

A test class inherits `PlaneConformance`, and `MirrorConformance` or `NoMirrorConformance` by what the plane
says it can, and brings three fixtures: ``plane``, ``route`` (a factory: ``route(share_bp, generation,
**fields)``) and ``send`` (``send(request_id, entity, slice_=None)``). A proxy besides stands in `PROXIES`
(`envoy_stage`), and so passes the tests of split, fallback and door that all proxies share.
"""

import time
from dataclasses import replace

import pytest

from headgate.errors import PlaneRefused
from headgate.plan.planes import PLANES
from headgate.ports import Observed, Side, SliceShare
from headgate.routing import HASH, goes_to_candidate


def read(plane, position, count, mirrored=0):
    """Return the log once ``count`` requests and ``mirrored`` copies are in it."""
    deadline = time.monotonic() + 5
    while True:
        log = plane.read_log(position)
        complete = len(log.served) >= count and len(log.mirrored) >= mirrored
        if complete or time.monotonic() > deadline:
            return log
        time.sleep(0.02)


class PlaneConformance:
    def test_before_any_rollout_the_incumbent_serves_alone(self, plane, route, send):
        plane.reconcile(route(2_500))
        assert plane.observe() == Observed(None, 0, mirror=False, token=None, generation=None)
        send("r1", "N1")
        (line,) = read(plane, {}, 1).served
        assert (line.assigned, line.served, line.generation) == (Side.INCUMBENT, Side.INCUMBENT, 0)

    def test_a_route_is_in_force_once_apply_returns(self, plane, route):
        asked = route(2_500)
        plane.apply(asked)
        assert plane.observe() == Observed("gbm-1", 2_500, mirror=False, token=1, generation=1)
        assert plane.verify(asked) is True
        assert plane.verify(replace(asked, share_bp=2_501)) is False

    def test_the_same_route_twice_is_once(self, plane, route):
        plane.apply(route(2_500))
        plane.apply(route(2_500))
        assert plane.observe().generation == 1

    @pytest.mark.parametrize("share_bp", [0, 1, 9_999, 10_000])
    def test_every_share_can_be_kept_to_the_basis_point(self, plane, route, share_bp):
        plane.apply(route(share_bp))
        assert plane.observe().share_bp == share_bp

    def test_a_holder_of_an_older_token_is_refused(self, plane, route):
        plane.apply(route(500, token=7))
        with pytest.raises(PlaneRefused, match="lease"):
            plane.apply(route(1_000, 2, token=6))
        with pytest.raises(PlaneRefused, match="lease"):
            plane.reconcile(route(500, token=6))
        assert plane.observe().share_bp == 500

    def test_an_older_generation_is_refused(self, plane, route):
        plane.apply(route(500, 5))
        with pytest.raises(PlaneRefused, match="newer generation"):
            plane.apply(route(100, 4))
        assert (plane.observe().share_bp, plane.observe().generation) == (500, 5)

    def test_one_generation_never_means_two_shares(self, plane, route):
        plane.apply(route(500, 5))
        with pytest.raises(PlaneRefused, match="new generation"):
            plane.apply(route(100, 5))
        assert plane.observe().share_bp == 500

    def test_a_new_salt_would_reshuffle_callers_and_is_refused(self, plane, route):
        plane.apply(route(500))
        with pytest.raises(PlaneRefused, match="salt"):
            plane.apply(route(500, 2, salt="another"))

    def test_a_new_holder_takes_over_the_same_generation(self, plane, route):
        plane.apply(route(500, 5, token=1))
        plane.apply(route(500, 5, token=2))
        assert plane.observe().token == 2
        with pytest.raises(PlaneRefused):
            plane.apply(route(600, 6, token=1))

    def test_a_new_rollout_starts_at_its_first_generation_with_a_new_token(self, plane, route):
        plane.apply(route(0, 9))
        with pytest.raises(PlaneRefused, match="new token"):
            plane.apply(route(0, 1, rollout="gbm-2", salt="gbm-2"))
        plane.apply(route(0, 1, rollout="gbm-2", salt="gbm-2", token=2))
        assert (plane.observe().rollout, plane.observe().generation) == ("gbm-2", 1)

    @pytest.mark.parametrize(
        "nonsense",
        [
            {"share_bp": -1},
            {"share_bp": 10_001},
            {"share_bp": 100, "mirror": True},
            {"share_bp": 100, "candidate": None},
            {"mirror": True, "candidate": None},
            {"rollout": ""},
            {"timeout_ms": 0},
            {"slices": (SliceShare("jfk", 10_001),)},
            {"slices": (SliceShare("jfk", 100, mirror=True),)},
            {"slices": (SliceShare("jfk", 100), SliceShare("jfk", 200))},
            {"slices": (SliceShare("", 100),)},
            {"slices": (SliceShare("jfk", 100),), "candidate": None},
            {"slices": (SliceShare("jfk", 100),), "share_bp": 100},
        ],
        ids=str,
    )
    def test_a_route_that_makes_no_sense_is_refused(self, plane, route, nonsense):
        plane.reconcile(route())
        with pytest.raises(PlaneRefused):
            plane.apply(route(**nonsense))
        assert plane.observe().rollout is None

    def test_reconciling_never_changes_share_or_mirror(self, plane, route):
        plane.apply(route(500))
        plane.reconcile(route(9_000, 2))
        plane.reconcile(route(0, 3))
        assert plane.observe() == Observed("gbm-1", 500, mirror=False, token=1, generation=1)

    def test_reconciling_the_next_rollout_leaves_a_promoted_candidate_where_it_is(self, plane, route):
        promoted = route(10_000)
        plane.apply(promoted)
        elsewhere = replace(promoted.incumbent, port=1)
        plane.reconcile(route(0, 1, rollout="gbm-2", token=2, candidate=elsewhere))
        assert plane.verify(promoted) is True

    def test_retiring_leaves_one_side_alone_at_the_same_share(self, plane, route, send):
        plane.apply(route(10_000))
        plane.retire(Side.CANDIDATE)
        plane.retire(Side.CANDIDATE)
        assert plane.observe().share_bp == 10_000
        send("r1", "N1")
        assert read(plane, {}, 1).served[0].served is not None

    @pytest.mark.parametrize(("share_bp", "keep"), [(500, "incumbent"), (9_999, "candidate")])
    def test_a_side_that_still_serves_somebody_is_not_retired(self, plane, route, share_bp, keep):
        plane.apply(route(share_bp))
        with pytest.raises(PlaneRefused, match="first"):
            plane.retire(Side(keep))
        assert plane.observe().share_bp == share_bp

    def test_cutting_the_candidate_off_leaves_nothing_of_it_under_a_generation_of_its_own(self, plane, route):
        plane.apply(route(2_500, 3))
        for generation in (4, 5):
            plane.cut_off()
            assert plane.observe() == Observed("gbm-1", 0, mirror=False, token=1, generation=generation)
        with pytest.raises(PlaneRefused, match="newer generation"):
            plane.apply(route(5_000, 4))
        plane.apply(route(100, 6))
        assert plane.observe().share_bp == 100

    def test_cutting_off_takes_every_slice_and_before_any_rollout_changes_nothing(self, plane, route):
        plane.reconcile(route(0))
        plane.cut_off()
        assert plane.observe() == Observed(None, 0, mirror=False, token=None, generation=None)
        plane.apply(route(slices=(SliceShare("jfk", 2_500), SliceShare("lga", 1))))
        plane.cut_off()
        assert plane.observe().slices == (SliceShare("jfk", 0), SliceShare("lga", 0))

    def test_the_log_tells_who_was_assigned_and_who_answered(self, plane, route, send):
        plane.apply(route(5_000, 3))
        entities = [f"N{n}" for n in range(20)]
        for number, entity in enumerate(entities):
            send(f"r{number}", entity)
        log = read(plane, {}, 20)
        by_id = {line.request_id: line for line in log.served}  # threads write their lines as they end
        assert len(by_id) == len(log.served) == 20
        for line, entity in ((by_id[f"r{n}"], entity) for n, entity in enumerate(entities)):
            candidate = goes_to_candidate("gbm-1", entity, 5_000)
            assert line.assigned is (Side.CANDIDATE if candidate else Side.INCUMBENT)
            assert (line.served, line.entity, line.status) == (line.assigned, entity, 200)
            assert (line.rollout, line.generation) == ("gbm-1", 3)
            assert line.latency_ms > 0
            assert line.at.tzinfo is not None
        assert log.garbled == 0

    def test_the_log_goes_on_where_the_last_reader_stopped(self, plane, route, send):
        plane.apply(route(0))
        send("r1", "N1")
        first = read(plane, {}, 1)
        assert plane.read_log(first.position).served in ([], ())
        send("r2", "N1")
        second = read(plane, first.position, 1)
        assert [line.request_id for line in second.served] == ["r2"]

    # ------------------------------------------------------------ slices

    def test_one_write_puts_the_shares_of_all_slices_in_force(self, plane, route):
        slices = (SliceShare("jfk", 10_000), SliceShare("lga", 0), SliceShare("ewr", 1))
        asked = route(slices=slices)
        plane.apply(asked)
        assert plane.observe() == Observed("gbm-1", 0, mirror=False, token=1, generation=1, slices=slices)
        assert plane.verify(asked) is True
        assert plane.verify(replace(asked, slices=slices[:2])) is False

    def test_each_slice_is_split_at_its_own_share_and_the_rest_stays_with_the_incumbent(
        self, plane, route, send
    ):
        plane.apply(route(slices=(SliceShare("jfk", 5_000), SliceShare("lga", 10_000))))
        asked = [(f"N{n}", name) for n in range(8) for name in ("jfk", "lga", "sfo", None)]
        for number, (entity, name) in enumerate(asked):
            send(f"r{number}", entity, name)
        shares = {"jfk": 5_000, "lga": 10_000, None: 0}
        by_id = {line.request_id: line for line in read(plane, {}, len(asked)).served}
        for line, (entity, name) in ((by_id[f"r{n}"], one) for n, one in enumerate(asked)):
            slice_ = name if name in shares else None
            candidate = goes_to_candidate("gbm-1", entity, shares[slice_])
            assert line.slice == slice_
            assert line.served is line.assigned is (Side.CANDIDATE if candidate else Side.INCUMBENT)

    def test_without_slices_the_slice_header_means_nothing(self, plane, route, send):
        plane.apply(route(10_000))
        send("r1", "N1", "jfk")
        (line,) = read(plane, {}, 1).served
        assert (line.slice, line.served) == ("all", Side.CANDIDATE)

    def test_one_generation_never_means_two_shares_of_a_slice(self, plane, route):
        plane.apply(route(slices=(SliceShare("jfk", 500), SliceShare("lga", 0))))
        for changed in ((SliceShare("jfk", 500), SliceShare("lga", 1)), (SliceShare("jfk", 500),)):
            with pytest.raises(PlaneRefused, match="new generation"):
                plane.apply(route(slices=changed))
        plane.apply(route(0, 2, slices=(SliceShare("jfk", 0), SliceShare("lga", 1))))
        assert plane.observe().slices == (SliceShare("jfk", 0), SliceShare("lga", 1))

    def test_reconciling_the_next_rollout_leaves_a_promoted_slice_where_it_is(self, plane, route):
        mixed = route(slices=(SliceShare("jfk", 10_000), SliceShare("lga", 0)))
        plane.apply(mixed)
        elsewhere = replace(mixed.incumbent, port=1)
        plane.reconcile(route(0, 1, rollout="gbm-2", token=2, candidate=elsewhere))
        assert plane.verify(mixed) is True
        for keep in Side:
            with pytest.raises(PlaneRefused, match="first"):
                plane.retire(keep)

    def test_it_says_what_it_can_and_hashes_as_everybody_does(self, plane):
        can = plane.capabilities()
        assert can.hash == HASH
        assert can.kind not in PLANES or can == PLANES[can.kind]


class MirrorConformance:
    """What a plane must do that says it can mirror."""

    def test_share_and_mirror_change_together(self, plane, route):
        plane.apply(route(0, mirror=True))
        assert (plane.observe().share_bp, plane.observe().mirror) == (0, True)
        plane.apply(route(100, 2))
        assert (plane.observe().share_bp, plane.observe().mirror) == (100, False)

    def test_retiring_the_candidate_ends_the_mirror(self, plane, route):
        plane.apply(route(0, mirror=True))
        plane.retire(Side.INCUMBENT)
        assert plane.observe() == Observed("gbm-1", 0, mirror=False, token=1, generation=1)

    def test_only_shadow_mirrors_and_every_copy_is_logged_once(self, plane, route, send):
        plane.apply(route(0, mirror=True))
        send("r1", "N1")
        log = read(plane, {}, 1, mirrored=1)
        assert [copy.request_id for copy in log.mirrored] == ["r1"]
        assert log.served[0].served is Side.INCUMBENT
        plane.apply(route(0, 2))
        send("r2", "N1")
        assert [line.request_id for line in read(plane, log.position, 1).served] == ["r2"]
        assert not plane.read_log(log.position).mirrored

    def test_only_the_requests_of_a_slice_in_shadow_are_mirrored(self, plane, route, send):
        plane.apply(route(slices=(SliceShare("jfk", 0, mirror=True), SliceShare("lga", 5_000))))
        for number, name in enumerate(["lga", None, "jfk"]):
            send(f"r{number}", "N1", name)
        log = read(plane, {}, 3, mirrored=1)
        assert [(copy.request_id, copy.slice) for copy in log.mirrored] == [("r2", "jfk")]

    def test_cutting_off_ends_the_mirror(self, plane, route):
        plane.apply(route(0, 3, mirror=True))
        plane.cut_off()
        assert plane.observe() == Observed("gbm-1", 0, mirror=False, token=1, generation=4)

    def test_reconciling_never_begins_a_mirror(self, plane, route):
        plane.apply(route(0))
        plane.reconcile(route(0, 2, mirror=True))
        assert plane.observe() == Observed("gbm-1", 0, mirror=False, token=1, generation=1)


class NoMirrorConformance:
    """What a plane must do that says it cannot."""

    def test_a_mirror_is_refused_and_what_was_in_force_stays(self, plane, route):
        plane.apply(route(0))
        assert plane.capabilities().mirror is False
        for asked in (route(0, 2, mirror=True), route(0, 2, slices=(SliceShare("jfk", 0, mirror=True),))):
            with pytest.raises(PlaneRefused, match="cannot"):
                plane.apply(asked)
        assert plane.verify(route(0)) is True
