"""Splits by position: exact at full size, prefixes of each other below."""

from hypothesis import given
from hypothesis import strategies as st

from geomag.data.benchmarks import Split
from geomag.sample.layouts.plan import Plan, interleaved

SHARES = st.fixed_dictionaries(
    {split: st.integers(1, 60) for split in (Split.TRAIN, Split.VAL, Split.TEST)}
)


@given(SHARES, st.integers(1, 3))
def test_whole_rounds_keep_the_shares_exactly(shares, rounds):
    order = interleaved(shares, rounds * sum(shares.values()))
    assert {split: order.count(split) for split in shares} == {
        split: rounds * share for split, share in shares.items()
    }


@given(SHARES, st.floats(0.01, 1), st.floats(0.01, 1))
def test_smaller_scale_is_a_prefix(shares, one, other):
    plan = Plan(64, shares)
    small, large = (plan.splits(s) for s in sorted((one, other)))
    assert large[: len(small)] == small


@given(SHARES, st.floats(0.001, 0.05))
def test_every_split_occurs_at_any_scale(shares, scale):
    assert set(Plan(64, shares).splits(scale)) == set(shares)
    assert set(Plan(64, shares).per_class(scale)) == set(shares)
