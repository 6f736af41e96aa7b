"""The judge gives the same bits for the same evidence, however it is cut and shuffled."""

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.evidence import (
    BlockSum,
    EvidenceRow,
    LatencyPairSum,
    LatencySplitSum,
    RateSum,
    Source,
    Standing,
    UnitSum,
    from_json,
    to_json,
)
from headgate.gates import judge
from headgate.stats.segments import log_mean
from headgate.verdicts import Role, Verdict
from tests.builders import APRIL, plan

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
LATENCY = {"metric": "latency", "quantile": 0.95, "ratio": 1.25}
PLAN = plan(
    gates=[
        {"name": "quality", "metric": "brier", "margin": 0.005, "expect": -0.007},
        {"name": "errors", "metric": "error_rate", "ceiling": 0.01},
        {"name": "mirror", "applies": "shadow", **LATENCY},
        {"name": "live", "applies": "split", "role": "signal", **LATENCY},
    ]
)
UNITS = plan(
    gates=[{"name": "quality", "metric": "zero_one", "margin": 0.02}],
    unit={"entity": "tailnum", "block": "none", "independent": True},
)
counts = st.integers(0, 30)


@st.composite
def evidence(draw):
    """Days of blocks and hours of counts, each hour's counts in one to three parts."""
    rows = []
    for n, value in enumerate(draw(st.lists(st.floats(-0.3, 0.3), max_size=8))):
        block = BlockSum(value + 0.01, value - 0.01, value, entities=9, pairs=20, missing=1, spread=0.1)
        rows.append(EvidenceRow("quality", None, APRIL + n * DAY, 0, 0, Source.SHADOW, "", block))
    for n in range(draw(st.integers(0, 12))):  # the design effect is known from eight hours on
        for part in range(draw(st.integers(1, 3))):
            entry = n // 3
            at = (APRIL + n * HOUR, entry, 2500 * entry)
            a, b, c, d = (draw(counts) for _ in range(4))
            rows.append(EvidenceRow("errors", None, *at, Source.PLANE, f"{part}", RateSum(a + b, a)))
            pair = LatencyPairSum(a + b + c + d, a, b, c, d)
            rows.append(EvidenceRow("mirror", None, *at, Source.MIRROR, f"{part}", pair))
            if entry:
                live = LatencySplitSum(a + b, c + d, a, a, c)
                rows.append(EvidenceRow("live", None, *at, Source.PLANE, f"{part}", live))
    return rows


def at(share=0, entry=0):
    return Standing(step=entry, entry=entry, share_bp=share, confirmed_at=APRIL, now=APRIL + 30 * DAY)


def merge(rows):
    """Add the parts of every hour up, as one long window would have."""
    whole = {}
    for row in rows:
        key = (row.gate, row.batch, row.entry)
        if key in whole:
            kind = type(row.sums)
            fields = kind.__dataclass_fields__
            sums = kind(**{f: getattr(whole[key].sums, f) + getattr(row.sums, f) for f in fields})
            row = EvidenceRow(row.gate, None, row.batch, row.entry, row.share_bp, row.source, "all", sums)
        whole[key] = row
    return list(whole.values())


@given(evidence(), st.randoms(use_true_random=False), st.sampled_from([(0, 0), (2500, 1)]))
def test_any_order_and_any_partition_give_the_same_bits(rows, luck, where):
    shuffled = list(rows)
    luck.shuffle(shuffled)
    assert (
        judge(PLAN, rows, at(*where))
        == judge(PLAN, shuffled, at(*where))
        == judge(PLAN, merge(rows), at(*where))
    )


@given(evidence())
def test_replaying_the_stored_evidence_gives_the_same_scorecard(rows):
    again = [
        EvidenceRow(
            r.gate, r.segment, r.batch, r.entry, r.share_bp, r.source, r.part, from_json(to_json(r.sums))
        )
        for r in rows
    ]
    assert repr(judge(PLAN, rows, at())) == repr(judge(PLAN, again, at()))


