"""What a benchmark is: a spelling, a task, a place in the paper's tables, and published facts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from geomag.data.tasks import Granularity, Split, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """Facts of one benchmark, from which everything else asks its rules.

    They stand in ``spec.py`` of the benchmark's folder, as ``SPEC``.
    """

    name: str
    """Asset key, DVC stage, folder, CLI argument and MLflow word."""
    title: str
    """The name as papers print it."""
    task: Task
    granularity: Granularity
    test_splits: tuple[Split, ...] = (Split.TEST,)
    trains: bool = True
    """Whether its train split enters training; the scene sets are zero-shot."""
    crops: bool = False
    """Whether MagCrop probes it: region and pixel level, GCG excepted (paper 4.3)."""
    ablated: bool = False
    """Whether Table 7 has a row without MagCrop."""
    position: int = 1_000
    """Place in lists and tables, from the pixel level to the image level."""
    licence: str = ""
    """Terms of annotations and pictures, as published."""
    published: str = ""
    """Page that its files are published on."""
    hub: str = ""
    """Data set of the Hugging Face hub that holds its files, ``owner/name@revision``; empty if it
    is published elsewhere alone."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """Published records per split; ``train+val`` is one split that the reader divides."""
    masks: Mapping[str, int] = field(default_factory=dict)
    """Published [SEG] per split; another count is a remark."""
    class_counts: Mapping[str, int] = field(default_factory=dict)
    """Published records per class, by display name."""
    classes: tuple[str, ...] = ()
    """Display names in index order: prompts, training and scores use them."""
    has_boxes: bool = False
    """Whether its records carry a box."""
    shares_pictures: bool = False
    """Whether its splits share pictures by design, so that a shared one blocks nothing."""
    imagery: str = ""
    """Published set that its file names number a picture of; empty if none."""
    imagery_number: str = ""
    """Pattern of that number at the start of a file's stem."""
    image_px: int = 256
    """Side of the published pictures; a picture of another size is a remark."""
    test_pictures: Mapping[Split, int] = field(default_factory=dict)
    """Pictures of each test split."""
    takes_own: bool = False
    """Whether `geomag data own` writes pictures of a user in its layout."""

    @property
    def arms(self) -> tuple[str, ...]:
        """Prediction arms: ``magcrop`` always, ``plain`` where Table 7 ablates it."""
        return ("magcrop", "plain") if self.ablated else ("magcrop",)


def benchmark_root(data: Path, benchmark: str) -> Path:
    """The folder of a benchmark under ``data``, or ``data`` itself if it has no such folder."""
    return data / benchmark if (data / benchmark).is_dir() else data
