"""The ten benchmarks of the paper: one spelling, one task, one place in its tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from geomag.errors import ConfigError


class Task(StrEnum):
    """What is asked of one record."""

    REFERRING = "referring"
    """A phrase in, one mask out (Table 1)."""
    GCG = "gcg"
    """Grounded conversation generation: a description with a mask per phrase (Table 2)."""
    VQA = "vqa"
    """A question in, one word out (Table 3)."""
    ROC = "roc"
    """Referring object classification: a box in, a class name out (Table 4)."""
    CAPTION = "caption"
    """One sentence about the image (Table 5)."""
    SCENE = "scene"
    """One class name out of a list (Table 6)."""


class Granularity(StrEnum):
    """G of Eq 2: how close the task looks."""

    IMAGE = "image"
    REGION = "region"
    PIXEL = "pixel"


class Split(StrEnum):
    """Parts of a benchmark; RSVQA-HR's Test2 is ``test_phili``, as its files spell it."""

    TRAIN = "train"
    VAL = "val"
    TEST = "test"
    TEST_PHILI = "test_phili"


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """One of the ten."""

    name: str
    """Asset key, DVC stage, folder, CLI argument and MLflow word."""
    title: str
    """As papers print it."""
    task: Task
    granularity: Granularity
    test_splits: tuple[Split, ...] = (Split.TEST,)
    trains: bool = True
    """Whether its train split enters training; the scene sets are zero-shot."""
    crops: bool = False
    """Whether MagCrop probes it: region and pixel level, GCG excepted (paper 4.3)."""
    ablated: bool = False
    """Whether Table 7 has a row without MagCrop."""

    @property
    def arms(self) -> tuple[str, ...]:
        """Prediction arms: ``magcrop`` always, ``plain`` where Table 7 ablates it."""
        return ("magcrop", "plain") if self.ablated else ("magcrop",)


_PIXEL, _REGION, _IMAGE = Granularity.PIXEL, Granularity.REGION, Granularity.IMAGE

BENCHMARKS: dict[str, Benchmark] = {
    b.name: b
    for b in (
        Benchmark(
            name="rrsis_d",
            title="RRSIS-D",
            task=Task.REFERRING,
            granularity=_PIXEL,
            crops=True,
            ablated=True,
        ),
        Benchmark(
            name="refsegrs",
            title="RefSegRS",
            task=Task.REFERRING,
            granularity=_PIXEL,
            crops=True,
            ablated=True,
        ),
        Benchmark(name="geopixeld", title="GeoPixelD", task=Task.GCG, granularity=_PIXEL),
        Benchmark(
            name="dior_rsvg",
            title="DIOR-RSVG",
            task=Task.ROC,
            granularity=_REGION,
            crops=True,
            ablated=True,
        ),
        Benchmark(
            name="rsvqa_lr", title="RSVQA-LR", task=Task.VQA, granularity=_REGION, crops=True
        ),
        Benchmark(
            name="rsvqa_hr",
            title="RSVQA-HR",
            task=Task.VQA,
            granularity=_REGION,
            test_splits=(Split.TEST, Split.TEST_PHILI),
            crops=True,
            ablated=True,
        ),
        Benchmark(name="ucm_captions", title="UCM-Captions", task=Task.CAPTION, granularity=_IMAGE),
        Benchmark(
            name="sydney_captions", title="Sydney-Captions", task=Task.CAPTION, granularity=_IMAGE
        ),
        Benchmark(name="aid", title="AID", task=Task.SCENE, granularity=_IMAGE, trains=False),
        Benchmark(
            name="resisc45", title="RESISC45", task=Task.SCENE, granularity=_IMAGE, trains=False
        ),
    )
}


def chosen_benchmarks(names: Sequence[str] = ()) -> list[Benchmark]:
    """The benchmarks that a profile's ``benchmarks`` names, in our order; all where it names none.

    Raises:
        ConfigError: On a name that is none of them.

    >>> [b.name for b in chosen_benchmarks(["aid", "rsvqa_lr"])]
    ['rsvqa_lr', 'aid']
    """
    unknown = sorted(set(names) - set(BENCHMARKS))
    if unknown:
        raise ConfigError("benchmarks", ", ".join(unknown), f"some of {', '.join(BENCHMARKS)}")
    return [b for b in BENCHMARKS.values() if not names or b.name in names]
