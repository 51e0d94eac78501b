"""Views keep to their budget of visual tokens (protocols/model#visual-tokens)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geomag.geometry import PixelBox
from geomag.magcrop.views import ImageView, plan_views

C1, C2 = PixelBox(0, 0, 400, 400), PixelBox(100, 100, 300, 300)


def test_the_protocols_budgets_give_its_sides():
    assert [v.side_px for v in plan_views([C1], budget=320)] == [112, 224]
    assert [v.side_px for v in plan_views([C1, C2], budget=356)] == [112, 84, 224]
    assert [v.side_px for v in plan_views([], budget=576)] == [336]


def test_views_of_an_800_px_image_cost_what_the_worked_example_says():
    # sides in whole patches of 14: 800 -> 57, 400 -> 28, 200 -> 14, 100 -> 7, 50 -> 3
    region = [ImageView(None, 200), ImageView(C1, 400)]
    pixel = [ImageView(None, 50), ImageView(C1, 100), ImageView(C2, 200)]
    native = ImageView(None, 800).n_tokens()
    assert [v.n_tokens() for v in region] == [196, 784]
    assert [v.n_tokens() for v in pixel] == [9, 49, 196]
    assert native == 3249
    saved = [native / sum(v.n_tokens() for v in views) for views in (region, pixel)]
    assert saved == pytest.approx([3.3, 12.8], abs=0.05)


@given(budget=st.integers(30, 3000), n=st.integers(0, 2), max_px=st.sampled_from([None, 112, 336]))
def test_views_keep_to_the_budget_and_run_coarse_to_fine(budget, n, max_px):
    boxes = [C1, C2][:n]
    views = plan_views(boxes, budget=budget, max_px=max_px)
    assert [view.box for view in views] == [None, *boxes]
    assert sum(view.n_tokens() for view in views) <= budget
    assert max(view.side_px for view in views) == views[-1].side_px
    if max_px is None:  # one more patch a side for the last view would not fit
        more = views[-1].side_px // 14 + 1
        assert sum(view.n_tokens() for view in views[:-1]) + more**2 > budget
    else:
        assert all(view.side_px <= max_px for view in views)


def test_a_budget_without_a_patch_for_each_view_is_refused():
    with pytest.raises(ValueError, match="a budget of 5 tokens is too small for 3 views"):
        plan_views([C1, C2], budget=5)
    with pytest.raises(ValueError, match="3 crops; Eq 2 has two at most"):
        plan_views([C1, C2, C2], budget=500)
