"""Predictions of one arm on a benchmark's test records, as JSON Lines that `geomag score` rates."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from geomag.config.schema import Profile
from geomag.data.benchmarks import BENCHMARKS, Benchmark, Task
from geomag.data.by_image import by_image, read_each_once
from geomag.data.prompts import PROMPT_VERSION
from geomag.data.records import Record, read_records
from geomag.geometry import box_mask, box_of_mask, decode_mask, encode_mask, union_of
from geomag.inference.pipeline import Pipeline
from geomag.inference.probes import WindowProposal
from geomag.inference.probing import heat_facts
from geomag.inference.prompt import record_prompt
from geomag.inference.question import Outcome, Question
from geomag.io import write_jsonl
from geomag.magcrop.compose import RgbImage
from geomag.magcrop.crops import Heat, HeatStore
from geomag.magcrop.quality import box_recall, crop_recall, points_at
from geomag.model.vision import MEAN

Arm = Literal["magcrop", "plain", "blank"]
"""Ways of answering; ``blank`` shows one flat colour: what the words alone are worth."""


@dataclass(frozen=True, slots=True)
class Source:
    """What is predicted: the line's own records of a benchmark, or somebody's in its layout."""

    benchmark: str
    root: Path
    """Folder of the pictures, which the records' paths are relative to."""
    records: Path
    """Records file that validation wrote."""
    heat: Path
    """Folder of maps by content, for records without a stored heatmap."""
    is_line: bool = True
    """Whether the line's stored heatmaps belong to these records; others are probed now."""


class Predictor:
    """The pipeline with the pictures and the stored heatmaps of one benchmark."""

    def __init__(self, source: Source, arm: Arm, profile: Profile, *, artifacts: Path) -> None:
        self.benchmark: Benchmark = BENCHMARKS[source.benchmark]
        self.arm, self.profile = arm, profile
        self.root = source.root
        self.pipeline = Pipeline.load(artifacts / "models", profile, heat=source.heat)
        stored = artifacts / "crops" / source.benchmark
        is_probed = arm == "magcrop" and self.benchmark.crops and source.is_line
        self.heat: Mapping[str, Heat] = {}
        if is_probed and stored.is_dir():
            facts = heat_facts(artifacts / "models", profile)
            del facts["windows"]  # the pipeline probes other windows than the stored ones anew
            self.heat = HeatStore(stored, facts)

    def predict(self, records: Sequence[Record]) -> Iterator[dict[str, Any]]:
        """Rows in order of the records, batch by batch."""
        size = self.profile.predict.batch
        for start in range(0, len(records), size):
            part = records[start : start + size]
            outcomes = self.pipeline.run(
                self.questions(part), arm="magcrop" if self.arm == "magcrop" else "plain"
            )
            for record, outcome in zip(part, outcomes, strict=True):
                yield self._row(record, outcome)

    def questions(self, records: Sequence[Record]) -> list[Question]:
        """What the pipeline is asked about each record, in order."""
        classes = self.benchmark.classes if self.benchmark.task is Task.SCENE else ()
        images = read_each_once(self.root, records)
        if self.arm == "blank":
            images = blanks(images)
        return [
            Question(
                image,
                record_prompt(record, self.profile.prompt, classes),
                self.heat.get(record.id),
            )
            for record, image in zip(records, images, strict=True)
        ]

    def _row(self, record: Record, outcome: Outcome) -> dict[str, Any]:
        answer, prepared = outcome.answer, outcome.prepared
        masks = list(answer.masks)
        if record.task is Task.REFERRING:
            masks = masks[:1]  # several are counted, one is the answer: protocols/referring#answers
        row: dict[str, Any] = {
            "id": record.id,
            "text": answer.text,
            "masks": [encode_mask(mask) for mask in masks],
            "phrases": list(answer.phrases),
            "n_masks": len(answer.masks),
            "tokens": prepared.query.model_input.n_tokens(self.profile.vlm.patch_px),
            "prompt_version": PROMPT_VERSION,
            "profile": self.profile.name,
        }
        if answer.n_incomplete:
            row["incomplete_groups"] = answer.n_incomplete
        if prepared.decision is not None:
            level = prepared.decision.granularity
            row["granularity"] = "none" if level is None else level.value
        if prepared.proposal is not None:
            row["crop_boxes"] = [[b.x0, b.y0, b.x1, b.y1] for b in prepared.boxes]
            row.update(crop_quality(record, prepared.proposal))
            if outcome.is_plain:
                row["kept"] = "plain"  # its mask, or its words, had more confidence
        return row


def predict_benchmark(
    source: Source,
    arm: Arm,
    profile: Profile,
    *,
    artifacts: Path,
    out: Path,
    log: Callable[[str], None],
) -> int:
    """Predict all test records of ``source`` to ``out``, image by image; returns their number."""
    predictor = Predictor(source, arm, profile, artifacts=artifacts)
    splits = predictor.benchmark.test_splits
    records = by_image(list(read_records(source.records, splits=splits)))

    def rows() -> Iterator[dict[str, Any]]:
        for done, row in enumerate(predictor.predict(records), start=1):
            if done % (4 * profile.predict.batch) == 0 or done == len(records):
                log(f"{source.benchmark} {arm}: {done} of {len(records)}")
            yield row

    return write_jsonl(out, rows())


def blanks(images: Sequence[RgbImage]) -> list[RgbImage]:
    """Each image ``[H, W, 3]`` uint8 as flat as it is large; equal sizes share one array.

    The colour is the mean that the vision tower subtracts, the same for every picture, so that
    not even a picture's own colour is told.
    """
    import numpy as np

    colour = np.rint(255 * np.array(MEAN)).astype(np.uint8)
    of_shape = {image.shape: np.full(image.shape, colour) for image in images}
    return [of_shape[image.shape] for image in images]


def crop_quality(record: Record, found: WindowProposal) -> dict[str, Any]:
    """Crop recall of the first window and the pointing game, where the record has a target."""
    boxes = found.boxes
    if record.masks:
        mask = decode_mask(union_of(record.masks))
        target = box_of_mask(mask)
        if target is None:
            return {}
        recall = crop_recall(mask, boxes[0]) if boxes else 0.0
    elif record.boxes:
        target = record.boxes[0]
        mask = box_mask(target, height=record.height, width=record.width)
        recall = box_recall(target, boxes[0]) if boxes else 0.0
    else:
        return {}
    quality = {"crop_recall": recall}
    if found.heat is not None:
        quality["pointing"] = float(points_at(found.heat.first, mask))
    return quality
