"""What the network reads of a picture and a prompt: framing, tokens and views."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from geomag.api.picture import read_picture
from geomag.api.pretrained import GeoMag
from geomag.inference.prompt import Prompt, read_prompt
from geomag.inference.question import Question
from geomag.magcrop.views import ImageView
from geomag.model.model_input import encoder_pixels
from geomag.model.query import Query
from geomag.model.vision import cut


@dataclass(frozen=True, slots=True)
class ProcessedQuestion:
    """One question as the network reads it."""

    prompt: Prompt
    """The framed prompt, with its task."""
    input_ids: Tensor
    """``[T]`` int64: the prompt in LLaVA's turn markers, the image as one placeholder."""
    views: tuple[ImageView, ...]
    """Parts of the picture, coarse to fine, in the order of ``pixel_values``."""
    pixel_values: tuple[Tensor, ...]
    """Each view ``[3, S, S]`` float32, normalised for the vision tower; sides may differ."""
    encoder_values: Tensor
    """``[3, S, S]`` float32: what SAM2 encodes."""
    query: Query
    """The same as the network's `answer` takes it."""


class GeoMagProcessor:
    """Framing, tokens and views of a loaded model.

    Which views there are depends on the model, because MagCrop asks it where to look.
    """

    def __init__(self, model: GeoMag) -> None:
        self._model = model
        self.tokenizer = model.vlm.tokenizer

    def __call__(
        self, image: Any, prompt: str, *, bands: Sequence[int] = (), magcrop: bool = True
    ) -> ProcessedQuestion:
        """Prepare one question; arguments are those of `GeoMag.ask`."""
        pipeline = self._model.pipeline
        asked = pipeline.fit(read_prompt(prompt))
        pixels = read_picture(image, bands).pixels
        (prepared,) = pipeline.prepare(
            [Question(pixels, asked)], arm="magcrop" if magcrop else "plain"
        )
        model_input = prepared.query.model_input
        seen = torch.from_numpy(model_input.image)
        return ProcessedQuestion(
            prompt=asked,
            input_ids=torch.tensor(self._model.vlm.prompt_ids(asked.text)),
            views=model_input.views,
            pixel_values=tuple(cut(seen, view) for view in model_input.views),
            encoder_values=encoder_pixels(model_input, self._model.sam.size.image_px),
            query=prepared.query,
        )

    def decode(self, tokens: Sequence[int]) -> str:
        """Text of generated ids, special tokens kept."""
        return self._model.vlm.decode(tokens)
