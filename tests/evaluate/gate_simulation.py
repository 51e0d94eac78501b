"""Error rates of the gate over a whole line: the tables of docs/decisions/0031-promotion.md.

``python -m tests.evaluate.gate_simulation [DRAWS]`` prints them. Differences of images are drawn,
their means and bootstrap spreads are computed in closed form, and `decide_promotion` decides.
"""

import sys
from dataclasses import dataclass

import numpy as np
import typer
from numpy.typing import NDArray

from geomag.data.benchmarks import BENCHMARKS
from geomag.evaluate.promotion import PRIMARY, decide_promotion
from geomag.evaluate.score.compare import LEAST, Comparison, MetricGap, Slice
from geomag.metrics.paired import student_p

Values = NDArray[np.float64]


@dataclass(frozen=True)
class SimulatedRow:
    """A benchmark's test split: its images, and how they part into classes and other slices."""

    benchmark: str
    n_images: int
    n_classes: int = 0
    """Of unequal size, the k-th in proportion to 1 / (k + 2); an image is of one class."""
    n_sizes: int = 0
    """Slices by size of the target, of equal size, across the classes."""
    kind: str = "overlap"
    """``overlap``: one IoU an image. ``answer``: right or wrong. ``share``: of many questions."""
    split: str = "test"


LINE = [
    SimulatedRow("rrsis_d", 3481, 20, 3),
    SimulatedRow("refsegrs", 1817, 14, 3),
    SimulatedRow("geopixeld", 1943),
    SimulatedRow("dior_rsvg", 5900, 20, kind="answer"),
    SimulatedRow("rsvqa_lr", 100, 0, 4, kind="share"),
    SimulatedRow("rsvqa_hr", 2226, 0, 4, kind="share"),
    SimulatedRow("rsvqa_hr", 1056, 0, 4, kind="share", split="test_phili"),
    SimulatedRow("ucm_captions", 210),
    SimulatedRow("sydney_captions", 58),
    SimulatedRow("aid", 10_000, 30, kind="answer"),
    SimulatedRow("resisc45", 31_500, 45, kind="answer"),
]
"""The paper's test sets: images, classes and question types of the published counts."""
SAMPLE = [
    SimulatedRow(row.benchmark, n, row.n_classes, row.n_sizes, row.kind, row.split)
    for row, n in zip(LINE, (180, 60, 40, 120, 28, 60, 28, 60, 28, 150, 180), strict=True)
]
"""A line of few images, as the sample's."""


@dataclass(frozen=True)
class Rates:
    """Shares of draws."""

    promoted: float
    worse: float
    """That name a row or a slice as worse."""


def drawn(row: SimulatedRow, rng: np.random.Generator, gain: float) -> Values:
    """Challenger minus champion by image, with mean ``gain``.

    Two trainings of one model: most overlaps hardly move and one in four moves much; one answer
    in ten turns; shares of right answers move by a few of a hundred questions.
    """
    n = row.n_images
    if row.kind == "answer":
        turned = rng.random(n) < 0.1
        return np.where(turned, np.where(rng.random(n) < 0.5 + 5 * gain, 1.0, -1.0), 0.0)
    if row.kind == "share":
        return rng.normal(gain, 0.05, n)
    moved = rng.random(n) < 0.25
    return np.asarray(gain + np.where(moved, rng.normal(0, 0.16, n), rng.normal(0, 0.02, n)))


def members(row: SimulatedRow, rng: np.random.Generator) -> dict[str, NDArray[np.intp]]:
    """Images by slice; slices below the floor are left out, as in `compare`."""
    order = rng.permutation(row.n_images)
    parts: dict[str, NDArray[np.intp]] = {}
    if row.n_classes:
        weights = 1 / (np.arange(row.n_classes) + 2)
        ends = np.round(np.cumsum(weights) / weights.sum() * row.n_images).astype(int)[:-1]
        parts |= {f"class {k}": part for k, part in enumerate(np.split(order, ends))}
    if row.n_sizes:
        every = np.arange(row.n_images)
        if row.kind == "share":  # each image has questions of every type
            parts |= {f"type {k}": every for k in range(row.n_sizes)}
        else:
            parts |= {f"size {k}": every[k :: row.n_sizes] for k in range(row.n_sizes)}
    return {name: part for name, part in parts.items() if len(part) >= LEAST}


