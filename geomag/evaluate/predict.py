"""Predictions of one arm on a benchmark's test records, as JSON Lines that `geomag score` rates."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from geomag.config.schema import Profile
from geomag.data.benchmarks import BENCHMARKS, Benchmark, Granularity, Task
from geomag.data.by_image import by_image, read_each_once
from geomag.data.classes import scene_classes
from geomag.data.prompts import PROMPT_VERSION, evaluation_prompt, probe_prompt
from geomag.data.records import Record, read_records
from geomag.geometry import PixelBox, box_of_mask, decode_mask, encode_mask, union_of
from geomag.io import write_jsonl
from geomag.magcrop.compose import RgbImage
from geomag.magcrop.crops import read_heat
from geomag.magcrop.granularity import GranularityJudge, Judgement
from geomag.magcrop.quality import box_recall, crop_recall, points_at
from geomag.model.assemble import judge, trained
from geomag.model.choice import settle
from geomag.model.geomag import Answer, GeoMag, Query
from geomag.model.look import Look, Looks, plain_look
from geomag.model.probes import Found, Wanted, build_probe
from geomag.model.probing import heat_cache
from geomag.model.vision import MEAN

Arm = Literal["magcrop", "plain", "blank"]
"""Of `blank`, answers say what the words alone are worth: every picture is one flat colour."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One record with what the model is shown and asked."""

    record: Record
    image: RgbImage
    query: Query
    judgement: Judgement | None
    found: Found | None
    """None where nothing was probed."""


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
    """A trained model with its classifier and the heatmaps of one benchmark."""

    def __init__(self, source: Source, arm: Arm, profile: Profile, *, artifacts: Path) -> None:
        self.benchmark: Benchmark = BENCHMARKS[source.benchmark]
        self.arm, self.profile = arm, profile
        self.root = source.root
        self.model: GeoMag = trained(artifacts / "models", profile)
        self.judge: GranularityJudge = judge(artifacts / "models", profile)
        stored = artifacts / "crops" / source.benchmark
        is_probed = arm == "magcrop" and self.benchmark.crops and source.is_line
        self.heat = read_heat(stored) if is_probed and stored.is_dir() else {}
        self.probe = build_probe(self.model, heat_cache(source.heat, artifacts / "models", profile))

    def predict(self, records: Sequence[Record]) -> Iterator[dict[str, Any]]:
        """Rows in order of the records, batch by batch."""
        config = self.profile.predict
        most = (
            config.max_new_tokens_gcg if self.benchmark.task is Task.GCG else config.max_new_tokens
        )
        for start in range(0, len(records), config.batch):
            asked = self.ask(records[start : start + config.batch])
            through = self.model.answer([a.query for a in asked], max_new_tokens=most)
            answers = settle(
                self.model,
                through,
                [a.found for a in asked],
                partial(_whole, asked, self.profile),
                max_new_tokens=most,
            )
            for one, seen, answer in zip(asked, through, answers, strict=True):
                yield self._row(one, answer, is_plain=answer is not seen)

    def ask(self, records: Sequence[Record]) -> list[Asked]:
        """What the model is shown and asked of each record; what is seen alike is one look."""
        classes = scene_classes(self.benchmark.name) if self.benchmark.task is Task.SCENE else ()
        config = self.profile.prompt
        prompts = [
            evaluation_prompt(r, classes=classes, scene=config.scene, decimals=config.box_decimals)
            for r in records
        ]
        images = read_each_once(self.root, records)
        if self.arm == "blank":
            images = blanks(images)
        looks = Looks(self.profile)
        if self.arm != "magcrop":
            return [
                Asked(r, image, _query(looks.of(image, None), p, r), None, None)
                for r, image, p in zip(records, images, prompts, strict=True)
            ]
        judged = self.judge.judge(prompts)
        found = self._found(records, images, prompts, judged)
        asked = []
        for record, image, prompt, judgement, one in zip(
            records, images, prompts, judged, found, strict=True
        ):
            boxes, heat = ((), None) if one is None else (one.boxes, one.heat)
            look = looks.of(image, judgement.granularity, boxes, heat)
            asked.append(Asked(record, image, _query(look, prompt, record), judgement, one))
        return asked

    def _found(
        self,
        records: Sequence[Record],
        images: Sequence[RgbImage],
        prompts: Sequence[str],
        judged: Sequence[Judgement],
    ) -> list[Found | None]:
        """Windows from stored heatmaps; a record that needs one and has none is probed now."""
        wanted = {
            i: Wanted(
                image=images[i],
                prompt=prompts[i],
                probe_prompt=probe_prompt(record, self.profile.prompt.probe),
                granularity=judged[i].granularity or Granularity.REGION,
                heat=self.heat.get(record.id),
            )
            for i, record in enumerate(records)
            if record.id in self.heat
            or judged[i].granularity in (Granularity.REGION, Granularity.PIXEL)
        }
        found = dict(zip(wanted, self.probe.find(list(wanted.values())), strict=True))
        return [found.get(i) for i in range(len(records))]

    def _row(self, asked: Asked, answer: Answer, *, is_plain: bool) -> dict[str, Any]:
        record = asked.record
        masks = list(answer.masks)
        if record.task is Task.REFERRING:
            masks = masks[:1]  # several are counted, the first is the answer (pixel protocol 8.1)
        row: dict[str, Any] = {
            "id": record.id,
            "text": answer.text,
            "masks": [encode_mask(mask) for mask in masks],
            "phrases": list(answer.phrases),
            "n_masks": len(answer.masks),
            "tokens": asked.query.look.n_tokens(self.profile.vlm.patch_px),
            "prompt_version": PROMPT_VERSION,
            "profile": self.profile.name,
        }
        if answer.n_incomplete:
            row["incomplete_groups"] = answer.n_incomplete
        if asked.judgement is not None:
            level = asked.judgement.granularity
            row["granularity"] = "none" if level is None else level.value
        if asked.found is not None:
            row["crop_boxes"] = [[b.x0, b.y0, b.x1, b.y1] for b in asked.found.boxes]
            row.update(crop_quality(record, asked.found))
            if is_plain:
                row["kept"] = "plain"  # it was surer, of its mask or of its words
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


def _whole(asked: Sequence[Asked], profile: Profile, index: int) -> Query:
    """The question about the whole image."""
    one = asked[index]
    return _query(plain_look(one.image, profile), one.query.prompt, one.record)


def _query(look: Look, prompt: str, record: Record) -> Query:
    return Query(look, prompt, record.height, record.width)


def crop_quality(record: Record, found: Found) -> dict[str, Any]:
    """Crop recall of the first window and the pointing game, where the record has a target."""
    boxes = found.boxes
    if record.masks:
        mask = decode_mask(union_of(record.masks))
        target = box_of_mask(mask)
        if target is None:
            return {}
        recall = crop_recall(mask, boxes[0]) if boxes else 0.0
    elif record.boxes:
        target = PixelBox(*record.boxes[0])
        mask = _filled(record, target)
        recall = box_recall(target, boxes[0]) if boxes else 0.0
    else:
        return {}
    quality = {"crop_recall": recall}
    if found.heat is not None:
        quality["pointing"] = float(points_at(found.heat.first, mask))
    return quality


def _filled(record: Record, box: PixelBox) -> Any:
    import numpy as np

    mask = np.zeros((record.height, record.width), dtype=bool)
    mask[round(box.y0) : round(box.y1) + 1, round(box.x0) : round(box.x1) + 1] = True
    return mask
