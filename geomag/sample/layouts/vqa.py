"""RSVQA-LR and RSVQA-HR as they are downloaded (protocols/rsvqa), stubs included."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

from geomag.data.benchmarks import Split
from geomag.data.layouts.encode import (
    DATE_ADDED,
    Pixels,
    packable,
    write_compact_json,
    write_png,
    write_tiff,
)
from geomag.data.wording import Question
from geomag.sample.draw.questions import questions
from geomag.sample.draw.scene import draw_objects
from geomag.sample.layouts.plan import PLANS
from geomag.seeds import generator

_PEOPLE_ID = 1
_QUESTIONS = 12
"""Questions of one image aimed at; the real sets have about 100."""
_FAVOUR = 4
"""How often more than the others one class stands in an image's pool."""
_URBAN_SHARE = 0.2
"""Share of low-resolution images that favour buildings, so that both answers occur."""
_ANSWERS, _IMAGES = "answers", "images"
_LISTS = (_IMAGES, "questions", _ANSWERS)

_PHILI_GAIN = np.array([1.14, 1.0, 0.84])
"""Red, green and blue of Test2's sensor against those of training."""
_PHILI_BLUR_PX = 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sensor:
    """What an image entry says of its origin."""

    name: str
    resolution: str
    kinds: tuple[str, ...]
    """Question types asked in turn; those of the table first."""
    classes: tuple[str, ...]


_LR = _Sensor(
    name="S2",
    resolution="10m",
    kinds=("presence", "comp", "comp", "presence", "count"),
    classes=(
        *("building", "road", "water", "field", "tree", "low vegetation", "bridge"),
        *("storage tank", "stadium"),
    ),
)
_HR = _Sensor(
    name="ULTRACAM_EAGLE_FALCON",
    resolution=".1524m",
    kinds=("presence", "comp", "comp", "presence", "count", "area"),
    classes=(
        *("building", "road", "tree", "car", "truck", "bus", "field", "water"),
        *("tennis court", "baseball field", "storage tank"),
    ),
)


@dataclass(slots=True)
class _Archive:
    """Rows of the three lists; position is id."""

    rows: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {k: [] for k in _LISTS})
    split_of: dict[str, list[Split]] = field(default_factory=lambda: {k: [] for k in _LISTS})

    def add(self, split: Split, sensor: _Sensor, asked: list[Question]) -> int:
        """Enter one image with its questions and answers; returns the image's id."""
        image_id, first = len(self.rows[_IMAGES]), len(self.rows["questions"])
        ids = list(range(first, first + len(asked)))
        self._enter(_IMAGES, split, _image_row(image_id, sensor, ids))
        for number, question in zip(ids, asked, strict=True):
            common = {"id": number, "date_added": DATE_ADDED}
            self._enter(
                "questions",
                split,
                {
                    **common, "img_id": image_id, "people_id": _PEOPLE_ID, "type": question.kind,
                    "question": question.text, "answers_ids": [number], "active": True,
                },
            )  # fmt: skip
            self._enter(
                _ANSWERS,
                split,
                {
                    **common, "question_id": number, "people_id": _PEOPLE_ID,
                    "answer": question.answer, "active": True,
                },
            )  # fmt: skip
        return image_id

    def _enter(self, name: str, split: Split, row: dict[str, Any]) -> None:
        self.rows[name].append(row)
        self.split_of[name].append(split)

    def write(self, whole: Callable[[str], Path], part: Callable[[Split, str], Path]) -> None:
        """Write the whole lists and, with stubs up to the last active row, those of each split."""
        for name in _LISTS:
            rows, splits = self.rows[name], self.split_of[name]
            write_compact_json(whole(name), {name: rows})
            for split in dict.fromkeys(splits):
                last = max(k for k, s in enumerate(splits) if s is split)
                padded = [
                    row if s is split else {"id": row["id"], "active": False}
                    for row, s in zip(rows[: last + 1], splits, strict=False)
                ]
                write_compact_json(part(split, name), {name: padded})

    def counts(self) -> dict[Split, int]:
        """Active questions per split."""
        splits = self.split_of["questions"]
        return {split: splits.count(split) for split in dict.fromkeys(splits)}


