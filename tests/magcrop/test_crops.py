"""Heatmaps at rest, and the windows that follow from them."""

import numpy as np
import pytest

from geomag.errors import AnnotationError
from geomag.geometry import PixelBox
from geomag.magcrop.crops import Heat, HeatStore, mapped_array, windows, write_heat
from geomag.magcrop.window import WindowRule

RULE = WindowRule(sizes=(1 / 4,), min_px=1)


def one_hot(y: int, x: int) -> np.ndarray:
    heat = np.zeros((4, 4), np.float32)
    heat[y, x] = 1.0
    return heat


def test_the_windows_are_nested_and_in_pixels_of_the_image():
    outer = PixelBox(200, 100, 300, 200)
    heat = Heat(one_hot(1, 2), one_hot(3, 0), outer)
    assert windows(heat, width=400, height=400, rule=RULE) == (
        outer,
        PixelBox(200, 175, 225, 200),
    )
    assert windows(Heat(one_hot(1, 2)), width=400, height=400, rule=RULE) == (outer,)


def test_a_second_map_of_another_window_than_the_first_is_refused():
    elsewhere = Heat(one_hot(1, 2), one_hot(3, 0), PixelBox(100, 100, 300, 300))
    with pytest.raises(ValueError, match="second map is of"):
        windows(elsewhere, width=400, height=400, rule=RULE)


def test_a_map_without_heat_gives_no_window():
    empty = np.zeros((4, 4), np.float32)
    assert windows(Heat(empty, one_hot(0, 0)), width=400, height=400, rule=RULE) == ()
    outer = PixelBox(200, 100, 300, 200)
    assert len(windows(Heat(one_hot(1, 2), empty, outer), width=400, height=400, rule=RULE)) == 1


def stored(folder):
    written = {
        "a": Heat(one_hot(0, 0)),
        "b": Heat(one_hot(1, 1), one_hot(2, 2), PixelBox(1.5, 2.25, 30, 40)),
        "c": Heat(one_hot(3, 3), one_hot(0, 3), PixelBox(0, 0, 7, 9)),
    }
    write_heat(folder, written, facts={"base": "b1", "windows": "w1"})
    return written


def test_maps_come_back_by_id_with_and_without_a_second_and_its_window(tmp_path):
    written = stored(tmp_path)
    store = HeatStore(tmp_path, {"base": "b1"})
    assert list(store) == ["a", "b", "c"]
    assert store.get("d") is None
    for name, heat in written.items():
        assert (store[name].first == heat.first).all()
        assert store[name].box == heat.box
        if heat.second is None:
            assert store[name].second is None
        else:
            assert (store[name].second == heat.second).all()


def test_maps_stay_on_the_disk_until_they_are_asked_for(tmp_path):
    stored(tmp_path)
    for name in ("first", "second", "boxes"):
        array = mapped_array(tmp_path / "heatmaps.npz", name)
        assert isinstance(array, np.memmap)
        with np.load(tmp_path / "heatmaps.npz") as loaded:
            assert (array == loaded[name]).all()
    write_heat(tmp_path / "none", {}, facts={})
    assert dict(HeatStore(tmp_path / "none", {})) == {}


def test_f28_a_folder_without_its_marker_is_refused(tmp_path):
    stored(tmp_path)
    (tmp_path / "complete.json").unlink()
    with pytest.raises(AnnotationError, match=r"no complete\.json.*geomag crops"):
        HeatStore(tmp_path, {})


def test_maps_of_other_weights_or_windows_are_refused(tmp_path):
    stored(tmp_path)
    assert len(HeatStore(tmp_path, {"base": "b1", "windows": "w1"})) == 3
    with pytest.raises(AnnotationError, match=r"another base, probe\. Remedy: run `geomag crops"):
        HeatStore(tmp_path, {"base": "b2", "probe": "p", "windows": "w1"})
