"""Law 2: an entity assigned to the candidate stays so at any larger share, through pauses and restarts."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from headgate.adapters.planes.in_process import InProcessPlane
from headgate.ports import Endpoint, Route, Side
from headgate.routing import FULL_BP, all_drawn, bucket, drawn, goes_to_candidate

AT = datetime(2013, 4, 1, tzinfo=UTC)
KNOWN = Route("delays", "gbm", "gbm", 0, False, 1, 1, Endpoint("127.0.0.1", 1), Endpoint("127.0.0.1", 2))

texts = st.text(max_size=40)
shares = st.integers(0, FULL_BP)


@given(texts, texts)
def test_every_entity_has_one_bucket(salt, entity):
    assert bucket(salt, entity) == bucket(salt, entity)
    assert 0 <= bucket(salt, entity) < FULL_BP


@given(texts, texts, shares, shares)
def test_raising_the_share_only_moves_entities_to_the_candidate(salt, entity, one, other):
    low, high = sorted((one, other))
    assert goes_to_candidate(salt, entity, low) <= goes_to_candidate(salt, entity, high)


@given(texts, texts)
def test_nobody_is_on_the_candidate_at_zero_and_everybody_at_full_share(salt, entity):
    assert not goes_to_candidate(salt, entity, 0)
    assert goes_to_candidate(salt, entity, FULL_BP)


@given(texts)
def test_each_salt_deals_anew(salt):
    entities = [f"N{n}" for n in range(200)]
    assert [bucket(salt, e) for e in entities] != [bucket(f"{salt}'", e) for e in entities]


@given(texts, st.sampled_from([100, 2_500, 5_000]))
def test_the_share_of_many_entities_is_near_the_share_asked_for(salt, share_bp):
    n = 2_000
    hit = sum(goes_to_candidate(salt, f"N{number}", share_bp) for number in range(n))
    expected = n * share_bp / FULL_BP
    # Seven standard deviations of a binomial: a fair hash stays inside for every salt drawn.
    assert abs(hit - expected) < 7 * (expected * (1 - share_bp / FULL_BP)) ** 0.5


@given(
    texts,
    st.lists(shares, min_size=2, max_size=6).map(sorted),
    st.lists(st.booleans(), min_size=6, max_size=6),
)
def test_on_a_plane_nobody_leaves_the_candidate_while_the_share_climbs(entity, climb, reconciled):
    plane = InProcessPlane()
    was = Side.INCUMBENT
    for generation, share_bp in enumerate(climb, start=1):
        plane.apply(replace(KNOWN, share_bp=share_bp, generation=generation))
        if reconciled[generation - 1]:
            plane.reconcile(replace(KNOWN, share_bp=0, generation=generation))
        now = plane.serve(f"r{generation}", entity, AT).assigned
        assert was is Side.INCUMBENT or now is Side.CANDIDATE
        was = now


chances = st.floats(0, 1, exclude_min=True, exclude_max=True)


@given(texts, st.lists(texts), chances)
def test_an_audit_draws_many_requests_as_it_draws_each(service, names, chance):
    assert all_drawn(service, names, chance).tolist() == [drawn(service, name, chance) for name in names]


@given(texts, texts, chances, chances)
def test_a_higher_chance_only_adds_to_what_is_drawn(service, name, one, other):
    low, high = sorted((one, other))
    assert drawn(service, name, low) <= drawn(service, name, high)


@given(texts, st.sampled_from([0.01, 0.2, 0.9]))
def test_about_as_many_are_drawn_as_asked_whatever_side_they_are_on(service, chance):
    names = [f"r{n}" for n in range(4000)]
    sides = np.array([goes_to_candidate(service, name, FULL_BP // 2) for name in names])
    found = all_drawn(service, names, chance)
    for part in (sides, ~sides):
        assert abs(found[part].mean() - chance) < 6 * (chance * (1 - chance) / part.sum()) ** 0.5