def write_rsvqa_lr(root: Path, *, seed: int, scale: float) -> dict[Split, int]:
    """Write ``Images_LR/`` and twelve JSON files; returns questions per split."""
    archive = _Archive()
    for split, rng in _images("rsvqa_lr", seed, scale):
        picture, asked = _ask("rsvqa_lr", _LR, rng)
        image_id = archive.add(split, _LR, asked)
        write_tiff(root / f"Images_LR/{image_id}.tif", picture)
    archive.write(
        lambda name: root / f"all_{name}.json",
        lambda split, name: root / f"LR_split_{split}_{name}.json",
    )
    return archive.counts()


def write_rsvqa_hr(root: Path, *, seed: int, scale: float) -> dict[Split, int]:
    """Write ``Data/`` (tif and png of each id) and 15 JSON files; returns questions per split."""
    archive = _Archive()
    for split, rng in _images("rsvqa_hr", seed, scale):
        drawn, asked = _ask("rsvqa_hr", _HR, rng)
        picture = packable(_other_sensor(drawn)) if split is Split.TEST_PHILI else drawn
        image_id = archive.add(split, _HR, asked)
        write_tiff(root / f"Data/{image_id}.tif", picture)
        write_png(root / f"Data/{image_id}.png", picture)
    archive.write(
        lambda name: root / f"USGS{name}.json",
        lambda split, name: root / f"USGS_split_{split}_{name}.json",
    )
    return archive.counts()


def _images(benchmark: str, seed: int, scale: float) -> list[tuple[Split, np.random.Generator]]:
    drawn: dict[Split, int] = {}
    out: list[tuple[Split, np.random.Generator]] = []
    for split in PLANS[benchmark].splits(scale):
        out.append((split, generator(seed, benchmark, split, drawn.get(split, 0))))
        drawn[split] = drawn.get(split, 0) + 1
    return out


def _ask(
    benchmark: str, sensor: _Sensor, rng: np.random.Generator
) -> tuple[Pixels, list[Question]]:
    """One picture and its questions, the rural / urban one first where the set has it."""
    side = PLANS[benchmark].side_px
    is_urban = sensor is _LR and rng.random() < _URBAN_SHARE
    many = "building" if is_urban else sensor.classes[int(rng.integers(len(sensor.classes)))]
    pool = (*sensor.classes, *(many,) * _FAVOUR)
    scene = draw_objects(rng, width=side, height=side, n_objects=(4, 9), categories=pool)
    scene = replace(scene, pool=sensor.classes)  # questions favour nothing
    asked = questions(scene, rng, n=1, kinds=("rural_urban",)) if sensor is _LR else []
    asked += questions(scene, rng, n=_QUESTIONS - len(asked), kinds=sensor.kinds)
    return packable(scene.image), asked


def _other_sensor(image: Pixels) -> Pixels:
    """Warmer and a little blurred: Test2 comes from another camera than training."""
    warm = np.clip(image * _PHILI_GAIN, 0, 255).astype(np.uint8)
    blurred = Image.fromarray(warm).filter(ImageFilter.GaussianBlur(_PHILI_BLUR_PX))
    return np.asarray(blurred, dtype=np.uint8)


def _image_row(image_id: int, sensor: _Sensor, question_ids: list[int]) -> dict[str, Any]:
    return {
        "id": image_id,
        "date_added": DATE_ADDED,
        # Not the file to open: that is named after the id.
        "original_name": f"{1200 + 7 * image_id}.png",
        "sensor": sensor.name,
        "upperleft_map_x": 500000.0 + 2560 * (image_id % 30),
        "upperleft_map_y": 5700000.0 - 2560 * (image_id // 30),
        "res_x": sensor.resolution,
        "res_y": sensor.resolution,
        "people_id": _PEOPLE_ID,
        "type": "0",
        "questions_ids": question_ids,
        "active": True,
    }
