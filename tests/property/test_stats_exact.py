"""Long sums are rounded once, whatever their order."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from headgate.stats.exact import exact_sum


@given(
    seed=st.integers(0, 10_000),
    n=st.integers(0, 3_000),
    spread=st.floats(0, 60),
    scale=st.floats(-250, 250),
)
def test_an_exact_sum_has_the_very_bits_of_fsum_in_any_order(seed, n, spread, scale):
    draw = np.random.default_rng(seed)
    with np.errstate(over="ignore"):
        values = draw.choice([-1.0, 1.0], n) * np.exp(draw.normal(0, spread, n)) * 10.0**scale
    values = values[np.isfinite(values) & (np.abs(values) < 1e300)]
    values[draw.random(len(values)) < 0.1] = 0.0
    assert exact_sum(values) == math.fsum(values.tolist()) == exact_sum(draw.permutation(values))


def test_values_that_cancel_leave_what_is_left():
    values = np.array([1e16, 1.0, -1e16, 1e-30] * 200)
    assert exact_sum(values) == math.fsum(values.tolist())
    assert exact_sum(np.zeros(1_000)) == 0.0
