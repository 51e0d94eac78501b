"""What an answer costs at 7B shapes, against protocols/model#visual-tokens and bars of our own."""

import pytest
import torch

from geomag.bench.answer import GEOPIXEL_TOKENS, PHASES, case, clock, count, line, rows
from geomag.bench.full_size import full_size
from geomag.config import load_profile
from geomag.data.benchmarks import Granularity
from geomag.sample.untrained import untrained_model

IMAGE, REGION, PIXEL = Granularity.IMAGE, Granularity.REGION, Granularity.PIXEL
REAL = {"side_px": 336, "patch_px": 14}


@pytest.mark.parametrize(
    ("way", "level", "tokens", "probes"),
    [
        ("plain", REGION, 576, 0),
        ("stitch", PIXEL, 576, 2 * 576),
        ("tokens", IMAGE, 49, 0),
        ("tokens", REGION, 64 + 256, 144),
        ("tokens", PIXEL, 64 + 36 + 256, 2 * 144),
    ],
)
def test_tokens_are_the_protocols(way, level, tokens, probes):
    one = case(way, level, **REAL)
    assert (one.n_tokens(14), one.n_probe_tokens(14)) == (tokens, probes)


def test_pixel_level_reads_less_than_a_seventh_of_geopixels_tokens():
    one = case("tokens", PIXEL, **REAL)
    assert one.n_tokens(14) <= GEOPIXEL_TOKENS / 7
    # with its two probes' it is a sixth
    assert one.n_tokens(14) + one.n_probe_tokens(14) <= GEOPIXEL_TOKENS / 6


def test_a_smaller_tower_reads_as_large_a_share():
    assert case("tokens", REGION, side_px=112, patch_px=14).n_tokens(14) == 4 + 25
    assert case("tokens", IMAGE, side_px=112, patch_px=14).n_tokens(14) == 4


@pytest.mark.integration
def test_at_7b_shapes_region_level_costs_less_than_plain():
    found = {
        (row["level"], row["way"]): row["tflop"]
        for row in rows(full_size(load_profile("paper")), count, "tflop")
    }
    assert found["region", "tokens"]["total"] < 0.91 * found["region", "plain"]["total"]
    # the protocol's table: TFLOP of probes, tower, projector and prefill
    read = {key: row["probe"] + row["encode"] + row["prefill"] for key, row in found.items()}
    wanted = {
        "image": {"plain": 8.9, "stitch": 8.9, "tokens": 1.5},
        "region": {"plain": 8.9, "stitch": 17.6, "tokens": 8.0},
        "pixel": {"plain": 8.9, "stitch": 26.3, "tokens": 11.3},
    }
    for level, ways in wanted.items():
        for way, tflop in ways.items():
            assert read[level, way] == pytest.approx(tflop, abs=0.06), (level, way)
    assert found["pixel", "plain"]["mask"] == pytest.approx(1.82, abs=0.02)
    assert found["region", "plain"]["mask"] == 0


def test_the_sample_is_timed_phase_by_phase():
    model = untrained_model(load_profile("sample"))
    one = case("tokens", PIXEL, side_px=112, patch_px=14)
    spent = clock(model, one, runs=1)
    assert tuple(spent) == PHASES
    assert all(seconds > 0 for seconds in spent.values())
    row = {"way": "tokens", "level": "pixel", "tokens": 33, "probe_tokens": 32, "seconds": spent}
    assert line(row, "seconds").startswith("pixel  tokens    33 + 32   tokens  probe ")


def test_random_weights_do_not_depend_on_what_was_drawn_before():
    torch.manual_seed(5)
    one = untrained_model(load_profile("sample"))
    torch.manual_seed(6)
    other = untrained_model(load_profile("sample"))
    assert torch.equal(one.projection.layers[0].weight, other.projection.layers[0].weight)
