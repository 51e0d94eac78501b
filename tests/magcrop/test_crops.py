"""Heatmaps at rest, and the windows that follow from them."""

import numpy as np
import pytest

from geomag.errors import AnnotationError
from geomag.geometry import PixelBox
from geomag.magcrop.crops import Heat, read_heat, windows, write_heat
from geomag.magcrop.window import WindowRule

RULE = WindowRule(sizes=(1 / 4,), min_px=1)


def one_hot(y: int, x: int) -> np.ndarray:
    heat = np.zeros((4, 4), np.float32)
    heat[y, x] = 1.0
    return heat


def test_the_windows_are_nested_and_in_pixels_of_the_image():
    heat = Heat(one_hot(1, 2), one_hot(3, 0))
    assert windows(heat, width=400, height=400, rule=RULE) == (
        PixelBox(200, 100, 300, 200),
        PixelBox(200, 175, 225, 200),
    )
    assert windows(Heat(one_hot(1, 2)), width=400, height=400, rule=RULE) == (
        PixelBox(200, 100, 300, 200),
    )


def test_a_map_without_heat_gives_no_window():
    empty = np.zeros((4, 4), np.float32)
    assert windows(Heat(empty, one_hot(0, 0)), width=400, height=400, rule=RULE) == ()
    assert len(windows(Heat(one_hot(1, 2), empty), width=400, height=400, rule=RULE)) == 1


def test_maps_come_back_by_id_with_and_without_a_second(tmp_path):
    written = {"a": Heat(one_hot(0, 0)), "b": Heat(one_hot(1, 1), one_hot(2, 2)), "c": Heat(
        one_hot(3, 3), one_hot(0, 3))}  # fmt: skip
    write_heat(tmp_path, written, facts={"layer": -1})
    for ids in (None, ["c", "a"]):
        read = read_heat(tmp_path, ids=ids)
        assert set(read) == set(ids or written)
        for name, heat in read.items():
            assert (heat.first == written[name].first).all()
            if written[name].second is None:
                assert heat.second is None
            else:
                assert (heat.second == written[name].second).all()


def test_f28_a_folder_without_its_marker_is_refused(tmp_path):
    write_heat(tmp_path, {"a": Heat(one_hot(0, 0))}, facts={})
    (tmp_path / "complete.json").unlink()
    with pytest.raises(AnnotationError, match=r"no complete\.json.*crops stage"):
        read_heat(tmp_path)
