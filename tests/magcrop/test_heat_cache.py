"""Heatmaps by content: the key holds all that a map depends on, and a file is whole or absent."""

import numpy as np
import pytest

from geomag.magcrop.heat_cache import HeatCache

IMAGE = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
MAP = np.arange(6, dtype=np.float32).reshape(2, 3)
FACTS = {"weights": ["a"], "probe": [-1, "log_p"]}


def test_a_map_comes_back_to_the_bit_and_only_under_its_own_key(tmp_path):
    cache = HeatCache(tmp_path, FACTS)
    key = cache.key(IMAGE, "Where?")
    assert cache.get(key) is None
    cache.put(key, MAP)
    assert np.array_equal(HeatCache(tmp_path, FACTS).get(key), MAP)
    other = IMAGE.copy()
    other[0, 0, 0] ^= 1
    keys = [
        cache.key(other, "Where?"),
        cache.key(IMAGE, "where?"),
        cache.key(IMAGE.reshape(2, 8, 3), "Where?"),
        HeatCache(tmp_path, {**FACTS, "weights": ["b"]}).key(IMAGE, "Where?"),
    ]
    assert len({key, *keys}) == 5
    assert [cache.get(one) for one in keys] == [None] * 4


def test_a_crop_has_the_key_of_its_pixels_however_it_was_cut(tmp_path):
    cache = HeatCache(tmp_path, FACTS)
    assert cache.key(IMAGE[1:3, 1:4], "x") == cache.key(IMAGE[1:3, 1:4].copy(), "x")


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"no map at all"])
def test_a_file_that_is_no_map_counts_as_absent(tmp_path, content):
    cache = HeatCache(tmp_path, FACTS)
    key = cache.key(IMAGE, "x")
    cache.put(key, MAP)
    (path,) = tmp_path.rglob("*.npy")
    path.write_bytes(content)
    assert cache.get(key) is None


def test_a_map_with_nan_counts_as_absent(tmp_path):
    cache = HeatCache(tmp_path, FACTS)
    cache.put("abcdef", np.full((2, 2), np.nan, np.float32))
    assert cache.get("abcdef") is None


def test_a_writer_that_fails_leaves_what_was_there(tmp_path, monkeypatch):
    cache = HeatCache(tmp_path, FACTS)
    cache.put("abcdef", MAP)

    def killed(out, *args, **kwargs):
        out.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        cache.put("abcdef", MAP + 1)
    assert np.array_equal(cache.get("abcdef"), MAP)
    assert len(list(tmp_path.rglob("*"))) == 2  # the folder and the one file
