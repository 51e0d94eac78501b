"""Probes in batches: maps shared by image, kept by content, computed by whole batches."""

import numpy as np
import torch

from geomag.data.benchmarks import Granularity
from geomag.inference import probing
from geomag.inference.probing import Probed, heat_cache, probe_all
from geomag.manifest import publish, write_manifest
from geomag.model.weights import save_base
from tests.model.tiny import tiny_vlm
from tests.model.whole import tiny_geomag, tiny_profile

IMAGES = [np.random.default_rng(n).integers(0, 256, (90, 120, 3), dtype=np.uint8) for n in range(2)]
QUERIES = [
    Probed(IMAGES[0], "Where is the red ship?", Granularity.PIXEL),
    Probed(IMAGES[0], "Is a small building present?", Granularity.REGION),
    Probed(IMAGES[1], "Where is the tank?", Granularity.REGION),
]


def models(tmp_path):
    save_base(tmp_path / "base", tiny_vlm(), tiny_geomag().sam)
    return tmp_path


def count_batches(monkeypatch):
    sizes, real = [], probing._maps

    def maps(vlm, asked, profile):
        sizes.append(len(asked))
        return real(vlm, asked, profile)

    monkeypatch.setattr(probing, "_maps", maps)
    return sizes


def same(one, other, tolerance=0.0):
    for a, b in zip(one, other, strict=True):
        assert np.abs(a.first - b.first).max() <= tolerance * b.first.max()
        assert (a.second is None) == (b.second is None)
        if a.second is not None:
            assert np.abs(a.second - b.second).max() <= tolerance * b.second.max()


def test_queries_of_one_image_get_the_maps_of_queries_asked_alone():
    vlm, profile = tiny_vlm(), tiny_profile()
    together = list(probe_all(vlm, QUERIES, profile))
    alone = [next(probe_all(vlm, [query], profile)) for query in QUERIES]
    assert together[0].second is not None
    same(together, alone, tolerance=1e-4)


def test_a_second_run_probes_nothing_and_gives_the_same_bits(tmp_path, monkeypatch):
    vlm, profile = tiny_vlm(), tiny_profile()
    cache = heat_cache(tmp_path / "heat", models(tmp_path), profile)
    sizes = count_batches(monkeypatch)
    first = list(probe_all(vlm, QUERIES, profile, cache))
    assert sizes == [3, 1]
    same(list(probe_all(vlm, QUERIES, profile, cache)), first)
    assert sizes == [3, 1]
    # another window rule finds the maps of the whole images; only the new crop is probed
    narrow = tiny_profile(magcrop={"sizes": [0.3], "min_px": 16})
    changed = list(probe_all(vlm, QUERIES, narrow, heat_cache(tmp_path / "heat", tmp_path, narrow)))
    assert sizes == [3, 1, 1]
    assert np.array_equal(changed[0].first, first[0].first)
    assert not np.array_equal(changed[0].second, first[0].second)


def test_a_batch_that_is_known_in_part_is_computed_whole(tmp_path, monkeypatch):
    vlm, profile = tiny_vlm(), tiny_profile()
    cache = heat_cache(tmp_path / "heat", models(tmp_path), profile)
    list(probe_all(vlm, QUERIES[2:], profile, cache))
    sizes = count_batches(monkeypatch)
    with_cache = list(probe_all(vlm, QUERIES, profile, cache))
    assert sizes[0] == 3
    same(with_cache, list(probe_all(vlm, QUERIES, profile)))


def test_a_batch_whose_maps_are_known_from_other_batches_is_computed_whole(tmp_path, monkeypatch):
    vlm, profile = tiny_vlm(), tiny_profile()
    cache = heat_cache(tmp_path / "heat", models(tmp_path), profile)
    for query in QUERIES:
        list(probe_all(vlm, [query], profile, cache))
    sizes = count_batches(monkeypatch)
    with_cache = list(probe_all(vlm, QUERIES, profile, cache))
    assert sizes[0] == 3
    same(with_cache, list(probe_all(vlm, QUERIES, profile)))


def test_other_weights_or_another_layer_have_other_keys(tmp_path):
    profile, folder = tiny_profile(), models(tmp_path)
    key = heat_cache(tmp_path, folder, profile).key(IMAGES[0], "x")
    assert heat_cache(tmp_path, folder, profile).key(IMAGES[0], "x") == key
    middle = tiny_profile(magcrop={"layer": 1})
    assert heat_cache(tmp_path, folder, middle).key(IMAGES[0], "x") != key
    current = tiny_profile(magcrop={"weights": "current"})
    with publish(folder / "adapter") as out:
        (out / "x").write_text("x")
        write_manifest(out)
    assert heat_cache(tmp_path, folder, current).key(IMAGES[0], "x") != key
    vlm = tiny_vlm()
    with torch.no_grad():
        vlm.lm_head.weight.add_(1)
    save_base(folder / "base", vlm, tiny_geomag().sam)
    assert heat_cache(tmp_path, folder, profile).key(IMAGES[0], "x") != key