@given(evidence(), st.sampled_from([(0, 0), (100, 1), (2500, 1), (10_000, 3)]))
def test_no_gate_passes_without_samples_and_every_gate_says_why(rows, where):
    card = judge(PLAN, rows, at(*where))
    for verdict in card.verdicts:
        assert verdict.samples > 0 or verdict.verdict is not Verdict.PASS
        assert verdict.reason.startswith(verdict.gate)
        assert np.isfinite([verdict.log_e_advance, verdict.log_e_rollback]).all()
    assert sum(v.weight for v in card.verdicts) <= 1 + 1e-12
    assert (card.failed is not None) == (card.log_harm >= card.log_harm_threshold)


@given(evidence())
def test_harm_is_the_weighted_mean_of_the_guardrails(rows):
    card = judge(PLAN, rows, at())
    guardrails = [v for v in card.verdicts if v.role is Role.GUARDRAIL]
    mean = log_mean(np.array([[v.log_e_rollback] for v in guardrails]), [v.weight for v in guardrails])
    assert card.log_harm == mean[0]


@given(st.lists(st.tuples(counts, counts, counts), min_size=2, max_size=6), st.data())
def test_units_of_one_hour_may_be_cut_anywhere(hours, data):
    whole, parts = [], []
    for n, (lost, same, won) in enumerate(hours):
        cut = data.draw(st.integers(0, lost))
        where = ("quality", None, APRIL + n * HOUR, 0, 0, Source.SHADOW)
        all_of_it = ((-4096, won), (0, same), (4096, lost))
        whole.append(EvidenceRow(*where, "all", UnitSum(all_of_it, all_of_it)))
        for part, some in (("a", ((4096, cut),)), ("b", ((-4096, won), (0, same), (4096, lost - cut)))):
            parts.append(EvidenceRow(*where, part, UnitSum(some, some)))
    assert judge(UNITS, whole, at()) == judge(UNITS, parts, at())


@settings(max_examples=3)
@given(seed=st.integers(0, 2**32), day=st.integers(1, 60))
def test_the_benchmark_judges_thousands_of_runs_as_the_judge_would_each(seed, day, request):
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(request.config.rootpath)
        from benchmarks.gates import nulls
    world = nulls.world(np.random.default_rng(seed), 2, 0.01, 0.2)
    quality = {"metric": "brier", "margin": 0.005, "expect": -0.007, "variance": 0.001}
    asked = plan(
        gates=[
            {"name": "quality", **quality},
            {"name": "errors", "metric": "error_rate", "ceiling": 0.01},
            {"name": "mirror", "applies": "shadow", **LATENCY},
            {"name": "live", "applies": "split", **LATENCY},
        ],
        segments={"by": ["part"], "floor": 0.02, "gates": {"quality": 0.03}},
    )
    card = judge(asked, _rows(world, run=1, days=day), _in_split())
    assert card.log_harm == pytest.approx(float(nulls.log_harm(world)[1, day - 1]), rel=1e-12, abs=1e-12)


def _in_split():
    return Standing(2, 0, 2500, APRIL, APRIL + 400 * DAY, segments={"part": ("0", "1", "2")})


def _rows(world, run, days):
    rows = []
    for day in range(days):
        where = (APRIL + day * DAY, 0, 2500)
        names = [None, "part=0", "part=1", "part=2"]
        for name, drawn in zip(names, [world.quality, *world.segments], strict=True):
            value = float(drawn[run, day])
            block = BlockSum(value, value, value, entities=1, pairs=1)
            rows.append(EvidenceRow("quality", name, *where, Source.SHADOW, "", block))
        x, n = (int(part[run, day]) for part in world.errors)
        rows.append(EvidenceRow("errors", None, *where, Source.PLANE, "", RateSum(n, x)))
        n, ours, theirs = (int(getattr(world.mirror, f)[run, day]) for f in ("n", "candidate", "incumbent"))
        pair = LatencyPairSum(n, ours, theirs, ours, theirs)
        rows.append(EvidenceRow("mirror", None, *where, Source.MIRROR, "", pair))
        s = {f: int(getattr(world.split, f)[run, day]) for f in ("n1", "slow1", "n0", "slow0")}
        live = LatencySplitSum(s["n1"], s["n0"], s["slow1"], s["slow1"], s["slow0"])
        rows.append(EvidenceRow("live", None, *where, Source.PLANE, "", live))
    return rows
