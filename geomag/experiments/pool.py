"""Several trainings of one benchmark as one comparison: scores of a record are averaged over seeds.

Intervals resample images, so they say how another test set would come out for these trainings; the
spread over seeds stands beside them.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geomag.data.records import Record
from geomag.errors import PredictionError
from geomag.geometry import decode_mask, union_of
from geomag.io import read_json
from geomag.metrics.bootstrap import Resampling
from geomag.metrics.paired import Difference, differences

SMALL = 0.01
"""Part of the image below which a target is small."""
Floats = NDArray[np.float64]


def paired(
    scores: Floats, plain: Floats, images: Sequence[str], resampling: Resampling
) -> Difference:
    """Mean of ``scores`` less mean of ``plain``, record by record, resampled by image.

    One image alone says nothing of others: its interval is all that scores in [0, 1] allow.
    """
    _, owner = np.unique(np.array(images), return_inverse=True)
    sizes = np.bincount(owner)

    def mean_of(values: Floats) -> Callable[[Floats], Floats]:
        sums = np.bincount(owner, weights=values)
        return lambda weights: (weights @ sums) / (weights @ sizes)

    if len(sizes) == 1:
        value = float(np.mean(scores) - np.mean(plain))
        return Difference(value, low=-1.0, high=1.0, p_value=1.0, p_t=1.0, detectable=2.0)
    pair = ({"score": mean_of(scores)}, {"score": mean_of(plain)})
    return differences(*pair, len(sizes), resampling)["score"]


def per_record(
    records: Sequence[Record], plain: Floats, arms: Mapping[str, Floats]
) -> list[dict[str, Any]]:
    """Every arm's score of every record, as `pool` reads them."""
    return [
        {
            "id": record.id,
            "image": record.image,
            "share": _share(record),
            "scores": {
                "plain": float(plain[i]),
                **{name: float(scores[i]) for name, scores in arms.items()},
            },
        }
        for i, record in enumerate(records)
    ]


def _share(record: Record) -> float:
    """Part of the image that the target covers; all of it where nothing is marked."""
    if record.masks:
        return float(decode_mask(union_of(record.masks)).mean())
    if not record.boxes:
        return 1.0
    box = record.boxes[0]
    return box.width * box.height / (record.width * record.height)


def pool(files: Sequence[Path], resampling: Resampling) -> dict[str, Any]:
    """Every arm against plain over what ``experiment windows`` and its neighbours wrote.

    Returns:
        Per arm and subset (``all``, ``small``): plain, score, difference, interval, difference of
        each run, records.

    Raises:
        PredictionError: If the runs are of other records.
    """
    runs = [read_json(file) for file in files]
    rows = runs[0]["records"]
    ids = [row["id"] for row in rows]
    for file, run in zip(files, runs, strict=True):
        if [row["id"] for row in run["records"]] != ids:
            raise PredictionError(str(file), "other records", f"those of {files[0]}")
    images = np.array([row["image"] for row in rows])
    share = np.array([row["share"] for row in rows])
    subsets = {"all": np.ones(len(rows), dtype=bool), "small": share < SMALL}
    names = [name for name in rows[0]["scores"] if name != "plain"]
    plain = _scores(runs, "plain")
    return {
        "benchmark": runs[0]["benchmark"],
        "runs": [str(file) for file in files],
        "arms": {
            name: {
                subset: _compared(plain, _scores(runs, name), images, kept, resampling)
                for subset, kept in subsets.items()
                if kept.any()
            }
            for name in names
        },
    }


def _scores(runs: Sequence[dict[str, Any]], name: str) -> Floats:
    """Scores of one arm by training and record, ``[runs, records]``."""
    return np.array([[row["scores"][name] for row in run["records"]] for run in runs])


def _compared(
    plain: Floats,
    scores: Floats,
    images: NDArray[np.str_],
    kept: NDArray[np.bool_],
    resampling: Resampling,
) -> dict[str, Any]:
    a, b = scores[:, kept], plain[:, kept]
    gap = paired(a.mean(0), b.mean(0), images[kept].tolist(), resampling)
    return {
        "n": int(kept.sum()),
        "plain": float(b.mean()),
        "score": float(a.mean()),
        "difference": gap.value,
        "interval": [gap.low, gap.high],
        "each": (a.mean(1) - b.mean(1)).round(4).tolist(),
    }


def lines(result: dict[str, Any]) -> list[str]:
    """Lines printed to the terminal, one for each arm and subset."""
    shown = []
    for name, subsets in result["arms"].items():
        for subset, row in subsets.items():
            low, high = row["interval"]
            each = " ".join(f"{value:+.3f}" for value in row["each"])
            shown.append(
                f"{name:<22} {subset:<6} n {row['n']:>4}  score {row['score']:.3f}  "
                f"plain {row['plain']:.3f}  {row['difference']:+.3f} [{low:+.3f}, {high:+.3f}]  "
                f"each {each}"
            )
    return shown
