"""Eq 2 and 3 (protocols/model#views)."""

import numpy as np
import pytest
import torch
from PIL import Image

from geomag.config.schema import MagCropConfig
from geomag.data.benchmarks import Granularity
from geomag.geometry import PixelBox
from geomag.magcrop.compose import AdjustRule, adjust, build_adjust_rule, compress, crop, resize

REGION, PIXEL, IMAGE = Granularity.REGION, Granularity.PIXEL, Granularity.IMAGE


def picture(height: int = 96, width: int = 128, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


def tensor(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image).permute(2, 0, 1)[None].float()


def rgb(image: torch.Tensor) -> np.ndarray:
    return image[0].round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).numpy()


@pytest.mark.parametrize(("height", "width"), [(96, 128), (97, 131), (3, 5), (1, 1), (1, 500)])
@pytest.mark.parametrize("filter", ["bicubic", "bilinear"])
def test_compression_keeps_the_size_and_a_constant(height, width, filter):
    blurred = compress(torch.full((1, 3, height, width), 37.0), filter=filter)
    assert blurred.shape == (1, 3, height, width)
    assert blurred.round().eq(37).all()


def test_compression_removes_detail_finer_than_the_factor_and_keeps_the_coarse():
    stripes = torch.zeros(1, 1, 64, 64)
    stripes[..., ::2] = 200.0
    assert compress(stripes)[..., 8:-8].std() < 2
    ramp = torch.linspace(0, 200, 64).expand(1, 1, 64, 64)
    assert (compress(ramp) - ramp)[..., 8:-8].abs().max() < 2


def test_the_way_down_agrees_with_pillow():
    # Pillow's bicubic is antialiased too and rounds to 8 bits per pass: within one level
    image = picture(128, 128)
    ours = rgb(resize(tensor(image), 32, 32))
    theirs = np.asarray(Image.fromarray(image).resize((32, 32), Image.Resampling.BICUBIC))
    assert np.abs(ours.astype(int) - theirs.astype(int)).max() <= 1


def test_image_level_is_100_by_100_whatever_the_aspect():
    assert adjust(picture(96, 128), IMAGE).shape == (100, 100, 3)
    assert adjust(picture(500, 300), IMAGE, rule=AdjustRule(image_level_px=64)).shape == (64, 64, 3)
    assert (adjust(np.full((300, 200, 3), 9, np.uint8), IMAGE) == 9).all()


@pytest.mark.parametrize("granularity", [REGION, PIXEL])
def test_a_box_of_the_whole_image_changes_nothing(granularity):
    image = picture()
    whole = PixelBox(0, 0, 128, 96)
    box2 = whole if granularity is PIXEL else None
    assert (adjust(image, granularity, whole, box2) == image).all()


def test_region_keeps_the_box_and_blurs_the_rest():
    image, box = picture(), PixelBox(32, 16, 80, 64)
    adjusted = adjust(image, REGION, box)
    inside = np.zeros((96, 128), bool)
    inside[16:64, 32:80] = True
    assert (adjusted[inside] == image[inside]).all()
    assert (adjusted[~inside] == rgb(compress(tensor(image)))[~inside]).all()
    assert (adjusted[~inside] != image[~inside]).mean() > 0.9


@pytest.mark.parametrize("dd", ["literal", "pyramid"])
def test_pixel_level_has_three_sharpnesses(dd):
    image, box1, box2 = picture(), PixelBox(16, 16, 112, 80), PixelBox(48, 32, 80, 64)
    adjusted = adjust(image, PIXEL, box1, box2, rule=AdjustRule(dd=dd))
    far = compress(compress(tensor(image))) if dd == "literal" else compress(tensor(image), 16)
    wanted = rgb(far)
    wanted[16:80, 16:112] = rgb(compress(tensor(image[16:80, 16:112])))
    wanted[32:64, 48:80] = image[32:64, 48:80]
    assert (adjusted == wanted).all()


def test_twice_d_is_not_a_sixteenth():
    image, box = picture(), PixelBox(48, 32, 80, 64)
    literal = adjust(image, PIXEL, box, box, rule=AdjustRule(dd="literal"))
    pyramid = adjust(image, PIXEL, box, box, rule=AdjustRule(dd="pyramid"))
    assert literal[:30].std() > 1.5 * pyramid[:30].std()


def pink(side: int = 800, seed: int = 0) -> torch.Tensor:
    """A 1/f picture ``[1, 3, side, side]``, as natural images are."""
    rng = np.random.default_rng(seed)
    radius = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side)))
    radius[0, 0] = 1.0
    phases = np.exp(2j * np.pi * rng.random((3, side, side)))
    planes = np.fft.ifft2(phases / radius).real
    planes = planes / planes.std(axis=(1, 2), keepdims=True)
    return torch.from_numpy(np.clip(128 + 40 * planes, 0, 255))[None].float()


def psnr(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(10 * torch.log10(255**2 / (a - b).square().mean()))


def test_what_d_takes_from_a_natural_picture_in_decibels():
    # published for another draw of such a picture: 37.1, 24.9 and 29.4 dB
    image = pink()
    once = compress(image, filter="bilinear")
    assert psnr(once, compress(once, filter="bilinear")) == pytest.approx(37.1, abs=1)
    assert psnr(once, compress(image, 16, filter="bilinear")) == pytest.approx(24.9, abs=1)
    seen = [resize(x, 336, 336) for x in (image, compress(image))]
    assert psnr(*seen) == pytest.approx(29.4, abs=1.5)


def test_without_a_second_box_all_of_the_first_stays_sharp():
    image, box1 = picture(), PixelBox(16, 16, 112, 80)
    assert (adjust(image, PIXEL, box1) == adjust(image, PIXEL, box1, box1)).all()


def test_a_doubtful_window_leaves_the_image_as_it_is():
    image = picture()
    assert (adjust(image, PIXEL) == image).all()
    assert (adjust(image, REGION) == image).all()


def test_boxes_must_be_nested():
    image, box1 = picture(), PixelBox(16, 16, 64, 64)
    with pytest.raises(ValueError, match="leaves the image of 128 x 96"):
        adjust(image, REGION, PixelBox(100, 0, 129, 50))
    with pytest.raises(ValueError, match="leaves PixelBox"):
        adjust(image, PIXEL, box1, PixelBox(48, 48, 80, 60))


def test_the_input_is_not_written_to():
    image = picture()
    before = image.copy()
    adjust(image, PIXEL, PixelBox(16, 16, 112, 80), PixelBox(48, 32, 80, 64))
    assert (image == before).all()


def test_a_crop_is_the_pixels_of_its_box():
    image = picture()
    assert (crop(image, PixelBox(3, 5, 10, 20)) == image[5:20, 3:10]).all()


def test_settings_reach_the_rule():
    config = MagCropConfig(dd="pyramid", filter="bilinear", image_level_px=64)
    wanted = AdjustRule(dd="pyramid", filter="bilinear", image_level_px=64)
    assert build_adjust_rule(config) == wanted
