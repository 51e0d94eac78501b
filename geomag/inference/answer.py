"""What the model said and drew about one picture, in memory and as a row of a tile journal."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from geomag.geometry import BoolMask, PixelBox, decode_mask, encode_mask

Arm = Literal["magcrop", "plain"]
"""How the model looks: with MagCrop, or at the whole image."""


@dataclass(frozen=True, slots=True)
class DrawnMask:
    """One mask of an answer."""

    phrase: str
    """What it is the mask of."""
    score: float
    """Mean foreground probability inside it, in [0, 1]."""
    pixels: BoolMask
    """``[H, W]`` of the picture that was asked about."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What was said and drawn about one picture, and how it was looked at."""

    text: str
    """``[SEG]`` marks each mask."""
    masks: tuple[DrawnMask, ...] = ()
    granularity: str = "none"
    """image, region, pixel; ``none`` where the picture was left as it is."""
    confidence: float = 1.0
    """Of the granularity, in [0, 1]; 1 for the plain arm."""
    crop_boxes: tuple[PixelBox, ...] = ()
    """C_1, or C_1 and C_2, in pixels of the picture."""
    visual_tokens: int = 0
    n_incomplete: int = 0
    """[SEG] groups that were cut short; they draw nothing."""
    seconds: dict[str, float] | None = None
    """By phase."""

    def to_row(self) -> dict[str, Any]:
        """As JSON, masks run-length coded."""
        row = {name: getattr(self, name) for name in _PLAIN}
        row["crop_boxes"] = [asdict(box) for box in self.crop_boxes]
        row["masks"] = [
            {"phrase": m.phrase, "score": m.score, "rle": encode_mask(m.pixels)} for m in self.masks
        ]
        return row

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> "Reply":
        """What `to_row` gave."""
        masks = tuple(
            DrawnMask(m["phrase"], m["score"], decode_mask(m["rle"])) for m in row["masks"]
        )
        boxes = tuple(PixelBox(**box) for box in row["crop_boxes"])
        return cls(masks=masks, crop_boxes=boxes, **{name: row[name] for name in _PLAIN})


_PLAIN = ("text", "granularity", "confidence", "visual_tokens", "n_incomplete", "seconds")
