"""Contact pictures: image, truth, answer and crop windows of a few records, with their words."""

import textwrap
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from geomag.data.benchmarks import BENCHMARKS, Task
from geomag.data.images import open_image
from geomag.data.records import Record, read_records
from geomag.evaluate.score.inputs import Prediction, read_predictions
from geomag.evaluate.score.referring import size_name
from geomag.geometry import BoolMask, Rle, mask_area, union_of
from geomag.io import atomic_path
from geomag.metrics.masks import resized
from geomag.metrics.segmentation import overlap
from geomag.metrics.vqa import is_right
from geomag.progress import each

TILE = 256
"""Pixels of a picture's longer side."""
_WORDS_PX, _LINE_PX, _COLUMNS = 76, 12, 40
_TRUTH, _ANSWER, _WINDOW, _BOX = (0, 220, 90), (255, 0, 200), (255, 210, 0), (0, 190, 255)


def contact_sheet(
    records: Sequence[Record],
    predictions: Mapping[str, Prediction],
    root: Path,
    path: Path,
    *,
    across: int = 4,
) -> Path:
    """Draw records with their answers to one PNG.

    Args:
        records: What to show, in order.
        predictions: By record id; a missing one is said in words.
        root: The benchmark's folder, which the records' images are relative to.
        path: PNG to write.
        across: Tiles in a row.

    Raises:
        ImageError: If an image is missing or broken.
    """
    rows = max(1, -(-len(records) // across))
    sheet = Image.new("RGB", (across * TILE, rows * (TILE + _WORDS_PX)), (24, 24, 28))
    for i, record in enumerate(records):
        corner = (i % across * TILE, i // across * (TILE + _WORDS_PX))
        answer = predictions.get(record.id)
        sheet.paste(tile(record, answer, root / record.image), corner)
        _write(sheet, words(record, answer), (corner[0] + 4, corner[1] + TILE + 3))
    with atomic_path(path) as temporary:
        sheet.save(temporary, format="PNG")
    return path


def tile(record: Record, answer: Prediction | None, image: Path) -> Image.Image:
    """One image of at most `TILE` pixels with outlines of truth, answer and crop windows."""
    with open_image(image) as opened:
        picture = opened.convert("RGB")
    scale = TILE / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    picture = picture.resize(size, Image.Resampling.BILINEAR)
    pixels = np.array(picture)
    for masks, colour in ((record.masks, _TRUTH), (answer.masks if answer else (), _ANSWER)):
        if masks:
            pixels[outline(_shrunk(masks, size))] = colour
    picture = Image.fromarray(pixels)
    draw = ImageDraw.Draw(picture)
    windows = answer.extra.get("crop_boxes", ()) if answer else ()
    printed = [box.corners for box in record.boxes]
    for boxes, colour in ((printed, _BOX), (windows, _WINDOW)):
        for box in boxes or ():
            x0, y0, x1, y1 = (float(v) * scale for v in box)
            draw.rectangle((min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)), outline=colour)
    return picture


def _shrunk(masks: Sequence[Rle], size: tuple[int, int]) -> BoolMask:
    return resized(union_of(masks), size[1], size[0])


def outline(mask: BoolMask) -> BoolMask:
    """Foreground pixels with a neighbour outside the mask, or outside the picture.

    >>> outline(np.ones((3, 3), dtype=bool)).sum()
    np.int64(8)
    """
    padded = np.pad(mask, 1)
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    edge: BoolMask = mask & ~inner
    return edge


def words(record: Record, answer: Prediction | None) -> list[str]:
    """Question, truth and answer as plain lines that fit under a tile."""
    asked = record.text if record.task is not Task.ROC else ""
    said = "(no prediction)" if answer is None else answer.text
    truth = " | ".join(record.answers[:1])
    lines = [f"{record.id}: {asked}" if asked else record.id]
    lines += [f"truth: {truth}"] if truth else []
    if record.task is Task.REFERRING and record.masks and answer is not None:
        said = f"IoU {overlap(answer.masks[0] if answer.masks else None, record.masks[0]).iou:.2f}"
    if answer is None or said:
        lines.append(f"answer: {said}")
    cut = [textwrap.wrap(plain(line), _COLUMNS, max_lines=2, placeholder=" ...") for line in lines]
    return [part for row in cut for part in row]


def plain(text: str) -> str:
    r"""One line of printable characters of the Latin page; others become a question mark.

    >>> plain("a\u202eb\x1b[31m \u4e2d")
    'a?b?[31m ?'
    """
    return "".join(
        c if (c.isprintable() and unicodedata.category(c) != "Cf" and ord(c) < 0x250) else "?"
        for c in " ".join(text.split())
    )


def _write(sheet: Image.Image, lines: Sequence[str], corner: tuple[int, int]) -> None:
    draw = ImageDraw.Draw(sheet)
    for i, line in enumerate(lines[: _WORDS_PX // _LINE_PX]):
        draw.text((corner[0], corner[1] + i * _LINE_PX), line, fill=(235, 235, 235))


def chosen(records: Sequence[Record], count: int) -> list[Record]:
    """Records spread evenly over a list, the same ones each time."""
    if len(records) <= count:
        return list(records)
    return [records[i * len(records) // count] for i in range(count)]


def draw_all(
    root: Path, out: Path, *, count: int, names: Collection[str] | None = None
) -> dict[str, Path]:
    """One contact picture per benchmark that has records, predictions and images.

    Args:
        root: The project: reads ``artifacts/records``, ``artifacts/predictions`` and ``data``.
        out: Folder of the pictures.
        count: Tiles of each.
        names: Benchmarks to draw; None: all.
    """
    drawn = {}
    for name, benchmark in each(list(BENCHMARKS.items()), "contact pictures"):
        records = root / "artifacts" / "records" / name / "records.jsonl"
        answers = root / "artifacts" / "predictions" / name / "magcrop.jsonl"
        if names is not None and name not in names:
            continue
        if not (records.is_file() and answers.is_file() and (root / "data" / name).is_dir()):
            continue
        rows = list(read_records(records, splits=benchmark.test_splits[:1]))
        found = read_predictions(answers)
        sheets = {name: chosen(rows, count), f"{name} misses": misses(rows, found, count)}
        for title, shown in sheets.items():
            path = out / f"{title.replace(' ', '-')}.png"
            if shown:
                drawn[title] = contact_sheet(shown, found, root / "data" / name, path)
    return drawn


def misses(
    records: Sequence[Record], predictions: Mapping[str, Prediction], count: int
) -> list[Record]:
    """Records answered wrongly, taken in turn from each kind and size so that none crowds out.

    Wrong is IoU below 0.5 for masks and another text than the reference's for one-word answers;
    captions and descriptions have no wrong answer here.
    """
    groups: dict[str, list[Record]] = {}
    for record in records:
        if _is_miss(record, predictions.get(record.id)):
            size = size_name(mask_area(record.masks[0]), record) if record.masks else ""
            groups.setdefault(f"{record.kind} {size}", []).append(record)
    turns = zip_longest(*(groups[name] for name in sorted(groups)))
    return [record for turn in turns for record in turn if record is not None][:count]


def _is_miss(record: Record, answer: Prediction | None) -> bool:
    if record.task is Task.REFERRING:
        mask = answer.masks[0] if answer and answer.masks else None
        return bool(record.masks) and overlap(mask, record.masks[0]).iou < 0.5
    if record.task in (Task.VQA, Task.ROC, Task.SCENE):
        return answer is None or not is_right(answer.text, record.answers[0])
    return False
