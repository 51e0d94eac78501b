"""A benchmark's records as a torch Dataset: picture, prompt, answer, masks and boxes of each."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from geomag.config.schema import PromptConfig
from geomag.data.benchmarks import BENCHMARKS, Split, Task
from geomag.data.benchmarks.registry import read_benchmark
from geomag.data.images import read_rgb
from geomag.data.prompts import evaluation_prompt
from geomag.data.records import Record
from geomag.geometry import decode_mask


class Sample(TypedDict):
    """One record, ready to be trained or evaluated on."""

    id: str
    task: str
    image: Tensor
    """``uint8 [3, H, W]``."""
    prompt: str
    """The question in the wording that evaluation uses, before LLaVA's turn markers."""
    answers: tuple[str, ...]
    """References in words; a phrase's mask has none."""
    masks: Tensor
    """``bool [K, H, W]``."""
    phrases: tuple[str, ...]
    """What each mask is of, in conversations."""
    boxes: Tensor
    """``float32 [M, 4]``: half-open ``(x0, y0, x1, y1)`` in pixels."""


class GeoMagDataset(Dataset[Sample]):
    """Records with their pictures, read when they are asked for.

    Args:
        records: Of any benchmarks.
        root: Folder that the records' pictures are relative to.
        prompt: Wording of scenes and decimals of boxes.
    """

    def __init__(
        self, records: Sequence[Record], root: str | Path, prompt: PromptConfig | None = None
    ) -> None:
        self.records = list(records)
        self.root = Path(root)
        self.prompt = prompt or PromptConfig()

    @classmethod
    def from_benchmark(
        cls, name: str, root: str | Path, *, split: str | None = None
    ) -> "GeoMagDataset":
        """Read a benchmark as it is downloaded.

        Args:
            name: Such as ``rrsis_d``.
            root: Its folder.
            split: ``train``, ``val`` or ``test``; None: all records.

        Raises:
            AnnotationError: If the download is broken.
        """
        wanted = None if split is None else Split(split)
        rows = read_benchmark(name, Path(root))
        return cls([row for row in rows if wanted is None or row.split is wanted], root)

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> Sample:
        record = self.records[index]
        is_scene = record.task is Task.SCENE
        classes = BENCHMARKS[record.benchmark].classes if is_scene else ()
        masks = [torch.from_numpy(decode_mask(rle)) for rle in record.masks]
        size = (0, record.height, record.width)
        pixels = np.ascontiguousarray(read_rgb(self.root / record.image))
        return {
            "id": record.id,
            "task": record.task.value,
            "image": torch.from_numpy(pixels).permute(2, 0, 1),
            "prompt": evaluation_prompt(
                record,
                classes=classes,
                scene=self.prompt.scene,
                decimals=self.prompt.box_decimals,
            ),
            "answers": record.answers,
            "masks": torch.stack(masks) if masks else torch.zeros(size, dtype=torch.bool),
            "phrases": record.phrases,
            "boxes": torch.tensor([box.corners for box in record.boxes]).reshape(-1, 4),
        }

    @staticmethod
    def collate(samples: Sequence[Sample]) -> dict[str, Any]:
        """A batch: each field a list; pictures of one size are stacked ``uint8 [B, 3, H, W]``."""
        batch: dict[str, Any] = {
            key: [dict(sample)[key] for sample in samples] for key in samples[0]
        }
        if len({tuple(image.shape) for image in batch["image"]}) == 1:
            batch["image"] = torch.stack(batch["image"])
        return batch
