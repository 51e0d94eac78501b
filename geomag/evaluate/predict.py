"""Predictions of one arm on a benchmark's test records, as JSON Lines that `geomag score` rates."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from geomag.config.schema import Profile
from geomag.data.benchmarks import BENCHMARKS, Benchmark, Task
from geomag.data.by_image import by_image, images_ahead
from geomag.data.prompts import PROMPT_VERSION
from geomag.data.records import Record, read_records
from geomag.evaluate.predictions.identity import prediction_identity
from geomag.evaluate.predictions.journal import Head, Journal, open_journal
from geomag.evaluate.predictions.plan import WHOLE, Shard, plan_batches
from geomag.evaluate.predictions.shards import finished_rows, shard_files, write_rows
from geomag.geometry import box_mask, box_of_mask, decode_mask, encode_mask, union_of
from geomag.inference.pipeline import Pipeline
from geomag.inference.probes import WindowProposal
from geomag.inference.probing import heat_facts
from geomag.inference.prompt import Prompt, record_prompt
from geomag.inference.question import Outcome, Question
from geomag.magcrop.compose import RgbImage
from geomag.magcrop.crops import Heat, HeatStore
from geomag.magcrop.quality import box_recall, crop_recall, points_at
from geomag.model.vision import MEAN
from geomag.progress import track
from geomag.versions import code_identity

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
    limit: int = 0
    """So many test records are taken, the first ones image by image; 0: all."""
    shard: Shard = WHOLE
    """The part that is answered."""
    finished: Path | None = None
    """Folder of shards; the rows of finished ones are taken from there. None: no folder."""


class Predictor:
    """The pipeline with the pictures and the stored heatmaps of one benchmark."""

    def __init__(self, source: Source, arm: Arm, profile: Profile, *, artifacts: Path) -> None:
        self.source = source
        self.benchmark: Benchmark = BENCHMARKS[source.benchmark]
        self.arm, self.profile = arm, profile
        self.artifacts = artifacts

    @cached_property
    def pipeline(self) -> Pipeline:
        """The trained model, loaded when the first batch is answered."""
        return Pipeline.load(self.artifacts / "models", self.profile, heat=self.source.heat)

    @cached_property
    def crops(self) -> Path | None:
        """Folder of the stored heatmaps that are used; None where there are none."""
        stored = self.artifacts / "crops" / self.source.benchmark
        is_probed = self.arm == "magcrop" and self.benchmark.crops and self.source.is_line
        return stored if is_probed and stored.is_dir() else None

    @cached_property
    def heat(self) -> Mapping[str, Heat]:
        """Stored heatmaps by record id."""
        if self.crops is None:
            return {}
        facts = heat_facts(self.artifacts / "models", self.profile)
        del facts["windows"]  # the pipeline probes other windows than the stored ones anew
        return HeatStore(self.crops, facts)

    @cached_property
    def records(self) -> list[Record]:
        """Test records image by image, which is the order of the rows."""
        splits = self.benchmark.test_splits
        records = by_image(list(read_records(self.source.records, splits=splits)))
        return records[: self.source.limit or None]

    def plan(self) -> list[list[int]]:
        """Batches of all records, as places in `records` (`plan_batches`)."""
        images = [record.image for record in self.records]
        lengths = [len(self._prompt(record).text) for record in self.records]
        return plan_batches(images, lengths, self.profile.predict.batch)

    def head(self) -> Head:
        """What the rows are made from."""
        source = self.source
        identity = prediction_identity(
            source.records,
            self.profile,
            models=self.artifacts / "models",
            crops=self.crops,
            code=code_identity(self.artifacts.parent, "predict"),
            asked={"benchmark": source.benchmark, "arm": self.arm, "limit": source.limit},
        )
        return Head(identity, len(self.records), source.shard)

    def answer(self, batches: Sequence[Sequence[int]]) -> Iterator[list[dict[str, Any]]]:
        """Rows of each batch in turn, in order of its records; images are read ahead."""
        parts = [[self.records[index] for index in batch] for batch in batches]
        for part, images in zip(parts, images_ahead(self.source.root, parts), strict=True):
            outcomes = self.pipeline.run(
                self.questions(part, images), arm="magcrop" if self.arm == "magcrop" else "plain"
            )
            yield [self._row(record, one) for record, one in zip(part, outcomes, strict=True)]

    def _prompt(self, record: Record) -> Prompt:
        classes = self.benchmark.classes if self.benchmark.task is Task.SCENE else ()
        return record_prompt(record, self.profile.prompt, classes)

    def questions(self, records: Sequence[Record], images: Sequence[RgbImage]) -> list[Question]:
        """What the pipeline is asked about each record and its image, in order."""
        if self.arm == "blank":
            images = blanks(images)
        return [
            Question(image, self._prompt(record), self.heat.get(record.id))
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
    """Predict the test records of ``source`` to ``out``; returns the number of rows.

    Rows are kept as they are made, so that a killed run is gone on with (`open_journal`). ``out``
    has all rows in order; of a shard it has the shard's, for `merge_shards`.

    Raises:
        ResumeError: If a killed run of other code has left rows of the same inputs.
    """
    predictor = Predictor(source, arm, profile, artifacts=artifacts)
    head, planned = predictor.head(), predictor.plan()
    batches = source.shard.share(planned)
    name = f"{source.benchmark} {arm}"

    def say(text: str) -> None:
        log(f"{name}: {text}")

    finished = finished_rows(source.finished, arm, head, say) if source.finished else {}
    batches = [batch for batch in batches if not finished.keys() >= set(batch)]
    with open_journal(out, head, batches, say) as journal:
        _answer_rest(predictor, batches, journal)
        if source.shard.count > 1:
            journal.finish(out)
            return len(journal.rows)
        journal.sync()
        write_rows({**finished, **journal.rows}, out)
    for file in shard_files(source.finished, arm) if source.finished else ():
        file.unlink()  # a stage that runs again predicts again
    return len(predictor.records)


def _answer_rest(predictor: Predictor, batches: Sequence[Sequence[int]], journal: Journal) -> None:
    """Answer the batches that the journal does not know."""
    left = [batch for batch in batches if not journal.rows.keys() >= set(batch)]
    what = f"predict {predictor.source.benchmark} {predictor.arm}"
    with track(what, sum(map(len, batches)), done=len(journal.rows)) as progress:
        for batch, rows in zip(left, predictor.answer(left), strict=True):
            journal.add(batch, rows)
            progress.to(len(journal.rows))


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
