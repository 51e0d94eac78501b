"""The 4K set: plain, the paper's own path, tiles, pyramid and controls, by mIoU and crop recall."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from geomag.config import Profile, override
from geomag.data.benchmarks import Granularity, Split
from geomag.data.records import Record, read_records
from geomag.experiments.pool import per_record
from geomag.experiments.windows import OPEN, Treatment, line, run, summary
from geomag.inference.probes import AttentionProbe, JointProbe, OracleProbe, RandomProbe
from geomag.metrics.bootstrap import Resampling
from geomag.model.geomag import GeoMag

LARGE = {"large_px": 2048, **OPEN}
RECORDS = "records.jsonl"


class DrawScenes(Protocol):
    """Draws the set into a folder and gives its records."""

    def __call__(self, root: Path, *, seed: int, n_scenes: int) -> list[Record]:
        """Write pictures and ``records.jsonl`` under ``root``."""
        ...


def scenes(out: Path, draw: DrawScenes, *, seed: int, n_scenes: int) -> list[Record]:
    """The set in a folder, drawn where it is not there or too short."""
    if (out / RECORDS).is_file():
        found = list(read_records(out / RECORDS, splits=[Split.TEST]))
        if len(found) >= n_scenes:
            return found[:n_scenes]
    return draw(out, seed=seed, n_scenes=n_scenes)


def large_arms(model: GeoMag, profile: Profile) -> list[Treatment]:
    """Ways of looking at a large image: how it is probed, and whether SAM2 sees the window."""
    settings = {
        name: override(profile, magcrop={**LARGE, "large_probe": name})
        for name in ("global", "tiles", "pyramid")
    }
    found = [Treatment(name, one, AttentionProbe(model, one)) for name, one in settings.items()]
    tiles = settings["tiles"]
    found += [
        Treatment(f"{n}+mask", settings[n], JointProbe(model, settings[n]))
        for n in ("tiles", "pyramid")
    ]
    found.append(Treatment("oracle", tiles, OracleProbe(tiles)))
    found.append(Treatment("random", tiles, RandomProbe(tiles)))
    return found


def compare_large(
    model: GeoMag,
    profile: Profile,
    root: Path,
    records: Sequence[Record],
    *,
    log: Callable[[str], None],
) -> dict[str, Any]:
    """Every way on the 4K set; ``global`` is the paper's text to the letter.

    Args:
        model: Trained.
        profile: Its settings.
        root: Folder of the pictures.
        records: Of `scenes`.
        log: Told of progress and each row.
    """
    small = override(profile, predict={"batch": 2})  # a picture and its mask are 35 MB
    ways = large_arms(model, small)
    plain, trials = run(model, records, root, ways, granularity=Granularity.PIXEL)
    resampling = Resampling(profile.score.resamples, profile.score.seed)
    rows = {}
    for arm in ways:
        trial = trials[arm.name]
        rows[arm.name] = summary(records, plain, trial.scores, trial, resampling)
        log(line(arm.name, rows[arm.name]))
    scores = {name: trial.scores for name, trial in trials.items()}
    return {
        "bench": "4k",
        "benchmark": "4k",
        "scenes": len(records),
        "rows": rows,
        "records": per_record(records, plain, scores),
    }
