"""Predictions of anybody's model, checked and laid beside the records they answer.

One JSON object a line: ``{"id", "text", "masks": [RLE], "phrases": [str]}``; other keys are kept.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from geomag.data.benchmarks import Benchmark, Split, Task
from geomag.data.records import Record
from geomag.errors import PredictionError, shown
from geomag.geometry import Rle
from geomag.io import read_jsonl, visible
from geomag.rle import read_rle

_KNOWN = frozenset({"id", "text", "masks", "phrases"})


@dataclass(frozen=True, slots=True)
class Prediction:
    """One answer: words, masks, and the phrase of each mask."""

    text: str = ""
    masks: tuple[Rle, ...] = ()
    phrases: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Joined:
    """Records of one split with their predictions, None where there is none."""

    records: tuple[Record, ...]
    predictions: tuple[Prediction | None, ...]

    @property
    def images(self) -> list[str]:
        """The image of each record: what the bootstrap draws."""
        return [record.image for record in self.records]

    @property
    def texts(self) -> list[str]:
        """The words of each answer, "" where there is none."""
        return ["" if p is None else p.text for p in self.predictions]

    @property
    def missing(self) -> int:
        """Records without a prediction; they count as wrong."""
        return sum(p is None for p in self.predictions)

    @property
    def is_silent(self) -> bool:
        """Whether no record has a prediction."""
        return self.missing == len(self.records)


@dataclass(slots=True)
class TrainFacts:
    """What trivial baselines and subset scores may know of the other splits."""

    answers: dict[str, Counter[str]] = field(default_factory=dict)
    """Answers by question type or ``""``, of the train split."""
    by_question: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)
    """Answers by question type and wording, of the train split."""
    captions_of_class: dict[str, Counter[str]] = field(default_factory=dict)
    """Reference captions of the train split by class, where the benchmark has classes."""
    captions: Counter[str] = field(default_factory=Counter)
    """Reference captions or descriptions of the train split."""
    images: set[str] = field(default_factory=set)
    """Images of the train and val splits."""
    classes: set[str] = field(default_factory=set)
    """Every class name of the benchmark, whatever the split."""


def gather(
    records: Iterable[Record], splits: Sequence[Split]
) -> tuple[dict[Split, list[Record]], TrainFacts, set[str]]:
    """One pass over a benchmark: records of ``splits``, facts of the rest, all ids."""
    chosen: dict[Split, list[Record]] = {split: [] for split in splits}
    facts, ids = TrainFacts(), set()
    for record in records:
        ids.add(record.id)
        if record.task is Task.SCENE:
            facts.classes.update(record.answers[:1])
        if record.split in chosen:
            chosen[record.split].append(record)
        elif record.split in (Split.TRAIN, Split.VAL):
            _learn(facts, record)
    return chosen, facts, ids


def _learn(facts: TrainFacts, record: Record) -> None:
    facts.images.add(record.image)
    if record.split is not Split.TRAIN:
        return
    if record.task is Task.CAPTION:
        facts.captions.update(record.answers)
        if record.kind:
            facts.captions_of_class.setdefault(record.kind, Counter()).update(record.answers)
    elif record.task is Task.GCG:
        facts.captions[record.text] += 1
    else:
        kind = record.kind if record.task is Task.VQA else ""
        seen = facts.answers.setdefault(kind, Counter())
        for answer in record.answers[:1]:
            seen[answer] += 1
        if record.task is Task.VQA:
            key = (record.kind, record.text)
            facts.by_question.setdefault(key, Counter()).update(record.answers[:1])


def read_predictions(path: Path) -> dict[str, Prediction]:
    """Read one predictions file.

    Raises:
        PredictionError: On a line without id, a second line of one id, or fields of other types.
    """
    if not path.is_file():
        raise PredictionError(str(path), "no such file", remedy="run geomag predict first")
    found: dict[str, Prediction] = {}
    for number, row in enumerate(read_jsonl(path), start=1):
        place = f"{path}, line {number}"
        name = row.get("id")
        if isinstance(name, bool) or not isinstance(name, (str, int)):
            raise PredictionError(f"{place}, id", shown(name), "the record's id as text")
        if str(name) in found:
            raise PredictionError(
                place, f"a second prediction of id {str(name)!r}", "one line per id"
            )
        found[str(name)] = _prediction(row, f"{place}, id {name}")
    return found


def _prediction(row: Mapping[str, Any], place: str) -> Prediction:
    text = row.get("text", "")
    if text is not None and not isinstance(text, str):
        raise PredictionError(f"{place}, text", shown(text), "a string")
    masks, phrases = row.get("masks") or [], row.get("phrases") or []
    if not isinstance(masks, list) or not isinstance(phrases, list):
        raise PredictionError(f"{place}, masks and phrases", "not lists", "two lists")
    if not all(isinstance(phrase, str) for phrase in phrases):
        raise PredictionError(f"{place}, phrases", shown(phrases), "a list of strings")
    extra = {key: value for key, value in row.items() if key not in _KNOWN}
    return Prediction(_utf8(text or ""), tuple(masks), tuple(map(_utf8, phrases)), extra)


def _utf8(text: str) -> str:
    """The text with lone surrogates, which JSON can spell and no tool can read, replaced."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def join(
    records: Sequence[Record],
    predictions: Mapping[str, Prediction],
    *,
    benchmark: Benchmark,
    known: Iterable[str],
    place: str,
) -> Joined:
    """Lay predictions beside records.

    Args:
        records: Of the split to score.
        predictions: By id.
        benchmark: Decides whether masks are looked at.
        known: Ids of every split; predictions of other splits are left alone.
        place: The predictions file, for messages.

    Raises:
        PredictionError: On ids that the benchmark lacks, or a mask of another size.
    """
    unknown = sorted(set(predictions) - set(known))
    if unknown:
        raise PredictionError(
            place,
            f"{len(unknown)} ids that {benchmark.name} lacks, such as {', '.join(unknown[:3])}",
            "ids of the benchmark's records",
        )
    found = [predictions.get(record.id) for record in records]
    if benchmark.task in (Task.REFERRING, Task.GCG):
        found = [
            _checked(prediction, record, place) if prediction and prediction.masks else prediction
            for record, prediction in zip(records, found, strict=True)
        ]
    return Joined(tuple(records), tuple(found))


def _checked(prediction: Prediction, record: Record, place: str) -> Prediction:
    """The prediction with masks that C code may decode."""
    masks = []
    for number, mask in enumerate(prediction.masks, start=1):
        try:
            masks.append(read_rle(mask, record.height, record.width))
        except ValueError as wrong:
            raise PredictionError(
                f"{place}, id {record.id}, mask {number}",
                str(wrong),
                f"an RLE of size [{record.height}, {record.width}]",
            ) from wrong
    return replace(prediction, masks=tuple(masks))


def prediction_files(path: Path) -> Iterator[tuple[str, Path]]:
    """``(arm, file)`` of a predictions file (its arm is its stem) or of a folder of arms.

    The first one is the headline: ``magcrop`` in a folder.

    Raises:
        PredictionError: When a folder has no ``magcrop.jsonl``, or nothing is there.
    """
    if not path.is_dir():
        yield path.stem, path
        return
    arms = {file.stem: file for file in visible(path, "*.jsonl")}
    if "magcrop" not in arms:
        raise PredictionError(str(path), f"files {sorted(arms)}", "magcrop.jsonl among them")
    yield "magcrop", arms.pop("magcrop")
    yield from arms.items()
