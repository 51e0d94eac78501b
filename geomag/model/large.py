"""Images far larger than any encoder's input: 4K and beyond.

Squashed to 336 pixels a 20 px ship in a 4096 x 2160 scene is not two pixels wide, and in SAM2's
1,024 it is five. So such an image is probed tile by tile, or C_2 within C_1, and SAM2 sees the
window alone; the mask is pasted back.

See paper Fig 4; protocols/model#large-images.
"""

from geomag.config import override
from geomag.config.schema import Profile
from geomag.geometry import PixelBox
from geomag.magcrop.compose import RgbImage
from geomag.magcrop.tiles import tile_boxes


def is_large(image: RgbImage, profile: Profile) -> bool:
    """Whether the settings treat this image as large."""
    limit = profile.magcrop.large_px
    return bool(limit) and max(image.shape[:2]) > limit


def probed_tiles(image: RgbImage, profile: Profile) -> list[PixelBox]:
    """The parts of an image that the first probe sees one by one, row by row."""
    height, width = image.shape[:2]
    if is_large(image, profile) and profile.magcrop.large_probe == "tiles":
        return tile_boxes(width, height, profile.magcrop.tile_px)
    return [PixelBox(0.0, 0.0, float(width), float(height))]


def settings_for(image: RgbImage, profile: Profile) -> Profile:
    """The settings as they apply to one image: SAM2 sees the window of a large one.

    ``large_probe: global`` leaves everything as it is, the paper's text to the letter.
    """
    if not is_large(image, profile) or profile.magcrop.large_probe == "global":
        return profile
    return override(profile, encoder={"input": "crop"})
