"""The share in the plan is the share in the world, for every entity, however often it asks."""

import random
from math import sqrt

from headgate.ports import Side
from headgate.routing import FULL_BP
from tests.chaos.callers import sides
from tests.integration.envoy_stage import split_of

SHARES = (0, 1, 100, 500, 2_500, 5_000, 9_999, 10_000)


def names(count, seed=20261121):
    """Return entities such as callers have them: numbers, codes, addresses."""
    dice = random.Random(seed)
    shapes = ("N{:06d}", "customer-{:09d}", "{:012x}", "k{:07d}@example.org")
    return [shapes[n % len(shapes)].format(dice.randrange(10**6) + 10**6 * n) for n in range(count)]


def near(hits, count, share):
    """Return whether so many hits are within three standard errors of a share in [0, 1]."""
    return abs(hits - count * share) <= 3 * sqrt(count * share * (1 - share))


def on_candidate(entities, assigned):
    return {entity for entity, side in zip(entities, assigned, strict=True) if side is Side.CANDIDATE}


def test_m5_the_split_is_the_share_nobody_flips_and_nobody_is_lost_when_it_rises(rig, full, tell):
    entities = names(5_000 if full else 600)
    before, sent = set(), 0
    for generation, share_bp in enumerate(SHARES, start=1):
        rig.plane.apply(rig.route(share_bp, generation))
        assigned = split_of(rig.plane, entities)
        assert assigned == sides("gbm-1", entities, share_bp)
        again = entities[:: 2 if full else 10]
        # Over another connection, which another worker may serve.
        assert split_of(rig.plane, again) == assigned[:: 2 if full else 10], "somebody flipped"
        now = on_candidate(entities, assigned)
        assert near(len(now), len(entities), share_bp / FULL_BP), (share_bp, len(now))
        assert before <= now, "the candidate lost somebody"
        before, sent = now, sent + len(entities) + len(again)
    tell(
        f"share raised through {', '.join(map(str, SHARES))} basis points",
        "0 flips, 0 entities lost, the split within 3 standard errors at every share",
        sent,
    )


def test_m5_two_salts_deal_independently(rig, full, tell):
    entities = names(5_000 if full else 500)
    rig.plane.apply(rig.route(5_000))
    one = on_candidate(entities, split_of(rig.plane, entities))
    rig.plane.apply(rig.route(5_000, rollout="gbm-2", salt="gbm-2", token=2))
    two = on_candidate(entities, split_of(rig.plane, entities))
    assert near(len(one & two), len(entities), 1 / 4)
    assert near(len(one - two), len(entities), 1 / 4)
    assert near(len(two - one), len(entities), 1 / 4)
    both = f"{100 * len(one & two) / len(entities):.1f} % on the candidate both times (25 if independent)"
    tell("the next rollout at the same share, with its own salt", both, 2 * len(entities))