def gap(row: SimulatedRow, differences: Values) -> MetricGap:
    """What the bootstrap comes to with ever more resamples."""
    mean, n = float(differences.mean()), len(differences)
    spread = float(differences.std() / np.sqrt(n))
    p = student_p(mean, spread, n)
    ends = {"low": mean - 1.96 * spread, "high": mean + 1.96 * spread}
    return MetricGap(
        metric=PRIMARY[BENCHMARKS[row.benchmark].task],
        first=mean,
        second=0.0,
        difference=mean,
        p_value=p,
        p_t=p,
        p_holm=p,
        detectable=2.8 * spread,
        **ends,
    )


def compared(
    row: SimulatedRow, differences: Values, parts: dict[str, NDArray[np.intp]], noise: Values | None
) -> Comparison:
    """A comparison of these differences; ``noise`` sets question types apart."""
    slices = {}
    for k, (name, part) in enumerate(parts.items()):
        values = differences[part] if noise is None else differences[part] + noise[k, part]
        slices[name] = Slice(n_records=len(part), n_images=len(part), gaps=(gap(row, values),))
    return Comparison(
        benchmark=row.benchmark,
        split=row.split,
        n_records=row.n_images,
        n_images=row.n_images,
        gaps=(gap(row, differences),),
        slices=slices,
    )


def simulated(row: SimulatedRow, rng: np.random.Generator, gain: float) -> Comparison:
    """One draw of a row."""
    parts = members(row, rng)
    noise = None
    if row.kind == "share":
        noise = rng.normal(0, 0.1, (len(parts), row.n_images))
        noise -= noise.mean(0) if len(parts) else 0
    return compared(row, drawn(row, rng, gain), parts, noise)


def of_moments(row: SimulatedRow, shift: float) -> Comparison:
    """A row without chance: every second image gains what the others lose, and all gain a shift."""
    signs = np.where(np.arange(row.n_images) % 2, 0.1, -0.1)
    return compared(row, signs + shift, {}, None)


def one_class_worse(row: SimulatedRow) -> Comparison:
    """A row that gains, but for one class of a hundred images that loses 20 points."""
    rng = np.random.default_rng(0)
    differences = drawn(row, rng, 0.0)
    parts = {f"class {k}": np.arange(100 * k, 100 * (k + 1)) for k in range(row.n_classes)}
    differences[parts["class 7"]] = np.where(np.arange(100) < 20, -1.0, 0.0)
    return compared(row, differences, parts, None)


def rates(
    line: list[SimulatedRow], *, draws: int, gain: float, seed: int, of: int | None = None
) -> Rates:
    """How often the gate promotes, and calls something worse.

    Args:
        line: Rows.
        draws: Pairs of models.
        gain: Of the challenger.
        seed: Of the draws.
        of: Row that alone has the gain; None: all.
    """
    rng = np.random.default_rng(seed)
    promoted = worse = 0
    for _ in range(draws):
        gains = [gain if of in (None, k) else 0.0 for k in range(len(line))]
        found = decide_promotion(
            [simulated(row, rng, g) for row, g in zip(line, gains, strict=True)]
        )
        promoted += found.outcome == "promote"
        worse += found.reason.startswith("worse")
    return Rates(promoted / draws, worse / draws)


def main(draws: int) -> None:
    """Print the tables, in percent."""
    for name, line in (("paper", LINE), ("sample", SAMPLE)):
        n_slices = [len(members(row, np.random.default_rng(0))) for row in line]
        typer.echo(f"{name}: {len(line)} rows, {sum(n_slices)} slices; promoted, called worse (%)")
        cases = [("equal", 0.0, None), ("+2 on all", 0.02, None), ("-2 on all", -0.02, None)]
        cases += [(f"+2 on {row.benchmark} {row.split}", 0.02, k) for k, row in enumerate(line)]
        for label, gain, of in cases:
            found = rates(line, draws=draws, gain=gain, seed=7, of=of)
            typer.echo(f"  {label:<30}{100 * found.promoted:>7.1f}{100 * found.worse:>7.1f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
