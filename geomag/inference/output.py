"""Output of the pipeline for one picture, in memory and as a row of a tile journal."""

import base64
import zlib
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

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
    probability: NDArray[np.uint8] | None = None
    """Foreground probability ``[H, W]`` in 255ths; None where only ``score`` is known of it."""


@dataclass(frozen=True, slots=True)
class PipelineOutput:
    """What was said and drawn about one picture, and how it was looked at.

    The picture, its place and the prompt are not in it; `geomag.Answer` has them beside it.
    """

    text: str
    """``[SEG]`` marks each mask."""
    masks: tuple[DrawnMask, ...] = ()
    granularity: str = "none"
    """Level: image, region or pixel; ``none`` where the picture was left as it is."""
    granularity_confidence: float = 1.0
    """Probability that the classifier gives, in [0, 1]; 1 for the plain arm."""
    crop_boxes: tuple[PixelBox, ...] = ()
    """C_1, or C_1 and C_2, in pixels of the picture."""
    visual_tokens: int = 0
    text_confidence: float = 1.0
    """Geometric mean of the tokens' probabilities, in [0, 1]."""
    n_incomplete: int = 0
    """[SEG] groups that were cut short; they draw nothing."""
    seconds: dict[str, float] | None = None
    """Seconds by phase."""
    heat: NDArray[np.float32] | None = None
    """Eq 4's map ``[gh, gw]`` over the picture; None where it was not probed."""

    def to_row(self) -> dict[str, Any]:
        """The output as JSON, masks run-length coded."""
        row = {name: getattr(self, name) for name in _PLAIN}
        row["crop_boxes"] = [asdict(box) for box in self.crop_boxes]
        row["masks"] = [
            {
                "phrase": m.phrase,
                "score": m.score,
                "rle": encode_mask(m.pixels),
                "probability": None if m.probability is None else _packed(m.probability),
            }
            for m in self.masks
        ]
        if self.heat is not None:
            row["heat"] = {"shape": self.heat.shape, "values": self.heat.ravel().tolist()}
        return row

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> "PipelineOutput":
        """What `to_row` gave."""
        masks = tuple(
            DrawnMask(
                m["phrase"],
                m["score"],
                pixels := decode_mask(m["rle"]),
                None if m["probability"] is None else _unpacked(m["probability"], pixels.shape),
            )
            for m in row["masks"]
        )
        boxes = tuple(PixelBox(**box) for box in row["crop_boxes"])
        heat = None
        if found := row.get("heat"):
            heat = np.array(found["values"], dtype=np.float32).reshape(found["shape"])
        plain = {name: row[name] for name in _PLAIN}
        return cls(masks=masks, crop_boxes=boxes, heat=heat, **plain)


_PLAIN = (
    "text",
    "granularity",
    "granularity_confidence",
    "visual_tokens",
    "text_confidence",
    "n_incomplete",
    "seconds",
)


def _packed(values: NDArray[np.uint8]) -> str:
    return base64.b64encode(zlib.compress(values.tobytes())).decode()


def _unpacked(text: str, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype=np.uint8).reshape(shape)
