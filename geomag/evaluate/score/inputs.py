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
from geomag.io import numbered_rows, visible
from geomag.parse import mapping
from geomag.rle import read_rle

_KNOWN = frozenset({"id", "text", "masks", "phrases"})
_NEEDED: Mapping[Task, tuple[str, ...]] = {
    Task.REFERRING: ("masks",),
    Task.GCG: ("text", "masks"),
}
"""Fields that a task's answers are in; ``text`` alone for all others."""


@dataclass(frozen=True, slots=True)
class Keys:
    """What a predictions file calls its fields."""

    text: str = "text"
    masks: str = "masks"


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


OURS = Keys()
"""Keys of a prediction, as `geomag predict` writes them."""


def read_arms(
    path: Path, *, task: Task | None = None, keys: Keys = OURS
) -> list[tuple[str, Path, dict[str, Prediction]]]:
    """Name, file and predictions of every arm: of one file, or of a folder's `prediction_files`.

    Raises:
        PredictionError: As `read_predictions` and `prediction_files` do.
    """
    return [
        (arm, file, read_predictions(file, task=task, keys=keys))
        for arm, file in prediction_files(path)
    ]


def read_predictions(
    path: Path, *, task: Task | None = None, keys: Keys = OURS
) -> dict[str, Prediction]:
    """Read one predictions file.

    Args:
        path: JSON Lines.
        task: What its answers are for; a file none of whose lines has that field is refused.
        keys: What it calls its fields.

    Raises:
        PredictionError: On a line without id, a second line of one id, fields of other types, or
            none of the field that the task needs.
    """
    if not path.is_file():
        raise PredictionError(str(path), "no such file", remedy="run geomag predict first")
    found: dict[str, Prediction] = {}
    seen: dict[str, Any] = {}
    for number, value in numbered_rows(path):
        place = f"{path}, line {number}"
        row = mapping(value, place)
        seen.update(row)
        name = row.get("id")
        if isinstance(name, bool) or not isinstance(name, (str, int)):
            raise PredictionError(f"{place}, id", shown(name), "the record's id as text")
        if str(name) in found:
            raise PredictionError(
                place, f"a second prediction of id {str(name)!r}", "one line per id"
            )
        found[str(name)] = _prediction(row, f"{place}, id {name}", keys)
    if found and task is not None:
        _refuse_other_keys(path, seen, _NEEDED.get(task, ("text",)), keys)
    return found


def _refuse_other_keys(
    path: Path, seen: Mapping[str, Any], needed: Iterable[str], keys: Keys
) -> None:
    """A file whose answers stand under another key would score 0 and look like a bad model."""
    for field_name in needed:
        key = str(getattr(keys, field_name))
        if key not in seen:
            others = [name for name in seen if name not in _KNOWN]
            option = f"--{'mask' if field_name == 'masks' else 'text'}-key"
            name = others[0] if len(others) == 1 else "KEY"
            raise PredictionError(
                str(path),
                f"no line has {key!r}; keys found: {shown(sorted(seen))}",
                f"the answers under {key!r}",
                f"name their key with {option} {name}, or use geomag convert",
            )


def _prediction(row: Mapping[str, Any], place: str, keys: Keys) -> Prediction:
    text = row.get(keys.text, "")
    if text is not None and not isinstance(text, str):
        raise PredictionError(f"{place}, text", shown(text), "a string")
    masks, phrases = row.get(keys.masks) or [], row.get("phrases") or []
    if isinstance(masks, dict) and keys.masks != OURS.masks:
        masks = [masks]  # one mask, not in a list
    if not isinstance(masks, list) or not isinstance(phrases, list):
        raise PredictionError(f"{place}, masks and phrases", "not lists", "two lists")
    if not all(isinstance(phrase, str) for phrase in phrases):
        raise PredictionError(f"{place}, phrases", shown(phrases), "a list of strings")
    extra = {
        key: value for key, value in row.items() if key not in {*_KNOWN, keys.text, keys.masks}
    }
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
